/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: what submissions.c (new messages) and submissions_held.c (those that were held before) share.
 *
 * Both are steps on home, with jobs for what waits for the disk; `waiting` counts what is under way. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/tasks.h"
#include "serve/submissions.h"

enum { SUBMISSIONS_LOOK_MS = 5000 };

struct held_try;

struct submissions {
	struct submissions_with with;
	struct deliveries *deliveries;
	struct tasks *tasks;
	struct wake *wake;
	struct timer *timer;		/* held messages that are due */
	struct deliver_target **targets;
	size_t target_count;
	pthread_mutex_t lock;
	struct submission *asked, **last;	/* under the lock */
	struct submission *first;	/* home's own */
	struct held_try *tries;		/* under way */
	size_t try_count;
	atomic_size_t waiting;
	bool running;
	uint64_t walked;		/* the last held message that was looked at; 0: no walk is under way */
	int64_t walk_at;		/* before it none is due */
};

/* NULL: there is none of that name. */
struct deliver_target *submissions_target(const struct submissions *s, const char *name);
int64_t submissions_first_retry(int64_t now);
void submissions_look(void *user);	/* the timer's: starts what is due, writes what could not be written */
bool submissions_keep(void *user, const char *name);
void submissions_end_tries(struct submissions *s);
