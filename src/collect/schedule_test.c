/* SPDX-License-Identifier: Apache-2.0
 * Visits of connections in virtual time. */
#include "collect/test_plans.h"

static void the_first_begins_now_and_the_next_after_its_interval(void **state)
{
	struct plans *p = plans_new(1);

	(void)state;
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_int_equal(plans_show(p, "box0").next, PLANS_BEGIN);
	assert_string_equal(plans_next(p), "box0");
	assert_int_equal(p->now, PLANS_BEGIN);
	assert_true(plans_show(p, "box0").running);
	assert_true(plans_show(p, "box0").next == SCHEDULE_NEVER);
	assert_null(schedule_due(p->schedule, p->now + 100000));	/* one at a time, however long it takes */
	plans_over(p, "box0", 100, ERR_NONE, NULL);
	assert_int_equal(plans_show(p, "box0").success, PLANS_BEGIN + 100);
	assert_interval(plans_show(p, "box0").next - p->now, 15 * PLANS_MINUTE);
	assert_non_null(plans_next(p));
	for (size_t n = 0; n < 1000; n++)
		assert_interval(plans_wait(p, ERR_NONE, NULL), 15 * PLANS_MINUTE);
	plans_end(p);
}

static void chance_is_the_seeds_and_spreads(void **state)
{
	int64_t waits[3][50], least = INT64_MAX, most = 0;

	(void)state;
	for (size_t run = 0; run < 3; run++) {
		struct plans *p = plans_new(run < 2 ? 42 : 43);

		(void)plans_add(p, "a.example");
		plans_begin(p);
		assert_non_null(plans_next(p));
		for (size_t n = 0; n < COUNT(waits[0]); n++) {
			waits[run][n] = plans_wait(p, ERR_NONE, NULL);
			least = waits[run][n] < least ? waits[run][n] : least;
			most = waits[run][n] > most ? waits[run][n] : most;
		}
		plans_end(p);
	}
	assert_memory_equal(waits[0], waits[1], sizeof waits[0]);
	assert_memory_not_equal(waits[0], waits[2], sizeof waits[0]);
	assert_true(least < 870 && most > 930);		/* of 855 … 945 */
}

static void an_interval_of_0_is_once(void **state)
{
	static const enum err_kind kinds[] = { ERR_NONE, ERR_NET, ERR_AUTH, ERR_BUSY };

	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct plans *p = plans_new(2);

		plans_add(p, "a.example")->interval_ms = 0;
		plans_begin(p);
		assert_string_equal(plans_next(p), "box0");
		plans_over(p, "box0", 1, kinds[k], "-ERR [SYS/TEMP] in 1 minute");
		assert_null(plans_next(p));
		p->now = PLANS_BEGIN + 10;
		assert_true(plans_show(p, "box0").once_done);
		schedule_reload(p->schedule, &p->settings, p->now);	/* which changes nothing */
		assert_null(schedule_due(p->schedule, p->now));
		p->connections[0].user = "berta";
		schedule_reload(p->schedule, &p->settings, p->now);
		assert_string_equal(schedule_due(p->schedule, p->now), "box0");
		plans_end(p);
	}
}

static void once_more_after_that(void **state)
{
	struct plans *p = plans_new(2);

	(void)state;
	plans_add(p, "a.example")->interval_ms = 0;
	plans_add(p, "b.example")->interval_ms = 900 * 1000;
	plans_begin(p);
	schedule_began(p->schedule, "box0", p->now);
	schedule_began(p->schedule, "box1", p->now);
	schedule_once_more(p->schedule, "box0", p->now);	/* while it runs: behind it */
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box0", 1, ERR_NONE, "");
	plans_over(p, "box1", 1, ERR_NONE, "");
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NONE, "");
	assert_null(schedule_due(p->schedule, p->now));
	assert_true(plans_show(p, "box0").once_done);
	schedule_once_more(p->schedule, "box0", p->now);
	assert_false(plans_show(p, "box0").once_done);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NET, "");			/* a back-off holds it */
	schedule_once_more(p->schedule, "box0", p->now);
	assert_null(schedule_due(p->schedule, p->now));
	assert_true(plans_show(p, "box0").next > p->now);
	schedule_once_more(p->schedule, "box1", p->now);	/* its interval does it */
	assert_true(plans_show(p, "box1").next > p->now);
	schedule_once_more(p->schedule, "box9", p->now);
	plans_end(p);
}

static void five_hundred_do_not_begin_at_once(void **state)
{
	struct plans *p = plans_new(3);
	char hosts[500][32];

	(void)state;
	for (size_t n = 0; n < 500; n++) {
		(void)snprintf(hosts[n], sizeof hosts[n], "h%zu.example", n);
		(void)plans_add(p, hosts[n]);
	}
	plans_begin(p);
	for (size_t n = 0; n < 500; n++) {
		assert_string_equal(plans_next(p), p->names[n]);
		assert_int_equal(p->now, PLANS_BEGIN + (int64_t)n / SCHEDULE_FIRST_PER_S);
		plans_over(p, p->names[n], 0, ERR_NONE, NULL);
	}
	plans_end(p);
}

static void disabled_ones_are_shown_and_never_due(void **state)
{
	struct plans *p = plans_new(4);

	(void)state;
	plans_add(p, "a.example")->enabled = false;
	plans_begin(p);
	assert_null(plans_next(p));
	assert_false(plans_show(p, "box0").enabled);
	p->now = PLANS_BEGIN;
	schedule_all(p->schedule, p->now);
	assert_null(schedule_due(p->schedule, p->now));
	plans_end(p);
}

static void closed_windows_wait_for_the_next_opening(void **state)
{
	struct plans *p = plans_new(5);
	int64_t opening = PLANS_BEGIN + 4 * PLANS_HOUR, late;	/* Thursday 08:00 */
	const char *name;

	(void)state;
	(void)plans_add(p, "a.example");
	p->active[0] = "Mon-Fri 08:00-18:00";
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	late = p->now - opening;
	assert_in_range(late, 0, 30);
	while (p->now < opening + 10 * PLANS_HOUR) {
		plans_over(p, "box0", 60, ERR_NONE, NULL);
		name = plans_next(p);
		assert_string_equal(name, "box0");
	}
	assert_int_equal(p->now, opening + 24 * PLANS_HOUR + late);	/* Friday, as late as always */
	plans_over(p, "box0", 10 * PLANS_HOUR, ERR_NONE, NULL);		/* what is under way goes on */
	assert_non_null(plans_next(p));
	assert_int_equal(p->now, opening + 4 * 24 * PLANS_HOUR + late);
	plans_end(p);
}

static void windows_spread_their_visits(void **state)
{
	struct plans *p = plans_new(6);
	int64_t first = 0, last;

	(void)state;
	for (size_t n = 0; n < 100; n++) {
		(void)plans_add(p, NULL);
		p->active[n] = "08:00-18:00";
	}
	plans_begin(p);
	for (size_t n = 0; n < 100; n++) {
		assert_non_null(plans_next(p));
		first = first ? first : p->now;
	}
	last = p->now;
	assert_in_range(last - first, 10, 30);
	plans_end(p);
}

static void a_back_off_that_ends_outside_waits_for_the_window(void **state)
{
	struct plans *p = plans_new(7);

	(void)state;
	(void)plans_add(p, "a.example");
	p->active[0] = "04:00-04:30";
	plans_begin(p);
	assert_non_null(plans_next(p));
	assert_in_range(plans_wait(p, ERR_AUTH, "no"), 24 * PLANS_HOUR - 1, 24 * PLANS_HOUR + 30);
	plans_end(p);
}

/* It waited for the host's room until its window had closed. */
static void a_window_may_close_while_it_waits(void **state)
{
	struct plans *p = plans_new(8);

	(void)state;
	p->settings.max_per_host = 1;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	p->active[1] = "04:00-05:00";
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box0", 2 * PLANS_HOUR, ERR_NONE, NULL);
	assert_null(schedule_due(p->schedule, p->now));
	assert_true(plans_show(p, "box1").next >= PLANS_BEGIN + 24 * PLANS_HOUR);
	plans_end(p);
}

static void who_waits_longest_goes_first(void **state)
{
	struct plans *p = plans_new(9);

	(void)state;
	p->settings.max_per_host = 1;
	for (size_t n = 0; n < 3; n++)
		plans_add(p, "a.example")->interval_ms = 1000;
	plans_begin(p);
	for (size_t n = 0; n < 30; n++) {
		const char *name = plans_next(p);

		assert_string_equal(name, p->names[n % 3]);
		plans_over(p, name, 10, ERR_NONE, NULL);
	}
	plans_end(p);
}

static void a_visit_by_hand_sets_the_clock_anew(void **state)
{
	struct plans *p = plans_new(10);

	(void)state;
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_AUTH, "no");
	assert_true(plans_show(p, "box0").backoff_until > p->now);
	p->now += 60;
	schedule_began(p->schedule, "box0", p->now);		/* the password is right now */
	assert_true(plans_show(p, "box0").running);
	assert_interval(plans_wait(p, ERR_NONE, NULL), 15 * PLANS_MINUTE);
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	p->now += 10 * PLANS_MINUTE;
	schedule_began(p->schedule, "box0", p->now);		/* in the middle of an interval */
	assert_interval(plans_wait(p, ERR_NONE, NULL), 15 * PLANS_MINUTE);
	schedule_began(p->schedule, "nobody", p->now);
	plans_over(p, "nobody", 0, ERR_NONE, NULL);
	plans_end(p);
}

static void a_reload_keeps_what_did_not_change(void **state)
{
	struct plans *p = plans_new(11);
	struct schedule_shown before[3];
	struct schedule_shown s;

	(void)state;
	for (size_t n = 0; n < 4; n++)
		(void)plans_add(p, "a.example");
	plans_begin(p);
	for (size_t n = 0; n < 4; n++)
		assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	plans_over(p, "box1", 1, ERR_AUTH, "no");
	plans_over(p, "box2", 1, ERR_AUTH, "no");
	for (size_t n = 0; n < 3; n++)
		before[n] = plans_show(p, p->names[n]);
	p->now += 60;
	p->connections[2].user = "another";
	p->list[0] = &p->connections[1];			/* in another order; box3 goes, while it runs, box4 comes */
	p->list[1] = &p->connections[0];
	p->settings.connection_count = 3;
	(void)snprintf(p->names[3], sizeof p->names[3], "box4");
	p->list[3] = &p->connections[3];
	p->settings.connection_count = 4;
	schedule_reload(p->schedule, &p->settings, p->now);
	assert_true(schedule_each(p->schedule, NULL, p->now, &s));
	assert_string_equal(s.name, "box1");
	s = plans_show(p, "box0");
	assert_true(s.next == before[0].next && s.success == before[0].success);
	s = plans_show(p, "box1");
	assert_true(s.next == before[1].next && s.backoff_until == before[1].backoff_until && s.failures == 1);
	s = plans_show(p, "box2");
	assert_true(s.next == p->now && !s.backoff_until && !s.failures);
	assert_string_equal(s.why.text, before[2].why.text);	/* what was is shown until something else is */
	s = plans_show(p, "box4");
	assert_int_equal(s.next, p->now);
	plans_over(p, "box3", 1, ERR_AUTH, "no");		/* of one that is not there any more */
	assert_string_equal(plans_next(p), "box2");
	assert_string_equal(plans_next(p), "box4");
	assert_null(schedule_due(p->schedule, p->now));
	plans_end(p);
}

static void a_change_while_it_runs_is_visited_at_once(void **state)
{
	struct plans *p = plans_new(12);

	(void)state;
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	p->connections[0].password = (struct secret){ SECRET_LITERAL, "right" };
	schedule_reload(p->schedule, &p->settings, p->now);
	assert_null(schedule_due(p->schedule, p->now));
	assert_int_equal(plans_wait(p, ERR_AUTH, "no"), 0);	/* it was the old password */
	assert_int_equal(plans_show(p, "box0").failures, 0);
	assert_about(plans_wait(p, ERR_AUTH, "no"), PLANS_HOUR);
	assert_int_equal(plans_show(p, "box0").failures, 1);
	plans_end(p);
}

static void a_host_that_moves_is_counted_where_it_is(void **state)
{
	struct plans *p = plans_new(13);

	(void)state;
	p->settings.max_per_host = 1;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	assert_null(schedule_due(p->schedule, p->now));
	p->connections[0].host = "b.example";
	schedule_reload(p->schedule, &p->settings, p->now);
	assert_string_equal(plans_next(p), "box1");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	assert_string_equal(plans_next(p), "box0");
	plans_end(p);
}

static void what_was_kept_comes_back(void **state)
{
	struct plans *p = plans_new(14);
	struct visited kept, other;
	struct schedule_shown before;

	(void)state;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	schedule_began(p->schedule, "box0", p->now);
	plans_over(p, "box0", 1, ERR_AUTH, "no");
	before = plans_show(p, "box0");
	assert_true(schedule_kept(p->schedule, "box0", &kept));
	assert_false(schedule_kept(p->schedule, "nobody", &other));
	schedule_free(&p->schedule);
	p->now += 60;
	plans_begin(p);						/* another life */
	schedule_recall(p->schedule, "box0", &kept, p->now);
	schedule_recall(p->schedule, "nobody", &kept, p->now);
	assert_int_equal(plans_show(p, "box0").next, before.backoff_until);
	assert_true(before.backoff_until > p->now);
	assert_int_equal(plans_show(p, "box0").success, before.success);
	assert_int_equal(plans_show(p, "box0").failures, 1);
	assert_int_equal(plans_show(p, "box1").next, p->now);
	schedule_free(&p->schedule);
	p->connections[0].password = (struct secret){ SECRET_LITERAL, "new" };
	plans_begin(p);						/* with another password */
	schedule_recall(p->schedule, "box0", &kept, p->now);
	assert_int_equal(plans_show(p, "box0").next, p->now);
	assert_int_equal(plans_show(p, "box0").success, before.success);
	assert_int_equal(plans_show(p, "box0").failures, 0);
	p->connections[0].password = (struct secret){ SECRET_LITERAL, NULL };
	p->now -= 400 * 24 * PLANS_HOUR;
	schedule_free(&p->schedule);
	plans_begin(p);						/* with a clock that is wrong */
	schedule_recall(p->schedule, "box0", &kept, p->now);
	assert_int_equal(plans_show(p, "box0").next, p->now);
	plans_end(p);
}

static void a_host_comes_back_too(void **state)
{
	struct plans *p = plans_new(15);
	struct visited kept;

	(void)state;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_NET, NULL);
	assert_true(schedule_kept(p->schedule, "box0", &kept));
	schedule_free(&p->schedule);
	plans_begin(p);
	schedule_recall(p->schedule, "box0", &kept, p->now);
	assert_about(plans_show(p, "box1").next - p->now, 5 * PLANS_MINUTE);
	assert_non_null(plans_next(p));
	assert_null(schedule_due(p->schedule, p->now));		/* one goes first */
	plans_end(p);
}

static void a_clock_that_goes_back_takes_the_moments_along(void **state)
{
	struct plans *p = plans_new(16);
	int64_t next, until;

	(void)state;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	assert_string_equal(plans_next(p), "box1");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	plans_over(p, "box1", 1, ERR_AUTH, "no");
	next = plans_show(p, "box0").next - p->now;
	until = plans_show(p, "box1").backoff_until - p->now;
	p->now -= 365 * 24 * PLANS_HOUR;
	assert_null(schedule_due(p->schedule, p->now));
	assert_int_equal(plans_show(p, "box0").next - p->now, next);
	assert_int_equal(plans_show(p, "box1").backoff_until - p->now, until);
	p->now += 2 * 365 * 24 * PLANS_HOUR;			/* and forward, or asleep: all are due */
	assert_non_null(plans_next(p));
	assert_non_null(plans_next(p));
	plans_end(p);
}

static void all_again(void **state)
{
	struct plans *p = plans_new(17);

	(void)state;
	for (size_t n = 0; n < 4; n++)
		plans_add(p, NULL)->interval_ms = n == 3 ? 0 : 3600 * 1000;
	plans_begin(p);
	for (size_t n = 0; n < 4; n++)
		assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	plans_over(p, "box1", 1, ERR_AUTH, "no");
	plans_over(p, "box3", 1, ERR_NONE, NULL);
	schedule_all(p->schedule, p->now);
	assert_string_equal(plans_next(p), "box0");
	assert_string_equal(plans_next(p), "box3");
	assert_null(schedule_due(p->schedule, p->now));		/* box1 is held off, box2 runs */
	plans_over(p, "box2", 1, ERR_LOCAL, NULL);		/* stopped, to begin again */
	assert_string_equal(plans_next(p), "box2");
	plans_over(p, "box2", 1, ERR_LOCAL, NULL);
	assert_null(schedule_due(p->schedule, p->now));
	plans_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_begins_now_and_the_next_after_its_interval),
		cmocka_unit_test(chance_is_the_seeds_and_spreads),
		cmocka_unit_test(an_interval_of_0_is_once),
		cmocka_unit_test(once_more_after_that),
		cmocka_unit_test(five_hundred_do_not_begin_at_once),
		cmocka_unit_test(disabled_ones_are_shown_and_never_due),
		cmocka_unit_test(closed_windows_wait_for_the_next_opening),
		cmocka_unit_test(windows_spread_their_visits),
		cmocka_unit_test(a_back_off_that_ends_outside_waits_for_the_window),
		cmocka_unit_test(a_window_may_close_while_it_waits),
		cmocka_unit_test(who_waits_longest_goes_first),
		cmocka_unit_test(a_visit_by_hand_sets_the_clock_anew),
		cmocka_unit_test(a_reload_keeps_what_did_not_change),
		cmocka_unit_test(a_change_while_it_runs_is_visited_at_once),
		cmocka_unit_test(a_host_that_moves_is_counted_where_it_is),
		cmocka_unit_test(what_was_kept_comes_back),
		cmocka_unit_test(a_host_comes_back_too),
		cmocka_unit_test(a_clock_that_goes_back_takes_the_moments_along),
		cmocka_unit_test(all_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
