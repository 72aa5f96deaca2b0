/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the schedule: what its files share.  schedule.c: connections, when; schedule_backoff.c: what an error
 * means; schedule_watched.c: of mailboxes that are watched; schedule_lag.c: how late one is.  The sum of a connection's settings is
 * schedule_sum.c's. */
#pragma once

#include "collect/schedule.h"
#include "collect/schedule_hours.h"

struct host {			/* a server: a name, and a port of it */
	char *name;
	uint16_t port;		/* 0: all of that name, which only counts visits */
	struct host *all;	/* that one */
	size_t running;
	size_t slow;		/* of all's: that have no place any more */
	uint32_t failures;	/* in a row */
	int64_t noted;		/* when the last of them was: a visit that began before tells nothing new */
	int64_t until;		/* 0 = no back-off */
};

struct planned {		/* one connection */
	char *name;
	struct host *host;
	bool enabled, running, once_done;
	bool idle;		/* its mailbox is to be watched: what is lost is looked for soon */
	bool again;		/* at once, when the visit under way has ended; */
	bool slow;		/* it has given its place away */
	bool answered;		/* its server has said something */
	bool news, by_news;	/* a visit is wanted for news; the one under way is for that */
	bool found;		/* it has collected something */
	bool stale;		/* which has other settings, so its outcome says nothing */
	int64_t interval, host_delay, account_delay;	/* seconds */
	struct hours hours;
	uint32_t chance;	/* its own: how late it is at an opening */
	int64_t due;		/* before windows and back-offs; SCHEDULE_NEVER */
	int64_t next;		/* with them */
	int64_t began;		/* the visit under way, or the last one */
	int64_t known;		/* since when it is */
	uint32_t empty;		/* looks in a row that news wanted and that found nothing; */
	int64_t looked;		/* the last of them, or the last that found something, ended then */
	int64_t idle_since, alive;	/* 0 = it does not idle */
	struct visited kept;
	enum schedule_class class;
	struct err why;
};

struct schedule {
	uint8_t key[VISITED_KEY];
	uint64_t random;
	uint32_t max_per_host;
	int64_t last;		/* the clock, when it was last told */
	struct planned **all;	/* in the order of the configuration */
	size_t count;
	struct host **hosts;
	size_t host_count;
};

/* schedule_watched.c: a visit has ended; when the one for news is due that came meanwhile, SCHEDULE_NEVER for none. */
int64_t news_over(struct planned *p, bool good, int64_t now);
/* From 0 to `below` - 1. */
uint64_t schedule_chance(struct schedule *s, uint64_t below);
void schedule_must(const void *there);	/* memory */
struct host *host_of(struct schedule *s, const char *name, uint16_t port);	/* NULL for NULL */
void hosts_drop(struct schedule *s);	/* those that no connection has any more */
void host_running(struct planned *p, bool running);
void host_slow(struct planned *p);	/* it runs, and gives its place away */
bool hosts_room(const struct schedule *s, const struct host *h);
void schedule_clock(struct schedule *s, int64_t now);	/* first of all: it may have been put back */
struct planned *schedule_one(const struct schedule *s, const char *name);	/* NULL: there is none */
void schedule_settle(struct planned *p);	/* something of it changed: when is it due? */
/* A visit's outcome into the back-offs of its connection and its host.  True: the host's has changed. */
bool backoff_note(struct schedule *s, struct planned *p, const struct err *why, int64_t now);
/* How late it is, in seconds; *late as in struct schedule_shown. */
int64_t schedule_lag(const struct planned *p, int64_t now, bool *late);
/* What stands in the section of a connection, secrets too. */
void schedule_sum(const struct connection *c, const uint8_t key[VISITED_KEY], uint8_t sum[VISITED_SUM]);
