/* SPDX-License-Identifier: Apache-2.0
 *
 * preadv2 and syscall are wrapped, so that a kernel that cannot promise not to wait is there too. */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "store/mdir_fixture.h"
#include "store/mdir_inside.h"

enum { LARGE = 300000 };

static int no_nowait, no_cached;		/* the errno that they say */
static unsigned nowaits;

ssize_t __real_preadv64v2(int fd, const struct iovec *into, int count, off_t from, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *into, int count, off_t from, int flags);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

ssize_t __wrap_preadv64v2(int fd, const struct iovec *into, int count, off_t from, int flags)
{
	nowaits++;
	assert_true(flags & RWF_NOWAIT);
	if (no_nowait) {
		errno = no_nowait;
		return no_nowait < 0 ? 0 : -1;		/* 0: as Linux 5.9 */
	}
	return __real_preadv64v2(fd, into, count, from, flags);
}

long __wrap_syscall(long number, ...)
{
	long a[4];
	va_list all;

	va_start(all, number);
	for (size_t n = 0; n < COUNT(a); n++)
		a[n] = va_arg(all, long);
	va_end(all);
	if (number == SYS_openat2 && no_cached) {
		errno = no_cached;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

struct taker {
	struct fixture_text text;
	size_t step, calls, touches;
};

/* At most `step` octets a call, and every third time none. */
static size_t take(void *user, struct span octets)
{
	struct taker *t = user;

	assert_true(octets.len);
	if (t->calls++ % 3 == 2)
		return 0;
	if (octets.len > t->step)
		octets.len = t->step;
	(void)fixture_collect(&t->text, octets);
	return octets.len;
}

static size_t take_none(void *user, struct span octets)
{
	(void)user;
	(void)octets;
	return 0;
}

/* As a session does it: what is absent is touched, and asked for again without waiting.  A touch that brings nothing
 * would be an endless loop. */
static enum maildrop_got go_on(const struct maildrop *drop, struct maildrop_reading *r, bool wait, struct taker *t)
{
	for (unsigned absent = 0;;) {
		enum maildrop_got got = maildrop_piece(drop, r, wait, take, t);

		if (got == MAILDROP_ABSENT) {
			assert_false(wait);
			assert_true(++absent < 2);
			t->touches++;
			maildrop_touch(drop, r, 100000);
		} else if (got == MAILDROP_MORE) {
			absent = 0;
		} else {
			return got;
		}
	}
}

static enum maildrop_got read_all(const struct maildrop *drop, uint32_t number, bool wait, struct taker *t)
{
	struct maildrop_reading r;

	maildrop_start(drop, number, &r);
	return go_on(drop, &r, wait, t);
}

/* It is GONE, and `most` octets were given out at most. */
static void is_gone(const struct maildrop *drop, uint32_t number, bool wait, size_t most)
{
	struct taker t = { .step = 1 << 20 };

	assert_int_equal(read_all(drop, number, wait, &t), MAILDROP_GONE);
	assert_true(t.text.len <= most);
	free(t.text.at);
}

static void comes(struct maildrop *drop, uint32_t number, bool wait, size_t step, struct span want)
{
	struct taker t = { .step = step };
	const struct drop_message *m = &maildrop_messages(drop)[number - 1];

	assert_int_equal(read_all(drop, number, wait, &t), MAILDROP_END);
	assert_int_equal(t.text.len, want.len);
	if (want.len)
		assert_memory_equal(t.text.at, want.at, want.len);
	assert_int_equal(drop_octets(m), want.len + (drop_flags(m) & DROP_NO_END ? 2 : 0));
	free(t.text.at);
}

/* Lines of `LARGE` octets in all, and the same with CRLF. */
static struct span large_file(void)
{
	static char octets[LARGE];

	for (size_t n = 0; n < LARGE; n++)
		octets[n] = n % 71 == 70 || n == LARGE - 1 ? '\n' : (char)('a' + n % 23);
	return (struct span){ octets, LARGE };
}

static struct span large_sent(void)
{
	static char octets[2 * LARGE];
	struct span in = large_file();
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '\n')
			octets[n++] = '\r';
		octets[n++] = in.at[i];
	}
	return (struct span){ octets, n };
}

static void others_files_go_out_with_crlf([[maybe_unused]] void **state)
{
	static const struct row { const char *name; struct span file, want; } rows[] = {
		{ "new/1", SPAN(""), SPAN("") },
		{ "new/2", SPAN("a"), SPAN("a") },
		{ "cur/3:2,", SPAN("a\nb\n\nc\n"), SPAN("a\r\nb\r\n\r\nc\r\n") },
		{ "cur/4:2,FS", SPAN("a\r\nb\nc\r\n"), SPAN("a\r\nb\r\nc\r\n") },
		{ "new/5", SPAN("a\r"), SPAN("a\r") },
		{ "new/6", SPAN("\n"), SPAN("\r\n") },
		{ "new/7", SPAN("\0\n\r\r\n\0"), SPAN("\0\r\n\r\r\n\0") },
		{ "new/8", SPAN("a\nb"), SPAN("a\r\nb") },
	};
	struct box_of_others b = others_start();
	size_t descriptors = others_descriptors();
	struct maildrop *drop;

	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		others_put(&b, r->name, r->file);
	others_put(&b, "new/9", large_file());
	drop = others_open(&b);
	assert_int_equal(maildrop_count(drop), COUNT(rows) + 1);
	for (int wait = 0; wait < 2; wait++) {
		for (uint32_t n = 1; n <= COUNT(rows); n++)
			for (size_t step = 1; step < 10; step++)
				comes(drop, n, wait, step, rows[n - 1].want);
		for (size_t step = 1 << 20; step > 500; step /= 3)
			comes(drop, COUNT(rows) + 1, wait, step, large_sent());
	}
	assert_int_equal(others_descriptors(), descriptors);
	maildrop_close(&drop);
	others_end(&b);
}

/* Nothing may be read twice to be converted, whatever the socket takes: the place in the file is exact. */
static void a_socket_may_take_as_little_as_it_likes([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	char text[200];
	size_t n = 0;
	struct maildrop *drop;

	for (size_t i = 0; i < 100; i++)
		text[n++] = i % 3 ? '\n' : '\r';
	others_put(&b, "new/1", (struct span){ text, n });
	drop = others_open(&b);
	for (size_t step = 1; step < 40; step++) {
		char want[300];
		size_t w = 0;

		for (size_t i = 0; i < n; i++) {
			if (text[i] == '\n' && text[i - 1] != '\r')
				want[w++] = '\r';
			want[w++] = text[i];
		}
		comes(drop, 1, step % 2, step, (struct span){ want, w });
	}
	maildrop_close(&drop);
	others_end(&b);
}

static void a_file_that_was_renamed_is_found([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop *drop;
	struct taker t = { .step = 100 };

	others_put(&b, "new/1.host", SPAN("a\n"));
	others_put(&b, "new/2.host", SPAN("b\n"));
	others_put(&b, "cur/3.host:2,", SPAN("c\n"));
	drop = others_open(&b);
	others_rename(&b, "new/1.host", "cur/1.host:2,");
	others_rename(&b, "cur/3.host:2,", "cur/3.host:2,FS");
	comes(drop, 1, true, 100, SPAN("a\r\n"));
	assert_int_equal(read_all(drop, 3, false, &t), MAILDROP_END);
	assert_int_equal(t.touches, 1);		/* a folder is not listed by who may not wait */
	free(t.text.at);
	comes(drop, 2, false, 100, SPAN("b\r\n"));
	others_rename(&b, "cur/1.host:2,", "cur/1.host:2,S");		/* and once more */
	comes(drop, 1, false, 100, SPAN("a\r\n"));
	maildrop_close(&drop);
	others_end(&b);
}

static void a_file_that_was_removed_is_gone([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	size_t descriptors = others_descriptors();
	struct maildrop *drop;

	others_put(&b, "new/1", SPAN("a\n"));
	others_put(&b, "new/2", SPAN("b\n"));
	others_put(&b, "cur/3:2,", SPAN("c\n"));
	drop = others_open(&b);
	others_remove(&b, "new/1");
	others_remove(&b, "cur/3:2,");
	is_gone(drop, 1, false, 0);
	is_gone(drop, 1, true, 0);
	is_gone(drop, 3, true, 0);
	is_gone(drop, 3, false, 0);
	comes(drop, 2, false, 1, SPAN("b\r\n"));
	assert_int_equal(others_descriptors(), descriptors);
	maildrop_close(&drop);
	others_end(&b);
}

/* What has begun comes whole, whatever others do with its name; its descriptor ends with the maildrop or mdir_stop. */
static void amid_a_message_its_name_does_not_matter([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	size_t descriptors = others_descriptors();
	struct maildrop_reading r;
	struct taker t = { .step = 1000 };
	struct maildrop *drop;

	others_put(&b, "new/1", large_file());
	others_put(&b, "new/2", large_file());
	drop = others_open(&b);
	maildrop_start(drop, 1, &r);
	assert_int_equal(maildrop_piece(drop, &r, false, take, &t), MAILDROP_MORE);
	others_remove(&b, "new/1");
	assert_int_equal(go_on(drop, &r, false, &t), MAILDROP_END);
	assert_true(span_equal((struct span){ t.text.at, t.text.len }, large_sent()));
	assert_int_equal(others_descriptors(), descriptors);
	free(t.text.at);
	maildrop_start(drop, 2, &r);
	assert_int_equal(maildrop_piece(drop, &r, true, take_none, NULL), MAILDROP_MORE);
	assert_int_equal(others_descriptors(), descriptors + 1);
	maildrop_stop(drop);
	assert_int_equal(others_descriptors(), descriptors);
	assert_int_equal(maildrop_piece(drop, &r, true, take_none, NULL), MAILDROP_MORE);
	maildrop_close(&drop);
	assert_int_equal(others_descriptors(), descriptors);
	others_end(&b);
}

/* Another one that is asked for takes the descriptor's place. */
static void one_file_is_open_at_most([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	size_t descriptors = others_descriptors();
	struct maildrop *drop;

	others_put(&b, "new/1", large_file());
	others_put(&b, "new/2", large_file());
	drop = others_open(&b);
	for (uint32_t n = 0; n < 10; n++) {
		struct maildrop_reading r;

		maildrop_start(drop, 1 + n % 2, &r);
		maildrop_touch(drop, &r, 1000);
		assert_int_equal(maildrop_piece(drop, &r, false, take_none, NULL), MAILDROP_MORE);
		assert_int_equal(others_descriptors(), descriptors + 1);
	}
	comes(drop, 1, false, 1 << 20, large_sent());
	maildrop_close(&drop);
	others_end(&b);
}

/* The next ones are asked of the disk together: once each, not beyond the last, and no file of theirs stays open. */
static void the_next_ones_are_asked_for_too([[maybe_unused]] void **state)
{
	static const struct { uint32_t touched, ahead; } steps[] = { { 1, 34 }, { 2, 34 }, { 17, 34 }, { 18, 51 }, { 40, 61 }, { 60, 61 }, { 3, 36 } };
	struct box_of_others b = others_start();
	size_t descriptors;
	struct maildrop *drop;
	char name[16];

	for (unsigned n = 1; n <= 60; n++) {
		(void)snprintf(name, sizeof name, "new/%u", 100 + n);
		others_put(&b, name, SPAN("a\n"));
	}
	drop = others_open(&b);
	descriptors = others_descriptors();
	for (size_t n = 0; n < COUNT(steps); n++) {
		struct maildrop_reading r;

		maildrop_start(drop, steps[n].touched, &r);
		maildrop_touch(drop, &r, 1000);
		if (drop->mdir->ahead != steps[n].ahead)
			fail_msg("step %zu: %u", n, drop->mdir->ahead);
		assert_int_equal(others_descriptors(), descriptors + 1);
	}
	maildrop_close(&drop);
	others_end(&b);
}

/* The size that was announced is kept, or nothing comes; never a false end. */
static void a_file_of_another_size_is_gone([[maybe_unused]] void **state)
{
	static const struct row { struct span was, is, want; } rows[] = {
		{ SPAN("a\nb\n"), SPAN("a\nb"), SPAN("a\r\nb\r\n") },
		{ SPAN("a\nb\n"), SPAN(""), SPAN("a\r\nb\r\n") },
		{ SPAN("a\nb\n"), SPAN("a\nb\nc\n"), SPAN("a\r\nb\r\n") },
		{ SPAN("a\nb\n"), SPAN("a\nbb"), SPAN("a\r\nb\r\n") },
		{ SPAN("a\nb"), SPAN("a\n\n"), SPAN("a\r\nb") },
		{ SPAN("a\nb\n"), SPAN("a\nbcd\n"), SPAN("a\r\nb\r\n") },
		{ SPAN("a\nb\n"), SPAN("a\r\nb\n\n"), SPAN("a\r\nb\r\n") },
		{ SPAN("a"), SPAN("aaa"), SPAN("a") },
		{ SPAN("\n\n"), SPAN("abcd"), SPAN("\r\n\r\n") },
		{ SPAN("abcd\n"), SPAN("\n\n\n\n"), SPAN("abcd\r\n") },
	};
	struct box_of_others b = others_start();
	struct maildrop *drop;

	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (int wait = 0; wait < 2; wait++) {
			char name[32];		/* of a name's message the size is known */

			(void)snprintf(name, sizeof name, "new/%d%d", (int)(r - rows), wait);
			others_put(&b, name, r->was);
			drop = others_open(&b);
			others_put(&b, name, r->is);
			is_gone(drop, 1, wait, 0);
			others_put(&b, name, r->was);
			maildrop_stop(drop);
			comes(drop, 1, wait, 1, r->want);
			maildrop_close(&drop);
			others_remove(&b, name);
		}
	others_end(&b);
}

static void a_file_cut_while_it_is_sent_ends_falsely_nowhere([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop_reading r;
	struct maildrop *drop;

	for (int wait = 0; wait < 2; wait++) {
		struct taker t = { .step = 1 << 20 };

		others_put(&b, "new/1", large_file());
		drop = others_open(&b);
		maildrop_start(drop, 1, &r);
		assert_int_equal(maildrop_piece(drop, &r, wait, take, &t), MAILDROP_MORE);
		assert_int_equal(truncate(others_path(&b, "new/1"), LARGE / 2), 0);
		assert_int_equal(go_on(drop, &r, wait, &t), MAILDROP_GONE);
		assert_true(t.text.len < LARGE);
		free(t.text.at);
		maildrop_close(&drop);
	}
	others_end(&b);
}

static void what_is_no_file_is_gone([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop *drop;

	for (int wait = 0; wait < 2; wait++)
		for (int what = 0; what < 3; what++) {
			others_put(&b, "new/1", SPAN("a\n"));
			others_put(&b, "tmp/1", SPAN("a\n"));
			drop = others_open(&b);
			others_remove(&b, "new/1");
			switch (what) {
			case 0:
				assert_int_equal(mkfifo(others_path(&b, "new/1"), 0600), 0);		/* nobody writes: it would block */
				break;
			case 1:
				assert_int_equal(symlink("../tmp/1", others_path(&b, "new/1")), 0);	/* leads anywhere */
				break;
			case 2:
				assert_int_equal(mkdir(others_path(&b, "new/1"), 0700), 0);
				break;
			}
			is_gone(drop, 1, wait, 0);
			maildrop_close(&drop);
			assert_int_equal(remove(others_path(&b, "new/1")), 0);
		}
	others_end(&b);
}

/* A kernel that says neither what is in memory nor walks a path there alone: all goes by touches, and it goes on. */
static void without_help_of_the_kernel_it_goes_on([[maybe_unused]] void **state)
{
	static const int answers[] = { EOPNOTSUPP, EAGAIN, ENOSYS, -1 };
	struct box_of_others b = others_start();
	struct maildrop *drop;

	others_put(&b, "new/1", large_file());
	others_put(&b, "new/2", SPAN("a\n"));
	drop = others_open(&b);
	for (size_t n = 0; n < COUNT(answers); n++)
		for (int cached = 0; cached < 2; cached++) {
			struct taker t = { .step = 1 << 20 };

			no_nowait = answers[n];
			no_cached = cached ? 0 : ENOSYS;
			assert_int_equal(read_all(drop, 1, false, &t), MAILDROP_END);
			assert_true(t.touches >= 3 && t.touches < 6);
			assert_true(span_equal((struct span){ t.text.at, t.text.len }, large_sent()));
			free(t.text.at);
			comes(drop, 2, false, 1, SPAN("a\r\n"));
		}
	no_nowait = EIO;
	is_gone(drop, 2, false, 0);
	no_nowait = no_cached = 0;
	comes(drop, 1, false, 1 << 20, large_sent());
	maildrop_close(&drop);
	others_end(&b);
}

/* Dropped from the page cache, a file is not in memory until it is touched. */
static void what_is_on_the_disk_alone_is_told([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop_reading r;
	struct maildrop *drop;
	bool dropped;
	int fd;

	others_put(&b, "new/1", large_file());
	drop = others_open(&b);
	fd = open(others_path(&b, "new/1"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	(void)close(fd);
	maildrop_start(drop, 1, &r);
	nowaits = 0;
	dropped = maildrop_piece(drop, &r, false, take_none, NULL) == MAILDROP_ABSENT;
	assert_true(nowaits);
	if (!dropped)
		print_message("this file system has no page cache to be dropped\n");
	maildrop_touch(drop, &r, UINT64_MAX);
	assert_int_equal(maildrop_piece(drop, &r, false, take_none, NULL), MAILDROP_MORE);
	comes(drop, 1, false, 1 << 20, large_sent());
	maildrop_close(&drop);
	others_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_files_go_out_with_crlf),
		cmocka_unit_test(a_socket_may_take_as_little_as_it_likes),
		cmocka_unit_test(a_file_that_was_renamed_is_found),
		cmocka_unit_test(a_file_that_was_removed_is_gone),
		cmocka_unit_test(amid_a_message_its_name_does_not_matter),
		cmocka_unit_test(one_file_is_open_at_most),
		cmocka_unit_test(the_next_ones_are_asked_for_too),
		cmocka_unit_test(a_file_of_another_size_is_gone),
		cmocka_unit_test(a_file_cut_while_it_is_sent_ends_falsely_nowhere),
		cmocka_unit_test(what_is_no_file_is_gone),
		cmocka_unit_test(without_help_of_the_kernel_it_goes_on),
		cmocka_unit_test(what_is_on_the_disk_alone_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
