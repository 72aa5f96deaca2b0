/* SPDX-License-Identifier: Apache-2.0
 * One life of our process: from opening the store to a crash or an orderly end. */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/collect.h"
#include "server.h"
#include "sim.h"
#include "store/account.h"
#include "store/held.h"

enum { SECOND_US = 1000000, DAY_S = 86400, VISIT_MAX_S = 6 * 3600, CALM_VISITS_MAX = 4 * MAILS_MAX, QUIET_VISITS = 2 };

const char *life_state;
struct store *life_store;

static struct loop *loop;
static struct deliveries *deliveries;
static struct collector *collector;
static uintptr_t visiting;		/* odd: a visit is under way */
static struct visit_result result;

static void ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *r)
{
	(void)user;
	(void)id;
	(void)with;
	result = *r;
}

static void on_reader(void *user)
{
	(void)user;
	maildir_read();
}

static void on_stop(void *user)
{
	if (visiting != (uintptr_t)user)
		return;
	told("visit: is to stop");
	collector_stop(collector);
}

static void visit(enum visit_what what)
{
	struct collector_with with = { .loop = loop, .store = life_store, .deliveries = deliveries, .max_per_host = 8, .ended = ended };
	const struct target *deliver[AIMS];
	struct connection connection;
	struct err e;

	plan_connection(&connection, deliver);
	result = (struct visit_result){ .ms = UINT64_MAX };
	world->visits++;
	world->visit_until_us = world->now_us + (uint64_t)VISIT_MAX_S * SECOND_US;
	told(what == VISIT_RETRY ? "visit: begins, for what is held" : "visit: begins");
	for (int n = 0; n < 4 && world->plan.reader; n++)
		event_at(log_below(5 * SECOND_US), on_reader, NULL);
	if (!collector_new(&with, &collector, &e))
		violation("no collector: %s", e.text);
	collector_add(collector, &connection, what);
	visiting++;
	if (world->plan.handed && fault(10))
		event_at(log_below(60 * SECOND_US), on_stop, (void *)visiting);
	loop_run(loop);
	visiting++;
	if (collector_left(collector) || result.ms == UINT64_MAX)
		violation("hang: the loop ended before the visit");
	if (store_waiting(life_store))
		violation("leak: a visit ended and %zu answers are still to come", store_waiting(life_store));
	collector_free(&collector);
	world->collected += result.collected;
	told("visit: ends, %u collected, %u held, %u failed, %s %s", (unsigned)result.collected, (unsigned)result.held, (unsigned)result.failed,
		err_kind_name(result.why.kind), result.why.text);
	if (world->plan.handed)
		oracle_outstanding();
	oracle_look("after a visit");
}

/* As an instance does between the visits of its schedule; and all of it once it is calm. */
static void retry_what_is_due(void)
{
	for (int n = 0; world->plan.handed && n < (world->calm ? CALM_VISITS_MAX : 4); n++) {
		int64_t due = held_due(life_store, "sim"), now = clock_now_s();

		if (due == INT64_MAX || (due > now && !world->calm && !one_in(3)))
			return;
		if (due > now)
			world->now_us += (uint64_t)(due - now) * SECOND_US;
		visit(VISIT_RETRY);
	}
}

/* With a reader, within a day: an intent that is older is PRODUCT's exception. */
static void pass_time(void)
{
	uint64_t s = 1 + log_below(600);

	if (!world->plan.reader && one_in(5))
		s = one_in(3) ? below(40 * DAY_S) : below(3 * DAY_S);
	world->now_us += s * SECOND_US;
	if (world->plan.reader)
		maildir_read();
	if (!world->calm)
		origin_between();
	if (world->plan.handed)
		person_between();
	retry_what_is_due();
}

static void birth(void)
{
	struct err e;

	world->lives++;
	world->peace = false;
	if (!world->calm && percent(world->plan.crash_percent)) {
		if (one_in(3))
			world->crash_at_step = world->steps + 1 + log_below(5000);
		else
			world->crash_at_deed = world->deeds + 1 + log_below(300);
	}
	loop = loop_new(&e);
	if (!store_open(life_state, 1u << 30, "sim", &life_store, &e))
		violation("the store does not open: %s", e.text);
	if (!account_there(life_store, "anna") && !account_add(life_store, "anna", SPAN(""), false, &e) && !world->calm)
		_exit(0);	/* the disk was full: the next life tries again */
	deliveries = deliver_new();
	if (world->plan.handed) {
		person_sets_quota();
		oracle_outstanding();
	}
	oracle_look("after a restart");
}

_Noreturn static void death(void)
{
	struct store *s = life_store;

	life_store = NULL;
	store_close(&s);
	loop_free(&loop);
	told("an orderly end");
	_exit(0);
}

/* With a limit a visit may only have compared, and collected nothing. */
static int quiet_enough(void)
{
	return QUIET_VISITS + (world->plan.max_messages ? (int)(world->mail_count / world->plan.max_messages) : 0);
}

static void calm_down(void)
{
	int quiet = 0;

	if (world->plan.handed)
		person_asks_again();
	for (int n = 0; quiet < quiet_enough(); n++) {
		if (n == CALM_VISITS_MAX)
			violation("the end: %d calm visits, and still something is collected", n);
		visit(VISIT_COLLECT);
		if (result.why.kind || (result.failed && world->plan.on_refused != REFUSED_KEEP))
			violation("the end: a calm visit fails: %s, %u failed", result.why.text, (unsigned)result.failed);
		quiet = result.collected || result.failed || result.held ? 0 : quiet + 1;
		pass_time();
	}
	oracle_end();
	world->done = true;
}

void life(void)
{
	birth();
	if (world->plan.watched)
		watching(loop);
	if (world->calm) {
		calm_down();
		death();
	}
	do {
		if (!world->plan.watched)
			visit(VISIT_COLLECT);
		pass_time();
		world->plan.visits -= world->plan.visits > 0;
	} while (!world->plan.watched && world->plan.visits && !one_in(4));
	world->crash_at_step = world->crash_at_deed = 0;
	death();
}
