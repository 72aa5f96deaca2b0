/* SPDX-License-Identifier: Apache-2.0
 *
 * One mailbox that is watched, at servers that do it well, and wrongly. */
#include "collect/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "collect/test_watched.h"
#include "collect/visit_imap.h"

#define WATCH(world, rules) watched_start(world, "IDLE", rules, sizeof(rules) / sizeof(rules)[0])
#define HOUR_MS (WATCH_DENIED_S * UINT64_C(1000))

/* ---- news */

static const struct row {
	const char *name, *verb, *says;
	unsigned logins;
} news_rows[] = {
	{ "within IDLE", "IDLE", "+ idling\r\n%A* 2 EXISTS\r\n%D%T OK done\r\n", 1 },
	{ "before the +", "IDLE", "%A* 2 EXISTS\r\n+ idling\r\n%D%T OK done\r\n", 1 },
	{ "instead of the +, for long", "IDLE", "%A* 2 EXISTS\r\n%W+ idling\r\n%D%T OK done\r\n", 1 },
	{ "RECENT", "IDLE", "+ idling\r\n* OK Still here\r\n%A* 1 RECENT\r\n%D%T OK done\r\n", 1 },
	{ "when all was listed", "UID FETCH 1", "%A%F* 2 EXISTS\r\n", 1 },
	{ "ended by OK", "IDLE", "+ idling\r\n%A%T OK that was long enough\r\n", 2 },
	{ "ended by OK, before the +", "IDLE", "%A%T OK that was long enough\r\n", 2 },
	{ "ended by BYE", "IDLE", "+ idling\r\n%A* BYE until then\r\n%C", 2 },
	{ "closed", "IDLE", "+ idling\r\n%A%C", 2 },
	{ "reset", "IDLE", "%A%R", 2 },
	{ "refused, and there was news", "IDLE", "%A* 2 EXISTS\r\n%T NO not now\r\n", 2 },
	{ "nonsense", "IDLE", "+ idling\r\n%A)(\r\n%D", 2 },
};

/* One call, then one visit that finds it. */
static void news_are_told_once(void **state)
{
	for (const struct row *r = news_rows; r < news_rows + sizeof news_rows / sizeof news_rows[0]; r++) {
		const struct watched_rule rules[] = { { r->verb, r->says }, { r->verb, "%F" } };
		struct watched *w = WATCH(*state, rules);

		print_message("%s\n", r->name);
		assert_int_equal(watched_visit(w, 0), 1);
		watched_until(w, w->news);
		watched_go(w, 'W');
		assert_int_equal(watched_visit(w, 0), 1);
		assert_int_equal(w->result.why.kind, ERR_NONE);
		assert_int_equal(watched_said(w, &w->logins), r->logins);
		assert_int_equal(w->news, 1);
		watched_end(&w);
	}
}

static const struct row no_news_rows[] = {
	{ "nothing", "IDLE", "+ idling\r\n%D%T OK done\r\n", 1 },
	{ "signs of life", "IDLE", "+ idling\r\n* OK Still here\r\n+ again\r\n%D%T OK done\r\n", 1 },
	{ "as many as there are", "IDLE", "+ idling\r\n* 1 EXISTS\r\n* 0 RECENT\r\n%D%T OK done\r\n", 1 },
	{ "flags, and one less", "IDLE", "+ idling\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n%D%T OK done\r\n", 1 },
	{ "told behind DONE", "IDLE", "+ idling\r\n%D* 2 EXISTS\r\n%T OK done\r\n", 1 },
	{ "DONE is refused", "IDLE", "+ idling\r\n%D%T NO really?\r\n", 1 },
	{ "no +, until it is to end", "IDLE", "%W+ idling\r\n%D%T OK done\r\n", 1 },
	{ "DONE, and it closes", "IDLE", "+ idling\r\n%D%C", 2 },
	{ "DONE, and it says goodbye", "IDLE", "+ idling\r\n%D* BYE\r\n%C", 2 },
	{ "DONE, and nonsense", "IDLE", "+ idling\r\n%D)(\r\n", 2 },
};

/* Whatever was told, the next visit looks: what came without a word is found; and a dead session is no failure. */
static void a_visit_looks_all_the_same(void **state)
{
	for (const struct row *r = no_news_rows; r < no_news_rows + sizeof no_news_rows / sizeof no_news_rows[0]; r++) {
		const struct watched_rule rules[] = { { r->verb, r->says }, { r->verb, "%F" } };
		struct watched *w = WATCH(*state, rules);
		struct collector_watch watch;

		print_message("%s\n", r->name);
		assert_int_equal(watched_visit(w, 0), 1);
		assert_true(collector_watched(w->collector, w->with[0].name, &watch));
		assert_true(watch.since > 1600000000 && watch.heard >= watch.since);
		for (unsigned n = 0; n < 3; n++)
			watched_run(w);
		assert_int_equal(w->news, 0);
		watched_go(w, 'W');
		assert_int_equal(pthread_mutex_lock(&w->mutex), 0);
		w->mails[0] = 2;
		assert_int_equal(pthread_mutex_unlock(&w->mutex), 0);
		assert_int_equal(watched_visit(w, 0), 1);
		assert_int_equal(w->result.why.kind, ERR_NONE);
		assert_int_equal(watched_said(w, &w->logins), r->logins);
		watched_until(w, watched_said(w, &w->idles) == 2);
		assert_true(watched_is(w, 0));
		watched_end(&w);
	}
}

/* ---- servers that will not */

static void a_refusal_is_respected_for_an_hour(void **state)
{
	static const struct watched_rule rules[] = { { "IDLE", "%T NO not now\r\n" } };
	struct watched *w = WATCH(*state, rules);

	assert_int_equal(watched_visit(w, 0), 1);
	watched_until(w, watched_said(w, &w->ends) == 1);
	watched_until(w, !watched_is(w, 0));
	assert_int_equal(w->news, 0);
	watched_visit(w, 0);
	assert_false(watched_is(w, 0));
	watched_later_ms = HOUR_MS - 1000;
	watched_visit(w, 0);
	watched_until(w, watched_said(w, &w->idles) == 1);
	watched_later_ms = HOUR_MS + 60 * 1000;
	watched_visit(w, 0);
	watched_until(w, watched_said(w, &w->idles) == 2);
	watched_end(&w);
}

static void nobody_is_asked_who_cannot(void **state)
{
	struct watched *w = watched_start(*state, "ID", NULL, 0);

	assert_int_equal(watched_visit(w, 0), 1);
	assert_false(watched_is(w, 0));
	watched_end(&w);
	w = watched_start(*state, "IDLE", NULL, 0);
	w->with[0].idle = false;
	assert_int_equal(watched_visit(w, 0), 1);
	assert_false(watched_is(w, 0));
	watched_until(w, watched_said(w, &w->idles) == 0);
	watched_end(&w);
}

static const char *const short_ways[] = { "+ idling\r\n%T OK enough\r\n", "%T OK enough\r\n", "+ idling\r\n%C", "%R", "+ idling\r\n* BYE\r\n%C" };

/* Two times are worth another look, three are not. */
static void who_ends_it_soon_is_polled(void **state)
{
	for (size_t way = 0; way < sizeof short_ways / sizeof short_ways[0]; way++) {
		const struct watched_rule rules[] = { { "IDLE", short_ways[way] } };
		struct watched *w = WATCH(*state, rules);

		for (unsigned n = 1; n < WATCH_SHORT_MAX; n++) {
			watched_visit(w, 0);
			watched_until(w, w->news == n);
		}
		watched_visit(w, 0);
		watched_until(w, watched_said(w, &w->ends) == WATCH_SHORT_MAX && !watched_is(w, 0));
		watched_visit(w, 0);
		watched_visit(w, 0);
		assert_int_equal(w->news, WATCH_SHORT_MAX - 1);
		watched_until(w, watched_said(w, &w->idles) == WATCH_SHORT_MAX);
		watched_later_ms = HOUR_MS + 60 * 1000;
		watched_visit(w, 0);
		watched_until(w, w->news == WATCH_SHORT_MAX);	/* it counts anew */
		watched_end(&w);
	}
}

/* One that lasts, or that a visit takes, is between them. */
static void what_lasted_begins_anew(void **state)
{
	static const struct watched_rule rules[] = { { "IDLE", "+ idling\r\n%W%C" }, { "IDLE", "+ idling\r\n%W%C" }, { "IDLE", "+ idling\r\n%W%C" },
		{ "IDLE", "+ idling\r\n%W%C" }, { "IDLE", "%F" }, { "IDLE", "%C" }, { "IDLE", "%C" }, { "IDLE", "%F" } };
	struct watched *w = WATCH(*state, rules);

	for (unsigned n = 1; n <= 4; n++) {
		watched_visit(w, 0);
		watched_later_ms += n == 3 ? WATCH_SHORT_S * 1000 : 0;
		watched_go(w, 'W');
		watched_until(w, w->news == n);
	}
	watched_visit(w, 0);
	watched_visit(w, 0);		/* takes it; what follows closes at once */
	watched_until(w, w->news == 5);
	watched_visit(w, 0);
	watched_until(w, w->news == 6);
	watched_visit(w, 0);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

/* ---- too many sessions */

static void a_crowd_gives_way(void **state)
{
	static const struct watched_rule rules[] = { { "LOGIN", "%F" }, { "LOGIN", "%F" }, { "LOGIN", "%T NO [LIMIT] too many connections\r\n" }, { "LOGIN", "%F" } };
	struct watched *w = WATCH(*state, rules);

	w->with[0].user = "somebody else";
	watched_visit(w, 0);
	watched_later_ms += 1000;
	watched_visit(w, 1);
	watched_visit(w, 2);
	assert_int_equal(w->result.why.kind, ERR_BUSY);
	assert_true(watched_is(w, 0));		/* another account's */
	assert_false(watched_is(w, 1));
	watched_until(w, watched_said(w, &w->ends) == 2);
	watched_visit(w, 1);
	watched_visit(w, 2);
	assert_false(watched_is(w, 1) || watched_is(w, 2));
	watched_until(w, watched_said(w, &w->idles) == 2);
	assert_int_equal(w->news, 0);
	watched_later_ms += HOUR_MS + 60 * 1000;
	watched_visit(w, 1);
	assert_true(watched_is(w, 1));
	watched_end(&w);
}

/* The host has too many of this machine: the newest ends, whoever has it. */
static void a_crowd_of_the_host(void **state)
{
	static const struct watched_rule rules[] = { { "LOGIN", "%F" }, { "LOGIN", "%F" }, { "LOGIN", "%T NO [LIMIT] too many connections from your IP\r\n" } };
	struct watched *w = WATCH(*state, rules);

	w->with[1].user = "somebody else";
	watched_visit(w, 0);
	watched_later_ms += 1000;
	watched_visit(w, 1);
	watched_visit(w, 2);
	assert_true(watched_is(w, 0));
	assert_false(watched_is(w, 1));
	watched_end(&w);
}

/* It is nobody's to end who is not watched himself. */
static void a_crowd_without_idle(void **state)
{
	static const struct watched_rule rules[] = { { "LOGIN", "%F" }, { "LOGIN", "%T NO [LIMIT] too many connections\r\n" } };
	struct watched *w = WATCH(*state, rules);

	w->with[1].idle = false;
	watched_visit(w, 0);
	watched_visit(w, 1);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

/* ---- what people do */

static void set(struct watched *w, struct connection *c, unsigned n)
{
	static const char other[] = "another.example";

	c->enabled = n != 1;
	c->idle = n != 2;
	c->user = n == 3 ? other : w->world->with.user;
}

/* The settings are read again: what is the same stays, and the rest ends without a word; a visit that began before parks nothing. */
static void a_reload(void **state)
{
	for (unsigned n = 0; n <= 8; n++) {
		unsigned how = n % 4;
		bool amid = n >= 4 && n < 8, stays = !how && n < 8;
		struct watched *w = watched_start(*state, "IDLE", NULL, 0);
		struct connection now = w->with[0], *list[] = { &now };
		struct settings settings = { .connections = list, .connection_count = n < 8 };

		set(w, &now, how);
		watched_visit(w, 0);
		assert_true(watched_is(w, 0));
		if (amid)
			collector_add(w->collector, &w->with[0], VISIT_COLLECT);
		collector_watch_only(w->collector, &settings);
		watched_until(w, w->over == (amid ? 2 : 1));
		assert_true(watched_is(w, 0) == stays);
		assert_int_equal(w->news, 0);
		if (!stays)
			watched_until(w, watched_said(w, &w->ends) >= 1);
		watched_end(&w);
	}
}

/* Nobody said that they are others: the visit that comes with them does. */
static void other_settings_replace(void **state)
{
	struct watched *w = watched_start(*state, "IDLE", NULL, 0);

	watched_visit(w, 0);
	w->with[0].timeout_ms++;
	watched_visit(w, 0);
	assert_true(watched_is(w, 0));
	assert_int_equal(watched_said(w, &w->logins), 2);
	watched_until(w, watched_said(w, &w->ends) == 1);
	watched_visit(w, 0);
	assert_int_equal(watched_said(w, &w->logins), 2);
	watched_end(&w);
}

static void unwatched(void **state)
{
	struct watched *w = watched_start(*state, "IDLE", NULL, 0);

	watched_visit(w, 0);
	watched_visit(w, 1);
	collector_unwatch(w->collector, w->with[1].name);
	collector_unwatch(w->collector, "box");
	assert_true(watched_is(w, 0) && !watched_is(w, 1));
	watched_until(w, watched_said(w, &w->ends) == 1);
	collector_stop(w->collector);
	assert_false(watched_is(w, 0));
	watched_until(w, watched_said(w, &w->ends) == 2);
	assert_int_equal(w->news, 0);
	watched_visit(w, 0);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

static void distrusted(void **state)
{
	struct watched *w = watched_start(*state, "IDLE", NULL, 0);

	watched_visit(w, 0);
	collector_distrust(w->collector);
	assert_true(watched_is(w, 0) && !w->news);
	watched_distrusts = true;
	collector_distrust(w->collector);
	assert_false(watched_is(w, 0));
	assert_int_equal(w->news, 1);
	collector_distrust(w->collector);
	assert_int_equal(w->news, 1);
	watched_distrusts = false;
	watched_visit(w, 0);
	assert_true(watched_is(w, 0));
	assert_int_equal(watched_said(w, &w->logins), 2);
	watched_end(&w);
}

/* ---- no memory */

static void no_memory_to_watch(void **state)
{
	struct watched *w = watched_start(*state, "IDLE", NULL, 0);

	watched_no_malloc = imc_rested_size();
	assert_int_equal(watched_visit(w, 0), 1);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_false(watched_is(w, 0));
	watched_no_malloc = watched_no_calloc = 0;
	watched_visit(w, 0);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

/* What comes cannot be read, while another connection has the memory that is kept for that: then a visit looks. */
static void no_memory_to_wake(void **state)
{
	static const struct watched_rule rules[] = { { "IDLE", "+ idling\r\n%W* 2 EXISTS\r\n%D" }, { "IDLE", "+ idling\r\n%D%V%T OK done\r\n" }, { "IDLE", "%F" } };
	struct watched *w = WATCH(*state, rules);

	watched_visit(w, 0);
	watched_until(w, watched_said(w, &w->idles) == 1);
	watched_visit(w, 1);
	collector_add(w->collector, &w->with[1], VISIT_COLLECT);
	watched_until(w, !watched_is(w, 1));
	watched_no_malloc = imc_size();
	watched_go(w, 'W');
	watched_until(w, !watched_is(w, 0));
	assert_int_equal(w->news, 1);
	watched_no_malloc = watched_no_calloc = 0;
	watched_go(w, 'V');
	watched_until(w, w->over == 3);
	watched_visit(w, 0);
	assert_true(watched_is(w, 0) && watched_is(w, 1));
	assert_int_equal(watched_said(w, &w->logins), 3);
	watched_end(&w);
}

/* The visit goes on with a session of its own, and what it could not take ends. */
static void no_memory_to_take(void **state)
{
	struct watched *w = watched_start(*state, "IDLE", NULL, 0);
	unsigned over;

	watched_visit(w, 0);
	watched_no_calloc = sizeof(struct imap_visit);
	over = w->over;
	collector_add(w->collector, &w->with[0], VISIT_COLLECT);
	watched_until(w, w->over > over);
	assert_int_equal(w->result.why.kind, ERR_LOCAL);	/* neither for another one */
	assert_true(watched_is(w, 0));
	watched_no_malloc = watched_no_calloc = 0;
	watched_visit(w, 0);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(watched_said(w, &w->logins), 1);
	watched_end(&w);
}

int main(void)
{
#define WATCHES(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		WATCHES(news_are_told_once), WATCHES(a_visit_looks_all_the_same), WATCHES(a_refusal_is_respected_for_an_hour),
		WATCHES(nobody_is_asked_who_cannot), WATCHES(who_ends_it_soon_is_polled), WATCHES(what_lasted_begins_anew), WATCHES(a_crowd_gives_way),
		WATCHES(a_crowd_of_the_host), WATCHES(a_crowd_without_idle), WATCHES(a_reload), WATCHES(other_settings_replace), WATCHES(unwatched),
		WATCHES(distrusted), WATCHES(no_memory_to_watch), WATCHES(no_memory_to_wake), WATCHES(no_memory_to_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
