/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way out, cut anywhere, against a naive twin that has all of
 * it: four octets say how many lines (255 in the first: all), then the message. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/stuff.h"

static void must(bool added)
{
	assert(added);
}

/* Line by CRLF line; false when no line begins with a dot. */
static bool naive(struct span message, bool all, uint32_t lines, struct buf *wire)
{
	bool body = false, dots = false;

	while (message.len && (all || !body || lines)) {
		const char *end = memmem(message.at, message.len, "\r\n", 2);
		size_t n = end ? (size_t)(end - message.at) + 2 : message.len;
		struct span line = { message.at, n };

		message = span_from(message, n);
		dots |= line.at[0] == '.';
		must(buf_add(wire, line.at[0] == '.' ? SPAN(".") : SPAN("")) && buf_add(wire, line));
		if (!end)
			must(buf_add(wire, SPAN("\r\n")));
		lines -= body;
		body |= span_equal(line, SPAN("\r\n"));
	}
	must(buf_add(wire, SPAN(".\r\n")));
	return dots;
}

static void goes_out(struct feed *f, bool all, uint32_t lines, bool clean, struct buf *wire)
{
	struct span part, piece;
	struct stuff s;

	stuff_start(&s, all, lines, clean);
	while (feed_next(f, &part)) {
		bool enough = stuff_enough(&s);

		while (stuff_next(&s, &part, &piece)) {
			assert(piece.len && !enough);
			must(buf_add(wire, piece));
		}
		assert(!part.len);
	}
	must(buf_add(wire, stuff_end(&s)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf wire, want;
	bool all, dots;
	uint32_t lines;
	struct feed f;

	if (size < 4)
		return 0;
	all = data[0] == 255;
	lines = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
	buf_start(&wire, 2 * size + 16);
	buf_start(&want, 2 * size + 16);
	feed_start(&f, data + 4, size - 4);
	dots = naive(f.all, all, lines, &want);
	goes_out(&f, all, lines, false, &wire);
	assert(span_equal(buf_span(&wire), buf_span(&want)));
	if (!dots) {
		wire.len = 0;
		feed_start(&f, data + 4, size - 4);
		goes_out(&f, all, lines, true, &wire);
		assert(span_equal(buf_span(&wire), buf_span(&want)));
	}
	buf_end(&wire);
	buf_end(&want);
	return 0;
}
