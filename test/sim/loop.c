/* SPDX-License-Identifier: Apache-2.0
 * In place of src/net's loop and jobs: one queue of events in virtual time.
 * Events of one moment come in seeded order.  Nothing is freed: a life ends
 * with its process. */
#include "net/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "net/child.h"
#include "net/jobs.h"
#include "sim.h"

struct event {
	uint64_t at, tie;
	event_run *run;
	void *user;
};

struct loop {
	bool stopped;
};

struct wake {
	void (*run)(void *user);
	void *user;
	bool sent, freed;
};

struct timer {
	void (*run)(void *user);
	void *user;
	uint64_t at, repeat_us;
	bool set, freed, queued;	/* queued: an event will look at it */
};

struct job {
	void (*work)(void *user);
	void (*done)(void *user);
	void *user;
};

static struct event *heap;
static size_t count, cap;
static long holds;
static uint64_t last_job_us;
static bool loop_made;

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->tie < b->tie;
}

void event_at(uint64_t after_us, event_run *run, void *user)
{
	struct event new = { world->now_us + after_us, chance(), run, user };
	size_t n;

	if (count == cap) {
		cap = cap ? cap * 2 : 256;
		heap = reallocarray(heap, cap, sizeof *heap);
		assert(heap);
	}
	for (n = count++; n && earlier(&new, &heap[(n - 1) / 2]); n = (n - 1) / 2)
		heap[n] = heap[(n - 1) / 2];
	heap[n] = new;
}

static struct event next_event(void)
{
	struct event first = heap[0], last = heap[--count];
	size_t n = 0;

	for (size_t child; (child = 2 * n + 1) < count; n = child) {
		if (child + 1 < count && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!earlier(&heap[child], &last))
			break;
		heap[n] = heap[child];
	}
	heap[n] = last;
	return first;
}

void loop_hold(int by)
{
	holds += by;
	assert(holds >= 0);
}

struct loop *loop_new(struct err *e)
{
	static struct loop loop;

	(void)e;
	assert(!loop_made);
	loop_made = true;
	return &loop;
}

void loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped && holds) {
		struct event e;

		if (!count)
			violation("hang: nothing will ever happen, and the loop is held");
		e = next_event();
		world->now_us = e.at > world->now_us ? e.at : world->now_us;
		if (world->now_us > world->visit_until_us)
			violation("hang: the visit does not end");
		step();
		e.run(e.user);
	}
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

void loop_free(struct loop **l)
{
	if (holds)
		violation("leak: timers, jobs or connections are left at the loop's end");
	*l = NULL;
}

uint64_t loop_now_ms(const struct loop *l)
{
	(void)l;
	return world->now_us / 1000;
}

static void on_wake(void *user)
{
	struct wake *w = user;

	w->sent = false;
	if (!w->freed)
		w->run(w->user);
}

struct wake *wake_new(struct loop *l, void (*run)(void *user), void *user, struct err *e)
{
	struct wake *w = calloc(1, sizeof *w);

	(void)l;
	(void)e;
	assert(w);
	w->run = run;
	w->user = user;
	return w;
}

void wake_send(struct wake *w)
{
	if (w->sent)
		return;
	w->sent = true;
	event_at(below(50), on_wake, w);
}

void wake_free(struct wake **w)
{
	if (*w)
		(*w)->freed = true;
	*w = NULL;
}

static void on_timer(void *user)
{
	struct timer *t = user;

	t->queued = false;
	if (t->freed || !t->set)
		return;
	if (t->at > world->now_us) {	/* set anew meanwhile */
		t->queued = true;
		event_at(t->at - world->now_us, on_timer, t);
		return;
	}
	if (t->repeat_us) {
		t->at = world->now_us + t->repeat_us;
		t->queued = true;
		event_at(t->repeat_us, on_timer, t);
	} else {
		t->set = false;
		loop_hold(-1);
	}
	t->run(t->user);
}

struct timer *timer_new(struct loop *l, void (*run)(void *user), void *user)
{
	struct timer *t = calloc(1, sizeof *t);

	(void)l;
	assert(t);
	t->run = run;
	t->user = user;
	return t;
}

void timer_set(struct timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
	uint64_t at = world->now_us + after_ms * 1000;

	loop_hold(t->set ? 0 : 1);
	t->set = true;
	if (!t->queued || at < t->at)	/* an event that is too late would miss it */
		event_at(after_ms * 1000, on_timer, t);
	t->queued = true;
	t->at = at;
	t->repeat_us = repeat_ms * 1000;
}

void timer_stop(struct timer *t)
{
	if (!t || !t->set)
		return;
	t->set = false;
	loop_hold(-1);
}

void timer_free(struct timer **t)
{
	if (!*t)
		return;
	timer_stop(*t);
	(*t)->freed = true;
	*t = NULL;
}

static void job_done(void *user)
{
	struct job *j = user;

	loop_hold(-1);
	j->done(j->user);
}

static void job_work(void *user)
{
	struct job *j = user;

	deed();
	j->work(j->user);
	deed();
	event_at(1 + log_below(20000), job_done, j);
}

/* In the order they come, and ended in any. */
bool job_start(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	struct job *j = calloc(1, sizeof *j);
	uint64_t at = world->now_us + log_below(20000);

	(void)l;
	assert(j);
	if (fault(500)) {
		told("job: no thread");
		return err_set(e, ERR_LOCAL, "no thread for a job (simulated)");
	}
	*j = (struct job){ work, done, user };
	loop_hold(1);
	if (at <= last_job_us)
		at = last_job_us + 1;
	last_job_us = at;
	event_at(at - world->now_us, job_work, j);
	return true;
}

bool job_start_few(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	return job_start(l, work, done, user, e);
}

bool job_withdraw(struct loop *l, const void *user)
{
	(void)l;
	(void)user;
	return false;
}

bool child_output(const char *command, uint32_t timeout_ms, const atomic_bool *stop, struct buf *out, struct err *e)
{
	(void)command;
	(void)timeout_ms;
	(void)stop;
	(void)out;
	return err_set(e, ERR_CONFIG, "no programs in the simulation");
}
