/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's own mechanisms, step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "sasl/client.h"

static const struct sasl_credentials anna = {
	.user = "anna", .password = { "s3cret pass", 11 }, .service = "pop", .host = "mail.example.org",
};

static bool refuses(struct sasl_client *c, struct span challenge, struct buf *response, enum err_kind kind)
{
	struct err e = { 0 };

	return !sasl_client_step(c, challenge, response, &e) && e.kind == kind;
}

/* RFC 2195 section 2, and any octets. */
static void cram_md5(void **state)
{
	static const struct { struct span password; const char *stamp, *want; } rows[] = {
		{ SPAN("tanstaaftanstaaf"), "<1896.697170952@postoffice.reston.mci.net>", "anna b913a602c7eda7a495b4e6e7334d3890" },
		{ SPAN(""), "<1@a>", "anna CRAM" },
		{ SPAN("\xe9t\xe9\t"), "<1@a>", "anna CRAM" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sasl_credentials with = anna;
		struct err e = { 0 };
		struct sasl_client *c;
		char memory[128];
		struct buf b;
		char want[64];
		unsigned char md5[16];
		unsigned len;

		with.password = rows[i].password;
		(void)snprintf(want, sizeof want, "%s", rows[i].want);
		if (i) {
			assert_non_null(HMAC(EVP_md5(), with.password.at, (int)with.password.len, (const unsigned char *)rows[i].stamp,
					     strlen(rows[i].stamp), md5, &len));
			for (size_t n = 0; n < sizeof md5; n++)
				(void)snprintf(want + 5 + 2 * n, 3, "%02x", md5[n]);
		}
		buf_lend(&b, memory, sizeof memory);
		c = sasl_client_new(SASL_CRAM_MD5, &with, &e);
		assert_non_null(c);
		assert_true(sasl_client_step(c, span_of(rows[i].stamp), &b, &e));
		assert_true(span_equal(buf_span(&b), span_of(want)));
		assert_true(refuses(c, span_of(rows[i].stamp), &b, ERR_PEER));
		sasl_client_free(&c);
	}
}

/* The client speaks first, the server asks, and that is all. */
static void ntlm(void **state)
{
	static const struct span challenge = SPAN("NTLMSSP\0\2\0\0\0\0\0\0\0\0\0\0\0\1\2\0\0" "12345678");
	struct err e = { 0 };
	struct sasl_client *c = sasl_client_new(SASL_NTLM, &anna, &e);
	struct buf response;

	(void)state;
	assert_non_null(c);
	buf_start(&response, SASL_RESPONSE_MAX);
	assert_true(refuses(c, challenge, &response, ERR_PEER));
	assert_true(sasl_client_step(c, (struct span){ 0 }, &response, &e));
	assert_int_equal(response.len, 32);
	assert_true(refuses(c, (struct span){ 0 }, &response, ERR_PEER));
	sasl_client_free(&c);
	c = sasl_client_new(SASL_NTLM, &anna, &e);
	assert_true(sasl_client_step(c, (struct span){ 0 }, &response, &e));
	response.len = 0;
	assert_true(sasl_client_step(c, challenge, &response, &e));
	assert_true(span_starts(buf_span(&response), SPAN("NTLMSSP\0\3\0\0\0")));
	assert_true(sasl_client_verified(c));
	assert_true(refuses(c, challenge, &response, ERR_PEER));
	sasl_client_free(&c);
	buf_wipe(&response);
}

/* The two proofs of one password differ by what each side made up. */
static void digest_md5_has_another_nonce_each_time(void **state)
{
	char texts[2][1024];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct err e = { 0 };
		struct sasl_client *c = sasl_client_new(SASL_DIGEST_MD5, &anna, &e);
		struct buf b;

		assert_non_null(c);
		buf_lend(&b, texts[i], sizeof texts[i]);
		assert_true(sasl_client_step(c, SPAN("nonce=\"n\",algorithm=md5-sess"), &b, &e) && buf_terminate(&b));
		assert_non_null(strstr(texts[i], "digest-uri=\"pop/mail.example.org\""));
		assert_false(sasl_client_verified(c));
		assert_true(refuses(c, SPAN("rspauth=00000000000000000000000000000000"), &b, ERR_AUTH));
		assert_false(sasl_client_verified(c));
		sasl_client_free(&c);
	}
	assert_string_not_equal(texts[0], texts[1]);
}

static void gssapi_without_a_ticket(void **state)
{
	struct err e = { 0 };
	struct sasl_credentials with = anna;
	struct sasl_client *c;
	struct buf response;

	(void)state;
	(void)setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	(void)setenv("KRB5_CLIENT_KTNAME", "FILE:/nonexistent/keytab", 1);
	with.password = (struct span){ 0 };
	c = sasl_client_new(SASL_GSSAPI, &with, &e);
	assert_non_null(c);
	buf_start(&response, SASL_RESPONSE_MAX);
	assert_true(refuses(c, (struct span){ 0 }, &response, ERR_CONFIG));
	assert_false(sasl_client_verified(c));
	sasl_client_free(&c);
	buf_wipe(&response);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cram_md5), cmocka_unit_test(ntlm), cmocka_unit_test(digest_md5_has_another_nonce_each_time),
		cmocka_unit_test(gssapi_without_a_ticket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
