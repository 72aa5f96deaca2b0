/* SPDX-License-Identifier: Apache-2.0
 *
 * What a ledger may forget by itself, and how it does (PRODUCT 2.3, the key history_keep).
 *
 * Only an entry in the state GONE goes, `keep_s` seconds after it became that, and only if a complete listing since then
 * (LEDGER_NOTE_LISTED) did not show its message either.  To a listing such an entry is as good as none: an id that comes back
 * after GONE is a new message, and GONE ones are no candidates when messages are compared by content.  All others stay, whatever their age:
 *   ACCEPTED … SKIPPED  their message is listed, or nobody has looked; while ids change, content finds them
 *   SHARED              its id tells nothing as long as it is listed; then it becomes GONE, too
 *   ALIAS               Gmail's message may come back under any label, years after
 * and of those that are GONE: what copies in the held area belong to; and in a ledger of Gmail's what left its label before every target had it, for
 * another label that has the message takes over from it which targets do.
 * That a later listing is asked for means that a recovery was, too: no mark in a mailbox needs the entry any more.
 *
 * Each removal is right by itself, so it does not matter where a crash cuts it off.  At most PRUNE_REMOVES are put in a slice; who goes on
 * before they are durable has them in memory.  For the store's own thread; beside a visit of the connection, too. */
#pragma once

#include "store/ledger.h"

enum { PRUNE_LOOKS = 512, PRUNE_REMOVES = 32, PRUNE_EVERY_S = 24 * 3600 };

struct prune_rules {
	int64_t now;
	uint64_t keep_s;	/* 0 = for ever */
};

bool prune_old(const struct ledger_entry *entry, const struct prune_rules *rules);	/* GONE, and long enough: worth to be asked about */
bool prune_may(struct ledger *l, const struct ledger_entry *entry, const struct prune_rules *rules);

/* A walk over all of a ledger, a slice at a time; zeroed at its start. */
struct prune_walk {
	uint8_t at[32];
	bool begun;
	uint64_t removed;
};

/* The last complete walk was PRUNE_EVERY_S ago, and there is something that could be forgotten one day. */
bool prune_due(struct ledger *l, const struct prune_rules *rules);
/* True: the walk is complete. */
bool prune_slice(struct ledger *l, const struct prune_rules *rules, struct prune_walk *walk);
