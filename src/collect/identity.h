/* SPDX-License-Identifier: Apache-2.0
 *
 * Identity by content: messages whose id cannot be trusted (PRODUCT 2.3).
 *
 * The candidates are the ledger's entries whose own id is not listed.  A
 * message that was fetched and digests like a candidate is that message; each
 * candidate is found once.  When all unidentified messages of a listing were
 * compared, the candidates left over are gone.
 *     identity_start → identity_add… → identity_sort → identity_find,
 *     identity_key → identity_close → identity_end
 * 72 octets a candidate; there are none in the common case. */
#pragma once

#include "base/err.h"
#include "store/ledger.h"

struct candidate {
	uint8_t digest[32];
	uint8_t id[32];
	bool has_digest, found;
};

struct identity {
	struct candidate *candidates;
	size_t count, cap;
	uint8_t key_base[32];	/* of the last identity_key, */
	uint32_t key_next;	/* and the first k that may be free */
};

void identity_start(struct identity *i);
void identity_end(struct identity *i);
[[nodiscard]] bool identity_add(struct identity *i, const struct ledger_entry *entry, struct err *e);
void identity_sort(struct identity *i);
/* True: `id` is the entry that this content already has. */
bool identity_find(struct identity *i, const uint8_t digest[32], uint8_t id[32]);
/* The ledger's key for a new message of this base: the lowest free k from 1 on;
 * the caller reserves it at once by a put. */
void identity_key(struct identity *i, const uint8_t base[32], struct ledger *ledger, uint8_t id[32]);
/* The comparison is complete: who was not found is gone. */
void identity_close(struct identity *i, struct ledger *ledger, int64_t now);
