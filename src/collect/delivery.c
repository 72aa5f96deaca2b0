/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit_imap.h"
#include "wire/header.h"
#include "wire/utf7.h"

enum { NAME_SHOWN = 256 };

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
	return v->with->after == AFTER_KEEP ? LEDGER_ACCEPTED : LEDGER_DISPOSING;
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
		message_recall(v, m);
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

/* While it is pending, what the entry knows of other targets stays: they may
 * be in `deliver` again tomorrow, or be recovering at this moment. */
static void pending_targets(const struct visit *v, const struct message *m, struct ledger_entry *entry)
{
	struct ledger_entry old;

	if (ledger_get(v->ledger, m->id, &old) && old.state == LEDGER_PENDING) {
		memcpy(entry->targets, old.targets, sizeof entry->targets);
		entry->target_count = old.target_count;
	}
	for (size_t n = 0; n < v->sink_count; n++) {
		if (m->accepted & 1u << n)
			entry_set_sink(entry, &v->sinks[n], LEDGER_TARGET_ACCEPTED, NULL);
		else if (n == m->turn)
			entry_set_sink(entry, &v->sinks[n], m->place[0] ? LEDGER_TARGET_PLACING : LEDGER_TARGET_NONE, m->place);
	}
}

void message_uid_text(const struct visit *v, uint32_t number, struct span uid, char out[LEDGER_UID_MAX + 1])
{
	if (v->with->protocol == PROTOCOL_IMAP)
		(void)snprintf(out, LEDGER_UID_MAX + 1, "%u/%u", imap_validity(v), number);
	else
		header_value(uid, out, LEDGER_UID_MAX + 1);
}

/* How it stands in errors. */
static void message_name(const struct visit *v, uint32_t number, struct span uid, char out[NAME_SHOWN])
{
	char box[NAME_SHOWN / 2];

	utf7_show(span_of(ledger_mailbox(v->ledger)), box, sizeof box);
	if (v->with->protocol == PROTOCOL_IMAP)
		(void)snprintf(out, NAME_SHOWN, "message %u of %s", number, box);
	else
		(void)snprintf(out, NAME_SHOWN, "message %u (%.*s)", number, (int)uid.len, uid.at ? uid.at : "");
}

void message_entry(const struct visit *v, const struct message *m, enum ledger_state state, struct ledger_entry *entry)
{
	*entry = (struct ledger_entry){
		.state = state, .first_seen = m->first_seen, .changed = delivery_moment(v->ledger), .size = m->size,
		.has_digest = true, .attempts = m->attempts + 1, .removal = m->removal,
	};
	memcpy(entry->id, m->id, sizeof entry->id);
	memcpy(entry->digest, m->digest, sizeof entry->digest);
	message_uid_text(v, m->number, (struct span){ m->uid, m->uid_len }, entry->uid);
	if (state == LEDGER_PENDING)
		pending_targets(v, m, entry);
	else
		entry->accepted = clock_now_s();
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

/* Some target does not have it: the ledger remembers which do, and a later
 * visit fetches it again for the others. */
static void conclude_failed(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	v->result.failed++;
	message_entry(v, m, LEDGER_PENDING, &entry);
	header_value(span_of(v->last_failure.text), entry.error, sizeof entry.error);
	ledger_put(v->ledger, &entry, 0);
	message_leave(v, m);
}

/* To the next target that does not have it; after the last, into the ledger.
 * A target that failed holds up neither the others nor the next message. */
static void go_on(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	for (size_t n = 0; n < v->sink_count; n++) {
		if ((m->accepted | m->failed) & 1u << n)
			continue;
		if (v->sinks[n].failures >= SINK_FAILURES_MAX) {
			m->failed |= 1u << n;
			continue;
		}
		m->turn = (uint8_t)n;
		m->place[0] = '\0';
		v->sinks[n].ops->deliver(&v->sinks[n], m);
		return;
	}
	if (m->failed) {
		conclude_failed(v, m);
		return;
	}
	message_entry(v, m, m->removal ? LEDGER_DISPOSING : visit_final_state(v), &entry);
	ledger_put(v->ledger, &entry, visit_ticket(v, m->slot, TICKET_FINAL));
}

void message_accepted(struct visit *v, struct message *m)
{
	m->accepted |= 1u << m->turn;
	v->sinks[m->turn].failures = 0;
	go_on(v, m);
}

/* One more failure of this target in a row.  When no target takes anything any
 * more there is no reason to fetch; what they have already is disposed of all the same. */
static void count_failure(struct visit *v, struct sink *k, const struct err *why)
{
	bool all = true;

	if (++k->failures == SINK_FAILURES_MAX)
		log_error(&v->tag, "target %s failed %d times in a row; nothing more is tried there in this visit",
			k->target->name, SINK_FAILURES_MAX);
	for (size_t n = 0; n < v->sink_count; n++)
		all = all && v->sinks[n].failures >= SINK_FAILURES_MAX;
	if (!all)
		return;
	v->no_target = *why;
	v->plan_count = v->plan_asked;
}

void message_failed(struct visit *v, struct message *m, const struct err *why)
{
	struct sink *k = &v->sinks[m->turn];
	char name[NAME_SHOWN];

	message_name(v, m->number, (struct span){ m->uid, m->uid_len }, name);
	if (k->failures < SINK_FAILURES_MAX)
		log_error(&v->tag, "%s: target %s: %s", name, k->target->name, why->text);
	v->last_failure = *why;
	m->failed |= 1u << m->turn;
	count_failure(v, k, why);
	if (m->place[0])	/* what the ledger says of it stays until the next visit looks */
		conclude_failed(v, m);
	else
		go_on(v, m);
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

	v->current = NULL;
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
	if (m->unidentified && !message_identify(v, m)) {
		message_free(v, m);
		return;
	}
	v->under_way++;
	v->under_way_octets += m->size;
	go_on(v, m);
}

void message_refused(struct visit *v, const struct item *item, struct span words)
{
	struct span uid = { item->uid, item->uid_len };
	struct ledger_entry entry;
	char name[NAME_SHOWN];
	struct err why;

	message_name(v, item->number, uid, name);
	(void)err_set(&why, ERR_PEER, "the server refused to hand it over");
	(void)secret_peer(v, &why, words);
	v->result.failed++;
	log_error(&v->tag, "%s: %s", name, why.text);
	if (!(item->flags & ITEM_OWN_ID) || item->flags & ITEM_UNIDENTIFIED)
		return;		/* an entry of its own would keep it from being compared the next time */
	if (!ledger_get(v->ledger, item->id, &entry) || entry.state != LEDGER_PENDING)
		entry = (struct ledger_entry){ .state = LEDGER_PENDING, .first_seen = clock_now_s() };
	memcpy(entry.id, item->id, sizeof entry.id);
	entry.size = item->size;
	entry.changed = clock_now_s();
	entry.attempts++;
	message_uid_text(v, item->number, uid, entry.uid);
	header_value(span_of(why.text), entry.error, sizeof entry.error);
	ledger_put(v->ledger, &entry, 0);
}
