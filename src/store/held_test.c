/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/held.h"
#include "store/held_inside.h"

enum { SMALL = 100, LARGE = 3000000, NOW = 1000000 };

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

static void reopen(void)
{
	store_close(&store);
	store = fixture_store(directory);
}

static struct spool *message(size_t len)
{
	struct spool *m = spool_new(directory, &fixture_err);
	char *at = fixture_octets(len);

	must(m);
	must(spool_add(m, (struct span){ at, len }, &fixture_err));
	free(at);
	return m;
}

static const char *const recipients[] = { "bert@example.org", "\"a b\"@example.org", "carla@example.net" };

static struct held_new envelope(void)
{
	return (struct held_new){ .account = "anna", .target = "relay", .sender = "anna@example.org", .recipients = recipients,
		.recipient_count = COUNT(recipients), .why = "it\nsaid no", .next = NOW + 60 };
}

static uint64_t add(size_t len)
{
	struct held_new what = envelope();
	struct spool *m = message(len);
	uint64_t id;

	must(held_add(store, &what, m, NOW, &id, &fixture_err));
	spool_free(&m);
	return id;
}

static bool collect(void *user, struct span octets)
{
	return fixture_collect(user, octets);
}

static void holds(uint64_t id, size_t len)
{
	struct fixture_text got = { 0 };
	char *want = fixture_octets(len);
	const char **names;
	struct spool *m;
	size_t count;

	must(held_load(store, id, &m, &names, &count, &fixture_err));
	must(spool_read(m, collect, &got, &fixture_err));
	assert_int_equal(got.len, len);
	if (len)
		assert_memory_equal(got.at, want, len);
	assert_int_equal(count, COUNT(recipients));
	for (size_t n = 0; n < count; n++)
		assert_string_equal(names[n], recipients[n]);
	free(names);
	free(got.at);
	free(want);
	spool_free(&m);
}

static void octets_come_piece_by_piece([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 0, SMALL, MAILBOX_PIECE, MAILBOX_PIECE + 1, 13 * MAILBOX_PIECE + 7 };
	struct err e;

	for (size_t n = 0; n < COUNT(sizes); n++) {
		struct fixture_text got = { 0 };
		char *want = fixture_octets(sizes[n]);
		uint64_t id = add(sizes[n]);
		size_t before;
		uint32_t piece = 0;

		do {
			before = got.len;
			must(held_piece(store, id, piece++, collect, &got, &fixture_err));
			assert_true(got.len - before <= MAILBOX_PIECE);
		} while (got.len > before);
		assert_int_equal(got.len, sizes[n]);
		if (got.len)
			assert_memory_equal(got.at, want, got.len);
		must(held_remove(store, id, &fixture_err));
		assert_false(held_piece(store, id, 0, collect, &got, &e));
		assert_int_equal(e.kind, ERR_CONFIG);
		free(got.at);
		free(want);
	}
}

static void fewer_are_left([[maybe_unused]] void **state)
{
	static const char *const left[] = { "only@example.net" };
	const char **names;
	struct held_info info;
	struct spool *m;
	size_t count;
	uint64_t id;

	id = add(100);
	must(held_narrow(store, id, left, 1, &fixture_err));
	must(held_narrow(store, id, left, 1, &fixture_err));	/* once more changes nothing */
	assert_true(held_get(store, id, &info));
	assert_int_equal(info.recipient_count, 1);
	assert_int_equal(info.size, 100);
	must(held_load(store, id, &m, &names, &count, &fixture_err));
	assert_int_equal(count, 1);
	assert_string_equal(names[0], left[0]);
	free(names);
	spool_free(&m);
	must(held_remove(store, id, &fixture_err));
	assert_false(held_narrow(store, id, left, 1, &fixture_err));
}

/* What one target would have had before it is not the message's. */
static void a_lead_is_not_kept([[maybe_unused]] void **state)
{
	struct spool *m = message(MAILBOX_PIECE + 100);
	struct held_new what = envelope();
	struct held_info info;
	uint64_t id;

	must(spool_lead(m, SPAN("Delivered-To: a\r\n"), &fixture_err));
	must(held_add(store, &what, m, NOW, &id, &fixture_err));
	assert_true(held_get(store, id, &info));
	assert_int_equal(info.size, MAILBOX_PIECE + 100);
	holds(id, MAILBOX_PIECE + 100);
	must(held_remove(store, id, &fixture_err));
	spool_free(&m);
}

/* All keys and blobs' pieces 0 of the held area; of one that is empty: the sum alone. */
static size_t keys(void)
{
	struct view *v;
	struct span key = { 0 }, value;
	size_t n = 0;

	must(view_begin(store_engine(store), &v, &fixture_err));
	while (view_next(v, engine_part_of("held", SPAN("")), SPAN(""), &key, &value))
		n++;
	view_end(&v);
	return n;
}

static bool has_piece(uint64_t id, uint32_t piece)
{
	struct view *v;
	struct span octets;
	bool there;

	must(view_begin(store_engine(store), &v, &fixture_err));
	there = view_blob(v, engine_part_of("held", SPAN("")), id, piece, &octets);
	view_end(&v);
	return there;
}

static void messages_survive_a_restart([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 0, SMALL, MAILBOX_PIECE, MAILBOX_PIECE + 1, 12 * MAILBOX_PIECE, 12 * MAILBOX_PIECE + 1, LARGE };
	struct held_info info = { .id = 0 };
	uint64_t ids[COUNT(sizes)], before = 0;
	struct held_sums sums;
	size_t n = 0;

	for (size_t i = 0; i < COUNT(sizes); i++)
		ids[i] = add(sizes[i]);
	reopen();
	for (size_t i = 0; i < COUNT(sizes); i++)
		holds(ids[i], sizes[i]);
	while (held_next(store, &info)) {
		assert_true(info.id > before);
		before = info.id;
		assert_int_equal(info.state, HELD_WAITING);
		assert_int_equal(info.next, NOW + 60);
		assert_int_equal(info.attempts, 1);
		assert_int_equal(info.recipient_count, COUNT(recipients));
		assert_string_equal(info.account, "anna");
		assert_string_equal(info.target, "relay");
		assert_string_equal(info.sender, "anna@example.org");
		assert_string_equal(info.why, "it?said no");
		n++;
	}
	assert_int_equal(n, COUNT(sizes));
	held_sums(store, &sums);
	assert_int_equal(sums.waiting, COUNT(sizes));
	assert_int_equal(sums.octets, SMALL + 26 * MAILBOX_PIECE + 2 + LARGE);
}

static void what_becomes_of_one([[maybe_unused]] void **state)
{
	uint64_t id = add(SMALL), other = add(LARGE);
	struct held_info info;
	struct held_sums sums;
	struct err e;

	must(held_placing(store, id, "17.M1P2Q3_aa.host,S=1,W=1", &fixture_err));
	must(held_defer(store, id, "still not", NOW + 60, NOW + 360, &fixture_err));
	reopen();
	assert_true(held_get(store, id, &info));
	assert_string_equal(info.place, "17.M1P2Q3_aa.host,S=1,W=1");
	assert_string_equal(info.why, "still not");
	assert_int_equal(info.attempts, 2);
	assert_int_equal(info.since, NOW);
	must(held_fail(store, id, "never", NOW + 400, &fixture_err));
	held_sums(store, &sums);
	assert_true(sums.waiting == 1 && sums.failed == 1);
	must(held_again(store, id, NOW + 500, &fixture_err));
	assert_true(held_get(store, id, &info));
	assert_int_equal(info.state, HELD_WAITING);
	assert_int_equal(info.since, NOW + 500);
	assert_int_equal(info.made, NOW);
	holds(id, SMALL);
	must(held_remove(store, id, &fixture_err));
	must(held_remove(store, other, &fixture_err));
	assert_false(held_get(store, id, &info));
	assert_false(held_remove(store, id, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_false(held_defer(store, id, "x", NOW, NOW, &e));
	assert_int_equal(keys(), 1);
	assert_false(has_piece(other, 0));
	held_sums(store, &sums);
	assert_int_equal(sums.octets, 0);
}

/* As a kill leaves it between the octets and the record. */
static void what_never_became_whole_is_taken_away([[maybe_unused]] void **state)
{
	struct batch *b = batch_new(engine_part_of("held", SPAN("")));
	static const char key[] = "s\0\0\0\0\0\0\0\7", count[] = "\0\0\0\5";
	uint64_t good = add(SMALL);

	assert_non_null(b);
	assert_true(batch_put(b, (struct span){ key, 9 }, (struct span){ count, 4 }));
	for (uint32_t n = 0; n < 3; n++)
		assert_true(batch_blob(b, 7, n, SPAN("octets")));
	must(engine_commit_wait(store_engine(store), &b, &fixture_err));
	assert_true(has_piece(7, 2));
	reopen();
	assert_false(has_piece(7, 0));
	assert_false(has_piece(7, 2));
	assert_int_equal(keys(), 3);
	holds(good, SMALL);
}

static void there_is_an_end_of_room([[maybe_unused]] void **state)
{
	struct held_new what = envelope();
	struct spool *m = message(SMALL);
	char nearly[8] = { 0, 0, 0, 0, 0x3f, (char)0xff, (char)0xff, (char)0xf0 };	/* HELD_MAX - 16 */
	struct batch *b = batch_new(engine_part_of("held", SPAN("")));
	uint64_t id;
	struct err e;

	assert_true(batch_put(b, SPAN("t"), (struct span){ nearly, 8 }));
	must(engine_commit_wait(store_engine(store), &b, &fixture_err));
	assert_false(held_add(store, &what, m, NOW, &id, &e));
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(keys(), 1);
	spool_free(&m);
}

static void an_envelope_has_limits([[maybe_unused]] void **state)
{
	struct held_new what = envelope();
	const char *many[HELD_RECIPIENTS_MAX + 1];
	static const char *const forged[] = { "a@b\nc@d" };
	struct spool *m = message(SMALL);
	uint64_t id;
	struct err e;

	for (size_t n = 0; n < COUNT(many); n++)
		many[n] = "a@example.org";
	what.recipients = many;
	what.recipient_count = COUNT(many);
	assert_false(held_add(store, &what, m, NOW, &id, &e));
	what.recipient_count--;
	must(held_add(store, &what, m, NOW, &id, &fixture_err));
	what.recipients = forged;
	what.recipient_count = 1;
	assert_false(held_add(store, &what, m, NOW, &id, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	spool_free(&m);
}

static void ids_as_texts([[maybe_unused]] void **state)
{
	char text[HELD_ID_TEXT];
	uint64_t id;

	assert_string_equal(held_id_text(0x123abcdef, text), "0000000123abcdef");
	assert_true(held_id_read(text, &id));
	assert_int_equal(id, 0x123abcdef);
	assert_false(held_id_read("123", &id));
	assert_false(held_id_read("000000000000000g", &id));
	assert_false(held_id_read("0000000000000000", &id));
	assert_false(held_id_read("0000000123abcdef0", &id));
}

/* What a disk may say instead of a record. */
static void a_damaged_record_is_none([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };
	uint64_t id = add(SMALL);
	struct batch *b = batch_new(engine_part_of("held", SPAN("")));
	char key[9] = "h", value[] = "\1\0abc";

	for (int n = 0; n < 8; n++)
		key[1 + n] = (char)(id >> (56 - 8 * n));
	assert_true(batch_put(b, (struct span){ key, 9 }, (struct span){ value, 5 }));
	must(engine_commit_wait(store_engine(store), &b, &fixture_err));
	assert_false(held_next(store, &info));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_survive_a_restart, begin, end),
		cmocka_unit_test_setup_teardown(what_becomes_of_one, begin, end),
		cmocka_unit_test_setup_teardown(octets_come_piece_by_piece, begin, end),
		cmocka_unit_test_setup_teardown(fewer_are_left, begin, end),
		cmocka_unit_test_setup_teardown(a_lead_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(what_never_became_whole_is_taken_away, begin, end),
		cmocka_unit_test_setup_teardown(there_is_an_end_of_room, begin, end),
		cmocka_unit_test_setup_teardown(an_envelope_has_limits, begin, end),
		cmocka_unit_test_setup_teardown(ids_as_texts, begin, end),
		cmocka_unit_test_setup_teardown(a_damaged_record_is_none, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
