/* SPDX-License-Identifier: Apache-2.0
 * Killed before every system call, also while it tidies up after having been
 * killed: the old store with its key, or the new one with its own. */
#include "store/settle.h"

#include <dirent.h>
#include <sys/stat.h>

#include "store/killed.h"

static const struct row {
	const char *name;
	bool old, old_key, new_key;
} rows[] = {
	{ "both with a key", true, true, true },
	{ "the new one without a key", true, true, false },
	{ "the first key", true, false, true },
	{ "no key", true, false, false },
	{ "nothing was there", false, false, true },
	{ "nothing was there, no key", false, false, false },
	{ "only a key was there", false, true, true },
};

static void put(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static const char *get(const char *directory, const char *name)
{
	static char text[16];
	char path[256];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	f = fopen(path, "r");
	if (!f)
		return "none";
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

static void make(const char *directory, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static const char *staged(const struct row *r)
{
	const char *directory = fixture_directory();

	make(directory, "store");
	if (r->old)
		put(directory, "store/data.mdb", "old");
	if (r->old_key)
		put(directory, "secret.key", "old key");
	make(directory, SETTLE_STAGE);
	make(directory, SETTLE_NEW);
	put(directory, SETTLE_NEW "/data.mdb", "new");
	put(directory, SETTLE_NEW "/lock.mdb", "lock");
	if (r->new_key)
		put(directory, SETTLE_NEW "/secret.key", "new key");
	return directory;
}

static bool settle_now(void *user)
{
	char aside[SETTLE_ASIDE_MAX];
	enum settled what;
	struct err e;

	return settle(user, &what, aside, &e);
}

static bool decide_and_settle(void *user)
{
	struct err e;

	return settle_decide(user, &e) && settle_now(user);
}

/* The name of what was put aside; "" for none, and never two. */
static const char *aside_of(const char *directory)
{
	static char name[256];
	DIR *d = opendir(directory);

	assert_non_null(d);
	name[0] = '\0';
	for (const struct dirent *entry; (entry = readdir(d));) {
		assert_string_not_equal(entry->d_name, SETTLE_STAGE);
		if (strncmp(entry->d_name, "store.", 6) != 0)
			continue;
		assert_string_equal(name, "");
		(void)snprintf(name, sizeof name, "%s", entry->d_name);
	}
	(void)closedir(d);
	return name;
}

/* Returns whether it is the new one. */
static bool judge(const char *directory, const struct row *r)
{
	char path[512];
	const char *aside = aside_of(directory);
	bool new = strcmp(get(directory, "store/data.mdb"), "new") == 0;

	if (!new) {
		assert_string_equal(get(directory, "store/data.mdb"), r->old ? "old" : "none");
		assert_string_equal(get(directory, "secret.key"), r->old_key ? "old key" : "none");
		assert_string_equal(aside, "");
		return false;
	}
	assert_string_equal(get(directory, "secret.key"), r->new_key ? "new key" : r->old_key ? "old key" : "none");
	if (!r->old && !(r->old_key && r->new_key)) {
		assert_string_equal(aside, "");
		return true;
	}
	(void)snprintf(path, sizeof path, "%s/%s", directory, aside);
	assert_string_equal(get(path, "data.mdb"), r->old ? "old" : "none");
	assert_string_equal(get(path, "secret.key"), r->old_key && r->new_key ? "old key" : "none");
	return true;
}

static void killed_anywhere_it_is_the_old_or_the_new(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		size_t old = 0, new = 0;
		bool killed = true;

		for (size_t n = 1; killed; n++) {
			const char *directory = staged(r);

			killed = killed_at(n, decide_and_settle, (void *)(uintptr_t)directory);
			if (killed)
				assert_true(settle_now((void *)(uintptr_t)directory));
			if (judge(directory, r))
				new++;
			else
				old++;
			fixture_remove(directory);
		}
		print_message("%s: %zu times the old one, %zu times the new one\n", r->name, old, new);
		assert_true(old > 5 && new > 5);
	}
}

static void killed_again_while_settling(void **state)
{
	const struct row *r = rows;
	bool killed = true;

	(void)state;
	for (size_t n = 1; killed; n += 4) {
		bool again = true;

		for (size_t m = 1; again; m += 5) {
			const char *directory = staged(r);

			killed = killed_at(n, decide_and_settle, (void *)(uintptr_t)directory);
			again = killed && killed_at(m, settle_now, (void *)(uintptr_t)directory);
			assert_true(settle_now((void *)(uintptr_t)directory));
			(void)judge(directory, r);
			fixture_remove(directory);
		}
	}
}

static void it_says_what_it_did(void **state)
{
	const char *directory = fixture_directory();
	char aside[SETTLE_ASIDE_MAX];
	enum settled what;

	(void)state;
	must(settle(directory, &what, aside, &fixture_err));
	assert_int_equal(what, SETTLED_NOTHING);
	fixture_remove(directory);
	directory = staged(rows);
	must(settle(directory, &what, aside, &fixture_err));
	assert_int_equal(what, SETTLED_BACK);
	assert_string_equal(aside, "");
	assert_false(judge(directory, rows));
	fixture_remove(directory);
	directory = staged(rows);
	must(settle_decide(directory, &fixture_err));
	must(settle(directory, &what, aside, &fixture_err));
	assert_int_equal(what, SETTLED_ON);
	assert_string_equal(aside, aside_of(directory));
	assert_true(judge(directory, rows));
	must(settle(directory, &what, aside, &fixture_err));
	assert_int_equal(what, SETTLED_NOTHING);
	fixture_remove(directory);
	assert_false(settle(directory, &what, aside, &fixture_err));
}

/* After a power cut one file may have both names. */
static void two_names_of_one_file_mean_that_it_was_decided(void **state)
{
	const char *directory = staged(rows);
	char from[256], to[256];

	(void)state;
	(void)snprintf(from, sizeof from, "%s/store/data.mdb", directory);
	(void)snprintf(to, sizeof to, "%s/" SETTLE_STAGE "/data.mdb", directory);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(unlink(from), 0);
	(void)snprintf(to, sizeof to, "%s/" SETTLE_NEW "/data.mdb", directory);
	assert_int_equal(link(to, from), 0);
	assert_true(settle_now((void *)(uintptr_t)directory));
	assert_true(judge(directory, rows));
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_anywhere_it_is_the_old_or_the_new),
		cmocka_unit_test(killed_again_while_settling),
		cmocka_unit_test(it_says_what_it_did),
		cmocka_unit_test(two_names_of_one_file_mean_that_it_was_decided),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
