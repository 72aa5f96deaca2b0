/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/alerts.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/alert.h"

enum { TRIES = 8 };		/* others of the same account show alerts, too */

struct ask {
	struct ask *next;
	unsigned index, tries;
	void (*told)(void *user, const char *text);
	void *user;
	uint64_t ticket;
	bool shown;
	struct alert alert;
	char account[];
};

struct row {			/* first in, first out */
	struct ask *first, **last;
};

struct alerts {
	struct wake *wake;
	struct loops *loops;
	struct store *store;
	uint64_t last_ticket;
	pthread_mutex_t lock;
	struct row asked;		/* under the lock */
	struct row under_way;		/* home's own, in the order of their tickets */
	atomic_size_t waiting;
};

static void start_row(struct row *row)
{
	row->first = NULL;
	row->last = &row->first;
}

static void put(struct row *row, struct ask *k)
{
	k->next = NULL;
	*row->last = k;
	row->last = &k->next;
}

static void row_free(struct row *row)
{
	while (row->first) {
		struct ask *k = row->first;

		row->first = k->next;
		free(k);
	}
}

static void tell(struct loop *l, unsigned index, void *user)
{
	struct ask *k = user;

	(void)l;
	(void)index;
	k->told(k->user, k->shown ? k->alert.text : NULL);
	free(k);
}

static void answer(struct alerts *a, struct ask *k, bool shown)
{
	k->shown = shown;
	(void)atomic_fetch_sub(&a->waiting, 1);
	if (!loops_post(a->loops, k->index, tell, k))
		free(k);		/* its loop has ended: nobody waits any more */
}

static void begin(struct alerts *a, struct ask *k)
{
	k->ticket = ++a->last_ticket;
	if (alert_show(a->store, k->account, &k->alert, k->ticket))
		put(&a->under_way, k);
	else
		answer(a, k, false);
}

static void on_wake(void *user)
{
	struct alerts *a = user;
	struct row row;

	start_row(&row);
	(void)pthread_mutex_lock(&a->lock);
	if (a->asked.first)
		row = a->asked;
	start_row(&a->asked);
	(void)pthread_mutex_unlock(&a->lock);
	while (row.first) {
		struct ask *k = row.first;

		row.first = k->next;
		begin(a, k);
	}
}

struct alerts *alerts_new(struct loop *home, struct loops *loops, struct store *store, struct err *e)
{
	struct alerts *a = calloc(1, sizeof *a);

	if (!a) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	a->loops = loops;
	a->store = store;
	a->last_ticket = ALERTS_TICKETS;
	(void)pthread_mutex_init(&a->lock, NULL);
	start_row(&a->asked);
	start_row(&a->under_way);
	a->wake = wake_new(home, on_wake, a, e);
	if (!a->wake)
		alerts_free(&a);
	return a;
}

bool alerts_ask(struct alerts *a, unsigned index, const char *account, void (*told)(void *user, const char *text), void *user)
{
	size_t len = strlen(account) + 1;
	struct ask *k;

	if (!alert_pending(a->store, account))
		return false;
	k = calloc(1, sizeof *k + len);
	if (!k)
		return false;	/* it is told another time */
	k->index = index;
	k->told = told;
	k->user = user;
	memcpy(k->account, account, len);
	(void)atomic_fetch_add(&a->waiting, 1);
	(void)pthread_mutex_lock(&a->lock);
	put(&a->asked, k);
	(void)pthread_mutex_unlock(&a->lock);
	wake_send(a->wake);
	return true;
}

/* Taken out of those that are under way; the one that is looked for is in front, nearly always. */
static struct ask *take(struct alerts *a, uint64_t ticket)
{
	struct ask **at = &a->under_way.first, *k;

	while (*at && (*at)->ticket != ticket)
		at = &(*at)->next;
	k = *at;
	assert(k);
	*at = k->next;
	if (a->under_way.last == &k->next)
		a->under_way.last = at;
	return k;
}

void alerts_answered(struct alerts *a, const struct store_done *done)
{
	struct ask *k = take(a, done->ticket);

	if (done->good) {
		answer(a, k, true);
		return;
	}
	if (done->why.kind == ERR_BUSY && ++k->tries < TRIES) {
		begin(a, k);
		return;
	}
	log_error(NULL, "service=POP an alert for \"%s\" is not shown now: %s", k->account, done->why.text);
	answer(a, k, false);
}

size_t alerts_waiting(struct alerts *a)
{
	return atomic_load(&a->waiting);
}

void alerts_free(struct alerts **alerts)
{
	struct alerts *a = *alerts;

	*alerts = NULL;
	if (!a)
		return;
	if (a->wake)
		wake_free(&a->wake);
	row_free(&a->asked);
	row_free(&a->under_way);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}
