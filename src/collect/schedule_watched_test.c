/* SPDX-License-Identifier: Apache-2.0
 * Connections whose mailbox is watched, in virtual time. */
#include "collect/test_plans.h"

static struct connection *watched(struct plans *p, const char *host)
{
	struct connection *c = plans_add(p, host);

	c->protocol = PROTOCOL_IMAP;
	c->idle = true;
	return c;
}

static void look_again(const struct plans *p, int64_t most)
{
	int64_t wait = plans_show(p, "box0").next - p->now;

	assert_true(wait > most - most / 20 && wait <= most);
}

static void a_watched_one_is_looked_into_all_the_same(void **state)
{
	static const uint32_t intervals[] = { 15 * 60 * 1000, 0, 3600 * 1000 };

	(void)state;
	for (size_t n = 0; n < COUNT(intervals); n++) {
		struct plans *p = plans_new(3);

		watched(p, "a.example")->interval_ms = intervals[n];
		plans_begin(p);
		assert_non_null(plans_next(p));
		schedule_watched(p->schedule, "box0", p->now);	/* it still runs: that says nothing */
		assert_true(plans_show(p, "box0").next == SCHEDULE_NEVER);
		plans_over(p, "box0", 1, ERR_NONE, NULL);
		schedule_watched(p->schedule, "box0", p->now);
		look_again(p, SCHEDULE_WATCHED_S);
		assert_false(plans_show(p, "box0").once_done);
		plans_end(p);
	}
}

static void a_short_interval_holds(void **state)
{
	struct plans *p = plans_new(3);

	(void)state;
	watched(p, "a.example")->interval_ms = 60 * 1000;
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	schedule_watched(p->schedule, "box0", p->now);
	assert_interval(plans_show(p, "box0").next - p->now, 60);
	plans_end(p);
}

static void news_are_visited_at_once(void **state)
{
	struct plans *p = plans_new(4);

	(void)state;
	(void)watched(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	schedule_news(p->schedule, "box0", p->now);		/* while it runs: once more behind it */
	schedule_news(p->schedule, "nobody", p->now);
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	schedule_watched(p->schedule, "box0", p->now);
	assert_string_equal(schedule_due(p->schedule, p->now), "box0");
	assert_non_null(plans_next(p));
	schedule_found(p->schedule, "box0");
	plans_over(p, "box0", 1, ERR_NONE, NULL);
	assert_null(schedule_due(p->schedule, p->now));
	schedule_news(p->schedule, "box0", p->now);
	assert_string_equal(schedule_due(p->schedule, p->now), "box0");
	plans_end(p);
}

/* How long the look waits that news wants at once behind the last one; it brings `found`. */
static int64_t for_news(struct plans *p, bool found)
{
	int64_t since = p->now;

	schedule_news(p->schedule, "box0", p->now);
	assert_string_equal(plans_next(p), "box0");
	since = p->now - since;
	if (found)
		schedule_found(p->schedule, "box0");
	plans_over(p, "box0", 0, ERR_NONE, NULL);
	schedule_watched(p->schedule, "box0", p->now);
	return since;
}

static void false_news_are_looked_for_less_and_less(void **state)
{
	static const int64_t waits[] = { 0, 1, 1, 1, 2, 4, 8, 16, 32, 60, 60 };
	struct plans *p = plans_new(9);

	(void)state;
	(void)watched(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 0, ERR_NONE, NULL);
	for (size_t n = 0; n < COUNT(waits); n++)
		assert_int_equal(for_news(p, false), waits[n]);
	assert_int_equal(for_news(p, true), 60);
	assert_int_equal(for_news(p, true), 0);		/* mail came */
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(for_news(p, false), waits[n]);
	p->now += SCHEDULE_NEWS_MAX_S;			/* it was quiet, and the next one is believed again */
	assert_int_equal(for_news(p, false), 0);
	assert_int_equal(for_news(p, false), 1);
	schedule_news(p->schedule, "box0", p->now);	/* a person's visit in between is for that news, too */
	schedule_began(p->schedule, "box0", p->now);
	schedule_news(p->schedule, "box0", p->now);
	schedule_found(p->schedule, "box0");
	plans_over(p, "box0", 0, ERR_NONE, NULL);
	assert_string_equal(schedule_due(p->schedule, p->now), "box0");
	plans_end(p);
}

/* A delay of 0 is none, and would be no pause either. */
static void what_is_lost_is_not_looked_for_without_pause(void **state)
{
	struct plans *p = plans_new(6);
	struct connection *c = watched(p, "a.example");

	(void)state;
	c->delay_failed_host_ms = c->delay_failed_account_ms = 0;
	plans_begin(p);
	assert_non_null(plans_next(p));
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(plans_wait(p, ERR_NET, NULL), SCHEDULE_AGAIN_S);
	schedule_answered(p->schedule, "box0");
	assert_int_equal(plans_wait(p, ERR_PEER, NULL), SCHEDULE_AGAIN_S);
	plans_end(p);
}

static void looked_for_soon(const char *words)
{
	struct plans *p = plans_new(5);
	int64_t least = SCHEDULE_AGAIN_S;

	(void)watched(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	for (size_t n = 0; n < 12; n++, least *= 2) {
		int64_t wait, want = least < SCHEDULE_HOST_MAX_S ? least : SCHEDULE_HOST_MAX_S;

		plans_over(p, "box0", 1, ERR_NET, words);
		wait = plans_show(p, "box0").next - p->now;
		if (wait < want || wait > want + want / 10)
			fail_msg("%zu: %lld, not about %lld", n, (long long)wait, (long long)want);
		assert_string_equal(plans_next(p), "box0");
	}
	plans_end(p);
}

static void a_server_that_is_gone_is_looked_for_soon(void **state)
{
	(void)state;
	looked_for_soon(NULL);
	looked_for_soon("* BYE going down");
}

static void others_of_that_host_wait_as_ever(void **state)
{
	struct plans *p = plans_new(6);

	(void)state;
	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_NET, NULL);
	assert_true(plans_show(p, "box0").next - p->now >= 15 * PLANS_MINUTE - PLANS_MINUTE);
	assert_true(plans_show(p, "box0").backoff_until - p->now >= 5 * PLANS_MINUTE);
	plans_end(p);
}

static void what_is_refused_waits_as_ever(void **state)
{
	struct plans *p = plans_new(7);

	(void)state;
	(void)watched(p, "a.example");
	plans_begin(p);
	assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_AUTH, "no");
	schedule_news(p->schedule, "box0", p->now);		/* a back-off holds */
	assert_true(plans_show(p, "box0").next - p->now >= PLANS_HOUR);
	plans_end(p);
}

static void windows_close(void **state)
{
	struct plans *p = plans_new(8);

	(void)state;
	(void)watched(p, "a.example");
	(void)watched(p, "b.example");
	p->active[0] = "04:00-05:00";
	p->connections[1].enabled = false;
	plans_begin(p);
	assert_true(schedule_open(p->schedule, "box0", p->now));
	assert_false(schedule_open(p->schedule, "box0", p->now + PLANS_HOUR));
	assert_false(schedule_open(p->schedule, "box1", p->now));
	assert_false(schedule_open(p->schedule, "box2", p->now));
	plans_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watched_one_is_looked_into_all_the_same),
		cmocka_unit_test(a_short_interval_holds),
		cmocka_unit_test(news_are_visited_at_once),
		cmocka_unit_test(false_news_are_looked_for_less_and_less),
		cmocka_unit_test(what_is_lost_is_not_looked_for_without_pause),
		cmocka_unit_test(a_server_that_is_gone_is_looked_for_soon),
		cmocka_unit_test(others_of_that_host_wait_as_ever),
		cmocka_unit_test(what_is_refused_waits_as_ever),
		cmocka_unit_test(windows_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
