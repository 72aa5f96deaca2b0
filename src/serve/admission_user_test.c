/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/fixture.h"

static struct admission *with(uint32_t max_per_user, uint32_t login_delay_ms)
{
	struct admission_limits l = fixture_limits();

	l.max_per_user = max_per_user;
	l.login_delay_ms = login_delay_ms;
	return fixture_new(&l);
}

static void come(struct admission *a, struct admission_seat *seat)
{
	union address from = fixture_address("192.0.2.1");

	*seat = (struct admission_seat){ 0 };
	assert_int_equal(admission_enter(a, &from, 1, seat), ADMISSION_GOOD);
}

static enum admission_user_said login(struct admission *a, struct admission_seat *seat, const char *account, uint32_t limit, bool exclusive)
{
	uint32_t wait_s = 77;
	enum admission_user_said said = admission_user_enter(a, seat, span_of(account), limit, exclusive, 1000, &wait_s);

	assert_int_equal(wait_s, 0);
	return said;
}

static void sessions_of_a_user_are_limited(void **state)
{
	static const struct row { uint32_t max_per_user, limit, good; } rows[] = {
		{ 0, ADMISSION_USER_DEFAULT, 8 }, { 3, ADMISSION_USER_DEFAULT, 3 }, { 3, 5, 5 }, { 3, 1, 1 }, { 3, 0, 8 }, { 0, 2, 2 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct admission *a = with(r->max_per_user, 0);
		struct admission_seat seats[9];
		struct admission_counts c;

		for (uint32_t i = 0; i < 9; i++)
			come(a, &seats[i]);
		for (uint32_t i = 0; i < 8; i++)
			if (login(a, &seats[i], "anna", r->limit, false) != (i < r->good ? ADMISSION_USER_GOOD : ADMISSION_USER_FULL))
				fail_msg("%u %u: %u", r->max_per_user, r->limit, i);
		assert_int_equal(login(a, &seats[8], "bert", r->limit, false), ADMISSION_USER_GOOD);
		admission_counts(a, &c);
		assert_true(c.users == 2 && c.sessions == 9);
		admission_user_leave(a, &seats[0]);
		admission_user_leave(a, &seats[0]);	/* no second leaving */
		assert_int_equal(login(a, &seats[0], "anna", r->limit, false), ADMISSION_USER_GOOD);
		for (uint32_t i = 0; i < 9; i++)
			admission_leave(a, &seats[i]);
		admission_counts(a, &c);
		assert_true(c.users == 0 && c.sessions == 0);
		admission_free(&a);
	}
}

static void exclusive_is_alone(void **state)
{
	struct admission *a = with(1, 0);
	struct admission_seat one, two;

	(void)state;
	come(a, &one);
	come(a, &two);
	assert_int_equal(login(a, &one, "anna", 5, true), ADMISSION_USER_GOOD);
	assert_int_equal(login(a, &two, "anna", 5, true), ADMISSION_USER_IN_USE);
	assert_int_equal(login(a, &two, "anna", 5, false), ADMISSION_USER_IN_USE);
	assert_int_equal(login(a, &two, "bert", 5, true), ADMISSION_USER_GOOD);
	admission_user_leave(a, &one);
	admission_user_leave(a, &two);
	assert_int_equal(login(a, &two, "anna", 5, false), ADMISSION_USER_GOOD);
	assert_int_equal(login(a, &one, "anna", 5, true), ADMISSION_USER_IN_USE);	/* somebody is in */
	assert_int_equal(login(a, &one, "anna", 5, false), ADMISSION_USER_GOOD);
	admission_leave(a, &one);
	admission_leave(a, &two);
	admission_free(&a);
}

static void login_delay_runs_from_the_last_good_login(void **state)
{
	static const struct row { uint64_t now_ms; const char *account; enum admission_user_said said; uint32_t wait_s; } rows[] = {
		{ 1000, "anna", ADMISSION_USER_GOOD, 0 }, { 1000, "anna", ADMISSION_USER_TOO_SOON, 60 }, { 2000, "bert", ADMISSION_USER_GOOD, 0 },
		{ 60000, "anna", ADMISSION_USER_TOO_SOON, 1 }, { 60999, "anna", ADMISSION_USER_TOO_SOON, 1 }, { 61000, "anna", ADMISSION_USER_GOOD, 0 },
		{ 61001, "bert", ADMISSION_USER_TOO_SOON, 1 }, { 62000, "bert", ADMISSION_USER_GOOD, 0 }, { 62000, "anna", ADMISSION_USER_TOO_SOON, 59 },
		{ 900000, "anna", ADMISSION_USER_GOOD, 0 },
	};
	struct admission *a = with(0, 60000);
	struct admission_seat seat;

	(void)state;
	come(a, &seat);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint32_t wait_s = 77;

		if (admission_user_enter(a, &seat, span_of(r->account), ADMISSION_USER_DEFAULT, false, r->now_ms, &wait_s) != r->said || wait_s != r->wait_s)
			fail_msg("%llu %s: %u", (unsigned long long)r->now_ms, r->account, wait_s);
		admission_user_leave(a, &seat);
	}
	admission_leave(a, &seat);
	admission_free(&a);
}

/* A refusal for another reason is no login. */
static void a_full_user_does_not_delay_himself(void **state)
{
	struct admission *a = with(1, 60000);
	struct admission_seat one, two;
	uint32_t wait_s;

	(void)state;
	come(a, &one);
	come(a, &two);
	assert_int_equal(admission_user_enter(a, &one, SPAN("anna"), ADMISSION_USER_DEFAULT, false, 0, &wait_s), ADMISSION_USER_GOOD);
	assert_int_equal(admission_user_enter(a, &two, SPAN("anna"), ADMISSION_USER_DEFAULT, false, 60000, &wait_s), ADMISSION_USER_FULL);
	admission_user_leave(a, &one);
	assert_int_equal(admission_user_enter(a, &two, SPAN("anna"), ADMISSION_USER_DEFAULT, false, 60000, &wait_s), ADMISSION_USER_GOOD);
	admission_leave(a, &one);
	admission_leave(a, &two);
	admission_free(&a);
}

/* More accounts than the table has: those that logged in last are remembered. */
static void the_memory_of_logins_is_bounded(void **state)
{
	struct admission *a = with(0, 3600 * SECOND);
	struct admission_seat seat;
	struct admission_counts c;
	uint32_t wait_s;

	(void)state;
	come(a, &seat);
	for (uint32_t i = 0; i < 2 * ADMISSION_KNOWN; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "user%u", i);
		assert_int_equal(admission_user_enter(a, &seat, span_of(name), 1, false, i, &wait_s), ADMISSION_USER_GOOD);
		admission_user_leave(a, &seat);
	}
	admission_counts(a, &c);
	assert_int_equal(c.known_users, ADMISSION_KNOWN);
	assert_int_equal(c.users, 0);
	assert_int_equal(admission_user_enter(a, &seat, SPAN("user131071"), 1, false, 140000, &wait_s), ADMISSION_USER_TOO_SOON);
	assert_int_equal(admission_user_enter(a, &seat, SPAN("user100000"), 1, false, 140000, &wait_s), ADMISSION_USER_TOO_SOON);
	assert_int_equal(admission_user_enter(a, &seat, SPAN("user1"), 1, false, 140000, &wait_s), ADMISSION_USER_GOOD);
	admission_leave(a, &seat);
	admission_free(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_of_a_user_are_limited),
		cmocka_unit_test(exclusive_is_alone),
		cmocka_unit_test(login_delay_runs_from_the_last_good_login),
		cmocka_unit_test(a_full_user_does_not_delay_himself),
		cmocka_unit_test(the_memory_of_logins_is_bounded),
	};

	return cmocka_run_group_tests_name("admission_user", tests, NULL, NULL);
}
