/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildrop_routed.h"

#include "store/box.h"
#include "store/fixture.h"
#include "store/mdir_fixture.h"
#include "store/routed.h"

#define WHOM "abcdef@client1.com"
#define BOX "anna/INBOX"

/* Which messages of the box are in the view, by their positions: "1 3 ". Asked twice: of what had to be read once,
 * the second time is by what is remembered. */
static void check_view(struct store *s, struct mailbox *box, const char *whom, const char *want)
{
	for (int time = 0; time < 2; time++) {
		char got[256] = "";
		uint64_t octets = 0;
		struct maildrop *drop;
		struct buf b;

		must(maildrop_open_routed(s, BOX, whom, &drop, &fixture_err));
		buf_lend(&b, got, sizeof got);
		for (uint32_t n = 0; n < maildrop_count(drop); n++) {
			const struct drop_message *m = &maildrop_messages(drop)[n];
			uint64_t at = 0;

			while (fixture_entry(box, at).uid != m->uid)
				at++;
			assert_int_equal(drop_octets(m), fixture_entry(box, at).size);
			assert_true(maildrop_there(drop, n + 1));
			octets += drop_octets(m);
			assert_true(buf_printf(&b, "%u ", (unsigned)at + 1));
		}
		assert_int_equal(maildrop_octets(drop), octets);
		if (strcmp(got, want) != 0)
			fail_msg("%s, time %d: %s, not %s", whom, time, got, want);
		maildrop_close(&drop);
	}
}

static void put(struct store *s, struct mailbox *box, struct span message)
{
	fixture_append(box, message, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
}

/* How many keys of whom messages are for. */
static size_t keys_of(struct store *s)
{
	struct span key = { 0 }, value;
	struct view *v;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	while (view_next(v, engine_part_of("mailbox", SPAN(BOX)), SPAN("x"), &key, &value)) {
		assert_int_equal(key.len, 9);
		n++;
	}
	view_end(&v);
	return n;
}

static const struct span messages[] = {
	SPAN("X-Real-To: abcdef@client1.com\r\n\r\n1"),
	SPAN("X-Real-To: other@client1.com\r\n\r\n2"),
	SPAN("x-real-to: AbcDef\r\n\r\n3"),
	SPAN("To: abcdef@client1.com\r\n\r\n4"),
	SPAN("X-Real-To: <x@y>,\r\n <ABCDEF@client1.com>\r\n\r\n5"),
	SPAN("X-Real-To: abcdef@client2.com\r\n\r\n6"),
	SPAN("X-Real-To: x\r\nX-Real-To: abcdef\r\n\r\n7"),
	SPAN(""),
	SPAN("\r\nX-Real-To: abcdef\r\n"),
	SPAN("X-Real-To: abcdef"),
	SPAN("X-Real-To: abcdefg, bcdef, ab cdef\r\n\r\n"),
};

static void a_view_has_what_is_for_the_address(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);

	(void)state;
	check_view(s, box, WHOM, "");
	for (size_t n = 0; n < COUNT(messages); n++)
		put(s, box, messages[n]);
	check_view(s, box, WHOM, "1 3 5 7 10 ");
	check_view(s, box, "ABCDEF@CLIENT1.COM", "1 3 5 7 10 ");
	check_view(s, box, "abcdef@client2.com", "3 6 7 10 ");
	check_view(s, box, "abcdef", "3 7 10 ");
	check_view(s, box, "nobody@client1.com", "");
	check_view(s, box, "x@y", "5 7 ");
	assert_int_equal(keys_of(s), 8);
	assert_int_equal(fixture_entry(box, 0).flags, 0);	/* what is inside is nobody's business */
	store_close(&s);
	s = fixture_store(directory);
	box = fixture_box(s, BOX);
	check_view(s, box, WHOM, "1 3 5 7 10 ");
	store_close(&s);
	fixture_remove(directory);
}

/* A box of messages as a reader would have them: with what a view leaves, RETR is of the right one. */
static size_t take_all(void *user, struct span octets)
{
	(void)fixture_collect(user, octets);
	return octets.len;
}

static void numbers_are_of_the_view(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);
	struct fixture_text text = { 0 };
	struct maildrop_reading r;
	struct maildrop *drop;
	uint64_t *uids;

	(void)state;
	put(s, box, SPAN("X: 1\r\n\r\n"));
	put(s, box, SPAN("X-Real-To: abcdef\r\n\r\ntwo"));
	must(maildrop_open_routed(s, BOX, WHOM, &drop, &fixture_err));
	assert_int_equal(maildrop_count(drop), 1);
	maildrop_start(drop, 1, &r);
	assert_int_equal(maildrop_piece(drop, &r, true, take_all, &text), MAILDROP_END);
	assert_string_equal(text.at, "X-Real-To: abcdef\r\n\r\ntwo");
	drop_mark(maildrop_messages(drop), DROP_DELETED);
	assert_int_equal(maildrop_marked(drop, DROP_DELETED, 0, &uids), 1);
	mailbox_remove(box, uids, 1, NULL, 0, 1000000, 7);
	assert_int_equal(fixture_drain(s), 1);
	assert_false(maildrop_there(drop, 1));
	assert_int_equal(mailbox_count(box), 1);
	assert_int_equal(keys_of(s), 0);
	free(uids);
	free(text.at);
	maildrop_close(&drop);
	store_close(&s);
	fixture_remove(directory);
}

static void another_name_is_looked_up_in_headers(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);

	(void)state;
	put(s, box, SPAN("X-Real-To: abcdef\r\nDelivered-To: other\r\n\r\n"));
	put(s, box, SPAN("X-Real-To: other\r\nDelivered-To: abcdef\r\n\r\n"));
	must(store_route_header(s, "Delivered-To", &fixture_err));
	put(s, box, SPAN("X-Real-To: abcdef\r\nDelivered-To: other\r\n\r\n"));
	put(s, box, SPAN("X-Real-To: other\r\nDelivered-To: abcdef\r\n\r\n"));
	check_view(s, box, WHOM, "2 4 ");
	must(store_route_header(s, "X-REAL-TO", &fixture_err));
	check_view(s, box, WHOM, "1 3 ");
	store_close(&s);
	s = fixture_store(directory);
	box = fixture_box(s, BOX);
	check_view(s, box, WHOM, "1 3 ");
	must(store_route_header(s, "Third", &fixture_err));
	check_view(s, box, WHOM, "");
	must(store_route_header(s, "delivered-to", &fixture_err));
	check_view(s, box, WHOM, "2 4 ");
	store_close(&s);
	fixture_remove(directory);
}

/* Headers as long as pieces, and longer than what is looked at. */
static void long_headers(void **state)
{
	static const size_t pads[] = { 0, 60000, MAILBOX_PIECE - 40, MAILBOX_PIECE - 20, MAILBOX_PIECE - 1, MAILBOX_PIECE, MAILBOX_PIECE + 1, 131040, 200000,
		ROUTED_HEADER_MAX - 64, ROUTED_HEADER_MAX - 20, ROUTED_HEADER_MAX - 19, ROUTED_HEADER_MAX - 18, ROUTED_HEADER_MAX, 300000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);
	char *octets = fixture_octets(500000);

	(void)state;
	memcpy(octets, "X: ", 3);
	for (size_t n = 0; n < COUNT(pads); n++) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(in);
		if (pads[n])
			must(incoming_add(in, (struct span){ octets, pads[n] - 2 }, &fixture_err) && incoming_add(in, SPAN("\r\n"), &fixture_err));
		must(incoming_add(in, SPAN("X-Real-To: abcdef\r\nY: z\r\n\r\n"), &fixture_err));
		must(incoming_add(in, (struct span){ octets + 3, n % 2 ? 200000 : 0 }, &fixture_err));
		incoming_finish(&in, NULL, 1000, 0, 1);
		while (store_waiting(s) > 2)
			(void)fixture_drain(s);
	}
	(void)fixture_drain(s);
	/* Of a field that ends just where the looking does, nobody knows whether it goes on. */
	check_view(s, box, WHOM, "1 2 3 4 5 6 7 8 9 10 11 ");
	assert_int_equal(keys_of(s), 11);
	free(octets);
	store_close(&s);
	fixture_remove(directory);
}

static void long_lists(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);
	struct buf b;

	(void)state;
	for (int last = 0; last < 2; last++) {
		buf_start(&b, 1 << 20);
		assert_true(buf_add(&b, SPAN("X-Real-To: ")));
		for (int n = 0; n < 3000; n++)
			assert_true(buf_printf(&b, "user%d@client1.com,\r\n ", n));
		assert_true(buf_add(&b, last ? SPAN("abcdef\r\n\r\nx") : SPAN("x\r\n\r\nx")));
		put(s, box, buf_span(&b));
		buf_end(&b);
	}
	check_view(s, box, WHOM, "2 ");
	check_view(s, box, "user2999@client1.com", "1 2 ");
	check_view(s, box, "user3000@client1.com", "");
	assert_int_equal(keys_of(s), 2);
	store_close(&s);
	fixture_remove(directory);
}

/* Many at once go by an intent: in between, and behind it, no key is left over and none is missing. */
static void keys_go_with_their_messages(void **state)
{
	enum { MANY = 30000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);
	uint64_t *gone = malloc(MANY * sizeof *gone);
	struct maildrop *drop;
	size_t lists = 0;

	(void)state;
	assert_non_null(gone);
	for (int n = 0; n < MANY; n++) {
		fixture_append(box, n % 3 ? SPAN("X-Real-To: abcdef\r\n\r\n") : SPAN("X: y\r\n\r\n"), NULL, 1);
		if (n % 1000 == 999)
			(void)fixture_drain(s);
	}
	(void)fixture_drain(s);
	assert_int_equal(mailbox_count(box), MANY);
	assert_int_equal(keys_of(s), MANY / 3 * 2);
	must(maildrop_open(s, BOX, &drop, &fixture_err));
	for (uint32_t n = 0; n < MANY; n++)
		gone[n] = maildrop_messages(drop)[n].uid;
	maildrop_close(&drop);
	mailbox_remove(box, gone, 5, NULL, 0, 1000000, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(keys_of(s), MANY / 3 * 2 - 3);
	for (uint32_t n = 0; n < MANY / 2; n++)		/* every other one: no page goes whole */
		gone[n] = gone[n * 2];
	mailbox_remove(box, gone, MANY / 2, NULL, 0, 1000000, 1);
	assert_int_equal(fixture_drain(s), 1);
	must(maildrop_open_routed(s, BOX, WHOM, &drop, &fixture_err));
	lists = maildrop_count(drop);
	maildrop_close(&drop);
	assert_true(lists > MANY / 3 - 10 && lists < MANY / 3 + 10);
	assert_int_equal(keys_of(s), lists);
	free(gone);
	store_close(&s);
	fixture_remove(directory);
}

/* What an older program appended has no number. */
static void entries_without_a_number(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, BOX);
	engine_part part = engine_part_of("mailbox", SPAN(BOX));
	char page[BOX_ENTRY * 2], key[9];
	struct box_entry entry;
	struct span value;
	struct batch *b;
	struct view *v;
	uint64_t uid;

	(void)state;
	put(s, box, SPAN("X-Real-To: abcdef\r\n\r\n"));
	put(s, box, SPAN("X-Real-To: other\r\n\r\n"));
	uid = fixture_entry(box, 0).uid;
	must(view_begin(store_engine(s), &v, &fixture_err));
	assert_true(view_get(v, part, box_page_key(key, uid / BOX_PAGE), &value));
	assert_int_equal(value.len, sizeof page);
	memcpy(page, value.at, sizeof page);
	view_end(&v);
	for (size_t n = 0; n < 2; n++) {
		entry = box_entry_unpack(page + n * BOX_ENTRY);
		assert_int_equal(entry.flags, BOX_LISTS | 1 << BOX_FIELD_SHIFT);
		entry.flags = 0;
		box_entry_pack(page + n * BOX_ENTRY, &entry);
	}
	b = batch_new(part);
	assert_true(batch_put(b, box_page_key(key, uid / BOX_PAGE), (struct span){ page, sizeof page }));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	check_view(s, box, WHOM, "1 ");
	store_close(&s);
	fixture_remove(directory);
}

/* The same messages in a Maildir: which are in the view, by the letters of their files. */
static void check_maildir(const struct box_of_others *b, bool dovecot, const char *whom, const char *want)
{
	const struct maildrop_maildir with = { .path = b->path, .uidl_dovecot = dovecot };

	for (int time = 0; time < 3; time++) {
		char got[64] = "";
		struct mdir_file file;
		struct maildrop *drop;
		uint64_t octets = 0;

		must(maildrop_open_maildir(b->store, &with, &drop, &fixture_err));
		must(maildrop_route(b->store, drop, whom, &fixture_err));
		for (uint32_t n = 1; n <= maildrop_count(drop); n++) {
			assert_true(mdir_locate(drop, n, false, &file));
			got[n - 1] = file.name[0];
			octets += drop_octets(&maildrop_messages(drop)[n - 1]);
			assert_true(maildrop_there(drop, n));
		}
		assert_int_equal(maildrop_octets(drop), octets);
		if (strcmp(got, want) != 0)
			fail_msg("%s, time %d: %s, not %s", whom, time, got, want);
		maildrop_close(&drop);
	}
}

static void a_maildir_has_views_too(void **state)
{
	struct box_of_others b = others_start();
	struct span key = { 0 }, value;
	char name[] = "new/a.1";
	struct view *v;

	(void)state;
	check_maildir(&b, false, WHOM, "");
	for (size_t n = 0; n < COUNT(messages); n++, name[4]++)
		others_put(&b, name, messages[n]);
	check_maildir(&b, false, WHOM, "acegj");
	check_maildir(&b, false, "abcdef@client2.com", "cfgj");
	check_maildir(&b, false, "x@y", "eg");
	/* A file never changes, so this one's header is not read again. */
	others_put(&b, "new/a.1", SPAN("X-Real-To: zzzzzz@client1.com\r\n\r\n1"));
	check_maildir(&b, false, WHOM, "acegj");
	others_rename(&b, "new/c.1", "cur/c.1:2,S");
	others_remove(&b, "new/e.1");
	others_put(&b, "new/z.1", SPAN("X-Real-To: x,\n abcdef\n\nby LF\n"));
	check_maildir(&b, false, WHOM, "acgjz");
	must(store_route_header(b.store, "To", &fixture_err));
	check_maildir(&b, false, WHOM, "d");
	must(store_route_header(b.store, "X-Real-To", &fixture_err));
	check_maildir(&b, false, WHOM, "cgjz");
	must(maildrop_forget_maildir(b.store, b.path, &fixture_err));
	must(view_begin(store_engine(b.store), &v, &fixture_err));
	assert_false(view_next(v, engine_part_of("routed", span_of(b.path)), SPAN(""), &key, &value));
	view_end(&v);
	others_end(&b);
}

/* Dovecot's texts stay with their messages. */
static void a_maildir_of_dovecots_has_views_too(void **state)
{
	const char uidlist[] = "3 V5 N4 G0\n1 :a.1\n2 Ptext-b :b.1\n3 Ptext-c :c.1\n";
	struct box_of_others b = others_start();
	const struct maildrop_maildir with = { .path = b.path, .uidl_dovecot = true };
	struct maildrop *drop;

	(void)state;
	others_put(&b, "new/a.1", SPAN("X: y\n\n"));
	others_put(&b, "new/b.1", SPAN("X: y\n\n"));
	others_put(&b, "new/c.1", SPAN("X-Real-To: abcdef\n\n"));
	others_put(&b, "dovecot-uidlist", span_of(uidlist));
	check_maildir(&b, true, WHOM, "c");
	must(maildrop_open_maildir(b.store, &with, &drop, &fixture_err));
	must(maildrop_route(b.store, drop, WHOM, &fixture_err));
	assert_string_equal(maildrop_uids(drop)[0], "text-c");
	maildrop_close(&drop);
	others_end(&b);
}

static void a_bad_name_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct maildrop *drop = NULL;
	struct err e;

	(void)state;
	assert_false(maildrop_open_routed(s, "anna", WHOM, &drop, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	must(maildrop_open_routed(s, "anna/never", WHOM, &drop, &fixture_err));
	assert_int_equal(maildrop_count(drop), 0);
	maildrop_close(&drop);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_view_has_what_is_for_the_address),
		cmocka_unit_test(numbers_are_of_the_view),
		cmocka_unit_test(another_name_is_looked_up_in_headers),
		cmocka_unit_test(long_headers),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(keys_go_with_their_messages),
		cmocka_unit_test(entries_without_a_number),
		cmocka_unit_test(a_maildir_has_views_too),
		cmocka_unit_test(a_maildir_of_dovecots_has_views_too),
		cmocka_unit_test(a_bad_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
