/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fuzz harness is made of.
 *
 * A harness defines LLVMFuzzerTestOneInput, returns 0, asserts what must hold
 * for every input and keeps nothing between two inputs.  It should hold the
 * code against something: a naive twin, the same input cut elsewhere, the way
 * back.  Not crashing is the least.
 *
 * feed deals an input out in parts, for code that must not care where its
 * input is cut.  The input says where itself, in front:
 *     one octet: how many cuts (modulo 64); one octet a cut: the part's length,
 *     0 to 127, or above that in steps of 64; then the octets to be dealt out,
 *     the last part being all that is left.
 * Each part lies in heap memory that ends with it, so that a sanitizer sees a
 * reach beyond; it lives until the next feed_next.  Draining ends the feed; who
 * stops earlier calls feed_end. */
#pragma once

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
	struct span cuts, all, left;
	char *part;
	bool last;
};

/* feed->all is the whole input, behind the cuts. */
void feed_start(struct feed *f, const uint8_t *data, size_t size);
/* False when all was dealt out.  A part may be empty. */
bool feed_next(struct feed *f, struct span *part);
void feed_end(struct feed *f);
