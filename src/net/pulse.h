/* SPDX-License-Identifier: Apache-2.0
 *
 * A pulse: proof that all loops of a pool still turn.
 *
 *     u = pulse_new(pool, &e); … now and then, on one thread outside of the pool:
 *     if (pulse_beat(u)) …they all turn…; … loops_join; pulse_free(&u)
 * A beat posts a piece of work to each loop and says whether all have done that of the
 * last one; the first beat has nothing to say yes to.  While one has not, no other is
 * posted, and every beat says no: a loop that is held up is late, one that never
 * comes back is never right again.
 * A loop that has ended (it drained) has nothing more to prove.  What is not proved:
 * that jobs come to their end, or the store's committer (store.h: it ends the
 * process when the disk fails). */
#pragma once

#include "net/loops.h"

struct pulse;

[[nodiscard]] struct pulse *pulse_new(struct loops *p, struct err *e);
bool pulse_beat(struct pulse *u);
/* A loop that the last beat still waits for, for the log; the pool's count: none. */
unsigned pulse_missing(const struct pulse *u);
void pulse_free(struct pulse **u);	/* the loops are joined: none of its work may be on its way */
