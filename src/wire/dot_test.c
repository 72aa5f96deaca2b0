/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/dot.h"

/* `body` in brackets is a whole one; without the ] the final dot did not come.  Then what was left. */
static const struct row {
	const char *name;
	struct span wire;
	struct span story;
} rows[] = {
	{ "nothing",                            SPAN(""),                              SPAN("[") },
	{ "an empty body",                      SPAN(".\r\n"),                         SPAN("[]") },
	{ "one empty line",                     SPAN("\r\n.\r\n"),                     SPAN("[\r\n]") },
	{ "one line",                           SPAN("a\r\n.\r\n"),                    SPAN("[a\r\n]") },
	{ "what follows stays",                 SPAN("a\r\n.\r\n+OK\r\n"),             SPAN("[a\r\n]+OK\r\n") },
	{ "a second end stays",                 SPAN(".\r\n.\r\n"),                    SPAN("[].\r\n") },
	{ "no end",                             SPAN("a\r\nb\r\n"),                    SPAN("[a\r\nb\r\n") },
	{ "half an end",                        SPAN("a\r\n."),                        SPAN("[a\r\n") },
	{ "most of an end",                     SPAN("a\r\n.\r"),                      SPAN("[a\r\n") },
	{ "a stuffed dot at byte 0",            SPAN("..a\r\n.\r\n"),                  SPAN("[.a\r\n]") },
	{ "a line of one stuffed dot first",    SPAN("..\r\n.\r\n"),                   SPAN("[.\r\n]") },
	{ "a line of one stuffed dot",          SPAN("a\r\n..\r\nb\r\n.\r\n"),         SPAN("[a\r\n.\r\nb\r\n]") },
	{ "many dots",                          SPAN("....\r\n....\r\n.\r\n"),         SPAN("[...\r\n...\r\n]") },
	{ "dots within lines",                  SPAN("a.\r\nb..c\r\n.\r\n"),           SPAN("[a.\r\nb..c\r\n]") },
	{ "a dot the server did not stuff",     SPAN(".a\r\n.\r\n"),                   SPAN("[.a\r\n]") },
	{ "dot, lone LF: not the end",          SPAN("a\r\n.\nb\r\n.\r\n"),            SPAN("[a\r\n.\nb\r\n]") },
	{ "dot, lone CR: not the end",          SPAN("a\r\n.\rb\r\n.\r\n"),            SPAN("[a\r\n.\rb\r\n]") },
	{ "dot, CR, CRLF: not the end",         SPAN(".\r\r\n.\r\n"),                  SPAN("[.\r\r\n]") },
	{ "dot, CR, dot",                       SPAN(".\r.\r\n.\r\n"),                 SPAN("[.\r.\r\n]") },
	{ "lone LFs around the dot end nothing", SPAN("a\n.\nb\r\n.\r\n"),             SPAN("[a\n.\nb\r\n]") },
	{ "LF dot CRLF ends nothing",           SPAN("a\n.\r\nb\r\n.\r\n"),            SPAN("[a\n.\r\nb\r\n]") },
	{ "a lone LF first, then a dot",        SPAN("\n.\r\n.\r\n"),                  SPAN("[\n.\r\n]") },
	{ "two dots after a lone LF stay",      SPAN("a\n..b\r\n.\r\n"),               SPAN("[a\n..b\r\n]") },
	{ "lone CRs around the dot",            SPAN("a\r.\rb\r\n.\r\n"),              SPAN("[a\r.\rb\r\n]") },
	{ "CR CR LF dot",                       SPAN("a\r\r\n.\r\n"),                  SPAN("[a\r\r\n]") },
	{ "LF CR dot",                          SPAN("a\n\r.\r\n.\r\n"),               SPAN("[a\n\r.\r\n]") },
	{ "NULs are bytes",                     SPAN("\0\r\n..\0\r\n\0.\r\n.\r\n\0"),  SPAN("[\0\r\n.\0\r\n\0.\r\n]\0") },
	{ "octets above 127",                   SPAN("\xff\r\n..\xff\r\n.\r\n"),       SPAN("[\xff\r\n.\xff\r\n]") },
};

/* Bodies on their way out.  Those that end with CRLF come back as they were. */
static const struct out_row {
	const char *name;
	struct span body;
	struct span wire;
} out_rows[] = {
	{ "an empty body",            SPAN(""),                     SPAN(".\r\n") },
	{ "one line",                 SPAN("a\r\n"),                SPAN("a\r\n.\r\n") },
	{ "one empty line",           SPAN("\r\n"),                 SPAN("\r\n.\r\n") },
	{ "no final newline",         SPAN("a\r\nb"),               SPAN("a\r\nb\r\n.\r\n") },
	{ "a final lone LF",          SPAN("a\n"),                  SPAN("a\n\r\n.\r\n") },
	{ "a final lone CR",          SPAN("a\r"),                  SPAN("a\r\r\n.\r\n") },
	{ "a dot alone",              SPAN("."),                    SPAN("..\r\n.\r\n") },
	{ "a dot at byte 0",          SPAN(".a\r\n"),               SPAN("..a\r\n.\r\n") },
	{ "a line of one dot first",  SPAN(".\r\n+OK\r\n"),         SPAN("..\r\n+OK\r\n.\r\n") },
	{ "lines of one dot",         SPAN("a\r\n.\r\n.\r\n"),      SPAN("a\r\n..\r\n..\r\n.\r\n") },
	{ "many dots",                SPAN("...\r\n...\r\n"),       SPAN("....\r\n....\r\n.\r\n") },
	{ "dots within lines",        SPAN("a.b\r\n .\r\n"),        SPAN("a.b\r\n .\r\n.\r\n") },
	{ "a dot after a lone LF",    SPAN("a\n.\r\n"),             SPAN("a\n.\r\n.\r\n") },
	{ "a dot after a lone CR",    SPAN("a\r.\r\n"),             SPAN("a\r.\r\n.\r\n") },
	{ "a dot after CR CR LF",     SPAN("a\r\r\n.b\r\n"),        SPAN("a\r\r\n..b\r\n.\r\n") },
	{ "a dot last",               SPAN("a\r\n."),               SPAN("a\r\n..\r\n.\r\n") },
	{ "NULs are bytes",           SPAN("\0\r\n.\0\r\n"),        SPAN("\0\r\n..\0\r\n.\r\n") },
};

/* A part in memory of its own, so that a sanitizer sees a reach across. */
static char *copy(struct span s)
{
	char *at = malloc(s.len + !s.len);

	assert_non_null(at);
	if (s.len)
		memcpy(at, s.at, s.len);
	return at;
}

/* Feeds one part; after the end what comes is left over. */
static void tell_in(struct dot_in *d, bool *over, struct span part, struct buf *story)
{
	char *memory = copy(part);
	struct span in = { memory, part.len }, piece;

	while (!*over) {
		enum dot_got got = dot_next(d, &in, &piece);

		if (got == DOT_MORE) {
			assert_int_equal(in.len, 0);
			break;
		}
		*over = got == DOT_END;
		assert_true(*over || piece.len);
		assert_true(buf_add(story, *over ? SPAN("]") : piece));
	}
	assert_true(buf_add(story, in));
	free(memory);
}

static void tell_out(struct dot_out *d, struct span part, struct buf *wire)
{
	char *memory = copy(part);
	struct span in = { memory, part.len }, piece;

	while (dot_out_next(d, &in, &piece)) {
		assert_true(piece.len);
		assert_true(buf_add(wire, piece));
	}
	assert_int_equal(in.len, 0);
	free(memory);
}

static void unstuff(struct span wire, size_t a, size_t b, struct buf *story)
{
	struct dot_in d = { 0 };
	bool over = false;

	assert_true(buf_add_byte(story, '['));
	tell_in(&d, &over, (struct span){ wire.at, a }, story);
	tell_in(&d, &over, (struct span){ wire.at + a, b - a }, story);
	tell_in(&d, &over, span_from(wire, b), story);
	assert_true(!over || d.state == 0);
}

static void stuff(struct span body, size_t a, size_t b, struct buf *wire)
{
	struct dot_out d = { 0 };

	tell_out(&d, (struct span){ body.at, a }, wire);
	tell_out(&d, (struct span){ body.at + a, b - a }, wire);
	tell_out(&d, span_from(body, b), wire);
	assert_true(buf_add(wire, dot_out_end(&d)));
	assert_int_equal(d.state, 0);
}

static void any_split_comes_in_alike(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t a = 0; a <= r->wire.len; a++)
			for (size_t b = a; b <= r->wire.len; b++) {
				char memory[256];
				struct buf story;

				buf_lend(&story, memory, sizeof memory);
				unstuff(r->wire, a, b, &story);
				if (!span_equal(buf_span(&story), r->story))
					fail_msg("%s, split at %zu and %zu: %.*s", r->name, a, b, (int)story.len, story.at);
			}
}

static void byte_by_byte_too(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct dot_in d = { 0 };
		bool over = false;
		char memory[256];
		struct buf story;

		buf_lend(&story, memory, sizeof memory);
		assert_true(buf_add_byte(&story, '['));
		for (size_t i = 0; i < r->wire.len; i++)
			tell_in(&d, &over, (struct span){ r->wire.at + i, 1 }, &story);
		assert_true(span_equal(buf_span(&story), r->story));
	}
}

static void any_split_goes_out_alike(void **state)
{
	(void)state;
	for (const struct out_row *r = out_rows; r < out_rows + COUNT(out_rows); r++)
		for (size_t a = 0; a <= r->body.len; a++)
			for (size_t b = a; b <= r->body.len; b++) {
				char memory[256];
				struct buf wire;

				buf_lend(&wire, memory, sizeof memory);
				stuff(r->body, a, b, &wire);
				if (!span_equal(buf_span(&wire), r->wire))
					fail_msg("%s, split at %zu and %zu: %.*s", r->name, a, b, (int)wire.len, wire.at);
			}
}

/* Every body of six octets that matter, out and in again at every split. */
static void what_goes_out_comes_back(void **state)
{
	static const char octets[] = { '\r', '\n', '.', 'x' };

	(void)state;
	for (unsigned i = 0; i < 1 << 12; i++) {
		char text[6 + 2], memory[64], back_memory[64];
		struct span body = { text, 6 };
		struct buf wire, back, want;

		for (unsigned k = 0; k < 6; k++)
			text[k] = octets[i >> 2 * k & 3];
		buf_lend(&wire, memory, sizeof memory);
		stuff(body, i % 7, 6, &wire);
		if (memcmp(text + 4, "\r\n", 2) != 0)
			memcpy(text + body.len, "\r\n", 2), body.len += 2;
		for (size_t a = 0; a <= wire.len; a++) {
			char want_memory[64];

			buf_lend(&back, back_memory, sizeof back_memory);
			buf_lend(&want, want_memory, sizeof want_memory);
			assert_true(buf_add_byte(&want, '[') && buf_add(&want, body) && buf_add_byte(&want, ']'));
			unstuff(buf_span(&wire), a, wire.len, &back);
			assert_true(span_equal(buf_span(&back), buf_span(&want)));
		}
	}
}

/* The end of one body may be followed by the next in the same object. */
static void one_object_serves_body_after_body(void **state)
{
	struct span in = SPAN("a\r\n.\r\n..b\r\n.\r\n.\r\nrest"), piece;
	struct dot_in d = { 0 };

	(void)state;
	assert_int_equal(dot_next(&d, &in, &piece), DOT_BODY);
	assert_true(span_equal(piece, SPAN("a\r\n")));
	assert_int_equal(dot_next(&d, &in, &piece), DOT_END);
	assert_int_equal(dot_next(&d, &in, &piece), DOT_BODY);
	assert_true(span_equal(piece, SPAN(".b\r\n")));
	assert_int_equal(dot_next(&d, &in, &piece), DOT_END);
	assert_int_equal(dot_next(&d, &in, &piece), DOT_END);
	assert_true(span_equal(in, SPAN("rest")));
}

/* A megabyte without a line end is one piece, not copied, and no state grows. */
static void a_line_of_a_megabyte(void **state)
{
	enum { SIZE = 1 << 20 };
	static char text[SIZE + 6];
	struct span in = { text, sizeof text }, piece;
	struct dot_in d = { 0 };
	struct dot_out out = { 0 };

	(void)state;
	memset(text, '.', sizeof text);
	text[0] = 'x';
	memcpy(text + SIZE, "\r\n.\r\n", 6);
	in.len = SIZE + 5;
	assert_int_equal(dot_next(&d, &in, &piece), DOT_BODY);
	assert_ptr_equal(piece.at, text);
	assert_int_equal(piece.len, SIZE + 2);
	assert_int_equal(dot_next(&d, &in, &piece), DOT_END);
	in = (struct span){ text, SIZE };
	assert_true(dot_out_next(&out, &in, &piece));
	assert_int_equal(piece.len, SIZE);
	assert_true(span_equal(dot_out_end(&out), SPAN("\r\n.\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_comes_in_alike),
		cmocka_unit_test(byte_by_byte_too),
		cmocka_unit_test(any_split_goes_out_alike),
		cmocka_unit_test(what_goes_out_comes_back),
		cmocka_unit_test(one_object_serves_body_after_body),
		cmocka_unit_test(a_line_of_a_megabyte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
