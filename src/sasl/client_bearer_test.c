/* SPDX-License-Identifier: Apache-2.0
 *
 * Our client's tokens: against what the documents say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sasl/client.h"
#include "wire/oauth.h"

#define O SASL_OAUTHBEARER
#define X SASL_XOAUTH2

static const struct first_row {
	enum sasl_mech mech;
	const char *user, *host;
	uint16_t port;
	const char *token;
	struct span said;
} firsts[] = {
	/* RFC 7628 section 4.1 */
	{ O, "user@example.com", "server.example.com", 143, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
		SPAN("n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1") },
	{ O, "a=b,c", NULL, 0, "t", SPAN("n,a=a=3Db=2Cc,\1auth=Bearer t\1\1") },
	/* Google's example */
	{ X, "someuser@example.com", "imap.example.com", 993, "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
		SPAN("user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1") },
	{ X, "a=b,c", "h", 1, "t", SPAN("user=a=b,c\1auth=Bearer t\1\1") },
};

static struct sasl_client *client_of(enum sasl_mech mech, const char *user, const char *host, uint16_t port, struct span token, struct err *e)
{
	return sasl_client_new(mech, &(struct sasl_credentials){ .user = user, .password = token, .service = "imap", .host = host, .port = port }, e);
}

static void first_messages(void **state)
{
	(void)state;
	for (const struct first_row *r = firsts; r < firsts + COUNT(firsts); r++) {
		struct sasl_client *c;
		struct buf out;
		struct err e;

		c = client_of(r->mech, r->user, r->host, r->port, span_of(r->token), &e);
		assert_non_null(c);
		buf_start(&out, SASL_RESPONSE_MAX);
		assert_true(sasl_client_step(c, (struct span){ 0 }, &out, &e));
		assert_true(span_equal(buf_span(&out), r->said));
		assert_int_equal(sasl_client_token(c), SASL_TOKEN_NOTHING);
		assert_true(sasl_client_verified(c));
		buf_wipe(&out);
		sasl_client_free(&c);
	}
}

static const struct refusal_row {
	struct span challenge;
	enum sasl_token means;
} refusals[] = {
	{ SPAN("{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}"), SASL_TOKEN_EXPIRED },
	{ SPAN("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"https://mail.google.com/\"}"), SASL_TOKEN_EXPIRED },
	{ SPAN("{\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"https://mail.google.com/\"}"), SASL_TOKEN_EXPIRED },
	{ SPAN("{\"status\":401}"), SASL_TOKEN_EXPIRED },
	{ SPAN("{\"status\":\"insufficient_scope\"}"), SASL_TOKEN_REFUSED },
	{ SPAN("{\"status\":\"403\"}"), SASL_TOKEN_REFUSED },
	{ SPAN("{\"scope\":\"x\"}"), SASL_TOKEN_REFUSED },
	{ SPAN("401"), SASL_TOKEN_REFUSED },
	{ SPAN("{"), SASL_TOKEN_REFUSED },
};

static void why_a_token_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < 2 * COUNT(refusals); n++) {
		const struct refusal_row *r = &refusals[n / 2];
		enum sasl_mech mech = n % 2 ? X : O;
		struct sasl_client *c;
		struct buf out;
		struct err e;

		c = client_of(mech, "anna", "h", 1, SPAN("t"), &e);
		assert_non_null(c);
		buf_start(&out, SASL_RESPONSE_MAX);
		assert_true(sasl_client_step(c, (struct span){ 0 }, &out, &e));
		out.len = 0;
		assert_true(sasl_client_step(c, r->challenge, &out, &e));
		assert_true(span_equal(buf_span(&out), mech == O ? SPAN("\1") : (struct span){ 0 }));
		assert_int_equal(sasl_client_token(c), r->means);
		assert_false(sasl_client_step(c, r->challenge, &out, &e));	/* it goes on no further */
		assert_int_equal(e.kind, ERR_PEER);
		buf_wipe(&out);
		sasl_client_free(&c);
	}
}

static void what_cannot_be_said(void **state)
{
	static const struct span tokens[] = { SPAN(""), SPAN("a b"), SPAN("a\1b"), SPAN("a\0b"), SPAN("a\r\nb"), SPAN("\xc3\xa9") };
	char *longest = malloc(OAUTH_TOKEN_MAX + 1);
	struct sasl_client *c;
	struct buf out;
	struct err e;

	(void)state;
	assert_non_null(longest);
	memset(longest, 'x', OAUTH_TOKEN_MAX + 1);
	for (size_t n = 0; n < COUNT(tokens); n++) {
		assert_null(client_of(n % 2 ? O : X, "anna", "h", 1, tokens[n], &e));
		assert_int_equal(e.kind, ERR_CONFIG);
	}
	assert_null(client_of(X, "anna\1auth=Bearer other", "h", 1, SPAN("t"), &e));
	assert_null(client_of(O, "anna", "h", 1, (struct span){ longest, OAUTH_TOKEN_MAX + 1 }, &e));
	assert_null(strstr(e.text, "xxx"));
	c = client_of(O, "anna", "h", 1, (struct span){ longest, OAUTH_TOKEN_MAX }, &e);
	assert_non_null(c);
	buf_start(&out, SASL_RESPONSE_MAX);
	assert_true(sasl_client_step(c, (struct span){ 0 }, &out, &e));
	assert_true(out.len > OAUTH_TOKEN_MAX);
	buf_wipe(&out);
	sasl_client_free(&c);
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_messages),
		cmocka_unit_test(why_a_token_is_refused),
		cmocka_unit_test(what_cannot_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
