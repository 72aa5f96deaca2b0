/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/stat.h>

#include "store/fixture.h"
#include "store/import.h"
#include "store/place.h"

static const char *directory;

static struct place place_at(const char *account, const char *folder)
{
	struct place p = { .kind = PLACE_MAILDIR };

	p.account_len = (size_t)snprintf(p.path, sizeof p.path, "%s/%s", directory, account);
	(void)snprintf(p.path + p.account_len, sizeof p.path - p.account_len, "%s", folder);
	return p;
}

static const char *source(const char *kind, const char *name)
{
	static char text[200];

	(void)snprintf(text, sizeof text, "%s:%s/%s", kind, directory, name);
	return text;
}

static void write_mbox(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	(void)fclose(f);
}

/* How many names a folder has, and whose they all are. */
static size_t files(const char *folder, uid_t owner)
{
	char path[300];
	struct dirent *one;
	struct stat st;
	size_t n = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "%s/%s", directory, folder);
	d = opendir(path);
	assert_non_null(d);
	assert_int_equal(fstat(dirfd(d), &st), 0);
	assert_int_equal(st.st_uid, owner);
	while ((one = readdir(d))) {
		if (one->d_name[0] == '.')
			continue;
		assert_int_equal(fstatat(dirfd(d), one->d_name, &st, 0), 0);
		assert_int_equal(st.st_uid, owner);
		n++;
	}
	(void)closedir(d);
	return n;
}

#define TWO "From a@b Thu Jan  1 00:00:05 1970\nSubject: one\n\nx\n\nFrom a@b Thu Jan  1 00:00:06 1970\nSubject: two\n\ny\n\n"

static void mail_goes_in_and_out(void **state)
{
	struct place place, other;
	uint64_t count;

	(void)state;
	directory = fixture_directory();
	place = place_at("anna", "/.lists.info");
	other = place_at("bert", "");
	write_mbox("in", TWO);
	must(place_import(&place, directory, source("mbox", "in"), &count, &fixture_err));
	assert_int_equal(count, 2);
	assert_int_equal(files("anna/.lists.info/new", geteuid()), 2);
	assert_int_equal(files("anna/.lists.info/tmp", geteuid()), 0);
	assert_int_equal(files("anna/new", geteuid()), 0);
	must(place_export(&place, directory, source("maildir", "out"), &count, &fixture_err));
	assert_int_equal(count, 2);
	assert_int_equal(files("out/new", geteuid()), 2);
	must(place_export(&other, directory, source("maildir", "none"), &count, &fixture_err));
	assert_int_equal(count, 0);	/* nobody has put mail there yet */
	assert_false(place_import(&other, directory, source("zip", "in"), &count, &fixture_err));
	assert_int_equal(count, 0);
	fixture_remove(directory);
}

/* What came before the one that failed stays, and is counted. */
static void a_failure_says_how_far_it_came(void **state)
{
	char path[200];
	struct place place;
	uint64_t count;

	(void)state;
	directory = fixture_directory();
	place = place_at("anna", "");
	write_mbox("1.eml", "one\n");
	(void)snprintf(path, sizeof path, "%s/2.eml", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "eml:%s", directory);
	assert_false(place_import(&place, directory, path, &count, &fixture_err));
	assert_int_equal(count, 1);
	assert_non_null(strstr(fixture_err.text, "after 1 messages"));
	assert_int_equal(files("anna/new", geteuid()), 1);
	fixture_remove(directory);
}

/* What root brings is the owner's, and only what the owner may do is done. */
static void what_root_brings_is_the_owners(void **state)
{
	enum { NOBODY = 65534 };
	char path[200];
	struct place place, folder;
	uint64_t count;

	(void)state;
	if (geteuid() != 0)
		skip();
	directory = fixture_directory();
	assert_int_equal(chmod(directory, 0711), 0);
	place = place_at("anna", "");
	folder = place_at("anna", "/.old");
	write_mbox("in", TWO);
	assert_int_equal(mkdir(place.path, 0700), 0);
	assert_int_equal(chown(place.path, NOBODY, NOBODY), 0);
	must(place_import(&place, directory, source("mbox", "in"), &count, &fixture_err));
	must(place_import(&folder, directory, source("mbox", "in"), &count, &fixture_err));
	assert_int_equal(files("anna/new", NOBODY), 2);
	assert_int_equal(files("anna/.old/new", NOBODY), 2);
	assert_int_equal(files("anna/.old/tmp", NOBODY), 0);
	(void)snprintf(path, sizeof path, "%s/anna/new", directory);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chmod(path, 0755), 0);
	assert_false(place_import(&place, directory, source("mbox", "in"), &count, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	write_mbox("root's", "root is root again");
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_goes_in_and_out),
		cmocka_unit_test(a_failure_says_how_far_it_came),
		cmocka_unit_test(what_root_brings_is_the_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
