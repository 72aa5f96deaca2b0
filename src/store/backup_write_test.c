/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/backup.h"
#include "store/digest.h"
#include "store/fixture.h"

enum { LARGE = 3 << 20 };

static struct store *filled(const char *directory, size_t messages)
{
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(LARGE);

	for (size_t n = 0; n < messages; n++) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(in);
		for (size_t at = 0; at < LARGE; at += 1 << 16) {
			struct store_done d;

			while (incoming_full(in) && store_wait(s))
				(void)store_next(s, &d);
			must(incoming_add(in, (struct span){ octets + at, 1 << 16 }, &fixture_err));
		}
		incoming_finish(&in, NULL, 1, 0, n + 1);
		assert_int_equal(fixture_drain(s), 1);
	}
	free(octets);
	return s;
}

static int new_file(const char *directory)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/out", directory);
	(void)unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void what_is_said_is_what_is_written(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory, 3);
	struct backup_progress progress = { 0 };
	struct backup_written w;
	struct digest *d = digest_new(&fixture_err);
	uint8_t sum[32];
	struct stat st;
	int fd = new_file(directory);
	void *at;

	(void)state;
	must(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, w.octets);
	assert_int_equal(atomic_load(&progress.octets), w.octets);
	assert_true(w.octets > 3 * LARGE && atomic_load(&progress.size) >= w.octets);
	assert_true(w.packed && w.began > 0);
	at = mmap(NULL, w.octets, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(at != MAP_FAILED);
	digest_add(d, (struct span){ at, w.octets });
	digest_end(d, sum);
	assert_memory_equal(sum, w.digest, sizeof sum);
	(void)munmap(at, w.octets);
	digest_free(&d);
	(void)close(fd);
	store_close(&s);
	fixture_remove(directory);
}

/* Each leaves the store as it was, and a good backup can be made after it. */
static void still_works(struct store *s, const char *directory)
{
	struct backup_progress progress = { 0 };
	struct backup_written w;
	int fd = new_file(directory);

	fixture_append(fixture_box(s, "anna/INBOX"), SPAN("still here\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	must(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	(void)close(fd);
}

static void a_full_disk_is_an_error(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory, 2);
	struct rlimit was, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	for (rlim_t limit = 0; limit <= 4 << 20; limit += 1 << 20) {
		struct backup_progress progress = { 0 };
		struct backup_written w;
		int fd = new_file(directory);
		bool good;

		small = (struct rlimit){ limit + 100, was.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		good = backup_write(store_engine(s), fd, &progress, &w, &fixture_err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
		assert_false(good);
		assert_int_equal(fixture_err.kind, ERR_LOCAL);
		assert_non_null(strstr(fixture_err.text, strerror(EFBIG)));
		(void)close(fd);
		still_works(s, directory);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void a_wrong_descriptor_is_an_error(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory, 1);
	struct backup_progress progress = { 0 };
	struct backup_written w;
	int fd = new_file(directory), pipes[2], readable;
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/out", directory);
	readable = open(path, O_RDONLY);
	assert_false(backup_write(store_engine(s), readable, &progress, &w, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_false(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	(void)close(fd);
	assert_false(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	assert_non_null(strstr(fixture_err.text, strerror(EBADF)));
	(void)close(readable);
	assert_int_equal(pipe(pipes), 0);
	assert_false(backup_write(store_engine(s), pipes[1], &progress, &w, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	still_works(s, directory);
	store_close(&s);
	fixture_remove(directory);
}

static void it_can_be_stopped(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory, 1);
	struct backup_progress progress = { .stop = true };
	struct backup_written w;
	int fd = new_file(directory);

	(void)state;
	assert_false(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "stopped"));
	assert_int_equal(atomic_load(&progress.octets), 0);
	(void)close(fd);
	still_works(s, directory);
	store_close(&s);
	fixture_remove(directory);
}

/* As in lmdb_copy_test.c: one page more than are used or free. */
static void a_store_that_lost_a_page_is_copied_whole(void **state)
{
	enum { META = 4096, LAST_PAGE = 16 + 24 + 96 };
	const char *directory = fixture_directory();
	struct store *s = filled(directory, 1);
	struct backup_progress progress = { 0 };
	struct backup_written w;
	struct engine *copy;
	struct stat st;
	char path[128];
	uint64_t last;
	int fd;

	(void)state;
	store_close(&s);
	(void)snprintf(path, sizeof path, "%s/store/data.mdb", directory);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = LAST_PAGE; at < 2 * META; at += META) {
		assert_int_equal(pread(fd, &last, sizeof last, at), sizeof last);
		last++;
		assert_int_equal(pwrite(fd, &last, sizeof last, at), sizeof last);
	}
	assert_int_equal(ftruncate(fd, st.st_size + META), 0);
	(void)close(fd);
	s = fixture_store(directory);
	fd = new_file(directory);
	must(backup_write(store_engine(s), fd, &progress, &w, &fixture_err));
	assert_false(w.packed);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, w.octets);
	(void)close(fd);
	store_close(&s);
	(void)snprintf(path, sizeof path, "%s/out", directory);
	must(engine_open_still(path, &copy, &fixture_err));
	engine_close(&copy);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_what_is_written),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(a_wrong_descriptor_is_an_error),
		cmocka_unit_test(it_can_be_stopped),
		cmocka_unit_test(a_store_that_lost_a_page_is_copied_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
