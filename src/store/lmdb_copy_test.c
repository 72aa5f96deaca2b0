/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "store/disk.h"
#include "store/fixture.h"
#include "store/lmdb.h"

enum { MANY = 3000 };

static struct engine *opened(const char *directory)
{
	struct engine *g;

	must(engine_open(directory, FIXTURE_MAP, &g, &fixture_err));
	return g;
}

static void put(struct engine *g, engine_part part, struct span key, struct span value)
{
	struct batch *b = batch_new(part);

	assert_true(batch_put(b, key, value));
	must(engine_commit_wait(g, &b, &fixture_err));
}

static void put_blob(struct engine *g, uint64_t blob, struct span octets)
{
	struct batch *b = batch_new(1);

	assert_true(batch_blob(b, blob, 0, octets));
	must(engine_commit_wait(g, &b, &fixture_err));
}

static const char *in(const char *directory, const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static bool write_on(void *user, struct span octets, struct err *e)
{
	assert_true(octets.len && octets.len <= ENGINE_COPY_MAX);
	return disk_write(*(int *)user, octets) ? true : err_errno(e, ERR_LOCAL, "cannot write");
}

/* A copy in DIRECTORY/copy/data.mdb. */
static void copy_into(struct engine *g, enum engine_copy how, const char *directory)
{
	int fd;

	(void)mkdir(in(directory, "copy"), 0700);
	fd = open(in(directory, "copy/data.mdb"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	must(engine_copy(g, how, write_on, &fd, &fixture_err));
	(void)close(fd);
}

static size_t count(struct engine *g, engine_part part)
{
	struct span key = { 0 }, value;
	struct view *v;
	size_t n = 0;

	must(view_begin(g, &v, &fixture_err));
	while (view_next(v, part, (struct span){ 0 }, &key, &value))
		n++;
	view_end(&v);
	return n;
}

static void a_copy_is_the_store(void **state)
{
	static const enum engine_copy hows[] = { ENGINE_COPY_PACKED, ENGINE_COPY_PAGES };
	char *octets = fixture_octets(ENGINE_PIECE_MAX);

	(void)state;
	for (size_t n = 0; n < COUNT(hows); n++) {
		const char *directory = fixture_directory();
		struct engine *g = opened(directory), *copy;
		struct span value;
		struct view *v;
		struct stat st;

		put(g, 1, SPAN("k"), SPAN("one"));
		put_blob(g, 7, (struct span){ octets, ENGINE_PIECE_MAX });
		copy_into(g, hows[n], directory);
		put(g, 1, SPAN("k"), SPAN("later"));
		assert_int_equal(stat(in(directory, "copy/data.mdb"), &st), 0);
		if (hows[n] == ENGINE_COPY_PAGES)
			assert_true((uint64_t)st.st_size <= engine_size(g));
		must(engine_open_still(in(directory, "copy/data.mdb"), &copy, &fixture_err));
		must(view_begin(copy, &v, &fixture_err));
		assert_true(view_get(v, 1, SPAN("k"), &value) && span_equal(value, SPAN("one")));
		assert_true(view_blob(v, 1, 7, 0, &value) && span_equal(value, (struct span){ octets, ENGINE_PIECE_MAX }));
		view_end(&v);
		assert_false(engine_damaged(copy));
		engine_close(&copy);
		assert_int_not_equal(access(in(directory, "copy/lock.mdb"), F_OK), 0);
		copy = opened(in(directory, "copy"));
		put(copy, 2, SPAN("k"), SPAN("two"));
		engine_close(&copy);
		engine_close(&g);
		fixture_remove(directory);
	}
	free(octets);
}

static bool holds(const char *path, const char *word)
{
	struct buf all;
	FILE *f = fopen(path, "r");
	size_t got;
	bool there;

	buf_start(&all, 64 << 20);
	assert_non_null(f);
	do {
		char *at = buf_room(&all, 1 << 16);

		assert_non_null(at);
		got = fread(at, 1, 1 << 16, f);
		all.len += got;
	} while (got);
	(void)fclose(f);
	there = memmem(all.at, all.len, word, strlen(word));
	buf_end(&all);
	return there;
}

static void a_packed_copy_has_nothing_that_was_removed(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory);
	struct batch *b = batch_new(1);

	(void)state;
	put_blob(g, 7, SPAN("a letter that was removed"));
	assert_true(batch_blob_remove(b, 7, 0, 1));
	must(engine_commit_wait(g, &b, &fixture_err));
	copy_into(g, ENGINE_COPY_PACKED, directory);
	assert_true(holds(in(directory, "data.mdb"), "a letter that was removed"));
	assert_false(holds(in(directory, "copy/data.mdb"), "a letter that was removed"));
	engine_close(&g);
	fixture_remove(directory);
}

struct writing {
	struct engine *engine;
	atomic_bool stop;
	atomic_size_t done;
};

static void *keep_writing(void *user)
{
	struct writing *w = user;

	for (size_t n = 0; !atomic_load(&w->stop); n++) {
		struct batch *b = batch_new(n % 2 + 1);
		char key[32];
		struct err e;

		/* Odd and even ones take turns: a copy has as many of both, or one more. */
		(void)snprintf(key, sizeof key, "%zu", n);
		if (!batch_put(b, span_of(key), span_of(key)) || !engine_commit_wait(w->engine, &b, &e))
			return "failed";
		atomic_store(&w->done, n + 1);
	}
	return NULL;
}

/* Takes its time, so that there is always something between two pieces. */
static bool write_slowly(void *user, struct span octets, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	(void)nanosleep(&pause, NULL);
	return write_on(user, octets, e);
}

static void a_copy_is_of_one_moment_while_commits_go_on(void **state)
{
	static const enum engine_copy hows[] = { ENGINE_COPY_PACKED, ENGINE_COPY_PAGES };
	char *octets = fixture_octets(ENGINE_PIECE_MAX);

	(void)state;
	for (size_t n = 0; n < COUNT(hows); n++) {
		const char *directory = fixture_directory();
		struct writing w = { .engine = opened(directory) };
		struct engine *copy;
		size_t before, after, even, odd;
		pthread_t thread;
		void *failed;
		int fd;

		for (uint64_t blob = 1; blob <= 16; blob++)
			put_blob(w.engine, blob, (struct span){ octets, ENGINE_PIECE_MAX });
		assert_int_equal(pthread_create(&thread, NULL, keep_writing, &w), 0);
		while (!atomic_load(&w.done))
			;
		before = atomic_load(&w.done);
		(void)mkdir(in(directory, "copy"), 0700);
		fd = open(in(directory, "copy/data.mdb"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		must(engine_copy(w.engine, hows[n], write_slowly, &fd, &fixture_err));
		after = atomic_load(&w.done);
		atomic_store(&w.stop, true);
		assert_int_equal(pthread_join(thread, &failed), 0);
		assert_null(failed);
		assert_true(after > before);
		(void)close(fd);
		must(engine_open_still(in(directory, "copy/data.mdb"), &copy, &fixture_err));
		even = count(copy, 1);
		odd = count(copy, 2);
		assert_true(even == odd || even == odd + 1);
		assert_true(even + odd >= before && even + odd <= after);
		engine_close(&copy);
		engine_close(&w.engine);
		fixture_remove(directory);
	}
	free(octets);
}

static bool refuse(void *user, struct span octets, struct err *e)
{
	size_t *left = user;

	if (*left < octets.len)
		return err_set(e, ERR_LOCAL, "the disk is full");
	*left -= octets.len;
	return true;
}

static void who_takes_no_more_ends_the_copy_and_nothing_else(void **state)
{
	static const enum engine_copy hows[] = { ENGINE_COPY_PACKED, ENGINE_COPY_PAGES };
	const char *directory = fixture_directory();
	struct engine *g = opened(directory);
	char *octets = fixture_octets(ENGINE_PIECE_MAX);

	(void)state;
	for (uint64_t blob = 1; blob <= 16; blob++)
		put_blob(g, blob, (struct span){ octets, ENGINE_PIECE_MAX });
	for (size_t n = 0; n < COUNT(hows); n++)
		for (size_t left = 0; left < 4 << 20; left += 1 << 20) {
			size_t has = left;

			assert_false(engine_copy(g, hows[n], refuse, &has, &fixture_err));
			assert_string_equal(fixture_err.text, "the disk is full");
			put(g, 1, SPAN("k"), SPAN("still"));
		}
	engine_close(&g);
	free(octets);
	fixture_remove(directory);
}

/* One more page than are used or free: both meta pages say so, at LMDB's mm_last_pg. */
static void leak_a_page(const char *path)
{
	enum { META = 4096, LAST_PAGE = 16 + 24 + 96 };
	int fd = open(path, O_RDWR);
	struct stat st;
	uint64_t last;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = LAST_PAGE; at < 2 * META; at += META) {
		assert_int_equal(pread(fd, &last, sizeof last, at), sizeof last);
		assert_true(last > 1 && last < 1000);
		last += 1;
		assert_int_equal(pwrite(fd, &last, sizeof last, at), sizeof last);
	}
	assert_int_equal(ftruncate(fd, st.st_size + META), 0);
	(void)close(fd);
}

static void a_store_that_lost_a_page_is_copied_by_pages(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory);
	size_t room = SIZE_MAX;

	(void)state;
	put(g, 1, SPAN("k"), SPAN("v"));
	engine_close(&g);
	leak_a_page(in(directory, "data.mdb"));
	g = opened(directory);
	assert_false(engine_copy(g, ENGINE_COPY_PACKED, refuse, &room, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	copy_into(g, ENGINE_COPY_PAGES, directory);
	engine_close(&g);
	must(engine_open_still(in(directory, "copy/data.mdb"), &g, &fixture_err));
	assert_int_equal(count(g, 1), 1);
	engine_close(&g);
	fixture_remove(directory);
}

static void put_many(struct engine *g)
{
	struct batch *b = batch_new(1);

	for (int n = 0; n < MANY; n++) {
		char key[16];

		(void)snprintf(key, sizeof key, "%d", n);
		assert_true(batch_put(b, span_of(key), SPAN("value")));
	}
	must(engine_commit_wait(g, &b, &fixture_err));
}

static void what_is_no_copy_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory), *copy = NULL;
	struct stat st;
	FILE *f;

	(void)state;
	put_many(g);
	engine_close(&g);
	assert_false(engine_open_still(in(directory, "none"), &copy, &fixture_err));
	f = fopen(in(directory, "text"), "w");
	assert_non_null(f);
	for (int n = 0; n < 10000; n++)
		(void)fputs("no store\n", f);
	(void)fclose(f);
	assert_false(engine_open_still(in(directory, "text"), &copy, &fixture_err));
	assert_int_equal(stat(in(directory, "data.mdb"), &st), 0);
	assert_int_equal(truncate(in(directory, "data.mdb"), st.st_size - 4096), 0);
	assert_false(engine_open_still(in(directory, "data.mdb"), &copy, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "shorter"));
	assert_null(copy);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_the_store),
		cmocka_unit_test(a_packed_copy_has_nothing_that_was_removed),
		cmocka_unit_test(a_copy_is_of_one_moment_while_commits_go_on),
		cmocka_unit_test(who_takes_no_more_ends_the_copy_and_nothing_else),
		cmocka_unit_test(a_store_that_lost_a_page_is_copied_by_pages),
		cmocka_unit_test(what_is_no_copy_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
