/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct span in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.at;
	char *to;

	if (!in.len)
		return true;
	if (in.len > SIZE_MAX / 2)
		return false;
	to = buf_room(out, (in.len + 2) / 3 * 4);
	if (!to)
		return false;
	for (size_t left = in.len, n; left; left -= n, p += n) {
		unsigned word;

		n = left < 3 ? left : 3;
		word = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		*to++ = alphabet[word >> 18];
		*to++ = alphabet[word >> 12 & 63];
		*to++ = n > 1 ? alphabet[word >> 6 & 63] : '=';
		*to++ = n > 2 ? alphabet[word & 63] : '=';
	}
	out->len += (in.len + 2) / 3 * 4;
	return true;
}

/* 0 to 63, or 64 for what is not of the alphabet. */
static unsigned digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : 64;
}

/* `n` digits, 2 to 4, become n - 1 octets; the bits left over must be zero. */
static bool decode_group(const char *digits, size_t n, char *to)
{
	unsigned word = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned d = i < n ? digit(digits[i]) : 0;

		if (d > 63)
			return false;
		word = word << 6 | d;
	}
	for (size_t i = 0; i < 3; i++, word <<= 8)
		if (i < n - 1)
			to[i] = (char)(word >> 16 & 0xff);
		else if (word >> 16 & 0xff)
			return false;
	return true;
}

/* How many '=' end it; false when its length is none. */
static bool padding(struct span in, size_t *pad)
{
	*pad = 0;
	while (*pad < 2 && *pad < in.len && in.at[in.len - 1 - *pad] == '=')
		++*pad;
	return in.len % 4 == 0;
}

bool base64_decode(struct span in, struct buf *out)
{
	size_t pad, size;
	char *to;

	if (!in.len)
		return true;
	if (!padding(in, &pad))
		return false;
	size = in.len / 4 * 3 - pad;
	to = buf_room(out, size);
	if (!to)
		return false;
	for (size_t i = 0; i < in.len; i += 4) {
		size_t n = i + 4 == in.len ? 4 - pad : 4;

		if (!decode_group(in.at + i, n, to))
			return false;
		to += n - 1;
	}
	out->len += size;
	return true;
}

bool base64_measure(struct span in, size_t *size)
{
	char group[3];
	size_t pad;

	if (!padding(in, &pad))
		return false;
	for (size_t i = 0; i < in.len; i += 4)
		if (!decode_group(in.at + i, i + 4 == in.len ? 4 - pad : 4, group))
			return false;
	wipe(group, sizeof group);	/* it may be of a password */
	*size = in.len / 4 * 3 - pad;
	return true;
}
