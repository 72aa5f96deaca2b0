/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sasl/server.h"

/* Letters: b built, c clear, f first, s slow, p plus, t token, S serves. */
static const struct row {
	const char *name;
	enum sasl_mech mech;
	const char *traits;
} rows[] = {
	{ "EXTERNAL",           SASL_EXTERNAL,           "bfSk" },
	{ "scram-sha-256-plus", SASL_SCRAM_SHA_256_PLUS, "bfspS" },
	{ "scram-sha-256",      SASL_SCRAM_SHA_256,      "bfsS" },
	{ "SCRAM-SHA-1-PLUS",   SASL_SCRAM_SHA_1_PLUS,   "bfspS" },
	{ "Scram-Sha-1",        SASL_SCRAM_SHA_1,        "bfsS" },
	{ "oauthbearer",        SASL_OAUTHBEARER,        "bcftS" },
	{ "xoauth2",            SASL_XOAUTH2,            "bcftS" },
	{ "gssapi",             SASL_GSSAPI,             "bfsk" },
	{ "digest-md5",         SASL_DIGEST_MD5,         "b" },
	{ "cram-md5",           SASL_CRAM_MD5,           "bS" },
	{ "ntlm",               SASL_NTLM,               "bfsa" },
	{ "apop",               SASL_APOP,               "b" },
	{ "plain",              SASL_PLAIN,              "bcfS" },
	{ "login",              SASL_LOGIN,              "bcS" },
	{ "user",               SASL_USER,               "bc" },
};

static void names_and_traits(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		enum sasl_mech m = SASL_MECHS;
		char traits[8];
		struct buf b;

		assert_true(sasl_mech_parse(span_of(r->name), &m));
		assert_int_equal(m, r->mech);
		assert_true(span_equal_nocase(span_of(sasl_mech_name(m)), span_of(r->name)));
		buf_lend(&b, traits, sizeof traits);
		assert_true(buf_printf(&b, "%s%s%s%s%s%s%s%s%s", sasl_mech_built(m) ? "b" : "", sasl_mech_clear(m) ? "c" : "",
			sasl_mech_first(m) ? "f" : "", sasl_mech_slow(m) ? "s" : "", sasl_mech_plus(m) ? "p" : "",
			sasl_mech_bearer(m) ? "t" : "", sasl_mech_serves(m) ? "S" : "", sasl_mech_keyless(m) ? "k" : "", sasl_mech_apart(m) ? "a" : ""));
		assert_true(buf_terminate(&b));
		assert_string_equal(traits, r->traits);
	}
}

static void what_is_no_mechanism(void **state)
{
	static const char *const names[] = { "", "SCRAM", "SCRAM-SHA-256-PLU", "SCRAM-SHA-256-PLUSS", " PLAIN", "PLAIN\t" };
	enum sasl_mech m = SASL_NTLM;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_false(sasl_mech_parse(span_of(names[i]), &m));
	assert_false(sasl_mech_parse((struct span){ "PLAIN\0", 6 }, &m));
	assert_int_equal(m, SASL_NTLM);
}

static void what_to_look_at(void **state)
{
	(void)state;
	assert_string_equal(sasl_mech_check(SASL_NTLM), "`user` and `password`");
	assert_string_equal(sasl_mech_check(SASL_XOAUTH2), "`user` and `oauth`");
	assert_string_equal(sasl_mech_check(SASL_GSSAPI), "`user` and the Kerberos ticket");
	assert_string_equal(sasl_mech_check(SASL_EXTERNAL), "`user` and `tls.certificate`");
}

static void mechanisms_as_a_text(void **state)
{
	char out[40];

	(void)state;
	sasl_mechs_text(0, out, sizeof out);
	assert_string_equal(out, "none");
	sasl_mechs_text(1u << SASL_PLAIN | 1u << SASL_SCRAM_SHA_1, out, sizeof out);
	assert_string_equal(out, "SCRAM-SHA-1, PLAIN");
	sasl_mechs_text(1u << SASL_PLAIN | 1u << SASL_SCRAM_SHA_1, out, 16);	/* whole or not at all */
	assert_string_equal(out, "SCRAM-SHA-1");
	sasl_mechs_text(~0u, out, sizeof out);
	assert_string_equal(out, "EXTERNAL, SCRAM-SHA-256-PLUS, XOAUTH2");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_traits),
		cmocka_unit_test(what_is_no_mechanism),
		cmocka_unit_test(what_to_look_at),
		cmocka_unit_test(mechanisms_as_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
