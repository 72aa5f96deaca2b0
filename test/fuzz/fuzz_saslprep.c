/* SPDX-License-Identifier: Apache-2.0
 *
 * SASLprep of any octets: what comes out is text, of a bounded length, and prepared already. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/saslprep.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), once[SASLPREP_MAX], twice[SASLPREP_MAX], password[SASLPREP_MAX];
	struct span text = { copy, size }, used;
	struct buf b, again;
	bool good;

	assert(copy);
	if (size)
		memcpy(copy, data, size);
	buf_lend(&b, once, sizeof once);
	good = saslprep(text, &b);
	used = saslprep_password(text, password);
	assert(good ? b.len <= 11 * size && size <= SASLPREP_IN_MAX : !b.len);
	assert(span_equal(used, good && b.len ? buf_span(&b) : text));
	if (good) {
		struct span rest = buf_span(&b);
		uint32_t c;

		assert(!span_has_control(rest));
		while (rest.len)
			if (!utf8_take(&rest, &c))
				abort();
		buf_lend(&again, twice, sizeof twice);
		if (b.len <= SASLPREP_IN_MAX && saslprep(buf_span(&b), &again))
			assert(span_equal(buf_span(&b), buf_span(&again)));
	}
	if (good && b.len) {		/* one octet too few, and nothing is left of it */
		size_t len = b.len - 1;

		buf_lend(&again, twice, len);
		assert(!saslprep(text, &again) && !again.len);
	}
	free(copy);
	return 0;
}
