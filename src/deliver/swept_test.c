/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"

#include "deliver/inside.h"

static unsigned swept;
static bool kept;

static void sweep(void *directory, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	swept++;
	assert_string_equal(directory, "a directory");
	assert_int_equal(tag[0], 7);
	kept = keep(user, "a name");
}

/* Once a place, and again by the next life. */
static void once_a_place([[maybe_unused]] void **state)
{
	static const uint8_t tag[8] = { 7 };
	char directory[] = "a directory";
	struct world *w = world(0);

	(void)snprintf(w->kept, sizeof w->kept, "a name");
	for (unsigned n = 0; n < 3; n++) {
		deliver_sweep(w->all, "maildir:/a", tag, sweep, directory);
		assert_int_equal(swept, 1);
		assert_true(kept);
	}
	w->kept[0] = '\0';
	deliver_sweep(w->all, "maildir:/b", tag, sweep, directory);
	assert_int_equal(swept, 2);
	assert_false(kept);
	deliveries_free(&w->all);
	world_deliveries(w);
	deliver_sweep(w->all, "maildir:/a", tag, sweep, directory);
	assert_int_equal(swept, 3);
	w->all->with.keep = NULL;	/* nobody holds anything */
	deliver_sweep(w->all, "maildir:/b", tag, sweep, directory);
	assert_int_equal(swept, 4);
	assert_false(kept);
	world_end(w);
}

static void a_tag_is_of_its_place([[maybe_unused]] void **state)
{
	struct world *w = world(0);
	uint8_t a[8], again[8], b[8];

	deliver_tag(w->all, "/a", a);
	deliver_tag(w->all, "/a", again);
	deliver_tag(w->all, "/b", b);
	assert_memory_equal(a, again, sizeof a);
	assert_memory_not_equal(a, b, sizeof a);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_a_place),
		cmocka_unit_test(a_tag_is_of_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
