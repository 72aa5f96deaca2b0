/* SPDX-License-Identifier: Apache-2.0
 * An instance as main makes one: the schedule begins visits, sessions watch in between, and at any moment mail comes,
 * the server restarts, packets are lost, the clock is set, a person stops or reloads.
 *
 * Liveness: where nothing breaks (any more, for PATIENCE_S: back-offs are over, and what was refused is asked for again) each
 * message is in the targets after PROMPT_S, well before the schedule would look by itself.  What a server ends again and again is polled, `interval` apart.  Nothing of that by asking all the
 * time: visits need a reason. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/collect.h"
#include "collect/schedule.h"
#include "server.h"
#include "sim.h"

enum { SECOND_US = 1000000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, VISIT_MAX_S = 6 * HOUR_S, INTERVAL_S = 15 * MINUTE_S,
	PATIENCE_S = 90 * MINUTE_S, PROMPT_S = 120, PROMPT_POLLED_S = INTERVAL_S + 2 * MINUTE_S, LOOK_S = 10, FREE_VISITS = 40, VISITS_A_REASON = 4 };

static struct {
	struct loop *loop;
	struct collector *collector;
	struct schedule *schedule;
	struct timer *due;
	struct connection *list[1];	/* a new one with each reload: visits under way have the old one */
	struct settings settings;
	const struct target *deliver[AIMS];
	const char *active[1];
	bool visiting, stopped, over;
	uint64_t visits, reasons, began_us, calm_us, ends_us;
} w;

static const uint8_t key[VISITED_KEY] = "the simulation's key";

bool watching_goes_on(void)
{
	return w.loop && !w.over;
}

static void again_at(uint64_t most_s, event_run *run)
{
	event_at(SECOND_US + log_below(most_s * SECOND_US), run, NULL);
}

/* ---- as main/instance_schedule.c */

static void start(void)
{
	int64_t now = clock_now_s();

	if (w.visiting) {
		schedule_later(w.schedule, "sim", now);
		return;
	}
	w.visiting = true;
	world->visits++;
	world->visit_until_us = world->now_us + (uint64_t)VISIT_MAX_S * SECOND_US;
	told("visit: begins");
	if (++w.visits > FREE_VISITS + VISITS_A_REASON * (w.reasons + world->mail_count) + (world->now_us - w.began_us) / ((uint64_t)MINUTE_S * SECOND_US))
		violation("visits without end: %u, and %u reasons for one beside the mail", (unsigned)w.visits, (unsigned)w.reasons);
	schedule_began(w.schedule, "sim", now);
	collector_add(w.collector, w.list[0], VISIT_COLLECT);
}

static void on_due(void *user)
{
	int64_t now = clock_now_s(), next;

	(void)user;
	if (w.over || w.stopped)
		return;
	while (schedule_due(w.schedule, now))
		start();
	next = schedule_next(w.schedule, now);
	if (next > now + SCHEDULE_LOOK_S)
		next = now + SCHEDULE_LOOK_S;
	timer_set(w.due, (uint64_t)(next - now) * 1000 + 1, 0);
}

static void look_now(void)
{
	if (!w.over)
		timer_set(w.due, 0, 0);
}

static void ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *r)
{
	struct collector_watch watch;
	int64_t now = clock_now_s();

	(void)user;
	(void)id;
	(void)with;
	told("visit: ends, %u collected, %u failed, %s %s", (unsigned)r->collected, (unsigned)r->failed, err_kind_name(r->why.kind), r->why.text);
	w.visiting = false;
	w.reasons += r->why.kind != ERR_NONE || r->failed;
	world->collected += r->collected;
	world->visit_until_us = UINT64_MAX;
	if (r->answered)
		schedule_answered(w.schedule, "sim");
	schedule_ended(w.schedule, "sim", &r->why, now);
	if (collector_watched(w.collector, "sim", &watch))
		schedule_watched(w.schedule, "sim", now);
	oracle_look("after a visit");
	look_now();
}

static void on_news(void *user, const char *connection)
{
	(void)user;
	told("watch: news");
	assert(strcmp(connection, "sim") == 0);
	schedule_news(w.schedule, connection, clock_now_s());
	look_now();
}

/* ---- what happens */

static void on_arrival(void *user)
{
	(void)user;
	if (w.over)
		return;
	w.reasons++;
	origin_arrives();
	if (one_in(4))
		origin_arrives();
	net_look();
	again_at(HOUR_S / 2, on_arrival);
}

static void set_clock(void)
{
	int64_t by = (int64_t)log_below(3 * DAY_S);
	struct collector_watch watch;

	world->set_s += one_in(2) ? by : -by;
	told("clock: it is set to %+lld s", (long long)world->set_s);
	if (!one_in(2) || !collector_watched(w.collector, "sim", &watch))
		return;
	schedule_news(w.schedule, "sim", clock_now_s());
	look_now();
}

static void on_jump(void *user)
{
	(void)user;
	if (w.over)
		return;
	w.reasons++;
	set_clock();
	again_at(4 * HOUR_S, on_jump);
}

static void on_started(void *user)
{
	(void)user;
	if (!w.stopped || w.over)
		return;
	told("person: starts");
	w.stopped = false;
	schedule_all(w.schedule, clock_now_s());
	look_now();
}

static void make_connection(void)
{
	w.list[0] = malloc(sizeof *w.list[0]);
	assert(w.list[0]);
	plan_connection(w.list[0], w.deliver);
	w.list[0]->active.at = w.active;
	w.list[0]->active.count = 1;
	w.list[0]->interval_ms = (uint64_t)INTERVAL_S * 1000;
	w.list[0]->delay_failed_host_ms = 30 * 1000;
	w.list[0]->delay_failed_account_ms = (uint64_t)5 * MINUTE_S * 1000;
}

/* Half of the time its settings are others. */
static void reload(void)
{
	uint64_t retries = w.list[0]->retry_interval_ms;

	make_connection();
	w.list[0]->retry_interval_ms = retries + (one_in(2) ? 1 : 0);
	told("person: reloads, %llu", (unsigned long long)w.list[0]->retry_interval_ms);
	collector_change(w.collector, NULL, 8);
	collector_watch_only(w.collector, &w.settings);
	schedule_reload(w.schedule, &w.settings, clock_now_s());
	look_now();
}

static void stop(void)
{
	told("person: stops");
	w.stopped = true;
	collector_stop(w.collector);
	again_at(10 * MINUTE_S, on_started);
}

static void on_trouble(void *user)
{
	(void)user;
	if (w.over || peaceful())
		return;
	w.reasons++;
	switch (below(8)) {
	case 0:
		told("trouble: the server restarts");
		net_restart(log_below(10ull * MINUTE_S * SECOND_US));
		break;
	case 1:
		told("trouble: nothing comes through");
		net_mute(log_below(20ull * MINUTE_S * SECOND_US));
		break;
	case 2:
		stop();
		break;
	case 3:
		reload();
		break;
	case 4:
		if (world->plan.wholesale) {
			origin_moves();
			net_restart(0);
		}
		break;
	case 5:
		if (!w.visiting && !w.stopped)
			start();
		break;
	case 6:
	case 7:
		origin_others();
		net_look();
		break;
	}
	again_at(HOUR_S / 2, on_trouble);
}

/* Once, so that nobody thinks that it ends IDLE again and again. */
static void on_restart(void *user)
{
	(void)user;
	if (w.over)
		return;
	told("the server restarts, at once");
	net_restart(0);
}

static void on_peace(void *user)
{
	(void)user;
	told("peace");
	world->peace = true;
	w.calm_us = world->now_us + (uint64_t)PATIENCE_S * SECOND_US;
	net_peace();
	on_started(NULL);
}

/* ---- is it there in time? */

static uint64_t promptly_us(void)
{
	return (uint64_t)(world->plan.idle == IDLE_GOES_ON ? PROMPT_S : PROMPT_POLLED_S) * SECOND_US;
}

static void on_look(void *user)
{
	(void)user;
	net_heard();
	for (size_t n = 0; peaceful() && n < world->mail_count; n++) {
		const struct mail *m = &world->mails[n];
		uint64_t since = m->arrived_us > w.calm_us ? m->arrived_us : w.calm_us;

		if (m->present && since + promptly_us() < world->now_us && !oracle_everywhere(m))
			violation("liveness: message %zu lies in the mailbox, and after %u s it is nowhere else", n,
				(unsigned)((world->now_us - since) / SECOND_US));
	}
	if (world->now_us < w.ends_us) {
		event_at((uint64_t)LOOK_S * SECOND_US, on_look, NULL);
		return;
	}
	told("the watching ends");
	w.over = true;
	timer_stop(w.due);
	collector_stop(w.collector);
}

/* ---- a life of it */

static void begin(struct loop *loop)
{
	struct collector_with with = { .loop = loop, .store = life_store, .max_per_host = 8, .ended = ended, .news = on_news };
	struct err e;

	w.loop = loop;
	w.active[0] = "always";
	make_connection();
	w.settings = (struct settings){ .connections = w.list, .connection_count = 1, .max_per_host = 8 };
	w.due = timer_new(loop, on_due, NULL);
	w.schedule = schedule_new(chance(), key);
	if (!collector_new(&with, &w.collector, &e))
		violation("no collector: %s", e.text);
	schedule_reload(w.schedule, &w.settings, clock_now_s());
	world->visit_until_us = UINT64_MAX;
	w.began_us = w.calm_us = world->now_us;
	look_now();
}

void watching(struct loop *loop)
{
	uint64_t trouble_us = world->calm ? 0 : log_below(3ull * HOUR_S * SECOND_US);

	begin(loop);
	w.ends_us = world->now_us + trouble_us + (uint64_t)((world->calm ? 0 : PATIENCE_S) + HOUR_S) * SECOND_US;
	again_at(HOUR_S / 4, on_arrival);
	event_at(w.ends_us - world->now_us - below(HOUR_S - 10 * MINUTE_S) * SECOND_US, on_restart, NULL);
	if (world->plan.jumps)
		again_at(HOUR_S, on_jump);
	if (!world->calm) {
		again_at(HOUR_S / 4, on_trouble);
		event_at(trouble_us, on_peace, NULL);
	}
	event_at((uint64_t)LOOK_S * SECOND_US, on_look, NULL);
	loop_run(loop);
	if (collector_left(w.collector))
		violation("hang: the loop ended before the visit");
	if (store_waiting(life_store))
		violation("leak: the last visit ended and %zu answers are still to come", store_waiting(life_store));
	collector_free(&w.collector);
	timer_free(&w.due);
	schedule_free(&w.schedule);
	world->visit_until_us = UINT64_MAX;
}
