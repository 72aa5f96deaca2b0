/* SPDX-License-Identifier: Apache-2.0 */
#include "store/import.h"

#include <sys/stat.h>

#include "store/fixture.h"

static bool import_form(const char *form, struct mailbox *box, const char *path, uint64_t *count, struct err *e)
{
	char source[4200];

	(void)snprintf(source, sizeof source, "%s:%s", form, path);
	return mailbox_import(box, source, count, e);
}

static void make(const char *directory, const char *name, struct span octets)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	for (char *slash = strchr(path + strlen(directory) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets.at, 1, octets.len, f), octets.len);
	(void)fclose(f);
}

static void a_maildir_is_read_in_order_of_names(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	struct mailbox *box;
	uint64_t count = 0;
	static const struct row { const char *file; struct span octets; uint32_t flags; } rows[] = {
		{ "md/cur/1:2,S", SPAN("one\n"), MAILBOX_SEEN },
		{ "md/new/2",     SPAN("two\n"), 0 },
		{ "md/cur/3:2,",  SPAN("three\n"), 0 },
		{ "md/cur/4:2,FRS", SPAN("four\n"), MAILBOX_SEEN },
		{ "md/new/5:2,RF", SPAN("five\n"), 0 },
		{ "md/cur/6S",    SPAN("six\n"), 0 },
	};
	static const char *const want[] = { "one\r\n", "two\r\n", "three\r\n", "four\r\n", "five\r\n", "six\r\n" };
	char md[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		make(directory, rows[i].file, rows[i].octets);
	make(directory, "md/new/.hidden", SPAN("no mail"));
	make(directory, "md/tmp/0", SPAN("not delivered"));
	make(directory, "md/other", SPAN("no mail"));
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	(void)snprintf(md, sizeof md, "%s/md", directory);
	must(import_form("maildir", box, md, &count, &fixture_err));
	assert_int_equal(count, COUNT(rows));
	assert_int_equal(mailbox_count(box), COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		fixture_holds(box, i, span_of(want[i]));
		assert_int_equal(fixture_entry(box, i).flags, rows[i].flags);
		assert_true(fixture_entry(box, i).arrived > 1600000000);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void line_ends_become_crlf(void **state)
{
	static const struct row { struct span file, want; } rows[] = {
		{ SPAN(""), SPAN("") },
		{ SPAN("a\nb\n"), SPAN("a\r\nb\r\n") },
		{ SPAN("a\r\nb\r\n"), SPAN("a\r\nb\r\n") },
		{ SPAN("\n\n"), SPAN("\r\n\r\n") },
		{ SPAN("\r\n\n\r\n"), SPAN("\r\n\r\n\r\n") },
		{ SPAN("a\rb\r\r\n"), SPAN("a\rb\r\r\n") },
		{ SPAN("no end"), SPAN("no end") },
		{ SPAN("\0\n\r"), SPAN("\0\r\n\r") },
	};
	const char *directory = fixture_directory();
	struct store *s;
	struct mailbox *box;
	uint64_t count = 0;
	char eml[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "eml/%zu.eml", i);
		make(directory, name, rows[i].file);
	}
	make(directory, "eml/9.EML", SPAN("x"));
	make(directory, "eml/.eml", SPAN("no mail"));
	make(directory, "eml/readme.txt", SPAN("no mail"));
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	(void)snprintf(eml, sizeof eml, "%s/eml", directory);
	must(import_form("eml", box, eml, &count, &fixture_err));
	assert_int_equal(count, COUNT(rows) + 1);
	for (size_t i = 0; i < COUNT(rows); i++)
		fixture_holds(box, i, rows[i].want);
	store_close(&s);
	fixture_remove(directory);
}

/* A CR at the edge of what is read at once is still half of its CRLF. */
static void a_crlf_across_reads_stays_one(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	struct mailbox *box;
	char *octets = fixture_octets(100000), eml[128];
	uint64_t count = 0;

	(void)state;
	for (size_t at = 32 * 1024 - 2; at < 32 * 1024 + 2; at++) {
		char name[32];

		memset(octets, 'x', 100000);
		memcpy(octets + at, "\r\n", 2);
		(void)snprintf(name, sizeof name, "eml/%zu.eml", at);
		make(directory, name, (struct span){ octets, 100000 });
	}
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	(void)snprintf(eml, sizeof eml, "%s/eml", directory);
	must(import_form("eml", box, eml, &count, &fixture_err));
	for (size_t n = 0; n < 4; n++) {
		memset(octets, 'x', 100000);
		memcpy(octets + 32 * 1024 - 2 + n, "\r\n", 2);
		fixture_holds(box, n, (struct span){ octets, 100000 });
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void many_and_large_ones_come_in_order(void **state)
{
	enum { MESSAGES = 400 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000), path[128];
	uint64_t count = 0;
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/mbox", directory);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int n = 0; n < MESSAGES; n++)
		(void)fprintf(f, "From a Thu Jan  1 00:00:%02d 1970\n%.*s\n\n", n % 60, n % 50 ? 100 + n : 200000, octets);
	(void)fclose(f);
	must(import_form("mbox", box, path, &count, &fixture_err));
	assert_int_equal(count, MESSAGES);
	assert_int_equal(mailbox_count(box), MESSAGES);
	for (uint64_t n = 0; n < MESSAGES; n++) {
		struct mailbox_entry entry = fixture_entry(box, n);

		assert_int_equal(entry.size, (n % 50 ? 100 + n : 200000) + 2);
		assert_true(n % 60 == 0 || entry.arrived == (int64_t)(n % 60));
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void what_cannot_be_read_is_said_with_what_was_done(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	struct mailbox *box;
	char path[128];
	uint64_t count = 0;

	(void)state;
	make(directory, "md/new/1", SPAN("x\n"));
	make(directory, "md/new/2/no-file", SPAN("x\n"));
	make(directory, "md/new/3", SPAN("x\n"));
	make(directory, "md/cur/.keep", SPAN(""));
	make(directory, "text", SPAN("this is no mbox\n"));
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	(void)snprintf(path, sizeof path, "%s/md", directory);
	assert_false(import_form("maildir", box, path, &count, &fixture_err));
	assert_int_equal(count, 1);
	assert_int_equal(mailbox_count(box), 1);
	assert_non_null(strstr(fixture_err.text, "after 1 messages: "));
	assert_non_null(strstr(fixture_err.text, "md/new/2: is not a file"));
	(void)snprintf(path, sizeof path, "%s/text", directory);
	count = 0;
	assert_false(import_form("mbox", box, path, &count, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_false(import_form("maildir", box, path, &count, &fixture_err));
	assert_false(import_form("eml", box, "/nonexistent", &count, &fixture_err));
	assert_int_equal(count, 0);
	assert_int_equal(mailbox_count(box), 1);
	store_close(&s);
	fixture_remove(directory);
}

static void next_is(struct maildir_walk *w, const char *name, const char *octets, uint32_t flags)
{
	struct fixture_text got = { 0 };
	struct mailbox_entry entry;
	bool there;

	must(maildir_walk_next(w, &entry, &there, &fixture_err));
	if (!name) {
		assert_false(there);
		return;
	}
	assert_true(there && entry.flags == flags && entry.arrived > 1600000000);
	assert_string_equal(maildir_walk_name(w), name);
	for (int n = 0; n < 2; n++) {	/* as often as wanted */
		got.len = 0;
		must(maildir_walk_read(w, fixture_collect, &got, &fixture_err));
		assert_string_equal(got.at, octets);
	}
	free(got.at);
}

static void move(const char *directory, const char *from, const char *to)
{
	char one[256], two[256];

	(void)snprintf(one, sizeof one, "%s/%s", directory, from);
	(void)snprintf(two, sizeof two, "%s/%s", directory, to ? to : "gone");
	assert_int_equal(rename(one, two), 0);
}

/* Others read, mark and remove, and bring new mail, while it is walked. */
static void a_maildir_is_walked_while_others_use_it(void **state)
{
	const char *directory = fixture_directory();
	struct maildir_walk *w;
	char path[128], link[160];
	const struct below b = { .path = path };

	(void)state;
	(void)snprintf(path, sizeof path, "%s/md", directory);
	must(maildir_walk_open(&b, &w, &fixture_err));
	next_is(w, NULL, NULL, 0);
	maildir_walk_close(&w);
	make(directory, "md/new/1", SPAN("one\r\n"));
	must(maildir_walk_open(&b, &w, &fixture_err));
	assert_int_equal(maildir_walk_count(w), 1);	/* without cur */
	maildir_walk_close(&w);
	make(directory, "md/cur/10:2,S", SPAN("ten\n"));
	make(directory, "md/cur/2:2,", SPAN("two\n"));
	make(directory, "md/new/3", SPAN("three\n"));
	make(directory, "md/cur/3:2,S", SPAN("three\n"));	/* seen in both: one message */
	make(directory, "md/new/30", SPAN("thirty\n"));
	make(directory, "md/new/4/no-file", SPAN(""));
	make(directory, "secret", SPAN("of others\n"));
	(void)snprintf(link, sizeof link, "%s/md/cur/44:2,", directory);
	assert_int_equal(symlink("../../secret", link), 0);	/* no message */
	make(directory, "md/new/5", SPAN("five\n"));
	make(directory, "md/new/6", SPAN("six"));
	must(maildir_walk_open(&b, &w, &fixture_err));
	next_is(w, "1", "one\r\n", 0);
	move(directory, "md/cur/10:2,S", "md/cur/10:2,RS");
	next_is(w, "10:2,RS", "ten\r\n", MAILBOX_SEEN);
	move(directory, "md/cur/2:2,", NULL);
	make(directory, "md/new/7", SPAN("too late"));
	next_is(w, "3:2,S", "three\r\n", MAILBOX_SEEN);
	next_is(w, "30", "thirty\r\n", 0);
	move(directory, "md/new/5", "md/cur/5:2,S");
	next_is(w, "5:2,S", "five\r\n", MAILBOX_SEEN);
	next_is(w, "6", "six", 0);
	next_is(w, NULL, NULL, 0);
	maildir_walk_close(&w);
	make(directory, "md2/new/1", SPAN("one\r\n"));
	(void)snprintf(link, sizeof link, "%s/md2/cur", directory);
	assert_int_equal(symlink("../md/cur", link), 0);	/* a folder of others */
	(void)snprintf(path, sizeof path, "%s/md2", directory);
	assert_false(maildir_walk_open(&b, &w, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "/md2/cur is a symbolic link"));
	(void)snprintf(link, sizeof link, "%s/md2/.steal", directory);
	assert_int_equal(symlink("../md", link), 0);
	assert_false(maildir_walk_open(&(struct below){ link, strlen(path) }, &w, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "/md2/.steal is a symbolic link"));
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_maildir_is_read_in_order_of_names),
		cmocka_unit_test(line_ends_become_crlf),
		cmocka_unit_test(a_crlf_across_reads_stays_one),
		cmocka_unit_test(many_and_large_ones_come_in_order),
		cmocka_unit_test(a_maildir_is_walked_while_others_use_it),
		cmocka_unit_test(what_cannot_be_read_is_said_with_what_was_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
