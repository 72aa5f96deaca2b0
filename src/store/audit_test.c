/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit.h"

#include "store/box.h"
#include "store/fixture.h"

enum { MESSAGES = 600, LARGE = 200 * 1024 };

static engine_part inbox(void)
{
	return engine_part_of("mailbox", SPAN("anna/INBOX"));
}

static struct store *filled(const char *directory)
{
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(LARGE);

	fixture_fill(s, box, MESSAGES);
	fixture_append(box, (struct span){ octets, LARGE }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	must(mailbox_add(s, "anna/empty", &fixture_err));
	free(octets);
	return s;
}

static void commit(struct store *s, struct batch *b)
{
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

static void a_store_is_counted(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct audit found;
	uint64_t uid;

	(void)state;
	must(audit_store(store_engine(s), &found, &fixture_err));
	assert_int_equal(found.boxes, 2);
	assert_int_equal(found.messages, MESSAGES + 1);
	assert_int_equal(found.octets, mailbox_bytes(fixture_box(s, "anna/INBOX")));
	uid = fixture_entry(fixture_box(s, "anna/INBOX"), 5).uid;
	mailbox_remove(fixture_box(s, "anna/INBOX"), &uid, 1, NULL, 0, 1, 1);
	(void)fixture_drain(s);
	must(audit_store(store_engine(s), &found, &fixture_err));
	assert_int_equal(found.messages, MESSAGES);
	store_close(&s);
	fixture_remove(directory);
}

static void break_body(struct store *s, struct batch *b)
{
	assert_true(batch_blob_remove(b, fixture_first_blob(s) + 17, 0, 1));
}

static void break_last_piece(struct store *s, struct batch *b)
{
	assert_true(batch_blob_remove(b, fixture_first_blob(s) + MESSAGES, 3, 1));
}

static void break_piece_longer(struct store *s, struct batch *b)
{
	assert_true(batch_blob(b, fixture_first_blob(s), 0, SPAN("1\r\n and more than there was")));
}

static void break_page(struct store *s, struct batch *b)
{
	char key[9];

	assert_true(batch_put(b, box_page_key(key, fixture_first_blob(s) / BOX_PAGE), SPAN("no entries")));
}

static void break_lose_page(struct store *s, struct batch *b)
{
	char key[9];

	assert_true(batch_remove(b, box_page_key(key, fixture_first_blob(s) / BOX_PAGE)));
}

static void break_head(struct store *s, struct batch *b)
{
	(void)s;
	assert_true(batch_put(b, SPAN("h"), SPAN("no head")));
}

static void break_head_away(struct store *s, struct batch *b)
{
	(void)s;
	assert_true(batch_remove(b, SPAN("h")));
}

static void break_intent(struct store *s, struct batch *b)
{
	(void)s;
	assert_true(batch_put(b, SPAN("r"), SPAN("no intent")));
}

static void what_is_not_whole_is_told(void **state)
{
	static const struct row {
		void (*breaks)(struct store *s, struct batch *b);
		const char *says;
	} rows[] = {
		{ break_body, "0012: piece 0 of its body" }, { break_last_piece, "piece 3 of its body" }, { break_piece_longer, "0001: piece 0 of its body" },
		{ break_page, "of its index is damaged" }, { break_lose_page, "its head says" }, { break_head, "its head is damaged" },
		{ break_head_away, "its head says 0" }, { break_intent, "what is leaving it" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		const char *directory = fixture_directory();
		struct store *s = filled(directory);
		struct batch *b = batch_new(inbox());
		struct audit found;

		r->breaks(s, b);
		commit(s, b);
		if (audit_store(store_engine(s), &found, &fixture_err))
			fail_msg("not seen: %s", r->says);
		assert_int_equal(fixture_err.kind, ERR_LOCAL);
		assert_non_null(strstr(fixture_err.text, "mailbox anna/INBOX"));
		if (!strstr(fixture_err.text, r->says))
			fail_msg("%s; not: %s", fixture_err.text, r->says);
		/* An intent that cannot be read would end the process when the store is opened; closing is fine. */
		store_close(&s);
		fixture_remove(directory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_is_counted),
		cmocka_unit_test(what_is_not_whole_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
