/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

static struct loop *loop_made(void)
{
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

static char told[100];

static void tell(void *user)
{
	size_t used = strlen(told);

	(void)snprintf(told + used, sizeof told - used, "%s", (const char *)user);
}

static struct timer *timer_made(struct loop *l, void (*run)(void *), void *user)
{
	struct timer *t = timer_new(l, run, user);

	assert_non_null(t);
	return t;
}

static void timers_run_by_their_time(void **state)
{
	struct loop *l = loop_made();
	struct timer *late = timer_made(l, tell, "late "), *early = timer_made(l, tell, "early "), *never = timer_made(l, tell, "never ");

	(void)state;
	told[0] = '\0';
	timer_set(late, 30, 0);
	timer_set(early, 5, 0);
	timer_set(never, 10, 0);
	timer_stop(never);
	timer_stop(NULL);
	loop_run(l);
	assert_string_equal(told, "early late ");
	timer_set(early, 1, 0);		/* one shot, but any number of them */
	loop_run(l);
	assert_string_equal(told, "early late early ");
	timer_free(&late);
	timer_free(&early);
	timer_free(&never);
	timer_free(&never);
	loop_free(&l);
	assert_null(l);
	loop_free(&l);
}

static void free_wake(void *user)
{
	wake_free(user);
}

/* What is held is waited for, what is in the background is not. */
static void the_loop_ends_when_nothing_holds_it(void **state)
{
	struct loop *l = loop_made();
	struct timer *behind = timer_made(l, tell, "behind "), *soon;
	struct wake *w;
	struct err e;

	(void)state;
	told[0] = '\0';
	timer_background(behind);
	timer_set(behind, 20000, 0);
	w = wake_new(l, tell, "woken ", &e);
	assert_non_null(w);
	wake_hold(w, true);
	wake_hold(w, false);
	wake_send(w);
	loop_run(l);			/* at once */
	told[0] = '\0';
	wake_free(&w);
	w = wake_new(l, free_wake, &w, &e);
	assert_non_null(w);
	soon = timer_made(l, tell, "soon ");
	timer_background(soon);
	timer_set(soon, 1, 0);
	wake_hold(w, true);
	wake_send(w);
	loop_run(l);			/* until it has run */
	assert_null(w);
	timer_free(&soon);
	timer_free(&behind);
	loop_free(&l);
}

struct count {
	struct timer *timer;
	struct loop *loop;
	unsigned n, enough;
};

static void count(void *user)
{
	struct count *c = user;

	if (++c->n == c->enough)
		timer_stop(c->timer);
}

static void a_repeating_timer_ends_when_stopped(void **state)
{
	struct count c = { .loop = loop_made(), .enough = 4 };

	(void)state;
	c.timer = timer_made(c.loop, count, &c);
	timer_set(c.timer, 0, 1);
	loop_run(c.loop);
	assert_int_equal(c.n, 4);
	timer_free(&c.timer);
	loop_free(&c.loop);
}

/* The time is that of the setting, however long ago the loop looked at its clock. */
static void a_timer_set_before_the_loop_runs_is_not_early(void **state)
{
	struct loop *l = loop_made();
	struct timer *t = timer_made(l, tell, "x");
	struct timespec pause = { 0, 60 * 1000000 };
	uint64_t set;

	(void)state;
	told[0] = '\0';
	(void)nanosleep(&pause, NULL);
	set = clock_mono_ms();
	timer_set(t, 50, 0);
	loop_run(l);
	assert_true(clock_mono_ms() - set >= 49);
	assert_true(loop_now_ms(l) > 0);
	timer_free(&t);
	loop_free(&l);
}

static void stop(void *user)
{
	loop_stop(user);
}

static void loop_stop_leaves_what_waits(void **state)
{
	struct loop *l = loop_made();
	struct timer *first = timer_made(l, stop, l), *second = timer_made(l, tell, "second");

	(void)state;
	told[0] = '\0';
	timer_set(first, 1, 0);
	timer_set(second, 60000, 0);
	loop_run(l);
	assert_string_equal(told, "");
	timer_free(&first);
	timer_free(&second);
	loop_free(&l);
}

enum { SENDS = 1000 };

struct woken {
	struct loop *loop;
	struct wake *wake;
	struct timer *keep;	/* the loop's life until the wake comes */
	unsigned runs;
	pthread_t thread, on;
};

static void woken(void *user)
{
	struct woken *w = user;

	w->runs++;
	w->on = pthread_self();
	timer_stop(w->keep);
}

static void *send_many(void *user)
{
	struct woken *w = user;

	for (int i = 0; i < SENDS; i++)
		wake_send(w->wake);
	return NULL;
}

static void a_wake_comes_from_any_thread(void **state)
{
	struct woken w = { .loop = loop_made() };
	struct err e;

	(void)state;
	w.wake = wake_new(w.loop, woken, &w, &e);
	assert_non_null(w.wake);
	loop_run(w.loop);		/* does not keep the loop alive */
	assert_int_equal(w.runs, 0);
	w.keep = timer_made(w.loop, tell, "no wake came");
	timer_set(w.keep, 60000, 0);
	assert_int_equal(pthread_create(&w.thread, NULL, send_many, &w), 0);
	loop_run(w.loop);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	assert_in_range(w.runs, 1, SENDS);
	assert_true(pthread_equal(w.on, pthread_self()));
	wake_free(&w.wake);
	wake_free(&w.wake);
	timer_free(&w.keep);
	loop_free(&w.loop);
}

static int caught;

static void on_signal(void *user, int number)
{
	caught += number == SIGUSR1 ? 1 : 100;
	if (user)
		loop_stop(user);
}

static void a_signal_is_a_call(void **state)
{
	struct loop *l = loop_made();
	struct timer *keep = timer_made(l, tell, "no signal came");
	struct sigaction now;
	struct err e;

	(void)state;
	told[0] = '\0';
	assert_true(loop_on_signal(l, SIGUSR1, on_signal, NULL, &e));
	assert_true(loop_on_signal(l, SIGUSR1, on_signal, l, &e));	/* takes the place of the first */
	assert_true(loop_on_signal(l, SIGUSR2, on_signal, l, &e));
	assert_true(loop_on_signal(l, SIGUSR2, NULL, NULL, &e));
	assert_false(loop_on_signal(l, SIGKILL, on_signal, l, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
	loop_run(l);			/* a signal does not keep the loop alive */
	timer_set(keep, 60000, 0);
	(void)raise(SIGUSR1);
	loop_run(l);
	assert_int_equal(caught, 1);
	assert_string_equal(told, "");
	timer_free(&keep);
	loop_free(&l);
	assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_DFL);
	assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_IGN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_run_by_their_time),
		cmocka_unit_test(the_loop_ends_when_nothing_holds_it),
		cmocka_unit_test(a_repeating_timer_ends_when_stopped),
		cmocka_unit_test(a_timer_set_before_the_loop_runs_is_not_early),
		cmocka_unit_test(loop_stop_leaves_what_waits),
		cmocka_unit_test(a_wake_comes_from_any_thread),
		cmocka_unit_test(a_signal_is_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
