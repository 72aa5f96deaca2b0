/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_world.h"
#include "store/mdir_scan.h"

/* "NAME=id" in order, as UIDL shows them. */
static const char *ids(const struct mdir_world *w)
{
	static char said[2][4096];
	static int turn;
	char *text = said[turn = !turn];
	struct maildrop *drop = world_open(w);
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t n = 1; n <= maildrop_count(drop); n++) {
		const char *id = maildrop_uids(drop) ? maildrop_uids(drop)[n - 1] : NULL;
		uint64_t uid = maildrop_messages(drop)[n - 1].uid;
		struct mdir_file file;
		char hex[17];

		assert_true(mdir_locate(drop, n, false, &file));
		(void)snprintf(hex, sizeof hex, "%016llx", (unsigned long long)uid);
		file.name[strcspn(file.name, ":")] = '\0';
		if (uid == mdir_native_id(span_of(file.name), 0))
			(void)snprintf(hex, sizeof hex, "native");
		len += (size_t)snprintf(text + len, sizeof said[0] - len, "%s=%s ", file.name, id ? id : hex);
	}
	maildrop_close(&drop);
	return text;
}

static void put_all(const struct mdir_world *w, const char *const *names)
{
	for (; *names; names++)
		world_put(w, *names, SPAN("x\n"));
}

static void what_dovecot_says_stays(void **state)
{
	static const char *const names[] = { "cur/1.a:2,S", "cur/2.b:2,", "cur/3.c:2,", "new/4.d", NULL };
	struct mdir_world w;

	(void)state;
	world_start(&w);
	w.dovecot = true;
	put_all(&w, names);
	world_put(&w, "dovecot-uidlist", SPAN("3 V1700000000 N9 G00ff\n3 W4 :2.b:2,\n5 :1.a\n6 Pown-id :3.c\n7 :9.gone\n"));
	assert_string_equal(ids(&w), "2.b=000000036553f100 1.a=000000056553f100 3.c=own-id 4.d=native ");
	/* Dovecot has found the new one: it keeps what clients know it by.  What it names before we saw it has Dovecot's. */
	world_put(&w, "new/5.e", SPAN("x\n"));
	world_put(&w, "dovecot-uidlist", SPAN("3 V1700000000 N11 G00ff\n3 W4 :2.b\n5 :1.a\n6 Pown-id :3.c\n8 :4.d\n9 :5.e\n"));
	assert_string_equal(ids(&w), "2.b=000000036553f100 1.a=000000056553f100 3.c=own-id 4.d=native 5.e=000000096553f100 ");
	/* As it was given out: also when Dovecot is gone, and at once durable. */
	world_move(&w, "dovecot-uidlist", NULL);
	world_put(&w, "new/6.f", SPAN("x\n"));
	assert_string_equal(ids(&w), "2.b=000000036553f100 1.a=000000056553f100 3.c=own-id 4.d=native 5.e=000000096553f100 6.f=native ");
	assert_true(world_known(&w));
	assert_string_equal(ids(&w), "2.b=000000036553f100 1.a=000000056553f100 3.c=own-id 4.d=native 5.e=000000096553f100 6.f=native ");
	world_end(&w);
}

static void lists_of_every_kind(void **state)
{
	static const char *const names[] = { "cur/1.a:2,", "cur/2.b:2,", "cur/3.c:2,", NULL };
	static const struct row { const char *name; struct span list; const char *want; } rows[] = {
		{ "no message is in it", SPAN("3 V17 N9\n"), "1.a=native 2.b=native 3.c=native " },
		{ "its order", SPAN("3 V17 N9\n1 :3.c\n2 :2.b\n3 :1.a\n"), "3.c=0000000100000011 2.b=0000000200000011 1.a=0000000300000011 " },
		{ "POP3's own order", SPAN("3 V17 N9\n1 :3.c\n2 O2 :2.b\n3 O1 :1.a\n"), "1.a=0000000300000011 2.b=0000000200000011 3.c=0000000100000011 " },
		{ "an empty P is the name", SPAN("3 V17 N9\n1 P :3.c\n"), "3.c=3.c 1.a=native 2.b=native " },
		{ "two have one P", SPAN("3 V17 N9\n1 Px :1.a\n2 Px :2.b\n"), "1.a=x 2.b=0000000200000011 3.c=native " },
		{ "a P that another's uid reads as", SPAN("3 V17 N9\n1 P0000000200000011 :1.a\n2 :2.b\n"), "1.a=0000000200000011 2.b=native 3.c=native " },
		{ "a P as its own uid", SPAN("3 V17 N9\n1 P0000000100000011 :1.a\n"), "1.a=0000000100000011 2.b=native 3.c=native " },
		{ "a P that is no id", SPAN("3 V17 N9\n1 Pa\x7f :1.a\n2 P\xc3\xa4 :2.b\n"), "1.a=0000000100000011 2.b=0000000200000011 3.c=native " },
		{ "a file twice: the later", SPAN("3 V17 N9\n1 :1.a\n2 :1.a\n"), "1.a=0000000200000011 2.b=native 3.c=native " },
		{ "version 1", SPAN("1 17 9\n1 1.a\n4 2.b:2,S\n"), "1.a=0000000100000011 2.b=0000000400000011 3.c=native " },
		{ "damaged", SPAN("3 V17 N9\n1 :1.a\nx\n2 :2.b\n"), "1.a=0000000100000011 2.b=native 3.c=native " },
		{ "no list at all", SPAN("hello\n"), "1.a=native 2.b=native 3.c=native " },
		{ "empty", SPAN(""), "1.a=native 2.b=native 3.c=native " },
	};
	struct mdir_world w;

	(void)state;
	world_start(&w);
	w.dovecot = true;
	put_all(&w, names);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		world_put(&w, "dovecot-uidlist", r->list);
		if (strcmp(ids(&w), r->want) != 0)
			fail_msg("%s: %s, not %s", r->name, ids(&w), r->want);
		world_settle(&w);
		if (strcmp(ids(&w), r->want) != 0)
			fail_msg("%s, out of the index: %s, not %s", r->name, ids(&w), r->want);
		must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
	}
	world_end(&w);
}

/* uidl is set to dovecot, and back. */
static void another_kind_of_ids_begins_anew(void **state)
{
	static const char *const names[] = { "cur/1.a:2,", "cur/2.b:2,", NULL };
	struct mdir_world w;

	(void)state;
	world_start(&w);
	put_all(&w, names);
	world_put(&w, "dovecot-uidlist", SPAN("3 V17 N9\n1 Pmine :2.b\n2 :1.a\n"));
	for (int n = 0; n < 2; n++) {
		w.dovecot = false;
		assert_string_equal(ids(&w), "1.a=native 2.b=native ");
		world_settle(&w);
		w.dovecot = true;
		assert_string_equal(ids(&w), "2.b=mine 1.a=0000000200000011 ");
		world_settle(&w);
		assert_true(world_known(&w));
	}
	world_end(&w);
}

/* What cannot be read is not "not there": its ids would be lost. */
static void a_list_that_cannot_be_read_is_an_error(void **state)
{
	static const char *const names[] = { "cur/1.a:2,", NULL };
	struct maildrop *drop = NULL;
	struct mdir_world w;
	char path[200];

	(void)state;
	world_start(&w);
	put_all(&w, names);
	(void)snprintf(path, sizeof path, "%s/dovecot-uidlist", w.path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = w.path, .uidl_dovecot = true }, &drop, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_false(maildrop_open_maildir(w.store, &(struct maildrop_maildir){ .path = w.path, .uidl_dovecot = true }, &drop, &fixture_err));
	assert_string_equal(ids(&w), "1.a=native ");		/* who does not want it does not look */
	world_end(&w);
}

static void equal_ids_get_apart(void **state)
{
	struct mdir_list list;
	bool fresh;

	(void)state;
	mdir_list_start(&list);
	for (int n = 0; n < 2; n++) {
		struct mdir_entry *entry = mdir_list_add(&list);

		assert_non_null(entry);
		must(mdir_list_name(&list, SPAN("1.b"), &entry->name) || err_set(&fixture_err, ERR_LOCAL, "memory"));
	}
	/* The first one is known, and has, by chance, the id of the second one's name. */
	list.entries[0].page = 0;
	list.entries[0].uid = mdir_native_id(SPAN("1.b"), 0);
	must(mdir_ids(&(struct below){ .path = "/nowhere" }, false, &list, &fresh, &fixture_err));
	assert_true(fresh);
	assert_true(list.entries[1].uid == mdir_native_id(SPAN("1.b"), 1));
	assert_true(list.entries[1].uid != list.entries[0].uid);
	mdir_list_end(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_dovecot_says_stays),
		cmocka_unit_test(lists_of_every_kind),
		cmocka_unit_test(another_kind_of_ids_begins_anew),
		cmocka_unit_test(a_list_that_cannot_be_read_is_an_error),
		cmocka_unit_test(equal_ids_get_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
