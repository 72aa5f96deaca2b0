/* SPDX-License-Identifier: Apache-2.0 */
#include "store/box.h"
#include "store/fixture.h"
#include "store/maildrop.h"

enum { NOW = 1000000, DUE = NOW + RECLAIM_AFTER_S };

/* Until nothing is due; returns the number of calls that found something. */
static size_t reclaim(struct store *s, int64_t now)
{
	size_t calls = 0;

	while (store_reclaim(s, now)) {
		(void)fixture_drain(s);
		assert_true(calls++ < 10000);
	}
	(void)fixture_drain(s);
	return calls;
}

static size_t blobs(struct store *s, struct mailbox *box, uint64_t first, uint64_t count)
{
	struct view *v;
	struct span octets;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	for (uint64_t blob = first; blob < first + count; blob++)
		for (uint32_t piece = 0; piece < 8; piece++)
			n += view_blob(v, box->part, blob, piece, &octets);
	view_end(&v);
	return n;
}

static size_t keys(struct store *s, struct mailbox *box, const char *prefix)
{
	struct view *v;
	struct span key = { 0 }, value;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	while (view_next(v, box->part, span_of(prefix), &key, &value))
		n++;
	view_end(&v);
	return n;
}

static void bodies_stay_for_a_while(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);
	uint64_t uids[2], first;

	(void)state;
	assert_false(store_reclaim(s, NOW));		/* nothing at all */
	for (int n = 0; n < 3; n++)
		fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 3);
	first = fixture_first_blob(s);
	assert_int_equal(blobs(s, box, first, 3), 12);
	for (uint64_t n = 0; n < 2; n++) {
		uids[n] = fixture_entry(box, 0).uid;
		mailbox_remove(box, &uids[n], 1, NULL, 0, NOW + (int64_t)n * 10, 1);
		assert_int_equal(fixture_drain(s), 1);
	}
	assert_int_equal(reclaim(s, NOW), 0);
	assert_int_equal(reclaim(s, DUE - 1), 0);
	assert_int_equal(blobs(s, box, first, 3), 12);
	assert_true(reclaim(s, DUE) > 0);
	assert_int_equal(blobs(s, box, first, 3), 8);
	assert_int_equal(keys(s, box, "g"), 1);
	store_close(&s);				/* the second one's time comes in another life */
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	assert_true(reclaim(s, DUE + 10) > 0);
	assert_int_equal(blobs(s, box, first, 3), 4);
	assert_int_equal(keys(s, box, "g"), 0);
	fixture_holds(box, 0, (struct span){ octets, 200000 });
	/* A clock that was years ahead when it was removed. */
	uids[0] = fixture_entry(box, 0).uid;
	mailbox_remove(box, uids, 1, NULL, 0, (int64_t)NOW * 1000, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_true(reclaim(s, NOW) > 0);
	assert_int_equal(blobs(s, box, first, 3), 0);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* More pieces than a slice has: in several, and none of another message's. */
static void a_large_body_goes_in_slices(void **state)
{
	enum { PIECES = 2500 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char list[2 * BOX_GARBAGE], key[17];
	struct view *v;
	struct span octets;
	struct batch *b = batch_new(box->part);

	(void)state;
	fixture_append(box, SPAN("x"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	for (uint32_t piece = 0; piece < PIECES + 1; piece++)
		assert_true(batch_blob(b, 5, piece, SPAN("y")));
	assert_true(batch_blob(b, 6, 0, SPAN("y")) && batch_blob(b, 7, 0, SPAN("y")));
	box_garbage_pack(list, 5, PIECES);
	box_garbage_pack(list + BOX_GARBAGE, 6, 2);
	assert_true(batch_put(b, box_garbage_key(key, NOW, 5), (struct span){ list, sizeof list }));
	/* Damaged lists are thrown away, and hold up nothing. */
	assert_true(batch_put(b, box_garbage_key(key, NOW, 4), SPAN("damaged")));
	assert_true(batch_put(b, SPAN("g"), SPAN("damaged")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	assert_true(reclaim(s, DUE) >= 3);
	must(view_begin(store_engine(s), &v, &fixture_err));
	for (uint32_t piece = 0; piece < PIECES + 1; piece++)
		assert_int_equal(view_blob(v, box->part, 5, piece, &octets), piece == PIECES);
	assert_false(view_blob(v, box->part, 6, 0, &octets));
	assert_true(view_blob(v, box->part, 7, 0, &octets));
	view_end(&v);
	assert_int_equal(keys(s, box, "g"), 0);
	fixture_holds(box, 0, SPAN("x"));
	store_close(&s);
	fixture_remove(directory);
}

static off_t file_size(const char *directory)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/store/data.mdb", directory);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* What was reclaimed holds the next mail: the file does not grow. */
static void space_is_used_again(void **state)
{
	enum { MESSAGES = 100, OCTETS = 100000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(OCTETS);
	off_t once = 0;

	(void)state;
	for (int round = 0; round < 6; round++) {
		uint64_t uids[MESSAGES];

		for (int n = 0; n < MESSAGES; n++)
			fixture_append(box, (struct span){ octets, OCTETS }, NULL, 1);
		assert_int_equal(fixture_drain(s), MESSAGES);
		if (!once)
			once = file_size(directory);
		for (uint64_t n = 0; n < MESSAGES; n++)
			uids[n] = fixture_entry(box, n).uid;
		mailbox_remove(box, uids, MESSAGES, NULL, 0, NOW, 1);
		assert_int_equal(fixture_drain(s), 1);
		assert_int_equal(mailbox_count(box), 0);
		assert_true(reclaim(s, DUE) > 0);
	}
	assert_true(once > MESSAGES * OCTETS);
	if (file_size(directory) > once + once / 3)
		fail_msg("%lld octets, after six rounds %lld", (long long)once, (long long)file_size(directory));
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* A removed box: gone at once, its bodies later, and nothing of it is left. */
static void a_removed_box_is_emptied(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX"), *again;
	struct mailbox_source source = fixture_source(1, 1), mark = { .connection = { 1 } };
	char *octets = fixture_octets(200000), name[MAILBOX_NAME_MAX + 1] = "";
	struct incoming *in;
	uint64_t uid, first;
	struct mailbox_entry entry;
	struct maildrop *drop;

	(void)state;
	fixture_append(box, (struct span){ octets, 200000 }, &source, 1);
	assert_int_equal(fixture_drain(s), 1);
	uid = fixture_entry(box, 0).uid;
	first = fixture_first_blob(s);
	in = incoming_new(box, &fixture_err);
	must(in);
	assert_false(mailbox_destroy(s, "anna/INBOX", NOW, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	incoming_abort(&in);
	assert_false(mailbox_destroy(s, "anna/nothing", NOW, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	must(mailbox_destroy(s, "anna/inbox", NOW, &fixture_err));
	assert_false(mailbox_each(s, name));
	assert_true(mailbox_count(box) == 0 && mailbox_entries(box, 0, &entry, 1) == 0);
	assert_false(mailbox_marks(box, source.connection, &mark));
	must(maildrop_open(s, "anna/INBOX", &drop, &fixture_err));
	assert_int_equal(maildrop_count(drop), 0);
	maildrop_close(&drop);
	for (uint32_t n = 0; n < BOX_UNMARKS + 1; n++) {	/* a visit that was under way */
		mark = fixture_source(1, n);
		mailbox_unmark(box, &mark);
	}
	mailbox_remove(box, &uid, 1, NULL, 0, NOW, 1);		/* a session that was there before */
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(reclaim(s, DUE - 1), 0);
	assert_int_equal(blobs(s, box, first, 1), 4);
	assert_true(reclaim(s, DUE) > 0);
	assert_int_equal(blobs(s, box, first, 1), 0);
	assert_int_equal(keys(s, box, ""), 0);
	/* Made again, with mail of the same source: other ids, nothing of before. */
	for (int life = 0; life < 2; life++) {
		fixture_append(box, SPAN("new"), &source, 1);
		assert_int_equal(fixture_drain(s), 1);
		assert_int_equal(mailbox_count(box), 1);
		fixture_holds(box, 0, SPAN("new"));
		assert_true(fixture_entry(box, 0).uid >> 32 > uid >> 32);
		uid = fixture_entry(box, 0).uid;
		/* And now at once, before anything was reclaimed; also when it was not opened yet. */
		must(mailbox_destroy(s, "anna/INBOX", NOW, &fixture_err));
		if (life)
			break;
		store_close(&s);
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
		assert_int_equal(mailbox_count(box), 0);
	}
	must(mailbox_add(s, "anna/INBOX", &fixture_err));
	must(mailbox_open(s, "anna/INBOX", false, &again, &fixture_err));
	assert_ptr_equal(again, box);
	assert_int_equal(mailbox_count(box), 0);
	assert_int_equal(keys(s, box, ""), 0);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* Half of a removed box is reclaimed when the process ends, or when a box of its name is made. */
static void half_a_removed_box_is_no_trouble(void **state)
{
	enum { MESSAGES = 3000 };

	(void)state;
	for (int slices = 0; slices < 5; slices++) {
		const char *directory = fixture_directory();
		struct store *s = fixture_store(directory);
		struct mailbox *box = fixture_box(s, "anna/INBOX");
		uint64_t first;

		fixture_fill(s, box, MESSAGES);
		first = fixture_first_blob(s);
		must(mailbox_destroy(s, "anna/INBOX", NOW, &fixture_err));
		for (int n = 0; n < slices; n++) {
			assert_true(store_reclaim(s, DUE));
			(void)fixture_drain(s);
		}
		store_close(&s);
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
		assert_true(blobs(s, box, first, MESSAGES) > 0);
		if (slices % 2) {
			fixture_append(box, SPAN("new"), NULL, 1);
			assert_int_equal(fixture_drain(s), 1);
			fixture_holds(box, 0, SPAN("new"));
			assert_int_equal(keys(s, box, ""), 2);	/* head and page */
		} else {
			(void)reclaim(s, DUE);
			assert_int_equal(keys(s, box, ""), 0);
		}
		assert_int_equal(blobs(s, box, first, MESSAGES), 0);
		store_close(&s);
		fixture_remove(directory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_stay_for_a_while),
		cmocka_unit_test(a_large_body_goes_in_slices),
		cmocka_unit_test(space_is_used_again),
		cmocka_unit_test(a_removed_box_is_emptied),
		cmocka_unit_test(half_a_removed_box_is_no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
