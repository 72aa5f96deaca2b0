/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop: one thread's event loop with what its connections share.
 *
 * It holds the libuv loop, the resolver (c-ares), the buffers lent to
 * connections for a turn, and the job pool's completions.  Made by the thread
 * that runs it; everything in `net` belongs to one loop and is called on its
 * thread only, but for loop_wake.
 *     loop_new → … → loop_run (returns when nothing is left to do, or after
 *     loop_stop) → loop_free
 * loop_free makes one last turn, in which those that conn_drop ended say closed(), and ends those that are still there without;
 * timers and wakes must be freed by then (asserted), jobs are waited for.
 * The process's SIGPIPE is ignored by loop_new. */
#pragma once

#include "base/err.h"

struct loop;

[[nodiscard]] struct loop *loop_new(struct err *e);
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
void loop_free(struct loop **l);
uint64_t loop_now_ms(const struct loop *l);	/* of this turn, monotonic */

/* A wake: `run(user)` on the loop soon after loop_wake was called from any
 * thread; several calls may be one run.  It does not keep the loop alive. */
struct wake;
[[nodiscard]] struct wake *wake_new(struct loop *l, void (*run)(void *user), void *user, struct err *e);
void wake_send(struct wake *w);	/* any thread */
/* While on, it does keep the loop alive: something is under way that will be told by it. */
void wake_hold(struct wake *w, bool on);
void wake_free(struct wake **w);

/* A timer, one shot or repeating; it keeps the loop alive while set. */
struct timer;
[[nodiscard]] struct timer *timer_new(struct loop *l, void (*run)(void *user), void *user);
void timer_set(struct timer *t, uint64_t after_ms, uint64_t repeat_ms);
/* From now on it does not keep the loop alive. */
void timer_background(struct timer *t);
void timer_stop(struct timer *t);
void timer_free(struct timer **t);

/* SIGINT, SIGTERM and the like, as a call on the loop; NULL `run` ends it. */
[[nodiscard]] bool loop_on_signal(struct loop *l, int number, void (*run)(void *user, int number), void *user, struct err *e);

/* The clock jumped: since the last call, or the beginning, one of these became more than LOOP_JUMP_MS.  All timers and
 * deadlines go by CLOCK_MONOTONIC, which stands still while the machine sleeps: who promised something by the
 * hour looks at the clock again, and what was connected may be gone at its other end, with no word. */
enum { LOOP_JUMP_MS = 2000 };
struct loop_jump {
	int64_t slept_ms;	/* how long the machine was suspended */
	int64_t set_ms;		/* by how much the wall clock was set, back when negative; sleep is no part of it */
};
/* `run(user, jump)` on the loop, soon after the machine woke up or the clock was set.  Nothing is polled, the process is not
 * woken for it, and the loop not kept alive.  One for a loop: the next takes its place, NULL `run` ends it, also from within. */
[[nodiscard]] bool loop_on_jump(struct loop *l, void (*run)(void *user, const struct loop_jump *j), void *user, struct err *e);
