/* SPDX-License-Identifier: Apache-2.0
 *
 * The job pool: work that may block or take long, off the loop.
 *
 * `work(user)` runs on a pool thread, then `done(user)` on the loop's thread.
 * A job is one allocation of the pool's; `user` is the caller's and must stay
 * until `done`.  Jobs of one loop start in order of their submission and end
 * in any.  The pool has JOBS_THREADS threads for the whole process, made at the
 * first job.  A running job keeps its loop alive.
 *
 * Work that waits for somebody else, who knows how long (a server of Kerberos that does not answer), is for
 * job_start_few: at most JOBS_FEW of a loop's run at a time, the others wait in order, and threads are left for
 * all that waits for nobody but the disk.  job_withdraw takes back one that still waits: true, and neither its work
 * nor its done will come; false: it runs or has run (or there was none), and done comes. */
#pragma once

#include "net/loop.h"

enum { JOBS_THREADS = 8, JOBS_FEW = 4 };

[[nodiscard]] bool job_start(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e);
[[nodiscard]] bool job_start_few(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e);
bool job_withdraw(struct loop *l, const void *user);	/* on the loop's thread */
