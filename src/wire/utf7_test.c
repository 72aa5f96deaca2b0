/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/utf7.h"

static const struct row {
	const char *utf8, *utf7;
} both[] = {
	{ "", "" },
	{ "INBOX", "INBOX" },
	{ "a&b", "a&-b" },
	{ "&", "&-" },
	{ "&&", "&-&-" },
	{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
	{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
	{ "\xc3\xa9&", "&AOk-&-" },
	{ "&\xc3\xa9", "&-&AOk-" },
	{ "\xf0\x9f\x93\xac", "&2D3c7A-" },
	{ "\xc3\xa9\xc3\xa9\xc3\xa9", "&AOkA6QDp-" },
	{ "a\x01\tb", "a&AAEACQ-b" },
	{ "\xef\xbf\xbf\xf4\x8f\xbf\xbf", "&,,,b,9,,-" },
};

static const struct span not_utf8[] = {
	SPAN("\0"), SPAN("\x80"), SPAN("\xc3"), SPAN("\xc0\xaf"), SPAN("\xe0\x80\xaf"), SPAN("\xed\xa0\x80"), SPAN("\xf4\x90\x80\x80"),
	SPAN("\xf8\x88\x80\x80\x80"), SPAN("a\xc3("), SPAN("\xf0\x80\x80\x80"),
};

static const char *const not_utf7[] = {
	"&", "a&", "&AOk", "&A-", "&AO-", "&AOl-", "&AGE-", "&AAA-", "&ACY-", "&2D0-", "&3Kw-", "&2D0A6Q-", "&AOk-&AOk-",
	"&AOkA-", "&AOkAAA-", "&AO k-", "&AO/k-", "\xc3\xa9", "a\tb", "&AOk=-", "\x7f",
};

static void both_ways(void **state)
{
	char memory[256];
	struct buf b;

	(void)state;
	for (const struct row *r = both; r < both + COUNT(both); r++) {
		buf_lend(&b, memory, sizeof memory);
		assert_true(utf7_encode(span_of(r->utf8), &b));
		if (!span_equal(buf_span(&b), span_of(r->utf7)))
			fail_msg("%s: %.*s", r->utf7, (int)b.len, b.at);
		b.len = 0;
		if (!utf7_decode(span_of(r->utf7), &b) || !span_equal(buf_span(&b), span_of(r->utf8)))
			fail_msg("%s does not come back", r->utf7);
	}
}

static void names_that_are_none(void **state)
{
	char memory[256];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(buf_add(&b, SPAN("kept")));
	for (size_t i = 0; i < COUNT(not_utf8); i++)
		assert_false(utf7_encode(not_utf8[i], &b));
	for (size_t i = 0; i < COUNT(not_utf7); i++)
		if (utf7_decode(span_of(not_utf7[i]), &b))
			fail_msg("%s is taken", not_utf7[i]);
	assert_true(span_equal(buf_span(&b), SPAN("kept")));
}

/* Memory of every size that does not suffice. */
static void no_room(void **state)
{
	char memory[256];
	struct buf b;

	(void)state;
	for (const struct row *r = both + 1; r < both + COUNT(both); r++) {
		for (size_t room = 0; room < strlen(r->utf7); room++) {
			buf_lend(&b, memory, room);
			assert_false(utf7_encode(span_of(r->utf8), &b) || b.len);
		}
		for (size_t room = 0; room < strlen(r->utf8); room++) {
			buf_lend(&b, memory, room);
			assert_false(utf7_decode(span_of(r->utf7), &b) || b.len);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
