/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "net/jobs.h"

enum { JOBS = 200, PATIENCE_S = 30 };

struct job {
	pthread_t worked_on, done_on;
	int worked, done;
};

static void work(void *user)
{
	struct job *j = user;

	j->worked++;
	j->worked_on = pthread_self();
}

static void done(void *user)
{
	struct job *j = user;

	j->done += j->worked;
	j->done_on = pthread_self();
}

static struct loop *loop_made(void)
{
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static void work_is_elsewhere_and_done_is_here(void **state)
{
	struct loop *l = loop_made();
	static struct job jobs[JOBS];
	struct err e;

	(void)state;
	for (int i = 0; i < JOBS; i++)
		assert_true(job_start(l, work, done, &jobs[i], &e));
	assert_int_equal(jobs[0].done, 0);
	loop_run(l);			/* jobs keep it alive */
	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].done, 1);
		assert_false(pthread_equal(jobs[i].worked_on, pthread_self()));
		assert_true(pthread_equal(jobs[i].done_on, pthread_self()));
	}
	loop_free(&l);
}

/* Each of JOBS_THREADS jobs waits for the others: fewer threads would never get there. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t all;
	int here, together;
} meeting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };

static void meet(void *user)
{
	struct timespec until;

	(void)user;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&meeting.lock);
	if (++meeting.here == JOBS_THREADS)
		(void)pthread_cond_broadcast(&meeting.all);
	while (meeting.here < JOBS_THREADS && pthread_cond_timedwait(&meeting.all, &meeting.lock, &until) != ETIMEDOUT)
		;
	meeting.together += meeting.here == JOBS_THREADS;
	(void)pthread_mutex_unlock(&meeting.lock);
}

static void nothing(void *user)
{
	(void)user;
}

static void the_pool_has_its_threads(void **state)
{
	struct loop *l = loop_made();
	struct err e;

	(void)state;
	for (int i = 0; i < JOBS_THREADS; i++)
		assert_true(job_start(l, meet, nothing, NULL, &e));
	loop_run(l);
	assert_int_equal(meeting.together, JOBS_THREADS);
	loop_free(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_is_elsewhere_and_done_is_here),
		cmocka_unit_test(the_pool_has_its_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
