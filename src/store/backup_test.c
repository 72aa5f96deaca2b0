/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/killed.h"
#include "store/restore.h"
#include "store/seal.h"

enum { INSTANTS = 30 };

static const char *in(const char *directory, const char *name)
{
	static char path[2][256];
	static int turn;

	turn = !turn;
	assert_in_range(snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name), 1, sizeof path[turn] - 1);
	return path[turn];
}

static struct store *filled(const char *directory)
{
	struct store *s = fixture_store(directory);

	fixture_fill(s, fixture_box(s, "anna/INBOX"), 300);
	must(account_add(s, "bert", SPAN("a password"), true, &fixture_err));
	return s;
}

static bool make(struct store *s, const char *to, const char *state, bool *key, struct err *e)
{
	struct backup_progress progress = { 0 };
	struct backup_written w;
	struct backup *b;

	if (!backup_begin(to, &b, e))
		return false;
	if (backup_write(store_engine(s), backup_fd(b), &progress, &w, e))
		return backup_end(&b, &w, state, key, e);
	backup_abort(&b);
	return false;
}

static size_t files(const char *directory)
{
	DIR *d = opendir(directory);
	size_t n = 0;

	if (!d)
		return 0;
	for (const struct dirent *entry; (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void a_backup_is_whole_and_private(void **state)
{
	const char *directory = fixture_directory(), *to;
	struct backup_progress progress = { 0 };
	struct store *s = filled(directory);
	struct restored r;
	char made[256];
	bool key;

	(void)state;
	(void)snprintf(made, sizeof made, "%s/deep/er/backup", directory);
	to = made;
	must(make(s, to, directory, &key, &fixture_err));
	assert_true(key);
	assert_int_equal(files(to), 3);
	assert_int_equal(mode_of(to), 0700);
	assert_int_equal(mode_of(in(to, "data.mdb")), 0600);
	assert_int_equal(mode_of(in(to, "secret.key")), 0600);
	assert_int_equal(mode_of(in(to, "manifest")), 0600);
	must(restore_verify(to, &progress, &r, &fixture_err));
	assert_int_equal(r.audit.messages, 300);
	assert_true(r.key && r.manifest.made > 0);
	assert_string_equal(r.manifest.version, POSTRIDER_VERSION);
	assert_int_equal(files(to), 3);		/* looking leaves nothing behind */
	store_close(&s);
	fixture_remove(directory);
}

static void the_key_can_be_left_out(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct manifest m;
	bool key = true;

	(void)state;
	must(make(s, in(directory, "without"), NULL, &key, &fixture_err));
	assert_false(key);
	must(backup_manifest(in(directory, "without"), &m, &fixture_err));
	assert_false(m.key.there);
	assert_int_equal(files(in(directory, "without")), 2);
	/* One that is not there is not missed, one that cannot be is. */
	assert_int_equal(unlink(in(directory, "secret.key")), 0);
	must(make(s, in(directory, "none"), directory, &key, &fixture_err));
	assert_false(key);
	assert_int_equal(mkdir(in(directory, "secret.key"), 0700), 0);
	assert_false(make(s, in(directory, "broken"), directory, &key, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "--without-key"));
	assert_int_not_equal(access(in(directory, "broken"), F_OK), 0);
	store_close(&s);
	fixture_remove(directory);
}

static void the_place_must_be_new_or_empty(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct backup *b;
	bool key;

	(void)state;
	assert_int_equal(mkdir(in(directory, "empty"), 0755), 0);
	must(make(s, in(directory, "empty"), directory, &key, &fixture_err));
	assert_false(backup_begin(in(directory, "empty"), &b, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "it has a backup;"));
	assert_int_equal(unlink(in(directory, "empty/manifest")), 0);
	assert_false(backup_begin(in(directory, "empty"), &b, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "was cut off"));
	assert_false(backup_begin(directory, &b, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "is not empty;"));
	assert_false(backup_begin(in(directory, "run.lock"), &b, &fixture_err));
	/* One that was there stays there, empty, when nothing comes of it. */
	assert_int_equal(mkdir(in(directory, "stays"), 0700), 0);
	must(backup_begin(in(directory, "stays"), &b, &fixture_err));
	assert_int_equal(files(in(directory, "stays")), 1);
	backup_abort(&b);
	assert_null(b);
	assert_int_equal(files(in(directory, "stays")), 0);
	assert_int_equal(access(in(directory, "stays"), F_OK), 0);
	store_close(&s);
	fixture_remove(directory);
}

static void a_full_disk_leaves_nothing(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct rlimit was, small;
	bool key, good;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	small = (struct rlimit){ 8192, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	good = make(s, in(directory, "b"), directory, &key, &fixture_err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_false(good);
	assert_int_not_equal(access(in(directory, "b"), F_OK), 0);
	must(make(s, in(directory, "b"), directory, &key, &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

struct making {
	const char *state, *to;
};

static bool open_and_make(void *user)
{
	const struct making *m = user;
	struct store *s = fixture_store(m->state);
	struct err e;
	bool key, good = make(s, m->to, m->state, &key, &e);

	store_close(&s);
	return good;
}

/* Returns whether it is a whole backup; half of one is never taken for one. */
static bool whole(const char *to)
{
	struct backup_progress progress = { 0 };
	struct restored r;

	if (!restore_verify(to, &progress, &r, &fixture_err)) {
		assert_int_not_equal(access(in(to, "manifest"), F_OK), 0);
		return false;
	}
	assert_int_equal(r.audit.messages, 300);
	assert_true(r.key);
	return true;
}

static void one_that_was_killed_is_none(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct making m = { .state = directory };
	size_t calls = 0, good = 0;
	char to[256];

	(void)state;
	store_close(&s);
	(void)snprintf(to, sizeof to, "%s/b", directory);
	m.to = to;
	for (size_t step = 64; step; step /= 2)		/* how many there are */
		for (bool killed = true; killed; fixture_remove(to)) {
			killed = killed_at(calls + step, open_and_make, &m);
			calls += killed ? step : 0;
		}
	print_message("%zu system calls\n", calls);
	assert_true(calls > INSTANTS);
	for (size_t n = 0; n < INSTANTS; n++) {
		size_t at = n % 2 ? calls * n / INSTANTS + 1 : calls - n;

		(void)killed_at(at, open_and_make, &m);
		good += whole(to);
		fixture_remove(to);
		s = fixture_store(directory);
		assert_int_equal(mailbox_count(fixture_box(s, "anna/INBOX")), 300);
		store_close(&s);
	}
	print_message("%zu of %d were whole\n", good, INSTANTS);
	assert_true(good > 0 && good < INSTANTS);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backup_is_whole_and_private),
		cmocka_unit_test(the_key_can_be_left_out),
		cmocka_unit_test(the_place_must_be_new_or_empty),
		cmocka_unit_test(a_full_disk_leaves_nothing),
		cmocka_unit_test(one_that_was_killed_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
