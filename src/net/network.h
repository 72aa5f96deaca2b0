/* SPDX-License-Identifier: Apache-2.0
 *
 * A network: an address and how many of its first bits count (CIDR).
 *
 * Text is "192.0.2.0/24", "2001:db8::/32", or an address alone, which is a
 * network of one.  Bits behind the prefix must be 0, so that a typing error is
 * seen.  IPv4 addresses in IPv6's clothes (::ffff:192.0.2.1) are IPv4 here. */
#pragma once

#include "net/address.h"

enum { NETWORK_TEXT = ADDRESS_TEXT + 4 };	/* "/128" */

struct network {
	union address base;
	unsigned bits;
};

/* False when the text is no network (then *n is undefined). */
[[nodiscard]] bool network_parse(const char *text, struct network *n);
/* Always with its prefix: "192.0.2.7/32"; network_parse reads it. */
const char *network_text(const struct network *n, char out[NETWORK_TEXT]);
bool network_has(const struct network *n, const union address *a);
/* Is it in one of them? */
bool networks_have(const struct network *all, size_t count, const union address *a);
