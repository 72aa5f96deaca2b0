/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages of a connection, and what its ledgers say of them, as far as people decide: rescan, retry and removal.
 *
 * An entry mentions a copy when one of its targets is HELD with the copy's id as place; a quarantined message has an entry that
 * says it is done.  Whoever calls these has the connection's lock (store_lock_take), so that no visit is under way; the
 * store's one thread.  Puts are answered as any of a ledger's. */
#pragma once

#include "store/held.h"
#include "store/ledger.h"

/* Is the copy `id` what a target of this entry waits for? */
bool held_mentions(const struct ledger_entry *entry, uint64_t id);
/* All is decided: of its targets it tells no more than which copies wait, those of targets that are not in `deliver` now. */
void held_keep_mentions(struct ledger_entry *entry);

struct held_rescanned {
	uint64_t ledgers, forgotten, kept;
};

/* Forgets what was seen, but for messages that are held, waiting, failed or quarantined: they are not fetched again, since what is
 * held of them would come a second time, and no target that has them is asked again.  Blocks. */
[[nodiscard]] bool held_rescan(struct store *s, const char *connection, struct held_rescanned *r, struct err *e);
/* Of one of its ledgers.  At Gmail, a message that was met first under another label stays known by that. */
[[nodiscard]] bool held_rescan_one(struct store *s, const struct ledger_name *name, struct held_rescanned *r, struct err *e);

/* Would held_ask_again change this entry, and how? */
bool held_asks_again(struct store *s, struct ledger_entry *entry);
/* Targets that refused a message, or that were to get it without a copy of it being held, are asked again by the next
 * visit.  Returns of how many messages; the last put has the ticket, when there is any. */
uint64_t held_ask_again(struct store *s, struct ledger *l, uint64_t ticket);
uint64_t held_would_ask(struct store *s, struct ledger *l);

/* The entry that mentions this copy, wherever its ids, or at Gmail another label, have taken it. */
bool held_mentioned(struct store *s, const struct held_info *info, struct ledger **l, struct ledger_entry *entry);
/* It mentions it no more, so that the copy can be removed: as if its target had refused it, which is not asked again before
 * held_ask_again. */
void held_unmention(struct ledger *l, struct ledger_entry *entry, uint64_t id, uint64_t ticket);
