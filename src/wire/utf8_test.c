/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/utf8.h"

static void every_character_comes_back(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		char memory[4];
		struct buf b;
		struct span in;
		uint32_t got = 0;
		bool surrogate = c >= 0xd800 && c < 0xe000;

		buf_lend(&b, memory, sizeof memory);
		assert_true(utf8_add(&b, c));
		assert_int_equal(b.len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		in = buf_span(&b);
		assert_int_equal(utf8_take(&in, &got), !surrogate);
		assert_true(surrogate || (got == c && !in.len));
		in = (struct span){ memory, b.len - 1 };
		assert_false(in.len && utf8_take(&in, &got));	/* a part of it is nothing */
	}
}

static void what_is_none(void **state)
{
	static const struct span rows[] = {
		SPAN("\0"), SPAN("\x80"), SPAN("\xbf\x80"), SPAN("\xc0\x80"), SPAN("\xc1\xbf"), SPAN("\xe0\x9f\xbf"), SPAN("\xf0\x8f\xbf\xbf"),
		SPAN("\xf4\x90\x80\x80"), SPAN("\xf8\x88\x80\x80\x80"), SPAN("\xff"), SPAN("\xc3("), SPAN("\xe2\x82("), SPAN("\xed\xa0\x80"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span in = rows[i];
		uint32_t c;

		if (utf8_take(&in, &c))
			fail_msg("row %zu", i);
	}
}

static void no_room(void **state)
{
	char memory[3];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_false(utf8_add(&b, 0x1f600));
	assert_int_equal(b.len, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_comes_back),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
