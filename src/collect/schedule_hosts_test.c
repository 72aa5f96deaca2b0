/* SPDX-License-Identifier: Apache-2.0
 * Who waits for whom at one host, in virtual time. */
#include "collect/test_plans.h"

enum { MANY = 40 };

/* So many of one host as may be begun now. */
static size_t begin_all(struct plans *p)
{
	const char *name;
	size_t begun = 0;

	while ((name = schedule_due(p->schedule, p->now))) {
		schedule_began(p->schedule, name, p->now);
		begun++;
	}
	return begun;
}

static struct plans *crowd(const char *host, uint16_t port)
{
	struct plans *p = plans_new(3);

	for (size_t n = 0; n < MANY; n++)
		plans_add(p, host)->port = port;
	plans_begin(p);
	p->now += MANY;		/* all are due */
	return p;
}

static void slow_ones_give_their_places_away(void **state)
{
	struct plans *p = crowd("a.example", 995);

	(void)state;
	assert_int_equal(begin_all(p), 8);
	schedule_slow(p->schedule, "box0");
	schedule_slow(p->schedule, "box0");		/* no more than one */
	schedule_slow(p->schedule, "box39");		/* does not run */
	schedule_slow(p->schedule, "nobody");
	assert_int_equal(begin_all(p), 1);
	for (size_t n = 1; n < 9; n++)
		schedule_slow(p->schedule, p->names[n]);
	assert_int_equal(begin_all(p), 7);		/* with the slow ones, as many again and no more */
	plans_over(p, "box0", 0, ERR_PEER, NULL);
	assert_int_equal(begin_all(p), 1);
	plans_over(p, "box15", 0, ERR_NONE, NULL);	/* not a slow one */
	assert_int_equal(begin_all(p), 1);
	plans_end(p);
}

/* What is told of a visit once is not told again because somebody reads the configuration. */
static void a_slow_one_whose_settings_change_is_slow_all_the_same(void **state)
{
	struct plans *p = crowd("a.example", 995);

	(void)state;
	assert_int_equal(begin_all(p), 8);
	schedule_slow(p->schedule, "box0");
	assert_int_equal(begin_all(p), 1);
	p->connections[0].interval_ms /= 2;
	schedule_reload(p->schedule, &p->settings, p->now);
	schedule_slow(p->schedule, "box1");
	assert_int_equal(begin_all(p), 1);
	p->connections[0].host = "b.example";
	schedule_reload(p->schedule, &p->settings, p->now);
	assert_int_equal(begin_all(p), 0);
	plans_over(p, "box0", 0, ERR_NONE, NULL);
	schedule_slow(p->schedule, "box2");
	assert_int_equal(begin_all(p), 2);		/* it, and another */
	plans_end(p);
}

static void they_begin_anew_with_a_place(void **state)
{
	struct plans *p = plans_new(3);

	(void)state;
	p->settings.max_per_host = 1;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "A.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	schedule_slow(p->schedule, "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	schedule_all(p->schedule, p->now);
	assert_int_equal(begin_all(p), 1);
	plans_end(p);
}

static void ports_share_places_and_no_failures(void **state)
{
	struct plans *p = plans_new(4);

	(void)state;
	plans_add(p, "a.example")->port = 995;
	plans_add(p, "a.example")->port = 993;
	plans_add(p, "a.example")->port = 995;
	p->settings.max_per_host = 1;
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	assert_null(schedule_due(p->schedule, p->now));		/* the name is the host */
	plans_over(p, "box0", 1, ERR_NET, NULL);
	assert_about(plans_show(p, "box2").next - p->now, 5 * PLANS_MINUTE);
	assert_string_equal(schedule_due(p->schedule, p->now), "box1");
	plans_end(p);
}

static void who_was_greeted_fails_alone(void **state)
{
	struct plans *p = plans_new(5);

	(void)state;
	(void)plans_add(p, "a.example");
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	schedule_answered(p->schedule, "box0");
	plans_over(p, "box0", 60, ERR_NET, NULL);
	assert_about(plans_show(p, "box0").next - p->now, 15 * PLANS_MINUTE - 45);
	assert_int_equal(plans_show(p, "box0").failures, 1);
	assert_string_equal(plans_next(p), "box1");
	assert_true(p->now <= PLANS_BEGIN + 61);
	plans_over(p, "box1", 60, ERR_NET, NULL);		/* not greeted: the greeting of another visit is none */
	assert_true(plans_show(p, "box0").backoff_until);
	plans_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_ones_give_their_places_away),
		cmocka_unit_test(a_slow_one_whose_settings_change_is_slow_all_the_same),
		cmocka_unit_test(they_begin_anew_with_a_place),
		cmocka_unit_test(ports_share_places_and_no_failures),
		cmocka_unit_test(who_was_greeted_fails_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
