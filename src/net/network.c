/* SPDX-License-Identifier: Apache-2.0 */
#include "net/network.h"

#include <stdio.h>

enum { BITS_V4 = 32, BITS_V6 = 128 };

static struct span octets(const union address *a)
{
	return a->any.sa_family == AF_INET ? (struct span){ (const char *)&a->v4.sin_addr, sizeof a->v4.sin_addr }
		: (struct span){ (const char *)&a->v6.sin6_addr, sizeof a->v6.sin6_addr };
}

static bool bit(struct span s, unsigned n)
{
	return (uint8_t)s.at[n / 8] >> (7 - n % 8) & 1;
}

bool network_parse(const char *text, struct network *n)
{
	struct span s = span_of(text);
	size_t slash = span_find(s, '/');
	char bare[ADDRESS_TEXT];
	uint64_t bits;
	unsigned max;

	if (slash >= sizeof bare)
		return false;
	memcpy(bare, text, slash);
	bare[slash] = '\0';
	if (!address_parse(bare, 0, &n->base) || (n->base.any.sa_family == AF_INET6 && n->base.v6.sin6_scope_id))
		return false;
	max = n->base.any.sa_family == AF_INET ? BITS_V4 : BITS_V6;
	bits = max;
	if (slash < s.len && !span_number(span_from(s, slash + 1), max, &bits))
		return false;
	n->bits = (unsigned)bits;
	for (unsigned i = n->bits; i < max; i++)
		if (bit(octets(&n->base), i))
			return false;
	if (n->base.any.sa_family == AF_INET6 && n->bits >= BITS_V6 - BITS_V4 && address_unmap(&n->base))
		n->bits -= BITS_V6 - BITS_V4;
	return true;
}

const char *network_text(const struct network *n, char out[NETWORK_TEXT])
{
	char address[ADDRESS_TEXT];

	(void)snprintf(out, NETWORK_TEXT, "%s/%u", address_text(&n->base, false, address), n->bits);
	return out;
}

bool network_has(const struct network *n, const union address *a)
{
	union address plain = *a;
	struct span x, y = octets(&n->base);

	(void)address_unmap(&plain);
	if (plain.any.sa_family != n->base.any.sa_family)
		return false;
	x = octets(&plain);
	if (memcmp(x.at, y.at, n->bits / 8) != 0)
		return false;
	for (unsigned i = n->bits / 8 * 8; i < n->bits; i++)
		if (bit(x, i) != bit(y, i))
			return false;
	return true;
}

bool networks_have(const struct network *all, size_t count, const union address *a)
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&all[i], a))
			return true;
	return false;
}
