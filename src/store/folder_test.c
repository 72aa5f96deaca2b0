/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/fixture.h"

enum { NOW = 1795662735 };

#define STAMP "2026-11-26.031215"

static const uint8_t tag[8] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef }, other_tag[8] = { 1 };
static char path[128], name[MAILDIR_NAME_MAX];

static struct folder *opened(void)
{
	struct folder *f;

	(void)snprintf(path, sizeof path, "%s/out/mail", fixture_directory());
	must(folder_open(path, &f, &fixture_err));
	return f;
}

static void closed(struct folder *f)
{
	folder_close(&f);
	assert_null(f);
	*strstr(path, "/out") = '\0';
	fixture_remove(path);
}

static bool there(const char *file)
{
	char whole[512];

	(void)snprintf(whole, sizeof whole, "%s/%s", path, file);
	return access(whole, F_OK) == 0;
}

static void put(const char *file)
{
	char whole[512];
	int fd;

	(void)snprintf(whole, sizeof whole, "%s/%s", path, file);
	fd = open(whole, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
}

static void written(struct folder *f, const uint8_t whose[8], const char *prefix, int64_t now)
{
	static const char *const suffixes[] = { "eml", "1.a b.pdf", FOLDER_INDEX };

	must(folder_begin(f, whose, prefix, now, name, &fixture_err));
	for (size_t n = 0; n < COUNT(suffixes); n++) {
		char file[FOLDER_FILE_MAX];
		int fd = folder_create(f, suffixes[n], file, &fixture_err);

		must(fd >= 0);
		assert_int_equal(write(fd, "x", 1), 1);
		must(folder_finish(f, fd, &fixture_err));
	}
	must(folder_written(f, &fixture_err));
}

static void step_by_step([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	struct stat st;

	written(f, tag, "mail", NOW);
	assert_string_equal(name, "mail." STAMP "_0123456789abcdef");
	assert_true(folder_is_of(name, tag));
	assert_false(folder_is_of(name, other_tag));
	assert_true(folder_waits(f, name));
	assert_false(folder_has(f, name));
	assert_false(there("mail." STAMP ".eml"));
	must(folder_place(f, name, &fixture_err));
	assert_false(folder_waits(f, name));
	assert_true(folder_has(f, name));
	assert_true(there("mail." STAMP ".eml") && there("mail." STAMP ".1.a b.pdf") && there("mail." STAMP ".json"));
	assert_false(there(".tmp/mail." STAMP));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_false(folder_place(f, name, &fixture_err));	/* a second time it is not there */
	closed(f);
}

/* In one second, over the hands of several, and never one that is there. */
static void names_are_never_given_twice([[maybe_unused]] void **state)
{
	struct folder *f = opened(), *second;
	char first[MAILDIR_NAME_MAX];

	put("n." STAMP "#2.eml");
	must(folder_open(path, &second, &fixture_err));
	written(f, tag, "n", NOW);
	assert_string_equal(name, "n." STAMP "_0123456789abcdef");
	(void)snprintf(first, sizeof first, "%s", name);
	written(second, other_tag, "n", NOW);
	assert_string_equal(name, "n." STAMP "#3_0100000000000000");
	must(folder_place(second, name, &fixture_err));
	must(folder_place(f, first, &fixture_err));
	written(f, tag, "n", NOW);
	assert_string_equal(name, "n." STAMP "#4_0123456789abcdef");
	folder_abandon(f, name);
	assert_false(there(".tmp/n." STAMP "#4"));
	written(f, tag, "n", NOW);		/* nor one of before, though it is not there any more */
	assert_string_equal(name, "n." STAMP "#5_0123456789abcdef");
	written(f, tag, "n", NOW + 1);
	assert_string_equal(name, "n.2026-11-26.031216_0123456789abcdef");
	folder_close(&second);
	closed(f);
}

/* Nothing is replaced, whoever put it there; and then the index does not come either. */
static void what_is_there_stays([[maybe_unused]] void **state)
{
	struct folder *f = opened();

	written(f, tag, "s", NOW);
	put("s." STAMP ".1.a b.pdf");
	assert_false(folder_place(f, name, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "a b.pdf"));
	assert_false(there("s." STAMP ".json"));
	assert_true(folder_waits(f, name));
	closed(f);
}

/* A kill after each step of placing, as the next life finds it. */
static void after_a_crash([[maybe_unused]] void **state)
{
	static const char *const files[] = { "c." STAMP ".eml", "c." STAMP ".1.a b.pdf", "c." STAMP ".json" };

	for (size_t moved = 0; moved <= COUNT(files); moved++) {
		struct folder *f = opened();

		written(f, tag, "c", NOW);
		for (size_t n = 0; n < moved; n++) {
			char from[512], to[512];

			(void)snprintf(from, sizeof from, "%s/.tmp/c." STAMP "/%s", path, files[n]);
			(void)snprintf(to, sizeof to, "%s/%s", path, files[n]);
			assert_int_equal(rename(from, to), 0);
			if (moved == COUNT(files))
				assert_int_equal(unlink(to), 0);	/* and somebody took it away at once */
		}
		folder_close(&f);
		must(folder_open(path, &f, &fixture_err));
		must(folder_place_again(f, name, &fixture_err));
		for (size_t n = 0; n < COUNT(files); n++)
			assert_int_equal(there(files[n]), moved < COUNT(files));
		assert_false(there(".tmp/c." STAMP));
		must(folder_place_again(f, name, &fixture_err));	/* as often as one likes */
		closed(f);
	}
}

/* Both names of one file: a power cut on a file system that renames in two steps. */
static void one_file_by_two_names([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	char from[512], to[512];

	written(f, tag, "l", NOW);
	(void)snprintf(from, sizeof from, "%s/.tmp/l." STAMP "/l." STAMP ".eml", path);
	(void)snprintf(to, sizeof to, "%s/l." STAMP ".eml", path);
	assert_int_equal(link(from, to), 0);
	must(folder_place_again(f, name, &fixture_err));
	assert_true(there("l." STAMP ".eml") && there("l." STAMP ".json"));
	closed(f);
}

static void a_folder_that_went_away_proves_nothing([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	char moved[200];

	written(f, tag, "g", NOW);
	(void)snprintf(moved, sizeof moved, "%s.away", path);
	assert_int_equal(rename(path, moved), 0);
	fixture_remove(moved);
	assert_false(folder_place_again(f, name, &fixture_err));
	closed(f);
}

static void names_of_others_are_none([[maybe_unused]] void **state)
{
	static const char *const bad[] = { "", "_", "../x_0123456789abcdef", "a/b_0123456789abcdef", ".x_0123456789abcdef", "x_0123", "x",
		"_0123456789abcdef", "1795662735.M1P2Q3_0123456789abcdef.host,S=1,W=2" };
	struct folder *f = opened();

	for (size_t n = 0; n < COUNT(bad); n++) {
		assert_false(folder_place_again(f, bad[n], &fixture_err));
		assert_false(folder_place(f, bad[n], &fixture_err));
		assert_false(folder_waits(f, bad[n]) || folder_has(f, bad[n]) || folder_is_of(bad[n], tag));
	}
	closed(f);
}

static bool keep(void *user, const char *which)
{
	return strcmp(user, which) == 0;
}

static void a_sweep_takes_its_own([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	char kept[MAILDIR_NAME_MAX], swept[MAILDIR_NAME_MAX];

	written(f, tag, "w", NOW);
	(void)snprintf(kept, sizeof kept, "%s", name);
	written(f, tag, "w", NOW);
	(void)snprintf(swept, sizeof swept, "%s", name);
	written(f, other_tag, "w", NOW);
	put(".tmp/a file of somebody's");
	folder_sweep(f, tag, keep, kept);
	assert_true(folder_waits(f, kept) && folder_waits(f, name) && there(".tmp/a file of somebody's"));
	assert_false(folder_waits(f, swept));
	assert_false(there(".tmp/w." STAMP "#2"));
	closed(f);
}

/* Killed before a working folder had its tag, or after. */
static void a_sweep_takes_what_is_empty([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	char empty[512];

	(void)snprintf(empty, sizeof empty, "%s/.tmp/w." STAMP, path);
	assert_int_equal(mkdir(empty, 0700), 0);
	written(f, other_tag, "x", NOW);
	folder_sweep(f, tag, keep, name);
	assert_false(there(".tmp/w." STAMP));
	assert_true(folder_waits(f, name));
	closed(f);
}

/* The tag has such a beginning, too. */
static void a_prefix_may_begin_as_it_likes([[maybe_unused]] void **state)
{
	struct folder *f = opened();

	written(f, tag, "_x", NOW);
	must(folder_place(f, name, &fixture_err));
	assert_true(there("_x." STAMP ".eml") && there("_x." STAMP ".1.a b.pdf") && there("_x." STAMP ".json"));
	assert_false(there(".tmp/_x." STAMP));
	closed(f);
}

/* Placed, taken away, and within the second somebody else has got that beginning: his files are not ours. */
static void anothers_files_are_not_placed([[maybe_unused]] void **state)
{
	struct folder *f = opened();
	char ours[MAILDIR_NAME_MAX];

	written(f, other_tag, "c", NOW);
	(void)snprintf(ours, sizeof ours, "c." STAMP "_0123456789abcdef");
	assert_false(folder_waits(f, ours));
	must(folder_place_again(f, ours, &fixture_err));
	assert_false(there("c." STAMP ".json"));
	assert_true(folder_waits(f, name) && there(".tmp/c." STAMP "/c." STAMP ".eml"));
	closed(f);
}

static void errors_name_the_path([[maybe_unused]] void **state)
{
	struct folder *f = opened(), *bad = NULL;
	char file[300];

	(void)snprintf(file, sizeof file, "%s/file", path);
	put("file");
	assert_false(folder_open(file, &bad, &fixture_err));
	assert_null(bad);
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, file));
	closed(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(step_by_step),
		cmocka_unit_test(names_are_never_given_twice),
		cmocka_unit_test(what_is_there_stays),
		cmocka_unit_test(after_a_crash),
		cmocka_unit_test(one_file_by_two_names),
		cmocka_unit_test(a_folder_that_went_away_proves_nothing),
		cmocka_unit_test(names_of_others_are_none),
		cmocka_unit_test(a_sweep_takes_its_own),
		cmocka_unit_test(a_sweep_takes_what_is_empty),
		cmocka_unit_test(a_prefix_may_begin_as_it_likes),
		cmocka_unit_test(anothers_files_are_not_placed),
		cmocka_unit_test(errors_name_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
