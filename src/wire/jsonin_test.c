/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/jsonin.h"

static const struct span objects[] = {
	SPAN("{}"), SPAN(" \t\r\n{ } \n"), SPAN("{\"a\":1}"), SPAN("{\"a\":-0.5e+10,\"b\":1E-2,\"c\":0}"), SPAN("{\"a\":[],\"b\":{},\"c\":[1,[2,{\"d\":null}]]}"),
	SPAN("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}"), SPAN("{\"\":\"\"}"), SPAN("{ \"a\" : true , \"b\" : false , \"c\" : null }"),
	SPAN("{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"), SPAN("{\"caf\xc3\xa9\":\"\xf0\x9f\x98\x80\"}"),
};

static const struct span others[] = {
	SPAN(""), SPAN(" "), SPAN("{"), SPAN("}"), SPAN("[]"), SPAN("1"), SPAN("\"a\""), SPAN("null"), SPAN("{}{}"), SPAN("{}x"), SPAN("{,}"), SPAN("{\"a\"}"),
	SPAN("{\"a\":}"), SPAN("{\"a\":1,}"), SPAN("{\"a\":1 \"b\":2}"), SPAN("{a:1}"), SPAN("{'a':1}"), SPAN("{\"a\":[1,]}"), SPAN("{\"a\":[1}"), SPAN("{\"a\":[1}]"),
	SPAN("{\"a\":01}"), SPAN("{\"a\":1.}"), SPAN("{\"a\":.5}"), SPAN("{\"a\":+1}"), SPAN("{\"a\":1e}"), SPAN("{\"a\":-}"), SPAN("{\"a\":NaN}"),
	SPAN("{\"a\":tru}"), SPAN("{\"a\":True}"), SPAN("{\"a\":\"b}"), SPAN("{\"a\":\"\n\"}"), SPAN("{\"a\":\"\\x\"}"), SPAN("{\"a\":\"\\u12\"}"), SPAN("{\"a\":\"\\u12g4\"}"),
	SPAN("{\"a\":\"\\ud83d\"}"), SPAN("{\"a\":\"\\ude00\"}"), SPAN("{\"a\":\"\\ud83d\\u0041\"}"), SPAN("{\"a\":\"\xff\"}"), SPAN("{\"a\":\"\xc3\"}"), SPAN("{\"a\":\"\\\"}"),
	SPAN("{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"), SPAN("{\"a\":\"\0\"}"), SPAN("\xef\xbb\xbf{}"), SPAN("<html>"),
};

static void an_object_or_not(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(objects); n++)
		if (!jsonin_object(objects[n]))
			fail_msg("refused: %.*s", (int)objects[n].len, objects[n].at);
	for (size_t n = 0; n < COUNT(others); n++)
		if (jsonin_object(others[n]))
			fail_msg("taken: %.*s", (int)others[n].len, others[n].at);
}

/* What is cut off anywhere is none; each copy ends with its memory. */
static void nothing_that_is_cut_off(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(objects); n++)
		for (size_t cut = 0; cut < objects[n].len && memchr(objects[n].at + cut, '}', objects[n].len - cut); cut++) {
			char *copy = malloc(cut + !cut);

			assert_non_null(copy);
			memcpy(copy, objects[n].at, cut);
			assert_false(jsonin_object((struct span){ copy, cut }));
			free(copy);
		}
}

static void members_by_name(void **state)
{
	static const struct span text = SPAN(" { \"a\" : 1, \"b\":{\"a\":2,\"z\":3} ,\"twice\":1,\"twice\":2,\"l\":[\"a\",4], \"\\u0063\":5, \"t\":\"a:1\" }");
	struct span value;

	(void)state;
	assert_true(jsonin_object(text));
	assert_true(jsonin_member(text, "a", &value) && span_equal(value, SPAN("1")));
	assert_true(jsonin_member(text, "b", &value) && span_equal(value, SPAN("{\"a\":2,\"z\":3}")));
	assert_true(jsonin_member(text, "l", &value) && span_equal(value, SPAN("[\"a\",4]")));
	assert_true(jsonin_member(text, "t", &value) && span_equal(value, SPAN("\"a:1\"")));
	assert_false(jsonin_member(text, "twice", &value));
	assert_false(jsonin_member(text, "z", &value));
	assert_false(jsonin_member(text, "c", &value));
	assert_false(jsonin_member(text, "", &value));
	assert_false(jsonin_member(SPAN("{}"), "a", &value));
}

static void texts_decoded(void **state)
{
	char memory[16];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(buf_add(&b, SPAN("x")));
	assert_true(jsonin_text(SPAN("\"a\\n\\u00e9\\ud83d\\ude00\\/\""), &b));
	assert_true(span_equal(buf_span(&b), SPAN("xa\n\xc3\xa9\xf0\x9f\x98\x80/")));
	assert_false(jsonin_text(SPAN("\"0123456789\""), &b));	/* no room: nothing of it */
	assert_int_equal(b.len, 10);
	assert_false(jsonin_text(SPAN("\"a\\u0000\""), &b));
	assert_false(jsonin_text(SPAN("1"), &b));
	assert_false(jsonin_text(SPAN("null"), &b));
	assert_true(jsonin_text(SPAN("\"\""), &b));
	assert_int_equal(b.len, 10);
}

static void whole_numbers(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(jsonin_number(SPAN("3600"), 10000, &n) && n == 3600);
	assert_true(jsonin_number(SPAN("\"3599\""), 10000, &n) && n == 3599);
	assert_true(jsonin_number(SPAN("99999999999999999999999999"), 10000, &n) && n == 10000);
	assert_true(jsonin_number(SPAN("0"), 10000, &n) && n == 0);
	n = 7;
	assert_false(jsonin_number(SPAN("-1"), 10000, &n));
	assert_false(jsonin_number(SPAN("1.5"), 10000, &n));
	assert_false(jsonin_number(SPAN("1e3"), 10000, &n));
	assert_false(jsonin_number(SPAN("\"\""), 10000, &n));
	assert_false(jsonin_number(SPAN("null"), 10000, &n));
	assert_false(jsonin_number(SPAN("[1]"), 10000, &n));
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_or_not),
		cmocka_unit_test(nothing_that_is_cut_off),
		cmocka_unit_test(members_by_name),
		cmocka_unit_test(texts_decoded),
		cmocka_unit_test(whole_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
