/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_story.h"

#define MAIL "MAIL FROM:<a@b>\r\n"
#define TO(who) "RCPT TO:<" who "@d>\r\n"

static const struct story_row rows[] = {
	{ "one, in lock-step", QUIT, .peer = SPAN(BARE OK OK GO "250 2.0.0 queued as 7\r\n221 bye\r\n"), .mails = "a@b>c@d",
		.want = "ready;body;0.0 accepted the message 250 2.0.0 [queued as 7];done 0;bye good;",
		.sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\nQUIT\r\n" },
	{ "one, pipelined", 0, .peer = SPAN(PIPES OK OK GO OK), .mails = "a@b>c@d", .want = "ready;body;0.0 accepted the message 250 [ok];done 0;",
		.sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\n" },
	{ "one, a chunk", 0, .peer = SPAN(CHUNKS OK OK OK), .mails = "a@b>c@d",
		.want = "ready;body bdat;0.0 accepted the message 250 [ok];done 0;", .sent = EHLO MAIL TO("c") "BDAT 4 LAST\r\nhi\r\n" },
	{ "a chunk that is not wanted", NO_CHUNKING, .peer = SPAN(CHUNKS OK OK GO OK), .mails = "a@b>c@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;", .sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\n" },
	{ "a chunk in lock-step", LOCKSTEP, .peer = SPAN(CHUNKS OK OK OK), .mails = "a@b>c@d",
		.want = "ready;body bdat;0.0 accepted the message 250 [ok];done 0;", .sent = EHLO MAIL TO("c") "BDAT 4 LAST\r\nhi\r\n" },
	{ "the null sender", 0, .peer = SPAN(BARE OK OK GO OK), .mails = ">c@d", .want = "ready;body;0.0 accepted the message 250 [ok];done 0;",
		.sent = EHLO "MAIL FROM:<>\r\n" TO("c") "DATA\r\nhi\r\n.\r\n" },
	{ "dots, lone line ends, no end", 0, .peer = SPAN(BARE OK OK GO OK), .mails = "a@b>c@d", .body = ".a\r\n.\r\n\n.\r..b\nc",
		.sent = EHLO MAIL TO("c") "DATA\r\n..a\r\n..\r\n\r\n..\r\n...b\r\nc\r\n.\r\n" },
	{ "the same as a chunk", 0, .peer = SPAN(CHUNKS OK OK OK), .mails = "a@b>c@d", .body = ".a\r\n.\r\n\n.\r..b\nc",
		.sent = EHLO MAIL TO("c") "BDAT 20 LAST\r\n.a\r\n.\r\n\r\n.\r\n..b\r\nc\r\n" },
	{ "what is said of a mail", 0, .peer = SPAN(HI "250-h\r\n250-size 1000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n" OK OK OK GO OK),
		.mails = "a@b>c@d,\xc3\xa4@d", .body = "\xc3\xa4\r\n",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 accepted the message 250 [ok];done 0;",
		.sent = EHLO "MAIL FROM:<a@b> SIZE=4 BODY=8BITMIME SMTPUTF8\r\n" TO("c") TO("\xc3\xa4") "DATA\r\n\xc3\xa4\r\n.\r\n" },
	{ "eight bits where they are not offered", 0, .peer = SPAN(BARE OK OK GO OK), .mails = "a@b>c@d", .body = "\xc3\xa4\r\n",
		.sent = EHLO MAIL TO("c") "DATA\r\n\xc3\xa4\r\n.\r\n" },
	{ "larger than SIZE", 0, .peer = SPAN(HI "250-h\r\n250 SIZE 3\r\n"), .mails = "a@b>c@d,e@f", .want =
		"ready;0.0 refused peer;0.1 refused peer;done 0;", .sent = EHLO },
	{ "a SIZE without limit", 0, .peer = SPAN(HI "250-h\r\n250 SIZE 0\r\n" OK OK GO OK), .mails = "a@b>c@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;", .sent = EHLO "MAIL FROM:<a@b> SIZE=4\r\n" TO("c") "DATA\r\nhi\r\n.\r\n" },
	{ "addresses no command can carry", 0, .peer = SPAN(BARE OK OK GO OK),
		.mails = "a@b>x\r\nDATA@d,a b@d,a>b@d,,a\\b@d,\"a b>\\\"\"@d,\"open@d,\xff@d,x\x7f@d,\xc2\x85@d,\xc3\xa4@d",
		.want = "ready;0.0 refused config;0.1 refused config;0.2 refused config;0.3 refused config;0.4 refused config;0.6 refused config;"
			"0.7 refused config;0.8 refused config;0.9 refused config;0.10 refused peer;body;0.5 accepted the message 250 [ok];done 0;",
		.sent = EHLO MAIL "RCPT TO:<\"a b>\\\"\"@d>\r\nDATA\r\nhi\r\n.\r\n" },
	{ "a sender no command can carry", 0, .peer = SPAN(BARE OK OK GO OK), .mails = "a\rb>c@d|a@b>c@d",
		.want = "ready;0.0 refused config;done 0;body;1.0 accepted the message 250 [ok];done 1;", .sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\n" },
	{ "a sender who needs SMTPUTF8", 0, .peer = SPAN(BARE), .mails = "\xc3\xa4@b>c@d", .want = "ready;0.0 refused peer;done 0;", .sent = EHLO },
	{ "two, pipelined: the second rides behind the first", QUIT, .peer = SPAN(PIPES OK OK GO OK OK OK GO OK "221\r\n"), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;body;1.0 accepted the message 250 [ok];done 1;bye good;",
		.sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\nQUIT\r\n" },
	{ "three, as chunks", 0, .peer = SPAN(CHUNKS OK OK OK OK OK OK OK OK OK OK OK), .mails = "a@b>c@d|a@b>e@d|a@b>f@d",
		.want = "ready;body bdat;0.0 accepted the message 250 [ok];done 0;body bdat;1.0 accepted the message 250 [ok];done 1;"
			"body bdat;2.0 accepted the message 250 [ok];done 2;",
		.sent = EHLO MAIL TO("c") "BDAT 4 LAST\r\nhi\r\nRSET\r\n" MAIL TO("e") "BDAT 4 LAST\r\nhi\r\nRSET\r\n" MAIL TO("f") "BDAT 4 LAST\r\nhi\r\n" },
	{ "two in lock-step", 0, .peer = SPAN(BARE OK OK GO OK OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "DATA\r\nhi\r\n.\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "RSET after a transaction that did not end", 0, .peer = SPAN(BARE OK "550 no\r\n" OK OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL TO("c") "RSET\r\n" MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "no RSET where MAIL was refused", 0, .peer = SPAN(BARE "451 later\r\n" OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 deferred busy MAIL 451 [later];done 0;body;1.0 accepted the message 250 [ok];done 1;",
		.sent = EHLO MAIL MAIL TO("e") "DATA\r\nhi\r\n.\r\n" },
	{ "RSET is refused", 0, .peer = SPAN(BARE OK "550 no\r\n" "500 what\r\n"), .mails = "a@b>c@d|a@b>e@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;1.0 deferred peer;done 1 broken;failed peer;", .why = "RSET" },
	{ "LMTP", LMTP | QUIT, .peer = SPAN(HI "250-h\r\n250 PIPELINING\r\n" OK "550 5.1.1 who\r\n" OK OK GO "250 2.1.5 c\r\n452 4.2.2 full\r\n221 x\r\n"),
		.mails = "a@b>x@d,c@d,e@d",
		.want = "ready;0.0 refused peer RCPT 550 5.1.1 [who];body;0.1 accepted the message 250 2.1.5 [c];"
			"0.2 deferred busy the message 452 4.2.2 [full];done 0;bye good;",
		.sent = "LHLO me\r\n" MAIL TO("x") TO("c") TO("e") "DATA\r\nhi\r\n.\r\nQUIT\r\n" },
	{ "LMTP by a chunk waits for RCPT", LMTP, .peer = SPAN(CHUNKS OK OK OK OK OK), .mails = "a@b>c@d,e@d",
		.want = "ready;body bdat;0.0 accepted the message 250 [ok];0.1 accepted the message 250 [ok];done 0;",
		.sent = "LHLO me\r\n" MAIL TO("c") TO("e") "BDAT 4 LAST\r\nhi\r\n" },
	{ "LMTP by a chunk for nobody", LMTP, .peer = SPAN(CHUNKS OK "550 no\r\n"), .mails = "a@b>c@d",
		.want = "ready;0.0 refused peer RCPT 550 [no];done 0;", .sent = "LHLO me\r\n" MAIL TO("c") },
	{ "LMTP, two mails in flight", LMTP, .peer = SPAN(PIPES OK OK OK GO OK "550 b\r\n" OK OK GO OK), .mails = "a@b>c@d,e@d|a@b>f@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 refused peer the message 550 [b];done 0;"
			"body;1.0 accepted the message 250 [ok];done 1;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

/* More recipients than the window and the out-buffer hold at once. */
static void a_thousand_recipients(void **state)
{
	static const struct story_row row = { "thousand", .peer = SPAN(CHUNKS) };
	const char *to[SMC_RECIPIENTS_MAX];
	char address[SMC_ADDRESS_MAX + 1];
	struct smc_mail mail = { .sender = address, .recipients = to, .recipient_count = SMC_RECIPIENTS_MAX, .octets = 4 };
	struct story t;
	size_t accepted = 0;

	(void)state;
	memset(address, 'x', SMC_ADDRESS_MAX);
	address[SMC_ADDRESS_MAX] = '\0';
	for (size_t i = 0; i < SMC_RECIPIENTS_MAX; i++)
		to[i] = address;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	t.told.len = t.sent.len = 0;
	smc_send(t.s, &mail);
	story_send(&t);
	for (unsigned i = 0; i < SMC_RECIPIENTS_MAX + 1; i++) {
		assert_true(t.sent.len < (size_t)(i + SMC_WINDOW) * (SMC_ADDRESS_MAX + 14));
		story_feed(&t, OK, strlen(OK));
	}
	assert_true(span_equal(buf_span(&t.told), SPAN("body bdat;")));
	smc_feed(t.s, SPAN(OK));
	for (struct smc_event ev; smc_next(t.s, &ev);)
		accepted += ev.what == SMC_RESULT && ev.recipient == accepted && ev.outcome == SMC_ACCEPTED;
	assert_int_equal(accepted, SMC_RECIPIENTS_MAX);
	assert_true(smc_idle(t.s));
	assert_true(memmem(t.sent.at, t.sent.len, "BDAT 4 LAST\r\nhi\r\n", 17));
	story_end(&t);
}

/* A long chunk is not sent before somebody is known to want it. */
static void a_long_chunk_waits(void **state)
{
	static const struct story_row row = { "long", .peer = SPAN(CHUNKS) };
	static const char *const to[] = { "c@d" };
	struct smc_mail mail = { .sender = "a@b", .recipients = to, .recipient_count = 1, .octets = 1000000 };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	t.sent.len = 0;
	smc_send(t.s, &mail);
	story_send(&t);
	assert_true(span_equal(buf_span(&t.sent), SPAN(MAIL TO("c"))));
	story_feed(&t, OK "550 no\r\n", strlen(OK "550 no\r\n"));
	assert_true(span_equal(buf_span(&t.sent), SPAN(MAIL TO("c"))));
	assert_true(smc_idle(t.s));
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(a_thousand_recipients),
		cmocka_unit_test(a_long_chunk_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
