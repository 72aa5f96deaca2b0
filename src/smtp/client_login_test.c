/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_story.h"

#define TLS HI "250-h\r\n250 STARTTLS\r\n"

static const struct story_row rows[] = {
	{ "plainly", 0, .peer = SPAN(BARE), .want = "ready;", .sent = EHLO },
	{ "QUIT", QUIT, .peer = SPAN(BARE "221 2.0.0 bye\r\n"), .want = "ready;bye good;", .sent = EHLO "QUIT\r\n" },
	{ "a greeting of many lines, bare line feeds", 0, .peer = SPAN("220-hi\n220-\n220 you\n250-h\n250\n"), .want = "ready;" },
	{ "turned away for now", 0, .peer = SPAN("421 4.3.2 full\r\n"), .want = "failed busy;", .why = "turns us away: server said \"full\"", .sent = "" },
	{ "turned away for good", 0, .peer = SPAN("554 no SMTP here\r\n"), .want = "failed peer;", .why = "no SMTP here", .sent = "" },
	{ "another protocol", 0, .peer = SPAN("+OK POP3\r\n"), .want = "failed peer;", .why = "three digits", .sent = "" },
	{ "a greeting that asks", 0, .peer = SPAN("354 go\r\n"), .want = "failed peer;", .sent = "" },
	{ "gone at once", EOF_AT_END, .want = "failed net;", .why = "before it answered at all" },
	{ "silent", SILENT_AT_END, .want = "failed net;", .why = "in time" },
	{ "HELO", 0, .peer = SPAN(HI "500 what\r\n250 h\r\n"), .want = "ready;", .sent = EHLO "HELO me\r\n" },
	{ "neither", 0, .peer = SPAN(HI "502 no\r\n502 no\r\n"), .want = "failed peer;", .sent = EHLO "HELO me\r\n" },
	{ "EHLO deferred", 0, .peer = SPAN(HI "451 dns\r\n"), .want = "failed busy;", .sent = EHLO },
	{ "LHLO", LMTP, .peer = SPAN(BARE), .want = "ready;", .sent = "LHLO me\r\n" },
	{ "an SMTP server", LMTP, .peer = SPAN(HI "500 what\r\n"), .want = "failed peer;", .why = "is it an SMTP server?", .sent = "LHLO me\r\n" },
	{ "421 behind EHLO", 0, .peer = SPAN(HI "421 bye\r\n"), .want = "failed busy;" },
	{ "421 instead of a greeting's second", 0, .peer = SPAN(BARE "421 bye\r\n"), .want = "ready;failed busy;" },
	/* replies that are none */
	{ "the code changes", 0, .peer = SPAN(HI "250-a\r\n251 b\r\n"), .want = "failed peer;", .why = "changes" },
	{ "no code", 0, .peer = SPAN(HI "250-a\r\nb\r\n"), .want = "failed peer;" },
	{ "an empty line", 0, .peer = SPAN(HI "\r\n"), .want = "failed peer;" },
	{ "letters behind the code", 0, .peer = SPAN(HI "250x\r\n"), .want = "failed peer;" },
	{ "a code beyond", 0, .peer = SPAN(HI "650 x\r\n"), .want = "failed peer;" },
	{ "a code below", 0, .peer = SPAN(HI "150 x\r\n"), .want = "failed peer;" },
	{ "NUL in the code", 0, .peer = SPAN(HI "25\0 x\r\n"), .want = "failed peer;" },
	{ "NUL in the words", 0, .peer = SPAN(HI "250-h\0\r\n250 \0PIPELINING\r\n"), .want = "ready;" },
	{ "two replies to EHLO", 0, .peer = SPAN(BARE "250 x\r\n"), .want = "ready;failed peer;", .why = "nobody asked" },
	/* STARTTLS */
	{ "STARTTLS", STARTTLS, .peer = SPAN(TLS "220 go\r\n" STEP "250 h\r\n"), .want = "tls;ready;", .sent = EHLO "STARTTLS\r\n" EHLO },
	{ "what was said in clear is forgotten", STARTTLS, .mails = "a@b>c@d",
		.peer = SPAN(HI "250-h\r\n250-SIZE 1\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 STARTTLS\r\n220 go\r\n" STEP "250 h\r\n"),
		.want = "tls;ready;", .sent = EHLO "STARTTLS\r\n" EHLO "MAIL FROM:<a@b>\r\n" },
	{ "octets before TLS", STARTTLS, .peer = SPAN(TLS "220 go\r\n250 inj\r\n" STEP), .want = "tls;failed peer;", .why = "data before TLS", .sent = EHLO "STARTTLS\r\n" },
	{ "STARTTLS not offered, not required", STARTTLS, .peer = SPAN(BARE), .want = "ready;" },
	{ "STARTTLS not offered", STARTTLS_REQUIRED, .peer = SPAN(BARE), .want = "failed tls;", .why = "465", .sent = EHLO },
	{ "STARTTLS refused, not required", STARTTLS, .peer = SPAN(TLS "454 no\r\n"), .want = "ready;" },
	{ "STARTTLS refused", STARTTLS_REQUIRED, .peer = SPAN(TLS "454 4.7.0 no\r\n"), .want = "failed tls;", .why = "refuses STARTTLS" },
	{ "no STARTTLS after HELO", STARTTLS_REQUIRED, .peer = SPAN(HI "500 x\r\n250 h\r\n"), .want = "failed tls;" },
	{ "no second STARTTLS", STARTTLS_REQUIRED, .peer = SPAN(TLS "220 go\r\n" STEP "250-h\r\n250 STARTTLS\r\n"), .want = "tls;ready;" },
	{ "gone at the handshake", STARTTLS | EOF_AT_END, .peer = SPAN(TLS "220 go\r\n"), .want = "tls;failed net;" },
	{ "LMTP with STARTTLS", STARTTLS | LMTP, .peer = SPAN(TLS "220 go\r\n" STEP "250 h\r\n"), .want = "tls;ready;", .sent = "LHLO me\r\nSTARTTLS\r\nLHLO me\r\n" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

static void capabilities(void **state)
{
	static const struct story_row row = { "all", .peer = SPAN(HI "250-h PIPELINING\r\n250-pipelining\r\n250-CHUNKING\r\n250-SIZE 35882577\r\n"
		"250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250-AUTH PLAIN cram-md5 X-OWN\r\n250-AUTH=LOGIN\r\n250-PIPELININGX\r\n250 ENHANCEDSTATUSCODES\r\n") };
	static const struct story_row odd = { "odd", .peer = SPAN(HI "250-h\r\n250-SIZE -1\r\n250-AUTH\r\n250\r\n") };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	assert_int_equal(smc_capabilities(t.s), SMC_CAPA_PIPELINING | SMC_CAPA_CHUNKING | SMC_CAPA_SIZE | SMC_CAPA_8BITMIME | SMC_CAPA_SMTPUTF8 |
		SMC_CAPA_STARTTLS | SMC_CAPA_AUTH | SMC_CAPA_STATUS | SMC_CAPA_ANSWERED);
	assert_int_equal(smc_size_max(t.s), 35882577);
	assert_int_equal(smc_offered(t.s), 1u << SASL_PLAIN | 1u << SASL_CRAM_MD5 | 1u << SASL_LOGIN);
	assert_true(smc_ready(t.s) && smc_greeted(t.s) && smc_idle(t.s));
	story_end(&t);
	story_start(&t, &odd);
	story_play(&t, odd.peer, 0);
	assert_int_equal(smc_capabilities(t.s), SMC_CAPA_SIZE | SMC_CAPA_AUTH | SMC_CAPA_ANSWERED);
	assert_int_equal(smc_size_max(t.s), 0);
	story_end(&t);
}

/* A name of ours that would be a command of somebody else's. */
static void our_name(void **state)
{
	static const char *const names[] = { "", "a b", "a\r\nQUIT", "\xc3\xa4" };
	static const struct story_row row = { "name", .peer = { 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct story t;

		story_start(&t, &row);
		t.login.name = names[i];
		story_feed(&t, HI, strlen(HI));
		assert_true(span_equal(buf_span(&t.told), SPAN("failed config;")));
		assert_int_equal(t.sent.len, 0);
		story_end(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(our_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
