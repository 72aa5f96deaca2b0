/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/crlf.h"

static const struct row { const char *name; struct span in, want; } rows[] = {
	{ "nothing", SPAN(""), SPAN("") },
	{ "no line end", SPAN("ab"), SPAN("ab") },
	{ "LF", SPAN("a\nb\n"), SPAN("a\r\nb\r\n") },
	{ "CRLF stays", SPAN("a\r\nb\r\n"), SPAN("a\r\nb\r\n") },
	{ "both", SPAN("a\r\nb\nc\r\n"), SPAN("a\r\nb\r\nc\r\n") },
	{ "LF alone", SPAN("\n"), SPAN("\r\n") },
	{ "empty lines", SPAN("\n\n\r\n\n"), SPAN("\r\n\r\n\r\n\r\n") },
	{ "a lone CR", SPAN("a\rb\n"), SPAN("a\rb\r\n") },
	{ "a CR at the end", SPAN("a\r"), SPAN("a\r") },
	{ "two CRs", SPAN("a\r\r\n"), SPAN("a\r\r\n") },
	{ "CR, LF, LF", SPAN("\r\n\n"), SPAN("\r\n\r\n") },
	{ "NUL", SPAN("\0\n\0"), SPAN("\0\r\n\0") },
	{ "no end behind a line", SPAN("a\n.\nb"), SPAN("a\r\n.\r\nb") },
};

static void same(const struct row *r, struct span got, const char *how, size_t cut)
{
	if (!span_equal(got, r->want))
		fail_msg("%s: %s %zu: %zu octets, not %zu, or others", r->name, how, cut, got.len, r->want.len);
}

/* Memory of its own, so that a read behind the end is seen. */
static char *copy_of(struct span s)
{
	char *copy = malloc(s.len + !s.len);

	assert_non_null(copy);
	if (s.len)
		memcpy(copy, s.at, s.len);
	return copy;
}

static size_t convert(struct crlf *c, struct span part, char *out, size_t room, size_t step)
{
	char *copy = copy_of(part);
	struct span in = { copy, part.len };
	size_t n = 0;

	while (in.len) {
		size_t got = crlf_out(c, &in, out + n, step < room - n ? step : room - n);

		assert_true(got);
		n += got;
	}
	free(copy);
	return n;
}

static void the_input_may_be_cut_anywhere([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->in.len; cut++)
			for (size_t step = 1; step < 5; step++) {
				char out[64];
				struct crlf c = { 0 }, counted = { 0 };
				size_t n = convert(&c, (struct span){ r->in.at, cut }, out, sizeof out, step);

				n += convert(&c, span_from(r->in, cut), out + n, sizeof out - n, step);
				same(r, (struct span){ out, n }, "input cut at", cut);
				assert_int_equal(crlf_count(&counted, (struct span){ r->in.at, cut }) +
					crlf_count(&counted, span_from(r->in, cut)), r->want.len);
				assert_true(counted.cr == c.cr);
			}
}

/* Who could use only k octets goes on from there: nothing twice, nothing left out. */
static void what_was_not_used_comes_again([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t k = 0; k <= r->want.len; k++) {
			char out[64], again[64];
			struct crlf c = { 0 }, before = c;
			struct span in = r->in, rest = r->in;
			size_t n = crlf_out(&c, &in, out, sizeof out);

			assert_int_equal(n, r->want.len);
			assert_int_equal(crlf_out(&before, &rest, again, k), k);
			assert_memory_equal(again, out, k);
			n = k + crlf_out(&before, &rest, again + k, sizeof again - k);
			same(r, (struct span){ again, n }, "used", k);
			assert_int_equal(rest.len, 0);
		}
}

static void no_room_takes_nothing([[maybe_unused]] void **state)
{
	struct span in = SPAN("\n");
	struct crlf c = { 0 };
	char out[2];

	assert_int_equal(crlf_out(&c, &in, out, 0), 0);
	assert_true(in.len == 1 && !c.cr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_input_may_be_cut_anywhere),
		cmocka_unit_test(what_was_not_used_comes_again),
		cmocka_unit_test(no_room_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
