/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/worker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"

/* A timer that is due at once would run before the loop looks at its sockets. */
enum { SWEEP_MS = 1000, REST_MS = 1 };

static void on_sweep(void *user)
{
	struct worker *w = user;
	uint64_t now = clock_mono_ms();

	for (struct session *s = w->all, *next; s; s = next) {
		next = s->after;
		session_sweep(s, now);
	}
}

struct worker *worker_new(struct loop *l, unsigned index, struct err *e)
{
	struct worker *w = calloc(1, sizeof *w);

	if (!w) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	w->loop = l;
	w->index = index;
	buf_lend(&w->hold, w->hold_memory, sizeof w->hold_memory);
	buf_lend(&w->out, w->out_memory, sizeof w->out_memory);
	return w;
}

/* ---- turns */

static void unrest(struct worker *w, struct session *s)
{
	struct session **at = &w->resting;

	while (*at && *at != s)
		at = &(*at)->next_resting;
	if (*at)
		*at = s->next_resting;
	s->resting = false;
}

static void on_go_on(void *user)
{
	struct worker *w = user;
	struct session *all = w->resting, *s;

	w->resting = NULL;
	while ((s = all)) {
		all = s->next_resting;
		s->resting = false;
		session_pump(s, (struct span){ 0 });	/* frees none */
	}
}

bool worker_rest(struct worker *w, struct session *s)
{
	if (!w->go_on)
		w->go_on = timer_new(w->loop, on_go_on, w);
	if (!w->go_on)
		return false;
	if (s->resting)		/* it had a turn meanwhile: the socket took what it was full of */
		return true;
	if (!w->resting)	/* not for each: who comes again and again would keep the others waiting */
		timer_set(w->go_on, REST_MS, 0);
	s->resting = true;
	s->next_resting = w->resting;
	w->resting = s;
	return true;
}

/* ---- the lists */

void worker_add(struct worker *w, struct session *s)
{
	s->id = atomic_fetch_add(w->ids, 1) + 1;
	s->before = w->last;
	if (w->last)
		w->last->after = s;
	else
		w->all = s;
	w->last = s;
	s->older = w->newest;
	if (w->newest)
		w->newest->newer = s;
	else
		w->oldest = s;
	w->newest = s;
	s->waits_login = true;
	worker_count(w, COUNT_OPEN, 1);
	if (!w->sweep)
		w->sweep = timer_new(w->loop, on_sweep, w);
	if (w->sweep && w->all == s)
		timer_set(w->sweep, SWEEP_MS, SWEEP_MS);
}

void worker_known(struct worker *w, struct session *s)
{
	if (!s->waits_login)
		return;
	s->waits_login = false;
	if (s->older)
		s->older->newer = s->newer;
	else
		w->oldest = s->newer;
	if (s->newer)
		s->newer->older = s->older;
	else
		w->newest = s->older;
}

void worker_drop(struct worker *w, struct session *s)
{
	worker_known(w, s);
	if (w->holder == s)
		w->holder = NULL;
	if (s->before)
		s->before->after = s->after;
	else
		w->all = s->after;
	if (s->after)
		s->after->before = s->before;
	else
		w->last = s->before;
	worker_count(w, COUNT_OPEN, -1);
	unrest(w, s);
	if (!w->all && w->sweep)
		timer_free(&w->sweep);	/* so that it does not keep the loop */
	if (!w->all && w->go_on)
		timer_free(&w->go_on);
}

bool worker_evict(struct worker *w)
{
	struct session *s = w->oldest;

	if (!s)
		return false;
	worker_known(w, s);
	session_evict(s);
	return true;
}

/* ---- the end */

void worker_stop(struct worker *w)
{
	for (struct session *s = w->all, *next; s; s = next) {
		next = s->after;
		session_stop(s);
	}
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	*worker = NULL;
	if (!w)
		return;
	while (w->all)
		session_free(w->all);
	free(w);
}
