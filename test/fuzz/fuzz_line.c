/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines: the same out of every cut, and the same as out of a naive reader. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/line.h"

/* The next line by looking at one octet after another; LINE_LONG as soon as it cannot fit any more. */
static enum line_got naive_next(struct span *in, size_t max, struct span *line)
{
	size_t n = span_find(*in, '\n'), len = n;

	if (len && in->at[len - 1] == '\r')
		len--;
	if (len > max)
		return LINE_LONG;
	if (n == in->len)
		return LINE_MORE;
	*line = (struct span){ in->at, len };
	*in = span_from(*in, n + 1);
	return LINE_WHOLE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t max = size ? data[0] / 4U + 1 : 1;
	char *memory = malloc(max);
	struct span naive, part, line, want;
	enum line_got got = LINE_MORE;
	struct feed f;
	struct lines l;

	assert(memory);
	lines_start(&l, memory, max);
	feed_start(&f, data, size);
	naive = f.all;
	while (got != LINE_LONG && feed_next(&f, &part))
		while ((got = lines_next(&l, &part, &line)) == LINE_WHOLE) {
			assert(naive_next(&naive, max, &want) == LINE_WHOLE);
			assert(span_equal(line, want));
		}
	assert(got == naive_next(&naive, max, &want));
	feed_end(&f);
	free(memory);
	return 0;
}
