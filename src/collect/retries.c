/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages of this connection are tried again, beside what the visit fetches, or alone (VISIT_RETRY). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "deliver/deliver.h"
#include "net/jobs.h"
#include "store/held_ledger.h"

enum {
	RETRIES_AT_ONCE = 8,	/* of each target: one that hangs holds up no other */
	POSTPONED_S = 15 * 60,	/* what cannot be tried as the configuration is */
};

bool retried_loose(const struct message *m)
{
	return !m->retried->ledger;
}

bool retried_bounce(const struct message *m)
{
	return !retries_has_entry(&m->retried->info);
}

/* ---- what cannot be tried waits for another moment */

struct postponing {
	struct visit *visit;
	const char *why;		/* of all; NULL: of those whose target is not in `deliver` */
	char text[HELD_WHY_MAX + 1];
	bool good;
	struct err e;
};

static void postpone_work(void *user)
{
	struct postponing *p = user;
	struct visit *v = p->visit;
	struct held_info info = { .id = 0 };
	int64_t moment = 0, now = clock_now_s();

	p->good = true;
	while (p->good && held_next_due(collector_store(v->collector), v->with->name, &moment, &info) && moment <= now) {
		if (!p->why && retries_sink(v, info.target))
			continue;
		if (!p->why)
			(void)snprintf(p->text, sizeof p->text, "target %.70s is not in `deliver` of %.60s: it waits until it is there again",
				info.target, v->with->name);
		p->good = held_postpone(collector_store(v->collector), info.id, p->text, now + POSTPONED_S, &p->e);
	}
}

static void postpone_over(void *user)
{
	struct postponing *p = user;

	p->visit->waiting--;
	if (!p->good)
		log_warn(&p->visit->tag, "%s", p->e.text);
	collector_dirty(p->visit->collector, p->visit);
	free(p);
}

static void postpone(struct visit *v, const char *why)
{
	struct postponing *p;
	struct err e;

	if (held_due(collector_store(v->collector), v->with->name) > clock_now_s())
		return;
	p = calloc(1, sizeof *p);
	if (!p)
		abort();
	p->visit = v;
	if (why) {
		(void)snprintf(p->text, sizeof p->text, "%s", why);
		p->why = p->text;
	}
	v->waiting++;
	if (job_start(collector_loop(v->collector), postpone_work, postpone_over, p, &e))
		return;
	postpone_work(p);
	postpone_over(p);
}

void retries_postpone(struct visit *v, const char *why)
{
	postpone(v, why);
}

bool retried_later(struct store *s, uint64_t copy, const char *why, bool *gave_up, struct err *e)
{
	struct held_info info;
	int64_t now = clock_now_s();

	if (!held_get(s, copy, &info))	/* somebody threw it away */
		return true;
	*gave_up = now - info.since >= DELIVER_PATIENCE_S;
	return *gave_up ? held_fail(s, copy, why, now, e) : held_defer(s, copy, why, now, deliver_next_try(info.attempts + 1, now), e);
}

/* ---- once more */

static void later_work(void *user)
{
	struct retried *r = user;
	bool gave_up;

	r->good = retried_later(collector_store(r->visit->collector), r->info.id, r->why, &gave_up, &r->e);
}

static void retry_over(struct retried *r)
{
	struct visit *v = r->visit;
	struct retried **at = &v->retried;

	assert(v->retrying);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	v->retrying--;
	v->sinks[r->sink].retrying--;
	retried_free(r);
	retries_start(v);
	collector_dirty(v->collector, v);
}

static void later_over(void *user)
{
	struct retried *r = user;
	struct visit *v = r->visit;

	v->waiting--;
	if (!r->good)
		log_warn(&v->tag, "%s", r->e.text);
	if (r->failed)
		retried_left(v, r->failed);
	else
		retry_over(r);
}

/* It failed, whatever its target would say: it has its next moment, too. */
static void put_off(struct retried *r, struct message *m, const char *why)
{
	struct visit *v = r->visit;

	r->failed = m;
	(void)snprintf(r->why, sizeof r->why, "%s", why);
	v->waiting++;
	if (job_start(collector_loop(v->collector), later_work, later_over, r, &r->e))
		return;
	later_work(r);
	later_over(r);
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
	if (r->good) {
		retry_over(r);
		return;
	}
	log_error(&v->tag, "held message %s: %s", held_id_text(r->info.id, id), r->e.text);
	put_off(r, NULL, r->e.text);
}

/* What is neither mentioned nor loose is judged first, as after a crash; if it is mentioned now, it is tried now.  False: it is not
 * to be tried. */
static bool find(struct visit *v, const struct held_info *info, struct ledger **l, struct ledger_entry *entry)
{
	if (retries_find(v, info, l, entry))
		return true;
	if (retries_loose(v, info)) {
		*l = NULL;
		return true;
	}
	(void)retries_judge(v, info);
	return retries_find(v, info, l, entry);
}

static void begin(struct visit *v, const struct held_info *info, struct sink *k)
{
	struct ledger_entry entry;
	struct ledger *l;
	struct retried *r;

	if (!find(v, info, &l, &entry))
		return;
	r = retried_new(v, info);
	r->sink = k->index;
	r->ledger = l;
	if (l)
		memcpy(r->id, entry.id, sizeof r->id);
	r->next = v->retried;
	v->retried = r;
	v->retrying++;
	k->retrying++;
	v->waiting++;
	if (job_start(collector_loop(v->collector), load_work, loaded, r, &r->e))
		return;
	load_work(r);
	loaded(r);
}

static bool under_way(const struct visit *v, uint64_t copy)
{
	for (const struct retried *r = v->retried; r; r = r->next)
		if (r->info.id == copy)
			return true;
	return false;
}

/* The next of this target that was due when the visit began: what it held itself is not. */
static bool next_of(struct visit *v, struct sink *k, struct held_info *info)
{
	info->id = k->retry_at;
	while (held_next_due(collector_store(v->collector), v->with->name, &k->retry_moment, info) && k->retry_moment <= v->retry_until) {
		k->retry_at = info->id;
		if (strcmp(info->target, k->target->name) == 0 && !under_way(v, info->id))
			return true;
	}
	return false;
}

/* A clock that was ahead for a while left moments that nobody would choose now: they are due. */
static int64_t due_until(const struct visit *v, int64_t now)
{
	int64_t due = held_due(collector_store(v->collector), v->with->name);

	return deliver_next_absurd(due, now) ? due : now;
}

void retries_start(struct visit *v)
{
	struct held_info info;

	if (!v->retry_until) {
		v->retry_until = due_until(v, clock_now_s());
		postpone(v, NULL);
	}
	for (struct sink *k = v->sinks; k < v->sinks + v->sink_count; k++)
		while (!k->retry_over && !v->stopping && k->retrying < RETRIES_AT_ONCE) {
			k->retry_over = !next_of(v, k, &info);
			if (!k->retry_over)
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

/* Where it is in the listing of the mailbox that is being visited, and that was joined, it can go at once.  It is `disposing` from now on only: the
 * end of a visit confirms all that is. */
static void dispose(struct visit *v, const struct message *m, struct ledger_entry *entry)
{
	bool due = entry->state == LEDGER_ACCEPTED && (entry->removal || v->with->after != AFTER_KEEP);

	v->result.owed += due && (v->what == VISIT_RETRY || v->phase > VISIT_FETCHING);
	if (!due || m->retried->ledger != v->ledger || v->phase < VISIT_JUDGING || v->phase > VISIT_FETCHING)
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
		retries_remove(v, &r->info, r->ledger ? NULL : &m->unreleased);
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
		if (!held_mentions(&entry, m->copy) || memcmp(entry.id, m->retried->id, sizeof entry.id) == 0)
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
	if (m->failed && v->stopping) {
		retried_left(v, m);
		return;
	}
	if (m->failed) {
		put_off(r, m, m->why ? m->why : "nothing is tried at its target in this visit");
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
