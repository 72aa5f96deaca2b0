/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages are tried again: read in a job, delivered, and the outcome made durable in a job.  One that cannot
 * be (a full disk) is kept here, and written at a later look: until then the message is not tried again, since its target
 * may have it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/says.h"
#include "deliver/parting.h"
#include "serve/submissions_inside.h"
#include "store/held.h"
#include "wire/bounce.h"

enum { MINUTE = 60, AT_ONCE = 4, IN_A_TURN = 2000, PLACE_OLD_S = 24 * 3600 };

struct held_try {
	struct submissions *all;
	struct held_try *next, **at;
	struct held_info info;
	struct deliver_target *target;
	struct spool *message;
	const char **recipients;
	size_t recipient_count;
	struct mailbox_source source;
	struct deliver_fact facts[2];
	bool good, settled;		/* of the job that was last; settled: it is not tried again by itself */
	bool returned;			/* and is held no more: the sender was told */
	bool first;			/* it is the attempt that it came to be held in */
	bool unwritten;			/* its outcome, so far: it is waited for by nobody */
	bool writing;
	bool displaced;			/* it has not the name that its record still has: after a crash that would mean delivered */
	struct err e;
	enum deliver_said said;
	struct deliver_each *each;	/* NULL: what is said goes for all */
	bool bounced;			/* the sender was told of those that were refused */
	char why[DELIVER_WHY_MAX + 1];
};

/* ---- when */

int64_t submissions_first_retry(int64_t now)
{
	return now + MINUTE;
}

/* ---- the end of one */

static void start_due(struct submissions *s);

static void drop(struct held_try *t)
{
	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
	t->all->try_count--;
	if (!t->unwritten)
		(void)atomic_fetch_sub(&t->all->waiting, 1);
	spool_free(&t->message);
	free(t->recipients);
	free(t->each);
	deliver_target_put(&t->target);
	free(t);
}

void submissions_end_tries(struct submissions *s)
{
	while (s->tries)
		drop(s->tries);
}

static void say(const struct held_try *t)
{
	char id[HELD_ID_TEXT], line[SAYS_MAX];
	const struct says_held facts = { .id = held_id_text(t->info.id, id), .account = t->info.account, .target = t->info.target,
		.attempts = t->info.attempts + !t->first, .reason = t->why,
		.what = t->said == DELIVER_ACCEPTED ? SAYS_HELD_DELIVERED : !t->settled ? SAYS_HELD_DEFERRED :
			t->returned ? SAYS_HELD_RETURNED : SAYS_HELD_FAILED };

	if (!t->good)
		log_error(&says_pop, "held message %s: %s", id, t->e.text);
	else if (t->settled && t->said != DELIVER_ACCEPTED && !t->returned)
		log_error(&says_pop, "%s", says_held(&facts, line));
	else
		log_info(&says_pop, "%s", says_held(&facts, line));
}

/* The sender knows of those that were refused before they are forgotten; and whom it is for still. */
static bool part(struct held_try *t)
{
	struct store *s = t->all->with.store;
	const struct held_new what = { .account = t->info.account };
	const struct bounced b = { .store = s, .host = deliver_host(t->all->deliveries), .target = t->info.target, .sender = t->info.sender,
		.to = t->info.sender, .what = &what, .message = t->message, .arrived = t->info.made,
		.parting = { t->recipients, t->recipient_count, t->each } };
	const char *left[HELD_RECIPIENTS_MAX];
	bool told = bounce_allowed(t->info.sender);
	size_t count = parting_pick(&b.parting, DELIVER_DEFERRED, left);

	if (told && !t->bounced && !parting_bounce(&b, &t->e))
		return false;
	t->bounced |= told;
	t->returned = told && !count && t->said != DELIVER_ACCEPTED;
	if (!told && !count)	/* nobody can be told: it stays, for them */
		count = parting_pick(&b.parting, DELIVER_REFUSED, left);
	return !count || count == t->recipient_count || t->returned || held_narrow(s, t->info.id, left, count, &t->e);
}

static void finish_work(void *user)
{
	struct held_try *t = user;
	struct store *s = t->all->with.store;
	int64_t now = clock_now_s();
	bool patient = now - t->info.since < DELIVER_PATIENCE_S;

	t->settled = t->said != DELIVER_DEFERRED || !patient;
	t->good = !t->displaced || held_placing(s, t->info.id, "", &t->e);
	if (!t->good)
		return;
	t->displaced = false;
	if (t->each)
		t->good = part(t);
	if (!t->good)
		return;
	if (t->said == DELIVER_ACCEPTED || t->returned)
		t->good = held_remove(s, t->info.id, &t->e);
	else if (t->settled)
		t->good = held_fail(s, t->info.id, t->why, now, &t->e);
	else
		t->good = held_defer(s, t->info.id, t->why, now, deliver_next_try(t->info.attempts + 1, now), &t->e);
}

/* The store cannot take the outcome now.  (ERR_CONFIG: somebody has removed the message.) */
static bool must_be_kept(struct held_try *t)
{
	if (t->good || t->e.kind == ERR_CONFIG)
		return false;
	if (!t->unwritten) {
		say(t);
		(void)atomic_fetch_sub(&t->all->waiting, 1);
		t->unwritten = true;
	}
	return true;
}

static void finish_done(void *user)
{
	struct held_try *t = user;
	struct submissions *s = t->all;

	t->writing = false;
	if (must_be_kept(t))
		return;
	if (t->bounced && s->running)
		submissions_kick(s);
	if (t->good && (t->said == DELIVER_ACCEPTED || t->returned) && t->target)
		deliver_settled(t->all->deliveries, t->target, &t->source);
	say(t);
	drop(t);
	if (s->running)
		start_due(s);	/* others may have waited for the room */
}

static void write_outcome(struct held_try *t)
{
	t->writing = true;
	if (task_start(t->all->tasks, finish_work, finish_done, t, &t->e))
		return;
	finish_work(t);
	finish_done(t);
}

static void finish(struct held_try *t, enum deliver_said said, const char *why)
{
	t->said = said;
	(void)snprintf(t->why, sizeof t->why, "%.*s", DELIVER_WHY_MAX, why);
	write_outcome(t);
}

static void delivered(void *user, const struct deliver_result *r)
{
	struct held_try *t = user;

	submissions_seen(t->all, t->target, r);
	if (r->each)
		t->each = parting_copy(r->each, t->recipient_count);
	finish(t, r->said, r->why);
}

/* ---- its beginning */

static bool placing(void *user, const char *name, struct err *e)
{
	struct held_try *t = user;
	bool good = held_placing(t->all->with.store, t->info.id, name, e);

	t->displaced = !good && !*name;
	return good;
}

static void load_work(void *user)
{
	struct held_try *t = user;

	t->good = held_load(t->all->with.store, t->info.id, &t->message, &t->recipients, &t->recipient_count, &t->e);
}

static void load_done(void *user)
{
	struct held_try *t = user;
	struct deliver_ask ask = { .target = t->target, .sender = t->info.sender, .source = &t->source, .place = t->info.place,
		.place_old = clock_now_s() - t->info.tried > PLACE_OLD_S, .placing = placing, .done = delivered, .user = t };

	if (!t->good) {
		finish(t, DELIVER_DEFERRED, t->e.text);
		return;
	}
	t->facts[0] = (struct deliver_fact){ "SOURCE", "submission" };
	t->facts[1] = (struct deliver_fact){ "ACCOUNT", t->info.account };
	ask.facts = t->facts;
	ask.fact_count = COUNT(t->facts);
	ask.message = t->message;
	ask.recipients = t->recipients;
	ask.recipient_count = t->recipient_count;
	deliver(t->all->deliveries, &ask);
}

/* NULL: no memory. */
static struct held_try *enter(struct submissions *s, const struct held_info *info, struct deliver_target *target)
{
	struct held_try *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	*t = (struct held_try){ .all = s, .next = s->tries, .at = &s->tries, .info = *info, .source = held_source(info),
		.target = target ? deliver_target_keep(target) : NULL };
	if (t->next)
		t->next->at = &t->next;
	s->tries = t;
	s->try_count++;
	(void)atomic_fetch_add(&s->waiting, 1);
	return t;
}

void submissions_settle(struct submissions *s, uint64_t id, enum deliver_said said, const char *why)
{
	struct held_info info;
	struct held_try *t;

	if (!held_get(s->with.store, id, &info))
		return;
	t = enter(s, &info, NULL);
	if (!t)
		abort();	/* its target has it, and would get it again */
	t->first = true;
	finish(t, said, why);
}

static void begin(struct submissions *s, const struct held_info *info)
{
	struct deliver_target *target = submissions_target(s, info->target);
	struct held_try *t = enter(s, info, target);
	struct err e;

	if (!t)
		return;
	if (!target)
		finish(t, DELIVER_DEFERRED, "this target is not in the configuration any more, or not built: the message waits until submission, "
			"or some deliver, names it again, or until held remove");
	else if (!task_start(s->tasks, load_work, load_done, t, &e))
		drop(t);
}

static bool under_way(const struct submissions *s, uint64_t id)
{
	for (const struct held_try *t = s->tries; t; t = t->next)
		if (t->info.id == id)
			return true;
	for (const struct submission *m = s->first; m; m = m->next)
		if (m->held_id == id)
			return true;
	return false;
}

/* A walk over all of them begins when the first can be due: who is held meanwhile is not before. */
static bool walks(struct submissions *s, int64_t now)
{
	if (!s->walked && now < s->walk_at && s->walk_at <= now + MINUTE)
		return false;
	if (!s->walked)
		s->walk_at = now + MINUTE;
	return true;
}

/* No more at once than can be in memory without harm, nor than home has time for; the others follow. */
static void start_due(struct submissions *s)
{
	struct held_info info = { .id = s->walked };
	int64_t now = clock_now_s();

	if (s->adopting || s->try_count >= AT_ONCE || !walks(s, now))	/* who ends makes room, and comes here */
		return;
	for (unsigned n = 0; s->try_count < AT_ONCE; n++) {
		if (n == IN_A_TURN) {
			timer_set(s->timer, 1, SUBMISSIONS_LOOK_MS);
			return;
		}
		if (!held_next_of(s->with.store, "", &info)) {
			s->walked = 0;
			return;
		}
		s->walked = info.id;
		if (info.state != HELD_WAITING || under_way(s, info.id))
			continue;
		if (info.next <= now)
			begin(s, &info);
		else if (info.next < s->walk_at)
			s->walk_at = info.next;
	}
}

static void write_outcomes(struct submissions *s)
{
	for (struct held_try *t = s->tries, *next; t; t = next) {
		next = t->next;
		if (t->unwritten && !t->writing)
			write_outcome(t);
	}
}

void submissions_look(void *user)
{
	struct submissions *s = user;

	write_outcomes(s);
	start_due(s);
}

/* A job of a Maildir's asks, before it sweeps. */
bool submissions_keep(void *user, const char *name)
{
	const struct submissions *s = user;
	struct held_info info = { .id = 0 };

	while (held_next_of(s->with.store, "", &info))
		if (strcmp(info.place, name) == 0)
			return true;
	return false;
}
