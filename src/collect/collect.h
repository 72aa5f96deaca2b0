/* SPDX-License-Identifier: Apache-2.0
 *
 * Collecting: visits to many connections at once, on one loop (PRODUCT 2.3).
 *
 *     collector_new(&with, &c, &e)
 *     collector_add(c, connection, what) for each; loop_run(loop)
 *     collector_free(&c)
 * Visits start as soon as the loop runs, at most `max_per_host` at once to one
 * host; the others wait their turn, oldest first.  `ended` is called once for
 * each visit, on the loop's thread and from within no call but collector_turn;
 * the visit is over then: collector_left counts it no more, and nothing looks at its
 * connection again.  Nothing of a collector keeps the loop alive after the last.
 *
 * A collector may live long: visits are added whenever it suits, from within `ended`
 * too.  An id is never used twice.  Where others have answers of the store, too, `shared` says
 * that somebody else drains store_next: then
 *     while (store_next(store, &done)) if (collector_owns(done.ticket)) collector_answered(c, &done) …
 *     collector_turn(c)	when all are handed on: visits move, and those that wait for room look
 * collector_change is for visits added from then on; those under way keep the contexts that
 * they began with, which end after them.
 *
 * What a visit does: take the connection's lock, get the password, bring the
 * ledger up to date after a crash (marks, placings), connect, log in, list,
 * select, fetch in a window, deliver to each target in turn, record, dispose,
 * leave.  A message is disposed of only after every target has it durably and
 * the ledger says so durably.  collector_stop asks every visit to end soon:
 * what is complete is still delivered, nothing more is fetched; what was marked
 * for deletion is deleted only if QUIT was already sent.  Who has no patience for the
 * answer to that QUIT follows with collector_drop: no connection lasts longer than
 * COLLECTOR_DROP_MS then, and what was not answered stays `disposing` in the ledger.
 *
 * A VISIT_TEST touches no message and nothing on disk: no lock, no ledger, no
 * target; IMAP mailboxes are opened by EXAMINE, no folder is made.  It tells each
 * step by `step`, and what failed as the last one, but for a mailbox that cannot
 * be opened: the others have their turn.  It is tried once (max_retries does not
 * count), it says nothing of a failure to the log, and `store` may be NULL when a
 * collector does nothing else.
 *
 * Ownership: everything in `with` is borrowed and outlives the collector.
 * Errors of one connection are in its result and touch no other. */
#pragma once

#include "base/err.h"
#include "collect/tokens.h"
#include "config/settings.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/tls.h"
#include "store/store.h"

enum { COLLECTOR_DROP_MS = 6000 };

struct collector;
struct visited_login;

enum visit_what {
	VISIT_COLLECT,
	VISIT_BASELINE,		/* list, and record everything new as skipped */
	VISIT_TEST,		/* log in, open the mailboxes, leave: see below */
	VISIT_RETRY,		/* try held messages that are due again; the server is not asked */
};

struct visit_result {
	uint64_t collected;	/* accepted by every target in this visit */
	uint64_t skipped;	/* passed over by the selection, or recorded by baseline */
	uint64_t held;		/* deferred by a target and held */
	uint64_t failed;	/* refused by the server, or not accepted by a target */
	uint64_t octets;	/* of what was collected */
	uint64_t owed;		/* held messages that every target has now, and whose end at the server is the next visit's */
	uint64_t planned, planned_octets;	/* messages that were to be fetched; planned_octets 0 = not known */
	uint64_t ms;
	bool answered;		/* the server has said something */
	struct err why;		/* kind ERR_NONE: the visit itself came to its end */
};

struct collect_progress {	/* over all visits */
	uint64_t planned, collected;		/* messages */
	uint64_t planned_octets, octets;	/* planned_octets 0 = not known */
	uint32_t visits, ended;
};

struct collector_visit {		/* one that is under way */
	bool waiting;			/* for its turn at the host */
	const char *phase;		/* "fetching"; for people */
	struct visit_result so_far;	/* why: nothing yet */
};

struct collector_watch {		/* a mailbox that is watched between visits */
	int64_t since;			/* seconds since 1970 */
	int64_t heard;			/* when the server said something, the last time */
};

enum visit_step_what {
	STEP_SETTINGS,		/* told only when they cannot work */
	STEP_PASSWORD,		/* the same when there is none to be had */
	STEP_CONNECT,		/* name and socket */
	STEP_TLS,		/* told too when the line stays in clear */
	STEP_GREETING,
	STEP_CAPABILITIES,
	STEP_LOGIN,
	STEP_MAILBOX,		/* IMAP: of each mailbox, and of the folder that mail is moved to */
	STEP_LOGOUT,
	STEPS
};

struct visit_mech {		/* of the login step: a mechanism that was considered, and what became of it */
	const char *name, *reason;	/* "PLAIN", "clear_line": for programs; live for ever */
	const char *text;		/* "the line is in clear …"; lives during the call */
};

struct visit_step {
	enum visit_step_what what;
	bool good;
	enum err_kind kind;	/* of what failed */
	const char *text;	/* what was found, or what failed and what to do; lives during the call */
	uint64_t ms;		/* since the step before */
	const struct visit_mech *mechs;	/* STEP_LOGIN, in the order in which they were looked at; live during the call */
	size_t mech_count;
};

struct collector_with {
	struct loop *loop;
	struct store *store;
	struct store *vault;	/* where passwords vault:NAME are; NULL: in `store` */
	struct tls_contexts *contexts;
	struct tokens *tokens;		/* of connections with oauth; NULL: those cannot be visited */
	struct deliveries *deliveries;	/* for targets of type smtp, lmtp and command; NULL: those cannot be used */
	uint32_t max_per_host;	/* 0 = no limit */
	bool shared;		/* store_next is drained by somebody else */
	void (*ended)(void *user, uint64_t id, const struct connection *connection, const struct visit_result *result);
	/* Connections with `idle` are watched between visits, where the server can (IMAP IDLE); this is called when a
	 * visit is wanted, once until there was one; it may not begin within this call.  NULL: nothing is watched. */
	void (*news)(void *user, const char *connection);
	void (*slow)(void *user, const struct connection *connection);	/* a visit, and no test, counts in max_per_host no more; may be NULL */
	void (*step)(void *user, uint64_t id, const struct connection *connection, const struct visit_step *step);	/* may be NULL */
	/* What a server offered whose certificate is not trusted; NULL: it is kept in `store`. */
	void (*offered)(void *user, const char *host, uint16_t port, const struct conn_offered *offered);
	/* Of tests without a store: what was known of the connection's logins (login_recall) while somebody had it; NULL: nothing. */
	bool (*recalled)(void *user, const struct connection *connection, struct visited_login *login);
	void *user;
};

/* How this connection logged in, with these settings, as `store` has it; false: it has nothing.  Changes nothing. */
bool login_recall(struct store *store, const struct connection *connection, struct visited_login *login);

[[nodiscard]] bool collector_new(const struct collector_with *with, struct collector **c, struct err *e);
/* Returns the visit's id: never 0, and they grow. */
uint64_t collector_add(struct collector *c, const struct connection *connection, enum visit_what what);
/* A VISIT_BASELINE that was added just now is of this mailbox alone (IMAP; as people write it), which the connection's `mailbox` must
 * name, by itself or by a pattern. */
void collector_only(struct collector *c, uint64_t id, const char *mailbox);
const char *visit_step_name(enum visit_step_what what);	/* "connect" */
void collector_change(struct collector *c, struct tls_contexts *contexts, uint32_t max_per_host);
static inline bool collector_owns(uint64_t ticket)
{
	return ticket >> 56 == 0;
}
/* A connection that was told of in `ended` is watched from then on; false: it is not. */
bool collector_watched(const struct collector *c, const char *connection, struct collector_watch *watch);
void collector_unwatch(struct collector *c, const char *connection);	/* NULL: all; nothing is told of it */
/* Those of connections that are others now, or are not there, are watched no more; `settings` is borrowed until the next call. */
void collector_watch_only(struct collector *c, const struct settings *settings);
void collector_answered(struct collector *c, const struct store_done *done);
void collector_turn(struct collector *c);
/* False: it is not under way (any more). */
bool collector_show(const struct collector *c, uint64_t id, struct collector_visit *visit);
void collector_stop_one(struct collector *c, uint64_t id);
void collector_stop(struct collector *c);
void collector_drop(struct collector *c);
/* What people trust has changed: visits under way to servers that count no more end (ERR_TLS). */
void collector_distrust(struct collector *c);
size_t collector_left(const struct collector *c);
void collector_progress(const struct collector *c, struct collect_progress *p);
void collector_free(struct collector **c);
