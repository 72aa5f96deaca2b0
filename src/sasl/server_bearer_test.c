/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages with bearer tokens, good and bad; and how a refusal is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sasl/fixture.h"

#define A "\1"
#define O SASL_OAUTHBEARER
#define X SASL_XOAUTH2

struct row {
	enum sasl_mech mech;
	struct span said;
	const char *name, *token;	/* token NULL: it is refused */
};

static const struct row rows[] = {
	{ O, SPAN("n,a=user@example.com," A "host=server.example.com" A "port=143" A "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" A A), "user@example.com",
	  "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" },
	{ O, SPAN("n,," A "auth=Bearer abc" A A), "", "abc" },
	{ O, SPAN("y,a=a=2Cb=3Dc," A "auth=bEARER   a.b-c_d~e+f/g=" A A), "a,b=c", "a.b-c_d~e+f/g=" },
	{ O, SPAN("n,a=anna," A "auth=Bearer abc" A "mthd=POST" A A), "anna", "abc" },
	{ X, SPAN("user=anna@example.com" A "auth=Bearer ya29.vF9" A A), "anna@example.com", "ya29.vF9" },
	{ X, SPAN("auth=Bearer x" A "user=anna" A A), "anna", "x" },
	{ O, SPAN(""), NULL, NULL }, { O, SPAN(A), NULL, NULL }, { O, SPAN("n"), NULL, NULL }, { O, SPAN("n,"), NULL, NULL }, { O, SPAN("n,,"), NULL, NULL },
	{ O, SPAN("n,," A), NULL, NULL }, { O, SPAN("n,," A A), NULL, NULL },
	{ O, SPAN("p=tls-exporter,," A "auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,a=," A "auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,a=a=b," A "auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,b=a," A "auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,a=a\nb," A "auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,a=anna,auth=Bearer abc" A A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer abc" A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer abc"), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer abc" A A "x"), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer abc" A A A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer abc" A "auth=Bearer def" A A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer " A A), NULL, NULL }, { O, SPAN("n,," A "auth=Bearer" A A), NULL, NULL }, { O, SPAN("n,," A "auth=Basic abc" A A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer a b" A A), NULL, NULL }, { O, SPAN("n,," A "auth=Bearer ==" A A), NULL, NULL }, { O, SPAN("n,," A "auth=Bearer a=b" A A), NULL, NULL },
	{ O, SPAN("n,," A "auth=Bearer a\0b" A A), NULL, NULL },
	{ O, SPAN("n,," A "host" A "auth=Bearer abc" A A), NULL, NULL },
	{ X, SPAN("user=anna" A A), NULL, NULL }, { X, SPAN("auth=Bearer x" A A), NULL, NULL }, { X, SPAN("user=" A "auth=Bearer x" A A), NULL, NULL },
	{ X, SPAN("user=anna" A "user=bert" A "auth=Bearer x" A A), NULL, NULL }, { X, SPAN("n,," A "user=anna" A "auth=Bearer x" A A), NULL, NULL },
	{ X, SPAN("user=an\rna" A "auth=Bearer x" A A), NULL, NULL },
};

static struct sasl_server *server(enum sasl_mech mech)
{
	const struct sasl_server_with with = { .host = "mail.example.org" };
	struct err e;
	struct sasl_server *s = sasl_server_new(mech, &with, &e);

	assert_non_null(s);
	return s;
}

static void messages([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		for (unsigned late = 0; late < 2; late++) {
			struct sasl_server *s = server(r->mech);
			struct sasl_proof proof;
			struct buf challenge;
			struct err e = { 0 };
			enum sasl_said said;

			buf_start(&challenge, SASL_CHALLENGE_MAX);
			if (late)
				assert_int_equal(sasl_server_step(s, NULL, &challenge, &proof, &e), SASL_SAYS_MORE);
			said = sasl_server_step(s, &r->said, &challenge, &proof, &e);
			if (said != (r->token ? SASL_SAYS_TOKEN : SASL_SAYS_REFUSED))
				fail_msg("row %td: %d %s", r - rows, said, e.text);
			assert_int_equal(challenge.len, 0);
			if (r->token) {
				assert_true(span_equal(proof.name, span_of(r->name)));
				assert_true(span_equal(proof.password, span_of(r->token)));
				assert_int_equal(proof.authzid.len, 0);
			} else {
				assert_int_equal(e.kind, ERR_PEER);
				assert_null(strstr(e.text, "abc"));
			}
			buf_end(&challenge);
			sasl_server_free(&s);
		}
	}
}

static void a_refusal_is_told_and_answered([[maybe_unused]] void **state)
{
	static const struct span answers[] = { SPAN(A), SPAN(""), SPAN("user=anna" A "auth=Bearer x" A A) };

	for (size_t n = 0; n < 2 * COUNT(answers); n++) {
		const struct row *r = n % 2 ? &rows[0] : &rows[4];
		struct sasl_server *s = server(r->mech);
		struct sasl_proof proof;
		struct buf challenge;
		struct err e = { 0 };

		buf_start(&challenge, SASL_CHALLENGE_MAX);
		assert_int_equal(sasl_server_step(s, &r->said, &challenge, &proof, &e), SASL_SAYS_TOKEN);
		sasl_server_refuse_token(s, &challenge);
		assert_true(challenge.len > 10 && challenge.at[0] == '{' && challenge.at[challenge.len - 1] == '}');
		assert_int_equal(sasl_server_step(s, &answers[n / 2], &challenge, &proof, &e), SASL_SAYS_REFUSED);
		assert_int_equal(e.kind, ERR_AUTH);
		buf_end(&challenge);
		sasl_server_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(messages), cmocka_unit_test(a_refusal_is_told_and_answered) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
