/* SPDX-License-Identifier: Apache-2.0
 *
 * A held message into a Maildir: where its name is durable before the file has it, no crash between makes two of it. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/sink_files.h"
#include "collect/test_held.h"

enum { OLD = -2 * FILES_INTENT_OLD_S, LATER = 3600 };

/* ---- the decision, over a directory that says what the row says */

static const uint8_t tag[8] = { 0xab, 1, 2, 3, 4, 5, 6, 7 };

struct faked {
	bool places, has, syncs;
	unsigned placed, synced;
};

static bool fake_place_again(void *dir, const char *name, struct err *e)
{
	struct faked *f = dir;

	assert_non_null(strstr(name, "_ab01020304050607"));
	f->placed++;
	return f->places || err_set(e, ERR_LOCAL, "as the row says");
}

static bool fake_has(void *dir, [[maybe_unused]] const char *name)
{
	return ((struct faked *)dir)->has;
}

static bool fake_sync(void *dir, struct err *e)
{
	struct faked *f = dir;

	f->synced++;
	return f->syncs || err_set(e, ERR_LOCAL, "as the row says");
}

#define OURS "1.M1P1Q1_ab01020304050607.host,S=1,W=1"
#define OTHERS "1.M1P1Q1_0001020304050607.host,S=1,W=1"

static const struct {
	const char *what, *place;
	int64_t since;
	bool places, has, syncs, good, there;
	unsigned placed, synced;
} rows[] = {
	{ "no name yet", "", 0, true, true, true, true, false, 0, 0 },
	{ "another Maildir's", OTHERS, 0, true, true, true, true, false, 0, 0 },
	{ "a name", OURS, 0, true, false, true, true, true, 1, 1 },
	{ "it cannot be told", OURS, 0, false, true, true, false, false, 1, 0 },
	{ "placed, and not durable", OURS, 0, true, true, false, false, true, 1, 1 },
	{ "old, and there", OURS, OLD, true, true, true, true, true, 1, 1 },
	{ "old, and not there", OURS, OLD, true, false, true, true, false, 1, 0 },
};

static void is_it_there([[maybe_unused]] void **state)
{
	static const struct files_ops ops = { .place_again = fake_place_again, .has = fake_has, .sync_placed = fake_sync };

	for (size_t n = 0; n < COUNT(rows); n++) {
		struct faked f = { .places = rows[n].places, .has = rows[n].has, .syncs = rows[n].syncs };
		struct held_info info = { .id = 1, .since = clock_now_s() + rows[n].since };
		bool there = true, good;
		struct err e;

		print_message("  %s\n", rows[n].what);
		(void)snprintf(info.place, sizeof info.place, "%s", rows[n].place);
		good = files_find_copy(&ops, tag, &f, &info, &there, &e);
		assert_int_equal(good, rows[n].good);
		assert_int_equal(there, rows[n].there);
		assert_int_equal(f.placed, rows[n].placed);
		assert_int_equal(f.synced, rows[n].synced);
	}
}

static void what_is_no_copy_needs_no_name([[maybe_unused]] void **state)
{
	struct message m = { .copy = 0 };
	struct err e;

	assert_true(files_name_copy(NULL, &m, "x", &e));
}

/* ---- visits */

struct retry {
	uint64_t id;
	char name[MAILDIR_NAME_MAX];
};

static void file_of(const struct world *w, const char *part, const char *name, char path[400])
{
	(void)snprintf(path, 400, "%s/%s/%s", w->path, part, name);
}

/* A name as this connection's held messages get it in this Maildir: one is delivered and looked at, and goes. */
static void learn_name(struct world *w, char name[MAILDIR_NAME_MAX])
{
	char path[400];
	struct dirent *one;
	DIR *d;

	w->deliver[0] = &w->maildir;
	(void)hold(w, &(struct hand){ .uid = "x", .number = 9, .target = "dir" });
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	(void)snprintf(path, sizeof path, "%s/new", w->path);
	d = opendir(path);
	assert_non_null(d);
	do
		one = readdir(d);
	while (one && one->d_name[0] == '.');
	assert_non_null(one);
	(void)snprintf(name, MAILDIR_NAME_MAX, "2%.*s", MAILDIR_NAME_MAX - 2, one->d_name);
	file_of(w, "new", one->d_name, path);
	assert_int_equal(closedir(d), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(held_count(w), 0);
}

/* A copy that has a name, and the entry that mentions it. */
static struct retry named(struct world *w, int64_t made, int64_t next)
{
	struct retry r;
	struct err e;

	learn_name(w, r.name);
	r.id = hold(w, &(struct hand){ .uid = "a1", .number = 1, .target = "dir", .made = made, .next = next });
	assert_true(held_placing(w->store, r.id, r.name, &e));
	put(w, "a1", LEDGER_HELD, 1, &(struct said){ &w->maildir, LEDGER_TARGET_HELD, r.id }, 1);
	return r;
}

static void make_file(struct world *w, const char *part, const char *name)
{
	char path[400];
	FILE *f;

	file_of(w, part, name, path);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs("Subject: number 1\n\nhello\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void delivered(struct world *w, const struct retry *r, uint64_t in_new, bool by_name)
{
	char path[400];

	for (int n = 0; n < 2; n++) {
		world_visit(w, VISIT_RETRY);
		assert_int_equal(w->result.why.kind, ERR_NONE);
		assert_int_equal(world_maildir(w, "new"), in_new);
		assert_int_equal(world_maildir(w, "tmp"), 0);
		assert_int_equal(held_count(w), 0);
	}
	file_of(w, "new", r->name, path);
	assert_int_equal(access(path, F_OK) == 0, by_name);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
}

static void named_and_written(void **state)
{
	struct retry r = named(*state, 0, 0);

	make_file(*state, "tmp", r.name);
	delivered(*state, &r, 1, true);
}

static void named_and_placed(void **state)
{
	struct retry r = named(*state, 0, 0);

	make_file(*state, "new", r.name);
	delivered(*state, &r, 1, true);
}

static void named_placed_and_read(void **state)
{
	struct retry r = named(*state, 0, 0);

	delivered(*state, &r, 0, false);
}

static void named_long_ago_and_swept(void **state)
{
	struct retry r = named(*state, OLD, 0);

	delivered(*state, &r, 1, false);
}

/* What a name was promised to waits in tmp until the copy's turn comes; what nobody speaks of goes. */
static void files_on_their_way(void **state)
{
	struct world *w = *state;
	struct retry r = named(w, 0, LATER);
	char other[MAILDIR_NAME_MAX], path[400];

	(void)snprintf(other, sizeof other, "3%s", r.name + 1);
	make_file(w, "tmp", r.name);
	make_file(w, "tmp", other);
	drop_add(&w->drop, "a1", "Subject: number 1\r\n\r\nhello\r\n");
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	file_of(w, "tmp", other, path);
	assert_int_not_equal(access(path, F_OK), 0);
	file_of(w, "tmp", r.name, path);
	assert_int_equal(access(path, F_OK), 0);
	make_due(w);
	delivered(w, &r, 1, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		cmocka_unit_test(is_it_there), cmocka_unit_test(what_is_no_copy_needs_no_name), CASE(named_and_written), CASE(named_and_placed),
		CASE(named_placed_and_read), CASE(named_long_ago_and_swept), CASE(files_on_their_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
