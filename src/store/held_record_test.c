/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/held_inside.h"

static const char *directory;
static struct store *store;

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	store = fixture_store(directory);
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	store_close(&store);
	fixture_remove(directory);
	return 0;
}

static void put(char kind, uint64_t id, struct span value)
{
	struct batch *b = batch_new(held_part());
	char key[HELD_KEY];

	assert_true(batch_put(b, held_key(key, kind, id), value));
	must(engine_commit_wait(store_engine(store), &b, &fixture_err));
}

#define MOMENT(n) "\0\0\0\0\0\0\0" n
#define TEXT(len, text) "\0\0\0" len text
/* As the first Postriders with a held area wrote it. */
#define BODY MOMENT("\1") MOMENT("\2") MOMENT("\3") MOMENT("\4") "\0\0\0\0\0\0\0\6" "\0\0\0\1" "\0\0\0\7" "\0\0\0\2" \
	TEXT("\4", "anna") TEXT("\5", "relay") TEXT("\3", "a@b") TEXT("\4", "no\nw") TEXT("\0", "")
static const char old[] = "\1\1" BODY;

static void a_record_of_the_first_format_is_read([[maybe_unused]] void **state)
{
	struct held_info h = { .id = 0 };
	uint32_t pieces;

	put('h', 9, (struct span){ old, sizeof old - 1 });
	assert_true(held_find(store, 9, &h, &pieces));
	assert_true(h.id == 9 && h.state == HELD_FAILED && pieces == 1);
	assert_true(h.made == 1 && h.since == 2 && h.tried == 3 && h.next == 4);
	assert_true(h.size == 6 && h.attempts == 7 && h.recipient_count == 2);
	assert_string_equal(h.account, "anna");
	assert_string_equal(h.target, "relay");
	assert_string_equal(h.sender, "a@b");
	assert_string_equal(h.why, "no?w");
	assert_true(held_submitted(&h) && !h.released);
	h.id = 0;
	assert_true(held_next_of(store, "", &h) && h.id == 9);
}

static void what_is_not_a_record_is_none([[maybe_unused]] void **state)
{
#define NO_ID "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	static const char good[] = "\2\2" BODY "\1" NO_ID NO_ID TEXT("\1", "c") TEXT("\0", "") TEXT("\1", "u");
	static const struct row { const char *name; char kind; struct span value; bool is; } rows[] = {
		{ "whole",                    'k', { good, sizeof good - 1 }, true },
		{ "a submission's place",     'h', { good, sizeof good - 1 }, false },
		{ "a connection's place",     'k', { old, sizeof old - 1 }, false },
		{ "cut",                      'k', { good, sizeof good - 2 }, false },
		{ "with more behind it",      'k', { good, sizeof good }, false },
		{ "a later format",           'h', SPAN("\3\0" BODY), false },
		{ "a state that is none",     'h', SPAN("\1\3" BODY), false },
	};
	struct held_info h;
	uint32_t pieces;

	for (size_t n = 0; n < COUNT(rows); n++) {
		put(rows[n].kind, 100 + n, rows[n].value);
		if (held_find(store, 100 + n, &h, &pieces) != rows[n].is)
			fail_msg("%s", rows[n].name);
	}
	for (size_t len = 1; len < sizeof good - 1; len++) {
		put('k', 200 + len, (struct span){ good, len });
		assert_false(held_find(store, 200 + len, &h, &pieces));
	}
	assert_true(held_find(store, 100, &h, &pieces));
	assert_true(h.released && h.state == HELD_QUARANTINED);
	assert_string_equal(h.origin.connection, "c");
	assert_string_equal(h.origin.uid, "u");
}

/* All at its longest. */
static void a_record_is_read_as_it_was_put([[maybe_unused]] void **state)
{
	struct held_info in = { .id = 5, .state = HELD_WAITING, .made = 10, .since = 11, .tried = 12, .next = INT64_MAX, .attempts = UINT32_MAX,
		.recipient_count = HELD_RECIPIENTS_MAX, .size = UINT64_MAX, .released = true }, out;
	struct batch *b = batch_new(held_part());
	uint32_t pieces;

	memset(in.account, 'a', sizeof in.account - 1);
	memset(in.target, 't', sizeof in.target - 1);
	memset(in.sender, 's', sizeof in.sender - 1);
	memset(in.why, 'w', sizeof in.why - 1);
	memset(in.place, 'p', sizeof in.place - 1);
	memset(in.origin.connection, 'c', sizeof in.origin.connection - 1);
	memset(in.origin.mailbox, 'm', sizeof in.origin.mailbox - 1);
	memset(in.origin.uid, 'u', sizeof in.origin.uid - 1);
	memset(in.origin.id, 1, sizeof in.origin.id);
	memset(in.origin.digest, 2, sizeof in.origin.digest);
	held_put(b, &in, 77);
	must(engine_commit_wait(store_engine(store), &b, &fixture_err));
	assert_true(held_find(store, 5, &out, &pieces));
	assert_int_equal(pieces, 77);
	assert_true(out.state == in.state && out.made == in.made && out.since == in.since && out.tried == in.tried && out.next == in.next);
	assert_true(out.attempts == in.attempts && out.recipient_count == in.recipient_count && out.size == in.size && out.released);
	assert_string_equal(out.account, in.account);
	assert_string_equal(out.target, in.target);
	assert_string_equal(out.sender, in.sender);
	assert_string_equal(out.why, in.why);
	assert_string_equal(out.place, in.place);
	assert_memory_equal(&out.origin, &in.origin, sizeof in.origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_record_of_the_first_format_is_read, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_a_record_is_none, begin, end),
		cmocka_unit_test_setup_teardown(a_record_is_read_as_it_was_put, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
