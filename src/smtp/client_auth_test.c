/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_story.h"

#define AUTH(mechs) HI "250-h\r\n250 AUTH " mechs "\r\n"
#define YES "235 2.7.0 ok\r\n"

static const struct story_row rows[] = {
	{ "PLAIN", 0, "plain", SPAN(AUTH("PLAIN") STEP YES STEP), .answers = "x|", .want = "sasl PLAIN first;sasl PLAIN last;ready;",
		.sent = EHLO "AUTH PLAIN eA==\r\n" },
	{ "an empty response", 0, "plain", SPAN(AUTH("PLAIN") STEP YES STEP), .answers = "|", .sent = EHLO "AUTH PLAIN =\r\n" },
	{ "the strongest that is offered", 0, "scram-sha-256 cram-md5 plain", SPAN(AUTH("PLAIN LOGIN cram-md5") "334 PDFAeD4=\r\n" STEP YES STEP),
		.answers = "x|", .want = "sasl CRAM-MD5 first [<1@x>];sasl CRAM-MD5 last;ready;", .sent = EHLO "AUTH CRAM-MD5\r\neA==\r\n" },
	{ "SCRAM", 0, "scram-sha-256", SPAN(AUTH("SCRAM-SHA-256") STEP "334 eA==\r\n" STEP "334 eQ==\r\n" STEP YES STEP), .answers = "a|b||",
		.want = "sasl SCRAM-SHA-256 first;sasl SCRAM-SHA-256 [x];sasl SCRAM-SHA-256 [y];sasl SCRAM-SHA-256 last;ready;",
		.sent = EHLO "AUTH SCRAM-SHA-256 YQ==\r\nYg==\r\n\r\n" },
	{ "LOGIN", 0, "login", SPAN(AUTH("LOGIN") "334 VXNlcm5hbWU6\r\n" STEP "334 UGFzc3dvcmQ6\r\n" STEP YES STEP), .answers = "a|b|",
		.want = "sasl LOGIN first [Username:];sasl LOGIN [Password:];sasl LOGIN last;ready;", .sent = EHLO "AUTH LOGIN\r\nYQ==\r\nYg==\r\n" },
	{ "asked for what we begin with", 0, "plain", SPAN(AUTH("PLAIN") STEP "334 \r\n" STEP YES STEP), .answers = "x|x|",
		.want = "sasl PLAIN first;sasl PLAIN first;sasl PLAIN last;ready;", .sent = EHLO "AUTH PLAIN eA==\r\neA==\r\n" },
	{ "AUTH= of old", 0, "plain", SPAN(HI "250-h\r\n250 AUTH=PLAIN LOGIN\r\n" STEP YES STEP), .answers = "x|", .want = "sasl PLAIN first;sasl PLAIN last;ready;" },
	{ "the wrong password", 0, "plain login", SPAN(AUTH("PLAIN LOGIN") STEP "535 5.7.8 no\r\n"), .answers = "x", .want = "sasl PLAIN first;failed auth;",
		.why = "check `user` and `password`: server said \"no\"" },
	{ "not now", 0, "plain", SPAN(AUTH("PLAIN") STEP "454 4.7.0 later\r\n"), .answers = "x", .want = "sasl PLAIN first;failed busy;" },
	{ "too weak, the next", 0, "cram-md5 plain", SPAN(AUTH("CRAM-MD5 PLAIN") "534 5.7.9 weak\r\n" STEP YES STEP), .answers = "x|",
		.want = "sasl PLAIN first;sasl PLAIN last;ready;" },
	{ "what showed the password, refused in other words", 0, "plain login", SPAN(AUTH("PLAIN LOGIN") STEP "550 5.7.1 no\r\n"), .answers = "x",
		.want = "sasl PLAIN first;failed auth;", .sent = EHLO "AUTH PLAIN eA==\r\n" },
	{ "534 after the password was shown", 0, "plain login", SPAN(AUTH("PLAIN LOGIN") STEP "534 5.7.9 another password\r\n"), .answers = "x",
		.want = "sasl PLAIN first;failed auth;", .sent = EHLO "AUTH PLAIN eA==\r\n" },
	{ "a response that the server did not read", 0, "plain login", SPAN(AUTH("PLAIN LOGIN") STEP "504 5.7.4 what\r\n" "334 eA==\r\n" STEP YES STEP),
		.answers = "x|y|", .want = "sasl PLAIN first;sasl LOGIN first [x];sasl LOGIN last;ready;", .sent = EHLO "AUTH PLAIN eA==\r\nAUTH LOGIN\r\neQ==\r\n" },
	{ "a name alone names no credentials", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "554 no\r\n" STEP YES STEP), .answers = "a|x|",
		.want = "sasl SCRAM-SHA-1 first;sasl PLAIN first;sasl PLAIN last;ready;" },
	{ "three tries", 0, "digest-md5 cram-md5 ntlm login", SPAN(AUTH("DIGEST-MD5 CRAM-MD5 NTLM LOGIN") "504 a\r\n504 b\r\n504 c\r\n"),
		.want = "failed auth;", .why = "login by NTLM was refused", .sent = EHLO "AUTH DIGEST-MD5\r\nAUTH CRAM-MD5\r\nAUTH NTLM\r\n" },
	{ "no clear text after a stronger one on a clear line", CLEAR_LINE | CLEAR_ALLOWED, "cram-md5 plain", SPAN(AUTH("CRAM-MD5 PLAIN") "504 what\r\n"),
		.want = "failed auth;" },
	{ "a refusal inside an exchange ends", 0, "cram-md5 plain", SPAN(AUTH("CRAM-MD5 PLAIN") "334 eA==\r\n" STEP "550 no\r\n"), .answers = "x",
		.want = "sasl CRAM-MD5 first [x];failed auth;" },
	{ "the password comes back", 0, "plain", SPAN(AUTH("PLAIN") STEP "535 s3cret is wrong\r\n"), .answers = "x", .want = "sasl PLAIN first;failed auth;", .why = "not shown" },
	{ "what we said comes back", 0, "plain", SPAN(AUTH("PLAIN") STEP "501 cannot parse: AUTH PLAIN AHIAczNjcmV0\r\n504 no\r\n"), .answers = "x", .want = "sasl PLAIN first;failed auth;",
		.why = "not shown" },
	{ "the password as a challenge", 0, "plain", SPAN(AUTH("PLAIN") STEP "334 eA==\r\n" STEP "334 czNjcmV0\r\n"), .answers = "x|!",
		.want = "sasl PLAIN first;sasl PLAIN [x];failed peer;", .why = "not shown" },
	{ "nothing offered", 0, "plain", SPAN(BARE), .want = "failed config;", .why = "it offers none" },
	{ "nothing of ours", 0, "scram-sha-1", SPAN(AUTH("PLAIN USER APOP")), .want = "failed config;", .why = "it offers PLAIN" },
	{ "clear text on a clear line", CLEAR_LINE, "plain", SPAN(AUTH("PLAIN")), .want = "failed config;", .why = "set tls { mode = explicit }", .sent = EHLO },
	{ "allowed", CLEAR_LINE | CLEAR_ALLOWED, "plain", SPAN(AUTH("PLAIN") STEP YES STEP), .answers = "x|", .want = "sasl PLAIN first;sasl PLAIN last;ready;" },
	{ "offered before TLS only", STARTTLS, "plain", SPAN(HI "250-h\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n220 go\r\n" STEP "250 h\r\n"), .want = "tls;failed config;" },
	{ "after TLS", STARTTLS, "plain", SPAN(HI "250-h\r\n250 STARTTLS\r\n220 go\r\n" STEP "250-h\r\n250 AUTH PLAIN\r\n" STEP YES STEP), .answers = "x|",
		.want = "tls;sasl PLAIN first;sasl PLAIN last;ready;" },
	{ "a challenge that is no base64", 0, "cram-md5", SPAN(AUTH("CRAM-MD5") "334 ***\r\n501 cancelled\r\n"), .want = "failed peer;", .why = "base64",
		.sent = EHLO "AUTH CRAM-MD5\r\n*\r\n" },
	{ "the caller cannot", 0, "cram-md5 plain", SPAN(AUTH("CRAM-MD5 PLAIN") "334 eA==\r\n" STEP "501 cancelled\r\n" STEP YES STEP), .answers = "!|x|",
		.want = "sasl CRAM-MD5 first [x];sasl PLAIN first;sasl PLAIN last;ready;", .sent = EHLO "AUTH CRAM-MD5\r\n*\r\nAUTH PLAIN eA==\r\n" },
	{ "cancelled and accepted", 0, "cram-md5", SPAN(AUTH("CRAM-MD5") "334 eA==\r\n" STEP YES), .answers = "!", .want = "sasl CRAM-MD5 first [x];failed peer;" },
	{ "a false proof at the end", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 eA==\r\n" STEP YES STEP), .answers = "a|b|!!",
		.want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [x];sasl SCRAM-SHA-1 last;failed auth;", .why = "the proof is false" },
	{ "a false proof inside", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 eA==\r\n" STEP "501 x\r\n"), .answers = "a|!!",
		.want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [x];failed auth;", .why = "the proof is false" },
	{ "no base64 where the proof has to be", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 eA==\r\n" STEP "334 ***\r\n501 x\r\n"), .answers = "a|b",
		.want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [x];failed auth;", .why = "base64" },
	{ "no base64 before our proof", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 ***\r\n501 x\r\n" STEP), .answers = "a|b",
		.want = "sasl SCRAM-SHA-1 first;sasl PLAIN first;" },
	{ "on and on behind our proof", 0, "cram-md5 plain", SPAN(AUTH("CRAM-MD5 PLAIN") "334 eA==\r\n" STEP "334 eA==\r\n" STEP "501 x\r\n"), .answers = "a|!",
		.want = "sasl CRAM-MD5 first [x];sasl CRAM-MD5 [x];failed peer;" },
	{ "a false proof, then gone", EOF_AT_END, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 eA==\r\n" STEP), .answers = "a|!!",
		.want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [x];failed auth;", .why = "the proof is false" },
	{ "no proof in its place", 0, "scram-sha-1 plain", SPAN(AUTH("SCRAM-SHA-1 PLAIN") STEP "334 eA==\r\n" STEP "334 ***\r\n" "501 x\r\n"), .answers = "a|b",
		.want = "sasl SCRAM-SHA-1 first;sasl SCRAM-SHA-1 [x];failed auth;", .why = "did not prove" },
	{ "accepted without a word of ours", 0, "cram-md5", SPAN(AUTH("CRAM-MD5") YES), .want = "failed peer;", .why = "without any response" },
	{ "it speaks out of turn", 0, "plain", SPAN(AUTH("PLAIN") YES STEP), .answers = "x", .want = "sasl PLAIN first;failed peer;", .why = "had to wait" },
	{ "without end", 0, "login", SPAN(AUTH("LOGIN")
		"334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP
		"334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP
		"334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n" STEP "334 eA==\r\n"), .why = "without end" },
	{ "421 inside", 0, "login", SPAN(AUTH("LOGIN") "421 bye\r\n"), .want = "failed busy;" },
	{ "the login, then a mail", 0, "plain", SPAN(AUTH("PLAIN") STEP YES STEP OK OK GO OK), .answers = "x|", .mails = "a@b>c@d",
		.want = "sasl PLAIN first;sasl PLAIN last;ready;body;0.0 accepted the message 250 [ok];done 0;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

/* A token of some kilobytes goes behind 334, not with AUTH; one beyond the buffer fails before anything of it is sent. */
static void long_responses(void **state)
{
	static const struct story_row row = { "long", .mechs = "plain", .peer = SPAN(AUTH("PLAIN")) };
	static const struct { size_t size; bool good; } sizes[] = { { 9000, true }, { SMC_OUT_MAX, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *token = calloc(1, sizes[i].size);
		struct smc_event ev;
		struct story t;

		story_start(&t, &row);
		story_hear(&t, row.peer, 0);
		t.sent.len = 0;
		smc_sasl_answer(t.s, (struct span){ token, sizes[i].size });
		story_drain(&t);
		assert_true(span_equal(buf_span(&t.sent), SPAN("AUTH PLAIN\r\n")));
		t.sent.len = 0;
		story_feed(&t, "334 \r\n", 6);
		smc_sasl_answer(t.s, (struct span){ token, sizes[i].size });
		assert_int_equal(smc_next(t.s, &ev), sizes[i].good ? SMC_NOTHING : SMC_FAILED);
		story_send(&t);
		assert_int_equal(t.sent.len, sizes[i].good ? 9000 / 3 * 4 + 2 : 0);
		story_end(&t);
		free(token);
	}
}

/* An answer that a job brings after the connection is gone hurts nobody. */
static void an_answer_after_the_end(void **state)
{
	static const struct story_row row = { "late", .mechs = "login", .peer = SPAN(AUTH("LOGIN") "334 eA==\r\n") };
	static const struct err no = { ERR_AUTH, "late" };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_hear(&t, row.peer, 0);
	assert_int_equal(smc_timeout_ms(t.s), 0);
	smc_eof(t.s);
	story_drain(&t);
	t.sent.len = 0;
	smc_sasl_answer(t.s, SPAN("x"));
	smc_sasl_cancel(t.s, true, &no);
	story_drain(&t);
	assert_int_equal(t.sent.len, 0);
	assert_int_equal(smc_error(t.s)->kind, ERR_NET);
	story_end(&t);
}

/* What an earlier connection taught holds on the next: nothing weaker than what proved nothing. */
static void taught_before(void **state)
{
	static const struct story_row row = { "before", .mechs = "scram-sha-1 plain", .peer = SPAN(AUTH("PLAIN")) };
	struct story t;

	(void)state;
	story_start(&t, &row);
	t.login.before.weaker = ladder_weaker_than(SASL_SCRAM_SHA_1);
	smc_start(t.s, &t.login);
	story_hear(&t, row.peer, 0);
	assert_true(span_equal(buf_span(&t.told), SPAN("failed auth;")));
	assert_non_null(strstr(smc_error(t.s)->text, "somebody may be in between"));
	assert_true(span_equal(buf_span(&t.sent), SPAN(EHLO)));
	assert_int_equal(smc_ladder(t.s)->fates[SASL_PLAIN], LADDER_WEAKER);
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(long_responses),
		cmocka_unit_test(an_answer_after_the_end),
		cmocka_unit_test(taught_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
