/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64: every text comes back; what can be decoded has one spelling only. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/base64.h"

static struct buf lend(size_t size)
{
	char *memory = malloc(size + !size);
	struct buf b;

	assert(memory);
	buf_lend(&b, memory, size);
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct buf coded = lend((size + 2) / 3 * 4), plain = lend(size), small = lend(size / 2), again = lend(size);
	bool good = base64_encode(in, &coded);

	assert(good && coded.len == (size + 2) / 3 * 4);
	good = base64_decode(buf_span(&coded), &plain);
	assert(good && span_equal(buf_span(&plain), in));
	plain.len = 0;
	good = base64_decode(in, &plain);
	if (good) {
		good = base64_encode(buf_span(&plain), &again);
		assert(good && span_equal(buf_span(&again), in));
	} else {
		assert(plain.len == 0);
	}
	assert(!base64_decode(in, &small) || span_equal(buf_span(&small), buf_span(&plain)));
	free(coded.at);
	free(plain.at);
	free(small.at);
	free(again.at);
	return 0;
}
