/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages of this connection are tried again, beside what the visit fetches, or alone (VISIT_RETRY). */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "net/jobs.h"

enum { RETRIES_AT_ONCE = 8 };

bool retried_loose(const struct message *m)
{
	return !m->retried->ledger;
}

bool retried_bounce(const struct message *m)
{
	return !retries_has_entry(&m->retried->info);
}

/* ---- once more */

static void retry_over(struct retried *r)
{
	struct visit *v = r->visit;

	assert(v->retrying);
	v->retrying--;
	retried_free(r);
	retries_start(v);
	collector_dirty(v->collector, v);
}

static void load_work(void *user)
{
	struct retried *r = user;

	r->good = held_load(collector_store(r->visit->collector), r->info.id, &r->message, &r->recipients, &r->recipient_count, &r->e);
}

static struct message *message_of(struct retried *r)
{
	struct visit *v = r->visit;
	struct message *m = message_new(v);

	if (!m)
		abort();
	m->copy = r->info.id;
	m->retried = r;
	m->ledger = r->ledger ? r->ledger : v->own;
	memcpy(m->id, r->id, sizeof m->id);
	memcpy(m->digest, r->info.origin.digest, sizeof m->digest);
	m->size = r->info.size;
	m->first_seen = r->info.made;
	m->others = ~(1u << r->sink);
	m->spool = r->message;
	r->message = NULL;
	return m;
}

static void loaded(void *user)
{
	struct retried *r = user;
	struct visit *v = r->visit;
	char id[HELD_ID_TEXT];

	v->waiting--;
	if (r->good && !v->stopping) {
		message_go_on(v, message_of(r));
		ledger_flush(v->ledger);
		return;
	}
	if (!r->good)
		log_error(&v->tag, "held message %s: %s", held_id_text(r->info.id, id), r->e.text);
	retry_over(r);
}

/* What is neither mentioned nor loose was made in this visit, and its entry follows; or it is about to be removed. */
static void begin(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct ledger_entry entry;
	struct ledger *l;
	struct retried *r;

	if (!retries_find(v, info, &l, &entry)) {
		if (!retries_loose(v, info))
			return;
		l = NULL;
	}
	r = retried_new(v, info);
	r->sink = k->index;
	r->ledger = l;
	if (l)
		memcpy(r->id, entry.id, sizeof r->id);
	v->retrying++;
	v->waiting++;
	if (job_start(collector_loop(v->collector), load_work, loaded, r, &r->e))
		return;
	load_work(r);
	loaded(r);
}

void retries_start(struct visit *v)
{
	struct held_info info = { .id = v->retry_at };
	int64_t now = clock_now_s();

	while (!v->retry_over && !v->stopping && v->retrying < RETRIES_AT_ONCE) {
		const struct sink *k;

		if (!held_next_of(collector_store(v->collector), v->with->name, &info)) {
			v->retry_over = true;
			return;
		}
		v->retry_at = info.id;
		k = retries_sink(v, info.target);
		if (k && info.state == HELD_WAITING && info.next <= now)
			begin(v, &info, k);
	}
}

/* ---- its end */

void retried_left(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;

	message_free(v, m);
	retry_over(r);
}

/* Where it is in the listing of the mailbox that is being visited, it can go at once.  It is `disposing` from now on only: the
 * end of a visit confirms all that is. */
static void dispose(struct visit *v, const struct message *m, struct ledger_entry *entry)
{
	bool due = entry->state == LEDGER_ACCEPTED && (entry->removal || v->with->after != AFTER_KEEP);

	if (!due || m->ledger != v->ledger || v->phase > VISIT_FETCHING)
		return;
	for (size_t n = 0; n < v->listing.count; n++) {
		const struct item *i = &v->listing.items[n];

		if (memcmp(i->id, entry->id, sizeof i->id) != 0 || !(i->flags & ITEM_OWN_ID))
			continue;
		if (i->flags & ITEM_DISPOSE)	/* the listing was joined with what was put already */
			return;
		entry->state = LEDGER_DISPOSING;
		entry->changed = delivery_moment(v->ledger);
		ledger_put(v->ledger, entry, 0);
		delivery_want_disposal(v, i->number);
		return;
	}
}

static void count(struct visit *v, const struct message *m)
{
	if (m->held) {
		v->result.held++;
	} else if (m->failed || m->refused) {
		v->result.failed++;
	} else if (!m->counted) {
		v->result.collected++;
		v->result.octets += m->size;
	} else {
		v->result.skipped++;
	}
}

void retried_settled(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;
	struct ledger_entry entry;

	if (r->ledger && ledger_get(r->ledger, r->id, &entry))
		dispose(v, m, &entry);
	if (!r->stays)
		retries_remove(v, &r->info);
	retried_left(v, m);
}

/* Its target has had its turn: what the entry says of it. */
static void conclude(struct visit *v, struct message *m, struct ledger_entry *entry)
{
	const struct sink *k = &v->sinks[m->turn];

	entry->attempts++;
	entry->changed = delivery_moment(m->ledger);
	entry->error[0] = '\0';
	if (m->why)
		message_error(m, entry);
	if (m->held)
		return;
	entry_set_sink(entry, k, m->refused ? LEDGER_TARGET_REFUSED : LEDGER_TARGET_ACCEPTED, NULL);
	entry->removal = entry->removal || m->removal;
	if (entry_decide(v, entry, m->quarantined) && entry->state == LEDGER_DISPOSING)	/* see dispose */
		entry->state = LEDGER_ACCEPTED;
}

/* While ids change wholesale a crash may leave two entries of one message, until the listing tells which is gone. */
static void conclude_twin(struct visit *v, struct message *m)
{
	struct ledger *l = m->retried->ledger;
	struct ledger_entry entry;

	if (!ledger_noted(l, LEDGER_NOTE_COMPARING))
		return;
	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id) {
		if (!entry_mentions(&entry, m->copy) || memcmp(entry.id, m->retried->id, sizeof entry.id) == 0)
			continue;
		conclude(v, m, &entry);
		ledger_put(l, &entry, 0);
	}
}

void retried_over(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;
	struct ledger_entry entry;

	count(v, m);
	if (m->failed) {
		retried_left(v, m);
		return;
	}
	if (!r->ledger || !retries_find(v, &r->info, &r->ledger, &entry)) {
		retried_settled(v, m);		/* a bounce; or the entry went its way meanwhile */
		return;
	}
	memcpy(r->id, entry.id, sizeof r->id);	/* its id may have changed since */
	conclude_twin(v, m);
	conclude(v, m, &entry);
	ledger_put(r->ledger, &entry, visit_ticket(v, m->slot, TICKET_RETRIED));
	ledger_flush(r->ledger);
}
