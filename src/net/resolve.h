/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up the addresses of a host, on the loop.
 *
 * resolve_start asks for IPv6 and IPv4 addresses at once (c-ares: /etc/hosts,
 * then DNS as resolv.conf says; that file is read anew whenever the first of
 * a group of lookups starts).  An address as text and "localhost" (RFC 6761)
 * are answered without asking anybody.  The answer comes as one or two calls,
 * the last with `last`; the first may come from within resolve_start:
 *     found(user, at, count, last, why)
 * `at` is lent for the call.  `why` is set with the last call when the whole
 * lookup found nothing: ERR_NET "no such host…", "…has no address", or that
 * the name servers do not answer.
 * *slot is the lookup while it is under way, and NULL before the last call. */
#pragma once

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"

enum { RESOLVE_MAX = 8 };	/* addresses of one family; more are left out */

struct resolve;

struct resolve_user {
	void (*found)(void *user, const union address *at, size_t count, bool last, const struct err *why);
	void *user;
};

void resolve_start(struct loop *l, const char *host, uint16_t port, const struct resolve_user *u, struct resolve **slot);
/* No call comes any more; *slot becomes NULL. */
void resolve_drop(struct resolve **slot);
