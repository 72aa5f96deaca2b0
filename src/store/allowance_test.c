/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/allowance.h"

enum { DAY = 24 * 3600 };

static void a_day_has_its_limit([[maybe_unused]] void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct err e;

	assert_int_equal(allowance_left(s, "anna", 2, DAY), 2);
	must(allowance_take(s, "anna", 2, DAY, &fixture_err));
	must(allowance_take(s, "anna", 2, DAY + 10, &fixture_err));
	assert_int_equal(allowance_left(s, "anna", 2, DAY + 20), 0);
	assert_false(allowance_take(s, "anna", 2, 2 * DAY - 1, &e));
	assert_int_equal(e.kind, ERR_BUSY);
	must(allowance_take(s, "bert", 2, DAY, &fixture_err));
	must(allowance_take(s, "anna", 2, 2 * DAY, &fixture_err));	/* the next day */
	assert_int_equal(allowance_left(s, "anna", 2, 2 * DAY), 1);
	assert_false(allowance_take(s, "anna", 0, 3 * DAY, &e));
	store_close(&s);
	fixture_remove(directory);
}

static void what_failed_is_given_back_and_what_is_counted_lasts([[maybe_unused]] void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	int64_t now = (int64_t)1 << 40;		/* days to come: opening the store forgets none of them */

	must(allowance_take(s, "anna", 9, now, &fixture_err));
	must(allowance_take(s, "anna", 9, now, &fixture_err));
	allowance_give(s, "anna", now);
	allowance_give(s, "bert", now);		/* had none: nothing happens */
	assert_int_equal(allowance_left(s, "anna", 9, now), 8);
	assert_int_equal(allowance_left(s, "bert", 9, now), 9);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(allowance_left(s, "anna", 9, now), 8);
	store_close(&s);
	fixture_remove(directory);
}

static size_t rows(struct store *s)
{
	struct view *v;
	struct span key = { 0 }, value;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	while (view_next(v, engine_part_of("allowance", SPAN("")), SPAN(""), &key, &value))
		n++;
	view_end(&v);
	return n;
}

static void old_days_are_forgotten([[maybe_unused]] void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char name[32];

	for (int n = 0; n < 50; n++) {
		(void)snprintf(name, sizeof name, "a%d", n);
		must(allowance_take(s, name, 9, n % 5 ? DAY : 2 * DAY, &fixture_err));
	}
	assert_int_equal(rows(s), 50);
	allowance_settle(s, 2 * DAY);
	assert_int_equal(rows(s), 10);
	assert_int_equal(allowance_left(s, "a5", 9, 2 * DAY), 8);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_has_its_limit),
		cmocka_unit_test(what_failed_is_given_back_and_what_is_counted_lasts),
		cmocka_unit_test(old_days_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
