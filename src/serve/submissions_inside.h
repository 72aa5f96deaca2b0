/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: what submissions.c (new messages), submissions_held.c (those that were held before) and
 * submissions_slow.c (targets that take their time) share.
 *
 * Both are steps on home, with jobs for what waits for the disk; `waiting` counts what is under way. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/tasks.h"
#include "serve/submissions.h"

enum { SUBMISSIONS_LOOK_MS = 5000, SUBMISSIONS_PATIENCE_MS = 30 * 1000, SUBMISSIONS_QUEUE = 64, SUBMISSIONS_HUNG = 2 };

struct held_try;

struct submissions {
	struct submissions_with with;
	struct deliveries *deliveries;
	struct tasks *tasks;
	struct wake *wake;
	struct timer *timer;		/* held messages that are due */
	struct deliver_target **targets;
	uint8_t *hung;			/* of each: how many attempts did, one after the other; no more are counted than matter */
	size_t target_count;
	pthread_mutex_t lock;
	struct submission *asked, **last;	/* under the lock */
	struct submission *first;	/* home's own */
	struct held_try *tries;		/* under way */
	size_t try_count;
	atomic_size_t waiting;
	struct timer *patience;
	uint64_t patience_ms;
	bool ticking;
	size_t adopting;		/* messages that run and are about to be held: no held one begins meanwhile, it could be one of them */
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
/* How a held message fared that was under way when it came to be held. */
void submissions_settle(struct submissions *s, uint64_t id, enum deliver_said said, const char *why);

/* Of submissions.c: */
void submission_drop(struct submission *m);		/* off the list; it is still there */
void submission_hold_work(void *user);			/* a job: m->said and `added`, or m->why has the reason more */
void submission_fared(struct submission *m, enum deliver_said said, const char *why);
void submission_why(char out[DELIVER_WHY_MAX + 1], const char *why);

/* Of submissions_slow.c: */
bool submissions_no_wait(struct submission *m);		/* true: it is to be held at once, m->why says why */
void submissions_wait_for(struct submission *m);	/* its delivery begins: from now on its client is not kept for too long */
void submissions_seen(struct submissions *s, const struct deliver_target *t, const struct deliver_result *r);
bool submissions_late(struct submission *m, const struct deliver_result *r);	/* true: its client has been answered, or is about to be */
void submissions_patience(void *user);			/* the timer's */
