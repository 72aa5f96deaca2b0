/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit_imap.h"
#include "store/held.h"
#include "store/quota.h"
#include "wire/header.h"
#include "wire/utf7.h"

void queue_add(struct queue *q, struct message *m)
{
	m->next = NULL;
	if (q->last)
		q->last->next = m;
	else
		q->first = m;
	q->last = m;
	q->count++;
}

struct message *queue_take(struct queue *q)
{
	struct message *m = q->first;

	if (!m)
		return NULL;
	q->first = m->next;
	if (!q->first)
		q->last = NULL;
	q->count--;
	m->next = NULL;
	return m;
}

bool delivery_open(struct visit *v, struct err *e)
{
	static_assert((int)SETTINGS_DELIVER_MAX <= (int)LEDGER_TARGETS_MAX, "the ledger holds a state for each target of a connection");
	assert(v->with->deliver_count <= SETTINGS_DELIVER_MAX);
	for (uint8_t n = 0; n < v->with->deliver_count; n++) {
		if (!sink_open(&v->sinks[n], v, n, e))
			return false;
		v->sink_count++;
	}
	return delivery_recover(v, e);
}

bool delivery_recover(struct visit *v, struct err *e)
{
	for (size_t n = 0; n < v->sink_count; n++)
		if (!v->sinks[n].ops->recover(&v->sinks[n], e))
			return err_in(e, "target %s", v->sinks[n].target->name);
	ledger_flush(v->ledger);
	return true;
}

void delivery_close(struct visit *v)
{
	for (size_t n = 0; n < v->sink_count; n++)
		sink_close(&v->sinks[n]);
	v->sink_count = 0;
	for (struct message *m = queue_take(&v->spare); m; m = queue_take(&v->spare))
		free(m);
	free(v->slots);
	v->slots = NULL;
	v->slot_count = 0;
}

void delivery_turn(struct visit *v)
{
	v->feeding = false;
	for (size_t n = 0; n < v->sink_count; n++)
		if (v->sinks[n].ops->turn)
			v->sinks[n].ops->turn(&v->sinks[n]);
}

bool delivery_full(const struct visit *v)
{
	const struct message *m = v->current;

	for (size_t n = 0; m && n < v->sink_count; n++)
		if (m->incoming[n] && incoming_full(m->incoming[n]))
			return true;
	return v->slices > 1 || v->under_way >= UNDER_WAY_MESSAGES || v->under_way_octets >= UNDER_WAY_OCTETS;
}

enum ledger_state visit_final_state(const struct visit *v)
{
	return v->with->after == AFTER_KEEP || v->phase >= VISIT_LEAVING ? LEDGER_ACCEPTED : LEDGER_DISPOSING;
}

struct message *message_new(struct visit *v)
{
	struct message *m = queue_take(&v->spare);
	uint32_t slot;

	if (m) {
		slot = m->slot;
	} else {
		struct message **slots = reallocarray(v->slots, v->slot_count + 1, sizeof *slots);

		m = calloc(1, sizeof *m);
		if (slots)
			v->slots = slots;
		if (!m || !slots) {
			free(m);
			return NULL;
		}
		slot = (uint32_t)v->slot_count++;
	}
	*m = (struct message){ .slot = slot, .moment = maildir_moment(), .ledger = v->ledger };
	v->slots[slot] = m;
	return m;
}

void message_free(struct visit *v, struct message *m)
{
	for (size_t n = 0; n < v->sink_count; n++)
		if (m->incoming[n])
			incoming_abort(&m->incoming[n]);
	handed_release(v, m);
	spool_free(&m->spool);
	routing_end(&m->routing);
	free(m->why);
	v->slots[m->slot] = NULL;
	queue_add(&v->spare, m);
}

/* What the entry says of a target: it has the message, or will get it from the held area, or is not asked. */
static void recall_target(struct message *m, size_t n, const struct ledger_target *target)
{
	switch (target->state) {
	case LEDGER_TARGET_ACCEPTED:
		m->accepted |= 1u << n;
		return;
	case LEDGER_TARGET_HELD:
		m->held |= 1u << n;
		(void)!held_id_read(target->place, &m->copies[n]);
		return;
	case LEDGER_TARGET_REFUSED:
		m->refused |= 1u << n;
		return;
	case LEDGER_TARGET_NONE:
	case LEDGER_TARGET_PLACING:
	case LEDGER_TARGET_STATES:
		return;
	}
}

void message_recall(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (!ledger_get(v->ledger, m->id, &entry) || entry.state != LEDGER_PENDING)
		return;
	m->first_seen = entry.first_seen;
	m->attempts = entry.attempts;
	m->removal = entry.removal;
	for (size_t n = 0; n < v->sink_count; n++)
		for (size_t t = 0; t < entry.target_count; t++)
			if (entry.targets[t].target == v->sinks[n].tag)
				recall_target(m, n, &entry.targets[t]);
}

/* Its octets may not find room in the box: then they are wanted once more.  Over IMAP nobody may have said yet how many they are. */
static bool may_not_fit(const struct visit *v, const struct sink *k, const struct item *item)
{
	uint64_t left = k->ops == &sink_mailbox ? quota_left(collector_store(v->collector), k->target->mailbox) : UINT64_MAX;

	return left != UINT64_MAX && (!item->size || item->size > left);
}

bool message_begin(struct visit *v, const struct item *item, struct err *e)
{
	struct message *m = message_new(v);

	assert(!v->current);
	if (!m)
		return err_set(e, ERR_LOCAL, "out of memory");
	v->current = m;
	m->number = item->number;
	m->unidentified = item->flags & ITEM_UNIDENTIFIED;
	m->has_id = item->flags & ITEM_OWN_ID;
	memcpy(m->id, item->id, sizeof m->id);
	m->uid_len = item->uid_len;
	memcpy(m->uid, item->uid, sizeof m->uid);
	m->first_seen = clock_now_s();
	if (m->has_id)
		message_recall(v, m);
	for (size_t n = 0; n < v->sink_count; n++) {
		struct sink *k = &v->sinks[n];

		if ((m->accepted | m->held | m->refused) & 1u << n)
			continue;
		if (k->streams && !k->ops->begin(k, m, e))
			return false;
		if ((!k->streams || may_not_fit(v, k, item)) && !m->spool) {
			m->spool = spool_new(store_state(collector_store(v->collector)), e);
			if (!m->spool)
				return false;
		}
	}
	return true;
}

bool message_octets(struct visit *v, struct span octets, struct err *e)
{
	struct message *m = v->current;
	struct err full;

	m->size += octets.len;
	for (size_t n = 0; n < v->sink_count; n++)
		if (m->incoming[n] && !incoming_add(m->incoming[n], octets, e))
			return false;
	if (m->spool)
		(void)!spool_add(m->spool, octets, &full);	/* who reads it is told: this message fails, not the visit */
	return true;
}

static void digest(struct visit *v, struct message *m)
{
	if (m->spool) {
		spool_digest(m->spool, m->digest);
		return;
	}
	for (size_t n = 0; n < v->sink_count; n++) {
		if (m->incoming[n]) {
			incoming_digest(m->incoming[n], m->digest);
			return;
		}
	}
}

/* Of target `tag`: replaces what the entry says of it, or is added. */
void entry_set_target(struct ledger_entry *entry, uint64_t tag, enum ledger_target_state state, const char place[MAILDIR_NAME_MAX])
{
	uint32_t n = 0;

	while (n < entry->target_count && entry->targets[n].target != tag)
		n++;
	if (n == LEDGER_TARGETS_MAX)	/* full of targets that are no longer in `deliver` */
		n--;
	if (n == entry->target_count)
		entry->target_count++;
	entry->targets[n] = (struct ledger_target){ .target = tag, .state = state };
	if (place)
		memcpy(entry->targets[n].place, place, sizeof entry->targets[n].place);
}

void message_uid_text(const struct visit *v, uint32_t number, struct span uid, char out[LEDGER_UID_MAX + 1])
{
	if (v->with->protocol == PROTOCOL_IMAP)
		(void)snprintf(out, LEDGER_UID_MAX + 1, "%u/%u", imap_validity(v), number);
	else
		header_value(uid, out, LEDGER_UID_MAX + 1);
}

void message_leave(struct visit *v, struct message *m)
{
	assert(v->under_way && v->under_way_octets >= m->size);
	v->under_way--;
	v->under_way_octets -= m->size;
	message_free(v, m);
	collector_dirty(v->collector, v);
}

void message_drop(struct visit *v, struct message *m)
{
	if (m == v->current)
		v->current = NULL;
	message_free(v, m);
}

void delivery_want_disposal(struct visit *v, uint32_t number)
{
	if (v->delete_count == v->delete_cap) {
		size_t cap = v->delete_cap ? v->delete_cap * 2 : 256;
		uint32_t *more = reallocarray(v->deletes, cap, sizeof *more);

		if (!more)
			return;		/* it stays, `disposing`: the next visit disposes of it */
		v->deletes = more;
		v->delete_cap = cap;
	}
	v->deletes[v->delete_count++] = number;
}

/* Only now that it is here shows that it is too old. */
static void skip_old(struct visit *v, struct message *m)
{
	const struct item *i = listing_find(&v->listing, m->number);

	assert(i);
	selection_skip(v, i, m->digest);
	message_free(v, m);
}

void message_complete(struct visit *v, bool too_old)
{
	struct message *m = v->current;
	uint8_t old[32];
	struct err e;

	v->current = NULL;
	if (!ledger_takes(v->ledger, &e)) {	/* what was found out and what was put there is not there */
		message_free(v, m);
		visit_fail(v, &e);
		return;
	}
	digest(v, m);
	if (too_old && !(m->unidentified && identity_find(&v->identity, m->digest, old))) {
		v->uncompared -= m->unidentified;
		skip_old(v, m);
		return;
	}
	if (too_old) {		/* known, and older now than is asked for: as it is */
		v->uncompared--;
		(void)message_known(v, m, old);
		message_free(v, m);
		return;
	}
	if ((m->unidentified && !message_identify(v, m)) || !message_returns(v, m)) {
		message_free(v, m);
		return;
	}
	v->under_way++;
	v->under_way_octets += m->size;
	message_go_on(v, m);
}
