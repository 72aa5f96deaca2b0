/* SPDX-License-Identifier: Apache-2.0
 *
 * Modified UTF-7: what is taken comes back, octet for octet, both ways. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct buf there, back;
	bool good;

	buf_start(&there, size * 4 + 8);
	buf_start(&back, size + 1);
	if (utf7_encode(in, &there)) {
		good = utf7_decode(buf_span(&there), &back);
		assert(good && span_equal(buf_span(&back), in));
	}
	there.len = back.len = 0;
	if (utf7_decode(in, &there)) {
		good = utf7_encode(buf_span(&there), &back);
		assert(good && span_equal(buf_span(&back), in));
	}
	buf_end(&there);
	buf_end(&back);
	return 0;
}
