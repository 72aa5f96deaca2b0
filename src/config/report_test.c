/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/report.h"

static void in_order_of_files_and_lines(void **state)
{
	static const char a[] = "z.conf", b[] = "a.conf";
	struct settings s = { 0 };
	char memory[500];
	struct buf out;
	struct report r;

	(void)state;
	buf_lend(&out, memory, sizeof memory);
	report_start(&r, &s.arena);
	report_file(&r, a);
	report_file(&r, b);
	report_warning(&r, (struct where){ a, 5 }, "warned");
	assert_false(r.wrong);
	report_error(&r, (struct where){ b, 1 }, "fourth");
	report_error(&r, (struct where){ a, 3 }, "second %d", 2);
	report_error(&r, (struct where){ a, 3 }, "third \x1b\n");
	report_error(&r, (struct where){ 0 }, "first");
	report_error(&r, (struct where){ "unknown", 0 }, "last");
	assert_true(r.wrong);
	report_errors(&r, &out);
	assert_true(buf_terminate(&out));
	assert_string_equal(memory, "first\nz.conf:3: second 2\nz.conf:3: third ??\na.conf:1: fourth\nunknown: last\n");
	report_warnings(&r, &s);
	assert_int_equal(s.warning_count, 1);
	assert_string_equal(s.warnings[0], "z.conf:5: warned");
	report_end(&r);
	report_start(&r, &s.arena);
	report_warning(&r, (struct where){ 0 }, "another");
	report_warnings(&r, &s);
	assert_int_equal(s.warning_count, 2);
	assert_string_equal(s.warnings[1], "another");
	report_end(&r);
	arena_end(&s.arena);
}

static void too_many_and_too_long_do_no_harm(void **state)
{
	struct settings s = { 0 };
	char memory[100], text[3000];
	struct buf out;
	struct report r;

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	report_start(&r, &s.arena);
	for (int n = 0; n < 2 * REPORT_ENTRIES_MAX; n++)
		report_error(&r, (struct where){ "f", 1 }, "%s", text);
	assert_int_equal(r.count, REPORT_ENTRIES_MAX);
	buf_lend(&out, memory, sizeof memory);
	report_errors(&r, &out);
	assert_int_equal(out.len, 0);
	report_end(&r);
	arena_end(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_of_files_and_lines),
		cmocka_unit_test(too_many_and_too_long_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
