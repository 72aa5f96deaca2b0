/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "store/mdir_world.h"

static void a_file_is_found_wherever_it_went(void **state)
{
	static const struct row { const char *was, *is; } rows[] = {
		{ "new/1.h", "new/1.h" }, { "new/1.h", "cur/1.h:2," }, { "new/1.h", "cur/1.h:2,S" }, { "new/1.h", "cur/1.h:2,FRST" },
		{ "new/1.h", "cur/1.h" }, { "cur/1.h:2,S", "cur/1.h:2,FS" }, { "cur/1.h:2,S", "new/1.h" }, { "cur/1.h:2,", "new/1.h:2,a" },
		{ "cur/1.h:2,S", NULL }, { "new/1.h", NULL },
	};
	struct mdir_world w;

	(void)state;
	world_start(&w);
	world_put(&w, "new/11.h", SPAN("another\n"));
	world_put(&w, "cur/1.hh:2,S", SPAN("another\n"));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct maildrop *drop;
		struct mdir_file file;
		char got[300];
		bool found;

		world_put(&w, r->was, SPAN("a\n"));
		drop = world_open(&w);
		assert_int_equal(maildrop_count(drop), 3);
		world_move(&w, r->was, r->is);
		assert_true(mdir_locate(drop, 1, false, &file));	/* as it was */
		(void)snprintf(got, sizeof got, "%s/%s", mdir_dir_name(file.dir), file.name);
		assert_string_equal(got, r->was);
		found = mdir_locate(drop, 1, true, &file);
		assert_int_equal(found, r->is != NULL);
		(void)snprintf(got, sizeof got, "%s/%s", mdir_dir_name(file.dir), file.name);
		if (found)
			assert_string_equal(got, r->is);
		if (r->is)
			world_move(&w, r->is, NULL);
		maildrop_close(&drop);
	}
	world_end(&w);
}

static void folders_are_folders(void **state)
{
	struct mdir_world w;
	struct maildrop *drop;
	char path[200];
	int fd;

	(void)state;
	world_start(&w);
	drop = world_open(&w);
	fd = mdir_folder(drop, MDIR_CUR);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	(void)snprintf(path, sizeof path, "%s/cur", w.path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("new", path), 0);
	assert_int_equal(mdir_folder(drop, MDIR_CUR), -1);
	assert_true(errno == ELOOP || errno == ENOTDIR);
	maildrop_close(&drop);
	world_end(&w);
}

/* Somebody wrote into a file, or its name lies: it is counted anew, once, and keeps its place and id. */
static void a_size_that_proved_wrong_is_counted_anew(void **state)
{
	struct mdir_world w;
	struct maildrop *drop;
	uint64_t uid;

	(void)state;
	world_start(&w);
	world_put(&w, "cur/1.M1.h,S=4,W=5:2,S", SPAN("a\nb\n"));
	world_put(&w, "cur/2.M1.h:2,", SPAN("x\n"));
	drop = world_open(&w);
	assert_string_equal(world_tell_drop(drop), "cur/1.M1.h,S=4,W=5:2,S 5 seen;cur/2.M1.h:2, 3 plain;");
	uid = maildrop_messages(drop)[0].uid;
	world_settle(&w);
	assert_true(world_known(&w));
	mdir_distrust(drop, 1);
	world_settle(&w);
	mdir_commits = 0;
	for (unsigned n = 0; n < 10; n++)	/* who asks for it again and again has no commit each time */
		mdir_distrust(drop, 1);
	assert_int_equal(mdir_commits, 0);
	maildrop_close(&drop);
	world_settle(&w);
	assert_false(world_known(&w));
	drop = world_open(&w);
	assert_string_equal(world_tell_drop(drop), "cur/1.M1.h,S=4,W=5:2,S 6 plain seen;cur/2.M1.h:2, 3 plain;");
	assert_true(maildrop_messages(drop)[0].uid == uid);
	world_settle(&w);
	assert_true(world_known(&w));
	assert_string_equal(world_tell(&w), world_tell_drop(drop));
	/* Nothing to mark: harmless. */
	must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
	mdir_distrust(drop, 2);
	maildrop_close(&drop);
	world_settle(&w);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_found_wherever_it_went),
		cmocka_unit_test(folders_are_folders),
		cmocka_unit_test(a_size_that_proved_wrong_is_counted_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
