/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit.h"
#include "wire/header.h"

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

/* Ops of each kind of target; kinds that are not built have none. */
static const struct sink_ops *ops_of(enum target_type type)
{
	switch (type) {
	case TARGET_MAILBOX:
		return &sink_mailbox;
	case TARGET_MAILDIR:
		return &sink_maildir;
	case TARGET_FOLDER:
	case TARGET_SMTP:
	case TARGET_LMTP:
	case TARGET_COMMAND:
		break;
	}
	return NULL;
}

bool delivery_open(struct visit *v, struct err *e)
{
	static_assert((int)SETTINGS_DELIVER_MAX <= (int)LEDGER_TARGETS_MAX, "the ledger holds a state for each target of a connection");
	assert(v->with->deliver_count <= SETTINGS_DELIVER_MAX);
	for (size_t n = 0; n < v->with->deliver_count; n++) {
		struct sink *k = &v->sinks[n];

		*k = (struct sink){ .visit = v, .target = v->with->deliver[n], .index = (uint8_t)n };
		k->ops = ops_of(k->target->type);
		assert(k->ops);		/* settings_usable */
		k->tag = ledger_target_tag(k->target->canonical);
		if (!k->ops->open(k, e))
			return err_in(e, "target %s", k->target->name);
		v->sink_count++;
	}
	for (size_t n = 0; n < v->sink_count; n++)
		if (!v->sinks[n].ops->recover(&v->sinks[n], e))
			return err_in(e, "target %s", v->sinks[n].target->name);
	ledger_flush(v->ledger);
	return true;
}

void delivery_close(struct visit *v)
{
	for (size_t n = 0; n < v->sink_count; n++)
		v->sinks[n].ops->close(&v->sinks[n]);
	v->sink_count = 0;
	for (struct message *m = queue_take(&v->spare); m; m = queue_take(&v->spare))
		free(m);
	free(v->slots);
	v->slots = NULL;
	v->slot_count = 0;
}

bool delivery_full(const struct visit *v)
{
	const struct message *m = v->current;

	for (size_t n = 0; m && n < v->sink_count; n++)
		if (m->incoming[n] && incoming_full(m->incoming[n]))
			return true;
	return v->under_way >= UNDER_WAY_MESSAGES || v->under_way_octets >= UNDER_WAY_OCTETS;
}

enum ledger_state visit_final_state(const struct visit *v)
{
	return v->with->after == AFTER_DELETE ? LEDGER_DISPOSING : LEDGER_ACCEPTED;
}

static struct message *message_new(struct visit *v)
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
	*m = (struct message){ .slot = slot };
	v->slots[slot] = m;
	return m;
}

static void message_free(struct visit *v, struct message *m)
{
	for (size_t n = 0; n < v->sink_count; n++)
		if (m->incoming[n])
			incoming_abort(&m->incoming[n]);
	spool_free(&m->spool);
	v->slots[m->slot] = NULL;
	queue_add(&v->spare, m);
}

/* What an earlier visit left: which targets have it already. */
static void recall(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (!ledger_get(v->ledger, m->id, &entry) || entry.state != LEDGER_PENDING)
		return;
	m->first_seen = entry.first_seen;
	m->attempts = entry.attempts;
	for (size_t n = 0; n < v->sink_count; n++)
		for (size_t t = 0; t < entry.target_count; t++)
			if (entry.targets[t].target == v->sinks[n].tag && entry.targets[t].state == LEDGER_TARGET_ACCEPTED)
				m->accepted |= 1u << n;
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
		recall(v, m);
	v->head.len = 0;
	for (size_t n = 0; n < v->sink_count; n++) {
		struct sink *k = &v->sinks[n];

		if (m->accepted & 1u << n)
			continue;
		if (k->ops->streams && !k->ops->begin(k, m, e))
			return false;
		if (!k->ops->streams && !m->spool) {
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

	m->size += octets.len;
	for (size_t n = 0; n < v->sink_count; n++)
		if (m->incoming[n] && !incoming_add(m->incoming[n], octets, e))
			return false;
	return !m->spool || spool_add(m->spool, octets, e);
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

void message_entry(const struct visit *v, const struct message *m, enum ledger_state state, struct ledger_entry *entry)
{
	*entry = (struct ledger_entry){
		.state = state, .first_seen = m->first_seen, .changed = clock_now_s(), .size = m->size,
		.has_digest = true, .attempts = m->attempts + 1,
	};
	memcpy(entry->id, m->id, sizeof entry->id);
	memcpy(entry->digest, m->digest, sizeof entry->digest);
	header_value((struct span){ m->uid, m->uid_len }, entry->uid, sizeof entry->uid);
	if (state != LEDGER_PENDING) {
		entry->accepted = entry->changed;
		return;
	}
	for (size_t n = 0; n < v->sink_count; n++) {
		struct ledger_target *t = &entry->targets[entry->target_count];
		bool placing = n == m->turn && m->place[0];

		if (!(m->accepted & 1u << n) && !placing)
			continue;
		t->target = v->sinks[n].tag;
		t->state = m->accepted & 1u << n ? LEDGER_TARGET_ACCEPTED : LEDGER_TARGET_PLACING;
		if (t->state == LEDGER_TARGET_PLACING)
			memcpy(t->place, m->place, sizeof t->place);
		entry->target_count++;
	}
}

static void leave(struct visit *v, struct message *m)
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

/* To the next target that does not have it; after the last, into the ledger. */
static void go_on(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	for (size_t n = 0; n < v->sink_count; n++) {
		if (m->accepted & 1u << n)
			continue;
		m->turn = (uint8_t)n;
		m->place[0] = '\0';
		v->sinks[n].ops->deliver(&v->sinks[n], m);
		return;
	}
	message_entry(v, m, visit_final_state(v), &entry);
	ledger_put(v->ledger, &entry, visit_ticket(v, m->slot, TICKET_FINAL));
}

void message_accepted(struct visit *v, struct message *m)
{
	m->accepted |= 1u << m->turn;
	go_on(v, m);
}

/* The content is known: this entry, under another id.  It takes the new one. */
static bool rekey(struct visit *v, struct message *m, const uint8_t old[32], bool *done)
{
	struct ledger_entry entry;

	if (!ledger_get(v->ledger, old, &entry))
		return false;
	*done = entry.state != LEDGER_PENDING;
	if (m->has_id && memcmp(old, m->id, sizeof entry.id) != 0) {
		ledger_remove(v->ledger, old);
		memcpy(entry.id, m->id, sizeof entry.id);
		header_value((struct span){ m->uid, m->uid_len }, entry.uid, sizeof entry.uid);
		ledger_put(v->ledger, &entry, 0);
	} else {
		memcpy(m->id, old, sizeof m->id);
	}
	return true;
}

static void want_delete(struct visit *v, uint32_t number)
{
	if (v->with->after != AFTER_DELETE)
		return;
	if (v->delete_count == v->delete_cap) {
		size_t cap = v->delete_cap ? v->delete_cap * 2 : 256;
		uint32_t *more = reallocarray(v->deletes, cap, sizeof *more);

		if (!more)
			return;		/* it stays, `disposing`: the next visit deletes it */
		v->deletes = more;
		v->delete_cap = cap;
	}
	v->deletes[v->delete_count++] = number;
}

/* False: it is no new message, and is done with. */
static bool identify(struct visit *v, struct message *m)
{
	uint8_t old[32], base[32];
	bool done;

	v->uncompared--;
	if (identity_find(&v->identity, m->digest, old) && rekey(v, m, old, &done)) {
		if (done) {
			want_delete(v, m->number);
			return false;
		}
		recall(v, m);
		return true;
	}
	if (!m->has_id) {
		memcpy(base, m->id, sizeof base);
		identity_key(&v->identity, base, v->ledger, m->id);
		recall(v, m);
	}
	return true;
}

void message_complete(struct visit *v)
{
	struct message *m = v->current;

	v->current = NULL;
	digest(v, m);
	if (m->unidentified && !identify(v, m)) {
		message_free(v, m);
		return;
	}
	v->under_way++;
	v->under_way_octets += m->size;
	go_on(v, m);
}

void message_failed(struct visit *v, struct message *m, const struct err *why)
{
	struct ledger_entry entry;

	v->result.failed++;
	log_error(&v->tag, "message %u (%.*s): target %s: %s", m->number, (int)m->uid_len, m->uid,
		v->sinks[m->turn].target->name, why->text);
	message_entry(v, m, LEDGER_PENDING, &entry);
	header_value(span_of(why->text), entry.error, sizeof entry.error);
	ledger_put(v->ledger, &entry, 0);
	leave(v, m);
	if (why->kind == ERR_LOCAL)	/* a full disk does not take the next one either */
		visit_fail(v, why);
}

void message_refused(struct visit *v, const struct item *item, struct span words)
{
	struct ledger_entry entry;
	struct err why;

	(void)err_set(&why, ERR_PEER, "the server refused to hand it over");
	(void)err_peer(&why, words);
	v->result.failed++;
	log_error(&v->tag, "message %u (%.*s): %s", item->number, (int)item->uid_len, item->uid, why.text);
	if (!(item->flags & ITEM_OWN_ID))
		return;
	if (!ledger_get(v->ledger, item->id, &entry) || entry.state != LEDGER_PENDING)
		entry = (struct ledger_entry){ .state = LEDGER_PENDING, .first_seen = clock_now_s() };
	memcpy(entry.id, item->id, sizeof entry.id);
	entry.size = item->size;
	entry.changed = clock_now_s();
	entry.attempts++;
	header_value((struct span){ item->uid, item->uid_len }, entry.uid, sizeof entry.uid);
	header_value(span_of(why.text), entry.error, sizeof entry.error);
	ledger_put(v->ledger, &entry, 0);
}

void delivery_recovered(struct visit *v, struct ledger_entry *entry, const struct sink *k)
{
	uint32_t accepted = 1u << k->index;

	for (size_t n = 0; n < v->sink_count; n++)
		for (size_t t = 0; t < entry->target_count; t++)
			if (entry->targets[t].target == v->sinks[n].tag && entry->targets[t].state == LEDGER_TARGET_ACCEPTED)
				accepted |= 1u << n;
	entry->changed = clock_now_s();
	entry->state = LEDGER_PENDING;
	entry->target_count = 0;
	for (size_t n = 0; n < v->sink_count; n++)
		if (accepted & 1u << n)
			entry->targets[entry->target_count++] = (struct ledger_target){
				.target = v->sinks[n].tag, .state = LEDGER_TARGET_ACCEPTED };
	if (entry->target_count == v->sink_count) {
		entry->state = visit_final_state(v);
		entry->accepted = entry->changed;
		entry->target_count = 0;
	}
	ledger_put(v->ledger, entry, visit_ticket(v, 0, TICKET_RECOVERED));
}

/* The ledger has it for good: count it, let the sinks forget their marks, dispose. */
static void settled(struct visit *v, struct message *m)
{
	v->result.collected++;
	v->result.octets += m->size;
	for (size_t n = 0; n < v->sink_count; n++)
		v->sinks[n].ops->settled(&v->sinks[n], m);
	want_delete(v, m->number);
	leave(v, m);
}

void visit_answer(struct visit *v, uint32_t slot, enum ticket_kind kind, const struct err *why)
{
	struct message *m = kind == TICKET_RECOVERED ? NULL : v->slots[slot];

	assert(v->waiting);
	v->waiting--;
	if (why && kind == TICKET_RECOVERED) {
		visit_fail(v, why);
	} else if (why) {
		message_failed(v, m, why);
	} else {
		switch (kind) {
		case TICKET_APPENDED:
		case TICKET_PLACING:
			v->sinks[m->turn].ops->answered(&v->sinks[m->turn], m, kind);
			break;
		case TICKET_FINAL:
			settled(v, m);
			break;
		case TICKET_RECOVERED:
			for (size_t n = 0; n < v->sink_count; n++)
				v->sinks[n].ops->answered(&v->sinks[n], NULL, kind);
			break;
		}
	}
	ledger_flush(v->ledger);
}
