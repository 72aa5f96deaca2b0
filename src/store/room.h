/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the store: how its parts (mailboxes, ledgers) use it.
 *
 * A deed is a batch under way with what follows it: `then` runs on the
 * consumer's thread, inside store_next (or store_close), with why NULL when
 * the batch is durable.  The deed is the caller's memory and stays until then.
 * What owes tickets to callers counts them with store_owe and gives them with
 * store_answer, which takes the answers over. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

enum { STORE_BUCKETS = 256 };

struct deed {
	struct deed *next;
	struct store *store;
	void (*then)(void *user, const struct err *why);
	void *user;
	bool refused;
	struct err why;
};

/* What may take minutes, in a thread of its own; store_close asks each to stop before it waits for it. */
struct long_work {
	struct long_work *next, **at;
	void (*stop)(void *user);
	void *user;
};

struct answers {
	struct answers *next;
	size_t count, given;
	bool good;
	struct err why;
	uint64_t tickets[];
};

struct store {
	struct engine *engine;
	char *state;
	char what[64];
	int run_lock;
	struct seal *seal;
	struct vault *vault;
	struct digest *digest;		/* for messages of one piece */
	struct arrivals *arrivals;	/* between the committer's thread and ours */
	struct deed *taken;		/* durable deeds, to be followed up */
	struct answers *answers, **answers_last;
	size_t under_way, owed;
	bool closing;			/* nothing waits for more any longer */
	bool draining;			/* inside store_next */
	struct mailbox *boxes[STORE_BUCKETS];	/* by partition */
	struct ledger *ledgers[STORE_BUCKETS];
	struct reclaiming *reclaiming;	/* reclaim.c: NULL before it was first asked */
	struct quotas *quotas;		/* quota.c */
	struct trust_note *notes;	/* trust.c: the first is under way */
	struct long_work *long_works;
	struct {			/* place.c */
		pthread_mutex_t mutex;
		char *otherwise;	/* the default; NULL = none */
		uint64_t changes;	/* of anything that says where boxes lie; from 1 on */
	} places;
	_Atomic(uint64_t) maildirs[STORE_BUCKETS * 4];	/* mdir.c: what was in memory a moment ago */
	_Atomic(const struct route_field *) route_field;	/* routed.h: what is looked for; NULL: X-Real-To */
	struct route_field *route_fields;	/* all that were */
};

void store_do(struct store *s, struct batch **b, struct deed *deed);
/* The same for a deed that is no batch: it is under way until store_did is called, from any thread.  `why` is copied. */
void store_begin(struct store *s, struct deed *deed);
void store_did(struct deed *deed, const struct err *why);
void long_work_begin(struct store *s, struct long_work *w);	/* its stop and user are set */
void long_work_end(struct long_work *w);
void store_owe(struct store *s, uint64_t ticket);
/* Room for `count` tickets (answers->count starts at 0).  Never NULL. */
struct answers *answers_new(size_t count);
void answers_add(struct answers *a, uint64_t ticket);	/* 0 is nobody's: not added */
void store_answer(struct store *s, struct answers **a, const struct err *why);

/* Zeroed memory for small things of the room's own; ends the process when there is none. */
void *store_memory(size_t size);
/* A view that must be: without it "not there" would be a lie. */
struct view *store_view(struct store *s);
struct batch *store_batch(engine_part part);	/* never NULL */
/* For what our own arithmetic says fits: only memory can be missing, and that ends the process. */
void store_must(bool fitted);
/* What the engine gave back is not what we put in: to go on could deliver twice. */
_Noreturn void store_damaged(const char *where, const char *what);

/* Called by store_close: hand over what waits; then, when all is durable, free. */
void mailbox_flush_all(struct store *s);
void mailbox_free_all(struct store *s);
void ledger_flush_all(struct store *s);
void ledger_free_all(struct store *s);
/* Called by store_open: removes the pieces of messages that never became whole, and ends what a crash broke off. */
void mailbox_reclaim_all(struct store *s);
void reclaiming_free(struct store *s);
void quotas_start(struct store *s);
void quotas_free(struct store *s);
