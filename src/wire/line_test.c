/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/line.h"

enum { LINE_MAX = 8, STORY_MAX = 4096 };

/* A story: every line in brackets, then * for a line too long. */
static const struct row {
	const char *name;
	struct span in;
	struct span story;
} rows[] = {
	{ "nothing",                        SPAN(""),                       SPAN("") },
	{ "an empty line",                  SPAN("\r\n"),                   SPAN("[]") },
	{ "an empty line by LF",            SPAN("\n"),                     SPAN("[]") },
	{ "two lines",                      SPAN("+OK\r\nb\r\n"),           SPAN("[+OK][b]") },
	{ "lines by LF",                    SPAN("a\nb\n\nc\n"),            SPAN("[a][b][][c]") },
	{ "no line end yet",                SPAN("a\r\nb"),                 SPAN("[a]") },
	{ "half a line end",                SPAN("a\r\nb\r"),               SPAN("[a]") },
	{ "a lone CR is a byte",            SPAN("a\rb\r\n"),               SPAN("[a\rb]") },
	{ "a line of one CR",               SPAN("\r\r\n"),                 SPAN("[\r]") },
	{ "many CRs, one of the line end",  SPAN("\r\r\r\n\r\n"),           SPAN("[\r\r][]") },
	{ "a CR first",                     SPAN("\ra\r\n"),                SPAN("[\ra]") },
	{ "LF CR is no line end",           SPAN("a\n\rb\n"),               SPAN("[a][\rb]") },
	{ "NULs are bytes",                 SPAN("\0a\0\r\n\0\n"),          SPAN("[\0a\0][\0]") },
	{ "octets above 127",               SPAN("\xff\xfe\r\n"),           SPAN("[\xff\xfe]") },
	{ "as long as may be",              SPAN("12345678\r\n12345678\n"), SPAN("[12345678][12345678]") },
	{ "as long as may be with a CR",    SPAN("1234567\r\r\nx\n"),       SPAN("[1234567\r][x]") },
	{ "one too long",                   SPAN("a\r\n123456789\r\n"),     SPAN("[a]*") },
	{ "one too long by LF",             SPAN("123456789\n"),            SPAN("*") },
	{ "one too long by a CR",           SPAN("12345678\r\r\n"),         SPAN("*") },
	{ "too long without end",           SPAN("123456789"),              SPAN("*") },
	{ "maybe too long",                 SPAN("12345678\r"),             SPAN("") },
	{ "too long behind a CR",           SPAN("12345678\r9"),            SPAN("*") },
};

/* Feeds one part; false once a line was too long. */
static bool tell(struct lines *l, struct span in, struct buf *story)
{
	struct span line;

	for (;;) {
		switch (lines_next(l, &in, &line)) {
		case LINE_MORE:
			assert_int_equal(in.len, 0);
			return true;
		case LINE_WHOLE:
			assert_true(buf_add_byte(story, '[') && buf_add(story, line) && buf_add_byte(story, ']'));
			break;
		case LINE_LONG:
			assert_true(buf_add_byte(story, '*'));
			return false;
		}
	}
}

/* The input in three parts, each in memory of its own, so that a sanitizer sees a reach across. */
static void check_split(const struct row *r, size_t a, size_t b)
{
	const size_t ends[] = { a, b, r->in.len };
	char memory[LINE_MAX], text[STORY_MAX];
	struct buf story;
	struct lines l;
	bool good = true;

	lines_start(&l, memory, sizeof memory);
	buf_lend(&story, text, sizeof text);
	for (size_t i = 0, from = 0; i < COUNT(ends) && good; from = ends[i++]) {
		size_t len = ends[i] - from;
		char *part = malloc(len + !len);

		assert_non_null(part);
		memcpy(part, r->in.at + from, len);
		good = tell(&l, (struct span){ part, len }, &story);
		free(part);
	}
	if (!span_equal(buf_span(&story), r->story))
		fail_msg("%s, split at %zu and %zu: %.*s", r->name, a, b, (int)story.len, story.at);
}

static void any_split_tells_the_same_story(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t a = 0; a <= r->in.len; a++)
			for (size_t b = a; b <= r->in.len; b++)
				check_split(r, a, b);
}

static void byte_by_byte_too(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char memory[LINE_MAX], text[STORY_MAX];
		struct buf story;
		struct lines l;
		bool good = true;

		lines_start(&l, memory, sizeof memory);
		buf_lend(&story, text, sizeof text);
		for (size_t i = 0; i < r->in.len && good; i++)
			good = tell(&l, (struct span){ r->in.at + i, 1 }, &story);
		assert_true(span_equal(buf_span(&story), r->story));
	}
}

/* What is borrowed: the input when it has the whole line, the lent memory else. */
static void a_whole_line_is_not_copied(void **state)
{
	struct span in = SPAN("abc\r\nde"), line;
	const char *begin = in.at;
	char memory[LINE_MAX];
	struct lines l;

	(void)state;
	lines_start(&l, memory, sizeof memory);
	assert_int_equal(lines_next(&l, &in, &line), LINE_WHOLE);
	assert_ptr_equal(line.at, begin);
	assert_int_equal(lines_next(&l, &in, &line), LINE_MORE);
	in = SPAN("f\r\ng\r\n");
	begin = in.at;
	assert_int_equal(lines_next(&l, &in, &line), LINE_WHOLE);
	assert_ptr_equal(line.at, memory);
	assert_true(span_equal(line, SPAN("def")));
	assert_int_equal(lines_next(&l, &in, &line), LINE_WHOLE);
	assert_ptr_equal(line.at, begin + 3);
}

static void a_line_of_a_megabyte(void **state)
{
	static char memory[1 << 20], text[(1 << 20) + 2];
	static const size_t steps[] = { 1, 4095, 65536, sizeof text };

	(void)state;
	memset(text, 'x', sizeof text);
	text[100] = '\r';
	memcpy(text + sizeof text - 2, "\r\n", 2);
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct span line, in;
		struct lines l;
		enum line_got got = LINE_MORE;

		lines_start(&l, memory, sizeof memory);
		for (size_t at = 0; at < sizeof text; at += in.len) {
			struct span part;

			assert_int_equal(got, LINE_MORE);
			in = (struct span){ text + at, steps[i] < sizeof text - at ? steps[i] : sizeof text - at };
			part = in;
			got = lines_next(&l, &part, &line);
		}
		assert_int_equal(got, LINE_WHOLE);
		assert_true(span_equal(line, (struct span){ text, sizeof text - 2 }));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_tells_the_same_story),
		cmocka_unit_test(byte_by_byte_too),
		cmocka_unit_test(a_whole_line_is_not_copied),
		cmocka_unit_test(a_line_of_a_megabyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
