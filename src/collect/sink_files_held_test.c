/* SPDX-License-Identifier: Apache-2.0
 *
 * Had a held message got a name before?  By its record, and by what the directory says. */
#include "collect/sink_files.h"

#include <stdio.h>

#include "base/clock.h"
#include "collect/test_world.h"

#define OURS "1_0102030405060708.here"

static const uint8_t tag[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static const struct row {
	const char *name, *place;
	int64_t since, tried;		/* ago */
	bool refuses, has, unsynced;	/* what the directory says */
	bool good, there;
	unsigned asked;			/* place_again was */
} rows[] = {
	{ "none", "", 0, 0, false, true, false, true, false, 0 },
	{ "of another directory", "1_0102030405060709.here", 0, 0, false, true, false, true, false, 0 },
	{ "it cannot be placed", OURS, 0, 0, true, false, false, false, false, 1 },
	{ "it is placed, or was", OURS, 60, 60, false, false, false, true, true, 1 },
	{ "that is not durable", OURS, 60, 60, false, true, true, false, true, 1 },
	{ "so long ago that it must be found", OURS, 90000, 90000, false, false, false, true, false, 1 },
	{ "and it is", OURS, 90000, 90000, false, true, false, true, true, 1 },
	{ "released since", OURS, 60, 90000, false, false, false, true, true, 1 },
	{ "tried since", OURS, 90000, 60, false, false, false, true, true, 1 },
};

static const struct row *now;
static unsigned asked;

static bool place_again([[maybe_unused]] void *dir, const char *name, struct err *e)
{
	assert_string_equal(name, now->place);
	asked++;
	return !now->refuses || err_set(e, ERR_LOCAL, "no");
}

static bool has([[maybe_unused]] void *dir, [[maybe_unused]] const char *name)
{
	return now->has;
}

static bool sync_placed([[maybe_unused]] void *dir, struct err *e)
{
	return !now->unsynced || err_set(e, ERR_LOCAL, "no");
}

static void what_the_directory_says([[maybe_unused]] void **state)
{
	static const struct files_ops ops = { .place_again = place_again, .has = has, .sync_placed = sync_placed };

	for (now = rows; now < rows + COUNT(rows); now++) {
		struct held_info info = { .since = clock_now_s() - now->since, .tried = clock_now_s() - now->tried };
		bool there = true;
		struct err e;

		print_message("  %s\n", now->name);
		(void)snprintf(info.place, sizeof info.place, "%s", now->place);
		asked = 0;
		assert_int_equal(files_find_copy(&ops, tag, NULL, &info, &there, &e), now->good);
		assert_int_equal(there, now->there);
		assert_int_equal(asked, now->asked);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_directory_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
