/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a schedule over connections made in memory, in virtual time.  The zone is UTC.
 *     plans_new(seed) → plans_add for each connection: box0, box1, … → plans_begin prints the seed
 *     plans_next begins what is due next, plans_over ends it, plans_wait does both for box0 → plans_end */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "collect/schedule.h"

enum { PLANS_MAX = 1000, PLANS_BEGIN = 1795665600, PLANS_MINUTE = 60, PLANS_HOUR = 3600 };	/* 2026-11-26T04:00:00Z, a Thursday */

struct plans {
	struct schedule *schedule;
	struct settings settings;
	struct connection connections[PLANS_MAX], *list[PLANS_MAX];
	char names[PLANS_MAX][16];
	const char *active[PLANS_MAX];
	int64_t now;
	uint64_t seed;
};

static const uint8_t plans_key[VISITED_KEY] = "a key of 32 octets, for a test.";

/* A connection as by default, to `host`; *p is settings only until plans_begin. */
[[maybe_unused]] static struct connection *plans_add(struct plans *p, const char *host)
{
	size_t n = p->settings.connection_count++;
	struct connection *c = &p->connections[n];

	(void)snprintf(p->names[n], sizeof p->names[n], "box%zu", n);
	p->active[n] = "always";
	*c = (struct connection){ .name = p->names[n], .host = host, .enabled = true, .interval_ms = 15 * 60 * 1000,
		.active = { &p->active[n], 1 }, .delay_failed_host_ms = 5 * 60 * 1000, .delay_failed_account_ms = 3600 * 1000 };
	p->list[n] = c;
	p->settings.connections = p->list;
	return c;
}

[[maybe_unused]] static struct plans *plans_new(uint64_t seed)
{
	struct plans *p = calloc(1, sizeof *p);

	assert_non_null(p);
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	p->now = PLANS_BEGIN;
	p->seed = seed;
	p->settings.max_per_host = 8;
	return p;
}

[[maybe_unused]] static void plans_begin(struct plans *p)
{
	(void)printf("seed %llu\n", (unsigned long long)p->seed);
	p->schedule = schedule_new(p->seed, plans_key);
	schedule_reload(p->schedule, &p->settings, p->now);
}

[[maybe_unused]] static void plans_end(struct plans *p)
{
	schedule_free(&p->schedule);
	assert_null(p->schedule);
	free(p);
}

[[maybe_unused]] static struct schedule_shown plans_show(const struct plans *p, const char *name)
{
	struct schedule_shown s = { .name = NULL };

	do
		if (!schedule_each(p->schedule, s.name, p->now, &s))
			fail_msg("%s is not there", name);
	while (strcmp(s.name, name) != 0);
	return s;
}

/* The next visit that is due, begun; the clock goes on to it.  NULL: none ever. */
[[maybe_unused]] static const char *plans_next(struct plans *p)
{
	const char *name;

	while (!(name = schedule_due(p->schedule, p->now))) {
		p->now = schedule_next(p->schedule, p->now);
		if (p->now == SCHEDULE_NEVER)
			return NULL;
	}
	schedule_began(p->schedule, name, p->now);
	return name;
}

/* One that was begun ends `after` seconds. */
[[maybe_unused]] static void plans_over(struct plans *p, const char *name, int64_t after, enum err_kind kind, const char *words)
{
	struct err why = { .kind = ERR_NONE };

	p->now += after;
	if (kind != ERR_NONE)
		(void)err_set(&why, kind, "it failed");
	if (words)
		(void)err_peer(&why, span_of(words));
	schedule_ended(p->schedule, name, &why, p->now);
}

/* How long box0 waits for its next visit, which begins then. */
[[maybe_unused]] static int64_t plans_wait(struct plans *p, enum err_kind kind, const char *words)
{
	int64_t ended;

	plans_over(p, "box0", 1, kind, words);
	ended = p->now;
	assert_non_null(plans_next(p));
	return p->now - ended;
}

/* As long as that, or a tenth more. */
#define assert_about(wait, want) do { int64_t w_ = (wait), t_ = (want); if (w_ < t_ || w_ > t_ + t_ / 10) fail_msg("%lld s, not %lld s", (long long)w_, (long long)t_); } while (0)
/* An interval: a twentieth less or more. */
#define assert_interval(wait, want) do { int64_t w_ = (wait), t_ = (want); if (w_ < t_ - t_ / 20 || w_ > t_ + t_ / 20) fail_msg("%lld s, not %lld s", (long long)w_, (long long)t_); } while (0)
