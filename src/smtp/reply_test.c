/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/reply.h"

static const struct row {
	const char *name;
	struct span lines[4];
	enum reply_got got;
	unsigned code, status[3];
	struct span text;
} rows[] = {
	{ "one line", { SPAN("250 ok") }, REPLY_WHOLE, 250, { 0 }, SPAN("ok") },
	{ "a code alone", { SPAN("250") }, REPLY_WHOLE, 250, { 0 }, SPAN("") },
	{ "a code and a blank", { SPAN("250 ") }, REPLY_WHOLE, 250, { 0 }, SPAN("") },
	{ "unended", { SPAN("250-a") }, REPLY_MORE, 250, { 0 }, SPAN("a") },
	{ "two lines", { SPAN("250-a"), SPAN("250 b") }, REPLY_WHOLE, 250, { 0 }, SPAN("a b") },
	{ "an empty one between", { SPAN("250-a"), SPAN("250-"), SPAN("250 b") }, REPLY_WHOLE, 250, { 0 }, SPAN("a b") },
	{ "a status", { SPAN("550 5.1.1 who") }, REPLY_WHOLE, 550, { 5, 1, 1 }, SPAN("who") },
	{ "a status alone", { SPAN("550 5.1.1") }, REPLY_WHOLE, 550, { 5, 1, 1 }, SPAN("") },
	{ "a long status", { SPAN("450 4.123.999 x") }, REPLY_WHOLE, 450, { 4, 123, 999 }, SPAN("x") },
	{ "a status in each line", { SPAN("550-5.7.1 a"), SPAN("550 5.7.1 b") }, REPLY_WHOLE, 550, { 5, 7, 1 }, SPAN("a b") },
	{ "the first of two", { SPAN("550-5.7.1 a"), SPAN("550 5.7.2 b") }, REPLY_WHOLE, 550, { 5, 7, 1 }, SPAN("a b") },
	{ "of another class", { SPAN("550 4.1.1 x") }, REPLY_WHOLE, 550, { 0 }, SPAN("4.1.1 x") },
	{ "four digits", { SPAN("550 5.1.1234 x") }, REPLY_WHOLE, 550, { 0 }, SPAN("5.1.1234 x") },
	{ "two numbers", { SPAN("550 5.1 x") }, REPLY_WHOLE, 550, { 0 }, SPAN("5.1 x") },
	{ "an address", { SPAN("550 5.1.1.1 x") }, REPLY_WHOLE, 550, { 0 }, SPAN("5.1.1.1 x") },
	{ "half a status", { SPAN("550 5.1.") }, REPLY_WHOLE, 550, { 0 }, SPAN("5.1.") },
	{ "a status that is half", { SPAN("550 5.") }, REPLY_WHOLE, 550, { 0 }, SPAN("5.") },
	{ "controls", { SPAN("250 a\0\r\x1b\x7f b") }, REPLY_WHOLE, 250, { 0 }, SPAN("a???? b") },
	{ "the code changes", { SPAN("250-a"), SPAN("550 b") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "no code", { SPAN("hello") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "two digits", { SPAN("25") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "nothing", { SPAN("") , SPAN("250 ok") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "blanks in front", { SPAN(" 250 ok") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "a letter behind", { SPAN("250x") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "a tab behind", { SPAN("250\tok") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "199", { SPAN("199 x") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
	{ "600", { SPAN("600 x") }, REPLY_BROKEN, 0, { 0 }, SPAN("") },
};

static void replies(void **state)
{
	char memory[64];
	struct reply r;

	(void)state;
	smtp_reply_start(&r, memory, sizeof memory);
	for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
		enum reply_got got = REPLY_MORE;
		const char *why = NULL;

		r.whole = true;		/* whatever the row before left */
		for (size_t i = 0; i < COUNT(row->lines) && row->lines[i].at && got == REPLY_MORE; i++)
			got = smtp_reply_line(&r, row->lines[i], &why);
		if (got != row->got || (got == REPLY_BROKEN) != (why != NULL))
			fail_msg("%s: %d", row->name, got);
		if (got == REPLY_BROKEN)
			continue;
		if (r.code != row->code || memcmp(r.status, row->status, sizeof r.status) != 0 || !span_equal(buf_span(&r.text), row->text))
			fail_msg("%s: %u %u.%u.%u \"%.*s\"", row->name, r.code, r.status[0], r.status[1], r.status[2], (int)r.text.len, r.text.at);
	}
}

static void too_many_lines(void **state)
{
	char memory[8];
	const char *why;
	struct reply r;

	(void)state;
	smtp_reply_start(&r, memory, sizeof memory);
	for (int i = 0; i < REPLY_LINES_MAX; i++)
		assert_int_equal(smtp_reply_line(&r, SPAN("250-x"), &why), REPLY_MORE);
	assert_true(span_equal(buf_span(&r.text), SPAN("x x x x ")));
	assert_int_equal(smtp_reply_line(&r, SPAN("250 x"), &why), REPLY_BROKEN);
}

/* What is cut off leaves no half character. */
static void words_that_find_no_room(void **state)
{
	char memory[4];
	const char *why;
	struct reply r;

	(void)state;
	smtp_reply_start(&r, memory, sizeof memory);
	assert_int_equal(smtp_reply_line(&r, SPAN("250 abc\xc3\xa4"), &why), REPLY_WHOLE);
	assert_true(span_equal(buf_span(&r.text), SPAN("abc?")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(too_many_lines),
		cmocka_unit_test(words_that_find_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
