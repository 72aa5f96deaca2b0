/* SPDX-License-Identifier: Apache-2.0
 *
 * Line ends made CRLF, cut anywhere on the way in and, by the first octet, on the way out, against a twin that goes
 * octet by octet; what was counted is what comes. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/crlf.h"

static void must(bool added)
{
	assert(added);
}

static void naive(struct span in, struct buf *out)
{
	char last = 0;

	for (size_t n = 0; n < in.len; last = in.at[n++]) {
		if (in.at[n] == '\n' && last != '\r')
			must(buf_add(out, SPAN("\r")));
		must(buf_add(out, (struct span){ in.at + n, 1 }));
	}
}

/* Each time only `used` octets of what came are used, and the rest is asked for again. */
static void goes_out(struct feed *f, size_t step, size_t used, struct buf *out)
{
	struct crlf c = { 0 };
	struct span part;
	char piece[256];

	while (feed_next(f, &part))
		while (part.len) {
			struct crlf before = c;
			struct span from = part;
			size_t n = crlf_out(&c, &part, piece, step);

			assert(n && n <= step);
			if (used < n) {
				c = before;
				part = from;
				n = crlf_out(&c, &part, piece, used);
				assert(n == used);
			}
			must(buf_add(out, (struct span){ piece, n }));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out, want;
	struct crlf c = { 0 };
	struct feed f;

	if (size < 2)
		return 0;
	buf_start(&out, 2 * size + 16);
	buf_start(&want, 2 * size + 16);
	feed_start(&f, data + 2, size - 2);
	naive(f.all, &want);
	assert(crlf_count(&c, f.all) == want.len);
	goes_out(&f, (size_t)data[0] + 1, (size_t)data[1] + 1, &out);
	assert(span_equal(buf_span(&out), buf_span(&want)));
	buf_end(&out);
	buf_end(&want);
	return 0;
}
