/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/mdir_world.h"
#include "store/mdir_index.h"
#include "store/mdir_scan.h"

static void nothing_changed_is_seen_by_two_stats(void **state)
{
	struct mdir_world w;
	char *told;

	(void)state;
	world_start(&w);
	world_put(&w, "new/1.M1.h", SPAN("a\n"));
	assert_false(world_known(&w));		/* there is no index yet */
	told = strdup(world_tell(&w));
	assert_string_equal(told, "new/1.M1.h 3;");
	world_settle(&w);
	assert_true(world_known(&w));
	assert_string_equal(world_tell(&w), told);
	world_put(&w, "new/2.M1.h", SPAN("b\n"));
	assert_false(world_known(&w));
	assert_string_equal(world_tell(&w), "new/1.M1.h 3;new/2.M1.h 3;");
	world_settle(&w);
	assert_true(world_known(&w));
	w.dovecot = true;			/* other unique-ids than the index has */
	assert_false(world_known(&w));
	free(told);
	world_end(&w);
}

/* Within a tick of the kernel's clock a folder changes twice and looks the same. */
static void young_folders_are_read_again(void **state)
{
	struct mdir_world w;

	(void)state;
	world_start(&w);
	mdir_later = 0;
	world_put(&w, "cur/1.M1.h:2,", SPAN("a\n"));
	for (int n = 0; n < 3; n++) {
		assert_string_equal(world_tell(&w), "cur/1.M1.h:2, 3;");
		world_settle(&w);
		assert_false(world_known(&w));
	}
	mdir_later = 100;
	(void)world_tell(&w);
	world_settle(&w);
	assert_true(world_known(&w));
	world_end(&w);
}

/* Whatever comes, goes and is renamed: what was there keeps its number among the others, and its unique-id. */
static void order_and_ids_stay(void **state)
{
	struct mdir_world w;
	struct maildrop *drop;
	uint64_t uid[3];

	(void)state;
	world_start(&w);
	world_put(&w, "new/20.M1.h", SPAN("two\n"));
	world_put(&w, "cur/10.M5.h:2,F", SPAN("one\n"));
	world_put(&w, "new/20.M3.h", SPAN("three\n"));
	drop = world_open(&w);
	for (int n = 0; n < 3; n++)
		uid[n] = maildrop_messages(drop)[n].uid;
	assert_string_equal(world_tell_drop(drop), "cur/10.M5.h:2,F 5;new/20.M1.h 5;new/20.M3.h 7;");
	assert_int_equal(maildrop_octets(drop), 17);
	assert_true(uid[0] == mdir_native_id(SPAN("10.M5.h"), 0) && uid[1] == mdir_native_id(SPAN("20.M1.h"), 0));
	maildrop_close(&drop);
	world_settle(&w);
	world_move(&w, "new/20.M3.h", "cur/20.M3.h:2,RS");
	world_move(&w, "new/20.M1.h", NULL);
	world_put(&w, "new/5.M1.h", SPAN("late\n"));
	drop = world_open(&w);
	assert_string_equal(world_tell_drop(drop), "cur/10.M5.h:2,F 5;cur/20.M3.h:2,RS 7 seen;new/5.M1.h 6;");
	assert_true(maildrop_messages(drop)[0].uid == uid[0] && maildrop_messages(drop)[1].uid == uid[2]);
	maildrop_close(&drop);
	world_settle(&w);
	world_move(&w, "cur/20.M3.h:2,RS", "cur/20.M3.h:2,");
	assert_string_equal(world_tell(&w), "cur/10.M5.h:2,F 5;cur/20.M3.h:2, 7;new/5.M1.h 6;");
	world_end(&w);
}

static void what_is_no_maildir_says_so(void **state)
{
	struct mdir_world w;
	struct maildrop *drop = NULL;
	char path[200];

	(void)state;
	world_start(&w);
	(void)snprintf(path, sizeof path, "%s/nobody", w.directory);
	must(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = path }, &drop, &fixture_err));
	assert_int_equal(maildrop_count(drop), 0);
	assert_true(maildrop_is_maildir(drop) && !maildrop_uids(drop));
	maildrop_close(&drop);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = path }, &drop, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "is no Maildir"));
	assert_false(maildrop_try_maildir(w.store, &(struct maildrop_maildir){ .path = path }, &drop));
	world_put(&w, "file", SPAN("x"));
	(void)snprintf(path, sizeof path, "%s/file", w.path);
	assert_false(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = path }, &drop, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_null(drop);
	/* Whose folders others make just now. */
	(void)snprintf(path, sizeof path, "%s/cur", w.path);
	assert_int_equal(rmdir(path), 0);
	world_put(&w, "new/1.h", SPAN(""));
	assert_string_equal(world_tell(&w), "new/1.h 0;");
	/* Somebody else's mail. */
	assert_int_equal(symlink("new", path), 0);
	assert_false(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = w.path }, &drop, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	world_end(&w);
}

static size_t take_all(void *user, struct span octets)
{
	*(size_t *)user += octets.len;
	return octets.len;
}

static enum maildrop_got read_first(const struct maildrop *drop)
{
	struct maildrop_reading r;
	size_t taken = 0;

	mdir_start(drop, 1, &r);
	return mdir_piece(drop, &r, true, take_all, &taken);
}

static void refused(const struct mdir_world *w, const struct maildrop_maildir *with, const char *link)
{
	struct maildrop *drop = NULL;
	char want[700];

	assert_false(maildrop_try_maildir(w->store, with, &drop));
	assert_false(maildrop_open_maildir(w->store, with, &drop, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	(void)snprintf(want, sizeof want, "%s/%s is a symbolic link, and none is followed inside of a Maildir", w->path, link);
	assert_string_equal(fixture_err.text, want);
}

/* Whose Maildir it is links to what is another's, at once or while it is read. */
static void a_folder_leads_out_nowhere(void **state)
{
	struct mdir_world w;
	struct maildrop *drop;
	struct maildrop_maildir with;
	char path[700], folder[620], boss[600];

	(void)state;
	world_start(&w);
	(void)snprintf(boss, sizeof boss, "%s/boss", w.directory);
	(void)snprintf(folder, sizeof folder, "%s/.f", w.path);
	with = (struct maildrop_maildir){ .path = folder, .account_len = strlen(w.path) };
	for (const char *const *sub = (const char *const[]){ "", "/new", "/cur", NULL }; *sub; sub++) {
		(void)snprintf(path, sizeof path, "%s%s", boss, *sub);
		assert_int_equal(mkdir(path, 0700), 0);
		(void)snprintf(path, sizeof path, "%s%s", folder, *sub);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	world_put(&w, ".f/new/1.h", SPAN("mine\n"));
	world_put(&w, "../boss/new/1.h", SPAN("his!\n"));
	must(maildrop_open_maildir(w.store, &with, &drop, &fixture_err));
	assert_int_equal(maildrop_count(drop), 1);
	assert_int_equal(read_first(drop), MAILDROP_END);
	mdir_stop(drop);
	world_move(&w, ".f", ".g");
	assert_int_equal(symlink("../boss", folder), 0);
	assert_int_equal(read_first(drop), MAILDROP_GONE);
	drop_mark(&maildrop_messages(drop)[0], DROP_DELETED);
	assert_false(maildrop_apply(drop, true, false, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	(void)snprintf(path, sizeof path, "%s/new/1.h", boss);
	assert_int_equal(access(path, F_OK), 0);
	maildrop_close(&drop);
	refused(&w, &with, ".f");
	(void)snprintf(folder, sizeof folder, "%s/.g", w.path);
	world_move(&w, ".g/new", ".g/old");
	(void)snprintf(path, sizeof path, "%s/new", folder);
	assert_int_equal(symlink("../../boss/new", path), 0);
	refused(&w, &with, ".g/new");
	world_end(&w);
}

/* A path with slashes behind is the same Maildir. */
static void a_path_is_its_maildir(void **state)
{
	struct mdir_world w;

	(void)state;
	world_start(&w);
	world_put(&w, "new/1.M1.h", SPAN("a\n"));
	(void)world_tell(&w);
	world_settle(&w);
	(void)snprintf(w.path + strlen(w.path), 3, "//");
	assert_true(world_known(&w));
	must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
	assert_false(world_known(&w));
	assert_string_equal(world_tell(&w), "new/1.M1.h 3;");
	world_end(&w);
}

/* ---- at once */

struct mover {
	struct mdir_world *w;
	atomic_bool stop;
};

/* Flags come and go, messages go from new to cur and back. */
static void *move_about(void *user)
{
	struct mover *m = user;
	static const char *const places[] = { "new/%u.M1.host", "cur/%u.M1.host:2,", "cur/%u.M1.host:2,S", "cur/%u.M1.host:2,FS" };

	for (unsigned round = 0; !m->stop; round++)
		for (unsigned n = 100; n < 200 && !m->stop; n++) {
			char format[64], from[64], to[64], a[256], b[256];

			(void)snprintf(format, sizeof format, "%s", places[round % 4]);
			(void)snprintf(from, sizeof from, "%.4s%u%s", format, n, format + 6);
			(void)snprintf(format, sizeof format, "%s", places[(round + 1) % 4]);
			(void)snprintf(to, sizeof to, "%.4s%u%s", format, n, format + 6);
			(void)snprintf(a, sizeof a, "%s/%s", m->w->path, from);
			(void)snprintf(b, sizeof b, "%s/%s", m->w->path, to);
			assert_int_equal(rename(a, b), 0);
		}
	return NULL;
}

static void others_rename_while_we_read(void **state)
{
	struct mdir_world w;
	struct mover m = { &w, false };
	pthread_t thread;
	uint64_t first = 0;

	(void)state;
	world_start(&w);
	mdir_later = 0;
	for (unsigned n = 100; n < 200; n++) {
		char name[64];

		(void)snprintf(name, sizeof name, "new/%u.M1.host", n);
		world_put(&w, name, SPAN("x\n"));
	}
	(void)world_tell(&w);
	world_settle(&w);
	assert_int_equal(pthread_create(&thread, NULL, move_about, &m), 0);
	for (int n = 0; n < 300; n++) {
		struct maildrop *drop = world_open(&w);

		assert_int_equal(maildrop_count(drop), 100);
		assert_int_equal(maildrop_octets(drop), 300);
		if (!first)
			first = maildrop_messages(drop)[0].uid;
		assert_true(maildrop_messages(drop)[0].uid == first);
		maildrop_close(&drop);
	}
	m.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	world_end(&w);
}

static void *open_often(void *user)
{
	struct mdir_world *w = user;

	for (int n = 0; n < 100; n++) {
		const struct maildrop_maildir with = { .path = w->path, .uidl_dovecot = w->dovecot };
		struct maildrop *drop;
		struct err e;

		if (!maildrop_open_maildir(w->store, &with, &drop, &e))
			fail_msg("%s", e.text);
		assert_int_equal(maildrop_count(drop), 150);
		maildrop_close(&drop);
		if (n % 10 == 0 && w->dovecot && !maildrop_forget_maildir(w->store, w->path, &e))
			fail_msg("%s", e.text);
	}
	return NULL;
}

/* Sessions that all make the same index anew. */
static void many_open_it_at_once(void **state)
{
	struct mdir_world w;
	pthread_t threads[4];

	(void)state;
	world_start(&w);
	for (unsigned n = 0; n < 150; n++) {
		char name[64];

		(void)snprintf(name, sizeof name, "new/%u.M1.host", n);
		world_put(&w, name, SPAN("x\n"));
	}
	for (int dovecot = 0; dovecot < 2; dovecot++) {
		w.dovecot = dovecot;
		for (size_t n = 0; n < COUNT(threads); n++)
			assert_int_equal(pthread_create(&threads[n], NULL, open_often, &w), 0);
		for (size_t n = 0; n < COUNT(threads); n++)
			assert_int_equal(pthread_join(threads[n], NULL), 0);
	}
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changed_is_seen_by_two_stats),
		cmocka_unit_test(young_folders_are_read_again),
		cmocka_unit_test(order_and_ids_stay),
		cmocka_unit_test(what_is_no_maildir_says_so),
		cmocka_unit_test(a_folder_leads_out_nowhere),
		cmocka_unit_test(a_path_is_its_maildir),
		cmocka_unit_test(others_rename_while_we_read),
		cmocka_unit_test(many_open_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
