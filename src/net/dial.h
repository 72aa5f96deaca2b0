/* SPDX-License-Identifier: Apache-2.0
 *
 * Reaching a host: its addresses by happy eyeballs (RFC 8305); or a Unix socket, which is a host that begins with "/" (no
 * port; its address is AF_UNSPEC).
 *
 * IPv6 first, then the families in turn; the next address is tried 250 ms after
 * the last, or at once when that one failed; IPv4 answers of DNS wait 50 ms for
 * the IPv6 ones.  The first connection made wins and the others are closed.
 *
 * dial_start ends in one call, from the loop, never from within dial_start:
 *     done(user, fd, address, NULL)	the socket is the user's
 *     done(user, -1, NULL, why)	no address answered: what each one said
 * *slot is the dial until then, and NULL before that call.  dial_drop ends it
 * without one.  `host` and `source` are borrowed as long.  There is no
 * time limit here: that is the connection's. */
#pragma once

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"

enum { DIAL_FULL_MS = 20, DIAL_NEXT_MS = 250, DIAL_WAIT_FOR_V6_MS = 50, DIAL_MAX = 16 };

struct dial;

struct dial_user {
	void (*done)(void *user, int fd, const union address *at, const struct err *why);
	void *user;
	bool *refused;		/* set before `done`: every address refused the connection; may be NULL */
};

/* `source` is the address to connect from; NULL = any. */
[[nodiscard]] bool dial_start(struct loop *l, const char *host, uint16_t port, const char *source,
	const struct dial_user *u, struct dial **slot, struct err *e);
void dial_drop(struct dial **slot);
/* What was tried so far, for a time-out's text: "192.0.2.1: no answer; …"; "" while the name is looked up. */
void dial_tried(const struct dial *d, char *out, size_t size);
