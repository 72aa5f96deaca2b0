/* SPDX-License-Identifier: Apache-2.0 */
#include "store/restore.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/killed.h"
#include "store/seal.h"

enum { OLD = 300, MORE = 20, INSTANTS = 40 };

static struct backup_progress progress;

static const char *in(const char *directory, const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *at = path[turn++ % 4];

	assert_in_range(snprintf(at, sizeof path[0], "%s/%s", directory, name), 1, sizeof path[0] - 1);
	return at;
}

static void fill(struct store *s, size_t count)
{
	fixture_fill(s, fixture_box(s, "anna/INBOX"), count);
}

/* A state directory with OLD messages and a key, and their backup in DIRECTORY/backup. */
static const char *backed_up(void)
{
	static char state[64];
	struct backup_written w;
	struct backup *b;
	struct store *s;
	bool key;

	(void)snprintf(state, sizeof state, "%s", fixture_directory());
	s = fixture_store(in(state, "state"));
	fill(s, OLD);
	must(account_add(s, "bert", SPAN("a password"), true, &fixture_err));
	must(backup_begin(in(state, "backup"), &b, &fixture_err));
	must(backup_write(store_engine(s), backup_fd(b), &progress, &w, &fixture_err));
	must(backup_end(&b, &w, in(state, "state"), &key, &fixture_err));
	assert_true(key);
	fill(s, MORE);
	store_close(&s);
	return state;
}

static bool restored(const char *directory, const char *to, bool replace, struct restored *r)
{
	return restore_into(in(directory, "backup"), to, FIXTURE_MAP, replace, "test", &progress, r, &fixture_err);
}

static uint64_t count(const char *state)
{
	struct store *s = fixture_store(state);
	uint64_t n = mailbox_count(fixture_box(s, "anna/INBOX"));

	store_close(&s);
	return n;
}

static void it_is_the_store_of_then(void **state)
{
	const char *directory = backed_up();
	char to[256];
	struct restored r;
	struct stat st;

	(void)state;
	(void)snprintf(to, sizeof to, "%s/elsewhere/state", directory);
	must(restored(directory, to, false, &r));
	assert_int_equal(r.audit.messages, OLD);
	assert_string_equal(r.aside, "");
	assert_true(r.key);
	assert_int_equal(count(to), OLD);
	assert_int_equal(stat(in(to, "store/data.mdb"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in(to, "secret.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_not_equal(access(in(to, SETTLE_STAGE), F_OK), 0);
	fixture_remove(directory);
}

static void a_store_is_replaced_only_when_asked(void **state)
{
	const char *directory = backed_up();
	char to[256], aside[512];
	struct restored r;

	(void)state;
	(void)snprintf(to, sizeof to, "%s/state", directory);
	assert_false(restored(directory, to, false, &r));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "--replace"));
	assert_int_equal(count(to), OLD + MORE);
	must(restored(directory, to, true, &r));
	assert_int_equal(count(to), OLD);
	/* What was replaced is a store as it was, with its key: that can be put back by hand. */
	(void)snprintf(aside, sizeof aside, "%s/%s", to, r.aside);
	assert_int_equal(mkdir(in(directory, "other"), 0700), 0);
	assert_int_equal(rename(in(aside, "secret.key"), in(directory, "other/secret.key")), 0);
	assert_int_equal(rename(aside, in(directory, "other/store")), 0);
	assert_int_equal(count(in(directory, "other")), OLD + MORE);
	fixture_remove(directory);
}

static void no_unique_id_comes_again(void **state)
{
	const char *directory = backed_up();
	char to[256];
	uint64_t before[MORE], last = 0;
	struct restored r;
	struct store *s;

	(void)state;
	(void)snprintf(to, sizeof to, "%s/state", directory);
	s = fixture_store(to);
	for (size_t n = 0; n < MORE; n++)
		before[n] = fixture_entry(fixture_box(s, "anna/INBOX"), OLD + n).uid;
	store_close(&s);
	/* Twice within a second: the backup is the same, the unique-ids are not. */
	for (int round = 0; round < 3; round++) {
		must(restored(directory, to, true, &r));
		s = fixture_store(to);
		fill(s, MORE);
		for (size_t n = 0; n < MORE; n++) {
			uint64_t uid = fixture_entry(fixture_box(s, "anna/INBOX"), OLD + n).uid;

			for (size_t k = 0; k < MORE; k++)
				assert_true(uid != before[k]);
			assert_true(uid > last);
			last = uid;
		}
		store_close(&s);
	}
	fixture_remove(directory);
}

static void one_in_use_is_left_alone(void **state)
{
	const char *directory = backed_up();
	struct restored r;
	struct store *s;
	char to[256];

	(void)state;
	(void)snprintf(to, sizeof to, "%s/state", directory);
	s = fixture_store(to);
	assert_false(restored(directory, to, true, &r));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	assert_int_not_equal(access(in(to, SETTLE_STAGE), F_OK), 0);
	store_close(&s);
	assert_int_equal(count(to), OLD + MORE);
	fixture_remove(directory);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c = 0;

	assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	(void)close(fd);
}

static void break_store(const char *backup)
{
	flip(in(backup, "data.mdb"), 20000);
}

static void break_key(const char *backup)
{
	flip(in(backup, "secret.key"), 0);
}

static void break_manifest(const char *backup)
{
	flip(in(backup, "manifest"), 100);
}

static void cut_store(const char *backup)
{
	assert_int_equal(truncate(in(backup, "data.mdb"), 8192), 0);
}

static void lengthen_store(const char *backup)
{
	struct stat st;

	assert_int_equal(stat(in(backup, "data.mdb"), &st), 0);
	assert_int_equal(truncate(in(backup, "data.mdb"), st.st_size + 1), 0);
}

static void lose_store(const char *backup)
{
	assert_int_equal(unlink(in(backup, "data.mdb")), 0);
}

static void lose_key(const char *backup)
{
	assert_int_equal(unlink(in(backup, "secret.key")), 0);
}

static void lose_manifest(const char *backup)
{
	assert_int_equal(unlink(in(backup, "manifest")), 0);
}

static void a_damaged_backup_changes_nothing(void **state)
{
	static const struct row {
		void (*breaks)(const char *backup);
		const char *says;
	} rows[] = {
		{ break_store, "SHA-256" }, { break_key, "SHA-256" }, { break_manifest, "manifest" }, { cut_store, "8192 octets" },
		{ lengthen_store, "octets" }, { lose_store, "data.mdb" }, { lose_key, "secret.key" }, { lose_manifest, "no backup" },
	};

	(void)state;
	for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
		const char *directory = backed_up();
		struct restored r;
		char to[256];

		(void)snprintf(to, sizeof to, "%s/state", directory);
		row->breaks(in(directory, "backup"));
		assert_false(restore_verify(in(directory, "backup"), &progress, &r, &fixture_err));
		assert_non_null(strstr(fixture_err.text, row->says));
		assert_false(restored(directory, to, true, &r));
		assert_non_null(strstr(fixture_err.text, row->says));
		assert_int_not_equal(access(in(to, SETTLE_STAGE), F_OK), 0);
		assert_int_equal(count(to), OLD + MORE);
		fixture_remove(directory);
	}
}

static void a_full_disk_changes_nothing(void **state)
{
	const char *directory = backed_up();
	struct rlimit was, small = { 8192, 0 };
	struct restored r;
	char to[256];
	bool good;

	(void)state;
	(void)snprintf(to, sizeof to, "%s/state", directory);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	small.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	good = restored(directory, to, true, &r);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_false(good);
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_int_not_equal(access(in(to, SETTLE_STAGE), F_OK), 0);
	assert_int_equal(count(to), OLD + MORE);
	must(restored(directory, to, true, &r));
	fixture_remove(directory);
}

static void the_key_comes_with_its_store(void **state)
{
	const char *directory = backed_up();
	char to[256], secret[SEAL_SECRET_MAX], sealed[SEAL_MAX];
	struct restored r;
	struct seal *seal;
	size_t len, sealed_len;

	(void)state;
	(void)snprintf(to, sizeof to, "%s/state", directory);
	seal = seal_new(to);
	must(seal_close(seal, "bert", SPAN("hidden"), sealed, &sealed_len, &fixture_err));
	seal_free(&seal);
	assert_int_equal(unlink(in(to, "secret.key")), 0);
	must(restored(directory, to, true, &r));
	assert_true(r.key);
	seal = seal_new(to);
	assert_true(seal_open(seal, "bert", (struct span){ sealed, sealed_len }, secret, &len));
	seal_free(&seal);
	fixture_remove(directory);
}

static bool run_restore(void *user)
{
	struct restored r;

	return restored(user, in(user, "state"), true, &r);
}

/* Returns whether it is the backup's store; there is nothing between the two. */
static bool judged(const char *directory)
{
	uint64_t n = count(in(directory, "state"));

	if (n != OLD && n != OLD + MORE)
		fail_msg("%llu messages", (unsigned long long)n);
	assert_int_not_equal(access(in(directory, "state/" SETTLE_STAGE), F_OK), 0);
	return n == OLD;
}

static void killed_at_any_instant_it_is_the_old_or_the_new(void **state)
{
	size_t calls = 0, new = 0, judgements = INSTANTS;

	(void)state;
	for (size_t step = 128; step; step /= 2) {
		bool killed = true;

		while (killed) {
			const char *directory = backed_up();

			killed = killed_at(calls + step, run_restore, (void *)(uintptr_t)directory);
			calls += killed ? step : 0;
			new += judged(directory);
			judgements++;
			fixture_remove(directory);
		}
	}
	print_message("%zu system calls\n", calls);
	for (size_t n = 0; n < INSTANTS; n++) {
		const char *directory = backed_up();

		(void)killed_at(n % 2 ? calls * n / INSTANTS + 1 : calls - 2 * n, run_restore, (void *)(uintptr_t)directory);
		new += judged(directory);
		fixture_remove(directory);
	}
	print_message("%zu times the new one\n", new);
	assert_true(new > 5 && judgements - new > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_store_of_then),
		cmocka_unit_test(a_store_is_replaced_only_when_asked),
		cmocka_unit_test(no_unique_id_comes_again),
		cmocka_unit_test(one_in_use_is_left_alone),
		cmocka_unit_test(a_damaged_backup_changes_nothing),
		cmocka_unit_test(a_full_disk_changes_nothing),
		cmocka_unit_test(the_key_comes_with_its_store),
		cmocka_unit_test(killed_at_any_instant_it_is_the_old_or_the_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
