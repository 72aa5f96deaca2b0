/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/span.h"

static const struct pair {
	struct span a, b;
	const char *holds;	/* e equal, n equal nocase, s a starts with b, t starts nocase */
} pairs[] = {
	{ SPAN(""),     SPAN(""),       "enst" },
	{ { 0 },        SPAN(""),       "enst" },
	{ SPAN(""),     { 0 },          "enst" },
	{ { 0 },        { 0 },          "enst" },
	{ SPAN("a"),    { 0 },          "st" },
	{ { 0 },        SPAN("a"),      "" },
	{ SPAN("abc"),  SPAN("abc"),    "enst" },
	{ SPAN("abc"),  SPAN("ABC"),    "nt" },
	{ SPAN("+OK x"), SPAN("+OK"),   "st" },
	{ SPAN("+ok x"), SPAN("+OK"),   "t" },
	{ SPAN("+O"),   SPAN("+OK"),    "" },
	{ SPAN("a\0b"), SPAN("a\0b"),   "enst" },
	{ SPAN("a\0b"), SPAN("a\0c"),   "" },
	{ SPAN("a\0b"), SPAN("a"),      "st" },
	{ SPAN("@"),    SPAN("`"),      "" },		/* one bit apart, no letters */
	{ SPAN("["),    SPAN("{"),      "" },
	{ SPAN("\xc4"), SPAN("\xe4"),   "" },		/* letters in Latin-1 only */
};

static void comparisons(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct span a = pairs[i].a, b = pairs[i].b;
		char holds[5];

		snprintf(holds, sizeof holds, "%s%s%s%s", span_equal(a, b) ? "e" : "", span_equal_nocase(a, b) ? "n" : "",
			 span_starts(a, b) ? "s" : "", span_starts_nocase(a, b) ? "t" : "");
		if (strcmp(holds, pairs[i].holds) != 0)
			fail_msg("pair %zu: %s", i, holds);
	}
}

static void parts(void **state)
{
	struct span s = SPAN("a\0b.c"), none = { 0 };

	(void)state;
	assert_true(span_equal(span_from(s, 0), s));
	assert_true(span_equal(span_from(s, 2), SPAN("b.c")));
	assert_int_equal(span_from(s, 5).len, 0);
	assert_ptr_equal(span_from(s, 5).at, s.at + 5);
	assert_int_equal(span_from(s, 6).len, 0);
	assert_ptr_equal(span_from(s, SIZE_MAX).at, s.at + 5);
	assert_int_equal(span_from(none, 3).len, 0);
	assert_int_equal(span_find(s, '.'), 3);
	assert_int_equal(span_find(s, '\0'), 1);
	assert_int_equal(span_find(s, 'x'), 5);
	assert_int_equal(span_find(none, 'x'), 0);
	assert_int_equal(span_of("anna").len, 4);
	assert_int_equal(span_of(NULL).len, 0);
}

static void trimming(void **state)
{
	(void)state;
	assert_true(span_equal(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
	assert_true(span_equal(span_trim(SPAN("a")), SPAN("a")));
	assert_true(span_equal(span_trim(SPAN("\r\na\0 ")), SPAN("\r\na\0")));
	assert_int_equal(span_trim(SPAN(" \t ")).len, 0);
	assert_int_equal(span_trim((struct span){ 0 }).len, 0);
}

static const struct words {
	struct span text;
	const char *story;
} word_rows[] = {
	{ { 0 },                      "" },
	{ SPAN(""),                   "" },
	{ SPAN(" \t"),                "" },
	{ SPAN("STAT"),               "[STAT]" },
	{ SPAN("+OK 2 320"),          "[+OK][2][320]" },
	{ SPAN("  1 \t whqtswO  "),   "[1][whqtswO]" },
	{ SPAN("a\rb c\n"),           "[a\rb][c\n]" },
};

static void words(void **state)
{
	(void)state;
	for (const struct words *r = word_rows; r < word_rows + COUNT(word_rows); r++) {
		char story[64] = "";
		struct span left = r->text, word;

		while (span_word(&left, &word)) {
			size_t n = strlen(story);

			snprintf(story + n, sizeof story - n, "[%.*s]", (int)word.len, word.at);
		}
		assert_string_equal(story, r->story);
		assert_int_equal(left.len, 0);
	}
}

static const struct number {
	struct span text;
	uint64_t max;
	bool good;
	uint64_t value;
} number_rows[] = {
	{ SPAN("0"),                    0,          true,  0 },
	{ SPAN("1"),                    0,          false, 0 },
	{ SPAN("00"),                   0,          true,  0 },
	{ SPAN("9"),                    9,          true,  9 },
	{ SPAN("10"),                   9,          false, 0 },
	{ SPAN("007"),                  9,          true,  7 },
	{ SPAN("9"),                    8,          false, 0 },
	{ SPAN("255"),                  255,        true,  255 },
	{ SPAN("256"),                  255,        false, 0 },
	{ SPAN("4294967295"),           UINT32_MAX, true,  UINT32_MAX },
	{ SPAN("4294967297"),           UINT32_MAX, false, 0 },
	{ SPAN("18446744073709551615"), UINT64_MAX, true,  UINT64_MAX },
	{ SPAN("18446744073709551616"), UINT64_MAX, false, 0 },
	{ SPAN("18446744073709551620"), UINT64_MAX, false, 0 },
	{ SPAN("99999999999999999999"), UINT64_MAX, false, 0 },
	{ SPAN("184467440737095516150"), UINT64_MAX, false, 0 },
	{ SPAN(""),                     9,          false, 0 },
	{ { 0 },                        9,          false, 0 },
	{ SPAN("-1"),                   UINT64_MAX, false, 0 },
	{ SPAN("+1"),                   UINT64_MAX, false, 0 },
	{ SPAN(" 1"),                   UINT64_MAX, false, 0 },
	{ SPAN("1 "),                   UINT64_MAX, false, 0 },
	{ SPAN("1\0"),                  UINT64_MAX, false, 0 },
	{ SPAN("1a"),                   UINT64_MAX, false, 0 },
	{ SPAN("/"),                    UINT64_MAX, false, 0 },
	{ SPAN(":"),                    UINT64_MAX, false, 0 },
	{ SPAN("\xb2"),                 UINT64_MAX, false, 0 },
};

static void numbers(void **state)
{
	(void)state;
	for (const struct number *r = number_rows; r < number_rows + COUNT(number_rows); r++) {
		uint64_t value = 0xdead;

		if (span_number(r->text, r->max, &value) != r->good)
			fail_msg("number \"%s\" below %llu", r->text.at, (unsigned long long)r->max);
		assert_int_equal(value, r->good ? r->value : 0xdead);
	}
}

static void controls(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[3] = { 'a', (char)c, 'b' };

		assert_int_equal(span_has_control((struct span){ text, 3 }), c < 32 || c == 127);
	}
	assert_false(span_has_control((struct span){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons),
		cmocka_unit_test(parts),
		cmocka_unit_test(trimming),
		cmocka_unit_test(words),
		cmocka_unit_test(numbers),
		cmocka_unit_test(controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
