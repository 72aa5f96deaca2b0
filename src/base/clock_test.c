/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/span.h"

static const struct row {
	int64_t s;
	const char *text;
} rows[] = {
	{ 0,             "1970-01-01T00:00:00Z" },
	{ 1795234506,    "2026-11-21T04:15:06Z" },
	{ 951825600,     "2000-02-29T12:00:00Z" },
	{ 2147483648,    "2038-01-19T03:14:08Z" },
	{ -1,            "1969-12-31T23:59:59Z" },
	{ -30610224000,  "1000-01-01T00:00:00Z" },
	{ 253402300799,  "9999-12-31T23:59:59Z" },
	{ -30610224001,  "?" },
	{ 253402300800,  "?" },
	{ INT64_MAX,     "?" },
	{ INT64_MIN,     "?" },
};

static void moments(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char out[MOMENT_TEXT];

		assert_ptr_equal(moment_text(r->s, out), out);
		assert_string_equal(out, r->text);
	}
}

static void clocks_go_forward(void **state)
{
	uint64_t before = clock_mono_ms();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_mono_ms();

		assert_true(now >= before);
		before = now;
	}
	assert_true(clock_now_s() > 1700000000);
}

/* Filled to the last octet, not beyond, and not twice alike. */
static void randomness(void **state)
{
	static unsigned char a[1001], b[1000];
	bool touched = false;

	(void)state;
	a[1000] = 0x5a;
	random_fill(a, 1000);
	random_fill(b, 1000);
	assert_int_equal(a[1000], 0x5a);
	assert_memory_not_equal(a, b, 1000);
	for (int i = 0; i < 20; i++) {
		a[999] = 0;
		random_fill(a, 1000);
		touched = touched || a[999];
	}
	assert_true(touched);
	random_fill(a, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(randomness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
