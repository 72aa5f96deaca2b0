/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/versions.h"

enum { V10 = 1 << VERSION_TLS_1_0, V11 = 1 << VERSION_TLS_1_1, V12 = 1 << VERSION_TLS_1_2, V13 = 1 << VERSION_TLS_1_3 };

static const struct row {
	const char *words, *more;
	bool legacy;
	unsigned bits;
	const char *why;
} rows[] = {
	{ "All", NULL, false, V12 | V13, NULL },
	{ "all", NULL, true, V10 | V11 | V12 | V13, NULL },
	{ "TLSv1.2", NULL, false, V12, NULL },
	{ "TLSv1.2 TLSv1.3", NULL, false, V12 | V13, NULL },
	{ "TLSv1.2", "TLSv1.3", false, V12 | V13, NULL },
	{ "TLSv1.2,TLSv1.3", NULL, false, V12 | V13, NULL },
	{ "+TLSv1.3", NULL, false, V13, NULL },
	{ "All -TLSv1.2", NULL, false, V13, NULL },
	{ "All-TLSv1.2", NULL, false, V13, NULL },
	{ "All - TLSv1.2", NULL, false, V13, NULL },
	{ "-TLSv1.2", NULL, false, V13, NULL },
	{ "-TLSv1.2", NULL, true, V10 | V11 | V13, NULL },
	{ "-All +TLSv1.3", NULL, false, V13, NULL },
	{ "All -TLSv1.3 -TLSv1.2", NULL, false, 0, NULL },
	{ "All -TLSv1 -TLSv1.1 -SSLv3 -SSLv2Hello", NULL, false, V12 | V13, NULL },
	{ "TLSv1 TLSv1.1", NULL, true, V10 | V11, NULL },
	{ "tlsv1.3", NULL, false, V13, NULL },
	{ "", NULL, false, 0, NULL },
	{ "TLSv1", NULL, false, 0, "TLSv1 needs legacy = true beside it" },
	{ "All +TLSv1.1", NULL, false, 0, "TLSv1.1 needs legacy = true beside it" },
	{ "SSLv3", NULL, true, 0, "SSLv3 is broken and cannot be had" },
	{ "All +SSLv2Hello", NULL, true, 0, "SSLv2Hello is broken and cannot be had" },
	{ "TLSv1.4", NULL, true, 0, "TLSv1.4 is no version of TLS" },
	{ "All -TLS", NULL, true, 0, "TLS is no version of TLS" },
};

static void words(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		const char *texts[] = { r->words, r->more };
		unsigned bits = 0;
		struct err e;
		bool good = versions_words(&(struct texts){ texts, r->more ? 2 : 1 }, r->legacy, &bits, &e);

		assert_int_equal(good, !r->why);
		assert_int_equal(bits, r->bits);
		if (r->why)
			assert_string_equal(e.text, r->why);
	}
}

static void bounds(void **state)
{
	uint32_t version = 0;
	struct err e;

	(void)state;
	assert_int_equal(versions_bounded(V10 | V11 | V12 | V13, VERSION_NOT_SET, VERSION_NOT_SET), V10 | V11 | V12 | V13);
	assert_int_equal(versions_bounded(V10 | V11 | V12 | V13, VERSION_TLS_1_1, VERSION_TLS_1_2), V11 | V12);
	assert_int_equal(versions_bounded(V12 | V13, VERSION_TLS_1_3, VERSION_NOT_SET), V13);
	assert_int_equal(versions_bounded(V12 | V13, VERSION_NOT_SET, VERSION_TLS_1_2), V12);
	assert_int_equal(versions_bounded(V12 | V13, VERSION_TLS_1_3, VERSION_TLS_1_2), 0);
	assert_true(versions_parse("TLSv1.1", &version, &e));
	assert_int_equal(version, VERSION_TLS_1_1);
	assert_false(versions_parse("SSLv3", &version, &e));
	assert_false(versions_parse("", &version, &e));
	assert_false(versions_parse("All", &version, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
