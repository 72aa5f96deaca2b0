/* SPDX-License-Identifier: Apache-2.0
 *
 * Works wait for each other here, at a gate: who is inside together is counted, not timed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/jobs.h"
#include "net/tasks.h"

enum { JOBS = 50 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int inside, most, passed;
	bool open;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static int done_count, order[JOBS];
static atomic_int ran;

static void gate_shut(void)
{
	gate.inside = gate.most = gate.passed = done_count = 0;
	gate.open = false;
	ran = 0;
}

/* A server that says nothing. */
static void wait_inside(void *user)
{
	(void)user;
	(void)pthread_mutex_lock(&gate.lock);
	gate.most = ++gate.inside > gate.most ? gate.inside : gate.most;
	(void)pthread_cond_broadcast(&gate.moved);
	while (!gate.open)
		(void)pthread_cond_wait(&gate.moved, &gate.lock);
	gate.inside--;
	gate.passed++;
	(void)pthread_mutex_unlock(&gate.lock);
}

static void await_full(void)
{
	(void)pthread_mutex_lock(&gate.lock);
	while (gate.inside < JOBS_FEW)
		(void)pthread_cond_wait(&gate.moved, &gate.lock);
	(void)pthread_mutex_unlock(&gate.lock);
}

static void open_gate(void)
{
	(void)pthread_mutex_lock(&gate.lock);
	gate.open = true;
	(void)pthread_cond_broadcast(&gate.moved);
	(void)pthread_mutex_unlock(&gate.lock);
}

static void count_done(void *user)
{
	if (user)
		order[done_count] = *(int *)user;
	done_count++;
}

static void quick(void *user)
{
	(void)user;
	ran++;
}

static void quick_done(void *user)
{
	(void)user;
	assert_int_equal(done_count, 0);	/* of those that wait */
	open_gate();
}

static struct loop *loop_made(void)
{
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	gate_shut();
	return l;
}

/* All that wait at once take no thread from a job that waits for nobody. */
static void threads_are_left(void **state)
{
	struct loop *l = loop_made();
	struct err e;

	(void)state;
	for (int i = 0; i < JOBS; i++)
		assert_true(job_start_few(l, wait_inside, count_done, NULL, &e));
	await_full();
	assert_true(job_start(l, quick, quick_done, NULL, &e));
	loop_run(l);			/* the jobs keep it alive */
	assert_int_equal(ran, 1);
	assert_int_equal(done_count, JOBS);
	assert_int_equal(gate.passed, JOBS);
	assert_int_equal(gate.most, JOBS_FEW);
	loop_free(&l);
}

/* Those that wait are taken back, and the others have their turn. */
static void who_waits_is_taken_back(void **state)
{
	struct loop *l = loop_made();
	static int numbers[JOBS];
	struct err e;
	int back = 0;

	(void)state;
	assert_false(job_withdraw(l, &numbers[0]));
	for (int i = 0; i < JOBS; i++) {
		numbers[i] = i;
		assert_true(job_start_few(l, wait_inside, count_done, &numbers[i], &e));
	}
	await_full();
	for (int i = JOBS - 1; i >= 0; i -= 2)		/* the last, and the one in front of one that stays */
		back += job_withdraw(l, &numbers[i]);
	assert_false(job_withdraw(l, &numbers[JOBS - 1]));
	assert_int_equal(back, JOBS / 2 - JOBS_FEW / 2);
	assert_true(job_start_few(l, wait_inside, count_done, &numbers[JOBS - 1], &e));
	open_gate();
	loop_run(l);
	assert_int_equal(done_count, JOBS - back + 1);
	assert_int_equal(gate.passed, JOBS - back + 1);
	for (int i = 0; i < done_count; i++)
		assert_true(order[i] % 2 == 0 || order[i] == JOBS - 1 || order[i] < JOBS_FEW);
	loop_free(&l);
}

/* The loop's own thread waits in tasks_free for what runs.  Who is still behind others is not waited for, or this would
 * not end; who has a thread gets out without the loop. */
static void an_owner_goes(void **state)
{
	struct loop *l = loop_made();
	struct err e;
	struct tasks *behind = tasks_new(l, &e), *inside = tasks_new(l, &e);

	(void)state;
	assert_true(behind && inside);
	for (int i = 0; i < JOBS_FEW; i++)
		assert_true(job_start_few(l, wait_inside, count_done, NULL, &e));
	for (int i = 0; i < JOBS; i++)
		assert_true(task_start_few(behind, wait_inside, count_done, NULL, &e));
	await_full();
	tasks_free(&behind);
	open_gate();
	for (int i = 0; i < JOBS; i++)
		assert_true(task_start_few(inside, quick, quick_done, NULL, &e));
	tasks_free(&inside);
	assert_in_range(ran, 0, JOBS);
	loop_run(l);
	assert_int_equal(done_count, JOBS_FEW);
	assert_int_equal(gate.passed, JOBS_FEW);
	loop_free(&l);
}

/* A loop that goes waits for all. */
static void a_loop_goes(void **state)
{
	struct loop *l = loop_made();
	struct err e;

	(void)state;
	open_gate();
	for (int i = 0; i < JOBS; i++)
		assert_true(job_start_few(l, wait_inside, count_done, NULL, &e));
	loop_free(&l);
	assert_int_equal(done_count, JOBS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_are_left),
		cmocka_unit_test(who_waits_is_taken_back),
		cmocka_unit_test(an_owner_goes),
		cmocka_unit_test(a_loop_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
