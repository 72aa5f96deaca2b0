/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildir.h"

#include <sys/stat.h>
#include <time.h>

#include "store/fixture.h"

static const uint8_t tag[8] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
static char path[128];

static struct maildir *opened(void)
{
	struct maildir *m;

	(void)snprintf(path, sizeof path, "%s/Mail/box", fixture_directory());
	must(maildir_open(path, &m, &fixture_err));
	return m;
}

static void closed(struct maildir *m)
{
	maildir_close(&m);
	assert_null(m);
	*strstr(path, "/Mail") = '\0';
	fixture_remove(path);
}

static struct spool *spooled(struct span a, struct span b)
{
	struct spool *s = spool_new("/tmp", &fixture_err);

	must(s && spool_add(s, a, &fixture_err) && spool_add(s, b, &fixture_err));
	return s;
}

static const char *in(const char *part, const char *name)
{
	static char whole[512];

	(void)snprintf(whole, sizeof whole, "%s/%s/%s", path, part, name);
	return whole;
}

static bool there(const char *part, const char *name)
{
	return access(in(part, name), F_OK) == 0;
}

static void file_is(const char *file, struct span want)
{
	char got[256];
	FILE *f = fopen(file, "r");
	size_t n;

	assert_non_null(f);
	n = fread(got, 1, sizeof got, f);
	(void)fclose(f);
	assert_int_equal(n, want.len);
	assert_memory_equal(got, want.at, n);
}

static void lines_end_with_lf_at_any_split(void **state)
{
	static const struct row { struct span message, file; size_t wide; } rows[] = {
		{ SPAN(""), SPAN(""), 0 },
		{ SPAN("a\r\nb\r\n"), SPAN("a\nb\n"), 6 },
		{ SPAN("a"), SPAN("a"), 1 },
		{ SPAN("\r\n\r\n"), SPAN("\n\n"), 4 },
		{ SPAN("a\rb\r\r\n"), SPAN("a\rb\r\n"), 6 },	/* a lone CR is an octet */
		{ SPAN("a\nb"), SPAN("a\nb"), 4 },		/* a lone LF ends a line for every reader */
		{ SPAN("a\r"), SPAN("a\r"), 2 },
		{ SPAN("\0\r\n\xff"), SPAN("\0\n\xff"), 4 },
	};
	struct maildir *m = opened();

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->message.len; cut++) {
			struct spool *s = spooled((struct span){ r->message.at, cut }, span_from(r->message, cut));
			char name[MAILDIR_NAME_MAX], sizes[64];

			must(maildir_write(m, s, tag, name, &fixture_err));
			file_is(in("tmp", name), r->file);
			(void)snprintf(sizes, sizeof sizes, ",S=%zu,W=%zu", r->file.len, r->wide);
			assert_string_equal(strchr(name, ','), sizes);
			spool_free(&s);
		}
	closed(m);
}

/* Spools hand out their file in pieces of their own: CRLF across those too. */
static void large_messages_are_written_whole(void **state)
{
	struct maildir *m = opened();
	struct spool *s = spool_new("/tmp", &fixture_err);
	char name[MAILDIR_NAME_MAX], line[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\r\n";
	struct stat st;
	enum { LINES = 12000 };

	(void)state;
	for (int n = 0; n < LINES; n++)
		must(spool_add(s, span_of(line), &fixture_err));
	must(maildir_write(m, s, tag, name, &fixture_err));
	assert_int_equal(stat(in("tmp", name), &st), 0);
	assert_int_equal(st.st_size, LINES * 64);
	assert_int_equal(st.st_mode & 0777, 0600);
	spool_free(&s);
	closed(m);
}

static void a_name_is_unique_and_tells_its_connection(void **state)
{
	struct maildir *m = opened();
	struct spool *s = spooled(SPAN("x"), SPAN(""));
	char one[MAILDIR_NAME_MAX], two[MAILDIR_NAME_MAX];

	(void)state;
	must(maildir_write(m, s, tag, one, &fixture_err));
	must(maildir_write(m, s, tag, two, &fixture_err));
	assert_string_not_equal(one, two);
	assert_non_null(strstr(one, "_0123456789abcdef."));
	assert_null(strpbrk(one, "/: "));
	assert_in_range(strlen(one), 1, MAILDIR_NAME_MAX - 1);
	spool_free(&s);
	closed(m);
}

static void moments_are_in_order(void **state)
{
	uint64_t last = maildir_moment();

	(void)state;
	for (int n = 0; n < 100000; n++) {
		uint64_t moment = maildir_moment();

		if (moment <= last)
			fail_msg("%llu comes behind %llu", (unsigned long long)moment, (unsigned long long)last);
		last = moment;
	}
	assert_in_range(last / 1000000, (uint64_t)time(NULL) - 60, (uint64_t)time(NULL) + 60);
}

/* Written later, by a thread that was late, it still stands in front. */
static void a_name_has_the_moment_that_was_given(void **state)
{
	static const struct row { uint64_t moment; const char *starts; } rows[] = {
		{ 1700000000000002, "1700000000.M000002P" }, { 1700000000000001, "1700000000.M000001P" }, { 1699999999999999, "1699999999.M999999P" },
	};
	struct spool *s = spooled(SPAN("x"), SPAN(""));
	struct maildir *m = opened();
	char name[MAILDIR_NAME_MAX];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		must(maildir_write_at(m, s, tag, r->moment, name, &fixture_err));
		assert_memory_equal(name, r->starts, strlen(r->starts));
		file_is(in("tmp", name), SPAN("x"));
	}
	spool_free(&s);
	closed(m);
}

static void a_host_s_name_is_made_harmless(void **state)
{
	static const struct row { const char *given, *want; } rows[] = {
		{ "mx1.example.org", "mx1.example.org" },
		{ "a/b:c", "a\\057b\\072c" },
		{ "a,S=1 \n", "a\\054S=1\\040\\012" },
		{ "_\xc3\xa4\\", "\\137\\303\\244\\134" },
		{ "", "" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", "012345678901234567890123456789012345678901234" },
		{ "////////////////", "\\057\\057\\057\\057\\057\\057\\057\\057\\057\\057\\057\\057" },
	};
	char got[MAILDIR_HOST_MAX + 1];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		maildir_host(r->given, got);
		assert_string_equal(got, r->want);
	}
}

static void placing_twice_is_placing_once(void **state)
{
	struct maildir *m = opened();
	struct spool *s = spooled(SPAN("x\r\n"), SPAN(""));
	char name[MAILDIR_NAME_MAX], read_name[MAILDIR_NAME_MAX + 8], from[512];

	(void)state;
	must(maildir_write(m, s, tag, name, &fixture_err));
	must(maildir_sync_tmp(m, &fixture_err));
	assert_false(maildir_has(m, name));
	must(maildir_place(m, name, &fixture_err));
	must(maildir_sync(m, &fixture_err));
	assert_true(there("new", name) && !there("tmp", name));
	assert_true(maildir_has(m, name));
	must(maildir_place_again(m, name, &fixture_err));	/* after a crash */
	(void)snprintf(read_name, sizeof read_name, "%s:2,RS", name);
	(void)snprintf(from, sizeof from, "%s", in("new", name));
	assert_int_equal(rename(from, in("cur", read_name)), 0);
	assert_true(maildir_has(m, name));
	must(maildir_place_again(m, name, &fixture_err));	/* and a reader was there */
	assert_false(there("new", name));
	assert_int_equal(unlink(in("cur", read_name)), 0);
	assert_false(maildir_has(m, name));
	must(maildir_place_again(m, name, &fixture_err));
	assert_false(maildir_waits(m, name));
	assert_false(maildir_place(m, name, &fixture_err));	/* without a crash, somebody took it away */
	spool_free(&s);
	closed(m);
}

/* tmp says nothing of what is in it: that is no delivery. */
static void who_cannot_be_seen_was_not_placed(void **state)
{
	struct maildir *m = opened();
	struct spool *s = spooled(SPAN("x"), SPAN(""));
	bool root = geteuid() == 0;
	char name[MAILDIR_NAME_MAX];

	(void)state;
	must(maildir_write(m, s, tag, name, &fixture_err));
	assert_int_equal(chmod(in("tmp", ""), 0), 0);
	assert_int_equal(root ? setresuid(65534, 65534, 0) : 0, 0);
	assert_false(maildir_place_again(m, name, &fixture_err));
	assert_true(maildir_waits(m, name));
	assert_int_equal(root ? setresuid(0, 0, 0) : 0, 0);
	assert_int_equal(chmod(in("tmp", ""), 0700), 0);
	must(maildir_place_again(m, name, &fixture_err));
	assert_true(there("new", name));
	spool_free(&s);
	closed(m);
}

static void a_maildir_that_went_away_is_an_error(void **state)
{
	struct maildir *m = opened();

	(void)state;
	assert_int_equal(rmdir(in("tmp", "")), 0);
	assert_false(maildir_place(m, "some.name", &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	closed(m);
}

static void a_name_is_no_path(void **state)
{
	static const char *const names[] = { "", ".", "..", ".x", "../x", "a/b", "/etc/passwd" };
	struct maildir *m = opened();
	char *longest = fixture_octets(MAILDIR_NAME_MAX);

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_false(maildir_place(m, names[i], &fixture_err) || maildir_place_again(m, names[i], &fixture_err));
	assert_false(maildir_place(m, longest, &fixture_err));
	longest[MAILDIR_NAME_MAX - 1] = '\0';
	must(maildir_place_again(m, longest, &fixture_err));	/* nothing there: placed before */
	free(longest);
	closed(m);
}

static bool keep_named(void *user, const char *name)
{
	return strcmp(user, name) == 0;
}

static void only_our_leftovers_are_swept(void **state)
{
	static const uint8_t other[8] = { 9 };
	struct maildir *m = opened();
	struct spool *s = spooled(SPAN("x"), SPAN(""));
	char kept[MAILDIR_NAME_MAX], swept[MAILDIR_NAME_MAX], foreign[MAILDIR_NAME_MAX];

	(void)state;
	must(maildir_write(m, s, tag, kept, &fixture_err));
	must(maildir_write(m, s, tag, swept, &fixture_err));
	must(maildir_write(m, s, other, foreign, &fixture_err));
	maildir_sweep(m, tag, keep_named, kept);
	assert_true(there("tmp", kept) && !there("tmp", swept) && there("tmp", foreign));
	spool_free(&s);
	closed(m);
}

static void export_dresses_a_file(void **state)
{
	struct maildir *m = opened();
	struct spool *s = spooled(SPAN("x"), SPAN(""));
	char name[MAILDIR_NAME_MAX], read_name[MAILDIR_NAME_MAX + 8];
	struct stat st;

	(void)state;
	for (int seen = 0; seen < 2; seen++) {
		must(maildir_write(m, s, tag, name, &fixture_err));
		must(maildir_place(m, name, &fixture_err));
		must(maildir_dress(m, name, 1000000000, seen, &fixture_err));
		must(maildir_sync(m, &fixture_err));
		(void)snprintf(read_name, sizeof read_name, "%s%s", name, seen ? ":2,S" : "");
		assert_int_equal(stat(in(seen ? "cur" : "new", read_name), &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	}
	spool_free(&s);
	closed(m);
}

static void a_bad_place_is_said(void **state)
{
	struct maildir *m;

	(void)state;
	assert_false(maildir_open("/dev/null/Mail", &m, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_lf_at_any_split),
		cmocka_unit_test(large_messages_are_written_whole),
		cmocka_unit_test(a_name_is_unique_and_tells_its_connection),
		cmocka_unit_test(moments_are_in_order), cmocka_unit_test(a_name_has_the_moment_that_was_given),
		cmocka_unit_test(a_host_s_name_is_made_harmless),
		cmocka_unit_test(placing_twice_is_placing_once),
		cmocka_unit_test(who_cannot_be_seen_was_not_placed),
		cmocka_unit_test(a_maildir_that_went_away_is_an_error),
		cmocka_unit_test(a_name_is_no_path),
		cmocka_unit_test(only_our_leftovers_are_swept),
		cmocka_unit_test(export_dresses_a_file),
		cmocka_unit_test(a_bad_place_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
