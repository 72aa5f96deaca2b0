/* SPDX-License-Identifier: Apache-2.0
 *
 * The store: mail at rest, opened by one process.
 *
 * store_open takes `state`/run.lock (exclusive; who holds it is written in it)
 * and opens the engine in `state`/store.  A second process gets ERR_BUSY:
 * "state /var/lib/postrider is in use by process 123 (postrider collect), since 2026-…".
 * `what` is the command's name for that line.
 *
 * Answers: whatever is durable behind our back (mailbox appends, ledger puts)
 * carries a ticket of the caller's and comes back from store_next, in the
 * order it became durable.  `wake` is called from the committer's thread when
 * there is something to fetch; the caller then drains store_next on its own
 * thread (one consumer).  store_wait blocks until there is an answer or
 * nothing is under way (for commands without a loop).
 * Everything else in the store is for that same one thread. */
#pragma once

#include "base/err.h"
#include "store/engine.h"

struct store;

struct store_done {
	uint64_t ticket;
	bool good;
	struct err why;		/* when not good */
};

[[nodiscard]] bool store_open(const char *state, uint64_t map_size, const char *what, struct store **s, struct err *e);
/* The store as it lies there, to be read for a moment: nothing in `state` changes, not even a time, and nothing is made.
 * Beside others who look; ERR_BUSY where anybody has it.  Nothing may be written to it, no mailbox or ledger opened. */
[[nodiscard]] bool store_look(const char *state, struct store **s, struct err *e);
void store_close(struct store **s);
void store_on_wake(struct store *s, void (*wake)(void *user), void *user);
bool store_next(struct store *s, struct store_done *d);
bool store_wait(struct store *s);	/* false: nothing under way */
size_t store_waiting(const struct store *s);	/* answers still to come */
/* Gives the space of one slice of removed messages back, of those that were removed RECLAIM_AFTER_S
 * before `now` (seconds since 1970) at the earliest, so that who still reads one keeps it.  False: nothing
 * is due, ask again in a minute; true: more may be, ask again when other things have had their turn. */
enum { RECLAIM_AFTER_S = 15 * 60 };
bool store_reclaim(struct store *s, int64_t now);
struct engine *store_engine(struct store *s);
const char *store_state(const struct store *s);	/* the state directory */

/* The lock of one connection, `state`/lock/NAME (also between processes that
 * hold the store by other ways).  ERR_BUSY names the holder and since when. */
struct store_lock;
[[nodiscard]] bool store_lock_take(struct store *s, const char *connection, struct store_lock **lock, struct err *e);
void store_lock_drop(struct store_lock **lock);
