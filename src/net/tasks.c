/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tasks.h"

#include <pthread.h>
#include <stdlib.h>

#include "net/jobs.h"

/* It is the loop's until the job is back, whatever has become of its owner. */
struct task {
	struct tasks *tasks;		/* NULL: its owner is gone */
	struct task *next, **at;
	bool few;
	void (*work)(void *user);
	void (*done)(void *user);
	void *user;
};

struct tasks {
	struct loop *loop;
	struct task *first;
	size_t waiting;
	pthread_mutex_t lock;
	pthread_cond_t ran;
	size_t to_run;			/* under the lock */
};

struct tasks *tasks_new(struct loop *l, struct err *e)
{
	struct tasks *t = calloc(1, sizeof *t);

	if (!t) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	t->loop = l;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->ran, NULL);
	return t;
}

/* Until it has run its owner is there: tasks_free waits. */
static void on_work(void *user)
{
	struct task *k = user;
	struct tasks *t = k->tasks;

	k->work(k->user);
	(void)pthread_mutex_lock(&t->lock);
	if (--t->to_run == 0)
		(void)pthread_cond_signal(&t->ran);
	(void)pthread_mutex_unlock(&t->lock);
}

static void drop(struct task *k)
{
	*k->at = k->next;
	if (k->next)
		k->next->at = k->at;
	k->tasks->waiting--;
	k->tasks = NULL;
}

static void on_done(void *user)
{
	struct task *k = user;

	if (k->tasks) {
		drop(k);
		k->done(k->user);
	}
	free(k);
}

static bool start(struct tasks *t, bool few, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	struct task *k = malloc(sizeof *k);

	if (!k)
		return err_set(e, ERR_LOCAL, "out of memory");
	*k = (struct task){ .tasks = t, .next = t->first, .at = &t->first, .few = few, .work = work, .done = done, .user = user };
	if (k->next)
		k->next->at = &k->next;
	t->first = k;
	t->waiting++;
	(void)pthread_mutex_lock(&t->lock);
	t->to_run++;
	(void)pthread_mutex_unlock(&t->lock);
	if ((few ? job_start_few : job_start)(t->loop, on_work, on_done, k, e))
		return true;
	(void)pthread_mutex_lock(&t->lock);
	t->to_run--;
	(void)pthread_mutex_unlock(&t->lock);
	drop(k);
	free(k);
	return false;
}

bool task_start(struct tasks *t, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	return start(t, false, work, done, user, e);
}

bool task_start_few(struct tasks *t, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	return start(t, true, work, done, user, e);
}

/* Those whose turn has not come. */
static void withdraw(struct tasks *t)
{
	for (struct task *k = t->first, *next; k; k = next) {
		next = k->next;
		if (!k->few || !job_withdraw(t->loop, k))
			continue;
		(void)pthread_mutex_lock(&t->lock);
		t->to_run--;
		(void)pthread_mutex_unlock(&t->lock);
		drop(k);
		free(k);
	}
}

size_t tasks_waiting(const struct tasks *t)
{
	return t->waiting;
}

void tasks_free(struct tasks **tasks)
{
	struct tasks *t = *tasks;

	*tasks = NULL;
	if (!t)
		return;
	withdraw(t);
	(void)pthread_mutex_lock(&t->lock);
	while (t->to_run)
		(void)pthread_cond_wait(&t->ran, &t->lock);
	(void)pthread_mutex_unlock(&t->lock);
	while (t->first)
		drop(t->first);
	(void)pthread_cond_destroy(&t->ran);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}
