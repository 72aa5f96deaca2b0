/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/commits.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

struct row {			/* first in, first out */
	struct commit *first, **last;
};

struct commits {
	struct wake *wake;
	struct loops *loops;
	struct store *store;
	uint64_t tickets;
	pthread_mutex_t lock;
	struct row asked;		/* under the lock */
	struct row under_way;		/* home's own, in the order of their tickets */
	atomic_size_t waiting;
};

static void put(struct row *row, struct commit *m)
{
	m->next = NULL;
	*row->last = m;
	row->last = &m->next;
}

static void start_row(struct row *row)
{
	*row = (struct row){ NULL, NULL };
	row->last = &row->first;
}

void commit_free(struct commit *m)
{
	free(m->gone);
	free(m->seen);
	free(m);
}

static void row_free(struct row *row)
{
	while (row->first) {
		struct commit *m = row->first;

		row->first = m->next;
		commit_free(m);
	}
}

static void tell(struct loop *l, unsigned index, void *user)
{
	struct commit *m = user;

	(void)l;
	(void)index;
	m->answered(m->user, m->good, &m->why);
	commit_free(m);
}

static void answer(struct commits *c, struct commit *m, bool good, const struct err *why)
{
	m->good = good;
	if (!good)
		m->why = *why;
	(void)atomic_fetch_sub(&c->waiting, 1);
	if (!loops_post(c->loops, m->index, tell, m))
		commit_free(m);		/* its loop has ended: nobody waits any more */
}

static void begin(struct commits *c, struct commit *m)
{
	struct mailbox *box;
	struct err e;

	if (!mailbox_open(c->store, m->box, false, &box, &e)) {
		answer(c, m, false, &e);
		return;
	}
	m->ticket = c->tickets++;
	put(&c->under_way, m);
	mailbox_remove(box, m->gone, m->gone_count, m->seen, m->seen_count, clock_now_s(), m->ticket);
}

static void on_wake(void *user)
{
	struct commits *c = user;
	struct row row;

	(void)pthread_mutex_lock(&c->lock);
	row = c->asked;
	start_row(&c->asked);
	(void)pthread_mutex_unlock(&c->lock);
	while (row.first) {
		struct commit *m = row.first;

		row.first = m->next;
		begin(c, m);
	}
}

struct commits *commits_new(struct loop *home, struct loops *loops, struct store *store, uint64_t tickets, struct err *e)
{
	struct commits *c = calloc(1, sizeof *c);

	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->loops = loops;
	c->store = store;
	c->tickets = tickets;
	(void)pthread_mutex_init(&c->lock, NULL);
	start_row(&c->asked);
	start_row(&c->under_way);
	c->wake = wake_new(home, on_wake, c, e);
	if (!c->wake)
		commits_free(&c);
	return c;
}

void commits_ask(struct commits *c, struct commit *m)
{
	(void)atomic_fetch_add(&c->waiting, 1);
	(void)pthread_mutex_lock(&c->lock);
	put(&c->asked, m);
	(void)pthread_mutex_unlock(&c->lock);
	wake_send(c->wake);
}

/* The store answers nearly in the order it was asked in: the one that is looked for is in front. */
void commits_answered(struct commits *c, const struct store_done *done)
{
	struct commit **at = &c->under_way.first, *m;

	while (*at && (*at)->ticket != done->ticket)
		at = &(*at)->next;
	m = *at;
	assert(m);
	*at = m->next;
	if (c->under_way.last == &m->next)
		c->under_way.last = at;
	answer(c, m, done->good, &done->why);
}

size_t commits_waiting(struct commits *c)
{
	return atomic_load(&c->waiting);
}

void commits_free(struct commits **commits)
{
	struct commits *c = *commits;

	*commits = NULL;
	if (!c)
		return;
	if (c->wake)
		wake_free(&c->wake);
	row_free(&c->asked);
	row_free(&c->under_way);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
