/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks are the test's, and so is the kernel's word that one was set: these take the place of the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "net/inside.h"

enum { PATIENCE_MS = 60000, YEAR_S = 365 * 86400 };

static int word = -1;			/* readable when the kernel cancels its timer */
static unsigned armed;
static bool no_timers;

int timerfd_create(clockid_t clock, int flags)
{
	assert_int_equal(clock, CLOCK_REALTIME);
	assert_int_equal(flags, TFD_NONBLOCK | TFD_CLOEXEC);
	word = no_timers ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return word;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	assert_int_equal(fd, word);
	assert_int_equal(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	assert_true(new->it_value.tv_sec > time(NULL) + YEAR_S && !new->it_interval.tv_sec && !new->it_interval.tv_nsec);
	assert_null(old);
	armed++;
	return 0;
}

static struct loop_clocks now;
static bool torn;

static bool clocks(struct loop_clocks *c)
{
	*c = now;
	return !torn;
}

static char told[200];

static void tell(void *user, const struct loop_jump *j)
{
	size_t used = strlen(told);

	(void)snprintf(told + used, sizeof told - used, "%s slept %lld set %lld;", (const char *)user, (long long)j->slept_ms, (long long)j->set_ms);
}

static void stop(void *user)
{
	loop_stop(user);
}

static struct loop *loop_made(void)
{
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	l->clocks = clocks;
	now = (struct loop_clocks){ 1000000, 5000000, 1700000000000 };
	torn = no_timers = false;
	armed = 0;
	told[0] = '\0';
	return l;
}

static void pass(int64_t mono, int64_t slept, int64_t set)
{
	now.mono_ms += mono;
	now.boot_ms += mono + slept;
	now.real_ms += mono + slept + set;
}

/* One turn in which the kernel says that something happened. */
static void turn(struct loop *l)
{
	struct timer *t = timer_new(l, stop, l);

	assert_non_null(t);
	assert_int_equal(eventfd_write(word, 1), 0);
	timer_set(t, 0, 0);
	loop_run(l);
	loop_run(l);		/* the timer may have come first */
	timer_free(&t);
}

static const struct row {
	const char *name;
	struct { int64_t mono, slept, set; } moves[3];
	const char *told;
} rows[] = {
	{ "time passes", { { 3000, 0, 0 }, { 100000000, 0, 0 }, { 1, 0, 0 } }, "" },
	{ "an hour of sleep", { { 5, 3600000, 0 }, { 5, 0, 0 } }, "it slept 3600000 set 0;" },
	{ "a nap", { { 5, 2000, 0 }, { 5, 0, 0 } }, "" },
	{ "a long nap", { { 5, 2001, 0 }, { 5, 0, 0 } }, "it slept 2001 set 0;" },
	{ "naps add up", { { 5, 1500, 0 }, { 5, 0, 0 }, { 5, 1500, 0 } }, "it slept 3000 set 0;" },
	{ "forwards", { { 5, 0, 2001 }, { 5, 0, 0 }, { 7, 0, 2000 } }, "it slept 0 set 2001;" },
	{ "back", { { 5, 0, -86400000 }, { 5, 0, -2000 }, { 7, 0, -1 } }, "it slept 0 set -86400000;it slept 0 set -2001;" },
	{ "there and back", { { 5, 0, 1900 }, { 5, 0, -1900 }, { 7, 0, 1900 } }, "" },
	{ "slept, and was set then", { { 5, 10000, 0 }, { 5, 0, 300 }, { 5, 0, 3000 } }, "it slept 10000 set 0;it slept 0 set 3300;" },
	{ "both at once", { { 5, 10000, -4000 }, { 5, 0, 0 } }, "it slept 10000 set -4000;" },
};

static void jumps_are_told(void **state)
{
	struct err e;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct loop *l = loop_made();

		assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"it", &e));
		for (size_t i = 0; i < COUNT(r->moves); i++) {
			pass(r->moves[i].mono, r->moves[i].slept, r->moves[i].set);
			turn(l);
		}
		if (strcmp(told, r->told) != 0)
			fail_msg("%s: %s", r->name, told);
		assert_int_equal(armed, 1 + COUNT(r->moves));
		loop_free(&l);
	}
}

/* Whoever was interrupted between two clocks knows nothing, also in the beginning. */
static void torn_clocks_are_no_jump(void **state)
{
	struct loop *l = loop_made();
	struct err e;

	(void)state;
	torn = true;
	assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"it", &e));
	pass(5, 9000, 0);
	torn = false;
	turn(l);
	torn = true;
	pass(5, 0, 7000);
	turn(l);
	assert_string_equal(told, "");
	torn = false;
	turn(l);
	assert_string_equal(told, "it slept 0 set 7000;");
	loop_free(&l);
}

/* A kernel that says nothing: any turn looks. */
static void a_turn_looks(void **state)
{
	struct loop *l = loop_made();
	struct timer *t = timer_new(l, stop, l);
	struct err e;

	(void)state;
	no_timers = true;
	assert_non_null(t);
	assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"it", &e));
	assert_int_equal(word, -1);
	pass(5, 9000, 0);
	timer_set(t, 1100, 0);
	loop_run(l);
	loop_run(l);
	timer_set(t, 0, 0);
	loop_run(l);
	assert_string_equal(told, "it slept 9000 set 0;");
	timer_free(&t);
	loop_free(&l);
}

static void ends_itself(void *user, const struct loop_jump *j)
{
	struct err e;

	(void)j;
	(void)snprintf(told, sizeof told, "once");
	assert_true(loop_on_jump(user, NULL, NULL, &e));
}

static void one_takes_the_place_of_another(void **state)
{
	struct loop *l = loop_made();
	struct err e;

	(void)state;
	assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"first", &e));
	assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"second", &e));
	pass(0, 5000, 0);
	turn(l);
	assert_string_equal(told, "second slept 5000 set 0;");
	assert_true(loop_on_jump(l, ends_itself, l, &e));
	pass(0, 5000, 0);
	turn(l);
	assert_string_equal(told, "once");
	assert_null(l->jumps);
	loop_run(l);			/* nothing keeps it */
	assert_true(loop_on_jump(l, tell, (void *)(uintptr_t)"third", &e));
	loop_run(l);
	loop_free(&l);
}

static void clocks_are_read_together(void **state)
{
	struct loop_clocks c;

	(void)state;
	assert_true(loop_clocks_read(&c));
	assert_true(c.boot_ms >= c.mono_ms - 100 && c.real_ms / 1000 <= time(NULL) && time(NULL) - c.real_ms / 1000 < PATIENCE_MS / 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(jumps_are_told),
		cmocka_unit_test(torn_clocks_are_no_jump),
		cmocka_unit_test(a_turn_looks),
		cmocka_unit_test(one_takes_the_place_of_another),
		cmocka_unit_test(clocks_are_read_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
