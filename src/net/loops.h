/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of loops: N threads, a loop on each.
 *
 *     p = loops_new(n, &e); … loops_call, loops_post … loops_drain(p) or loops_stop(p);
 *     loops_join(p); … loops_free(&p)
 * What belongs to a loop is made, used and ended on its thread: loops_call and
 * loops_post bring work there.  Between loops_join and loops_free no thread runs
 * any more, and the caller may end on its own thread what is left on the loops.
 * The threads block all signals; they are the main thread's.
 *
 * loops_drain: each loop ends when nothing of its own is left (listeners,
 * connections, timers, jobs); work can still be posted to those that go on.
 * loops_stop: each ends after what it is at.  Stopping follows draining when
 * that takes too long.  All but the last three are for any thread. */
#pragma once

#include "net/loop.h"

struct loops;

typedef void loops_work(struct loop *l, unsigned index, void *user);

[[nodiscard]] struct loops *loops_new(unsigned count, struct err *e);
unsigned loops_count(const struct loops *p);
/* work(loop, i, user) soon on loop `i`, in the order of posting; false: the loop has
 * ended, or there is no memory. */
[[nodiscard]] bool loops_post(struct loops *p, unsigned i, loops_work *work, void *user);
/* The same, and waits until it is done.  Not from a loop's own thread (asserted).
 * On a loop that has ended it runs on the caller's thread. */
void loops_call(struct loops *p, unsigned i, loops_work *work, void *user);
void loops_drain(struct loops *p);
void loops_stop(struct loops *p);
void loops_join(struct loops *p);	/* after one of these, or it waits for ever */
void loops_free(struct loops **p);	/* joined (asserted); connections that are left end without a closed() */
