/* SPDX-License-Identifier: Apache-2.0 */
#include "store/uids.h"

#include "store/fixture.h"

static void members_come_from_any_order(void **state)
{
	static const struct row { size_t count, ranges; uint64_t uids[6]; } rows[] = {
		{ 0, 0, { 0 } },
		{ 1, 1, { 0 } },
		{ 3, 1, { 3, 1, 2 } },
		{ 4, 2, { 9, 1, 9, 2 } },
		{ 4, 3, { UINT64_MAX, 0, 5, UINT64_MAX } },
		{ 6, 2, { 10, 12, 14, 13, 11, 900 } },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct uids set;
		uint64_t uid = 0;
		size_t walked = 0;

		uids_from(&set, r->uids, r->count);
		assert_int_equal(set.count, r->ranges);
		for (size_t n = 0; n < r->count; n++) {
			assert_true(uids_has(&set, r->uids[n]));
			assert_false(uids_has(&set, r->uids[n] ^ 1u << 20));
		}
		for (; uids_next(&set, &uid); uid++) {
			bool among = false;

			for (size_t n = 0; n < r->count; n++)
				among |= r->uids[n] == uid;
			assert_true(among);
			walked++;
			if (uid == UINT64_MAX)
				break;
		}
		assert_true(walked <= r->count && (walked > 0 || !r->count));
		uids_free(&set);
	}
}

/* Whatever was packed, in parts of any size, is the same set again. */
static void packed_in_parts_it_is_the_same(void **state)
{
	static const size_t sizes[] = { UIDS_PAIR_MAX, 33, 100, 4096, 1 << 20 };
	enum { UIDS = 20000 };
	uint64_t *uids = calloc(UIDS, sizeof *uids), at = (uint64_t)77 << 32;
	char *part = malloc(1 << 20);
	uint32_t x = 1;
	struct uids set;

	(void)state;
	assert_true(uids && part);
	for (size_t n = 0; n < UIDS; n++) {
		x = x * 1103515245 + 12345;
		at += x >> 28 ? 1 : (x >> 8) % 3000 + 2;
		uids[n] = n == 0 ? 0 : n == UIDS - 1 ? UINT64_MAX : at;
	}
	uids_from(&set, uids, UIDS);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct uids again = { 0 };

		for (size_t from = 0; from < set.count;) {
			size_t len = uids_pack(&set, &from, part, sizes[i]);

			assert_true(len > 0 && len <= sizes[i]);
			assert_true(uids_unpack(&again, (struct span){ part, len }));
		}
		assert_int_equal(again.count, set.count);
		assert_memory_equal(again.at, set.at, set.count * sizeof *set.at);
		uids_free(&again);
	}
	uids_free(&set);
	free(uids);
	free(part);
}

static void what_is_damaged_is_refused(void **state)
{
	static const struct row { struct span part; bool good; } rows[] = {
		{ SPAN(""), true }, { SPAN("\x01\x02"), true }, { SPAN("\x01\x02\x01\x01"), true },
		{ SPAN("\x01"), false }, { SPAN("\x80"), false }, { SPAN("\x01\x80"), false },
		{ SPAN("\x01\x02\x00\x01"), false },	/* begins where the one before ends */
		{ SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), true },		/* the greatest there is */
		{ SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"), false },	/* and one behind it */
		{ SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00"), false },
		{ SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00"), false },
		{ SPAN("\x05\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct uids set = { 0 };

		if (uids_unpack(&set, rows[n].part) != rows[n].good)
			fail_msg("row %zu", n);
		uids_free(&set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_come_from_any_order),
		cmocka_unit_test(packed_in_parts_it_is_the_same),
		cmocka_unit_test(what_is_damaged_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
