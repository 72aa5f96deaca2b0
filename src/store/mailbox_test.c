/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mailbox.h"

#include "store/fixture.h"

static void what_is_missing_is_said_with_its_remedy(void **state)
{
	static const struct row { const char *name; bool make; const char *says; } rows[] = {
		{ "bob/INBOX", true,   "postrider account add bob" },
		{ "bob/INBOX", false,  "postrider account add bob" },
		{ "anna/lists", false, "postrider mailbox add anna/lists" },
		{ "anna", true,        "ACCOUNT/BOX" },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_false(mailbox_open(s, r->name, r->make, &box, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		if (!strstr(fixture_err.text, r->says))
			fail_msg("%s", fixture_err.text);
	}
	assert_false(mailbox_add(s, "bob/INBOX", &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

static void a_box_is_made_once(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box, *same;
	char name[MAILBOX_NAME_MAX + 1] = "";

	(void)state;
	must(mailbox_open(s, "anna/lists", true, &box, &fixture_err));
	assert_false(mailbox_each(s, name));	/* not before its first message */
	must(mailbox_add(s, "anna/inbox", &fixture_err));
	assert_false(mailbox_add(s, "anna/INBOX", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "there already"));
	must(mailbox_open(s, "anna/Inbox", false, &box, &fixture_err));
	must(mailbox_open(s, "Anna/INBOX", true, &same, &fixture_err));
	assert_ptr_equal(box, same);
	assert_int_equal(mailbox_count(box), 0);
	assert_int_equal(mailbox_bytes(box), 0);
	must(mailbox_add(s, "anna/lists", &fixture_err));	/* opened above, not yet made */
	fixture_append(fixture_box(s, "anna/lists"), SPAN("x\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_true(mailbox_each(s, name) && strcmp(name, "anna/INBOX") == 0);
	assert_true(mailbox_each(s, name) && strcmp(name, "anna/lists") == 0);
	assert_false(mailbox_each(s, name));
	store_close(&s);
	s = fixture_store(directory);
	must(mailbox_open(s, "anna/lists", false, &box, &fixture_err));
	assert_int_equal(mailbox_count(box), 1);
	store_close(&s);
	fixture_remove(directory);
}

/* More than two index pages, read from everywhere in steps of every kind. */
static void entries_are_read_from_any_position(void **state)
{
	enum { MESSAGES = 700 };
	static const size_t steps[] = { 1, 7, 255, 256, 257, 699, 700, 1000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	static struct mailbox_entry all[MESSAGES + 1], some[1000];
	uint64_t bytes = 0;

	(void)state;
	for (uint64_t n = 0; n < MESSAGES; n++) {
		struct incoming *in = incoming_new(box, &fixture_err);
		char text[32];

		must(in);
		(void)snprintf(text, sizeof text, ".%llu\r\n", (unsigned long long)n);
		must(incoming_add(in, span_of(text), &fixture_err));
		bytes += strlen(text);
		incoming_finish(&in, NULL, (int64_t)n, n % 3 ? 0 : MAILBOX_SEEN, n + 1);
	}
	assert_int_equal(fixture_drain(s), MESSAGES);
	assert_int_equal(mailbox_count(box), MESSAGES);
	assert_int_equal(mailbox_bytes(box), bytes);
	assert_int_equal(mailbox_entries(box, 0, all, MESSAGES + 1), MESSAGES);
	for (size_t n = 0; n < MESSAGES; n++) {
		assert_int_equal(all[n].arrived, n);
		assert_int_equal(all[n].flags, n % 3 ? 0 : MAILBOX_SEEN);
		assert_int_equal(all[n].dots, 1);
		assert_true(!n || all[n].uid > all[n - 1].uid);
	}
	for (size_t i = 0; i < COUNT(steps); i++)
		for (size_t from = 0; from <= MESSAGES; from += steps[i]) {
			size_t want = MESSAGES - from < steps[i] ? MESSAGES - from : steps[i];

			assert_int_equal(mailbox_entries(box, from, some, steps[i]), want);
			assert_memory_equal(some, all + from, want * sizeof *some);
		}
	for (size_t from = MESSAGES; from-- > 0;) {	/* and backwards */
		assert_int_equal(mailbox_entries(box, from, some, 1), 1);
		assert_memory_equal(some, all + from, sizeof *some);
	}
	assert_int_equal(mailbox_entries(box, MESSAGES, some, 1), 0);
	assert_int_equal(mailbox_entries(box, UINT64_MAX, some, 1), 0);
	store_close(&s);
	fixture_remove(directory);
}

static void unique_ids_are_fixed_and_never_reused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	char first[MAILBOX_UID_TEXT], second[MAILBOX_UID_TEXT], again[MAILBOX_UID_TEXT];
	struct mailbox *box;
	struct mailbox_entry entry;

	(void)state;
	for (int n = 0; n < 3; n++) {
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
		fixture_append(box, SPAN("x\r\n"), NULL, 1);
		assert_int_equal(fixture_drain(s), 1);
		entry = fixture_entry(box, (uint64_t)n);
		(void)mailbox_uid(box, &entry, second);
		assert_int_equal(strspn(second, "0123456789abcdef"), 16);
		assert_int_equal(strlen(second), 16);
		assert_true(!n || strcmp(first, second) < 0);
		memcpy(first, second, sizeof first);
		store_close(&s);
	}
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	entry = fixture_entry(box, 2);
	assert_string_equal(mailbox_uid(box, &entry, again), second);
	store_close(&s);
	fixture_remove(directory);
}

static bool stop(void *user, struct span octets)
{
	(void)octets;
	++*(int *)user;
	return false;
}

static void reading_ends_early_or_with_an_error(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);
	int calls = 0;

	(void)state;
	fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_false(mailbox_read(box, fixture_entry(box, 0).uid, stop, &calls, &fixture_err));
	assert_int_equal(calls, 1);
	assert_false(mailbox_read(box, fixture_entry(box, 0).uid + 1, stop, &calls, &fixture_err));
	assert_int_equal(calls, 1);
	assert_non_null(strstr(fixture_err.text, "not there any more"));
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* A piece that went missing is an error, never a shorter message. */
static void a_missing_piece_is_an_error(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);

	(void)state;
	for (uint32_t piece = 0; piece < 4; piece++) {
		struct batch *b = batch_new(engine_part_of("mailbox", SPAN("anna/INBOX")));
		struct fixture_text got = { 0 };

		fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
		assert_int_equal(fixture_drain(s), 1);
		assert_true(batch_blob_remove(b, fixture_first_blob(s) + piece, piece, 1));
		must(engine_commit_wait(store_engine(s), &b, &fixture_err));
		assert_false(mailbox_read(box, fixture_entry(box, piece).uid, fixture_collect, &got, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_LOCAL);
		assert_non_null(strstr(fixture_err.text, "missing"));
		assert_int_equal(got.len, piece * (size_t)MAILBOX_PIECE);
		free(got.at);
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_said_with_its_remedy),
		cmocka_unit_test(a_box_is_made_once),
		cmocka_unit_test(entries_are_read_from_any_position),
		cmocka_unit_test(unique_ids_are_fixed_and_never_reused),
		cmocka_unit_test(reading_ends_early_or_with_an_error),
		cmocka_unit_test(a_missing_piece_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
