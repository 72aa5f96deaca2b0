/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct row {
	const char *line;
	bool logged_in;
	const char *want;
} rows[] = {
	{ "USER anna", false, "USER anna" },
	{ "PASS se cret", false, "PASS ***" },
	{ "pass secret", false, "pass ***" },
	{ "PASS", false, "PASS" },
	{ "APOP anna c4c9334bac560ecc979e58001b3e22fb", false, "APOP anna ***" },
	{ "AUTH PLAIN AGFubmEAc2VjcmV0", false, "AUTH PLAIN ***" },
	{ "AUTH SCRAM-SHA-256", false, "AUTH SCRAM-SHA-256" },
	{ "AGFubmEAc2VjcmV0", false, "***" },
	{ "", false, "***" },
	{ "CAPA", false, "CAPA" },
	{ "RETR 1", true, "RETR 1" },
};

static void no_secret_is_shown(void **state)
{
	char shown[TRACE_LINE_MAX];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		trace_mask(span_of(r->line), r->logged_in, shown);
		assert_string_equal(shown, r->want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_secret_is_shown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
