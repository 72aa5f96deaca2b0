/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/span.h"
#include "base/text.h"

static const struct row {
	const char *name;
	struct span in;
	const char *out;
} rows[] = {
	{ "nothing",                    SPAN(""),                          "" },
	{ "ASCII",                      SPAN(" azAZ09~"),                  " azAZ09~" },
	{ "controls",                   SPAN("\0\t\r\n\x1b\x1f\x7f"),      "???????" },
	{ "two octets",                 SPAN("\xc2\xa0\xc3\xa9\xdf\xbf"),  "\xc2\xa0\xc3\xa9\xdf\xbf" },
	{ "three octets",               SPAN("\xe0\xa0\x80\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
	  "\xe0\xa0\x80\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf" },
	{ "four octets",                SPAN("\xf0\x90\x80\x80\xf0\x9f\x93\xac\xf4\x8f\xbf\xbf"),
	  "\xf0\x90\x80\x80\xf0\x9f\x93\xac\xf4\x8f\xbf\xbf" },
	{ "C1 controls",                SPAN("\xc2\x80\xc2\x9b\xc2\x9f"),  "??????" },
	{ "lone continuations",         SPAN("a\x80\xbf" "b"),             "a??b" },
	{ "a lead and ASCII",           SPAN("\xc3" "a\xe2\x82" "b"),      "?a??b" },
	{ "a lead and a lead",          SPAN("\xc3\xc3\xa9"),              "?\xc3\xa9" },
	{ "overlong slash",             SPAN("\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf"), "?????????" },
	{ "overlong NUL, overlong ESC", SPAN("\xc0\x80\xc0\x9b\xe0\x80\x9b"), "???????" },
	{ "overlong C1",                SPAN("\xe0\x82\x9b"),              "???" },
	{ "surrogates",                 SPAN("\xed\xa0\x80\xed\xbf\xbf"),  "??????" },
	{ "beyond Unicode",             SPAN("\xf4\x90\x80\x80\xf8\x88\x80\x80\x80\xfe\xff"), "???????????" },
	{ "directions and line ends",   SPAN("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
	  "\xe2\x80\xa7??????\xe2\x80\xaf??????\xe2\x81\xaa" },
	{ "Latin-1",                    SPAN("Gr\xfc\xdf" "e"),            "Gr??e" },
};

static void what_is_shown(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char *copy = malloc(r->in.len + !r->in.len);

		assert_non_null(copy);
		memcpy(copy, r->in.at, r->in.len);
		text_clean(copy, r->in.len);
		if (!span_equal((struct span){ copy, r->in.len }, span_of(r->out)))
			fail_msg("%s: %.*s", r->name, (int)r->in.len, copy);
		free(copy);
	}
}

/* A character cut off becomes '?', and nothing beyond the end is read or written. */
static void any_cut_is_safe(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->in.len; cut++) {
			char *copy = malloc(cut + !cut);

			assert_non_null(copy);
			memcpy(copy, r->in.at, cut);
			text_clean(copy, cut);
			for (size_t i = 0; i < cut; i++)
				assert_true(copy[i] == r->out[i] || copy[i] == '?');
			for (size_t i = 0; i + 3 < cut; i++)
				assert_int_equal(copy[i], r->out[i]);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_shown),
		cmocka_unit_test(any_cut_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
