/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_story.h"

#define MAIL "MAIL FROM:<a@b>\r\n"
#define TO(who) "RCPT TO:<" who "@d>\r\n"

static const struct story_row rows[] = {
	/* what codes mean */
	{ "MAIL refused", 0, .peer = SPAN(BARE "550 5.7.1 go away\r\n"), .mails = "a@b>c@d,e@d",
		.want = "ready;0.0 refused peer MAIL 550 5.7.1 [go away];0.1 refused peer MAIL 550 5.7.1 [go away];done 0;", .sent = EHLO MAIL },
	{ "a recipient each way", 0, .peer = SPAN(BARE OK "550-5.1.1 who\r\n550 5.1.1 is it\r\n" "251 forwarded\r\n" "450 4.2.0 grey\r\n" "452 many\r\n" GO OK),
		.mails = "a@b>x@d,c@d,g@d,m@d",
		.want = "ready;0.0 refused peer RCPT 550 5.1.1 [who is it];0.2 deferred busy RCPT 450 4.2.0 [grey];0.3 deferred busy RCPT 452 [many];"
			"body;0.1 accepted the message 250 [ok];done 0;" },
	{ "552 to RCPT", 0, .peer = SPAN(BARE OK "552 many\r\n" "552 5.5.3 many\r\n" "552 5.2.2 full\r\n"), .mails = "a@b>a@d,b@d,c@d",
		.want = "ready;0.0 deferred busy RCPT 552 [many];0.1 deferred busy RCPT 552 5.5.3 [many];0.2 deferred busy RCPT 552 5.2.2 [full];done 0;" },
	{ "over quota, or not", LMTP, .peer = SPAN(BARE OK OK OK OK OK OK OK OK OK GO "552 5.2.2 full\r\n" "554 5.2.2 full\r\n" "552 over Quota\r\n" "552 mailbox is full\r\n"
		"552 5.7.1 quota of spam\r\n" "552 5.3.4 large\r\n" "552 too large\r\n" "550 5.2.1 off\r\n"), .mails = "a@b>a@d,b@d,c@d,d@d,e@d,f@d,g@d,h@d",
		.want = "ready;body;0.0 deferred busy the message 552 5.2.2 [full];0.1 deferred busy the message 554 5.2.2 [full];"
			"0.2 deferred busy the message 552 [over Quota];0.3 deferred busy the message 552 [mailbox is full];"
			"0.4 refused peer the message 552 5.7.1 [quota of spam];0.5 refused peer the message 552 5.3.4 [large];"
			"0.6 refused peer the message 552 [too large];0.7 refused peer the message 550 5.2.1 [off];done 0;" },
	{ "552 to the message", 0, .peer = SPAN(BARE OK OK GO "552 5.3.4 large\r\n"), .mails = "a@b>a@d",
		.want = "ready;body;0.0 refused peer the message 552 5.3.4 [large];done 0;" },
	{ "a login is wanted", 0, .peer = SPAN(BARE "530 5.7.0 authenticate\r\n"), .mails = "a@b>a@d",
		.want = "ready;0.0 deferred config MAIL 530 5.7.0 [authenticate];done 0;" },
	{ "out of step", 0, .peer = SPAN(BARE OK "503 what\r\n"), .mails = "a@b>a@d", .want = "ready;0.0 deferred peer RCPT 503 [what];done 0;" },
	{ "DATA deferred", 0, .peer = SPAN(BARE OK OK "451 disk\r\n" OK OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 deferred busy DATA 451 [disk];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "DATA\r\nRSET\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "a status of another class is none", 0, .peer = SPAN(BARE "550 2.1.1 x\r\n"), .mails = "a@b>c@d", .want = "ready;0.0 refused peer MAIL 550 [2.1.1 x];done 0;" },
	{ "hostile words", 0, .peer = SPAN(BARE "550 a\0b\x1b[31m\tc \xe2\x80\xae \xff s3\r\n"), .mails = "a@b>c@d",
		.want = "ready;0.0 refused peer MAIL 550 [a?b?[31m?c ??? ? s3];done 0;" },
	{ "the password in the words", 0, .peer = SPAN(BARE "550 no s3cret\r\n"), .mails = "a@b>c@d",
		.want = "ready;0.0 refused peer MAIL 550 [(not shown: the password is in it)];done 0;" },
	/* pipelining, where the group is out before the first answer */
	{ "MAIL refused, the rest too", 0, .peer = SPAN(PIPES "550 no\r\n" "503 x\r\n" "503 y\r\n" OK OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer MAIL 550 [no];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "DATA\r\nRSET\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "nobody taken, DATA refused", 0, .peer = SPAN(PIPES OK "550 no\r\n" "554 none\r\n" OK OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "DATA\r\nRSET\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "nobody taken, DATA accepted", 0, .peer = SPAN(PIPES OK "550 no\r\n" GO "554 none\r\n" OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "DATA\r\n.\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "the same over LMTP", LMTP, .peer = SPAN(PIPES OK "550 no\r\n" GO), .mails = "a@b>c@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0 broken;failed peer;" },
	{ "no chunk for nobody", 0, .peer = SPAN(CHUNKS OK "550 no\r\n" OK OK OK OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;body bdat;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "RSET\r\n" MAIL TO("e") "BDAT 4 LAST\r\nhi\r\n" },
	{ "a chunk refused early", HOLD_BODY, .peer = SPAN(CHUNKS OK OK "552 5.3.4 large\r\n"), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;body bdat;0.0 deferred peer;done 0 broken;failed peer;", .why = "5321 section 4.3): server said \"large\"" },
	{ "refused early behind DATA", HOLD_BODY, .peer = SPAN(PIPES OK OK GO "552 large\r\n"), .mails = "a@b>c@d",
		.want = "ready;body;0.0 deferred peer;done 0 broken;failed peer;", .why = "5321 section 4.3): server said \"large\"" },
	{ "accepted early", HOLD_BODY, .peer = SPAN(PIPES OK OK GO OK), .mails = "a@b>c@d", .want = "ready;body;0.0 deferred peer;done 0 broken;failed peer;" },
	{ "accepted early by a chunk", HOLD_BODY, .peer = SPAN(CHUNKS OK OK OK), .mails = "a@b>c@d", .want = "ready;body bdat;0.0 deferred peer;done 0 broken;failed peer;" },
	{ "DATA is accepted at once", 0, .peer = SPAN(PIPES OK OK OK), .mails = "a@b>c@d", .want = "ready;0.0 deferred peer;done 0 broken;failed peer;" },
	/* where it ends */
	{ "gone before MAIL is answered", EOF_AT_END, .peer = SPAN(BARE), .mails = "a@b>c@d", .want = "ready;0.0 deferred net;done 0;failed net;", .why = "MAIL" },
	{ "gone before RCPT is answered", EOF_AT_END, .peer = SPAN(BARE OK "550 no\r\n"), .mails = "a@b>c@d,e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];0.1 deferred net;done 0;failed net;" },
	{ "gone inside the message", EOF_AT_END | HOLD_BODY, .peer = SPAN(BARE OK OK GO), .mails = "a@b>c@d", .want = "ready;body;0.0 deferred net;done 0;failed net;" },
	{ "gone behind the message", EOF_AT_END, .peer = SPAN(BARE OK OK GO), .mails = "a@b>c@d", .want = "ready;body;0.0 doubt net;done 0;failed net;", .why = "the message" },
	{ "gone behind half an answer", EOF_AT_END, .peer = SPAN(BARE OK OK GO "250-o\r\n250"), .mails = "a@b>c@d", .want = "ready;body;0.0 doubt net;done 0;failed net;" },
	{ "silent behind the message", SILENT_AT_END, .peer = SPAN(BARE OK OK GO), .mails = "a@b>c@d", .want = "ready;body;0.0 doubt net;done 0;failed net;", .why = "in time" },
	{ "silent before it", SILENT_AT_END, .peer = SPAN(BARE OK OK), .mails = "a@b>c@d", .want = "ready;0.0 deferred net;done 0;failed net;" },
	{ "no sense behind the message", 0, .peer = SPAN(BARE OK OK GO "what\r\n"), .mails = "a@b>c@d", .want = "ready;body;0.0 doubt peer;done 0 broken;failed peer;" },
	{ "asks for more behind the message", 0, .peer = SPAN(BARE OK OK GO GO), .mails = "a@b>c@d", .want = "ready;body;0.0 doubt peer;done 0 broken;failed peer;" },
	{ "gone behind a chunk", EOF_AT_END, .peer = SPAN(CHUNKS OK OK), .mails = "a@b>c@d", .want = "ready;body bdat;0.0 doubt net;done 0;failed net;" },
	{ "no chunk before RCPT is answered", EOF_AT_END, .peer = SPAN(CHUNKS OK), .mails = "a@b>c@d", .want = "ready;0.0 deferred net;done 0;failed net;" },
	{ "only the older of two is in doubt", EOF_AT_END, .peer = SPAN(PIPES OK OK GO), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;body;0.0 doubt net;done 0;1.0 deferred net;done 1;failed net;" },
	{ "half of LMTP's answers", LMTP | EOF_AT_END, .peer = SPAN(PIPES OK OK OK GO OK), .mails = "a@b>c@d,e@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 doubt net;done 0;failed net;" },
	/* 421 */
	{ "421 to MAIL", 0, .peer = SPAN(BARE "421 4.3.2 bye\r\n"), .mails = "a@b>c@d", .want = "ready;0.0 deferred busy MAIL 421 4.3.2 [bye];done 0;failed busy;" },
	{ "421 to RCPT", 0, .peer = SPAN(BARE OK OK "421 bye\r\n"), .mails = "a@b>c@d,e@d,f@d",
		.want = "ready;0.1 deferred busy RCPT 421 [bye];0.0 deferred busy;0.2 deferred busy;done 0;failed busy;" },
	{ "421 to the message", 0, .peer = SPAN(BARE OK OK GO "421 bye\r\n"), .mails = "a@b>c@d", .want = "ready;body;0.0 deferred busy the message 421 [bye];done 0;failed busy;" },
	{ "421 to one of LMTP's", LMTP, .peer = SPAN(BARE OK OK OK GO "421 bye\r\n"), .mails = "a@b>c@d,e@d",
		.want = "ready;body;0.0 deferred busy the message 421 [bye];0.1 doubt busy;done 0;failed busy;" },
	{ "421 while nothing is asked", 0, .peer = SPAN(BARE "421 idle\r\n"), .want = "ready;failed busy;", .why = "idle" },
	{ "421 inside the message", HOLD_BODY, .peer = SPAN(BARE OK OK GO "421 bye\r\n"), .mails = "a@b>c@d",
		.want = "ready;body;0.0 deferred busy;done 0;failed busy;", .why = "bye" },
	{ "421 behind the acceptance", 0, .peer = SPAN(BARE OK OK GO OK "421 bye\r\n"), .mails = "a@b>c@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;failed busy;" },
	{ "421 to QUIT", QUIT, .peer = SPAN(BARE "421 bye\r\n"), .want = "ready;bye;" },
	{ "gone before QUIT is answered", QUIT | EOF_AT_END, .peer = SPAN(BARE), .want = "ready;bye;" },
	{ "gone while nothing is asked", EOF_AT_END, .peer = SPAN(BARE), .want = "ready;failed net;", .why = "the server closed the connection" },
	/* replies that are too few, too many, or of another command */
	{ "the reply to one RCPT is missing", 0, .peer = SPAN(PIPES OK OK GO), .mails = "a@b>c@d,e@d", .want = "ready;0.0 deferred peer;0.1 deferred peer;done 0 broken;failed peer;",
		.why = "asks for more" },
	{ "one reply too many behind the message", 0, .peer = SPAN(PIPES OK OK GO OK OK), .mails = "a@b>c@d", .want = "ready;body;0.0 accepted the message 250 [ok];done 0;failed peer;",
		.why = "nobody asked" },
	{ "one too many, and the next mail takes it for its own", 0, .peer = SPAN(BARE OK OK GO OK OK OK OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;1.0 deferred peer;done 1 broken;failed peer;" },
	{ "354 to a chunk", 0, .peer = SPAN(CHUNKS OK OK GO), .mails = "a@b>c@d", .want = "ready;body bdat;0.0 doubt peer;done 0 broken;failed peer;", .why = "asks for more" },
	{ "354 to a chunk that is not all out", HOLD_BODY, .peer = SPAN(CHUNKS OK OK GO), .mails = "a@b>c@d", .want = "ready;body bdat;0.0 deferred peer;done 0 broken;failed peer;" },
	{ "a reply that nobody asked for", 0, .peer = SPAN(BARE OK), .want = "ready;failed peer;", .why = "nobody asked" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
