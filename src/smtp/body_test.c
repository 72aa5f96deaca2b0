/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "smtp/body.h"
#include "wire/dot.h"

static const struct row {
	const char *name;
	struct span message, data, chunk;
} rows[] = {
	{ "nothing", SPAN(""), SPAN(".\r\n"), SPAN("") },
	{ "a line", SPAN("a\r\n"), SPAN("a\r\n.\r\n"), SPAN("a\r\n") },
	{ "no end", SPAN("a"), SPAN("a\r\n.\r\n"), SPAN("a\r\n") },
	{ "half an end", SPAN("a\r"), SPAN("a\r\n.\r\n"), SPAN("a\r\n") },
	{ "a dot", SPAN("."), SPAN("..\r\n.\r\n"), SPAN(".\r\n") },
	{ "dots", SPAN(".\r\n..\r\na.\r\n.b"), SPAN("..\r\n...\r\na.\r\n..b\r\n.\r\n"), SPAN(".\r\n..\r\na.\r\n.b\r\n") },
	{ "a line feed alone", SPAN("a\n.\nb\n"), SPAN("a\r\n..\r\nb\r\n.\r\n"), SPAN("a\r\n.\r\nb\r\n") },
	{ "a return alone", SPAN("a\r.\rb\r\n"), SPAN("a\r\n..\r\nb\r\n.\r\n"), SPAN("a\r\n.\r\nb\r\n") },
	{ "two returns and a line feed", SPAN("a\r\r\n.\r\n"), SPAN("a\r\n\r\n..\r\n.\r\n"), SPAN("a\r\n\r\n.\r\n") },
	{ "the other way round", SPAN("\n\r\n\r."), SPAN("\r\n\r\n\r\n..\r\n.\r\n"), SPAN("\r\n\r\n\r\n.\r\n") },
	{ "smuggling", SPAN("a\r\n.\nMAIL"), SPAN("a\r\n..\r\nMAIL\r\n.\r\n"), SPAN("a\r\n.\r\nMAIL\r\n") },
	{ "NUL and eight bits", SPAN("\0\xff\r\n.\0"), SPAN("\0\xff\r\n..\0\r\n.\r\n"), SPAN("\0\xff\r\n.\0\r\n") },
};

static void add(struct smtp_body *b, struct span in, struct buf *out)
{
	char *copy = malloc(in.len + 1);
	struct span piece;

	memcpy(copy, in.at, in.len);
	in.at = copy;
	while (smtp_body_next(b, &in, &piece)) {
		assert_true(piece.len);
		assert_true(buf_add(out, piece));
	}
	assert_int_equal(in.len, 0);
	free(copy);
}

static void send(const struct row *r, bool chunked, size_t cut, size_t again)
{
	struct span want = chunked ? r->chunk : r->data, m = r->message;
	struct smtp_body b;
	char memory[256];
	struct buf out;

	buf_lend(&out, memory, sizeof memory);
	smtp_body_start(&b, chunked);
	add(&b, (struct span){ m.at, cut }, &out);
	add(&b, (struct span){ m.at + cut, again - cut }, &out);
	add(&b, span_from(m, again), &out);
	assert_true(buf_add(&out, smtp_body_end(&b)));
	if (!span_equal(buf_span(&out), want))
		fail_msg("%s (%zu, %zu): \"%.*s\"", r->name, cut, again, (int)out.len, out.at);
}

static void every_split_is_the_same(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->message.len; cut++)
			for (size_t again = cut; again <= r->message.len; again++)
				for (int chunked = 0; chunked < 2; chunked++)
					send(r, chunked, cut, again);
}

static void looking(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		for (size_t cut = 0; cut <= r->message.len; cut++) {
			struct smtp_look l = { 0 };

			smtp_look(&l, (struct span){ r->message.at, cut });
			smtp_look(&l, span_from(r->message, cut));
			smtp_look_end(&l);
			assert_int_equal(l.octets, r->chunk.len);
			assert_int_equal(l.eight_bit, span_find(r->message, '\xff') < r->message.len);
		}
	}
}

/* What a server makes of it (wire/dot.h). */
static void the_way_back(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct span in = r->data, piece;
		struct dot_in d = { 0 };
		char memory[256];
		struct buf out;
		enum dot_got got;

		buf_lend(&out, memory, sizeof memory);
		while ((got = dot_next(&d, &in, &piece)) == DOT_BODY)
			assert_true(buf_add(&out, piece));
		assert_int_equal(got, DOT_END);
		assert_true(!in.len && span_equal(buf_span(&out), r->chunk));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_is_the_same),
		cmocka_unit_test(looking),
		cmocka_unit_test(the_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
