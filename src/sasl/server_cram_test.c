/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sasl/fixture.h"

/* The server has given its stamp. */
static struct sasl_server *begin(struct fixture_account *a, char stamp[FIXTURE_TEXT])
{
	struct sasl_server_with with = { .host = "mail.example.org", .find = fixture_find, .user = a };
	struct err e = { 0 };
	struct sasl_server *s = sasl_server_new(SASL_CRAM_MD5, &with, &e);
	struct sasl_proof proof;
	struct buf challenge;

	assert_non_null(s);
	buf_lend(&challenge, stamp, FIXTURE_TEXT);
	assert_int_equal(sasl_server_step(s, NULL, &challenge, &proof, &e), SASL_SAYS_MORE);
	assert_true(challenge.len <= SASL_CHALLENGE_MAX && buf_terminate(&challenge));
	return s;
}

static void stamps(void **state)
{
	char one[FIXTURE_TEXT], two[FIXTURE_TEXT];
	struct fixture_account anna = { .name = "anna" };
	struct sasl_server *s;
	size_t digits;

	(void)state;
	s = begin(&anna, one);
	sasl_server_free(&s);
	s = begin(&anna, two);
	sasl_server_free(&s);
	assert_string_not_equal(one, two);
	digits = strspn(one + 1, "0123456789.");
	assert_true(one[0] == '<' && digits > 16 && !strcmp(one + 1 + digits, "@mail.example.org>"));
}

/* RFC 2195 section 2: the digest of its example, over its stamp, by the same function that answers ours below. */
static void digest(const char *stamp, const char *password, bool upper, char out[33])
{
	unsigned char md5[16];
	unsigned len;

	assert_non_null(HMAC(EVP_md5(), password, (int)strlen(password), (const unsigned char *)stamp, strlen(stamp), md5, &len));
	for (size_t i = 0; i < sizeof md5; i++)
		(void)snprintf(out + 2 * i, 3, upper ? "%02X" : "%02x", md5[i]);
}

static void rfc_2195_example(void **state)
{
	char out[33];

	(void)state;
	digest("<1896.697170952@postoffice.reston.mci.net>", "tanstaaftanstaaf", false, out);
	assert_string_equal(out, "b913a602c7eda7a495b4e6e7334d3890");
}

static const struct row {
	const char *name, *set, *used;
	bool upper;
	enum err_kind want;
} rows[] = {
	{ "tim", "tanstaaftanstaaf", "tanstaaftanstaaf", false, ERR_NONE },
	{ "tim", "tanstaaftanstaaf", "tanstaaftanstaaf", true, ERR_NONE },
	{ "tim", "tanstaaftanstaaf", "tanstaaftanstaag", false, ERR_AUTH },
	{ "tim", "tanstaaftanstaaf", "", false, ERR_AUTH },
	{ "tim", "", "", false, ERR_AUTH },				/* none is kept: not even the empty one */
	{ "tim b smith", "x", "x", false, ERR_NONE },
	{ "\xc3\xa9", "\xe2\x85\xa8", "\xe2\x85\xa8", false, ERR_NONE },	/* prepared or not */
	{ "\xc3\xa9", "\xe2\x85\xa8", "IX", false, ERR_NONE },
	{ "\xc3\xa9", "IX", "\xe2\x85\xa8", false, ERR_AUTH },
	{ "tim", "\xe9t\xe9", "\xe9t\xe9", false, ERR_NONE },		/* Latin-1 cannot be prepared */
	{ "ti\x01m", "x", "x", false, ERR_PEER },
};

static void answers(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct fixture_account account = { .name = r->name, .password = span_of(r->set) };
		char stamp[FIXTURE_TEXT], hex[33], text[256];
		struct sasl_server *s = begin(&account, stamp);
		struct sasl_proof proof;
		struct buf challenge = { 0 };
		struct err e = { 0 };
		struct span response;
		enum sasl_said said;

		digest(stamp, r->used, r->upper, hex);
		response = (struct span){ text, (size_t)snprintf(text, sizeof text, "%s %s", r->name, hex) };
		said = sasl_server_step(s, &response, &challenge, &proof, &e);
		if (said != (r->want ? SASL_SAYS_REFUSED : SASL_SAYS_PROVED) || e.kind != r->want)
			fail_msg("row %td: %d %s", r - rows, said, e.text);
		assert_true(span_equal(proof.name, r->want == ERR_PEER ? SPAN("") : span_of(r->name)));
		sasl_server_free(&s);
	}
}

/* Another exchange's answer proves nothing here. */
static void a_replay(void **state)
{
	struct fixture_account tim = { .name = "tim", .password = SPAN("x") };
	char stamp[FIXTURE_TEXT], hex[33], text[64] = "tim ";
	struct sasl_server *s = begin(&tim, stamp);
	struct sasl_proof proof;
	struct buf challenge = { 0 };
	struct err e = { 0 };
	struct span response = { text, 36 };

	(void)state;
	digest(stamp, "x", false, hex);
	memcpy(text + 4, hex, sizeof hex);
	sasl_server_free(&s);
	s = begin(&tim, stamp);
	assert_int_equal(sasl_server_step(s, &response, &challenge, &proof, &e), SASL_SAYS_REFUSED);
	assert_int_equal(e.kind, ERR_AUTH);
	sasl_server_free(&s);
}

static void malformed(void **state)
{
	static const char *const said[] = {
		"", " ", "tim", "00112233445566778899aabbccddeeff", " 00112233445566778899aabbccddeeff", "tim\t00112233445566778899aabbccddeeff",
		"tim 0112233445566778899aabbccddeeff", "tim 00112233445566778899aabbccddeefg", "tim 00112233445566778899aabbccddeeff ",
		"tim00112233445566778899aabbccddeeff", "tim 00112233445566778899aabbccddeeff\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(said); i++) {
		struct fixture_account tim = { .name = "tim", .password = SPAN("x") };
		char stamp[FIXTURE_TEXT];
		struct sasl_server *s = begin(&tim, stamp);
		struct span r = { strdup(said[i]), strlen(said[i]) };
		struct buf challenge = { 0 };
		struct sasl_proof proof;
		struct err e = { 0 };

		assert_int_equal(sasl_server_step(s, &r, &challenge, &proof, &e), SASL_SAYS_REFUSED);
		assert_int_equal(e.kind, ERR_PEER);
		assert_int_equal(tim.asked, 0);
		free((char *)r.at);
		sasl_server_free(&s);
	}
}

/* RFC 5034 section 4: the server begins. */
static void no_initial_response(void **state)
{
	struct fixture_account tim = { .name = "tim" };
	struct sasl_server_with with = { .host = "h", .find = fixture_find, .user = &tim };
	struct buf challenge = { 0 };
	struct sasl_proof proof;
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sasl_server *s = sasl_server_new(SASL_CRAM_MD5, &with, &e);
		struct span r = i ? SPAN("tim 00112233445566778899aabbccddeeff") : SPAN("");

		assert_int_equal(sasl_server_step(s, &r, &challenge, &proof, &e), SASL_SAYS_REFUSED);
		assert_int_equal(e.kind, ERR_PEER);
		sasl_server_free(&s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps),
		cmocka_unit_test(rfc_2195_example),
		cmocka_unit_test(answers),
		cmocka_unit_test(a_replay),
		cmocka_unit_test(malformed),
		cmocka_unit_test(no_initial_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
