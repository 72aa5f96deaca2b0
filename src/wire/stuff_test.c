/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/stuff.h"

enum { ALL = -1 };

/* What TOP `lines`, or RETR, makes of a message. */
static const struct row {
	const char *name;
	struct span message;
	int lines;
	struct span wire;
} rows[] = {
	{ "empty", SPAN(""), ALL, SPAN(".\r\n") },
	{ "one line", SPAN("a\r\n"), ALL, SPAN("a\r\n.\r\n") },
	{ "no final line end", SPAN("a\r\nb"), ALL, SPAN("a\r\nb\r\n.\r\n") },
	{ "a final CR", SPAN("a\r"), ALL, SPAN("a\r\r\n.\r\n") },
	{ "a final lone LF", SPAN("a\n"), ALL, SPAN("a\n\r\n.\r\n") },
	{ "a dot first", SPAN(".a\r\n"), ALL, SPAN("..a\r\n.\r\n") },
	{ "a dot alone first", SPAN(".\r\nb\r\n"), ALL, SPAN("..\r\nb\r\n.\r\n") },
	{ "a dot and nothing else", SPAN("."), ALL, SPAN("..\r\n.\r\n") },
	{ "an end inside", SPAN("a\r\n.\r\nDELE 1\r\n"), ALL, SPAN("a\r\n..\r\nDELE 1\r\n.\r\n") },
	{ "a dot behind a lone LF", SPAN("a\n.\nb\r\n"), ALL, SPAN("a\n.\nb\r\n.\r\n") },
	{ "top 0", SPAN("h\r\n\r\nb\r\nc\r\n"), 0, SPAN("h\r\n\r\n.\r\n") },
	{ "top 1", SPAN("h\r\n\r\nb\r\nc\r\n"), 1, SPAN("h\r\n\r\nb\r\n.\r\n") },
	{ "top 2", SPAN("h\r\n\r\nb\r\nc\r\n"), 2, SPAN("h\r\n\r\nb\r\nc\r\n.\r\n") },
	{ "top 3", SPAN("h\r\n\r\nb\r\nc\r\n"), 3, SPAN("h\r\n\r\nb\r\nc\r\n.\r\n") },
	{ "header lines do not count", SPAN("h\r\nh\r\nh\r\n\r\nb\r\nc\r\n"), 1, SPAN("h\r\nh\r\nh\r\n\r\nb\r\n.\r\n") },
	{ "empty lines of the body do", SPAN("h\r\n\r\n\r\n\r\nc\r\n"), 2, SPAN("h\r\n\r\n\r\n\r\n.\r\n") },
	{ "no body", SPAN("h\r\n\r\n"), 5, SPAN("h\r\n\r\n.\r\n") },
	{ "no empty line", SPAN("h\r\ni\r\n"), 0, SPAN("h\r\ni\r\n.\r\n") },
	{ "no empty line, no end", SPAN("h"), 0, SPAN("h\r\n.\r\n") },
	{ "no header", SPAN("\r\nb\r\nc\r\n"), 0, SPAN("\r\n.\r\n") },
	{ "no header, a line", SPAN("\r\nb\r\nc\r\n"), 1, SPAN("\r\nb\r\n.\r\n") },
	{ "top of nothing", SPAN(""), 0, SPAN(".\r\n") },
	{ "dots in the header", SPAN(".\r\n.h\r\n\r\nb\r\n"), 0, SPAN("..\r\n..h\r\n\r\n.\r\n") },
	{ "a dot right behind the cut", SPAN("h\r\n\r\n.b\r\n"), 0, SPAN("h\r\n\r\n.\r\n") },
	{ "dots on both sides of the cut", SPAN("h\r\n\r\n.b\r\n.c\r\n"), 1, SPAN("h\r\n\r\n..b\r\n.\r\n") },
	{ "the body's last line has no end", SPAN("h\r\n\r\nb\r\nc"), 2, SPAN("h\r\n\r\nb\r\nc\r\n.\r\n") },
	{ "a lone LF ends no line", SPAN("h\r\n\n\r\n\r\nb\nc\r\nd\r\n"), 1, SPAN("h\r\n\n\r\n\r\nb\nc\r\n.\r\n") },
	{ "a lone CR makes a line that is not empty", SPAN("h\r\n\r\r\ni\r\n\r\nb\r\n"), 0, SPAN("h\r\n\r\r\ni\r\n\r\n.\r\n") },
	{ "NULs", SPAN("\0\r\n\r\n\0\r\n\0"), 1, SPAN("\0\r\n\r\n\0\r\n.\r\n") },
};

static bool has_dots(struct span m)
{
	for (size_t i = 0; i < m.len; i++)
		if (m.at[i] == '.' && (i == 0 || (i > 1 && m.at[i - 1] == '\n' && m.at[i - 2] == '\r')))
			return true;
	return false;
}

static void part(struct stuff *f, struct span in, struct buf *wire, const struct row *r)
{
	char *copy = malloc(in.len + !in.len);
	struct span left = { copy, in.len }, piece;

	assert_non_null(copy);
	if (in.len)
		memcpy(copy, in.at, in.len);
	while (stuff_next(f, &left, &piece)) {
		assert_true(piece.len && piece.at >= copy && piece.at + piece.len <= copy + in.len);	/* borrowed, never copied */
		if (!buf_add(wire, piece))
			fail_msg("%s: too much", r->name);
	}
	assert_int_equal(left.len, 0);
	free(copy);
}

static void check(const struct row *r, size_t a, size_t b, bool clean)
{
	char memory[256];
	struct buf wire;
	struct stuff f;

	buf_lend(&wire, memory, sizeof memory);
	stuff_start(&f, r->lines == ALL, r->lines == ALL ? 0 : (uint32_t)r->lines, clean);
	part(&f, (struct span){ r->message.at, a }, &wire, r);
	part(&f, (struct span){ r->message.at + a, b - a }, &wire, r);
	part(&f, span_from(r->message, b), &wire, r);
	assert_true(buf_add(&wire, stuff_end(&f)));
	if (!span_equal(buf_span(&wire), r->wire))
		fail_msg("%s (cut %zu %zu, clean %d): \"%.*s\"", r->name, a, b, clean, (int)wire.len, wire.at);
}

static void rows_cut_in_three(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t a = 0; a <= r->message.len; a++)
			for (size_t b = a; b <= r->message.len; b++) {
				check(r, a, b, false);
				if (!has_dots(r->message))
					check(r, a, b, true);
			}
}

/* Nothing behind the cut need be read, and that is known with the line end that decides it. */
static void enough_is_known(void **state)
{
	struct span in = SPAN("h\r\n\r\nb\r\n"), piece;
	struct stuff f;

	(void)state;
	stuff_start(&f, false, 1, true);
	assert_true(stuff_next(&f, &in, &piece) && piece.len == 8 && stuff_enough(&f));
	in = SPAN("c\r\n");
	assert_false(stuff_next(&f, &in, &piece));
	assert_true(!in.len && span_equal(stuff_end(&f), SPAN(".\r\n")));
	stuff_start(&f, true, 0, true);
	in = SPAN("h\r\n\r\nb\r\n");
	assert_true(stuff_next(&f, &in, &piece) && piece.len == 8 && !stuff_enough(&f));
}

/* A clean message of any size goes out in the pieces that it came in. */
static void clean_pieces_pass_whole(void **state)
{
	static char large[1 << 20];
	struct span in = { large, sizeof large }, piece;
	struct stuff f;

	(void)state;
	memset(large, '.', sizeof large);	/* it is not looked at */
	stuff_start(&f, true, 0, true);
	assert_true(stuff_next(&f, &in, &piece));
	assert_true(piece.at == large && piece.len == sizeof large && !in.len);
	assert_false(stuff_next(&f, &in, &piece));
	assert_true(span_equal(stuff_end(&f), SPAN("\r\n.\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_cut_in_three),
		cmocka_unit_test(enough_is_known),
		cmocka_unit_test(clean_pieces_pass_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
