/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedule: which connection is to be visited when (PRODUCT 2.1: interval, active, delay_failed_host,
 * delay_failed_account; max_per_host).  Computation over settings and outcomes: it reads no clock, sleeps never,
 * starts nothing; the same calls with the same seed give the same moments.
 *
 *     schedule_new(seed, key) → schedule_reload(s, settings, now); schedule_recall for what the store kept
 *     while ((name = schedule_due(s, now))) start it: schedule_began(s, name, now) …
 *     when a visit has ended: schedule_ended(s, name, &why, now), then schedule_kept is to be stored
 *     look again at schedule_next(s), or after SCHEDULE_LOOK_S, since a clock can be set
 * A visit that somebody else began is told by schedule_began all the same: it sets the connection's own clock anew,
 * whatever its windows and its back-off, and counts in max_per_host.
 * Moments are seconds since 1970 UTC.  A clock that goes back takes all moments to come with it.
 *
 * When: `interval` after a visit's end, give or take a twentieth, by chance; interval 0 is one visit, however it
 * ends, and schedule_once_more.  Outside of the windows of `active` it waits for the next opening, and a little, by chance, so that not all
 * begin at once.  What is new begins now, SCHEDULE_FIRST_PER_S of them a second.
 *
 * What failed (schedule_class) waits longer, where it does anyhow not:
 *   uncounted  busy, in use, throttled; stopped, our own disk.  What a server asked for is waited for: a time that it
 *              named, else delay_failed_host, doubling.  What is only in use is tried again after `interval`.
 *   counted    no connection, no greeting: the connections to that host's port all wait, delay_failed_host, doubling to
 *              SCHEDULE_HOST_MAX_S; then one of them goes first, and any answer of the host frees the others.
 *              A server that broke its protocol, or said why it ends: that connection alone, delay_failed_host doubling to delay_failed_account.
 *   fatal      credentials, configuration, certificates: delay_failed_account, doubling to SCHEDULE_ACCOUNT_MAX_S.
 * A connection with `idle` comes again as soon as its host's back-off is over, and that begins with SCHEDULE_AGAIN_S; where there is none, after that.
 * A delay of 0 is none.  A visit without an error ends it; a reload with other settings of the connection, too.
 *
 * How late a connection is (lag): since when we should have had a complete look at its server, and had none.  A look is a visit without an
 * error, when it ended; the next one is expected `interval` and a twentieth later, or when a window opens then.  While it idles, any sign of life is a look,
 * and the next one is expected SCHEDULE_IDLE_S later.  Of what was never visited, the time begins when we came to know it.
 * None is expected of what is disabled, or to be visited once and was.
 *
 * schedule_reload keeps of each connection what it knows (next moment, back-off, results) as long as nothing in
 * its section changed, adds those that are new, drops others.  Settings are copied: nothing of them is borrowed. */
#pragma once

#include "base/err.h"
#include "config/settings.h"
#include "store/visited.h"

#define SCHEDULE_NEVER INT64_MAX

enum {
	SCHEDULE_LOOK_S = 60,
	SCHEDULE_FIRST_PER_S = 20,
	SCHEDULE_HOST_MAX_S = 3600,
	SCHEDULE_ACCOUNT_MAX_S = 24 * 3600,
	SCHEDULE_WATCHED_S = 9 * 60,
	SCHEDULE_AGAIN_S = 5,
	SCHEDULE_NEWS_MAX_S = 60,
	SCHEDULE_IDLE_S = 10 * 60,	/* a server that we idle at gives a sign of life so often, being asked */
	SCHEDULE_LATE_S = 5 * 60,
};

struct schedule;

enum schedule_class { SCHEDULE_GOOD, SCHEDULE_UNCOUNTED, SCHEDULE_COUNTED, SCHEDULE_FATAL, SCHEDULE_CLASSES };

struct schedule_shown {
	const char *name;		/* borrowed until the next reload */
	bool enabled, running, once_done;
	int64_t next;			/* SCHEDULE_NEVER: disabled, interval 0 and done, or while it runs */
	int64_t backoff_until;		/* the connection's or the host's; 0 = none, or past */
	int64_t visited, success;	/* 0 = never */
	uint32_t failures;
	enum schedule_class class;	/* of the last visit; SCHEDULE_GOOD too when there was none */
	int64_t idle_since, alive;	/* as schedule_idle said; 0 = it does not idle */
	int64_t lag;			/* seconds: schedule_lag */
	bool late;			/* so much that somebody should look: more than its interval and SCHEDULE_LATE_S, and no long visit is the reason */
	struct err why;			/* of the last visit since the process began; kind ERR_NONE */
};

/* Visits at once to one host, the slow ones counted in; who says one means one. */
static inline size_t schedule_places(uint32_t max_per_host)
{
	return max_per_host > 1 ? (size_t)max_per_host * 2 : max_per_host;
}

enum schedule_class schedule_class(const struct err *why);
const char *schedule_class_name(enum schedule_class class);	/* "none", "uncounted", "counted", "fatal" */
/* `key`: visited_key's, for the sums of settings. */
struct schedule *schedule_new(uint64_t seed, const uint8_t key[VISITED_KEY]);
void schedule_free(struct schedule **s);
void schedule_reload(struct schedule *s, const struct settings *settings, int64_t now);
/* Back-off and failures count only if the connection's settings are what they were then. */
void schedule_recall(struct schedule *s, const char *name, const struct visited *kept, int64_t now);
bool schedule_kept(const struct schedule *s, const char *name, struct visited *kept);	/* false: there is none of that name */
/* One that is to be visited now, who waits longest first; NULL.  It must be begun, or ended, before the next call. */
const char *schedule_due(struct schedule *s, int64_t now);
/* When to look next: not before the past ones were looked at; SCHEDULE_NEVER. */
int64_t schedule_next(const struct schedule *s, int64_t now);
void schedule_began(struct schedule *s, const char *name, int64_t now);
/* Its visit is slow: it counts in max_per_host no more, but of those there may be only as many again. */
void schedule_slow(struct schedule *s, const char *name);
/* Its server has said something in the visit under way: should it fail, that says nothing of other connections. */
void schedule_answered(struct schedule *s, const char *name);
/* The visit under way has collected something. */
void schedule_found(struct schedule *s, const char *name);
/* Kind ERR_NONE is a visit that came to its end.  Names that are not there (any more) are passed over. */
void schedule_ended(struct schedule *s, const char *name, const struct err *why, int64_t now);
/* A visit is wanted beyond the one of interval 0: it is due now, as windows and back-off allow.  Others come again by themselves. */
void schedule_once_more(struct schedule *s, const char *name, int64_t now);
/* It was due and could not begin for now: it is due soon, and nothing else has changed. */
void schedule_later(struct schedule *s, const char *name, int64_t now);
/* Its mailbox is watched (IDLE): it is looked into all the same after SCHEDULE_WATCHED_S, or before, if `interval` says so. */
void schedule_watched(struct schedule *s, const char *name, int64_t now);
/* Something came, or what watched is gone: it is due now, as windows and back-off allow; if it runs, when that has ended.
 * Looks in a row that were for news and found nothing come a second apart, then doubling to SCHEDULE_NEWS_MAX_S; one that
 * found something ends that, and so long a silence. */
void schedule_news(struct schedule *s, const char *name, int64_t now);
/* It is enabled, and a window of it is open. */
bool schedule_open(const struct schedule *s, const char *name, int64_t now);
/* People trust other certificates now: those whose last visit ended because of one are due, whatever their back-off. */
void schedule_trusted(struct schedule *s, int64_t now);
/* All that no back-off holds are due now; those that run, again when they have ended. */
void schedule_all(struct schedule *s, int64_t now);
/* It idles since then, and the server's last sign of life was at `alive` (with several mailboxes, the one that is quiet for longest);
 * since 0: no more. */
void schedule_idle(struct schedule *s, const char *name, int64_t since, int64_t alive);
bool schedule_find(const struct schedule *s, const char *name, int64_t now, struct schedule_shown *shown);
/* The connections in the order of the configuration; the first for NULL.  False: no more, or `after` is not there. */
bool schedule_each(const struct schedule *s, const char *after, int64_t now, struct schedule_shown *shown);
