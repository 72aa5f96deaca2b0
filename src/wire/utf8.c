/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/utf8.h"

#include <assert.h>

enum { SURROGATE = 0xd800, SURROGATE_END = 0xe000, PLANE_1 = 0x10000, UNICODE_END = 0x110000 };

bool utf8_take(struct span *in, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, PLANE_1 };
	unsigned char first = (unsigned char)in->at[0];
	size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;

	assert(in->len);
	if (!n || n > in->len)
		return false;
	*c = n == 1 ? first : first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char more = (unsigned char)in->at[i];

		if ((more & 0xc0) != 0x80)
			return false;
		*c = *c << 6 | (more & 0x3f);
	}
	*in = span_from(*in, n);
	return *c && *c >= least[n] && *c < UNICODE_END && (*c < SURROGATE || *c >= SURROGATE_END);
}

bool utf8_add(struct buf *out, uint32_t c)
{
	char text[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < PLANE_1 ? 3 : 4;

	assert(c < UNICODE_END);
	for (size_t i = n; i > 1; i--, c >>= 6)
		text[i - 1] = (char)(0x80 | (c & 0x3f));
	text[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	return buf_add(out, (struct span){ text, n });
}
