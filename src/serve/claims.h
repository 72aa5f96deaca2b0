/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a token was a moment ago: what introspect.h remembers.
 *
 * What is kept beside the claim is a MAC, under a random key of this process, over the token and the number of the
 * endpoint's settings: memory tells no token, and what was said under other settings is never found.  What
 * is found is whom the token names, and never that somebody may come in: that is for the caller to compare, each time anew.
 * Of a fixed size: an entry goes into one of eight places that its MAC names, where the one that ends
 * first gives way.  Any thread.  now_ms: monotonic (clock_mono_ms). */
#pragma once

#include "base/err.h"

enum { CLAIM_MAX = 320, CLAIMS = 4096 };	/* octets; 1.5 MiB, once all are used */

struct claims;

struct claims_key {		/* wiped by who made it */
	uint8_t octets[32];
};

/* entries: a multiple of 8 that is a power of two. */
[[nodiscard]] struct claims *claims_new(size_t entries, struct err *e);
void claims_free(struct claims **c);
void claims_key(const struct claims *c, struct span token, uint64_t settings, struct claims_key *key);
bool claims_find(struct claims *c, const struct claims_key *key, uint64_t now_ms, char claim[CLAIM_MAX + 1]);
/* A longer claim is not kept. */
void claims_put(struct claims *c, const struct claims_key *key, struct span claim, uint64_t until_ms);
