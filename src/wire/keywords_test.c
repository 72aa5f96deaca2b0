/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/keywords.h"

#define HEADER "From: anna@example.org\r\nSubject: an\r\n \"offer\" of 'x' \\ `y`\r\nX-A: one\nX-A: two\nX-Empty:\r\nX-Percent: %From%\r\nX-Bad: a\tb\x01\xff\r\n\r\nBody: no\r\n"

static const struct row {
	const char *text, *want;
} rows[] = {
	{ "", "" }, { "plain\r\ntext\n", "plain\r\ntext\n" }, { "<%From%>", "<anna@example.org>" }, { "%FROM%%from%", "anna@example.organna@example.org" },
	{ "%Subject%", "an _offer_ of _x_ _ _y_" }, { "%X-A%", "one" }, { "[%X-Empty%][%X-None%][%Body%]", "[][][]" },
	{ "%X-Percent%", "%From%" }, { "%X-Bad%", "a b??" }, { "100%", "100%" }, { "100 %% and %%From%%", "100 % and %From%" },
	{ "5% of %From%", "5% of anna@example.org" }, { "%\n%From%", "%\nanna@example.org" }, { "%a b%From%", "%a banna@example.org" },
	{ "%a:%From%", "%a:anna@example.org" }, { "%%%From%%%", "%anna@example.org%" }, { "%From", "%From" }, { "%%", "%" }, { "%", "%" }, { "%%%", "%%" },
};

static void texts_are_filled_in([[maybe_unused]] void **state)
{
	char memory[300];
	struct buf out;
	struct err e;

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		size_t len = strlen(r->want);

		print_message("%s\n", r->text);
		assert_true(keywords_check(span_of(r->text), &e));
		buf_lend(&out, memory, sizeof memory);
		assert_true(keywords_fill(span_of(r->text), SPAN(HEADER), &out));
		assert_true(span_equal(buf_span(&out), span_of(r->want)));
		for (size_t room = 0; room < len; room++) {
			buf_lend(&out, memory, room);
			assert_false(keywords_fill(span_of(r->text), SPAN(HEADER), &out));
		}
	}
}

static void limits([[maybe_unused]] void **state)
{
	static char text[KEYWORDS_TEXT + 1], long_name[KEYWORD_NAME + 3];
	char memory[200];
	struct buf out;
	struct err e;

	for (size_t n = 0; n < KEYWORDS_MAX; n++)
		memcpy(text + 3 * n, "%a%", 3);
	assert_true(keywords_check((struct span){ text, 3 * KEYWORDS_MAX }, &e));
	memcpy(text + 3 * KEYWORDS_MAX, "%b%", 3);
	assert_false(keywords_check((struct span){ text, 3 * KEYWORDS_MAX + 3 }, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	memset(text, 'x', sizeof text);
	assert_true(keywords_check((struct span){ text, KEYWORDS_TEXT }, &e));
	assert_false(keywords_check((struct span){ text, KEYWORDS_TEXT + 1 }, &e));
	memset(long_name, 'n', sizeof long_name);
	long_name[0] = long_name[sizeof long_name - 1] = '%';
	buf_lend(&out, memory, sizeof memory);
	assert_true(keywords_fill((struct span){ long_name, sizeof long_name }, SPAN(""), &out));
	assert_int_equal(out.len, sizeof long_name);	/* a name too long is none */
}

/* A value is cut, and the largest there can be of everything has room. */
static void values_are_cut([[maybe_unused]] void **state)
{
	static char text[3 * KEYWORDS_MAX], header[3 * KEYWORD_VALUE];
	size_t size = sizeof text + (size_t)KEYWORDS_MAX * KEYWORD_VALUE;
	char *memory = malloc(size);
	struct buf out;

	assert_non_null(memory);
	memset(header, 'v', sizeof header);
	memcpy(header, "a:", 2);
	for (size_t n = 0; n < sizeof text; n += 3)
		memcpy(text + n, "%A%", 3);
	buf_lend(&out, memory, size);
	assert_true(keywords_fill((struct span){ text, sizeof text }, (struct span){ header, sizeof header }, &out));
	assert_int_equal(out.len, (size_t)KEYWORDS_MAX * KEYWORD_VALUE);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_filled_in),
		cmocka_unit_test(limits),
		cmocka_unit_test(values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
