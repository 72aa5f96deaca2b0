/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of networks, each with a number of the caller's, that is asked for
 * the networks around an address.
 *
 * One hash table holds all; an address is looked up once for each prefix
 * length in use, however many networks there are.  The hash is keyed.
 * Networks are as network_parse makes them.  No locks in here. */
#pragma once

#include "net/network.h"

enum { NETSET_V4_BITS = 32, NETSET_V6_BITS = 128, NETSET_KEY = 16 };

struct netset {
	struct netset_slot *slots;
	size_t room, count;
	uint32_t lengths[2][NETSET_V6_BITS + 1];	/* networks of IPv4, IPv6 with so many bits */
	uint32_t families[2];
	unsigned char key[NETSET_KEY];
};

void netset_start(struct netset *s);
void netset_end(struct netset *s);
/* Adds it, or gives the one that is there another number.  False: out of memory, nothing changed. */
[[nodiscard]] bool netset_put(struct netset *s, const struct network *n, uint32_t number);
bool netset_remove(struct netset *s, const struct network *n);
bool netset_get(const struct netset *s, const struct network *n, uint32_t *number);
/* Walks the networks that the address is in, the narrowest first; begin with *bits = NETSET_V6_BITS. */
bool netset_around(const struct netset *s, const union address *a, int *bits, uint32_t *number);
bool netset_has(const struct netset *s, const union address *a);
