/* SPDX-License-Identifier: Apache-2.0
 *
 * The visits of a running instance: by the names of its configuration, for as long as
 * it lives, whoever asks for them.
 *
 *     visits_new(&with, settings, &v, &e) → visits_start(v, "isp", VISIT_COLLECT, &id, &e) …
 *     visits_show(v, id, &shown) … visits_stop_all(v); when visits_left is 0, or when one's
 *     patience ends visits_drop, and again → visits_end(v), loop_free → visits_free(&v)
 * All calls are for the store's one thread, that of `loop`.  Who drains store_next gives
 * the answers that collector_owns to visits_answered, and calls visits_turn when all are given.
 *
 * A name has one visit at a time (ERR_BUSY); beside it any number of tests (VISIT_TEST), whose steps are kept for
 * visits_step.  A test counts in no sum, may be of a connection that is disabled, and `began` and `ended` are not told of it.  Ids grow, and are not those of another
 * instance's life.  What came of a visit is kept for VISITS_KEPT_MS, of the last VISITS_KEPT.
 *
 * visits_reload takes over what the settings were, for visits under way go on with the
 * connections that they began with; those settings end some time after the last of them, as
 * do the TLS contexts, which are made anew with each reload: files of certificates are
 * read again.  `settings` is borrowed until the next reload, or the end; the struct may be the
 * same one with other contents. */
#pragma once

#include "collect/collect.h"
#include "net/tls_trust.h"

enum { VISITS_KEPT = 8192, VISITS_KEPT_MS = 15 * 60 * 1000 };

struct visits;

enum visits_state { VISITS_WAITING, VISITS_RUNNING, VISITS_ENDED, VISITS_STATES };

struct visits_shown {
	uint64_t id;
	const char *connection;		/* borrowed until the next call or turn of the loop, as is */
	const char *phase;		/* "fetching"; while it waits or runs */
	enum visit_what what;
	enum visits_state state;
	int64_t since;			/* when it was asked for; seconds since 1970 */
	struct visit_result result;	/* so far; with why and ms, when it has ended */
};

struct visits_counts {			/* since visits_new, but for what is now */
	uint64_t waiting_now, running_now;
	uint64_t ended, failed;		/* failed: of those that ended, with an error or a failed message */
	uint64_t messages, octets;	/* collected */
	uint64_t per_second;		/* messages, in the last seconds */
};

struct visits_with {			/* borrowed, and outlive the visits */
	struct loop *loop;
	struct store *store;
	struct tokens *tokens;		/* as collector_with has them, */
	struct deliveries *deliveries;	/* and these */
	struct tls_trust *trust;	/* what people accepted; NULL: nothing */
	/* Both may be NULL.  Whoever asked for it: from within visits_start, and from within visits_turn. */
	void (*began)(void *user, const char *connection, enum visit_what what);
	void (*ended)(void *user, const char *connection, enum visit_what what, const struct visit_result *result);
	void (*news)(void *user, const char *connection);	/* as collector_with has it, */
	void (*slow)(void *user, const char *connection);	/* and this */
	void *user;
};

[[nodiscard]] bool visits_new(const struct visits_with *with, const struct settings *settings, struct visits **v, struct err *e);
/* `old`: the contents of what was given before; taken over. */
void visits_reload(struct visits *v, struct settings *old, const struct settings *settings);
/* The enabled connections in the order of the configuration: the first for NULL, else the one
 * behind `after`; NULL when there is none, or when `after` is not there any more. */
const char *visits_each(const struct visits *v, const char *after);
/* Whether it could be visited at all: ERR_CONFIG names the nearest, when there is no such connection. */
[[nodiscard]] bool visits_may(const struct visits *v, const char *name, enum visit_what what, struct err *e);
/* ERR_BUSY: it is being visited. */
[[nodiscard]] bool visits_start(struct visits *v, const char *name, enum visit_what what, uint64_t *id, struct err *e);
void visits_only(struct visits *v, uint64_t id, const char *mailbox);	/* as collector_only, right behind visits_start */
bool visits_show(struct visits *v, uint64_t id, struct visits_shown *shown);	/* false: not known (any more) */
/* Step number `n`, from 0 on, of a test; NULL: it has not come to that, or is not known.  Lives until the next turn. */
const struct visit_step *visits_step(const struct visits *v, uint64_t id, size_t n);
bool visits_watched(const struct visits *v, const char *name, struct collector_watch *watch);	/* as collector_watched */
void visits_unwatch(struct visits *v, const char *name);
void visits_counts(const struct visits *v, struct visits_counts *counts);
void visits_answered(struct visits *v, const struct store_done *done);
void visits_turn(struct visits *v);
void visits_stop(struct visits *v, uint64_t id);
void visits_stop_all(struct visits *v);
void visits_distrust(struct visits *v);	/* as collector_distrust */
void visits_drop(struct visits *v);	/* as collector_drop */
size_t visits_left(const struct visits *v);
/* How many results nobody has asked for yet. */
size_t visits_unread(const struct visits *v);
/* Two steps, without visits left: one before the loop is freed, one behind it, since what is
 * left of connections then holds on to their contexts. */
void visits_end(struct visits *v);
void visits_free(struct visits **v);
