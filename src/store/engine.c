/* SPDX-License-Identifier: Apache-2.0
 * What is the same for every engine. */
#include "store/engine.h"

#include <pthread.h>

struct waiter {
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	bool over, good;
	struct err why;
};

static void on_answer(void *user, const struct err *why)
{
	struct waiter *w = user;

	(void)pthread_mutex_lock(&w->mutex);
	w->over = true;
	w->good = !why;
	if (why)
		w->why = *why;
	(void)pthread_cond_signal(&w->answered);
	(void)pthread_mutex_unlock(&w->mutex);
}

bool engine_commit_wait(struct engine *g, struct batch **b, struct err *e)
{
	struct waiter w = { .mutex = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };

	engine_commit(g, b, (struct engine_done){ on_answer, &w });
	(void)pthread_mutex_lock(&w.mutex);
	while (!w.over)
		(void)pthread_cond_wait(&w.answered, &w.mutex);
	(void)pthread_mutex_unlock(&w.mutex);
	if (!w.good)
		*e = w.why;
	return w.good;
}
