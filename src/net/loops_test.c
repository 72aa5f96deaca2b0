/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "net/loops.h"

enum { LOOPS = 3, POSTS = 1000 };

static struct loops *pool(void)
{
	struct err e;
	struct loops *p = loops_new(LOOPS, &e);

	assert_non_null(p);
	assert_int_equal(loops_count(p), LOOPS);
	return p;
}

static void end(struct loops *p)
{
	loops_join(p);
	loops_free(&p);
	assert_null(p);
}

static unsigned told[LOOPS];
static pthread_t threads[LOOPS];
static atomic_bool disordered;

static void count(struct loop *l, unsigned index, void *user)
{
	assert_non_null(l);
	threads[index] = pthread_self();
	if (user && (uintptr_t)user != ++told[index])
		disordered = true;
}

static void work_is_done_in_order_on_its_thread(void **state)
{
	struct loops *p = pool();
	sigset_t blocked;

	(void)state;
	for (uintptr_t n = 1; n <= POSTS; n++)
		for (unsigned i = 0; i < LOOPS; i++)
			assert_true(loops_post(p, i, count, (void *)n));
	for (unsigned i = 0; i < LOOPS; i++) {
		loops_call(p, i, count, NULL);		/* behind all that was posted */
		assert_int_equal(told[i], POSTS);
		assert_false(pthread_equal(threads[i], pthread_self()));
	}
	assert_false(disordered);
	assert_false(pthread_equal(threads[0], threads[1]));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));	/* ours are as they were */
	loops_stop(p);
	end(p);
}

/* A timer on the first loop keeps it until it fired. */

static struct timer *timer;
static atomic_bool fired;

static void on_timer([[maybe_unused]] void *user)
{
	fired = true;
	timer_free(&timer);
}

static void set_timer(struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	timer = timer_new(l, on_timer, NULL);
	assert_non_null(timer);
	timer_set(timer, *(uint64_t *)user, 0);
}

static void post_again(struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
	atomic_bool *done = user;

	assert_non_null(l);
	*done = true;
}

static void draining_waits_for_what_is_there(void **state)
{
	struct loops *p = pool();
	atomic_bool done = false;
	uint64_t ms = 200;

	(void)state;
	fired = false;
	loops_call(p, 0, set_timer, &ms);
	loops_drain(p);
	assert_true(loops_post(p, 0, post_again, &done));	/* it goes on */
	loops_join(p);
	assert_true(fired && done);
	assert_false(loops_post(p, 0, count, NULL));		/* it has ended */
	loops_call(p, 0, post_again, &done);			/* on this thread, then */
	end(p);
}

static void free_timer([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
	timer_free(&timer);
}

static void stopping_does_not_wait(void **state)
{
	struct loops *p = pool();
	uint64_t ms = 3600 * 1000;

	(void)state;
	fired = false;
	loops_call(p, 0, set_timer, &ms);
	loops_drain(p);
	loops_stop(p);
	loops_join(p);
	assert_false(fired);
	loops_call(p, 0, free_timer, NULL);
	end(p);
}

static void post_more(struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct loops *p = user;

	loop_stop(l);
	for (unsigned i = 0; i < LOOPS; i++)
		(void)loops_post(p, i, count, NULL);	/* what was posted before the end is done */
}

static void nothing_posted_is_lost_at_the_end(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct loops *p = pool();

		for (unsigned n = 0; n < LOOPS; n++)
			assert_true(loops_post(p, n, post_more, p));
		loops_stop(p);
		end(p);		/* asserts that none is left */
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_is_done_in_order_on_its_thread),
		cmocka_unit_test(draining_waits_for_what_is_there),
		cmocka_unit_test(stopping_does_not_wait),
		cmocka_unit_test(nothing_posted_is_lost_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
