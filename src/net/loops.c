/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loops.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "net/inside.h"

struct work {
	struct work *next;
	loops_work *run;
	void *user;
	bool lent;			/* its memory is a waiting caller's */
};

struct lane {				/* one thread with its loop */
	struct loop *loop;
	unsigned index;
	pthread_t thread;
	bool running;			/* the thread is to be joined */
	uv_async_t async;		/* keeps the loop alive until it is to drain */
	pthread_mutex_t lock;
	struct work *first, **last;
	bool over;			/* nothing is run here any more */
	atomic_bool drains, stops;
};

struct loops {
	unsigned count;
	struct lane lanes[];
};

/* NULL: nothing waits.  `end`: and nothing will, from now on. */
static struct work *next_work(struct lane *n, bool end)
{
	struct work *w;

	(void)pthread_mutex_lock(&n->lock);
	w = n->first;
	if (w) {
		n->first = w->next;
		if (!n->first)
			n->last = &n->first;
	} else if (end) {
		n->over = true;
	}
	(void)pthread_mutex_unlock(&n->lock);
	return w;
}

static void run_all(struct lane *n, bool end)
{
	struct work *w;

	while ((w = next_work(n, end))) {
		bool lent = w->lent;

		w->run(n->loop, n->index, w->user);
		if (!lent)
			free(w);
	}
}

static void on_async(uv_async_t *uv)
{
	struct lane *n = uv->data;

	run_all(n, false);
	if (n->drains)
		uv_unref((uv_handle_t *)uv);
	if (n->stops)
		loop_stop(n->loop);
}

static void *run_lane(void *user)
{
	struct lane *n = user;

	loop_run(n->loop);
	run_all(n, true);
	return NULL;
}

static bool post(struct lane *n, struct work *w)
{
	bool over;

	(void)pthread_mutex_lock(&n->lock);
	over = n->over;
	if (!over) {
		*n->last = w;
		n->last = &w->next;
		(void)uv_async_send(&n->async);
	}
	(void)pthread_mutex_unlock(&n->lock);
	return !over;
}

bool loops_post(struct loops *p, unsigned i, loops_work *run, void *user)
{
	struct work *w = calloc(1, sizeof *w);

	assert(i < p->count);
	if (!w)
		return false;
	w->run = run;
	w->user = user;
	if (post(&p->lanes[i], w))
		return true;
	free(w);
	return false;
}

struct call {
	loops_work *run;
	void *user;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void run_call(struct loop *l, unsigned index, void *user)
{
	struct call *c = user;

	c->run(l, index, c->user);
	(void)pthread_mutex_lock(&c->lock);
	c->done = true;
	(void)pthread_cond_signal(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

void loops_call(struct loops *p, unsigned i, loops_work *run, void *user)
{
	struct call c = { run, user, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
	struct work w = { NULL, run_call, &c, true };
	struct lane *n = &p->lanes[i];

	assert(i < p->count && (!n->running || !pthread_equal(pthread_self(), n->thread)));
	if (!post(n, &w)) {
		run(n->loop, i, user);
		return;
	}
	(void)pthread_mutex_lock(&c.lock);
	while (!c.done)
		(void)pthread_cond_wait(&c.changed, &c.lock);
	(void)pthread_mutex_unlock(&c.lock);
	(void)pthread_cond_destroy(&c.changed);
	(void)pthread_mutex_destroy(&c.lock);
}

/* Draining and stopping need no memory: they must go when there is none. */

void loops_drain(struct loops *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		p->lanes[i].drains = true;
		(void)uv_async_send(&p->lanes[i].async);
	}
}

void loops_stop(struct loops *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		p->lanes[i].stops = true;
		(void)uv_async_send(&p->lanes[i].async);
	}
}

void loops_join(struct loops *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct lane *n = &p->lanes[i];

		if (n->running)
			(void)pthread_join(n->thread, NULL);
		n->running = false;
	}
}

static void end_lane(struct lane *n)
{
	assert(!n->running && !n->first);
	uv_close((uv_handle_t *)&n->async, NULL);
	loop_free(&n->loop);
	(void)pthread_mutex_destroy(&n->lock);
}

void loops_free(struct loops **out)
{
	struct loops *p = *out;

	if (!p)
		return;
	*out = NULL;
	for (unsigned i = 0; i < p->count; i++)
		end_lane(&p->lanes[i]);
	free(p);
}

unsigned loops_count(const struct loops *p)
{
	return p->count;
}

static bool make_lane(struct lane *n, unsigned index, struct err *e)
{
	int failed;

	n->loop = loop_new(e);
	if (!n->loop)
		return false;
	failed = uv_async_init(&n->loop->uv, &n->async, on_async);
	if (failed) {
		loop_free(&n->loop);
		return err_set(e, ERR_LOCAL, "no wake: %s", uv_strerror(failed));
	}
	n->async.data = n;
	n->index = index;
	n->last = &n->first;
	(void)pthread_mutex_init(&n->lock, NULL);
	return true;
}

/* Signals are the main thread's. */
static bool start_lane(struct lane *n, struct err *e)
{
	sigset_t all, before;
	int failed;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&n->thread, NULL, run_lane, n);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	n->running = !failed;
	return !failed || err_set(e, ERR_LOCAL, "no thread: %s", strerror(failed));
}

struct loops *loops_new(unsigned count, struct err *e)
{
	struct loops *p = calloc(1, sizeof *p + count * sizeof p->lanes[0]);

	assert(count);
	if (!p) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	while (p->count < count && make_lane(&p->lanes[p->count], p->count, e)) {
		p->count++;
		if (!start_lane(&p->lanes[p->count - 1], e))
			break;
	}
	if (p->count == count && p->lanes[count - 1].running)
		return p;
	loops_stop(p);
	loops_join(p);
	loops_free(&p);
	return NULL;
}
