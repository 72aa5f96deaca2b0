/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop's share of the service: its sessions, what they are lent, what they count.
 *
 * A worker belongs to its loop's thread; only its counts are read by others. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "net/loop.h"
#include "serve/admission.h"
#include "serve/alerts.h"
#include "serve/commits.h"
#include "serve/login.h"
#include "serve/rules.h"
#include "serve/users.h"
#include "serve/submissions.h"

/* A message of up to WORKER_COPY octets is copied, so that its three parts, and others, leave in one
 * write: that costs less than a write more (docs/MEASURED.md). */
enum { WORKER_OUT = 128 * 1024, WORKER_COPY = 48 * 1024, WORKER_HOLD = 2 * WORKER_COPY + 8 };

enum worker_count {
	COUNT_CONNECTIONS, COUNT_REFUSED, COUNT_OPEN, COUNT_LOGGED_IN, COUNT_LOGINS, COUNT_FAILED_LOGINS,
	COUNT_MESSAGES, COUNT_OCTETS, COUNT_TOPS, COUNT_DELETED, COUNT_KINDS
};

struct session;

struct worker {
	struct loop *loop;
	unsigned index;
	struct store *store;
	struct admission *admission;
	struct logins *logins;
	struct alerts *alerts;
	struct users *users;
	struct commits *commits;
	struct submissions *submissions;
	struct timer *sweep;
	struct timer *go_on;
	struct session *resting;	/* they had their turn, and have more to do */
	uint64_t refused_since_ms;	/* connections refused within this second */
	unsigned refused;
	_Atomic uint64_t *ids;		/* the service's */
	struct session *all, *last;	/* in the order of their ids */
	struct session *oldest, *newest;	/* of those that are not logged in */
	struct buf out;			/* lent to whoever has its turn */
	char out_memory[WORKER_OUT];
	struct session *holder;		/* whose message is in: */
	struct buf hold;
	char hold_memory[WORKER_HOLD];
	char scratch[16 * 1024];	/* a decoded response; wiped after use */
	_Atomic uint64_t counts[COUNT_KINDS];
};

static inline void worker_count(struct worker *w, enum worker_count what, int64_t n)
{
	(void)atomic_fetch_add_explicit(&w->counts[what], (uint64_t)n, memory_order_relaxed);
}

[[nodiscard]] struct worker *worker_new(struct loop *l, unsigned index, struct err *e);
/* Ends the sessions: those that are amid something when that is done, the others now. */
void worker_stop(struct worker *w);
void worker_free(struct worker **w);	/* the loop's thread has ended: what sessions are left are freed */

/* Of worker.c, for sessions. */
bool worker_evict(struct worker *w);	/* the oldest of this loop that is not logged in makes room; false: there is none */
void worker_add(struct worker *w, struct session *s);
void worker_known(struct worker *w, struct session *s);		/* it is logged in, or at its end */
void worker_drop(struct worker *w, struct session *s);
bool worker_rest(struct worker *w, struct session *s);		/* it goes on when the others had their turn; false: no memory, let it go on now */
