/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visits.h"

#include <assert.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/told.h"
#include "config/nearest.h"
#include "config/read.h"

enum { BEAT_MS = 1000, RATE_BEATS = 5, FIRST_ROOM = 16, ID_BITS = 20, SWEEP_OVER = VISITS_KEPT / 16 };

struct era {			/* what one reading of the configuration brought */
	struct era *older;
	struct settings settings;	/* of a past one; the present one is the caller's */
	struct tls_contexts *contexts;
	size_t visits;		/* that began in it, and have not ended */
};

struct one {
	uint64_t id, at;	/* at: the collector's id */
	size_t place;		/* in the visits' going */
	char *name;
	enum visit_what what;
	bool ended, read;
	int64_t since;
	uint64_t ended_ms;
	struct era *era;	/* NULL when it has ended */
	struct visit_result result;
	struct told *steps;	/* of a test */
};

struct visits {
	struct visits_with with;
	const struct settings *settings;
	struct era *eras;	/* the present one first */
	struct collector *collector;
	struct timer *beat;
	struct one **all;	/* by id, so by age */
	size_t count, room, unread;
	struct one **going;	/* those of them that have not ended, in any order; as much room */
	size_t left;
	uint64_t last_id;
	struct visits_counts counts;
	uint64_t totals[RATE_BEATS + 1];	/* of messages, at the last beats; the newest first */
	unsigned beats;
};

static void must(const void *there)
{
	if (there)
		return;
	log_error(NULL, "collect: out of memory");
	abort();
}

/* ---- what came of them */

static void forget(struct one *o)
{
	told_free(&o->steps);
	free(o->name);
	free(o);
}

/* What is old goes, and the oldest when there are too many. */
static void sweep(struct visits *v)
{
	uint64_t now = clock_mono_ms();
	size_t kept = 0, over = v->count - v->left > VISITS_KEPT ? v->count - v->left - VISITS_KEPT : 0;

	for (size_t n = 0; n < v->count; n++) {
		struct one *o = v->all[n];

		if (!o->ended || (!over && now - o->ended_ms < VISITS_KEPT_MS)) {
			v->all[kept++] = o;
			continue;
		}
		over -= over > 0;
		v->unread -= !o->read;
		forget(o);
	}
	v->count = kept;
}

static struct one *find(const struct visits *v, uint64_t id)
{
	size_t low = 0, high = v->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v->all[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->count && v->all[low]->id == id ? v->all[low] : NULL;
}

static struct one *under_way(const struct visits *v, const char *name)
{
	for (size_t n = 0; n < v->left; n++)
		if (v->going[n]->what != VISIT_TEST && strcmp(v->going[n]->name, name) == 0)
			return v->going[n];
	return NULL;
}

static struct one *find_at(const struct visits *v, uint64_t at)
{
	size_t n = 0;

	while (v->going[n]->at != at) {
		n++;
		assert(n < v->left);
	}
	return v->going[n];
}

/* ---- the beat: how fast it goes, and what nobody needs any more */

static uint64_t total(const struct visits *v)
{
	struct collect_progress p;

	collector_progress(v->collector, &p);
	return p.collected;
}

/* Connections end a turn after their visits do, so this is not done at once. */
static void end_eras(struct visits *v)
{
	for (struct era **at = &v->eras->older; *at;) {
		struct era *old = *at;

		if (old->visits) {
			at = &old->older;
			continue;
		}
		*at = old->older;
		tls_contexts_free(&old->contexts);
		settings_end(&old->settings);
		free(old);
	}
}

static void on_beat(void *user)
{
	struct visits *v = user;

	memmove(v->totals + 1, v->totals, RATE_BEATS * sizeof v->totals[0]);
	v->totals[0] = total(v);
	v->beats += v->beats < RATE_BEATS;
	sweep(v);
	end_eras(v);
	if (v->left || v->eras->older)
		return;
	timer_stop(v->beat);
	(void)malloc_trim(0);		/* what visits had lies between what stays: a third of a watched mailbox's memory */
}

static void start_beat(struct visits *v)
{
	uint64_t now = total(v);

	for (size_t n = 0; n <= RATE_BEATS; n++)
		v->totals[n] = now;
	v->beats = 0;
	timer_set(v->beat, BEAT_MS, BEAT_MS);
}

static uint64_t rate(const struct visits *v)
{
	if (!v->left || !v->beats)
		return 0;
	return (v->totals[0] - v->totals[v->beats]) * 1000 / ((uint64_t)v->beats * BEAT_MS);
}

/* ---- visits */

static void on_ended(void *user, uint64_t id, const struct connection *connection, const struct visit_result *result)
{
	struct visits *v = user;
	const struct tag tag = { NULL, "connection", connection->name };
	struct one *o = find_at(v, id);

	assert(v->left);
	if (o->what != VISIT_TEST)
		log_info(&tag, "visit end collected=%llu skipped=%llu held=%llu failed=%llu octets=%llu ms=%llu", (unsigned long long)result->collected,
		(unsigned long long)result->skipped, (unsigned long long)result->held, (unsigned long long)result->failed,
		(unsigned long long)result->octets, (unsigned long long)result->ms);
	o->ended = true;
	o->ended_ms = clock_mono_ms();
	o->result = *result;
	o->era->visits--;
	o->era = NULL;
	v->left--;
	v->going[o->place] = v->going[v->left];
	v->going[o->place]->place = o->place;
	v->unread++;
	if (o->what == VISIT_TEST)
		return;
	v->counts.ended++;
	v->counts.failed += result->why.kind || result->failed;
	v->counts.messages += result->collected;
	v->counts.octets += result->octets;
	if (v->with.ended)
		v->with.ended(v->with.user, o->name, o->what, result);
}

static void on_news(void *user, const char *connection)
{
	struct visits *v = user;

	v->with.news(v->with.user, connection);
}

static void on_slow(void *user, const struct connection *connection)
{
	struct visits *v = user;

	v->with.slow(v->with.user, connection->name);
}

bool visits_watched(const struct visits *v, const char *name, struct collector_watch *watch)
{
	return collector_watched(v->collector, name, watch);
}

void visits_unwatch(struct visits *v, const char *name)
{
	collector_unwatch(v->collector, name);
}

const char *visits_each(const struct visits *v, const char *after)
{
	bool behind = !after;

	for (size_t n = 0; n < v->settings->connection_count; n++) {
		const struct connection *c = v->settings->connections[n];

		if (behind && c->enabled)
			return c->name;
		behind = behind || strcmp(c->name, after) == 0;
	}
	return NULL;
}

static const char *nearest(const struct settings *s, const char *name)
{
	const char *found = NULL;
	unsigned best = UINT_MAX;

	for (size_t n = 0; n < s->connection_count; n++)
		if (nearest_better(span_of(name), span_of(s->connections[n]->name), &best))
			found = s->connections[n]->name;
	return found;
}

static void on_step(void *user, uint64_t id, const struct connection *connection, const struct visit_step *step)
{
	(void)connection;
	told_add(find_at(user, id)->steps, step);
}

const struct visit_step *visits_step(const struct visits *v, uint64_t id, size_t n)
{
	const struct one *o = find(v, id);

	return o && o->steps ? told_at(o->steps, n) : NULL;
}

bool visits_may(const struct visits *v, const char *name, enum visit_what what, struct err *e)
{
	const struct connection *c = settings_connection(v->settings, name);
	const char *meant = c ? NULL : nearest(v->settings, name);

	if (c && !c->enabled && what != VISIT_TEST)
		return err_set(e, ERR_CONFIG, "connection %s is disabled; set enabled = true to visit it, and reload", name);
	if (c)
		return true;
	return err_set(e, ERR_CONFIG, "the running instance has no connection %s%s%s%s; what it does not know yet it takes with a reload (SIGHUP)", name,
		meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static void keep(struct visits *v, struct one *o)
{
	if (v->count == v->room) {
		v->room = v->room ? v->room * 2 : FIRST_ROOM;
		v->all = reallocarray(v->all, v->room, sizeof(struct one *));
		v->going = reallocarray(v->going, v->room, sizeof(struct one *));
		must(v->all);
		must(v->going);
	}
	assert(!v->count || v->all[v->count - 1]->id < o->id);
	v->all[v->count++] = o;
	o->place = v->left;
	v->going[v->left++] = o;
}

bool visits_start(struct visits *v, const char *name, enum visit_what what, uint64_t *id, struct err *e)
{
	const struct one *other = what == VISIT_TEST ? NULL : under_way(v, name);
	char since[MOMENT_TEXT];
	struct one *o;

	if (!visits_may(v, name, what, e))
		return false;
	if (other)
		return err_set(e, ERR_BUSY, "connection %s is being visited already, since %s", name, moment_text(other->since, since));
	if (v->count - v->left > VISITS_KEPT + SWEEP_OVER)	/* each looks at all of them */
		sweep(v);
	o = calloc(1, sizeof *o);
	must(o);
	o->name = strdup(name);
	must(o->name);
	o->what = what;
	o->steps = what == VISIT_TEST ? told_new() : NULL;
	o->since = clock_now_s();
	o->era = v->eras;
	o->era->visits++;
	if (!v->left)
		start_beat(v);
	*id = o->id = ++v->last_id;
	keep(v, o);
	o->at = collector_add(v->collector, settings_connection(v->settings, name), what);
	if (v->with.began && what != VISIT_TEST)
		v->with.began(v->with.user, o->name, what);
	return true;
}

void visits_only(struct visits *v, uint64_t id, const char *mailbox)
{
	const struct one *o = find(v, id);

	if (o && !o->ended)
		collector_only(v->collector, o->at, mailbox);
}

bool visits_show(struct visits *v, uint64_t id, struct visits_shown *shown)
{
	struct one *o = find(v, id);
	struct collector_visit now;

	if (!o)
		return false;
	*shown = (struct visits_shown){ .id = id, .connection = o->name, .phase = "", .what = o->what, .state = VISITS_ENDED, .since = o->since,
		.result = o->result };
	if (o->ended) {
		v->unread -= !o->read;
		o->read = true;
	} else if (collector_show(v->collector, o->at, &now)) {
		shown->state = now.waiting ? VISITS_WAITING : VISITS_RUNNING;
		shown->phase = now.phase;
		shown->result = now.so_far;
	}
	return true;
}

void visits_counts(const struct visits *v, struct visits_counts *counts)
{
	struct collector_visit now;

	*counts = v->counts;
	for (size_t n = 0; n < v->left; n++) {
		if (v->going[n]->what == VISIT_TEST || !collector_show(v->collector, v->going[n]->at, &now))
			continue;
		*(now.waiting ? &counts->waiting_now : &counts->running_now) += 1;
		counts->messages += now.so_far.collected;
		counts->octets += now.so_far.octets;
	}
	counts->per_second = rate(v);
}

void visits_answered(struct visits *v, const struct store_done *done)
{
	collector_answered(v->collector, done);
}

void visits_turn(struct visits *v)
{
	collector_turn(v->collector);
}

void visits_stop(struct visits *v, uint64_t id)
{
	const struct one *o = find(v, id);

	if (o && !o->ended)
		collector_stop_one(v->collector, o->at);
}

void visits_distrust(struct visits *v)
{
	collector_distrust(v->collector);
}

void visits_stop_all(struct visits *v)
{
	collector_stop(v->collector);
}

void visits_drop(struct visits *v)
{
	collector_drop(v->collector);
}

size_t visits_left(const struct visits *v)
{
	return v->left;
}

size_t visits_unread(const struct visits *v)
{
	return v->unread;
}

/* ---- the whole */

static struct era *era_new(struct tls_trust *trust)
{
	struct era *era = calloc(1, sizeof *era);
	struct err e;

	must(era);
	era->contexts = tls_contexts_new(&e);
	must(era->contexts);
	tls_contexts_trust(era->contexts, trust);
	return era;
}

void visits_reload(struct visits *v, struct settings *old, const struct settings *settings)
{
	struct era *era = era_new(v->with.trust);

	v->eras->settings = *old;
	era->older = v->eras;
	v->eras = era;
	v->settings = settings;
	collector_change(v->collector, era->contexts, settings->max_per_host);
	collector_watch_only(v->collector, settings);
	if (!v->left)
		start_beat(v);	/* which ends the old one */
}

bool visits_new(const struct visits_with *with, const struct settings *settings, struct visits **out, struct err *e)
{
	struct visits *v = calloc(1, sizeof *v);
	struct collector_with how = { .loop = with->loop, .store = with->store, .tokens = with->tokens, .deliveries = with->deliveries, .max_per_host = settings->max_per_host, .shared = true,
		.ended = on_ended, .news = with->news ? on_news : NULL, .slow = with->slow ? on_slow : NULL, .step = on_step, .user = v };

	must(v);
	v->with = *with;
	v->settings = settings;
	v->last_id = (uint64_t)clock_now_s() << ID_BITS;	/* another life's are below, and JSON's numbers above */
	v->eras = era_new(with->trust);
	v->beat = timer_new(with->loop, on_beat, v);
	must(v->beat);
	how.contexts = v->eras->contexts;
	if (collector_new(&how, &v->collector, e)) {
		*out = v;
		return true;
	}
	visits_end(v);
	visits_free(&v);
	return false;
}

void visits_end(struct visits *v)
{
	assert(!v->left);
	timer_free(&v->beat);
	collector_free(&v->collector);
}

void visits_free(struct visits **out)
{
	struct visits *v = *out;

	if (!v)
		return;
	assert(!v->collector);
	end_eras(v);
	tls_contexts_free(&v->eras->contexts);
	free(v->eras);
	while (v->count)
		forget(v->all[--v->count]);
	free(v->all);
	free(v->going);
	free(v);
	*out = NULL;
}
