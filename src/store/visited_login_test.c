/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"
#include "store/room.h"
#include "store/visited_login.h"

static const char *directory;

static int set_up(void **state)
{
	directory = fixture_directory();
	*state = fixture_store(directory);
	return 0;
}

static int tear_down(void **state)
{
	struct store *s = *state;

	store_close(&s);
	fixture_remove(directory);
	return 0;
}

static void again(void **state)		/* as another process would see it */
{
	struct store *s = *state;

	store_close(&s);
	*state = fixture_store(directory);
}

static void it_is_there_in_another_life(void **state)
{
	const struct visited_login want = { .worked = 4, .refused = 0x4002, .unproved = VISITED_NO_MECH, .unproved_at = 1795665600, .sum = "0123456789abcde" };
	struct visited visit = { .last = 7 };
	struct visited_login got;
	char name[VISITED_NAME_MAX + 1] = "";

	assert_false(visited_login_get(*state, "box", &got));
	visited_login_note(*state, "box", &(struct visited_login){ .worked = 1 });
	visited_login_note(*state, "box", &want);
	visited_note(*state, "box", &visit);
	again(state);
	assert_true(visited_login_get(*state, "box", &got));
	assert_true(got.worked == 4 && got.refused == 0x4002 && got.unproved == VISITED_NO_MECH && got.unproved_at == 1795665600);
	assert_memory_equal(got.sum, want.sum, sizeof got.sum);
	assert_true(visited_get(*state, "box", &visit) && visit.last == 7);
	assert_true(visited_each(*state, name));
	assert_string_equal(name, "box");
	assert_false(visited_each(*state, name));	/* it is no visit of its own */
	visited_forget(*state, "box");
	again(state);
	assert_false(visited_login_get(*state, "box", &got));
	assert_false(visited_get(*state, "box", &visit));
}

static void names_that_no_visit_has(void **state)
{
	char longest[VISITED_NAME_MAX + 2];
	struct visited_login got;

	memset(longest, 'x', sizeof longest);
	longest[VISITED_NAME_MAX + 1] = '\0';
	visited_login_note(*state, longest, &(struct visited_login){ .worked = 1 });
	visited_login_note(*state, "", &(struct visited_login){ .worked = 1 });
	longest[VISITED_NAME_MAX] = '\0';
	visited_login_note(*state, longest, &(struct visited_login){ .worked = 1 });
	again(state);
	assert_false(visited_login_get(*state, "", &got));
	assert_true(visited_login_get(*state, longest, &got));
}

static void damaged_ones_are_not_there(void **state)
{
	static const struct span values[] = { SPAN("\1"), SPAN("\2\1aaaab" "cccccccc0123456789abcdef"), SPAN("\1\1aaaab" "cccccccc0123456789abcde"),
		SPAN("\1\1aaaab" "cccccccc0123456789abcdefg") };
	struct visited_login got;
	struct store *s = *state;

	for (size_t n = 0; n < COUNT(values); n++) {
		struct batch *b = store_batch(engine_part_of("visited", SPAN("")));

		store_must(batch_put(b, SPAN("lbox"), values[n]));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
		if (visited_login_get(s, "box", &got))
			fail_msg("value %zu is taken for good", n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_there_in_another_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_that_no_visit_has, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_ones_are_not_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
