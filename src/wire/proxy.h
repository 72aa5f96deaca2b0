/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt):
 * who the client is, said by a proxy in front of us before all else.
 *
 *     proxy_start(&p, PROXY_V1 | PROXY_V2) … proxy_feed(&p, &in) until it is not PROXY_MORE
 * The header may come in any pieces.  PROXY_DONE: *in is what stands behind it,
 * untouched.  PROXY_BAD: p.why tells what was wrong, in a static text; what was
 * fed is of no use any more, and the connection must end: a header that is
 * wanted and not there is never passed over.  After either, nothing more is fed.
 *
 * It is strict: the versions that were asked for, one space between words, no
 * octet behind the last one, numbers without leading zeros, no address of the
 * wrong family, lengths that fit.  PROXY_SAME: the proxy speaks for itself (LOCAL,
 * UNKNOWN, UNSPEC, a Unix socket); the connection's own addresses are meant.
 * Type-length-values of version 2 are counted and passed over. */
#pragma once

#include "base/span.h"

enum {
	PROXY_V1_MAX = 107,	/* with CRLF */
	PROXY_V2_MAX = 4096,	/* ours: the protocol could have 64 KiB */
};

enum proxy_version { PROXY_V1 = 1, PROXY_V2 = 2 };	/* bits */
enum proxy_got { PROXY_MORE, PROXY_DONE, PROXY_BAD };
enum proxy_family { PROXY_SAME, PROXY_IPV4, PROXY_IPV6 };

struct proxy_address {
	uint8_t octets[16];	/* in network order; 4 of IPv4 */
	uint16_t port;
};

struct proxy {
	/* PROXY_DONE */
	enum proxy_family family;
	struct proxy_address client, server;	/* the connection that the proxy has */
	/* PROXY_BAD */
	const char *why;

	/* inside */
	unsigned allowed, version;
	bool counted;		/* version 2: behind the addresses stand type-length-values */
	uint16_t left;		/* version 2: octets to come behind the first 16 */
	uint16_t address, value;	/* of these, of the addresses and of the current value */
	uint8_t value_head;	/* octets of its type and length so far */
	uint8_t len;
	char held[PROXY_V1_MAX];
};

void proxy_start(struct proxy *p, unsigned versions);
enum proxy_got proxy_feed(struct proxy *p, struct span *in);
