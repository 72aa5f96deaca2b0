/* SPDX-License-Identifier: Apache-2.0
 * A running instance visits its connections by itself: the schedule says when, the visits say how it went, the
 * store keeps what must outlive us. */
#include "base/buf.h"
#include "base/clock.h"
#include "main/instance_inside.h"
#include "net/loop.h"
#include "store/held.h"

enum { SECOND_MS = 1000, HELD_LOOK_S = 15 };

static void say_next(const struct instance *i, const char *name, int64_t now)
{
	const struct tag tag = { NULL, "connection", name };
	struct schedule_shown shown;
	char at[MOMENT_TEXT];

	if (!schedule_find(i->schedule, name, now, &shown) || shown.class == SCHEDULE_GOOD)
		return;
	log_info(&tag, "visit next=%s class=%s failures=%u", shown.next == SCHEDULE_NEVER ? "none" : moment_text(shown.next, at),
		schedule_class_name(shown.class), shown.failures);
}

static void keep(const struct instance *i, const char *name)
{
	struct visited v;

	if (schedule_kept(i->schedule, name, &v))
		visited_note(i->cli->store, name, &v);
}

static void on_began(void *user, const char *name, enum visit_what what)
{
	const struct instance *i = user;

	if (what != VISIT_RETRY)
		schedule_began(i->schedule, name, clock_now_s());
}

/* What a held message's target took at last is to leave the server, and only a visit can see to that. */
static void once_more(struct instance *i, const char *name, const struct visit_result *result, int64_t now)
{
	if (!result->owed || i->drain_until_ms)
		return;
	schedule_once_more(i->schedule, name, now);
	timer_set(i->visiting, 0, 0);
}

static void on_ended(void *user, const char *name, enum visit_what what, const struct visit_result *result)
{
	struct instance *i = user;
	int64_t now = clock_now_s();
	struct collector_watch watch;

	if (i->held_asked)
		instance_schedule_held(i, name);
	if (what == VISIT_RETRY) {
		once_more(i, name, result, now);
		return;
	}
	if (result->answered)
		schedule_answered(i->schedule, name);
	if (result->collected || result->held)
		schedule_found(i->schedule, name);
	schedule_ended(i->schedule, name, &result->why, now);
	if (visits_watched(i->visits, name, &watch))
		schedule_watched(i->schedule, name, now);
	once_more(i, name, result, now);
	if (!i->drain_until_ms)		/* what we stopped ourselves tells nothing */
		keep(i, name);
	say_next(i, name, now);
	timer_set(i->visiting, 0, 0);
}

/* Something came, or what watched is gone. */
static void on_news(void *user, const char *name)
{
	struct instance *i = user;

	schedule_news(i->schedule, name, clock_now_s());
	timer_set(i->visiting, 0, 0);
}

/* The machine slept, or its clock was set: a server may have forgotten whom it was to tell, and its side of a
 * connection may be gone without a word.  Each is looked at now, and not when the schedule would. */
static void on_jump(void *user, const struct loop_jump *j)
{
	struct instance *i = user;
	const struct settings *s = &i->cli->settings;
	struct collector_watch watch;
	unsigned count = 0;

	for (size_t n = 0; i->visits && n < s->connection_count; n++) {
		if (!visits_watched(i->visits, s->connections[n]->name, &watch))
			continue;
		schedule_news(i->schedule, s->connections[n]->name, clock_now_s());
		count++;
	}
	log_info(NULL, "clock jump slept=%llds set=%llds watched=%u", (long long)(j->slept_ms / SECOND_MS), (long long)(j->set_ms / SECOND_MS), count);
	timer_set(i->visiting, 0, 0);
}

/* Others of its host may begin. */
static void on_slow(void *user, const char *name)
{
	struct instance *i = user;

	schedule_slow(i->schedule, name);
	timer_set(i->visiting, 0, 0);
}

/* Outside of its windows nothing of a connection goes on. */
static void close_watch(const struct instance *i, const char *name, int64_t now)
{
	if (i->visits && !schedule_open(i->schedule, name, now))
		visits_unwatch(i->visits, name);
}

bool instance_visits(struct instance *i, struct visits **v, struct err *e)
{
	const struct visits_with with = { .loop = i->home, .store = i->cli->store, .tokens = i->tokens, .deliveries = i->deliveries,
		.trust = i->trust, .began = on_began, .ended = on_ended, .news = on_news, .slow = on_slow, .user = i };

	if (!i->visits && !visits_new(&with, &i->cli->settings, &i->visits, e))
		return false;
	*v = i->visits;
	return true;
}

/* What cannot even begin has ended: it waits as any other that failed. */
static void start(struct instance *i, const char *name, int64_t now)
{
	const struct tag tag = { NULL, "connection", name };
	struct visits *v;
	uint64_t id;
	struct err e;

	if (instance_visits(i, &v, &e) && visits_start(v, name, VISIT_COLLECT, &id, &e))
		return;
	if (e.kind == ERR_BUSY) {		/* somebody visits it, or its held messages are tried */
		schedule_later(i->schedule, name, now);
		return;
	}
	log_error(&tag, "%s", e.text);
	schedule_began(i->schedule, name, now);
	schedule_ended(i->schedule, name, &e, now);
}

/* Now and then at each connection: a visit of the schedule tries held messages, too, and what is due in between has a visit of its
 * own; and a window may have closed on a mailbox that is watched. */
static void look_at_each(struct instance *i, int64_t now)
{
	const struct settings *s = &i->cli->settings;
	struct visits *v;
	uint64_t id;
	struct err e;

	if (now < i->held_look && i->held_look <= now + HELD_LOOK_S)
		return;
	i->held_look = now + HELD_LOOK_S;
	i->held_asked = false;
	for (size_t n = 0; n < s->connection_count; n++) {
		const struct connection *c = s->connections[n];
		int64_t due = held_due(i->cli->store, c->name);

		close_watch(i, c->name, now);
		if (c->enabled && (due <= now || deliver_next_absurd(due, now)) && instance_visits(i, &v, &e) &&
		    !visits_start(v, c->name, VISIT_RETRY, &id, &e))
			i->held_asked = true;	/* busy: that visit does it, or has passed it by */
	}
}

void instance_schedule_held(struct instance *i, const char *connection)
{
	(void)connection;	/* all that are due are looked for: it costs as much */
	i->held_look = 0;
	timer_set(i->visiting, 0, 0);
}

/* Not as late as the second had begun when we last looked. */
static void wait_until(struct instance *i, int64_t moment)
{
	int64_t left = moment * SECOND_MS - clock_now_ms();

	timer_set(i->visiting, left > 0 ? (uint64_t)left + 1 : 1, 0);
}

static void on_time(void *user)
{
	struct instance *i = user;
	int64_t now = clock_now_s(), next;
	const char *name;

	if (i->collect_stopped || i->drain_until_ms)
		return;
	while ((name = schedule_due(i->schedule, now)))
		start(i, name, now);
	look_at_each(i, now);
	next = schedule_next(i->schedule, now);
	if (next > i->held_look)
		next = i->held_look;
	if (next > now + SCHEDULE_LOOK_S)
		next = now + SCHEDULE_LOOK_S;
	wait_until(i, next);
}

/* Those that the configuration has no more. */
static void forget_others(const struct instance *i)
{
	char name[VISITED_NAME_MAX + 1] = "";

	while (visited_each(i->cli->store, name))
		if (!settings_connection(&i->cli->settings, name))
			visited_forget(i->cli->store, name);
}

bool instance_schedule_make(struct instance *i, struct err *e)
{
	const struct settings *s = &i->cli->settings;
	int64_t now = clock_now_s();
	uint8_t key[VISITED_KEY];
	uint64_t seed;

	i->visiting = timer_new(i->home, on_time, i);
	if (!i->visiting)
		return err_set(e, ERR_LOCAL, "out of memory");
	random_fill(&seed, sizeof seed);
	visited_key(i->cli->store, key);
	i->schedule = schedule_new(seed, key);
	wipe(key, sizeof key);
	schedule_reload(i->schedule, s, now);
	for (size_t n = 0; n < s->connection_count; n++) {
		struct visited v;

		if (visited_get(i->cli->store, s->connections[n]->name, &v))
			schedule_recall(i->schedule, s->connections[n]->name, &v, now);
	}
	forget_others(i);
	timer_set(i->visiting, 0, 0);
	return loop_on_jump(i->home, on_jump, i, e);
}

void instance_schedule_reload(struct instance *i)
{
	schedule_reload(i->schedule, &i->cli->settings, clock_now_s());
	forget_others(i);
	timer_set(i->visiting, 0, 0);
}

void instance_schedule_again(struct instance *i)
{
	schedule_all(i->schedule, clock_now_s());
	timer_set(i->visiting, 0, 0);
}

void instance_schedule_trusted(struct instance *i)
{
	schedule_trusted(i->schedule, clock_now_s());
	timer_set(i->visiting, 0, 0);
}

void instance_schedule_free(struct instance *i)
{
	struct err e;

	if (i->home)
		(void)loop_on_jump(i->home, NULL, NULL, &e);	/* ending it cannot fail */
	if (i->visiting)
		timer_free(&i->visiting);
	schedule_free(&i->schedule);
}
