/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_scan.h"

#include <errno.h>
#include <sys/wait.h>

#include "store/mdir_world.h"

static void files_are_counted_as_pop3_sends_them(void **state)
{
	static const struct row { const char *name; struct span octets; const char *want; } rows[] = {
		{ "1", SPAN("a\nb\n"), "6" },
		{ "1", SPAN("a\r\nb\r\n"), "6" },
		{ "1", SPAN("a\r\nb\n"), "6" },
		{ "1", SPAN("a"), "3 no-end" },
		{ "1", SPAN("a\nb"), "6 no-end" },
		{ "1", SPAN("a\r"), "4 no-end" },		/* a lone CR is no line's end */
		{ "1", SPAN("a\r\r\n"), "4" },
		{ "1", SPAN("\n"), "2" },
		{ "1", SPAN("\n\n"), "4" },
		{ "1", SPAN("\r\n"), "2" },
		{ "1", SPAN(""), "0" },
		{ "1", SPAN("a\0b\0\n"), "6" },
		{ "1", SPAN(".\n"), "3" },
		{ "1", SPAN("a\n.b"), "7 no-end" },
		{ "1", SPAN("a\r\n.\r\n"), "6" },
		{ "1", SPAN("a.\r.b\n"), "7" },
		/* Names tell: W= is believed, and the end is looked at. */
		{ "1,W=6", SPAN("a\nb\n"), "6" },
		{ "1,S=4,W=6", SPAN("a\nb\n"), "6" },
		{ "1,S=4,W=5", SPAN("a\nb\n"), "5" },			/* who lies in names is believed, until it is read */
		{ "1,S=3,W=4", SPAN("a\nb"), "6 no-end" },
		{ "1,S=0,W=0", SPAN(""), "0" },
		{ "1,S=9,W=11", SPAN("a\nb\n"), "6" },		/* another file's, or a compressed one's */
		{ "1,W=3", SPAN("a\nb\n"), "6" },		/* less than there is */
		{ "1,W=9", SPAN("a\nb\n"), "6" },		/* more than there can be */
		{ "1,S=4", SPAN("a\nb\n"), "6" },
		{ "1:2,,W=5", SPAN("a\nb\n"), "6" },
	};
	struct mdir_world w;

	(void)state;
	world_start(&w);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char name[64], want[96];

		(void)snprintf(name, sizeof name, "cur/%s", r->name);
		(void)snprintf(want, sizeof want, "%s %s;", name, r->want);
		world_put(&w, name, r->octets);
		if (strcmp(world_tell(&w), want) != 0)
			fail_msg("row %zu: %s, not %s", (size_t)(r - rows), world_tell(&w), want);
		world_move(&w, name, NULL);
		must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
	}
	world_end(&w);
}

/* Line ends at every place around what is read at once, and around what is counted at once. */
static void pieces_hide_no_line_end(void **state)
{
	enum { SIZE = 128 * 1024 };
	char *octets = malloc(SIZE + 600), path[64] = "/tmp/postrider-test.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(octets && fd >= 0);
	(void)unlink(path);
	for (size_t at = SIZE - 300; at < SIZE + 300; at++) {
		struct mdir_size size;
		uint64_t want = SIZE + 600 + 2;

		memset(octets, 'x', SIZE + 600);
		if (at % 3 == 0) {
			octets[at] = '\r';
			octets[at + 1] = '\n';
		} else if (at % 3 == 1) {
			octets[at] = '\n';
			octets[at + 1] = '.';
			want++;
		} else {
			octets[at] = '\n';
			octets[at + 1] = '\n';
			want += 2;
		}
		assert_int_equal(pwrite(fd, octets, SIZE + 600, 0), SIZE + 600);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_true(mdir_count(fd, &size));
		assert_true(size.octets == want);
		assert_int_equal(size.flags, DROP_NO_END);
	}
	(void)close(fd);
	free(octets);
	errno = 0;
	assert_false(mdir_count(-1, &(struct mdir_size){ 0 }));
	assert_int_equal(errno, EBADF);
}

/* What lies in the folders beside messages is none. */
static void other_things_are_left_out(void **state)
{
	struct mdir_world w;
	char a[256], b[256];

	(void)state;
	world_start(&w);
	world_put(&w, "cur/1.M1.h:2,S", SPAN("a\n"));
	world_put(&w, "cur/.hidden", SPAN("a\n"));
	world_put(&w, "tmp/2.M1.h", SPAN("a\n"));
	world_put(&w, "cur/:2,S", SPAN("a\n"));
	(void)snprintf(a, sizeof a, "%s/cur/3.M1.h", w.path);
	assert_int_equal(mkdir(a, 0700), 0);
	(void)snprintf(a, sizeof a, "%s/cur/4.M1.h", w.path);
	assert_int_equal(mkfifo(a, 0700), 0);
	(void)snprintf(a, sizeof a, "%s/cur/5.M1.h", w.path);
	(void)snprintf(b, sizeof b, "%s/tmp/2.M1.h", w.path);
	assert_int_equal(symlink(b, a), 0);
	assert_string_equal(world_tell(&w), "cur/1.M1.h:2,S 3 seen;");
	world_settle(&w);
	assert_true(world_known(&w));
	world_end(&w);
}

/* Whoever copies instead of renaming has it twice for a while. */
static void one_message_in_both_folders_counts_once(void **state)
{
	struct mdir_world w;

	(void)state;
	world_start(&w);
	world_put(&w, "new/1.M1.h", SPAN("a\n"));
	world_put(&w, "cur/1.M1.h:2,S", SPAN("a\n"));
	assert_string_equal(world_tell(&w), "cur/1.M1.h:2,S 3 seen;");
	world_move(&w, "new/1.M1.h", NULL);
	assert_string_equal(world_tell(&w), "cur/1.M1.h:2,S 3 seen;");
	world_end(&w);
}

/* As the service is: not root. */
static void what_may_not_be_read_comes_when_it_may(void **state)
{
	struct mdir_world w;
	char path[256];
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	world_start(&w);
	world_put(&w, "new/1.M1.h", SPAN("a\n"));
	world_put(&w, "new/2.M1.h", SPAN("a\n"));
	assert_int_equal(chmod(w.directory, 0755) | chmod(w.path, 0755), 0);
	(void)snprintf(path, sizeof path, "%s/new/1.M1.h", w.path);
	assert_int_equal(chmod(path, 0644), 0);
	for (const char *const *dir = (const char *const[]){ "new", "cur", NULL }; *dir; dir++) {
		(void)snprintf(path, sizeof path, "%s/%s", w.path, *dir);
		assert_int_equal(chmod(path, 0755), 0);
	}
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct mdir_list list;
		struct mdir_head head = { 0 };
		struct err e;
		bool changed;

		mdir_list_start(&list);
		_exit(seteuid(65534) != 0 || !mdir_scan(&(struct below){ .path = w.path }, &list, &head, &changed, &e) || list.count != 1 || head.trusted ||
			strcmp(mdir_list_text(&list, list.entries[0].name), "1.M1.h") != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_counted_as_pop3_sends_them),
		cmocka_unit_test(pieces_hide_no_line_end),
		cmocka_unit_test(other_things_are_left_out),
		cmocka_unit_test(one_message_in_both_folders_counts_once),
		cmocka_unit_test(what_may_not_be_read_comes_when_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
