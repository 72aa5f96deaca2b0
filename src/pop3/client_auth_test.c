/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client_story.h"

#define CAPA(lines) "+OK\r\n" lines ".\r\n"
#define STAMPED "+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n"
#define APOP_SENT "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"
#define MROSE .user = "mrose", .password = SPAN("tanstaaf")

static const struct story_row rows[] = {
	/* ---- USER and PASS */
	{ "one at a time", .peer = SPAN(HI CAPA("USER\r\n")), .want = "", .sent = "CAPA\r\nUSER anna\r\n" },
	{ "together where CAPA says so", .peer = SPAN(HI PIPES), .want = "", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "not together in lock-step", .how = LOCKSTEP, .peer = SPAN(HI PIPES), .want = "", .sent = "CAPA\r\nUSER anna\r\n" },
	{ "a password with spaces", .peer = SPAN(HI ERR OK), .want = "", .password = SPAN(" a  b "),
	  .sent = "CAPA\r\nUSER anna\r\nPASS  a  b \r\n" },
	{ "a password of eight bits", .peer = SPAN(HI ERR OK), .want = "", .password = SPAN("\xe9\"\\^"),
	  .sent = "CAPA\r\nUSER anna\r\nPASS \xe9\"\\^\r\n" },
	{ "CR in the password", .peer = SPAN(HI ERR), .password = SPAN("a\rb"), .want = "failed config;", .why = "password contains",
	  .sent = "CAPA\r\n" },
	{ "LF in the password", .peer = SPAN(HI ERR), .password = SPAN("a\nDELE 1"), .want = "failed config;", .sent = "CAPA\r\n" },
	{ "NUL in the password", .peer = SPAN(HI ERR), .password = SPAN("a\0b"), .want = "failed config;", .sent = "CAPA\r\n" },
	{ "LF in the user name", .peer = SPAN(HI ERR), .user = "anna\nQUIT", .want = "failed config;", .why = "user name contains",
	  .sent = "CAPA\r\n" },
	{ "CR in the user name, APOP", .mechs = "apop", .peer = SPAN(STAMPED ERR), .user = "an\rna", .want = "failed config;",
	  .sent = "CAPA\r\n" },

	/* ---- what a refusal means */
	{ "a wrong password", .peer = SPAN(HI ERR OK "-ERR no\r\n"), .want = "failed auth;", .why = "by USER was refused; check `user` and `password`: server said \"-ERR no\"" },
	{ "a wrong password, pipelined", .peer = SPAN(HI PIPES OK "-ERR no\r\n"), .want = "failed auth;" },
	{ "a wrong password, coded", .peer = SPAN(HI ERR OK "-ERR [AUTH] no\r\n"), .want = "failed auth;" },
	{ "in use", .peer = SPAN(HI ERR OK "-ERR [IN-USE] no\r\n"), .want = "failed busy;", .why = "refused for now; try again later: server" },
	{ "in use, by words", .peer = SPAN(HI ERR OK "-ERR maildrop already locked\r\n"), .want = "failed busy;" },
	{ "not now", .peer = SPAN(HI ERR OK "-ERR [SYS/TEMP] no\r\n"), .want = "failed busy;" },
	{ "not so often", .peer = SPAN(HI ERR OK "-ERR [LOGIN-DELAY] no\r\n"), .want = "failed busy;" },
	{ "somebody must look", .peer = SPAN(HI ERR OK "-ERR [SYS/PERM] alert: quota\r\n"), .want = "failed peer;", .why = "alert: quota" },
	{ "the password is not repeated", .peer = SPAN(HI ERR OK "-ERR what is PASS s3cret?\r\n"), .want = "failed auth;" },
	{ "control octets in the words", .peer = SPAN(HI ERR OK "-ERR a\x1b[31m\0b\r\n"), .want = "failed auth;", .why = "a?[31m?b" },
	{ "user unknown", .peer = SPAN(HI ERR "-ERR who?\r\n"), .want = "failed auth;", .why = "who?" },
	{ "user unknown, PASS out: USER's words", .peer = SPAN(HI PIPES "-ERR who?\r\n-ERR no user given\r\n"), .want = "failed auth;",
	  .why = "who?" },
	{ "user refused, PASS accepted", .peer = SPAN(HI PIPES ERR OK), .want = "failed peer;", .why = "RFC 1939 section 7" },
	{ "neither", .peer = SPAN(HI ERR OK "+YES\r\n"), .want = "failed peer;", .why = "RFC 1939 section 3" },
	{ "a challenge for PASS", .peer = SPAN(HI ERR OK "+ \r\n"), .want = "failed peer;" },
	{ "gone after PASS", .how = EOF_AT_END, .peer = SPAN(HI ERR OK), .want = "failed net;", .why = "before it answered PASS" },

	/* ---- APOP (RFC 1939's example) */
	{ "apop", .mechs = "apop user", MROSE, .peer = SPAN(STAMPED ERR OK), .want = "ready;", .sent = "CAPA\r\n" APOP_SENT },
	{ "no timestamp, no apop", .mechs = "apop user", .peer = SPAN(HI ERR OK OK), .want = "ready;", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "a timestamp of another shape", .mechs = "apop", .peer = SPAN("+OK <1896>\r\n" ERR), .want = "failed config;", .sent = "CAPA\r\n" },
	{ "a timestamp not looked for", .how = NO_STAMP, .mechs = "apop", .peer = SPAN(STAMPED ERR), .want = "failed config;" },
	{ "in clear, not by itself", .how = CLEAR_LINE, .mechs = "apop", .peer = SPAN(STAMPED ERR), .want = "failed config;", .sent = "CAPA\r\n" },
	{ "in clear, as the user says", .how = CLEAR_LINE | LISTED, .mechs = "apop", MROSE, .peer = SPAN(STAMPED ERR OK), .want = "ready;",
	  .sent = "CAPA\r\n" APOP_SENT },
	{ "a timestamp from before TLS", .how = STLS_REQUIRED, .mechs = "apop user", .peer = SPAN(STAMPED ERR OK STEP ERR OK OK),
	  .want = "tls;ready;", .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "apop: refused in words of any kind", .mechs = "apop user", MROSE, .peer = SPAN(STAMPED ERR "-ERR permission denied\r\n"), .want = "failed auth;",
	  .sent = "CAPA\r\n" APOP_SENT },
	{ "a timestamp, but no APOP", .mechs = "apop user", MROSE, .peer = SPAN(STAMPED ERR "-ERR unknown command\r\n" OK OK), .want = "ready;",
	  .sent = "CAPA\r\n" APOP_SENT "USER mrose\r\nPASS tanstaaf\r\n" },
	{ "apop: wrong, it says", .mechs = "apop user", MROSE, .peer = SPAN(STAMPED ERR "-ERR [AUTH] no\r\n"), .want = "failed auth;",
	  .sent = "CAPA\r\n" APOP_SENT },

	/* ---- which one */
	{ "none on offer", .mechs = "cram-md5", .peer = SPAN(HI CAPA("USER\r\n")), .want = "failed config;", .why = "none of the mechanisms allowed by auth; it offers USER" },
	{ "some on offer", .mechs = "cram-md5", .peer = SPAN(HI CAPA("USER\r\nSASL PLAIN X-OWN SCRAM-SHA-1\r\n")), .want = "failed config;",
	  .why = "it offers SCRAM-SHA-1, PLAIN, USER" },
	{ "user not on offer", .peer = SPAN(HI CAPA("SASL PLAIN\r\n")), .want = "failed config;", .sent = "CAPA\r\n" },
	{ "no word of logins: user", .peer = SPAN(HI CAPA("TOP\r\n") OK OK CAPA("")), .want = "ready;" },
	{ "in the order given", .mechs = "login cram-md5", .peer = SPAN(HI CAPA("SASL CRAM-MD5 LOGIN PLAIN\r\n")), .want = "",
	  .sent = "CAPA\r\nAUTH LOGIN\r\n" },
	{ "clear text on a clear line", .how = CLEAR_LINE, .mechs = "plain login user",
	  .peer = SPAN(HI CAPA("USER\r\nSASL PLAIN LOGIN\r\n")), .want = "failed config;", .why = "allow_cleartext", .sent = "CAPA\r\n" },
	{ "clear text allowed", .how = CLEAR_LINE | CLEAR_ALLOWED, .peer = SPAN(HI CAPA("USER\r\n") OK OK CAPA("")), .want = "ready;" },
	{ "hidden on a clear line", .how = CLEAR_LINE, .mechs = "plain cram-md5", .peer = SPAN(HI CAPA("SASL PLAIN CRAM-MD5\r\n")),
	  .want = "", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n" },
	{ "binding where there is none", .mechs = "scram-sha-1-plus cram-md5", .peer = SPAN(HI CAPA("SASL SCRAM-SHA-1-PLUS CRAM-MD5\r\n")),
	  .want = "", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n" },
	{ "binding where there is one", .how = BINDING, .mechs = "scram-sha-1-plus cram-md5",
	  .peer = SPAN(HI CAPA("SASL SCRAM-SHA-1-PLUS CRAM-MD5\r\n")), .answers = "hi", .want = "sasl SCRAM-SHA-1-PLUS first;",
	  .sent = "CAPA\r\nAUTH SCRAM-SHA-1-PLUS aGk=\r\n" },
	{ "NTLM says nothing beside its command",
	  .mechs = "ntlm user", .peer = SPAN(HI CAPA("USER\r\nSASL NTLM\r\n")), .want = "", .sent = "CAPA\r\nAUTH NTLM\r\n" },
	{ "what is not offered is passed over", .mechs = "gssapi ntlm digest-md5 xoauth2 oauthbearer user",
	  .peer = SPAN(HI CAPA("USER\r\nSASL PLAIN\r\n")), .want = "", .sent = "CAPA\r\nUSER anna\r\n" },

	/* ---- the ladder */
	{ "unsupported after all: the next", .mechs = "cram-md5 login user", .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5 LOGIN\r\n") ERR ERR OK OK CAPA("")),
	  .want = "ready;", .sent = "CAPA\r\nAUTH CRAM-MD5\r\nAUTH LOGIN\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "at most three", .mechs = "cram-md5 login plain user", .answers = "x",
	  .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5 LOGIN PLAIN\r\n") ERR ERR STEP "-ERR third\r\n"),
	  .want = "sasl PLAIN first;failed auth;", .why = "third", .sent = "CAPA\r\nAUTH CRAM-MD5\r\nAUTH LOGIN\r\nAUTH PLAIN eA==\r\n" },
	{ "the credentials: no other is tried", .mechs = "cram-md5 user", .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5\r\n") "-ERR [AUTH] no\r\n"),
	  .want = "failed auth;", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n" },
	{ "for now: no other is tried", .mechs = "cram-md5 user", .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5\r\n") "-ERR [SYS/TEMP] no\r\n"),
	  .want = "failed busy;", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n" },
	{ "never from strong to clear on a clear line", .how = CLEAR_LINE | CLEAR_ALLOWED, .mechs = "cram-md5 user",
	  .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5\r\n") ERR), .want = "failed auth;", .why = "CRAM-MD5",
	  .sent = "CAPA\r\nAUTH CRAM-MD5\r\n" },
	{ "user unknown: the next", .mechs = "user cram-md5", .peer = SPAN(HI CAPA("USER\r\nPIPELINING\r\nSASL CRAM-MD5\r\n") ERR ERR),
	  .want = "", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nAUTH CRAM-MD5\r\n" },
	{ "closed after a refusal", .how = EOF_AT_END, .mechs = "cram-md5 user", .peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5\r\n") ERR),
	  .want = "failed net;", .why = "before it answered USER" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

/* What the caller leaves out when it comes again. */
static void mechanisms_refused(void **state)
{
	static const struct story_row row = { "refused", .mechs = "cram-md5 login user",
		.peer = SPAN(HI CAPA("USER\r\nSASL CRAM-MD5 LOGIN\r\n") ERR ERR) };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	assert_int_equal(p3c_ladder(t.s)->refused, 1u << SASL_CRAM_MD5 | 1u << SASL_LOGIN);
	assert_int_equal(p3c_mechanism(t.s), SASL_USER);
	story_end(&t);
}

/* A password leaves no trace in the session once it is sent. */
static void passwords_are_wiped(void **state)
{
	static const struct story_row row = { "wiped", .peer = SPAN(PLAINLY) };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	assert_non_null(memmem(t.sent.at, t.sent.len, "s3cret", 6));
	assert_null(memmem(t.s, p3c_size(), "s3cret", 6));
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(mechanisms_refused),
		cmocka_unit_test(passwords_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
