/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "net/conn.h"
#include "net/inside.h"

struct wake {
	uv_async_t uv;
	void (*run)(void *user);
	void *user;
};

struct timer {
	uv_timer_t uv;
	void (*run)(void *user);
	void *user;
};

struct watch {			/* a signal that is a call */
	uv_signal_t uv;
	struct watch *next;
	void (*run)(void *user, int number);
	void *user;
};

static struct loop *loop_of(const void *handle)
{
	return ((const uv_handle_t *)handle)->loop->data;
}

/* Handles stand first in their structs. */
static void give_back(uv_handle_t *h)
{
	free(h);
}

struct loop *loop_new(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct loop *l = calloc(1, sizeof *l);
	int failed;

	jobs_prepare();
	(void)sigaction(SIGPIPE, &ignore, NULL);
	if (l) {
		l->in = malloc(CONN_IN_MAX);
		l->clear = malloc(CONN_IN_MAX);
	}
	if (!l || !l->in || !l->clear) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
	} else {
		failed = uv_loop_init(&l->uv);
		if (!failed) {
			l->uv.data = l;
			return l;
		}
		(void)err_set(e, ERR_LOCAL, "no event loop: %s", uv_strerror(failed));
	}
	if (l) {
		free(l->in);
		free(l->clear);
	}
	free(l);
	return NULL;
}

void loop_run(struct loop *l)
{
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void loop_free(struct loop **out)
{
	struct loop *l = *out;
	int busy;

	if (!l)
		return;
	assert(!l->owned);	/* each timer and wake is freed before its loop */
	for (struct conn *c = l->conns; c; c = l->conns) {
		conn_abandon(c);
		assert(l->conns != c);
	}
	resolver_free(l);
	loop_jumps_end(l);
	while (l->watches) {
		struct watch *w = l->watches;

		l->watches = w->next;
		uv_close((uv_handle_t *)&w->uv, give_back);
	}
	while (uv_run(&l->uv, UV_RUN_DEFAULT))
		;		/* a uv_stop made it return early */
	busy = uv_loop_close(&l->uv);
	assert(!busy);
	jobs_few_end(l);
	free(l->in);
	free(l->clear);
	free(l->plain);
	while (l->spare_count)
		free(l->spares[--l->spare_count]);
	free(l);
	*out = NULL;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return uv_now(&l->uv);
}

void loop_timer(struct loop *l, uv_timer_t *t, uv_timer_cb run, uint64_t after_ms)
{
	uv_update_time(&l->uv);
	(void)uv_timer_start(t, run, after_ms, 0);
}

static void on_wake(uv_async_t *uv)
{
	struct wake *w = uv->data;

	w->run(w->user);
}

struct wake *wake_new(struct loop *l, void (*run)(void *user), void *user, struct err *e)
{
	struct wake *w = calloc(1, sizeof *w);
	int failed;

	if (!w) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	failed = uv_async_init(&l->uv, &w->uv, on_wake);
	if (failed) {
		(void)err_set(e, ERR_LOCAL, "no wake: %s", uv_strerror(failed));
		free(w);
		return NULL;
	}
	uv_unref((uv_handle_t *)&w->uv);
	w->uv.data = w;
	w->run = run;
	w->user = user;
	l->owned++;
	return w;
}

void wake_send(struct wake *w)
{
	(void)uv_async_send(&w->uv);
}

void wake_hold(struct wake *w, bool on)
{
	if (on)
		uv_ref((uv_handle_t *)&w->uv);
	else
		uv_unref((uv_handle_t *)&w->uv);
}

void wake_free(struct wake **w)
{
	if (!*w)
		return;
	loop_of(*w)->owned--;
	uv_close((uv_handle_t *)&(*w)->uv, give_back);
	*w = NULL;
}

static void on_timer(uv_timer_t *uv)
{
	struct timer *t = uv->data;

	t->run(t->user);
}

struct timer *timer_new(struct loop *l, void (*run)(void *user), void *user)
{
	struct timer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	(void)uv_timer_init(&l->uv, &t->uv);	/* cannot fail */
	t->uv.data = t;
	t->run = run;
	t->user = user;
	l->owned++;
	return t;
}

void timer_set(struct timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
	uv_update_time(t->uv.loop);
	(void)uv_timer_start(&t->uv, on_timer, after_ms, repeat_ms);
}

void timer_background(struct timer *t)
{
	uv_unref((uv_handle_t *)&t->uv);
}

void timer_stop(struct timer *t)
{
	if (t)
		(void)uv_timer_stop(&t->uv);
}

void timer_free(struct timer **t)
{
	if (!*t)
		return;
	loop_of(*t)->owned--;
	uv_close((uv_handle_t *)&(*t)->uv, give_back);
	*t = NULL;
}

static void on_signal(uv_signal_t *uv, int number)
{
	struct watch *w = uv->data;

	w->run(w->user, number);
}

static void unwatch(struct loop *l, int number)
{
	for (struct watch **at = &l->watches; *at; at = &(*at)->next) {
		struct watch *w = *at;

		if (w->uv.signum != number)
			continue;
		*at = w->next;
		uv_close((uv_handle_t *)&w->uv, give_back);
		return;
	}
}

bool loop_on_signal(struct loop *l, int number, void (*run)(void *user, int number), void *user, struct err *e)
{
	struct watch *w;
	int failed;

	unwatch(l, number);
	if (!run)
		return true;
	w = calloc(1, sizeof *w);
	if (!w)
		return err_set(e, ERR_LOCAL, "out of memory");
	(void)uv_signal_init(&l->uv, &w->uv);
	uv_unref((uv_handle_t *)&w->uv);
	w->uv.data = w;
	w->run = run;
	w->user = user;
	failed = uv_signal_start(&w->uv, on_signal, number);
	if (failed) {
		uv_close((uv_handle_t *)&w->uv, give_back);
		return err_set(e, ERR_LOCAL, "signal %d cannot be caught: %s", number, uv_strerror(failed));
	}
	w->next = l->watches;
	l->watches = w;
	return true;
}
