/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"

static void it_grows_up_to_its_limit(void **state)
{
	struct buf b;

	(void)state;
	buf_start(&b, 1000);
	for (int i = 0; i < 1000; i++)
		assert_true(buf_add_byte(&b, (char)i));
	assert_false(buf_add_byte(&b, 'x'));
	assert_int_equal(b.len, 1000);
	assert_true(b.cap <= 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.at[i], (char)i);
	buf_end(&b);
	assert_null(b.at);
	assert_true(buf_add(&b, SPAN("again")));	/* it may be used again, its limit is as before */
	assert_null(buf_room(&b, 996));
	buf_end(&b);
	buf_end(&b);
}

static void all_or_nothing(void **state)
{
	char memory[4];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(buf_add(&b, SPAN("ab")));
	assert_false(buf_add(&b, SPAN("cde")));
	assert_true(span_equal(buf_span(&b), SPAN("ab")));
	assert_false(buf_printf(&b, "%d", 123));
	assert_false(buf_printf(&b, "%d", 12));		/* no room for the NUL */
	assert_true(span_equal(buf_span(&b), SPAN("ab")));
	assert_true(buf_printf(&b, "%d", 1));
	assert_true(buf_terminate(&b));
	assert_true(buf_add(&b, SPAN("c")));
	assert_true(buf_add(&b, SPAN("")));
	assert_true(buf_add(&b, (struct span){ 0 }));
	assert_false(buf_terminate(&b));
	assert_true(span_equal(buf_span(&b), SPAN("ab1c")));
	assert_ptr_equal(b.at, memory);
}

static void lent_memory_is_all_there_is(void **state)
{
	char memory[4];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(buf_add(&b, SPAN("abcd")));
	buf_end(&b);
	assert_int_equal(b.len, 0);
	assert_false(buf_add_byte(&b, 'x'));	/* not from the heap, not from what was lent */
	assert_null(b.at);
	buf_end(&b);
}

static void room_is_filled_by_the_caller(void **state)
{
	struct buf b;
	char *room;

	(void)state;
	buf_start(&b, 10);
	room = buf_room(&b, 0);
	assert_non_null(room);
	room = buf_room(&b, 10);
	assert_non_null(room);
	memcpy(room, "0123456789", 10);
	b.len = 10;
	assert_null(buf_room(&b, 1));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_non_null(buf_room(&b, 0));
	assert_true(span_equal(buf_span(&b), SPAN("0123456789")));
	buf_end(&b);
	buf_start(&b, 0);
	assert_null(buf_room(&b, 1));
	assert_false(buf_terminate(&b));
	assert_true(buf_add(&b, SPAN("")));
	buf_end(&b);
	buf_start(&b, SIZE_MAX);
	assert_true(buf_add(&b, SPAN("x")));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_true(buf_add(&b, SPAN("y")));
	buf_end(&b);
}

static void the_front_is_dropped(void **state)
{
	struct buf b;

	(void)state;
	buf_start(&b, 100);
	buf_drop(&b, 0);
	assert_true(buf_add(&b, SPAN("0123456789")));
	buf_drop(&b, 0);
	buf_drop(&b, 3);
	assert_true(span_equal(buf_span(&b), SPAN("3456789")));
	buf_drop(&b, 7);
	assert_int_equal(b.len, 0);
	assert_true(buf_add(&b, SPAN("x")));
	assert_true(span_equal(buf_span(&b), SPAN("x")));
	buf_end(&b);
}

static void text_is_formatted(void **state)
{
	struct buf b;

	(void)state;
	buf_start(&b, 2000);
	assert_true(buf_printf(&b, "RETR %u\r\n", 7U));
	assert_true(buf_printf(&b, "%s", ""));
	assert_true(buf_printf(&b, "%1000s|", "x"));
	assert_int_equal(b.len, 8 + 1001);
	assert_true(span_starts(buf_span(&b), SPAN("RETR 7\r\n   ")));
	assert_false(buf_printf(&b, "%1000s", "x"));
	assert_int_equal(b.len, 8 + 1001);
	assert_true(buf_terminate(&b));
	assert_int_equal(strlen(b.at), b.len);
	buf_end(&b);
}

static void secrets_are_overwritten(void **state)
{
	char memory[16] = "password";
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	b.len = 8;
	buf_drop(&b, 6);	/* what lies behind the length goes too */
	buf_wipe(&b);
	for (size_t i = 0; i < sizeof memory; i++)
		assert_int_equal(memory[i], 0);
	buf_wipe(&b);
	wipe(NULL, 0);
	buf_start(&b, 10);
	assert_true(buf_add(&b, SPAN("password")));
	buf_wipe(&b);
	assert_null(b.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_up_to_its_limit),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(lent_memory_is_all_there_is),
		cmocka_unit_test(room_is_filled_by_the_caller),
		cmocka_unit_test(the_front_is_dropped),
		cmocka_unit_test(text_is_formatted),
		cmocka_unit_test(secrets_are_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
