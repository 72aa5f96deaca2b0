/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"
#include "store/room.h"
#include "store/visited.h"

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

static void what_was_noted_is_there_in_another_life(void **state)
{
	const struct visited want = { .last = 1795665600, .success = 1795665000, .backoff_until = 1795669200, .failures = 3, .throttled = 7,
		.of_host = true, .untrusted = true, .sum = "0123456789abcde" };
	struct visited got;

	assert_false(visited_get(*state, "box", &got));
	visited_note(*state, "box", &(struct visited){ .last = 1 });
	visited_note(*state, "box", &want);		/* in this order */
	again(state);
	assert_true(visited_get(*state, "box", &got));
	assert_true(got.last == want.last && got.success == want.success && got.backoff_until == want.backoff_until);
	assert_true(got.failures == 3 && got.throttled == 7 && got.of_host && got.untrusted);
	assert_memory_equal(got.sum, want.sum, sizeof got.sum);
	visited_note(*state, "box", &(struct visited){ .success = 5 });
	again(state);
	assert_true(visited_get(*state, "box", &got));
	assert_true(got.success == 5 && !got.last && !got.backoff_until && !got.failures && !got.throttled && !got.of_host && !got.untrusted);
	visited_forget(*state, "box");
	again(state);
	assert_false(visited_get(*state, "box", &got));
}

static void names_are_walked_in_order(void **state)
{
	char name[VISITED_NAME_MAX + 1] = "", longest[VISITED_NAME_MAX + 2];
	struct visited v = { .last = 1 };

	memset(longest, 'x', sizeof longest);
	longest[VISITED_NAME_MAX + 1] = '\0';
	visited_note(*state, longest, &v);		/* too long: no visit has it */
	visited_note(*state, "", &v);
	longest[VISITED_NAME_MAX] = '\0';
	visited_note(*state, longest, &v);
	visited_note(*state, "b", &v);
	visited_note(*state, "a", &v);
	visited_note(*state, "c", &v);
	visited_forget(*state, "b");
	again(state);
	assert_true(visited_each(*state, name));
	assert_string_equal(name, "a");
	assert_true(visited_each(*state, name));
	assert_string_equal(name, "c");
	assert_true(visited_each(*state, name));
	assert_string_equal(name, longest);
	assert_false(visited_each(*state, name));
}

/* On-disk data is input, too. */
static void damaged_ones_are_not_there(void **state)
{
	static const struct span values[] = { SPAN("\1"), SPAN("\2\0aaaaaaaabbbbbbbbccccccccddddeeee0123456789abcdef"),
		SPAN("\1\0aaaaaaaabbbbbbbbccccccccddddeeee0123456789abcde"), SPAN("\1\0aaaaaaaabbbbbbbbccccccccddddeeee0123456789abcdefg"),
		SPAN("\1\0\xff" "aaaaaaabbbbbbbbccccccccddddeeee0123456789abcdef") };
	struct visited got;
	struct store *s = *state;

	for (size_t n = 0; n < COUNT(values); n++) {
		struct batch *b = store_batch(engine_part_of("visited", SPAN("")));

		store_must(batch_put(b, SPAN("vbox"), values[n]));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
		if (visited_get(s, "box", &got))
			fail_msg("value %zu is taken for good", n);
	}
}

static void the_key_is_the_states(void **state)
{
	uint8_t one[VISITED_KEY] = { 0 }, two[VISITED_KEY] = { 0 }, none[VISITED_KEY] = { 0 };

	visited_key(*state, one);
	again(state);
	visited_key(*state, two);
	assert_memory_equal(one, two, sizeof one);
	assert_memory_not_equal(one, none, sizeof one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_noted_is_there_in_another_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_are_walked_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_ones_are_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_key_is_the_states, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
