/* SPDX-License-Identifier: Apache-2.0 */
#include "store/intent.h"

#include "store/fixture.h"

enum { PART = 7 };

static void put(struct store *s, struct span key, struct span value)
{
	struct batch *b = batch_new(PART);

	assert_true(value.len ? batch_put(b, key, value) : batch_remove(b, key));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

static bool read_back(struct store *s, struct box_intent *intent)
{
	struct view *v;
	bool good;

	must(view_begin(store_engine(s), &v, &fixture_err));
	good = intent_read(v, PART, intent);
	view_end(&v);
	return good;
}

/* In parts of any size, each of one kind. */
static void what_was_packed_is_read(void **state)
{
	static const struct row { size_t going, seen, max; uint32_t parts; } rows[] = {
		{ 1, 0, 100, 1 }, { 0, 1, 100, 1 }, { 3, 3, 100, 2 }, { 5000, 1, 4096, 0 }, { 1, 500, 30, 0 }, { 77, 88, 64, 0 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	uint64_t uids[5000];

	(void)state;
	for (size_t n = 0; n < COUNT(uids); n++)
		uids[n] = n * 300 + 5;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct box_intent intent = { .when = -77 }, again;
		char value[INTENT_VALUE], key[INTENT_PART_KEY], part[4096];
		size_t packed = 0;

		uids_from(&intent.going, uids, r->going);
		uids_from(&intent.seen, uids, r->seen);
		while (!intent_all_packed(&intent, packed)) {
			struct span at = intent_part(part, r->max, &intent, &packed);

			assert_true(at.len > 1 && at.len <= r->max);
			put(s, intent_part_key(key, intent.parts++), at);
		}
		if (r->parts)
			assert_int_equal(intent.parts, r->parts);
		put(s, SPAN("r"), intent_value(value, &intent));
		assert_true(read_back(s, &again));
		assert_true(again.parts == intent.parts && again.when == -77);
		assert_true(again.going.count == r->going && again.seen.count == r->seen);
		for (size_t n = 0; n < COUNT(uids); n++) {
			assert_int_equal(uids_has(&again.going, uids[n]), n < r->going);
			assert_int_equal(uids_has(&again.seen, uids[n]), n < r->seen);
		}
		intent_free(&intent);
		intent_free(&again);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void what_is_damaged_is_told(void **state)
{
	static const struct row { struct span value, part; bool good; uint32_t parts; } rows[] = {
		{ SPAN(""), SPAN("no intent, so nobody looks"), true, 0 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN("g\1\0"), true, 1 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN("s\1\0"), true, 1 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN("x\1\0"), false, 0 },	/* of no kind */
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN("g\1"), false, 0 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN(""), false, 0 },		/* not there */
		{ SPAN("\1\0\0\0\2\0\0\0\0\0\0\0\5"), SPAN("g\1\0"), false, 0 },	/* the second is not there */
		{ SPAN("\1\0\0\0\0\0\0\0\0\0\0\0\5"), SPAN("g\1\0"), false, 0 },
		{ SPAN("\1\xff\xff\xff\xff\0\0\0\0\0\0\0\5"), SPAN("g\1\0"), false, 0 },
		{ SPAN("\2\0\0\0\1\0\0\0\0\0\0\0\5"), SPAN("g\1\0"), false, 0 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0"), SPAN("g\1\0"), false, 0 },
		{ SPAN("\1\0\0\0\1\0\0\0\0\0\0\0\5\0"), SPAN("g\1\0"), false, 0 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct box_intent intent;

		put(s, SPAN("r"), rows[n].value);
		put(s, SPAN("q\0\0\0\0"), rows[n].part);
		if (read_back(s, &intent) != rows[n].good)
			fail_msg("row %zu", n);
		assert_int_equal(intent.parts, rows[n].parts);
		intent_free(&intent);
	}
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_is_read),
		cmocka_unit_test(what_is_damaged_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
