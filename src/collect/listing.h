/* SPDX-License-Identifier: Apache-2.0
 *
 * A listing: what the server shows, joined with what the ledger knows
 * (the identity rules of PRODUCT 2.3).
 *
 *     listing_start → listing_add a UIDL entry… → listing_gaps → listing_join
 *     → listing_size a LIST entry… → items in order of their numbers
 * An item is 64 octets, whatever the server's ids are.
 *
 * listing_join sorts every item into one of three: known (the ledger has its
 * id; nothing to fetch), new, or unidentified: its id cannot be trusted, so it
 * is fetched and its digest compared with the entries whose own id is no
 * longer listed (identity.h).  Unidentified are all unknown items when the ids
 * changed wholesale, items that share an id, and items without an id.
 * Entries that a complete listing does not show become `gone`, unless they
 * are now candidates for a comparison; the latter's `gone` follows when
 * the comparison is complete. */
#pragma once

#include "base/err.h"
#include "collect/identity.h"
#include "store/ledger.h"

enum { ITEM_UID_MAX = 16, LISTING_WHOLESALE = 10, LISTING_GAPS_MAX = 100 };

enum item_flag {
	ITEM_KNOWN = 1,		/* in the ledger, nothing to fetch */
	ITEM_PENDING = 2,	/* in the ledger, but some target still wants it */
	ITEM_UNIDENTIFIED = 4,
	ITEM_OWN_ID = 8,	/* `id` is the ledger's key; else it is the base (pop3) */
	ITEM_DISPOSE = 16,	/* known and to be deleted now */
};

struct item {
	uint8_t id[32];
	uint64_t size;		/* as the server says: a hint; 0 = not said */
	uint32_t number;
	uint8_t flags;
	uint8_t uid_len;
	char uid[ITEM_UID_MAX];	/* the beginning of its id, for people */
};

struct listing {
	struct item *items;
	size_t count, cap;
};

struct listing_rules {		/* what decides about known items */
	bool dispose;		/* after = delete */
	uint64_t delete_after_s;	/* 0 = never */
	int64_t now;
};

struct listing_found {
	size_t known, fresh, unidentified, dispose;
	bool comparing;		/* ids changed wholesale, now or in a visit that was cut off */
};

void listing_start(struct listing *l);
void listing_end(struct listing *l);
/* One message with the base of its id; `trusted` false: it has no id of its own
 * (blank, missing, no UIDL) and the base is that of the empty id. */
[[nodiscard]] bool listing_add(struct listing *l, uint32_t number, const uint8_t base[32], struct span uid, bool trusted, struct err *e);
/* Numbers 1..count that were not added come in without an id (`base`: of the
 * empty id), if they are at most `most`. */
[[nodiscard]] bool listing_gaps(struct listing *l, uint64_t count, size_t most, const uint8_t base[32], struct err *e);
/* Fills `identity` (started) when there is something to compare. */
[[nodiscard]] bool listing_join(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, struct listing_found *found, struct err *e);
void listing_size(struct listing *l, uint32_t number, uint64_t size);
