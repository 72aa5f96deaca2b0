/* SPDX-License-Identifier: Apache-2.0
 * How late connections are, in virtual time. */
#include "collect/test_plans.h"

enum { ALLOWED = 15 * PLANS_MINUTE + 45 };	/* an interval and a twentieth */

static struct plans *one(void)
{
	struct plans *p = plans_new(1);

	(void)plans_add(p, "a.example");
	return p;
}

static int64_t lag_at(struct plans *p, int64_t now, bool late)
{
	struct schedule_shown s;

	p->now = now;
	s = plans_show(p, "box0");
	if (s.late != late)
		fail_msg("lag %lld s: late is %d", (long long)s.lag, s.late);
	return s.lag;
}

static void a_look_lasts_an_interval([[maybe_unused]] void **state)
{
	struct plans *p = one();
	int64_t look;

	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 7, ERR_NONE, NULL);
	look = p->now;
	assert_int_equal(lag_at(p, look, false), 0);
	assert_int_equal(lag_at(p, look + ALLOWED, false), 0);
	assert_int_equal(lag_at(p, look + ALLOWED + 1, false), 1);
	assert_int_equal(lag_at(p, look + ALLOWED + 15 * PLANS_MINUTE, false), 15 * PLANS_MINUTE);
	assert_int_equal(lag_at(p, look + ALLOWED + 15 * PLANS_MINUTE + 1, true), 15 * PLANS_MINUTE + 1);
	plans_end(p);
}

/* What failed was no look: the time goes on from the one before. */
static void failures_do_not_end_it([[maybe_unused]] void **state)
{
	struct plans *p = one();
	int64_t look;

	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	look = p->now;
	for (int n = 0; n < 8; n++) {
		assert_string_equal(plans_next(p), "box0");
		plans_over(p, "box0", 1, ERR_NET, NULL);
	}
	assert_int_equal(lag_at(p, p->now, true), p->now - look - ALLOWED);
	assert_string_equal(plans_next(p), "box0");
	(void)lag_at(p, p->now, true);		/* that it is being tried is no excuse */
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	assert_int_equal(lag_at(p, p->now, false), 0);
	plans_end(p);
}

/* The first visit to a large mailbox takes hours, and all is well. */
static void a_long_visit_is_not_late([[maybe_unused]] void **state)
{
	struct plans *p = one();

	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	assert_int_equal(lag_at(p, PLANS_BEGIN + 5 * PLANS_HOUR, false), 5 * PLANS_HOUR - ALLOWED);
	plans_end(p);
}

static void nothing_is_expected([[maybe_unused]] void **state)
{
	struct plans *p = one();

	p->connections[0].enabled = false;
	plans_begin(p);
	assert_int_equal(lag_at(p, PLANS_BEGIN + 100 * PLANS_HOUR, false), 0);
	plans_end(p);

	p = one();
	p->connections[0].interval_ms = 0;
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NET, NULL);
	assert_int_equal(lag_at(p, PLANS_BEGIN + 100 * PLANS_HOUR, false), 0);	/* once, however it ends */
	plans_end(p);
}

/* It is Thursday, 04:00: a window that opens at 08:00. */
static void a_closed_window_excuses([[maybe_unused]] void **state)
{
	struct plans *p = one();

	p->active[0] = "Mon-Fri 08:00-18:00";
	plans_begin(p);
	assert_int_equal(lag_at(p, PLANS_BEGIN + 4 * PLANS_HOUR, false), 0);
	assert_int_equal(lag_at(p, PLANS_BEGIN + 4 * PLANS_HOUR + 60, false), 60);
	p->now = PLANS_BEGIN;
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	while (p->now < PLANS_BEGIN + 13 * PLANS_HOUR + 50 * PLANS_MINUTE) {
		assert_string_equal(plans_next(p), "box0");
		plans_over(p, "box0", 1, ERR_NONE, NULL);
	}
	assert_int_equal(lag_at(p, PLANS_BEGIN + 28 * PLANS_HOUR, false), 0);		/* 08:00 of the next day */
	assert_int_equal(lag_at(p, PLANS_BEGIN + 28 * PLANS_HOUR + 5, false), 5);
	plans_end(p);
}

/* Kept by the store from before we began, or from a clock that was ahead. */
static void what_was_known_before([[maybe_unused]] void **state)
{
	struct visited kept;
	struct plans *p = one();

	plans_begin(p);
	assert_true(schedule_kept(p->schedule, "box0", &kept));
	kept.success = PLANS_BEGIN - 2 * PLANS_HOUR;
	schedule_recall(p->schedule, "box0", &kept, PLANS_BEGIN);
	assert_int_equal(lag_at(p, PLANS_BEGIN, true), 2 * PLANS_HOUR - ALLOWED);
	kept.success = PLANS_BEGIN + 1000 * PLANS_HOUR;
	schedule_recall(p->schedule, "box0", &kept, PLANS_BEGIN);
	assert_int_equal(lag_at(p, PLANS_BEGIN + PLANS_HOUR, true), PLANS_HOUR - ALLOWED);
	plans_end(p);
}

static void any_sign_of_life_is_a_look([[maybe_unused]] void **state)
{
	struct plans *p = one();
	struct schedule_shown s;
	int64_t look;

	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	look = p->now;
	schedule_idle(p->schedule, "box0", look, look);
	schedule_idle(p->schedule, "nobody", look, look);
	assert_int_equal(lag_at(p, look + SCHEDULE_IDLE_S, false), 0);
	assert_int_equal(lag_at(p, look + SCHEDULE_IDLE_S + 2, false), 2);
	schedule_idle(p->schedule, "box0", look, look + 100);
	assert_int_equal(lag_at(p, look + SCHEDULE_IDLE_S + 102, false), 2);
	s = plans_show(p, "box0");
	assert_int_equal(s.idle_since, look);
	assert_int_equal(s.alive, look + 100);
	assert_true(lag_at(p, look + 10 * PLANS_HOUR, true) > 9 * PLANS_HOUR);
	schedule_idle(p->schedule, "box0", 0, 0);
	assert_int_equal(lag_at(p, look + ALLOWED + 1, false), 1);
	assert_int_equal(plans_show(p, "box0").alive, 0);
	plans_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_lasts_an_interval),
		cmocka_unit_test(failures_do_not_end_it),
		cmocka_unit_test(a_long_visit_is_not_late),
		cmocka_unit_test(nothing_is_expected),
		cmocka_unit_test(a_closed_window_excuses),
		cmocka_unit_test(what_was_known_before),
		cmocka_unit_test(any_sign_of_life_is_a_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
