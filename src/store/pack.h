/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers at rest: big-endian, so that keys sort as numbers do.  For this
 * room's files only.  A reader of values walks a span with take_*: a value
 * that is too short makes the span's pointer NULL, and all later takes give
 * zero, so that one check at the end is enough (on-disk data is input too). */
#pragma once

#include "base/span.h"

static inline void pack_u32(char *at, uint32_t n)
{
	for (int i = 3; i >= 0; i--, n >>= 8)
		at[i] = (char)(n & 0xff);
}

static inline void pack_u64(char *at, uint64_t n)
{
	pack_u32(at, (uint32_t)(n >> 32));
	pack_u32(at + 4, (uint32_t)n);
}

static inline uint32_t unpack_u32(const char *at)
{
	const unsigned char *p = (const unsigned char *)at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t unpack_u64(const char *at)
{
	return (uint64_t)unpack_u32(at) << 32 | unpack_u32(at + 4);
}

/* The next `n` octets of *s, or a NULL span. */
static inline struct span take_span(struct span *s, size_t n)
{
	struct span taken = { s->at, n };

	if (!s->at || n > s->len)
		return *s = (struct span){ 0 };
	*s = span_from(*s, n);
	return taken;
}

static inline uint8_t take_u8(struct span *s)
{
	struct span n = take_span(s, 1);

	return n.at ? (uint8_t)n.at[0] : 0;
}

static inline uint32_t take_u32(struct span *s)
{
	struct span n = take_span(s, 4);

	return n.at ? unpack_u32(n.at) : 0;
}

static inline uint64_t take_u64(struct span *s)
{
	struct span n = take_span(s, 8);

	return n.at ? unpack_u64(n.at) : 0;
}
