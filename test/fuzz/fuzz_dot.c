/* SPDX-License-Identifier: Apache-2.0
 *
 * Dots: a body comes in alike out of every cut, and like out of a naive reader;
 * what goes out comes back. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/dot.h"

static void must(bool added)
{
	assert(added);
}

/* Line by CRLF line.  True with the body and what follows it, false when the end did not come. */
static bool naive_in(struct span wire, struct buf *body, struct span *rest)
{
	while (wire.len) {
		const char *end = memmem(wire.at, wire.len, "\r\n", 2);
		size_t n = end ? (size_t)(end - wire.at) + 2 : wire.len;
		struct span line = { wire.at, n };

		wire = span_from(wire, n);
		if (span_equal(line, SPAN(".\r\n"))) {
			*rest = wire;
			return true;
		}
		if (!end && (span_equal(line, SPAN(".\r")) || span_equal(line, SPAN("."))))
			return false;	/* nobody knows yet whose dot it is */
		must(buf_add(body, span_from(line, span_starts(line, SPAN("..")))));
	}
	return false;
}

static bool feed_in(struct feed *f, struct buf *body, size_t *rest)
{
	struct dot_in d = { 0 };
	struct span part, piece;

	while (feed_next(f, &part)) {
		enum dot_got got;

		while ((got = dot_next(&d, &part, &piece)) == DOT_BODY) {
			assert(piece.len);
			must(buf_add(body, piece));
		}
		*rest = part.len + f->left.len;
		feed_end(f);
		if (got == DOT_END)
			return true;
		assert(got == DOT_MORE && !part.len);
	}
	return false;
}

static void comes_in(const uint8_t *data, size_t size)
{
	struct buf body, want;
	struct span want_rest;
	size_t rest = 0;
	struct feed f;
	bool ended;

	buf_start(&body, size + 1);
	buf_start(&want, size + 1);
	feed_start(&f, data, size);
	ended = naive_in(f.all, &want, &want_rest);
	assert(feed_in(&f, &body, &rest) == ended);
	assert(span_equal(buf_span(&body), buf_span(&want)));
	assert(!ended || rest == want_rest.len);
	buf_end(&body);
	buf_end(&want);
}

static void goes_out_and_back(const uint8_t *data, size_t size)
{
	struct dot_out out = { 0 };
	struct buf wire, body;
	struct span part, piece, rest;
	struct feed f;

	buf_start(&wire, 2 * size + 16);
	buf_start(&body, 2 * size + 16);
	feed_start(&f, data, size);
	while (feed_next(&f, &part))
		while (dot_out_next(&out, &part, &piece)) {
			assert(piece.len);
			must(buf_add(&wire, piece));
		}
	must(buf_add(&wire, dot_out_end(&out)) && buf_add(&wire, SPAN("+OK")));
	assert(naive_in(buf_span(&wire), &body, &rest));
	assert(span_equal(rest, SPAN("+OK")));
	assert(span_starts(buf_span(&body), f.all));
	rest = span_from(buf_span(&body), f.all.len);	/* nothing, or the line end that a body must have */
	assert(rest.len == 0 || span_equal(rest, SPAN("\r\n")));
	assert(!rest.len || f.all.len < 2 || memcmp(f.all.at + f.all.len - 2, "\r\n", 2) != 0);
	buf_end(&wire);
	buf_end(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	comes_in(data, size);
	goes_out_and_back(data, size);
	return 0;
}
