/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <semaphore.h>

#include "net/pulse.h"

enum { LOOPS = 3 };

static struct loops *pool;
static struct pulse *pulse;
static sem_t held, go;

static int begin(void **state)
{
	struct err e;

	(void)state;
	pool = loops_new(LOOPS, &e);
	pulse = pool ? pulse_new(pool, &e) : NULL;
	return !pulse || sem_init(&held, 0, 0) != 0 || sem_init(&go, 0, 0) != 0;
}

static int end(void **state)
{
	(void)state;
	loops_stop(pool);
	loops_join(pool);
	pulse_free(&pulse);
	loops_free(&pool);
	(void)sem_destroy(&held);
	(void)sem_destroy(&go);
	return pulse || pool;
}

static void nothing([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
}

/* All that was posted so far is done. */
static void settle(unsigned i)
{
	loops_call(pool, i, nothing, NULL);
}

static void hold([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
	(void)sem_post(&held);
	while (sem_wait(&go) != 0)
		;
}

static void loops_that_turn_beat(void **state)
{
	(void)state;
	assert_int_equal(pulse_missing(pulse), LOOPS);
	assert_false(pulse_beat(pulse));	/* nothing is proved yet */
	for (int round = 0; round < 100; round++) {
		for (unsigned i = 0; i < LOOPS; i++)
			settle(i);
		assert_int_equal(pulse_missing(pulse), LOOPS);
		assert_true(pulse_beat(pulse));
	}
}

static void one_that_hangs_stops_the_pulse(void **state)
{
	(void)state;
	for (unsigned stuck = 0; stuck < LOOPS; stuck++) {
		assert_true(loops_post(pool, stuck, hold, NULL));
		while (sem_wait(&held) != 0)
			;
		(void)pulse_beat(pulse);	/* a round that this one will not answer */
		for (unsigned i = 0; i < LOOPS; i++)
			if (i != stuck)
				settle(i);
		for (int tries = 0; tries < 10; tries++) {
			assert_false(pulse_beat(pulse));
			assert_int_equal(pulse_missing(pulse), stuck);
		}
		(void)sem_post(&go);
		settle(stuck);
		assert_true(pulse_beat(pulse));
		for (unsigned i = 0; i < LOOPS; i++)
			settle(i);
	}
}

/* A service that drains is watched on; loops that came to their end have nothing to prove. */
static void loops_that_ended_are_no_trouble(void **state)
{
	(void)state;
	assert_false(pulse_beat(pulse));
	loops_stop(pool);
	loops_join(pool);
	assert_int_equal(pulse_missing(pulse), LOOPS);
	assert_true(pulse_beat(pulse));
	assert_true(pulse_beat(pulse));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loops_that_turn_beat, begin, end),
		cmocka_unit_test_setup_teardown(one_that_hangs_stops_the_pulse, begin, end),
		cmocka_unit_test_setup_teardown(loops_that_ended_are_no_trouble, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
