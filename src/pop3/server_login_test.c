/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define DIGEST "c4c9334bac560ecc979e58001b3e22fb"

static const struct server_row rows[] = {
	{ "user and pass", .peer = SPAN(IN), .want = IN_WANT, .sent = IN_SENT },
	{ "a blank, and more, in a password", .peer = SPAN("USER anna\r\nPASS  two  words \r\n"), .want = "login USER [anna] [ two  words ];", .sent = IN_SENT },
	{ "an empty password is the caller's to refuse", .answers = "auth", .peer = SPAN("USER anna\r\nPASS \r\n"), .want = "login USER [anna] [];",
	  .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n" },
	{ "no password at all", .peer = SPAN("USER anna\r\nPASS\r\nPASS s3cret\r\n"), .want = IN_WANT,
	  .sent = HI "+OK\r\n-ERR wrong arguments\r\n+OK 3 messages\r\n" },
	{ "a password in UTF-8, and one in nothing", .answers = "auth", .peer = SPAN("USER \xc3\xa4\r\nPASS \xc3\xa4\r\nUSER a\r\nPASS \xff\xfe\r\n"),
	  .want = "login USER [\xc3\xa4] [\xc3\xa4];login USER [a] [\xff\xfe];" },
	{ "blanks around and in a name", .peer = SPAN("USER   Sent Items#anna  \r\nPASS x\r\n"), .want = "login USER [Sent Items#anna] [x];" },
	{ "USER says the same of all", .peer = SPAN("USER anna\r\nUSER nobody\r\nUSER root@x\r\nUSER ../..\r\nUSER %s%n\r\n"), .want = "",
	  .sent = HI "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n" },
	{ "the last USER counts", .peer = SPAN("USER berta\r\nUSER anna\r\nPASS s3cret\r\n"), .want = IN_WANT },
	{ "USER alone", .peer = SPAN("USER\r\nUSER \r\nPASS x\r\n"), .want = "",
	  .sent = HI "-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n-ERR USER comes first\r\n" },
	{ "PASS first", .peer = SPAN("PASS s3cret\r\n"), .want = "", .sent = HI "-ERR USER comes first\r\n" },
	{ "unknown user and wrong password are told in the same words", .answers = "auth|auth|ok",
	  .peer = SPAN("USER nobody\r\nPASS x\r\nUSER anna\r\nPASS x\r\n" IN), .want = "login USER [nobody] [x];login USER [anna] [x];" IN_WANT,
	  .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n+OK\r\n-ERR [AUTH] authentication failed\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "a name is forgotten with its refusal", .answers = "auth", .peer = SPAN(IN "PASS again\r\n"), .want = IN_WANT,
	  .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n-ERR USER comes first\r\n" },
	{ "commands pipelined behind PASS", .peer = SPAN(IN "STAT\r\nLIST 1\r\nNOOP\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "+OK 3 67\r\n+OK 1 40\r\n+OK\r\n" },
	{ "commands pipelined behind a PASS that is refused", .answers = "auth", .peer = SPAN(IN "STAT\r\nQUIT\r\n"), .want = IN_WANT "bye good;",
	  .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n-ERR not before the login\r\n+OK\r\n" },
	{ "every refusal", .answers = "temp|busy|delay|perm alert: over quota|none later|temp the queue is full", .peer = SPAN(IN IN IN IN IN IN),
	  .want = IN_WANT IN_WANT IN_WANT IN_WANT IN_WANT IN_WANT,
	  .sent = HI "+OK\r\n-ERR [SYS/TEMP] no login now\r\n+OK\r\n-ERR [IN-USE] no login now\r\n+OK\r\n-ERR [LOGIN-DELAY] no login now\r\n"
	  "+OK\r\n-ERR [SYS/PERM] alert: over quota\r\n+OK\r\n-ERR later\r\n+OK\r\n-ERR [SYS/TEMP] the queue is full\r\n" },
	{ "words cannot break lines", .answers = "perm a\r\nb\tc \xc3\xa4", .peer = SPAN(IN), .want = IN_WANT, .sent = HI "+OK\r\n-ERR [SYS/PERM] a??b?c ??\r\n" },
	{ "words cannot pretend to a code", .answers = "none [AUTH] x|none [", .peer = SPAN(IN IN), .want = IN_WANT IN_WANT,
	  .sent = HI "+OK\r\n-ERR AUTH] x\r\n+OK\r\n-ERR no login now\r\n" },
	{ "words in UTF-8 for who can read them", .answers = "perm \xc3\xa4 \xff \xc2\x85", .peer = SPAN("UTF8\r\n" IN), .want = IN_WANT,
	  .sent = HI "+OK UTF-8 from now on\r\n+OK\r\n-ERR [SYS/PERM] \xc3\xa4 ? ??\r\n" },
	{ "or who asked for a language", .answers = "perm \xc3\xa4 \xff", .peer = SPAN("LANG en\r\n" IN), .want = IN_WANT,
	  .sent = HI "+OK en English\r\n+OK\r\n-ERR [SYS/PERM] \xc3\xa4 ?\r\n" },
	{ "no USER on a clear line", .how = NO_USER, .peer = SPAN("USER anna\r\nPASS s3cret\r\n"), .want = "",
	  .sent = HI "-ERR USER is not offered on an unprotected line\r\n-ERR USER comes first\r\n" },
	{ "no USER at all", .how = NO_USER | SECURE, .peer = SPAN("USER anna\r\n"), .want = "", .sent = HI "-ERR USER is not offered\r\n" },

	{ "apop", .mechs = MECH(APOP), .peer = SPAN("APOP mrose " DIGEST "\r\n"), .want = "login APOP [mrose] [" DIGEST "];", .sent = HI "+OK 3 messages\r\n" },
	{ "apop with blanks in the name", .mechs = MECH(APOP), .peer = SPAN("APOP Sent Items#m  " DIGEST " \r\n"), .want = "login APOP [Sent Items#m] [" DIGEST "];" },
	{ "apop refused", .mechs = MECH(APOP), .answers = "auth", .peer = SPAN("APOP mrose " DIGEST "\r\nSTAT\r\n"), .want = "login APOP [mrose] [" DIGEST "];",
	  .sent = HI "-ERR [AUTH] authentication failed\r\n-ERR not before the login\r\n" },
	{ "apop not offered", .peer = SPAN("APOP mrose " DIGEST "\r\n"), .want = "", .sent = HI "-ERR APOP is not offered\r\n" },
	{ "no digest", .mechs = MECH(APOP), .peer = SPAN("APOP\r\nAPOP mrose\r\nAPOP mrose " DIGEST "0\r\nAPOP mrose c4c9\r\nAPOP m x4c9334bac560ecc979e58001b3e22fb\r\n"),
	  .want = "", .sent = HI "-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n" },
	{ "apop forgets USER", .mechs = MECH(APOP), .answers = "auth", .peer = SPAN("USER anna\r\nAPOP mrose " DIGEST "\r\nPASS x\r\n"),
	  .want = "login APOP [mrose] [" DIGEST "];", .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n-ERR USER comes first\r\n" },

	{ "stls", .how = CAN_TLS, .peer = SPAN("STLS\r\n" STEP IN), .want = "tls;" IN_WANT, .sent = HI "+OK begin TLS\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "no stls inside TLS", .how = CAN_TLS, .peer = SPAN("STLS\r\n" STEP "STLS\r\n"), .want = "tls;", .sent = HI "+OK begin TLS\r\n-ERR TLS is up\r\n" },
	{ "no stls where there is none", .peer = SPAN("STLS\r\n" IN), .want = IN_WANT, .sent = HI "-ERR TLS is not to be had\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "stls with an argument", .how = CAN_TLS, .peer = SPAN("STLS now\r\n"), .want = "", .sent = HI "-ERR wrong number of arguments\r\n" },
	{ "a name from before TLS is forgotten", .how = CAN_TLS, .peer = SPAN("USER anna\r\nSTLS\r\n" STEP "PASS s3cret\r\n"), .want = "tls;",
	  .sent = HI "+OK\r\n+OK begin TLS\r\n-ERR USER comes first\r\n" },
	{ "UTF8 from before TLS is forgotten", .how = CAN_TLS, .answers = "perm \xc3\xa4", .peer = SPAN("UTF8\r\nLANG en\r\nSTLS\r\n" STEP IN), .want = "tls;" IN_WANT,
	  .sent = HI "+OK UTF-8 from now on\r\n+OK en English\r\n+OK begin TLS\r\n+OK\r\n-ERR [SYS/PERM] ??\r\n" },
	{ "what is offered is asked anew behind TLS", .how = CAN_TLS | NO_USER, .peer = SPAN("USER anna\r\nSTLS\r\n" STEP IN), .want = "tls;" IN_WANT,
	  .sent = HI "-ERR USER is not offered on an unprotected line\r\n+OK begin TLS\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "gone instead of a handshake", .how = CAN_TLS | EOF_AT_END, .peer = SPAN("STLS\r\n" STEP), .want = "tls;gone;" },

	{ "UTF8 before login", .peer = SPAN("UTF8\r\nUTF8\r\n" IN), .want = IN_WANT,
	  .sent = HI "+OK UTF-8 from now on\r\n+OK UTF-8 from now on\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "UTF8 after login", .peer = SPAN(IN "UTF8\r\n"), .want = IN_WANT, .sent = IN_SENT "-ERR not after the login\r\n" },
	{ "UTF8 with an argument", .peer = SPAN("UTF8 USER\r\n"), .want = "", .sent = HI "-ERR wrong number of arguments\r\n" },
};

static void rows_at_every_split(void **state)
{
	(void)state;
	server_story_run(rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
