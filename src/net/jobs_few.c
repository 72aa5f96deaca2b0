/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs that share few threads.  A thread of the pool that has one goes on with the next that waits, whatever the loop's
 * thread does meanwhile; so each tells its end by a handle of its own. */
#include "net/jobs.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/inside.h"

struct few {
	uv_async_t ran;			/* first: it is given back by its handle */
	struct few *next;
	struct few_lane *lane;
	bool worked;			/* under the lock */
	void (*work)(void *user);
	void (*done)(void *user);
	void *user;
};

struct few_lane {			/* of one loop */
	pthread_mutex_t lock;
	struct few *first, **last;	/* that wait */
	unsigned runners;
};

static void give_back(uv_handle_t *h)
{
	free(h);
}

void jobs_few_end(struct loop *l)
{
	if (!l->few)
		return;
	(void)pthread_mutex_destroy(&l->few->lock);
	free(l->few);
	l->few = NULL;
}

static bool make_lane(struct loop *l)
{
	if (l->few)
		return true;
	l->few = calloc(1, sizeof *l->few);
	if (!l->few)
		return false;
	(void)pthread_mutex_init(&l->few->lock, NULL);
	l->few->last = &l->few->first;
	return true;
}

static struct few *unlink_at(struct few_lane *lane, struct few **at)
{
	struct few *f = *at;

	*at = f->next;
	if (!*at)
		lane->last = at;
	return f;
}

/* The next to be worked on; without one this runner is none any more. */
static struct few *take(struct few_lane *lane)
{
	struct few *f;

	(void)pthread_mutex_lock(&lane->lock);
	f = lane->first ? unlink_at(lane, &lane->first) : NULL;
	lane->runners -= !f;
	(void)pthread_mutex_unlock(&lane->lock);
	return f;
}

static void run(uv_work_t *uv)
{
	struct few *f;

	while ((f = take(uv->data))) {
		f->work(f->user);
		(void)pthread_mutex_lock(&f->lane->lock);
		f->worked = true;
		(void)pthread_mutex_unlock(&f->lane->lock);
		(void)uv_async_send(&f->ran);	/* and from here on it is the loop's */
	}
}

static void run_over(uv_work_t *uv, [[maybe_unused]] int status)
{
	free(uv);
}

static void on_ran(uv_async_t *ran)
{
	struct few *f = (struct few *)ran;

	(void)pthread_mutex_lock(&f->lane->lock);	/* what the work wrote is seen here */
	assert(f->worked);
	(void)pthread_mutex_unlock(&f->lane->lock);
	uv_close((uv_handle_t *)ran, give_back);
	f->done(f->user);
}

bool job_start_few(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	struct few *f = make_lane(l) ? calloc(1, sizeof *f) : NULL;
	uv_work_t *runner = f ? calloc(1, sizeof *runner) : NULL;
	int failed = runner ? uv_async_init(&l->uv, &f->ran, on_ran) : UV_ENOMEM;
	bool wanted;

	if (failed) {
		free(f);
		free(runner);
		return err_set(e, ERR_LOCAL, "no job can be started: %s", uv_strerror(failed));
	}
	f->lane = l->few;
	f->work = work;
	f->done = done;
	f->user = user;
	(void)pthread_mutex_lock(&l->few->lock);
	*l->few->last = f;
	l->few->last = &f->next;
	wanted = l->few->runners < JOBS_FEW;
	l->few->runners += wanted;
	(void)pthread_mutex_unlock(&l->few->lock);
	runner->data = l->few;
	if (wanted)
		(void)uv_queue_work(&l->uv, runner, run, run_over);	/* fails for want of a function alone */
	else
		free(runner);
	return true;
}

bool job_withdraw(struct loop *l, const void *user)
{
	struct few **at, *f = NULL;

	if (!l->few)
		return false;
	(void)pthread_mutex_lock(&l->few->lock);
	for (at = &l->few->first; *at && (*at)->user != user; at = &(*at)->next)
		;
	if (*at)
		f = unlink_at(l->few, at);
	(void)pthread_mutex_unlock(&l->few->lock);
	if (f)
		uv_close((uv_handle_t *)&f->ran, give_back);
	return f;
}
