/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdint.h>

/* Octets of the character at `p`, or 0 if it is not fit to be shown. */
static size_t shown(const unsigned char *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };	/* by octets; 0x80-0x9f are controls */
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	uint32_t c;

	if (n == 1)
		return p[0] >= ' ' && p[0] != 127;
	if (!n || n > len)
		return 0;
	c = p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;		/* line ends, and what turns the order of the text around */
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

void text_clean(char *at, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = shown((const unsigned char *)at + i, len - i);

		if (!n)
			at[i] = '?';
		i += n ? n : 1;
	}
}
