/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "collect/schedule_inside.h"

enum { SECONDS_MAX = 366 * 24 * 3600, OPENING_LATE_S = 30, LATER_S = 5 };

void schedule_must(const void *there)
{
	if (there)
		return;
	log_error(NULL, "schedule: out of memory");
	abort();
}

/* splitmix64 */
uint64_t schedule_chance(struct schedule *s, uint64_t below)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

/* ---- when */

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Once it waits for a window, a little later than that opens, so that not all are first. */
static int64_t into_window(const struct planned *p, int64_t at)
{
	int64_t opening = hours_next(&p->hours, at), late = p->interval / 20, moment;

	if (opening == at)
		return at;
	moment = opening + p->chance % ((late < OPENING_LATE_S ? late : OPENING_LATE_S) + 1);
	return hours_open(&p->hours, moment) ? moment : opening;
}

static int64_t held_until(const struct planned *p)
{
	return later_of(p->kept.of_host ? 0 : p->kept.backoff_until, p->host ? p->host->until : 0);
}

void schedule_settle(struct planned *p)
{
	int64_t at = later_of(p->due, held_until(p));

	p->next = !p->enabled || p->running || p->due == SCHEDULE_NEVER ? SCHEDULE_NEVER : into_window(p, at);
}

static void settle_host(struct schedule *s, const struct host *h)
{
	for (size_t n = 0; n < s->count; n++)
		if (s->all[n]->host == h)
			schedule_settle(s->all[n]);
}

/* A clock that was put back: what lies ahead stays as far ahead. */
void schedule_clock(struct schedule *s, int64_t now)
{
	int64_t back = s->last - now;

	s->last = now;
	if (back <= 0)
		return;
	for (size_t n = 0; n < s->host_count; n++) {
		s->hosts[n]->until -= s->hosts[n]->until ? back : 0;
		s->hosts[n]->noted -= s->hosts[n]->noted ? back : 0;
	}
	for (size_t n = 0; n < s->count; n++) {
		struct planned *p = s->all[n];

		p->due -= p->due == SCHEDULE_NEVER ? 0 : back;
		p->began -= back;
		p->known -= back;
		p->alive -= p->alive ? back : 0;
		p->idle_since -= p->idle_since ? back : 0;
		p->kept.backoff_until -= p->kept.backoff_until ? back : 0;
		schedule_settle(p);
	}
}

/* ---- what there is */

struct planned *schedule_one(const struct schedule *s, const char *name)
{
	for (size_t n = 0; n < s->count; n++)
		if (strcmp(s->all[n]->name, name) == 0)
			return s->all[n];
	return NULL;
}

static void planned_free(struct planned *p)
{
	if (!p)
		return;
	free(p->name);
	free(p);
}

static int64_t seconds(uint64_t ms)
{
	uint64_t s = ms / 1000 + (ms % 1000 != 0);

	return s < SECONDS_MAX ? (int64_t)s : SECONDS_MAX;
}

/* `p` is new, or as it was under other settings. */
static void begin_anew(struct schedule *s, struct planned *p, const struct connection *c, int64_t now, int64_t due)
{
	bool running = p->running, slow = p->slow;

	host_running(p, false);
	p->host = host_of(s, c->host, c->port);
	host_running(p, running);
	if (slow)
		host_slow(p);
	p->again = p->stale = running;	/* then with what it is now */
	p->once_done = false;
	p->interval = seconds(c->interval_ms);
	p->host_delay = seconds(c->delay_failed_host_ms);
	p->account_delay = seconds(c->delay_failed_account_ms);
	p->enabled = c->enabled;
	p->idle = c->idle && c->protocol == PROTOCOL_IMAP;
	hours_read(&p->hours, &c->active);
	p->due = due;
	p->known = now;
	p->kept.backoff_until = 0;
	p->kept.failures = p->kept.throttled = 0;
	p->kept.of_host = p->kept.untrusted = false;
	if (p->host && p->host->failures) {	/* who changes something wants to see what comes of it */
		p->host->failures = 0;
		p->host->until = p->host->noted = 0;
	}
}

static struct planned *planned_new(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = calloc(1, sizeof *p);

	schedule_must(p);
	p->name = strdup(name);
	schedule_must(p->name);
	p->chance = (uint32_t)schedule_chance(s, UINT32_MAX);
	p->known = now;
	return p;
}

void schedule_reload(struct schedule *s, const struct settings *settings, int64_t now)
{
	struct planned **old = s->all, **all = calloc(settings->connection_count + 1, sizeof(struct planned *));
	size_t count = s->count, fresh = 0;

	schedule_must(all);
	schedule_clock(s, now);
	tzset();
	s->max_per_host = settings->max_per_host;
	for (size_t n = 0; n < settings->connection_count; n++) {
		const struct connection *c = settings->connections[n];
		uint8_t sum[VISITED_SUM];

		for (size_t i = 0; i < count && !all[n]; i++)
			if (old[i] && strcmp(old[i]->name, c->name) == 0) {
				all[n] = old[i];
				old[i] = NULL;
			}
		if (!all[n])
			all[n] = planned_new(s, c->name, now);
		schedule_sum(c, s->key, sum);
		if (memcmp(sum, all[n]->kept.sum, sizeof sum) != 0) {
			begin_anew(s, all[n], c, now, now + (int64_t)(fresh / SCHEDULE_FIRST_PER_S));
			fresh += c->enabled;
			memcpy(all[n]->kept.sum, sum, sizeof sum);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (old[i])
			host_running(old[i], false);
		planned_free(old[i]);
	}
	free(old);
	s->all = all;
	s->count = settings->connection_count;
	hosts_drop(s);
	for (size_t n = 0; n < s->count; n++)
		schedule_settle(s->all[n]);
}

/* A moment out of another time, when the clock was wrong, is not believed. */
void schedule_recall(struct schedule *s, const char *name, const struct visited *kept, int64_t now)
{
	struct planned *p = schedule_one(s, name);
	int64_t most = later_of(SCHEDULE_ACCOUNT_MAX_S, p ? p->account_delay : 0) * 2;

	if (!p)
		return;
	p->kept.last = kept->last;
	p->kept.success = kept->success;
	if (memcmp(kept->sum, p->kept.sum, sizeof kept->sum) != 0)
		return;
	p->kept = *kept;
	if (p->kept.backoff_until > now + most)
		p->kept.backoff_until = 0;
	if (p->kept.of_host && p->host && p->kept.backoff_until > now && p->kept.backoff_until > p->host->until) {
		p->host->until = p->kept.backoff_until;
		p->host->failures = kept->failures ? kept->failures : 1;
		p->host->noted = now;
		settle_host(s, p->host);
	}
	schedule_settle(p);
}

bool schedule_kept(const struct schedule *s, const char *name, struct visited *kept)
{
	const struct planned *p = schedule_one(s, name);

	if (p)
		*kept = p->kept;
	return p;
}

/* ---- what happens */

/* What became due waits for its host, maybe until its window has closed. */
static bool may_go(const struct schedule *s, struct planned *p, int64_t now)
{
	if (p->next > now)
		return false;
	if (!hours_open(&p->hours, now)) {
		p->next = into_window(p, now);
		return false;
	}
	return hosts_room(s, p->host);
}

const char *schedule_due(struct schedule *s, int64_t now)
{
	struct planned *first = NULL;

	schedule_clock(s, now);
	for (size_t n = 0; n < s->count; n++) {
		struct planned *p = s->all[n];

		if ((!first || p->next < first->next) && may_go(s, p, now))
			first = p;
	}
	return first ? first->name : NULL;
}

int64_t schedule_next(const struct schedule *s, int64_t now)
{
	int64_t next = SCHEDULE_NEVER;

	for (size_t n = 0; n < s->count; n++)
		if (s->all[n]->next > now && s->all[n]->next < next)
			next = s->all[n]->next;
	return next;
}

void schedule_later(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = schedule_one(s, name);

	schedule_clock(s, now);
	if (!p)
		return;
	p->due = now + LATER_S;
	schedule_settle(p);
}

void schedule_began(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = schedule_one(s, name);

	schedule_clock(s, now);
	if (!p)
		return;
	host_running(p, true);
	p->stale = p->answered = p->found = false;
	p->by_news = p->news;
	p->news = false;
	p->began = now;
	schedule_settle(p);
}

static void next_interval(struct schedule *s, struct planned *p, int64_t news, int64_t now)
{
	int64_t give = p->interval / 20;

	p->once_done = !p->interval;
	p->due = p->interval ? now + p->interval - give + (int64_t)schedule_chance(s, (uint64_t)(2 * give + 1)) : SCHEDULE_NEVER;
	if (p->again)
		news = now;
	if (news != SCHEDULE_NEVER) {
		p->due = news < p->due ? news : p->due;
		p->once_done = false;
	}
	p->again = false;
}

/* No more than its back-off keeps it from watching again; where that is none, a pause. */
static void soon(struct planned *p, int64_t now)
{
	int64_t again = p->host_delay ? now : now + SCHEDULE_AGAIN_S;

	if (p->idle && p->class == SCHEDULE_COUNTED && p->due > again)
		p->due = again;
}

void schedule_ended(struct schedule *s, const char *name, const struct err *why, int64_t now)
{
	struct planned *p = schedule_one(s, name);
	bool changed;

	schedule_clock(s, now);
	if (!p || !p->running)
		return;
	host_running(p, false);
	p->why = *why;
	p->class = schedule_class(why);
	p->kept.last = now;
	if (why->kind == ERR_NONE)
		p->kept.success = now;
	changed = !p->stale && backoff_note(s, p, why, now);
	next_interval(s, p, news_over(p, p->class <= SCHEDULE_UNCOUNTED, now), now);
	soon(p, now);
	if (changed)
		settle_host(s, p->host);
	schedule_settle(p);
}

void schedule_once_more(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = schedule_one(s, name);

	schedule_clock(s, now);
	if (!p || p->interval)
		return;
	if (p->running) {
		p->again = true;
		return;
	}
	p->once_done = false;
	p->due = now;
	schedule_settle(p);
}

void schedule_all(struct schedule *s, int64_t now)
{
	schedule_clock(s, now);
	for (size_t n = 0; n < s->count; n++) {
		struct planned *p = s->all[n];

		p->again = p->running;
		p->once_done = false;
		p->due = now;
		schedule_settle(p);
	}
}

/* ---- shown */

static void show(const struct planned *p, int64_t now, struct schedule_shown *shown)
{
	int64_t until = held_until(p);
	bool late;

	*shown = (struct schedule_shown){ .name = p->name, .enabled = p->enabled, .running = p->running, .once_done = p->once_done,
		.next = p->next, .backoff_until = until > now ? until : 0, .visited = p->kept.last, .success = p->kept.success,
		.failures = p->kept.failures, .class = p->class, .why = p->why,
		.idle_since = p->idle_since, .alive = p->alive, .lag = schedule_lag(p, now, &late) };
	shown->late = late;
}

bool schedule_find(const struct schedule *s, const char *name, int64_t now, struct schedule_shown *shown)
{
	const struct planned *p = schedule_one(s, name);

	if (p)
		show(p, now, shown);
	return p;
}

bool schedule_each(const struct schedule *s, const char *after, int64_t now, struct schedule_shown *shown)
{
	size_t n = 0;

	while (after && n < s->count && strcmp(s->all[n]->name, after) != 0)
		n++;
	n += after != NULL;
	if (n >= s->count)
		return false;
	show(s->all[n], now, shown);
	return true;
}

/* ---- the whole */

struct schedule *schedule_new(uint64_t seed, const uint8_t key[VISITED_KEY])
{
	struct schedule *s = calloc(1, sizeof *s);

	schedule_must(s);
	memcpy(s->key, key, sizeof s->key);
	s->random = seed;
	return s;
}

void schedule_free(struct schedule **out)
{
	struct schedule *s = *out;

	if (!s)
		return;
	*out = NULL;
	for (size_t n = 0; n < s->count; n++)
		planned_free(s->all[n]);
	s->count = 0;
	hosts_drop(s);
	free(s->all);
	free(s->hosts);
	free(s);
}
