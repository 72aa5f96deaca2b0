/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/reply.h"

static void assert_span(struct span got, const char *want)
{
	if (!span_equal(got, span_of(want)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)got.len, got.at, want);
}

static void kinds(void **state)
{
	static const struct row {
		struct span line;
		enum reply want;
		const char *text;
	} rows[] = {
		{ SPAN("+OK"), REPLY_OK, "" },
		{ SPAN("+OK  hi there "), REPLY_OK, "hi there" },
		{ SPAN("+ok\thi"), REPLY_OK, "hi" },
		{ SPAN("+OK, deleted"), REPLY_OK, ", deleted" },
		{ SPAN("+OK\0x"), REPLY_OK, NULL },
		{ SPAN("+OKAY"), REPLY_NONE, "+OKAY" },
		{ SPAN("-ERR"), REPLY_ERR, "" },
		{ SPAN("-err no"), REPLY_ERR, "no" },
		{ SPAN("-ERROR"), REPLY_NONE, "-ERROR" },
		{ SPAN("+"), REPLY_MORE, "" },
		{ SPAN("+ dGV4dA=="), REPLY_MORE, "dGV4dA==" },
		{ SPAN("+dGV4dA=="), REPLY_NONE, "+dGV4dA==" },
		{ SPAN("+FOO"), REPLY_NONE, "+FOO" },
		{ SPAN("-"), REPLY_NONE, "-" },
		{ SPAN("-NO"), REPLY_NONE, "-NO" },
		{ SPAN(" +OK"), REPLY_NONE, " +OK" },
		{ SPAN("OK"), REPLY_NONE, "OK" },
		{ SPAN(""), REPLY_NONE, "" },
		{ SPAN("\0+OK"), REPLY_NONE, NULL },
		{ SPAN("* OK IMAP4rev1"), REPLY_NONE, "* OK IMAP4rev1" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		if (p3_reply_kind(r->line) != r->want)
			fail_msg("%s is kind %d", r->line.at, (int)p3_reply_kind(r->line));
		if (r->text)
			assert_span(reply_text(r->line), r->text);
	}
}

static void codes(void **state)
{
	static const struct row {
		const char *line;
		enum p3_reply_code want;
	} rows[] = {
		{ "-ERR", REPLY_CODE_NONE },
		{ "-ERR no such user", REPLY_CODE_NONE },
		{ "-ERR [AUTH] no", REPLY_CODE_AUTH },
		{ "-ERR [auth]", REPLY_CODE_AUTH },
		{ "-ERR [AUTHOR] no", REPLY_CODE_OTHER },
		{ "-ERR [IN-USE] another session", REPLY_CODE_BUSY },
		{ "-ERR   [SYS/TEMP] later", REPLY_CODE_BUSY },
		{ "-ERR [SYS/TEMP/DISK] later", REPLY_CODE_BUSY },
		{ "-ERR [LOGIN-DELAY] not so often", REPLY_CODE_BUSY },
		{ "-ERR [SYS/PERM] alert: quota", REPLY_CODE_OTHER },
		{ "-ERR [SYS] what", REPLY_CODE_OTHER },
		{ "-ERR [AUTH never closed", REPLY_CODE_NONE },
		{ "-ERR no [AUTH] at the front", REPLY_CODE_NONE },
		{ "-ERR maildrop already locked", REPLY_CODE_BUSY },
		{ "-ERR unable to lock mailbox", REPLY_CODE_BUSY },
		{ "-ERR account locked", REPLY_CODE_NONE },
		{ "-ERR [AUTH] mailbox locked out", REPLY_CODE_AUTH },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		if (p3_reply_code(span_of(r->line)) != r->want)
			fail_msg("%s has code %d", r->line, (int)p3_reply_code(span_of(r->line)));
}

static void timestamps(void **state)
{
	static const struct row {
		const char *greeting, *want;
	} rows[] = {
		{ "+OK ready <1896.697170952@dbc.mtview.ca.us>", "<1896.697170952@dbc.mtview.ca.us>" },
		{ "+OK <a@b> and <c@d>", "<a@b>" },
		{ "+OK <not one> <c@d> bye", "<c@d>" },
		{ "+OK <<a@b>", "<a@b>" },
		{ "+OK", "" },
		{ "+OK <a.b>", "" },
		{ "+OK <@b>", "" },
		{ "+OK <a@>", "" },
		{ "+OK <a@b", "" },
		{ "+OK <a@b@c>", "" },
		{ "+OK <a b@c>", "" },
		{ "+OK <a@\xe9>", "" },
		{ "+OK <a\x01@b>", "" },
		{ "+OK <>", "" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_span(reply_timestamp(span_of(r->greeting)), r->want);
	assert_int_equal(reply_timestamp(SPAN("+OK <a\0b@c>")).len, 0);
}

static void stats(void **state)
{
	static const struct row {
		const char *line;
		bool good;
		uint32_t count;
		uint64_t octets;
	} rows[] = {
		{ "+OK 2 320", true, 2, 320 },
		{ "+OK 0 0", true, 0, 0 },
		{ "+OK  2\t320 octets", true, 2, 320 },
		{ "+OK 2", true, 2, 0 },
		{ "+OK 2 (320 octets)", true, 2, 0 },
		{ "+OK 2 -1", true, 2, 0 },
		{ "+OK 2 18446744073709551615", true, 2, UINT64_MAX },
		{ "+OK 2 18446744073709551616", true, 2, 0 },
		{ "+OK 1000 1", true, 1000, 1 },
		{ "+OK 1001 1", false, 7, 7 },
		{ "+OK 4294967297 1", false, 7, 7 },
		{ "+OK 99999999999999999999999 1", false, 7, 7 },
		{ "+OK -1 1", false, 7, 7 },
		{ "+OK +1 1", false, 7, 7 },
		{ "+OK", false, 7, 7 },
		{ "+OK there are 2 messages", false, 7, 7 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint32_t count = 7;
		uint64_t octets = 7;

		if (reply_stat(span_of(r->line), 1000, &count, &octets) != r->good || count != r->count || octets != r->octets)
			fail_msg("%s: %u %llu", r->line, count, (unsigned long long)octets);
	}
}

static void listings(void **state)
{
	static const struct row {
		const char *line;
		bool good;
		uint32_t number;
		const char *uid;
		uint64_t octets;
	} rows[] = {
		{ "1 120", true, 1, "120", 120 },
		{ "1      120", true, 1, "120", 120 },
		{ " 1\t120 ", true, 1, "120", 120 },
		{ "1 120 more words", true, 1, "120 more words", 120 },
		{ "1 a/b c", true, 1, "a/b c", 0 },
		{ "1 \xe9", true, 1, "\xe9", 0 },
		{ "1", true, 1, "", 0 },
		{ "1 ", true, 1, "", 0 },
		{ "4294967295 -5", true, UINT32_MAX, "-5", 0 },
		{ "0001 99999999999999999999", true, 1, "99999999999999999999", 0 },
		{ "4294967297 5", false, 0, NULL, 0 },
		{ "0 5", false, 0, NULL, 0 },
		{ "-1 5", false, 0, NULL, 0 },
		{ "x 5", false, 0, NULL, 0 },
		{ "1x 5", false, 0, NULL, 0 },
		{ "", false, 0, NULL, 0 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint32_t number = 0;
		uint64_t octets = 0;
		struct span uid;

		if (reply_uid(span_of(r->line), &number, &uid) != r->good || number != r->number)
			fail_msg("uid %s: %u", r->line, number);
		if (r->good)
			assert_span(uid, r->uid);
		number = 0;
		if (reply_size(span_of(r->line), &number, &octets) != r->good || number != r->number || octets != r->octets)
			fail_msg("size %s: %u %llu", r->line, number, (unsigned long long)octets);
	}
}

static void of_the_command(void **state)
{
	static const char *const yes[] = { "-ERR unknown command", "-ERR Unrecognized command", "-ERR APOP not supported", "-ERR Invalid command.", "-ERR Bad Command: APOP",
		"-ERR command not valid in this state", "-ERR not implemented", "-ERR this command is disabled", "-ERR Syntax error" };
	static const char *const no[] = { "-ERR", "-ERR no", "-ERR unknown user", "-ERR permission denied", "-ERR invalid login", "-ERR bad password", "-ERR [AUTH] failed",
		"-ERR account disabled" };

	(void)state;
	for (size_t n = 0; n < COUNT(yes); n++)
		if (!p3_reply_unknown(span_of(yes[n])))
			fail_msg("%s", yes[n]);
	for (size_t n = 0; n < COUNT(no); n++)
		if (p3_reply_unknown(span_of(no[n])))
			fail_msg("%s", no[n]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(codes),
		cmocka_unit_test(of_the_command),
		cmocka_unit_test(timestamps),
		cmocka_unit_test(stats),
		cmocka_unit_test(listings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
