/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <unistd.h>

#include "serve/fixture.h"
#include "store/block.h"

static char directory[64];

static struct store *open_store(void)
{
	struct store *s;

	if (!store_open(directory, (uint64_t)1 << 32, "test", &s, &fixture_err))
		fail_msg("%s", fixture_err.text);
	return s;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int make_directory(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "%s", "/tmp/postrider-test.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum admission_said door(struct admission *a, const char *from, uint64_t now_ms)
{
	union address address = fixture_address(from);
	struct admission_seat seat = { 0 };
	enum admission_said said = admission_enter(a, &address, now_ms, &seat);

	admission_leave(a, &seat);
	return said;
}

/* A restart: other clocks, the same store. */
static void a_block_holds_over_a_restart(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct store *s = open_store();
	struct admission_block b;
	uint64_t cursor = 0;

	(void)state;
	assert_true(admission_kept_add(a, s, "::ffff:192.0.2.0/120", 3600, "scans", 5000000, 1700000000, &fixture_err));
	assert_true(admission_kept_add(a, s, "2001:DB8::1", 0, "", 5000000, 1700000000, &fixture_err));
	assert_true(admission_kept_add(a, s, "10.0.0.0/8", UINT64_MAX, "", 5000000, 1700000000, &fixture_err));
	assert_true(admission_kept_add(a, s, "198.51.100.7", 1, "over by then", 5000000, 1700000000, &fixture_err));
	assert_int_equal(door(a, "192.0.2.9", 5000000), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "2001:db8::1", 5000000), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "2001:db8::2", 5000000), ADMISSION_GOOD);
	admission_free(&a);
	store_close(&s);
	s = open_store();
	a = fixture_new(&l);
	assert_true(admission_kept_load(a, s, 7, 1700000600, &fixture_err));
	assert_int_equal(door(a, "192.0.2.9", 7), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "198.51.100.7", 7), ADMISSION_GOOD);
	assert_int_equal(door(a, "10.9.9.9", UINT64_MAX / 2), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "192.0.2.9", 7 + 3000 * SECOND - 1), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "192.0.2.9", 7 + 3000 * SECOND), ADMISSION_GOOD);
	assert_true(admission_block_each(a, &cursor, 7, &b) && b.age_ms == 600 * SECOND && b.left_ms == 0);
	assert_true(admission_block_each(a, &cursor, 7, &b) && b.age_ms == 600 * SECOND && b.left_ms == 3000 * SECOND);
	assert_string_equal(b.why, "scans");
	admission_free(&a);
	store_close(&s);
}

static void what_is_removed_is_removed_from_both(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	union address guesser = fixture_address("192.0.2.66");
	struct block_info info = { .network = "" };
	struct store *s = open_store();
	struct admission_attempt t;

	(void)state;
	assert_true(admission_kept_add(a, s, "192.0.2.0/24", 0, "", 1, 1000, &fixture_err));
	admission_login_start(a, &guesser, SPAN("anna"), 1, &t);
	for (int i = 0; i < 10; i++)
		(void)admission_login_failed(a, &t, 1);
	assert_false(admission_kept_remove(a, s, "192.0.0.0/24", 1, 1000, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_true(admission_kept_remove(a, s, "192.0.2.66", 1, 1000, &fixture_err));	/* failed logins */
	assert_int_equal(door(a, "192.0.2.66", 1), ADMISSION_BLOCKED);		/* by hand */
	assert_true(admission_kept_remove(a, s, "192.0.2.0/24", 1, 1000, &fixture_err));
	assert_int_equal(door(a, "192.0.2.66", 1), ADMISSION_GOOD);
	assert_false(block_each(s, 1000, &info));
	assert_false(admission_kept_remove(a, s, "192.0.2.0/24", 1, 1000, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "nothing of 192.0.2.0/24"));
	admission_free(&a);
	store_close(&s);
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const wrong[] = { "", "localhost", "192.0.2.1/24", "192.0.2.0/33", "fe80::1%lo", "192.0.2.0/24 x" };
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct store *s = open_store();
	char why[ADMISSION_WHY_MAX + 2] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_false(admission_kept_add(a, s, wrong[i], 0, "", 1, 1000, &fixture_err));
		assert_false(admission_kept_remove(a, s, wrong[i], 1, 1000, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
	}
	memset(why, 'w', ADMISSION_WHY_MAX + 1);
	assert_false(admission_kept_add(a, s, "192.0.2.0/24", 0, why, 1, 1000, &fixture_err));
	assert_int_equal(door(a, "192.0.2.1", 1), ADMISSION_GOOD);
	admission_free(&a);
	store_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_block_holds_over_a_restart, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(what_is_removed_is_removed_from_both, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(what_is_no_network_is_refused, make_directory, remove_directory),
	};

	return cmocka_run_group_tests_name("admission_kept", tests, NULL, NULL);
}
