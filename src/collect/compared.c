/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages whose id cannot be trusted, as they come: which entry is theirs. */
#include <assert.h>

#include "base/clock.h"
#include "collect/retried.h"

/* The content is known: it is this entry's message, under another id perhaps,
 * which the entry then takes.  The new one is put before the old one goes.
 * False: some target still wants it. */
bool message_known(struct visit *v, struct message *m, const uint8_t old[32])
{
	bool moves = m->has_id && memcmp(old, m->id, sizeof m->id) != 0;
	struct ledger_entry entry;
	bool disposable, known;

	if (!ledger_get(v->ledger, old, &entry))
		return false;
	disposable = entry.state == LEDGER_ACCEPTED || entry.state == LEDGER_QUARANTINED || entry.state == LEDGER_DISPOSING ||
		     entry.state == LEDGER_SEEN;
	if (disposable && (entry.removal || v->with->after != AFTER_KEEP || listing_old_enough(&entry, &v->rules))) {
		entry.state = LEDGER_DISPOSING;
		entry.changed = delivery_moment(v->ledger);
		delivery_want_disposal(v, m->number);
	}
	if (moves) {
		memcpy(entry.id, m->id, sizeof entry.id);
		message_uid_text(v, m->number, (struct span){ m->uid, m->uid_len }, entry.uid);
	} else {
		memcpy(m->id, old, sizeof m->id);
	}
	listing_key(&v->listing, m->number, m->id);
	ledger_put(v->ledger, &entry, 0);
	visit_count_puts(v, 2);
	known = entry.state != LEDGER_PENDING;
	if (moves) {	/* not removed: a mailbox may still have the mark of the old id, which must be known as delivered */
		memcpy(entry.id, old, sizeof entry.id);
		entry.state = LEDGER_GONE;
		entry.changed = clock_now_s();
		entry.target_count = 0;
		ledger_put(v->ledger, &entry, 0);
	}
	return known;
}

/* False: it is no new message, and is done with. */
bool message_identify(struct visit *v, struct message *m)
{
	struct ledger_entry entry;
	uint8_t old[32], base[32];

	assert(v->uncompared);
	v->uncompared--;
	if (identity_find(&v->identity, m->digest, old)) {
		if (message_known(v, m, old))
			return false;
		message_recall(v, m);
		return true;
	}
	if (!m->has_id) {
		memcpy(base, m->id, sizeof base);
		identity_key(&v->identity, base, v->ledger, m->id);
		message_entry(v, m, LEDGER_PENDING, &entry);	/* the next of this base must see that it is taken */
		ledger_put(v->ledger, &entry, 0);
	}
	return true;
}

/* ---- an id that comes back */

/* A copy of it waits in the held area, or did when it went, and its target got it since. */
static bool is_unfinished(struct visit *v, const struct ledger_entry *entry)
{
	for (uint32_t n = 0; n < entry->target_count; n++) {
		const struct ledger_target *t = &entry->targets[n];
		struct held_info info;
		uint64_t copy;

		if (t->state == LEDGER_TARGET_ACCEPTED && entry->accepted)
			return true;
		if (t->state == LEDGER_TARGET_HELD && held_id_read(t->place, &copy) && held_get(collector_store(v->collector), copy, &info))
			return true;
	}
	return false;
}

bool message_returns(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (!m->has_id || !ledger_get(v->ledger, m->id, &entry) || entry.state != LEDGER_GONE || !entry.has_digest ||
	    memcmp(entry.digest, m->digest, sizeof entry.digest) != 0 || !is_unfinished(v, &entry))
		return true;
	entry.state = LEDGER_PENDING;
	entry.changed = delivery_moment(v->ledger);
	(void)entry_decide(v, &entry, false);
	if (entry.state == LEDGER_PENDING)
		entry.accepted = 0;
	if (entry.state == LEDGER_DISPOSING)
		delivery_want_disposal(v, m->number);
	ledger_put(v->ledger, &entry, 0);
	visit_count_puts(v, 1);
	if (entry.state != LEDGER_PENDING)
		return false;
	message_recall(v, m);
	return true;
}

/* ---- answers that shifted */

static bool is_settled(const struct ledger_entry *entry)
{
	return entry->has_digest && (entry->state == LEDGER_ACCEPTED || entry->state == LEDGER_DISPOSING || entry->state == LEDGER_QUARANTINED);
}

static void distrust(struct visit *v, struct ledger_entry *entry)
{
	uint8_t id[32];

	memcpy(id, entry->id, sizeof id);
	ledger_pop3_id(id, UINT32_MAX, entry->id);	/* no message is listed under it: it is compared */
	ledger_put(v->ledger, entry, 0);
	memcpy(entry->id, id, sizeof id);
	entry->state = LEDGER_GONE;	/* and a mark of it is explained (sink_mailbox.c) */
	entry->changed = clock_now_s();
	ledger_put(v->ledger, entry, 0);
}

void compared_distrust(struct visit *v, int64_t since)
{
	struct ledger_entry entry;
	bool noted = false;

	for (const struct item *i = v->listing.items; i < v->listing.items + v->listing.count; i++) {
		if (!(i->flags & ITEM_OWN_ID) || i->flags & ITEM_UNIDENTIFIED)	/* content told those already */
			continue;
		if (!ledger_get(v->ledger, i->id, &entry) || entry.changed < since || !is_settled(&entry))
			continue;
		if (!noted)
			ledger_note(v->ledger, LEDGER_NOTE_COMPARING, clock_now_s(), 0);
		noted = true;
		distrust(v, &entry);
	}
	ledger_flush(v->ledger);
}
