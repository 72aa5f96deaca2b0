/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "control/json.h"

static void octets_that_are_no_text(void **state)
{
	static const struct {
		const char *given, *want;
	} rows[] = { { "anna", "anna" }, { "a\xff", "a\xef\xbf\xbd" }, { "\xc3\xa4\xff", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, { "", "" } };
	json_t *one;

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		one = json_text(rows[n].given);
		assert_string_equal(json_string_value(one), rows[n].want);
		json_decref(one);
	}
	assert_null(json_octets((struct span){ "a\0b", 3 }));
	assert_null(json_octets(SPAN("a\xff")));
	one = json_octets((struct span){ NULL, 0 });
	assert_string_equal(json_string_value(one), "");
	json_decref(one);
}

static void moments_both_ways(void **state)
{
	json_t *one = json_moment(1764115200);

	(void)state;
	assert_string_equal(json_string_value(one), "2025-11-26T00:00:00Z");
	assert_int_equal(json_moment_read(json_string_value(one)), 1764115200);
	json_decref(one);
	assert_int_equal(json_moment_read("yesterday"), 0);
	assert_int_equal(json_moment_read("2025-11-26T00:00:00Z+1"), 0);
	one = json_moment(0);
	assert_true(json_is_null(one));
}

static void what_does_not_fit_is_not_half_written(void **state)
{
	json_t *one = json_pack("{s:s}", "name", "anna");
	char memory[12];
	struct buf out;

	(void)state;
	buf_lend(&out, memory, sizeof memory);
	assert_true(buf_add(&out, SPAN("ab")));
	assert_false(json_write(&out, one));
	assert_int_equal(out.len, 2);
	json_decref(one);
	one = json_number(UINT64_MAX);
	assert_int_equal(json_integer_value(one), INT64_MAX);
	json_decref(one);
}

static void members_of_any_type(void **state)
{
	json_t *row = json_pack("{s:s, s:i, s:i, s:b}", "text", "a", "n", 5, "less", -5, "flag", 1);

	(void)state;
	assert_string_equal(json_member_text(row, "text"), "a");
	assert_string_equal(json_member_text(row, "n"), "");
	assert_string_equal(json_member_text(row, "none"), "");
	assert_string_equal(json_member_text(NULL, "none"), "");
	assert_int_equal(json_member_number(row, "n"), 5);
	assert_int_equal(json_member_number(row, "less"), 0);
	assert_int_equal(json_member_number(row, "text"), 0);
	assert_true(json_member_flag(row, "flag"));
	assert_false(json_member_flag(row, "n"));
	json_decref(row);
}

/* No sanitizer looks: memory that was given back is read, behind what the allocator writes there itself. */
__attribute__((no_sanitize("address"))) static bool all_zero(uintptr_t at, size_t from, size_t to)
{
	const volatile char *p = (const volatile char *)at;

	while (from < to && !p[from])
		from++;
	return from == to;
}

static void freed_json_is_overwritten(void **state)
{
	enum { SIZE = 300, BEHIND = 64 };
	json_malloc_t take;
	json_free_t give;
	char *at;
	volatile uintptr_t where;

	(void)state;
	json_wiping();
	json_wiping();
	json_get_alloc_funcs(&take, &give);
	at = take(SIZE);
	memset(at, 's', SIZE);
	where = (uintptr_t)at;
	assert_false(all_zero(where, BEHIND, SIZE));
	give(at);
	assert_true(all_zero(where, BEHIND, SIZE));
	give(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_that_are_no_text), cmocka_unit_test(moments_both_ways), cmocka_unit_test(what_does_not_fit_is_not_half_written),
		cmocka_unit_test(members_of_any_type), cmocka_unit_test(freed_json_is_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
