/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs of one owner, who may end before the loop does.
 *
 *     tasks_new(loop, &e) → task_start(t, work, done, user, &e)… → tasks_free(&t)
 * As job_start (jobs.h): `work(user)` on a pool thread, then `done(user)` on the loop's.  tasks_free waits until every
 * `work` has run, and calls no `done` any more: what `user` points to can go then.  So a work must end by itself. */
#pragma once

#include "net/loop.h"

struct tasks;

[[nodiscard]] struct tasks *tasks_new(struct loop *l, struct err *e);
[[nodiscard]] bool task_start(struct tasks *t, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e);
/* As job_start_few; tasks_free takes back those that still wait for a thread. */
[[nodiscard]] bool task_start_few(struct tasks *t, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e);
size_t tasks_waiting(const struct tasks *t);	/* whose `done` is still to come */
void tasks_free(struct tasks **t);
