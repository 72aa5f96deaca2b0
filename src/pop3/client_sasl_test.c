/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client_story.h"

#define SASL(names) "+OK\r\nSASL " names "\r\n.\r\n"
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A180 A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B24 "YWFhYWFhYWFhYWFhYWFhYWFh"	/* 18 octets in base64 */
#define B240 B24 B24 B24 B24 B24 B24 B24 B24 B24 B24
#define STEP_AGAIN "+ eA==\r\n" STEP

static const struct story_row rows[] = {
	/* ---- initial responses (RFC 5034 section 4) */
	{ "plain", .mechs = "plain", .peer = SPAN(HI SASL("LOGIN PLAIN") STEP OK STEP SASL("PLAIN")), .answers = "x y|",
	  .want = "sasl PLAIN first;sasl PLAIN last;ready;", .sent = "CAPA\r\nAUTH PLAIN eCB5\r\nCAPA\r\n" },
	{ "an empty one", .mechs = "external", .peer = SPAN(HI SASL("EXTERNAL") STEP OK STEP SASL("")), .answers = "|",
	  .want = "sasl EXTERNAL first;sasl EXTERNAL last;ready;", .sent = "CAPA\r\nAUTH EXTERNAL =\r\nCAPA\r\n" },
	{ "255 octets with CRLF", .mechs = "plain", .peer = SPAN(HI SASL("PLAIN") STEP), .answers = A180,
	  .want = "sasl PLAIN first;", .sent = "CAPA\r\nAUTH PLAIN " B240 "\r\n" },
	{ "too long: sent when asked for", .mechs = "plain", .peer = SPAN(HI SASL("PLAIN") STEP "+ \r\n" STEP OK STEP SASL("")),
	  .answers = A180 "abc|" A180 "abc|", .want = "sasl PLAIN first;sasl PLAIN first;sasl PLAIN last;ready;",
	  .sent = "CAPA\r\nAUTH PLAIN\r\n" B240 "YWJj\r\nCAPA\r\n" },
	{ "not taken with AUTH: again", .mechs = "plain", .peer = SPAN(HI SASL("PLAIN") STEP "+\r\n" STEP OK STEP SASL("")),
	  .answers = "x|x|", .want = "sasl PLAIN first;sasl PLAIN first;sasl PLAIN last;ready;",
	  .sent = "CAPA\r\nAUTH PLAIN eA==\r\neA==\r\nCAPA\r\n" },
	{ "never with AUTH where CAPA is unknown", .how = ASK_AUTH, .mechs = "plain",
	  .peer = SPAN(HI ERR "+OK\r\nPLAIN\r\n.\r\n+ go ahead\r\n" STEP OK STEP), .answers = "x|",
	  .want = "sasl PLAIN first;sasl PLAIN last;ready;", .sent = "CAPA\r\nAUTH\r\nAUTH PLAIN\r\neA==\r\n" },

	/* ---- challenges */
	{ "login", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ VXNlcm5hbWU6\r\n" STEP "+ UGFzc3dvcmQ6\r\n" STEP OK STEP SASL("")),
	  .answers = "anna|s3cret|", .want = "sasl LOGIN first [Username:];sasl LOGIN [Password:];sasl LOGIN last;ready;",
	  .sent = "CAPA\r\nAUTH LOGIN\r\nYW5uYQ==\r\nczNjcmV0\r\nCAPA\r\n" },
	{ "cram-md5", .mechs = "cram-md5", .peer = SPAN(HI SASL("CRAM-MD5") "+ PDFAYT4=\r\n" STEP OK STEP SASL("")), .answers = "anna 0|",
	  .want = "sasl CRAM-MD5 first [<1@a>];sasl CRAM-MD5 last;ready;", .sent = "CAPA\r\nAUTH CRAM-MD5\r\nYW5uYSAw\r\nCAPA\r\n" },
	{ "scram", .mechs = "scram-sha-256", .peer = SPAN(HI SASL("SCRAM-SHA-256") STEP "+ cj0x\r\n" STEP "+ dj0x\r\n" STEP OK STEP SASL("")),
	  .answers = "n,,|c=|", .want = "sasl SCRAM-SHA-256 first;sasl SCRAM-SHA-256 [r=1];sasl SCRAM-SHA-256 [v=1];"
	  "sasl SCRAM-SHA-256 last;ready;", .sent = "CAPA\r\nAUTH SCRAM-SHA-256 biws\r\nYz0=\r\n\r\nCAPA\r\n" },
	{ "an empty challenge", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ \r\n" STEP "+\r\n" STEP), .answers = "a|b",
	  .want = "sasl LOGIN first;sasl LOGIN;", .sent = "CAPA\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n" },
	{ "an empty response", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP), .answers = "",
	  .want = "sasl LOGIN first [x];", .sent = "CAPA\r\nAUTH LOGIN\r\n\r\n" },
	{ "not base64: cancelled", .mechs = "cram-md5 user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL CRAM-MD5\r\n.\r\n+ <1@a>\r\n" ERR OK OK SASL("")),
	  .want = "ready;", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n*\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "not base64, and nothing else", .mechs = "cram-md5", .peer = SPAN(HI SASL("CRAM-MD5") "+ PDFAYT4\r\n" ERR),
	  .want = "failed peer;", .why = "not base64", .sent = "CAPA\r\nAUTH CRAM-MD5\r\n*\r\n" },
	{ "no blank behind the plus", .mechs = "cram-md5", .peer = SPAN(HI SASL("CRAM-MD5") "+PDFAYT4=\r\n"), .want = "failed peer;" },
	{ "without end", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN
	  STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN STEP_AGAIN "+ eA==\r\n"),
	  .why = "without end" },

	/* ---- who may speak when */
	{ "on before we answered", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n+OK\r\n" STEP), .answers = "a",
	  .want = "sasl LOGIN first [x];failed peer;", .why = "had to wait", .sent = "CAPA\r\nAUTH LOGIN\r\n" },
	{ "on behind the end", .mechs = "plain", .peer = SPAN(HI SASL("PLAIN") STEP OK OK STEP), .answers = "x|",
	  .want = "sasl PLAIN first;sasl PLAIN last;failed peer;" },
	{ "accepted without a response", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") OK), .want = "failed peer;",
	  .why = "without any response" },
	{ "accepted without the response that was too long", .mechs = "plain", .peer = SPAN(HI SASL("PLAIN") STEP OK), .answers = A180 "abc",
	  .want = "sasl PLAIN first;failed peer;" },
	{ "gone in the middle", .how = EOF_AT_END, .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP), .answers = "a",
	  .want = "sasl LOGIN first [x];failed net;", .why = "before it answered AUTH" },

	/* ---- refusals */
	{ "refused at once, with what showed the password: no other", .mechs = "plain user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n" STEP ERR),
	  .answers = "x", .want = "sasl PLAIN first;failed auth;", .sent = "CAPA\r\nAUTH PLAIN eA==\r\n" },
	{ "refused at once, with a name alone: the next", .mechs = "scram-sha-1 user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP ERR OK OK SASL("")),
	  .answers = "x", .want = "sasl SCRAM-SHA-1 first;ready;", .sent = "CAPA\r\nAUTH SCRAM-SHA-1 eA==\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "refused after a challenge: the credentials", .mechs = "login user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL LOGIN\r\n.\r\n+ eA==\r\n" STEP ERR),
	  .answers = "a", .want = "sasl LOGIN first [x];failed auth;", .sent = "CAPA\r\nAUTH LOGIN\r\nYQ==\r\n" },
	{ "refused by code", .mechs = "plain user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n" STEP "-ERR [AUTH] no\r\n"),
	  .answers = "x", .want = "sasl PLAIN first;failed auth;", .why = "PLAIN was refused; check `user` and `password`: server said \"-ERR [AUTH] no\"" },
	{ "busy after a challenge", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP "-ERR [IN-USE] no\r\n"),
	  .answers = "a", .want = "sasl LOGIN first [x];failed busy;" },

	/* ---- the caller cancels */
	{ "before AUTH: the next, without a word", .mechs = "scram-sha-1 user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP OK OK SASL("")),
	  .answers = "!", .want = "sasl SCRAM-SHA-1 first;ready;", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "in the middle", .mechs = "login user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL LOGIN\r\n.\r\n+ eA==\r\n" STEP ERR OK OK SASL("")),
	  .answers = "!", .want = "sasl LOGIN first [x];ready;", .sent = "CAPA\r\nAUTH LOGIN\r\n*\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "with nothing left", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP ERR), .answers = "!",
	  .want = "sasl LOGIN first [x];failed peer;", .why = "the caller cannot" },
	{ "a cancelled one accepted", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP OK), .answers = "!",
	  .want = "sasl LOGIN first [x];failed peer;", .why = "that we cancelled" },
	{ "a cancelled one goes on", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n" STEP "+ eA==\r\n"), .answers = "!",
	  .want = "sasl LOGIN first [x];failed peer;" },
	{ "a false proof: no other mechanism", .mechs = "scram-sha-1 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP "+ cj0x\r\n" STEP "+ dj0x\r\n" STEP ERR), .answers = "n|c|!!",
	  .want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [r=1];sasl SCRAM-SHA-1 [v=1];failed auth;", .why = "proof is false",
	  .sent = "CAPA\r\nAUTH SCRAM-SHA-1 bg==\r\nYw==\r\n*\r\n" },
	{ "a false proof, then gone", .how = EOF_AT_END, .mechs = "scram-sha-1 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP "+ cj0x\r\n" STEP), .answers = "n|!!",
	  .want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [r=1];failed auth;", .why = "proof is false" },
	{ "no base64 where the proof has to be: no other mechanism", .mechs = "scram-sha-1 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP "+ cj0x\r\n" STEP "+ !!\r\n" ERR), .answers = "n|c",
	  .want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [r=1];failed auth;", .why = "not base64", .sent = "CAPA\r\nAUTH SCRAM-SHA-1 bg==\r\nYw==\r\n*\r\n" },
	{ "no base64 before our proof: the next", .mechs = "scram-sha-1 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP "+ !!\r\n" ERR OK OK SASL("")), .answers = "n",
	  .want = "sasl SCRAM-SHA-1 first;ready;" },
	{ "on and on behind our proof: no other mechanism", .mechs = "cram-md5 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL CRAM-MD5\r\n.\r\n+ PDFAYT4=\r\n" STEP "+ eA==\r\n" STEP ERR), .answers = "a|!",
	  .want = "sasl CRAM-MD5 first [<1@a>];sasl CRAM-MD5 [x];failed peer;", .why = "the caller cannot", .sent = "CAPA\r\nAUTH CRAM-MD5\r\nYQ==\r\n*\r\n" },
	{ "the same, without base64", .mechs = "cram-md5 user",
	  .peer = SPAN(HI "+OK\r\nUSER\r\nSASL CRAM-MD5\r\n.\r\n+ PDFAYT4=\r\n" STEP "+ !!\r\n" ERR), .answers = "a",
	  .want = "sasl CRAM-MD5 first [<1@a>];failed peer;", .why = "not base64" },
	{ "no proof at the end", .mechs = "scram-sha-1 user", .peer = SPAN(HI "+OK\r\nUSER\r\nSASL SCRAM-SHA-1\r\n.\r\n" STEP OK STEP),
	  .answers = "n|!!", .want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 last;failed auth;", .why = "proof is false",
	  .sent = "CAPA\r\nAUTH SCRAM-SHA-1 bg==\r\n" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

/* A token of some kilobytes goes out whole; one beyond the buffer fails, before
 * anything of it is sent. */
static void long_responses(void **state)
{
	static const struct story_row row = { "long", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n") };
	static const struct { size_t size; bool good; } sizes[] = { { 9000, true }, { 34500, true }, { P3C_OUT_MAX, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *token = calloc(1, sizes[i].size);
		struct p3c_event ev;
		struct story t;

		story_start(&t, &row);
		t.answers = NULL;
		story_feed(&t, row.peer.at, row.peer.len);
		t.sent.len = 0;
		p3c_sasl_answer(t.s, (struct span){ token, sizes[i].size });
		assert_int_equal(p3c_next(t.s, &ev), sizes[i].good ? P3C_NOTHING : P3C_FAILED);
		story_send(&t);
		assert_int_equal(t.sent.len, sizes[i].good ? sizes[i].size / 3 * 4 + 2 : 0);
		story_end(&t);
		free(token);
	}
}

/* An answer that a job brings after the connection is gone hurts nobody. */
static void an_answer_after_the_end(void **state)
{
	static const struct story_row row = { "late", .mechs = "login", .peer = SPAN(HI SASL("LOGIN") "+ eA==\r\n") };
	static const struct err no = { ERR_AUTH, "late" };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_feed(&t, row.peer.at, row.peer.len);
	p3c_eof(t.s);
	story_drain(&t);
	t.sent.len = 0;
	p3c_sasl_answer(t.s, SPAN("x"));
	p3c_sasl_cancel(t.s, true, &no);
	story_drain(&t);
	assert_int_equal(t.sent.len, 0);
	assert_int_equal(p3c_error(t.s)->kind, ERR_NET);
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(long_responses),
		cmocka_unit_test(an_answer_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
