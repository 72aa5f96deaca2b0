/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

enum { CUTS_MAX = 64, STEP = 64 };

void feed_start(struct feed *f, const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	size_t count = size ? data[0] % CUTS_MAX : 0;

	in = span_from(in, 1);
	if (count > in.len)
		count = in.len;
	*f = (struct feed){ .cuts = { in.at, count }, .all = span_from(in, count), .left = span_from(in, count) };
}

bool feed_next(struct feed *f, struct span *part)
{
	size_t n = f->left.len;

	feed_end(f);
	if (f->last)
		return false;
	f->last = !f->cuts.len;
	if (!f->last) {
		size_t cut = (uint8_t)f->cuts.at[0];

		cut = cut < 128 ? cut : (cut - 126) * STEP;
		n = cut < n ? cut : n;
		f->cuts = span_from(f->cuts, 1);
	}
	f->part = malloc(n + !n);
	assert(f->part);
	if (n)
		memcpy(f->part, f->left.at, n);
	*part = (struct span){ f->part, n };
	f->left = span_from(f->left, n);
	return true;
}

void feed_end(struct feed *f)
{
	free(f->part);
	f->part = NULL;
}
