/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/uidset.h"

static void writing(void **state)
{
	static const struct row {
		uint32_t uids[8];
		const char *want;
	} rows[] = {
		{ { 0 }, "" },
		{ { 7 }, "7" },
		{ { 7, 8 }, "7:8" },
		{ { 7, 8, 9, 11, 12, 20 }, "7:9,11:12,20" },
		{ { 9, 8, 7 }, "9,8,7" },
		{ { 5, 5, 6 }, "5,5:6" },
		{ { 4294967294, 4294967295, 1, 743000000 }, "4294967294:4294967295,1,743000000" },
	};
	char memory[64];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct uidset u;

		uidset_start(&u, memory, sizeof memory);
		for (const uint32_t *uid = r->uids; *uid; uid++)
			assert_true(uidset_add(&u, *uid));
		if (!span_equal(uidset_text(&u), span_of(r->want)))
			fail_msg("%s: %.*s", r->want, (int)u.text.len, u.text.at);
	}
}

/* A full set stays as it is, and the id opens the next; none is lost. */
static void chunks(void **state)
{
	enum { UIDS = 5000 };
	static const uint32_t steps[] = { 1, 2, 100003 };
	char memory[UIDSET_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct uidset u;
		uint64_t read = 0;
		uint32_t uid = 1, expected = 1;

		while (read < UIDS) {
			struct span rest;
			struct uid_range r;

			uidset_start(&u, memory, sizeof memory);
			while (uid <= steps[i] * (UIDS - 1) + 1 && uidset_add(&u, uid))
				uid += steps[i];
			assert_true(u.text.len && u.text.len <= UIDSET_TEXT_MAX);
			rest = uidset_text(&u);
			while (uidset_next(&rest, &r))
				for (uint32_t n = r.first; n <= r.last; n++, read++, expected += steps[i])
					assert_int_equal(n, expected);
			assert_int_equal(rest.len, 0);
		}
		assert_int_equal(read, UIDS);
	}
}

static void reading(void **state)
{
	static const struct row {
		const char *set;
		bool good;
		uint64_t count;
	} rows[] = {
		{ "", true, 0 }, { "1", true, 1 }, { "1:3", true, 3 }, { "3:1", true, 3 }, { "1,5:7,9", true, 5 },
		{ "1:4294967295", true, 4294967295 }, { "4294967295", true, 1 }, { "1:4294967295,1", false, 0 },
		{ "0", false, 0 }, { "4294967296", false, 0 }, { "*", false, 0 }, { "1:*", false, 0 }, { "1,", false, 0 }, { ",1", false, 0 },
		{ "1,,2", false, 0 }, { "1:", false, 0 }, { ":1", false, 0 }, { "1:2:3", false, 0 }, { "1 2", false, 0 }, { "-1", false, 0 },
		{ "1-2", false, 0 }, { ",", false, 0 }, { "0:5", false, 0 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint64_t n = 0;

		if (uidset_count(span_of(r->set), 4294967295, &n) != r->good || n != r->count)
			fail_msg("\"%s\": %llu", r->set, (unsigned long long)n);
	}
}

static void pairs(void **state)
{
	static const struct row {
		const char *from, *to;
		uint64_t max;
		const char *want;
	} rows[] = {
		{ "1", "9", 10, "1>9 " },
		{ "1:3,8", "5,20:22", 10, "1>5 2>20 3>21 8>22 " },
		{ "3:1", "9:7", 10, "1>7 2>8 3>9 " },
		{ "4294967295", "1", 1, "4294967295>1 " },
		{ "1:3", "1:2", 10, NULL }, { "", "", 10, NULL }, { "1", "", 10, NULL }, { "1:3", "1:3", 2, NULL },
		{ "1:4294967295", "1:4294967295", 1000, NULL }, { "*", "1", 10, NULL }, { "1", "x", 10, NULL },
	};
	char memory[256];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct uid_pairs p;
		struct buf told;
		uint32_t from, to;

		buf_lend(&told, memory, sizeof memory);
		assert_int_equal(uid_pairs_start(&p, span_of(r->from), span_of(r->to), r->max), r->want != NULL);
		while (r->want && uid_pairs_next(&p, &from, &to))
			assert_true(buf_printf(&told, "%u>%u ", from, to));
		if (r->want && !span_equal(buf_span(&told), span_of(r->want)))
			fail_msg("%s: %.*s", r->want, (int)told.len, told.at);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(writing),
		cmocka_unit_test(chunks),
		cmocka_unit_test(reading),
		cmocka_unit_test(pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
