/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>

#include "store/fixture.h"
#include "store/store.h"

#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Different names are different locks, whatever they hold. */
static const char *const names[] = {
	"support", "Support", "a/b", "a%2Fb", "../../etc/passwd", ".", "..", ".hidden", "pop3s://anna@pop.example.org:995",
	"%", "%2", "gr\xc3\xbc\xc3\x9f", LONG LONG, LONG LONG LONG LONG, LONG LONG LONG LONG "x", "////", "/////",
};

static void different_names_are_different_locks(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct store_lock *held[COUNT(names)], *second;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		must(store_lock_take(s, names[i], &held[i], &fixture_err));
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_false(store_lock_take(s, names[i], &second, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_BUSY);
		assert_ptr_equal(strstr(fixture_err.text, "connection "), fixture_err.text);
		assert_non_null(strstr(fixture_err.text, names[i]));
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		store_lock_drop(&held[i]);
		assert_null(held[i]);
		must(store_lock_take(s, names[i], &held[i], &fixture_err));
		store_lock_drop(&held[i]);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void locks_stay_in_their_directory(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char path[128];
	size_t files = 0;
	DIR *d;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct store_lock *lock;

		must(store_lock_take(s, names[i], &lock, &fixture_err));
		store_lock_drop(&lock);
	}
	(void)snprintf(path, sizeof path, "%s/lock", directory);
	d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		files += e->d_name[0] != '.' && e->d_type == DT_REG;
	(void)closedir(d);
	assert_int_equal(files, COUNT(names));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_names_are_different_locks),
		cmocka_unit_test(locks_stay_in_their_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
