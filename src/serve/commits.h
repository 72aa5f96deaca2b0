/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session leaves behind (deletions, \Seen), on its way to the store's thread and back.
 *
 *     a commit from calloc, filled → commits_ask(c, &commit) on the loop of `index`
 *     → answered(user, good, why) on that loop
 * The store belongs to one thread; sessions run on others.  Each commit is posted to
 * `home`, becomes a batch there, and its answer is posted back to the loop that asked.
 * commits_answered is told each answer of the store that is ours; commits_waiting says how many
 * are still under way.  Freed after the loops were joined; what was not answered then never is,
 * though it may be durable. */
#pragma once

#include "net/loops.h"
#include "store/mailbox.h"

struct commits;

struct commit {
	char box[MAILBOX_NAME_MAX + 1];
	uint64_t *gone, *seen;		/* uids, from malloc; freed with the commit */
	size_t gone_count, seen_count;
	unsigned index;			/* of the loop that asks */
	void (*answered)(void *user, bool good, const struct err *why);
	void *user;
	struct commit *next;		/* and what follows is the room's own */
	uint64_t ticket;
	bool good;
	struct err why;
};

[[nodiscard]] struct commits *commits_new(struct loop *home, struct loops *loops, struct store *store, uint64_t tickets, struct err *e);
void commit_free(struct commit *commit);				/* one that is not asked for */
void commits_ask(struct commits *c, struct commit *commit);	/* takes it over */
void commits_answered(struct commits *c, const struct store_done *done);
size_t commits_waiting(struct commits *c);			/* any thread */
void commits_free(struct commits **c);
