/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>

#include "config/nearest.h"

#define LONG_WORD "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg"	/* 65 */

static const struct row {
	struct span a, b;
	unsigned distance;
	bool near;
} rows[] = {
	{ SPAN("port"),      SPAN("port"),      0, true },
	{ SPAN("PORT"),      SPAN("port"),      0, true },
	{ SPAN("prot"),      SPAN("port"),      1, true },	/* swapped */
	{ SPAN("por"),       SPAN("port"),      1, true },
	{ SPAN("ports"),     SPAN("port"),      1, true },
	{ SPAN("pirt"),      SPAN("port"),      1, true },
	{ SPAN("intervall"), SPAN("interval"),  1, true },
	{ SPAN("conection"), SPAN("connection"), 1, true },
	{ SPAN("pasword"),   SPAN("password"),  1, true },
	{ SPAN("kitten"),    SPAN("sitting"),   3, true },
	{ SPAN("user"),      SPAN("host"),      4, false },
	{ SPAN(""),          SPAN("host"),      4, false },
	{ SPAN("x"),         SPAN("to"),        2, false },
	{ SPAN("ca"),        SPAN("abc"),       3, false },	/* restricted: a swap is not split again */
	{ SPAN(LONG_WORD),   SPAN(LONG_WORD),   UINT_MAX, false },
};

static void distances(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		unsigned best = UINT_MAX;

		assert_int_equal(nearest_distance(r->a, r->b), r->distance);
		assert_int_equal(nearest_distance(r->b, r->a), r->distance);
		assert_int_equal(nearest_better(r->a, r->b, &best), r->near);
		if (r->near)
			assert_int_equal(best, r->distance);
	}
}

static void only_the_nearer_one_wins(void **state)
{
	unsigned best = 1;

	(void)state;
	assert_false(nearest_better(SPAN("prt"), SPAN("port"), &best));
	assert_true(nearest_better(SPAN("port"), SPAN("port"), &best));
	assert_int_equal(best, 0);
}

static void words_of_other_programs(void **state)
{
	static const struct {
		struct span word;
		const char *key;
	} words[] = {
		{ SPAN("pass"), "password" }, { SPAN("passwd"), "password" }, { SPAN("username"), "user" }, { SPAN("login"), "user" },
		{ SPAN("server"), "host" }, { SPAN("SERVER"), "host" }, { SPAN("ssl"), "tls" }, { SPAN("starttls"), "tls" },
		{ SPAN("keep"), "after" }, { SPAN("fetchall"), "after" }, { SPAN("folder"), "mailbox" }, { SPAN("to"), "deliver" },
		{ SPAN(""), NULL }, { SPAN("serve"), NULL }, { SPAN("servers"), NULL }, { SPAN("host"), NULL },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(words); n++) {
		const char *key = nearest_synonym(words[n].word);

		assert_int_equal(key == NULL, words[n].key == NULL);
		if (key)
			assert_string_equal(key, words[n].key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(only_the_nearer_one_wins),
		cmocka_unit_test(words_of_other_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
