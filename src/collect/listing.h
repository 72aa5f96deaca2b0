/* SPDX-License-Identifier: Apache-2.0
 *
 * A listing: what the server shows, joined with what the ledger knows
 * (the identity rules of PRODUCT 2.3).
 *
 *     listing_start → listing_add a UIDL entry… → listing_gaps → listing_join
 *     → listing_retire until it says that it is done
 *     → listing_size a LIST entry… → items in order of their numbers
 * An item is 60 octets, whatever the server's ids are, and sorting takes none.
 *
 * listing_join sorts every item into one of three: known (the ledger has its
 * id; nothing to fetch), new, or unidentified: its id cannot be trusted, so it
 * is fetched and its digest compared with the entries whose own id is not
 * listed (identity.h).  Unidentified are all unknown items when the ids
 * changed wholesale, items that share an id or whose id was ever shared, and
 * items without an id.
 * listing_retire turns entries that a complete listing does not show to
 * `gone`, a slice at a time, unless they are now candidates for a comparison;
 * the latter's `gone` follows when the comparison is complete.
 * Errors: ERR_PEER (a number listed twice), ERR_LOCAL (memory). */
#pragma once

#include "base/err.h"
#include "collect/identity.h"
#include "store/ledger_prune.h"

enum { ITEM_UID_MAX = 18, LISTING_WHOLESALE = 10, LISTING_GAPS_MAX = 100, LISTING_SLICE = 32,
	LISTING_LOOKS = 512 };

enum item_flag {
	ITEM_KNOWN = 1,		/* in the ledger, nothing to fetch */
	ITEM_PENDING = 2,	/* in the ledger, but some target still wants it */
	ITEM_UNIDENTIFIED = 4,
	ITEM_OWN_ID = 8,	/* `id` is the ledger's key; else it is the base (pop3) */
	ITEM_DISPOSE = 16,	/* known and to be deleted now */
	ITEM_COUNTED = 32,	/* its size is part of what is asked for */
	ITEM_UNSEEN = 64,	/* IMAP: without \Seen, where that was asked */
	ITEM_MATCHED = 128,	/* IMAP: found by `search` */
};

struct item {
	uint8_t id[32];
	uint32_t number;	/* of the message; IMAP: its UID */
	uint32_t size;		/* as the server says, at most 4 GiB: a hint; 0 = not said */
	uint8_t flags;
	uint8_t uid_len;
	char uid[ITEM_UID_MAX];	/* the beginning of its id, for people; IMAP: see item_set_gmail */
};

struct listing {
	struct item *items;
	size_t count, cap;
	bool incomplete;	/* it shows less than the server says there is */
	uint8_t retired[32];	/* listing_retire: the last entry looked at */
	bool retiring, compare;
};

struct listing_rules {		/* what decides about known items */
	bool dispose;		/* `after` is not keep; entries with `removal` are disposed of whatever it is */
	bool keep;		/* it is: what an earlier setting wanted to be disposed of stays */
	bool seen;		/* after = seen: what had the flag and lost it is offered again */
	uint64_t delete_after_s;	/* 0 = never */
	int64_t now;
	uint64_t history_keep_s;	/* entries that are gone are kept so long; 0 = for ever */
	enum ledger_state final;	/* of what every target has */
	uint64_t targets[LEDGER_TARGETS_MAX];	/* their tags */
	size_t target_count;
};

struct listing_found {
	size_t known, fresh, unidentified, dispose;
	size_t ignored;		/* asked to be gone, confirmed, and listed again */
	size_t offered;		/* of fresh: again, and their entries say so once what was put is durable */
	bool comparing;		/* ids changed wholesale, now or in a visit that was cut off */
};

void listing_start(struct listing *l);
void listing_end(struct listing *l);
/* One message with the base of its id; `trusted` false: it has no id of its own
 * (blank, missing, no UIDL) and the base is that of the empty id. */
[[nodiscard]] bool listing_add(struct listing *l, uint32_t number, const uint8_t base[32], struct span uid, bool trusted, struct err *e);
/* IMAP: ids are keys of the ledger as they are.  Told twice, it counts once. */
[[nodiscard]] bool listing_add_uid(struct listing *l, uint32_t uid, const uint8_t id[32], struct err *e);
/* Of an IMAP listing that is complete: in order of UIDs, each once. */
void listing_settle_uids(struct listing *l);
/* Flags every item from `first` to `last`; needs the items in order. */
void listing_flag(struct listing *l, uint32_t first, uint32_t last, uint8_t flag);
/* Numbers 1..count that were not added come in without an id (`base`: of the
 * empty id), if they are at most `most`; else the listing is incomplete. */
[[nodiscard]] bool listing_gaps(struct listing *l, uint64_t count, size_t most, const uint8_t base[32], struct err *e);
[[nodiscard]] bool listing_join(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct listing_found *found, struct err *e);
/* At most LISTING_SLICE puts, and LISTING_LOOKS entries looked at; *done when all entries were looked at and the
 * items stand in order of their numbers.  Fills `identity` (started). */
[[nodiscard]] bool listing_retire(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, bool *done, struct err *e);
/* Kept so long that delete_after is due. */
static inline bool listing_old_enough(const struct ledger_entry *entry, const struct listing_rules *rules)
{
	return rules->delete_after_s && entry->accepted && rules->now - entry->accepted >= (int64_t)rules->delete_after_s;
}

/* In place; equal items in any order. */
void listing_sort(struct listing *l, int (*order)(const struct item *, const struct item *));
/* NULL when there is no such number.  Needs the items in order of numbers. */
struct item *listing_find(struct listing *l, uint32_t number);
/* The ledger's key of a message that was told by its content: a refused deletion
 * finds the entry by it. */
void listing_key(struct listing *l, uint32_t number, const uint8_t id[32]);
void listing_size(struct listing *l, uint32_t number, uint64_t size);
/* What Gmail calls the message in all its mailboxes; 0 = not told.  It lies where
 * POP3 keeps the beginning of the id. */
void item_set_gmail(struct item *i, uint64_t gmail_id);
uint64_t item_gmail(const struct item *i);
