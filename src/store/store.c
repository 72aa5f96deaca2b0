/* SPDX-License-Identifier: Apache-2.0 */
#include "store/room.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/allowance.h"
#include "store/digest.h"
#include "store/disk.h"
#include "store/held_inside.h"
#include "store/holder.h"
#include "store/routed.h"
#include "store/seal.h"
#include "store/settle.h"
#include "store/vault.h"

struct arrivals {
	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	struct deed *first, **last;
	void (*wake)(void *user);
	void *user;
};

void *store_memory(size_t size)
{
	void *at = calloc(1, size);

	store_must(at);
	return at;
}

static struct arrivals *arrivals_new(void)
{
	struct arrivals *x = store_memory(sizeof *x);

	(void)pthread_mutex_init(&x->mutex, NULL);
	(void)pthread_cond_init(&x->arrived, NULL);
	x->last = &x->first;
	return x;
}

static char *joined(const char *directory, const char *name)
{
	char *path;

	store_must(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

/* `what` NULL: only to look. */
static bool take_run_lock(struct store *s, const char *what, struct err *e)
{
	char *path = joined(s->state, "run.lock"), *subject;
	bool good;

	store_must(asprintf(&subject, "state %s", s->state) > 0);
	good = what ? holder_take(path, subject, what, &s->run_lock, e) : holder_look(path, subject, &s->run_lock, e);
	free(subject);
	free(path);
	return good;
}

/* A restore that was killed has left the old store or the new one, and perhaps something to tidy. */
static bool settled(const char *state, struct err *e)
{
	char aside[SETTLE_ASIDE_MAX];
	enum settled what;

	if (!settle(state, &what, aside, e))
		return false;
	switch (what) {
	case SETTLED_NOTHING:
		break;
	case SETTLED_BACK:
		log_warn(NULL, "%s: a restore was cut off before its end; this is the store as it was", state);
		break;
	case SETTLED_ON:
		log_warn(NULL, "%s: a restore was cut off; this is the restored store%s%s", state,
			*aside ? ", what it replaced is kept as " : "", aside);
		break;
	}
	return true;
}

static void release(struct store *s)
{
	mailbox_free_all(s);
	ledger_free_all(s);
	reclaiming_free(s);
	route_fields_free(s);
	quotas_free(s);
	engine_close(&s->engine);
	digest_free(&s->digest);
	seal_free(&s->seal);
	vault_free(&s->vault);
	holder_drop(&s->run_lock);
	(void)pthread_mutex_destroy(&s->places.mutex);
	free(s->places.otherwise);
	(void)pthread_mutex_destroy(&s->arrivals->mutex);
	(void)pthread_cond_destroy(&s->arrivals->arrived);
	free(s->arrivals);
	free(s->state);
	free(s);
}

/* Nothing of it is open yet. */
static bool begin(const char *state, struct store **store, struct err *e)
{
	struct store *s;

	if (sodium_init() < 0)
		return err_set(e, ERR_LOCAL, "libsodium cannot start");
	s = store_memory(sizeof *s);
	s->state = strdup(state);
	store_must(s->state);
	s->run_lock = -1;
	s->answers_last = &s->answers;
	(void)pthread_mutex_init(&s->places.mutex, NULL);
	s->places.changes = 1;
	s->seal = seal_new(state);
	s->vault = vault_new(state);
	s->arrivals = arrivals_new();
	s->digest = digest_new(e);
	if (!s->digest) {
		release(s);
		return false;
	}
	*store = s;
	return true;
}

bool store_look(const char *state, struct store **store, struct err *e)
{
	char *file;
	bool good;

	if (!begin(state, store, e))
		return false;
	file = joined(state, "store/data.mdb");
	good = take_run_lock(*store, NULL, e) && engine_open_still(file, &(*store)->engine, e);
	free(file);
	if (!good) {
		release(*store);
		*store = NULL;
	}
	return good;
}

bool store_open(const char *state, uint64_t map_size, const char *what, struct store **store, struct err *e)
{
	struct store *s;
	char *directory;
	bool good;

	if (!disk_directory(state, e) || !disk_refuse_network(state, e) || !begin(state, &s, e))
		return false;
	(void)snprintf(s->what, sizeof s->what, "%s", what);
	directory = joined(state, "store");
	good = take_run_lock(s, what, e) && settled(state, e) && engine_open(directory, map_size, &s->engine, e);
	free(directory);
	if (!good) {
		release(s);
		return false;
	}
	quotas_start(s);
	mailbox_reclaim_all(s);
	held_settle(s);
	allowance_settle(s, clock_now_s());
	*store = s;
	return true;
}

void store_close(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	s->closing = true;
	for (struct long_work *w = s->long_works; w; w = w->next)
		w->stop(w->user);
	mailbox_flush_all(s);
	ledger_flush_all(s);
	for (struct store_done d; store_wait(s);)
		while (store_next(s, &d))
			;
	assert(!s->under_way && !s->notes && !s->long_works);
	release(s);
	*store = NULL;
}

void store_on_wake(struct store *s, void (*wake)(void *user), void *user)
{
	(void)pthread_mutex_lock(&s->arrivals->mutex);
	s->arrivals->wake = wake;
	s->arrivals->user = user;
	(void)pthread_mutex_unlock(&s->arrivals->mutex);
}

void store_did(struct deed *d, const struct err *why)
{
	struct arrivals *x = d->store->arrivals;
	bool first;

	d->next = NULL;
	d->refused = why;
	if (why)
		d->why = *why;
	(void)pthread_mutex_lock(&x->mutex);
	first = !x->first;
	*x->last = d;
	x->last = &d->next;
	/* Inside the mutex, so that nobody is woken who has gone. */
	if (first && x->wake)
		x->wake(x->user);
	(void)pthread_cond_signal(&x->arrived);
	(void)pthread_mutex_unlock(&x->mutex);
}

/* On the committer's thread. */
static void on_durable(void *user, const struct err *why)
{
	store_did(user, why);
}

void store_begin(struct store *s, struct deed *deed)
{
	deed->store = s;
	s->under_way++;
}

void long_work_begin(struct store *s, struct long_work *w)
{
	w->next = s->long_works;
	w->at = &s->long_works;
	if (w->next)
		w->next->at = &w->next;
	s->long_works = w;
}

void long_work_end(struct long_work *w)
{
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
}

void store_do(struct store *s, struct batch **b, struct deed *deed)
{
	store_begin(s, deed);
	engine_commit(s->engine, b, (struct engine_done){ on_durable, deed });
}

static void take_durable(struct store *s)
{
	struct arrivals *x = s->arrivals;

	if (s->taken)
		return;
	(void)pthread_mutex_lock(&x->mutex);
	s->taken = x->first;
	x->first = NULL;
	x->last = &x->first;
	(void)pthread_mutex_unlock(&x->mutex);
}

void store_owe(struct store *s, uint64_t ticket)
{
	s->owed += ticket != 0;
}

struct answers *answers_new(size_t count)
{
	return store_memory(sizeof(struct answers) + count * sizeof(uint64_t));
}

void answers_add(struct answers *a, uint64_t ticket)
{
	if (ticket)
		a->tickets[a->count++] = ticket;
}

void store_answer(struct store *s, struct answers **answers, const struct err *why)
{
	struct answers *a = *answers;
	struct arrivals *x = s->arrivals;

	*answers = NULL;
	if (!a->count) {
		free(a);
		return;
	}
	a->good = !why;
	if (why)
		a->why = *why;
	*s->answers_last = a;
	s->answers_last = &a->next;
	if (s->draining)
		return;		/* whoever is asking sees it */
	(void)pthread_mutex_lock(&x->mutex);
	if (x->wake)
		x->wake(x->user);
	(void)pthread_mutex_unlock(&x->mutex);
}

/* The next ticket of the first answers; they go with their last one. */
static void give(struct store *s, struct store_done *d)
{
	struct answers *a = s->answers;

	d->ticket = a->tickets[a->given++];
	d->good = a->good;
	d->why.kind = ERR_NONE;
	d->why.text[0] = '\0';
	if (!a->good)
		d->why = a->why;
	assert(s->owed);
	s->owed--;
	if (a->given < a->count)
		return;
	s->answers = a->next;
	if (!s->answers)
		s->answers_last = &s->answers;
	free(a);
}

bool store_next(struct store *s, struct store_done *d)
{
	while (!s->answers) {
		struct deed *deed;

		take_durable(s);
		deed = s->taken;
		if (!deed)
			return false;
		s->taken = deed->next;
		assert(s->under_way);
		s->under_way--;
		s->draining = true;
		deed->then(deed->user, deed->refused ? &deed->why : NULL);
		s->draining = false;
	}
	give(s, d);
	return true;
}

bool store_wait(struct store *s)
{
	struct arrivals *x = s->arrivals;

	if (s->answers || s->taken)
		return true;
	if (!s->under_way)
		return false;
	(void)pthread_mutex_lock(&x->mutex);
	while (!x->first)
		(void)pthread_cond_wait(&x->arrived, &x->mutex);
	(void)pthread_mutex_unlock(&x->mutex);
	return true;
}

size_t store_waiting(const struct store *s)
{
	return s->owed;
}

struct engine *store_engine(struct store *s)
{
	return s->engine;
}

const char *store_state(const struct store *s)
{
	return s->state;
}

struct view *store_view(struct store *s)
{
	struct view *v;
	struct err e;

	if (!view_begin(s->engine, &v, &e)) {
		log_error(NULL, "%s", e.text);
		abort();
	}
	return v;
}

struct batch *store_batch(engine_part part)
{
	struct batch *b = batch_new(part);

	store_must(b);
	return b;
}

void store_must(bool fitted)
{
	if (fitted)
		return;
	log_error(NULL, "store: out of memory");
	abort();
}

void store_damaged(const char *where, const char *what)
{
	log_error(NULL, "store: %s: %s is damaged; restore it from a backup", where, what);
	abort();
}
