/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ledger_prune.h"

#include "store/held_ledger.h"
#include "store/ledger_inside.h"

bool prune_old(const struct ledger_entry *entry, const struct prune_rules *rules)
{
	return entry->state == LEDGER_GONE && rules->keep_s && rules->now > entry->changed &&
	       (uint64_t)(rules->now - entry->changed) > rules->keep_s;
}

/* Does a copy that is still there belong to it? */
static bool is_held(struct store *s, const struct ledger_entry *entry)
{
	struct held_info info;
	uint64_t id;

	for (uint32_t n = 0; n < entry->target_count; n++)
		if (entry->targets[n].state == LEDGER_TARGET_HELD && held_id_read(entry->targets[n].place, &id) && held_get(s, id, &info))
			return true;
	return false;
}

/* The connection's own ledger has nothing but aliases, where there are mailboxes. */
static bool has_labels(const struct ledger *l)
{
	struct ledger_entry any;
	struct ledger *own;
	struct err e;

	return *l->mailbox && ledger_open(l->store, l->name, "", &own, &e) && ledger_next(own, NULL, &any);
}

bool prune_may(struct ledger *l, const struct ledger_entry *entry, const struct prune_rules *rules)
{
	if (!prune_old(entry, rules) || ledger_noted(l, LEDGER_NOTE_LISTED) <= entry->changed)
		return false;
	if (!entry->target_count)
		return true;
	return !is_held(l->store, entry) && (entry->accepted || !has_labels(l));
}

bool prune_due(struct ledger *l, const struct prune_rules *rules)
{
	int64_t last = ledger_noted(l, LEDGER_NOTE_PRUNED);
	struct err e;

	return rules->keep_s && ledger_takes(l, &e) && ledger_noted(l, LEDGER_NOTE_LISTED) && (last > rules->now || rules->now - last >= PRUNE_EVERY_S);
}

bool prune_slice(struct ledger *l, const struct prune_rules *rules, struct prune_walk *walk)
{
	struct ledger_entry entry;
	unsigned removes = 0;

	for (unsigned looks = 0; looks < PRUNE_LOOKS && removes < PRUNE_REMOVES; looks++) {
		if (!ledger_next(l, walk->begun ? walk->at : NULL, &entry)) {
			ledger_note(l, LEDGER_NOTE_PRUNED, rules->now, 0);
			ledger_flush(l);
			return true;
		}
		walk->begun = true;
		memcpy(walk->at, entry.id, sizeof walk->at);
		if (!prune_may(l, &entry, rules))
			continue;
		ledger_remove(l, entry.id);
		walk->removed++;
		removes++;
	}
	ledger_flush(l);
	return false;
}
