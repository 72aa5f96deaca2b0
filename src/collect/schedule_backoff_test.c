/* SPDX-License-Identifier: Apache-2.0
 * What an outcome does to the next visit, in virtual time. */
#include "collect/test_plans.h"

static struct plans *one(uint64_t seed)
{
	struct plans *p = plans_new(seed);

	(void)plans_add(p, "a.example");
	plans_begin(p);
	assert_string_equal(plans_next(p), "box0");
	return p;
}

static void classes(void **state)
{
	static const struct {
		enum err_kind kind;
		const char *words;
		enum schedule_class class;
	} rows[] = {
		{ ERR_BUSY, "[IN-USE] it is", SCHEDULE_UNCOUNTED }, { ERR_BUSY, NULL, SCHEDULE_UNCOUNTED }, { ERR_LOCAL, NULL, SCHEDULE_UNCOUNTED },
		{ ERR_NET, NULL, SCHEDULE_COUNTED }, { ERR_PEER, "-ERR what?", SCHEDULE_COUNTED }, { ERR_PEER, "-ERR too many connections", SCHEDULE_UNCOUNTED },
		{ ERR_AUTH, "-ERR [AUTH] no", SCHEDULE_FATAL }, { ERR_AUTH, "-ERR login allowed only every 15 minutes", SCHEDULE_UNCOUNTED },
		{ ERR_TLS, NULL, SCHEDULE_FATAL }, { ERR_CONFIG, NULL, SCHEDULE_FATAL },
	};
	struct err e = { .kind = ERR_NONE };

	(void)state;
	assert_int_equal(schedule_class(&e), SCHEDULE_GOOD);
	for (size_t n = 0; n < COUNT(rows); n++) {
		(void)err_set(&e, rows[n].kind, "x");
		if (rows[n].words)
			(void)err_peer(&e, span_of(rows[n].words));
		if (schedule_class(&e) != rows[n].class)
			fail_msg("%s: %s", e.text, schedule_class_name(schedule_class(&e)));
	}
}

static void credentials_double_to_a_day(void **state)
{
	static const int64_t hours[] = { 1, 2, 4, 8, 16, 24, 24, 24 };
	struct plans *p = one(1);

	(void)state;
	for (size_t n = 0; n < COUNT(hours); n++) {
		assert_about(plans_wait(p, ERR_AUTH, "-ERR no"), hours[n] * PLANS_HOUR);
		assert_int_equal(plans_show(p, "box0").failures, n + 1);
	}
	assert_interval(plans_wait(p, ERR_NONE, NULL), 15 * PLANS_MINUTE);
	assert_int_equal(plans_show(p, "box0").failures, 0);
	assert_about(plans_wait(p, ERR_TLS, NULL), PLANS_HOUR);		/* from the beginning */
	assert_about(plans_wait(p, ERR_CONFIG, NULL), 2 * PLANS_HOUR);
	plans_end(p);
}

static void a_silent_host_doubles_to_an_hour(void **state)
{
	static const int64_t minutes[] = { 15, 15, 20, 40, 60, 60 };	/* the interval is longer than the first two */
	struct plans *p = one(2);

	(void)state;
	for (size_t n = 0; n < COUNT(minutes); n++) {
		int64_t wait = plans_wait(p, ERR_NET, NULL), want = minutes[n] * PLANS_MINUTE;

		if (n < 2)
			assert_interval(wait, want);
		else
			assert_about(wait, want);
	}
	plans_end(p);
}

static void a_broken_protocol_is_the_accounts_own(void **state)
{
	static const int64_t minutes[] = { 20, 40, 60, 60 };
	struct plans *p = one(3);

	(void)state;
	assert_interval(plans_wait(p, ERR_PEER, "what?"), 15 * PLANS_MINUTE);
	assert_interval(plans_wait(p, ERR_PEER, "what?"), 15 * PLANS_MINUTE);
	for (size_t n = 0; n < COUNT(minutes); n++)
		assert_about(plans_wait(p, ERR_PEER, "what?"), minutes[n] * PLANS_MINUTE);
	plans_end(p);
}

static void what_is_uncounted_waits_for_the_interval(void **state)
{
	struct plans *p = one(4);

	(void)state;
	for (size_t n = 0; n < 5; n++) {
		assert_interval(plans_wait(p, ERR_BUSY, "[IN-USE] another session"), 15 * PLANS_MINUTE);
		assert_interval(plans_wait(p, ERR_LOCAL, NULL), 15 * PLANS_MINUTE);
	}
	assert_int_equal(plans_show(p, "box0").failures, 0);
	assert_int_equal(plans_show(p, "box0").class, SCHEDULE_UNCOUNTED);
	assert_about(plans_wait(p, ERR_AUTH, "no"), PLANS_HOUR);
	assert_interval(plans_wait(p, ERR_BUSY, "[IN-USE] another session"), 15 * PLANS_MINUTE);
	assert_int_equal(plans_show(p, "box0").failures, 1);	/* neither one more nor forgiven */
	assert_about(plans_wait(p, ERR_AUTH, "no"), 2 * PLANS_HOUR);
	plans_end(p);
}

static void a_server_is_left_alone_as_long_as_it_asks(void **state)
{
	struct plans *p = one(5);

	(void)state;
	assert_about(plans_wait(p, ERR_BUSY, "[SYS/TEMP] try again in 2 hours"), 2 * PLANS_HOUR);
	assert_about(plans_wait(p, ERR_AUTH, "Exceeded the login limit for a 60 minute period"), PLANS_HOUR);
	assert_int_equal(plans_show(p, "box0").failures, 0);
	assert_interval(plans_wait(p, ERR_BUSY, "[SYS/TEMP] try again in 1 minute"), 15 * PLANS_MINUTE);	/* it does anyhow */
	assert_about(plans_wait(p, ERR_PEER, "Server busy"), 40 * PLANS_MINUTE);	/* the fourth time in a row, */
	assert_about(plans_wait(p, ERR_PEER, "Server busy"), 60 * PLANS_MINUTE);
	assert_interval(plans_wait(p, ERR_NONE, NULL), 15 * PLANS_MINUTE);
	assert_interval(plans_wait(p, ERR_PEER, "Server busy"), 15 * PLANS_MINUTE);	/* and the first again */
	plans_end(p);
}

static void no_delay_is_none(void **state)
{
	struct plans *p = plans_new(6);
	struct connection *c = plans_add(p, "a.example");

	(void)state;
	c->delay_failed_account_ms = c->delay_failed_host_ms = 0;
	plans_begin(p);
	assert_non_null(plans_next(p));
	for (size_t n = 0; n < 5; n++) {
		assert_interval(plans_wait(p, ERR_AUTH, "no"), 15 * PLANS_MINUTE);
		assert_interval(plans_wait(p, ERR_NET, NULL), 15 * PLANS_MINUTE);
		assert_interval(plans_wait(p, ERR_BUSY, "[SYS/TEMP] later"), 15 * PLANS_MINUTE);
	}
	assert_about(plans_wait(p, ERR_BUSY, "[SYS/TEMP] in 30 minutes"), 30 * PLANS_MINUTE);	/* that is not ours */
	plans_end(p);
}

static void a_delay_above_the_cap_is_kept(void **state)
{
	struct plans *p = plans_new(7);
	struct connection *c = plans_add(p, "a.example");

	(void)state;
	c->delay_failed_account_ms = 48 * 3600 * 1000ull;
	c->delay_failed_host_ms = 2 * 3600 * 1000ull;
	plans_begin(p);
	assert_non_null(plans_next(p));
	for (size_t n = 0; n < 3; n++) {
		assert_about(plans_wait(p, ERR_AUTH, "no"), 48 * PLANS_HOUR);
		assert_about(plans_wait(p, ERR_NET, NULL), 2 * PLANS_HOUR);
	}
	plans_end(p);
}

/* Twelve at one host, one elsewhere, at most eight at once. */
static struct plans *many(uint64_t seed)
{
	struct plans *p = plans_new(seed);

	for (size_t n = 0; n < 12; n++)
		(void)plans_add(p, n % 2 ? "A.example" : "a.EXAMPLE");
	(void)plans_add(p, "b.example");
	plans_begin(p);
	return p;
}

static void a_host_that_failed_is_left_alone_by_all(void **state)
{
	struct plans *p = many(8);
	char name[16];

	(void)state;
	for (size_t n = 0; n < 8; n++)
		assert_non_null(plans_next(p));
	assert_string_equal(plans_next(p), "box12");		/* the ninth at a.example has to wait, b.example has not */
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box12", 0, ERR_NONE, NULL);
	for (size_t n = 0; n < 8; n++) {			/* eight time-outs are one failure of the host */
		(void)snprintf(name, sizeof name, "box%zu", n);
		plans_over(p, name, n == 0 ? 30 : 0, ERR_NET, NULL);
		assert_null(schedule_due(p->schedule, p->now));
	}
	for (size_t n = 0; n < 12; n++) {
		(void)snprintf(name, sizeof name, "box%zu", n);
		assert_about(plans_show(p, name).backoff_until - p->now, 5 * PLANS_MINUTE);
	}
	assert_int_equal(plans_show(p, "box12").backoff_until, 0);
	assert_string_equal(plans_next(p), "box8");		/* one goes first: */
	assert_about(p->now - PLANS_BEGIN - 30, 5 * PLANS_MINUTE);
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box8", 30, ERR_NET, NULL);
	assert_about(plans_show(p, "box9").backoff_until - p->now, 10 * PLANS_MINUTE);
	plans_end(p);
}

static void any_answer_of_the_host_frees_the_others(void **state)
{
	static const enum err_kind answers[] = { ERR_NONE, ERR_AUTH, ERR_PEER, ERR_BUSY, ERR_NET };	/* which said "no" before it closed */

	(void)state;
	for (size_t a = 0; a < COUNT(answers); a++) {
		struct plans *p = many(9 + a);
		const char *first;

		for (size_t n = 0; n < 9; n++)
			assert_non_null(plans_next(p));
		for (size_t n = 0; n < 9; n++)
			plans_over(p, p->names[n == 8 ? 12 : n], 0, n == 8 ? ERR_NONE : ERR_NET, NULL);
		first = plans_next(p);
		assert_non_null(first);
		plans_over(p, first, 1, answers[a], "no");
		for (size_t n = 0; n < 3; n++) {		/* the other three that did not have their first turn */
			const char *next = schedule_due(p->schedule, p->now);

			assert_non_null(next);
			assert_int_equal(plans_show(p, next).visited, 0);
			schedule_began(p->schedule, next, p->now);
		}
		plans_end(p);
	}
}

static void what_does_not_tell_of_the_host_frees_nobody(void **state)
{
	static const enum err_kind kinds[] = { ERR_LOCAL, ERR_CONFIG, ERR_TLS };

	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++) {
		struct plans *p = many(20 + k);

		for (size_t n = 0; n < 9; n++)
			assert_non_null(plans_next(p));
		plans_over(p, "box0", 1, ERR_NET, NULL);
		plans_over(p, "box1", 1, kinds[k], NULL);
		assert_true(plans_show(p, "box9").backoff_until > p->now);
		plans_end(p);
	}
}

static void a_hint_about_this_machine_is_the_hosts(void **state)
{
	struct plans *p = many(30);

	(void)state;
	for (size_t n = 0; n < 9; n++)
		assert_non_null(plans_next(p));
	plans_over(p, "box0", 1, ERR_PEER, "too many connections from your IP, wait 20 minutes");
	assert_about(plans_show(p, "box11").backoff_until - p->now, 20 * PLANS_MINUTE);
	assert_int_equal(plans_show(p, "box0").failures, 0);
	assert_int_equal(plans_show(p, "box12").backoff_until, 0);
	plans_end(p);
}

static void who_was_not_trusted_comes_again(void **state)
{
	static const enum err_kind kinds[] = { ERR_TLS, ERR_AUTH, ERR_NET, ERR_NONE };
	struct plans *p = plans_new(8);
	struct schedule_shown before[COUNT(kinds)];

	(void)state;
	for (size_t n = 0; n < COUNT(kinds); n++)
		(void)plans_add(p, p->names[n]);
	plans_begin(p);
	for (size_t n = 0; n < COUNT(kinds); n++)
		assert_non_null(plans_next(p));
	for (size_t n = 0; n < COUNT(kinds); n++)
		plans_over(p, p->names[n], 1, kinds[n], NULL);
	for (size_t n = 0; n < COUNT(kinds); n++)
		before[n] = plans_show(p, p->names[n]);
	assert_true(before[0].next > p->now + PLANS_MINUTE);
	p->now += 2;
	schedule_trusted(p->schedule, p->now);
	assert_int_equal(plans_show(p, "box0").next, p->now);
	assert_int_equal(plans_show(p, "box0").backoff_until, 0);
	for (size_t n = 1; n < COUNT(kinds); n++)
		assert_int_equal(plans_show(p, p->names[n]).next, before[n].next);
	plans_end(p);
}

/* What kept it from its visits outlives the process that found out. */
static void who_was_not_trusted_before_a_restart_comes_again(void **state)
{
	static const enum err_kind kinds[] = { ERR_TLS, ERR_AUTH };
	struct plans *p = plans_new(8);
	struct visited kept[COUNT(kinds)];

	(void)state;
	for (size_t n = 0; n < COUNT(kinds); n++)
		(void)plans_add(p, p->names[n]);
	plans_begin(p);
	for (size_t n = 0; n < COUNT(kinds); n++)
		assert_non_null(plans_next(p));
	for (size_t n = 0; n < COUNT(kinds); n++)
		plans_over(p, p->names[n], 1, kinds[n], NULL);
	for (size_t n = 0; n < COUNT(kinds); n++)
		assert_true(schedule_kept(p->schedule, p->names[n], &kept[n]));
	schedule_free(&p->schedule);
	plans_begin(p);
	for (size_t n = 0; n < COUNT(kinds); n++)
		schedule_recall(p->schedule, p->names[n], &kept[n], p->now);
	assert_null(schedule_due(p->schedule, p->now));
	schedule_trusted(p->schedule, p->now);
	assert_non_null(schedule_due(p->schedule, p->now));
	assert_string_equal(plans_next(p), "box0");
	assert_null(schedule_due(p->schedule, p->now));
	plans_over(p, "box0", 1, ERR_NET, NULL);	/* that is another reason */
	schedule_trusted(p->schedule, p->now);
	assert_null(schedule_due(p->schedule, p->now));
	plans_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(credentials_double_to_a_day),
		cmocka_unit_test(a_silent_host_doubles_to_an_hour),
		cmocka_unit_test(a_broken_protocol_is_the_accounts_own),
		cmocka_unit_test(what_is_uncounted_waits_for_the_interval),
		cmocka_unit_test(a_server_is_left_alone_as_long_as_it_asks),
		cmocka_unit_test(no_delay_is_none),
		cmocka_unit_test(a_delay_above_the_cap_is_kept),
		cmocka_unit_test(a_host_that_failed_is_left_alone_by_all),
		cmocka_unit_test(any_answer_of_the_host_frees_the_others),
		cmocka_unit_test(what_does_not_tell_of_the_host_frees_nobody),
		cmocka_unit_test(a_hint_about_this_machine_is_the_hosts),
		cmocka_unit_test(who_was_not_trusted_comes_again),
		cmocka_unit_test(who_was_not_trusted_before_a_restart_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
