/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/header.h"

/* Each field as {name|value}, then the body. */
static const struct row {
	const char *name;
	struct span message;
	struct span story;
} rows[] = {
	{ "nothing",                    SPAN(""),                                       SPAN("") },
	{ "no header, an empty line",   SPAN("\r\nbody: x\r\n"),                        SPAN("body: x\r\n") },
	{ "no header, no empty line",   SPAN("just text\r\nA: b\r\n"),                  SPAN("just text\r\nA: b\r\n") },
	{ "one field",                  SPAN("A: b\r\n\r\nbody"),                       SPAN("{A|b}body") },
	{ "two fields",                 SPAN("A: b\r\nC:d\r\n\r\n"),                    SPAN("{A|b}{C|d}") },
	{ "line ends by LF",            SPAN("A: b\nC: d\n\nbody"),                     SPAN("{A|b}{C|d}body") },
	{ "mixed line ends",            SPAN("A: b\nC: d\r\n\nbody"),                   SPAN("{A|b}{C|d}body") },
	{ "an empty value",             SPAN("A:\r\nB: \r\n\r\nx"),                     SPAN("{A|}{B|}x") },
	{ "colons in the value",        SPAN("A: b: c:d\r\n\r\n"),                      SPAN("{A|b: c:d}") },
	{ "a fold stays in the value",  SPAN("A: b\r\n\tc\r\n  d\r\nE: f\r\n"),         SPAN("{A|b\r\n\tc\r\n  d}{E|f}") },
	{ "a value of folds only",      SPAN("A:\r\n b\r\n \r\n\r\nx"),                 SPAN("{A|b}x") },
	{ "a fold by LF",               SPAN("A: b\n c\n\nx"),                          SPAN("{A|b\n c}x") },
	{ "a fold first is no field",   SPAN(" b\r\nA: c\r\n"),                         SPAN(" b\r\nA: c\r\n") },
	{ "no final line end",          SPAN("A: b\r\nC: d"),                           SPAN("{A|b}{C|d}") },
	{ "cut in a name",              SPAN("A: b\r\nSubj"),                           SPAN("{A|b}Subj") },
	{ "cut behind a name",          SPAN("A: b\r\nSubject:"),                       SPAN("{A|b}{Subject|}") },
	{ "cut in a line end",          SPAN("A: b\r"),                                 SPAN("{A|b}") },
	{ "cut in the empty line",      SPAN("A: b\r\n\r"),                             SPAN("{A|b}\r") },
	{ "blanks before the colon",    SPAN("A \t: b\r\n\r\n"),                        SPAN("{A|b}") },
	{ "no name",                    SPAN("A: b\r\n: c\r\n"),                        SPAN("{A|b}: c\r\n") },
	{ "two words before the colon", SPAN("A: b\r\nC d: e\r\n"),                     SPAN("{A|b}C d: e\r\n") },
	{ "a line without colon",       SPAN("A: b\r\nC\r\nD: e\r\n"),                  SPAN("{A|b}C\r\nD: e\r\n") },
	{ "8-bit in a name",            SPAN("A: b\r\n\xc3\xa9: c\r\n"),                SPAN("{A|b}\xc3\xa9: c\r\n") },
	{ "8-bit in a value",           SPAN("A: \xc3\xa9\xff\r\n"),                    SPAN("{A|\xc3\xa9\xff}") },
	{ "NULs",                       SPAN("A: \0b\0\r\n\0: c\r\n"),                  SPAN("{A|\0b\0}\0: c\r\n") },
	{ "a lone CR ends nothing",     SPAN("A: b\rC: d\r\n\r\n"),                     SPAN("{A|b\rC: d}") },
	{ "CR CRLF is no empty line",   SPAN("A: b\r\n\r\r\nC: d\r\n"),                 SPAN("{A|b}\r\r\nC: d\r\n") },
	{ "mbox's From line",           SPAN("From a@b Sat Jan  3 01:05:34 1996\r\nA: b\r\n\r\nx"), SPAN("{A|b}x") },
	{ "a From line alone",          SPAN("From a@b"),                               SPAN("") },
	{ "a From field, old form",     SPAN("From : a@b\r\n\r\n"),                     SPAN("{From|a@b}") },
	{ "a From line only folds",     SPAN("From a\r\n b\r\nA: c\r\n"),               SPAN(" b\r\nA: c\r\n") },
	{ "the body is not looked at",  SPAN("A: b\r\n\r\nSubject: c\r\n"),             SPAN("{A|b}Subject: c\r\n") },
};

static void add(struct buf *b, const char *before, struct span s)
{
	assert_true(buf_add(b, span_of(before)) && buf_add(b, s));
}

static void fields_in_order(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char *copy = malloc(r->message.len + 1), memory[512];
		struct span left = { copy, r->message.len };
		struct header_field f;
		struct buf story;

		assert_non_null(copy);
		memcpy(copy, r->message.at, r->message.len);
		buf_lend(&story, memory, sizeof memory);
		while (header_next(&left, &f)) {
			add(&story, "{", f.name);
			add(&story, "|", f.value);
			add(&story, "}", SPAN(""));
		}
		add(&story, "", left);
		if (!span_equal(buf_span(&story), r->story))
			fail_msg("%s: %.*s", r->name, (int)story.len, story.at);
		assert_true(!left.len || left.at + left.len == copy + r->message.len);
		free(copy);
	}
}

/* However early a message is cut, its fields are the first of the whole one's. */
static void any_cut_is_safe(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->message.len; cut++) {
			char *copy = malloc(cut + !cut);
			struct span left = { copy, cut }, whole = r->message;
			struct header_field f, g;

			assert_non_null(copy);
			memcpy(copy, r->message.at, cut);
			while (header_next(&left, &f)) {
				if (!header_next(&whole, &g))
					break;
				assert_true(span_starts(g.name, f.name) && span_starts(g.value, f.value));
			}
			free(copy);
		}
}

static void the_first_of_a_name(void **state)
{
	struct span message = SPAN("Received: 1\r\nSUBJECT: a\r\nsubject: b\r\nX-Date: no\r\ndate: d\r\n\r\nTo: x\r\n"), value;

	(void)state;
	assert_true(header_find(message, "Subject", &value));
	assert_true(span_equal(value, SPAN("a")));
	assert_true(header_find(message, "Date", &value));
	assert_true(span_equal(value, SPAN("d")));
	assert_false(header_find(message, "To", &value));
	assert_false(header_find(message, "Sub", &value));
	assert_true(span_equal(value, SPAN("d")));
}

static const struct shown {
	const char *name;
	struct span value;
	const char *text;
} shown[] = {
	{ "nothing",            SPAN(""),                             "" },
	{ "plain",              SPAN("Hello, world"),                 "Hello, world" },
	{ "a fold",             SPAN("a\r\n b"),                      "a b" },
	{ "a wide fold",        SPAN("a\r\n \t  b"),                  "a b" },
	{ "folds by LF",        SPAN("a\n b\n\tc"),                   "a b c" },
	{ "folds in a row",     SPAN("a\r\n \r\n b"),                 "a b" },
	{ "a tab",              SPAN("a\tb"),                         "a b" },
	{ "a lone CR",          SPAN("a\rb"),                         "a?b" },
	{ "control octets",     SPAN("a\0b\x1b[31mc\x7f"),            "a?b?[31mc?" },
	{ "UTF-8",              SPAN("Gr\xc3\xbc\xc3\x9f" "e"),       "Gr\xc3\xbc\xc3\x9f" "e" },
	{ "a C1 control",       SPAN("a\xc2\x9b" "31m"),              "a??31m" },
	{ "not UTF-8",          SPAN("Gr\xfc\xdf" "e"),               "Gr??e" },
};

static void shown_values(void **state)
{
	(void)state;
	for (const struct shown *s = shown; s < shown + COUNT(shown); s++) {
		char out[64];

		header_value(s->value, out, sizeof out);
		assert_string_equal(out, s->text);
	}
}

static void a_value_is_cut_at_the_limit(void **state)
{
	(void)state;
	for (size_t size = 1; size < 12; size++) {
		char *out = malloc(size);

		assert_non_null(out);
		header_value(SPAN("ab\r\n cde"), out, size);
		assert_int_equal(strlen(out), size - 1 < 6 ? size - 1 : 6);
		assert_memory_equal(out, "ab cde", strlen(out));
		free(out);
	}
}

/* Time must grow with length only: a million folds, a million fields. */
static void a_long_header(void **state)
{
	enum { SIZE = 1 << 20 };
	static char text[SIZE];
	struct span left = { text, SIZE };
	struct header_field f;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		text[i] = i % 2 ? '\n' : ' ';
	memcpy(text, "A:", 2);
	assert_true(header_next(&left, &f));
	assert_int_equal(left.len, 0);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = "A:b\n"[i % 4];
	for (left = (struct span){ text, SIZE }; header_next(&left, &f);)
		count++;
	assert_int_equal(count, SIZE / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_in_order),
		cmocka_unit_test(any_cut_is_safe),
		cmocka_unit_test(the_first_of_a_name),
		cmocka_unit_test(shown_values),
		cmocka_unit_test(a_value_is_cut_at_the_limit),
		cmocka_unit_test(a_long_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
