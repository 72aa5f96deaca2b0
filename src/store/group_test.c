/* SPDX-License-Identifier: Apache-2.0 */
#include "store/box.h"
#include "store/fixture.h"
#include "store/pack.h"

/* More than one batch holds: by octets and by keys. */
static void many_finished_at_once_are_all_there(void **state)
{
	static const struct row { uint64_t messages; size_t octets; } rows[] = { { 5000, 20 }, { 600, 5000 }, { 40, 60000 } };
	char *octets = fixture_octets(60000);

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		const char *directory = fixture_directory();
		struct store *s = fixture_store(directory);
		struct mailbox *box = fixture_box(s, "anna/INBOX");
		uint64_t next = 1;
		struct store_done d;

		for (uint64_t n = 1; n <= r->messages; n++) {
			struct mailbox_source source = fixture_source(1, (uint32_t)n);

			memcpy(octets, &n, sizeof n);
			fixture_append(box, (struct span){ octets, r->octets }, &source, n);
		}
		while (store_wait(s))
			while (store_next(s, &d)) {
				assert_true(d.good);
				assert_int_equal(d.ticket, next++);
			}
		assert_int_equal(next, r->messages + 1);
		assert_int_equal(mailbox_count(box), r->messages);
		for (uint64_t n = 1; n <= r->messages; n += 13) {
			memcpy(octets, &n, sizeof n);
			fixture_holds(box, n - 1, (struct span){ octets, r->octets });
		}
		store_close(&s);
		fixture_remove(directory);
	}
	free(octets);
}

/* A second copy is good and changes nothing: in the same group, in a later
 * one, staged or small. */
static void a_marked_message_exists_once(void **state)
{
	static const size_t sizes[] = { 10, 5000, 200000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);

	(void)state;
	for (uint32_t i = 0; i < COUNT(sizes); i++) {
		struct mailbox_source source = fixture_source(1, i), other = fixture_source(2, i);
		struct span message = { octets, sizes[i] };
		uint64_t count = mailbox_count(box);

		fixture_append(box, SPAN("so that the next ones share a group"), NULL, 1);
		for (int copies = 0; copies < 3; copies++)
			fixture_append(box, message, &source, 1);
		assert_int_equal(fixture_drain(s), 4);
		assert_int_equal(mailbox_count(box), count + 2);
		fixture_append(box, message, &source, 1);
		assert_int_equal(fixture_drain(s), 1);
		assert_int_equal(mailbox_count(box), count + 2);
		fixture_append(box, message, &other, 1);	/* another connection's */
		fixture_append(box, message, NULL, 1);		/* nobody's */
		assert_int_equal(fixture_drain(s), 2);
		assert_int_equal(mailbox_count(box), count + 4);
	}
	store_close(&s);
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	for (uint32_t i = 0; i < COUNT(sizes); i++) {
		struct mailbox_source source = fixture_source(1, i);

		fixture_append(box, SPAN("x"), &source, 1);
	}
	assert_int_equal(fixture_drain(s), COUNT(sizes));
	assert_int_equal(mailbox_count(box), 4 * COUNT(sizes));
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void a_ticket_of_zero_is_not_answered(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");

	(void)state;
	fixture_append(box, SPAN("x\r\n"), NULL, 0);
	assert_int_equal(store_waiting(s), 0);
	assert_int_equal(fixture_drain(s), 0);
	assert_int_equal(mailbox_count(box), 1);
	store_close(&s);
	fixture_remove(directory);
}

/* The head is the group's precondition: who changed it meanwhile wins, and
 * the group is refused as a whole. */
static void a_head_changed_by_another_refuses_the_group(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct box_head head = { 77, 88, 99, 111 };
	struct batch *b = batch_new(engine_part_of("mailbox", SPAN("anna/INBOX")));
	char value[33];
	struct store_done d;

	(void)state;
	fixture_append(box, SPAN("x\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_true(batch_put(b, SPAN("h"), box_head_value(value, &head)));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	fixture_append(box, SPAN("y\r\n"), NULL, 2);
	assert_true(store_wait(s) && store_next(s, &d));
	assert_false(d.good);
	assert_int_equal(d.why.kind, ERR_BUSY);
	assert_int_equal(mailbox_count(box), 1);
	store_close(&s);
	fixture_remove(directory);
}

/* 4 KiB of mail is kept in one page and a bit, not in two. */
static void a_body_is_cut_where_a_page_ends(void **state)
{
	static const struct row { size_t len, first, second; } rows[] = {
		{ 100, 100, 0 }, { 4080, 4080, 0 }, { 4081, 4080, 1 }, { 4096, 4080, 16 }, { 4080 + 1344, 4080, 1344 },
		{ 4080 + 1345, 4080 + 1345, 0 }, { 8176, 8176, 0 }, { 8177, 8176, 1 }, { MAILBOX_PIECE, MAILBOX_PIECE, 0 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(MAILBOX_PIECE);

	(void)state;
	for (uint32_t i = 0; i < COUNT(rows); i++) {
		struct view *v;
		struct span piece;

		fixture_append(box, (struct span){ octets, rows[i].len }, NULL, 1);
		assert_int_equal(fixture_drain(s), 1);
		must(view_begin(store_engine(s), &v, &fixture_err));
		assert_true(view_blob(v, box->part, fixture_first_blob(s) + i, 0, &piece));
		assert_int_equal(piece.len, rows[i].first);
		assert_int_equal(view_blob(v, box->part, fixture_first_blob(s) + i, 1, &piece), rows[i].second > 0);
		if (rows[i].second)
			assert_int_equal(piece.len, rows[i].second);
		view_end(&v);
		fixture_holds(box, i, (struct span){ octets, rows[i].len });
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_finished_at_once_are_all_there),
		cmocka_unit_test(a_marked_message_exists_once),
		cmocka_unit_test(a_ticket_of_zero_is_not_answered),
		cmocka_unit_test(a_head_changed_by_another_refuses_the_group),
		cmocka_unit_test(a_body_is_cut_where_a_page_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
