/* SPDX-License-Identifier: Apache-2.0
 *
 * The job pool: work that may block or take long, off the loop.
 *
 * `work(user)` runs on a pool thread, then `done(user)` on the loop's thread.
 * A job is one allocation of the pool's; `user` is the caller's and must stay
 * until `done`.  Jobs of one loop start in order of their submission and end
 * in any.  The pool has JOBS_THREADS threads for the whole process, made at the
 * first job.  A running job keeps its loop alive. */
#pragma once

#include "net/loop.h"

enum { JOBS_THREADS = 8 };

[[nodiscard]] bool job_start(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e);
