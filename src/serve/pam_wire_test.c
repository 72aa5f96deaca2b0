/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pam_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

/* `n` times the letter; freed by nobody but the next call. */
static const char *letters(size_t n)
{
	static char text[2048];

	assert_true(n < sizeof text);
	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

static bool fill(const char *service, const char *account, const char *rhost, struct span secret, const char *main_domain, struct pam_request *r)
{
	const struct elsewhere_ask ask = { .service = service, .account = account, .rhost = rhost, .secret = secret };

	memset(r, 0xa5, sizeof *r);
	return pam_request_fill(r, 1, &ask, main_domain);
}

static void whom_pam_is_told(void **state)
{
	static const struct { const char *account, *main_domain, *user; } rows[] = {
		{ "anna", NULL, "anna" }, { "anna", "main.example", "anna" }, { "anna@main.example", "main.example", "anna" },
		{ "anna@main.example", "MAIN.example", "anna" }, { "anna@main.example", NULL, "anna@main.example" },
		{ "anna@other.example", "main.example", "anna@other.example" }, { "anna@x.main.example", "main.example", "anna@x.main.example" },
		{ "anna@main.example.x", "main.example", "anna@main.example.x" }, { "a@b@main.example", "main.example", "a@b" },
		{ "@main.example", "main.example", NULL }, { "", NULL, NULL },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct pam_request r;
		bool good = fill("pop3", rows[n].account, "::1", SPAN("geheim"), rows[n].main_domain, &r);

		assert_int_equal(good, rows[n].user != NULL);
		if (good)
			assert_string_equal(r.user, rows[n].user);
		if (good)
			assert_string_equal(r.secret, "geheim");
	}
}

static void what_fits(void **state)
{
	struct pam_request r;

	(void)state;
	assert_true(fill("pop3", "anna", "::1", SPAN(""), NULL, &r));
	assert_true(fill("pop3", "anna", "::1", span_of(letters(ACCOUNT_PASSWORD_MAX)), NULL, &r));
	assert_false(fill("pop3", "anna", "::1", span_of(letters(ACCOUNT_PASSWORD_MAX + 1)), NULL, &r));
	assert_false(fill("pop3", "anna", "::1", SPAN("ge\0heim"), NULL, &r));
	assert_true(fill(letters(PAM_SERVICE_MAX), "anna", "::1", SPAN("x"), NULL, &r));
	assert_false(fill(letters(PAM_SERVICE_MAX + 1), "anna", "::1", SPAN("x"), NULL, &r));
	assert_true(fill("pop3", letters(ACCOUNT_NAME_MAX), "::1", SPAN("x"), NULL, &r));
	assert_false(fill("pop3", letters(ACCOUNT_NAME_MAX + 1), "::1", SPAN("x"), NULL, &r));
	assert_false(fill("pop3", "anna", letters(ADDRESS_TEXT), SPAN("x"), NULL, &r));
	assert_false(fill("pop3", "anna", "", SPAN("x"), NULL, &r));
}

static void services_are_files_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../su", "a/b", "/etc/pam.d/su", ".hidden", "a b", "a\n", "\xc3\xa4" };
	static const char *const good[] = { "pop3", "Pop-3_a.b", "-" };
	struct pam_request r;

	(void)state;
	for (size_t n = 0; n < COUNT(bad); n++)
		assert_false(fill(bad[n], "anna", "::1", SPAN("x"), NULL, &r));
	for (size_t n = 0; n < COUNT(good); n++)
		assert_true(fill(good[n], "anna", "::1", SPAN("x"), NULL, &r));
}

/* Whoever is at the other end of the helper's socket: texts without an end, and no id. */
static void octets_are_no_request(void **state)
{
	struct pam_request r, good;

	(void)state;
	assert_true(fill("pop3", "anna", "::1", SPAN("x"), NULL, &good));
	r = good;
	r.id = 0;
	assert_false(pam_request_good(&r));
	r = good;
	memset(r.service, 'x', sizeof r.service);
	assert_false(pam_request_good(&r));
	r = good;
	memset(r.user, 'x', sizeof r.user);
	assert_false(pam_request_good(&r));
	r = good;
	memset(r.rhost, 'x', sizeof r.rhost);
	assert_false(pam_request_good(&r));
	r = good;
	memset(r.secret, 'x', sizeof r.secret);
	assert_false(pam_request_good(&r));
	assert_true(pam_request_good(&good));
}

/* Nothing of what was in memory before goes to the other side, not even between two members. */
static void no_octet_is_left_over(void **state)
{
	struct pam_request r;
	const unsigned char *at = (const unsigned char *)&r;

	(void)state;
	assert_true(fill("pop3", "anna", "::1", SPAN("x"), NULL, &r));
	for (size_t n = 0; n < sizeof r; n++)
		assert_int_not_equal(at[n], 0xa5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_pam_is_told), cmocka_unit_test(what_fits), cmocka_unit_test(services_are_files_names),
		cmocka_unit_test(octets_are_no_request), cmocka_unit_test(no_octet_is_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
