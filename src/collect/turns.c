/* SPDX-License-Identifier: Apache-2.0
 *
 * A complete message's way through the sinks, one after the other, into the ledger. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "collect/visit_imap.h"
#include "store/held_ledger.h"
#include "wire/header.h"
#include "wire/utf7.h"

/* ---- what the ledger says of it */

static enum ledger_target_state target_state(const struct ledger_entry *entry, const struct sink *k)
{
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == k->tag)
			return entry->targets[t].state;
	return LEDGER_TARGET_NONE;
}

static bool is_decided(enum ledger_target_state state)
{
	return state == LEDGER_TARGET_ACCEPTED || state == LEDGER_TARGET_REFUSED;
}

/* What the entry knows of targets that are not asked now stays: they may be in `deliver` again tomorrow, or be recovering at
 * this moment.  So does what became of a held copy of it that was tried again meanwhile. */
static void set_targets(const struct visit *v, const struct message *m, struct ledger_entry *entry)
{
	struct ledger_entry old;

	if (ledger_get(m->ledger, m->id, &old) && old.state == LEDGER_PENDING) {
		memcpy(entry->targets, old.targets, sizeof entry->targets);
		entry->target_count = old.target_count;
		entry->removal = entry->removal || old.removal;
	}
	for (size_t n = 0; n < v->sink_count; n++) {
		const struct sink *k = &v->sinks[n];
		char copy[LEDGER_PLACE_MAX] = "";

		if (m->copies[n])
			(void)held_id_text(m->copies[n], copy);
		if (m->accepted & 1u << n)
			entry_set_sink(entry, k, LEDGER_TARGET_ACCEPTED, NULL);
		else if (m->held & 1u << n && is_decided(target_state(entry, k)))
			continue;
		else if (m->held & 1u << n)
			entry_set_sink(entry, k, LEDGER_TARGET_HELD, copy);
		else if (m->refused & 1u << n)
			entry_set_sink(entry, k, LEDGER_TARGET_REFUSED, NULL);
		else if (n == m->turn)
			entry_set_sink(entry, k, m->place[0] ? LEDGER_TARGET_PLACING : LEDGER_TARGET_NONE, m->place);
	}
}

static bool has_targets(enum ledger_state state)
{
	return state == LEDGER_PENDING || state == LEDGER_HELD || state == LEDGER_REFUSED;
}

void message_entry(const struct visit *v, const struct message *m, enum ledger_state state, struct ledger_entry *entry)
{
	*entry = (struct ledger_entry){
		.state = state, .first_seen = m->first_seen, .changed = delivery_moment(m->ledger), .size = m->size,
		.has_digest = true, .attempts = m->attempts + 1, .removal = m->removal,
	};
	memcpy(entry->id, m->id, sizeof entry->id);
	memcpy(entry->digest, m->digest, sizeof entry->digest);
	message_uid_text(v, m->number, (struct span){ m->uid, m->uid_len }, entry->uid);
	if (m->why)
		message_error(m, entry);
	set_targets(v, m, entry);
	if (has_targets(state))
		return;
	held_keep_mentions(entry);
	entry->accepted = clock_now_s();
}

enum ledger_state entry_state(const struct visit *v, const struct ledger_entry *entry, enum ledger_state final)
{
	bool held = false, refused = false;

	for (size_t n = 0; n < v->sink_count; n++) {
		switch (target_state(entry, &v->sinks[n])) {
		case LEDGER_TARGET_ACCEPTED:
			break;
		case LEDGER_TARGET_HELD:
			held = true;
			break;
		case LEDGER_TARGET_REFUSED:
			refused = true;
			break;
		case LEDGER_TARGET_NONE:
		case LEDGER_TARGET_PLACING:
		case LEDGER_TARGET_STATES:
			return LEDGER_PENDING;
		}
	}
	return held ? LEDGER_HELD : refused ? LEDGER_REFUSED : final;
}

/* ---- how it stands in the log */

static void title_of(const struct visit *v, uint32_t number, struct span uid, char out[MESSAGE_TITLE])
{
	char box[MESSAGE_TITLE / 2];

	utf7_show(span_of(ledger_mailbox(v->ledger)), box, sizeof box);
	if (v->with->protocol == PROTOCOL_IMAP)
		(void)snprintf(out, MESSAGE_TITLE, "message %u of %s", number, box);
	else
		(void)snprintf(out, MESSAGE_TITLE, "message %u (%.*s)", number, (int)uid.len, uid.at ? uid.at : "");
}

void message_title(const struct visit *v, const struct message *m, char out[MESSAGE_TITLE])
{
	char id[HELD_ID_TEXT];

	if (m->copy)
		(void)snprintf(out, MESSAGE_TITLE, "held message %s", held_id_text(m->copy, id));
	else
		title_of(v, m->number, (struct span){ m->uid, m->uid_len }, out);
}

void message_error(const struct message *m, struct ledger_entry *entry)
{
	header_value(span_of(m->why), entry->error, sizeof entry->error);
}

void message_because(struct message *m, const char *why)
{
	free(m->why);
	m->why = strdup(why);
}

/* ---- its end */

/* A held copy of it may have been tried again since it was fetched: what the entry says of that target counts. */
static void catch_up(const struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (!m->held || !ledger_get(m->ledger, m->id, &entry) || entry.state != LEDGER_PENDING)
		return;
	m->removal = m->removal || entry.removal;
	for (size_t n = 0; n < v->sink_count; n++) {
		enum ledger_target_state state = target_state(&entry, &v->sinks[n]);

		if (!(m->held & 1u << n) || !is_decided(state))
			continue;
		m->held &= ~(1u << n);
		*(state == LEDGER_TARGET_ACCEPTED ? &m->accepted : &m->refused) |= 1u << n;
	}
}

/* Some target does not have it: the ledger remembers which do, and a later
 * visit fetches it again for the others. */
static void conclude_failed(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	v->result.failed++;
	message_entry(v, m, LEDGER_PENDING, &entry);
	ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_UNDECIDED));
}

/* Those that have it are done; for the others there is a copy, or it waits at the server. */
static void conclude_waiting(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (m->held)
		v->result.held++;
	else
		v->result.failed++;
	message_entry(v, m, m->held ? LEDGER_HELD : LEDGER_REFUSED, &entry);
	ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_UNDECIDED));
	listing_key(&v->listing, m->number, m->id);
}

static void conclude(struct visit *v, struct message *m)
{
	enum ledger_state final = visit_final_state(v);
	struct ledger_entry entry;

	if (m->removal)
		final = LEDGER_DISPOSING;
	else if (m->quarantined && final == LEDGER_ACCEPTED)
		final = LEDGER_QUARANTINED;
	message_entry(v, m, final, &entry);
	ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_FINAL));
}

/* ---- from sink to sink */

void visit_no_target(struct visit *v, const struct err *why)
{
	if (!v->no_target.kind)
		v->no_target = *why;
	v->plan_count = v->plan_asked;
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
	if (all)
		visit_no_target(v, why);
}

/* Its routing, when this sink wants one, is known; false: that was its turn already. */
static bool route(struct visit *v, struct message *m)
{
	struct sink *k = &v->sinks[m->turn];
	struct deliver_result refused = { .said = DELIVER_REFUSED, .why = m->routing.why, .told = "" };
	struct err e;

	routing_end(&m->routing);
	if (!m->spool || (m->retried && retried_bounce(m)))
		return true;
	if (((k->ops == &sink_handed || routing_wanted(k)) && !routing_of(k, m->spool, &m->routing, &e)) ||
	    !spool_lead(m->spool, m->routing.lead, &e)) {
		message_failed(v, m, &e);
		return false;
	}
	if (m->copy && (m->retried->recipient_count || k->ops != &sink_handed || m->routing.what == ENVELOPE_DELIVER))
		return true;	/* for whom it is was settled when it came */
	if (m->copy) {
		message_untaken(v, m, &refused);
		return false;
	}
	switch (m->routing.what) {
	case ENVELOPE_DELIVER:
		return true;
	case ENVELOPE_HOLD:
	case ENVELOPE_DELETE:
	case ENVELOPE_QUARANTINE:
		message_unrouted(v, m);
		return false;
	case ENVELOPE_REFUSED:
		message_untaken(v, m, &refused);
		return false;
	}
	return true;
}

static bool next_turn(const struct visit *v, struct message *m)
{
	uint32_t over = m->accepted | m->failed | m->held | m->refused | m->others;

	for (size_t pass = 0; pass < 2; pass++) {	/* what is handed over may take its time: that comes behind the others */
		for (size_t n = 0; n < v->sink_count; n++) {
			if (over & 1u << n || (v->sinks[n].ops == &sink_handed) != (pass == 1))
				continue;
			if (v->sinks[n].failures >= SINK_FAILURES_MAX) {
				if (v->sinks[n].shut)
					message_because(m, v->sinks[n].shut);
				m->failed |= 1u << n;
				continue;
			}
			m->turn = (uint8_t)n;
			return true;
		}
	}
	return false;
}

/* To the next target that does not have it; after the last, into the ledger.
 * A target that failed holds up neither the others nor the next message. */
void message_go_on(struct visit *v, struct message *m)
{
	while (next_turn(v, m)) {
		m->place[0] = '\0';
		if (route(v, m))
			v->sinks[m->turn].ops->deliver(&v->sinks[m->turn], m);
		return;
	}
	if (m->copy) {
		retried_over(v, m);
		return;
	}
	catch_up(v, m);
	if (m->failed)
		conclude_failed(v, m);
	else if (m->held || m->refused)
		conclude_waiting(v, m);
	else
		conclude(v, m);
}

void message_over(struct visit *v, struct message *m, uint32_t *way)
{
	*way |= 1u << m->turn;
	message_go_on(v, m);
}

void message_accepted(struct visit *v, struct message *m)
{
	v->sinks[m->turn].failures = v->sinks[m->turn].hung = 0;
	message_over(v, m, &m->accepted);
}

void message_failed(struct visit *v, struct message *m, const struct err *why)
{
	struct sink *k = &v->sinks[m->turn];
	char title[MESSAGE_TITLE];

	message_title(v, m, title);
	if (k->failures < SINK_FAILURES_MAX)
		log_error(&v->tag, "%s: target %s: %s", title, k->target->name, why->text);
	message_because(m, why->text);
	m->failed |= 1u << m->turn;
	count_failure(v, k, why);
	assert(!m->copy || !m->place[0]);
	if (m->place[0])	/* what the ledger says of it stays until the next visit looks */
		conclude_failed(v, m);
	else
		message_go_on(v, m);
}

void message_refused(struct visit *v, const struct item *item, struct span words)
{
	struct span uid = { item->uid, item->uid_len };
	struct ledger_entry entry;
	char title[MESSAGE_TITLE];
	struct err why;

	title_of(v, item->number, uid, title);
	(void)err_set(&why, ERR_PEER, "the server refused to hand it over");
	(void)secret_peer(v, &why, words);
	v->result.failed++;
	log_error(&v->tag, "%s: %s", title, why.text);
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
