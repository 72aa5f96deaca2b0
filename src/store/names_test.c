/* SPDX-License-Identifier: Apache-2.0 */
#include "store/box.h"
#include "store/fixture.h"
#include "store/pack.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void a_name_is_account_and_box(void **state)
{
	static const struct row { const char *given, *want; } rows[] = {
		{ "anna/INBOX", "anna/INBOX" },
		{ "anna/inbox", "anna/INBOX" },
		{ "anna/iNbOx/sub", "anna/INBOX/sub" },
		{ "anna/inboxes", "anna/inboxes" },
		{ "anna/lists/inbox", "anna/lists/inbox" },
		{ "ANNA@Client1.COM/Lists/info", "anna@client1.com/Lists/info" },
		{ "anna/a b", "anna/a b" },
		{ "anna/gr\xc3\xbc\xc3\x9f", "anna/gr\xc3\xbc\xc3\x9f" },
		{ "anna/...", "anna/..." },
		{ "a/" HUNDRED HUNDRED TEN TEN TEN TEN TEN "abc", "a/" HUNDRED HUNDRED TEN TEN TEN TEN TEN "abc" },
		{ "a/" HUNDRED HUNDRED TEN TEN TEN TEN TEN "abcd", NULL },
		{ "anna", NULL }, { "", NULL }, { "/INBOX", NULL }, { "anna/", NULL }, { "anna//x", NULL }, { "anna/x/", NULL },
		{ "anna//", NULL }, { "anna/.", NULL }, { "anna/..", NULL }, { "anna/x/../y", NULL }, { "anna/./x", NULL },
		{ "anna/a\nb", NULL }, { "anna/\x7f", NULL }, { "an na/x", NULL }, { "~anna/x", NULL }, { "anna%b/x", NULL },
		{ "a@b@c/x", NULL }, { "@b/x", NULL }, { "a@/x", NULL },
	};
	char name[MAILBOX_NAME_MAX + 1];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		fixture_err.kind = ERR_NONE;
		if (box_name(r->given, name, &fixture_err) != (r->want != NULL))
			fail_msg("%s", r->given);
		if (r->want)
			assert_string_equal(name, r->want);
		else
			assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_false(span_has_control(span_of(fixture_err.text)));
	}
}

static void each_epoch_is_greater(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	uint32_t last = 0, epoch, found;
	char name[MAILBOX_NAME_MAX + 1] = "", want[32];

	(void)state;
	for (int n = 0; n < 5; n++) {
		(void)snprintf(want, sizeof want, "anna/%d", n);
		assert_false(box_find(s, want, &found));
		must(box_make(s, want, &epoch, &fixture_err));
		assert_true(epoch > last);
		assert_true(box_find(s, want, &found));
		assert_int_equal(found, epoch);
		last = epoch;
	}
	assert_false(box_make(s, "anna/1", &epoch, &fixture_err));	/* twice */
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	for (int n = 0; n < 5; n++) {
		(void)snprintf(want, sizeof want, "anna/%d", n);
		assert_true(mailbox_each(s, name));
		assert_string_equal(name, want);
	}
	assert_false(mailbox_each(s, name));
	store_close(&s);
	fixture_remove(directory);
}

/* A box removed and made again, also when the clock went back: its unique-ids
 * begin above all that were ever handed out. */
static void a_box_made_again_has_new_ids(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct batch *b = batch_new(engine_part_of("names", SPAN("")));
	uint32_t far = UINT32_MAX - 10, epoch, again;
	char last[4];

	(void)state;
	pack_u32(last, far);
	assert_true(batch_put(b, SPAN("e"), (struct span){ last, 4 }));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	must(box_make(s, "anna/x", &epoch, &fixture_err));
	assert_int_equal(epoch, far + 1);
	b = batch_new(engine_part_of("names", SPAN("")));
	assert_true(batch_remove(b, SPAN("banna/x")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	must(box_make(s, "anna/x", &again, &fixture_err));
	assert_int_equal(again, epoch + 1);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_account_and_box),
		cmocka_unit_test(each_epoch_is_greater),
		cmocka_unit_test(a_box_made_again_has_new_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
