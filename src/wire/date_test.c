/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/date.h"

static const struct row {
	struct span text;
	int64_t want;
} rows[] = {
	{ SPAN("Thu, 1 Jan 1970 00:00:00 +0000"),               0 },
	{ SPAN("Fri, 21 Nov 1997 09:55:06 -0600"),              880127706 },	/* RFC 5322 appendix A */
	{ SPAN("Tue, 1 Jul 2003 10:52:37 +0200"),               1057049557 },
	{ SPAN("Thu, 13 Feb 1969 23:32:54 -0330"),              -27723426 },
	{ SPAN("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)"), -27723480 },
	{ SPAN("21 Nov 97 09:55:06 GMT"),                       880106106 },
	{ SPAN("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), 880127706 },
	{ SPAN("  (before (nested \\) ) x) 21 Nov 1997 09:55:06 -0600"), 880127706 },
	{ SPAN("fri,21 nov 1997 09:55:06 -0600"),               880127706 },
	{ SPAN("Fri 21 NOV 1997 09:55:06 -0600"),               880127706 },
	{ SPAN("Friday, 21 November 1997 09:55:06 -0600"),      880127706 },
	{ SPAN("21 Nov 1997 09:55 -0600"),                      880127700 },
	{ SPAN("21 Nov 1997 9:55:06 -0600"),                    880127706 },
	{ SPAN("21 Nov 1997 09:55:06 -0600 (CST)"),             880127706 },
	{ SPAN("21 Nov 1997 09:55:06 CST"),                     880127706 },
	{ SPAN("21 Nov 1997 09:55:06 cst"),                     880127706 },
	{ SPAN("21 Nov 1997 09:55:06 PDT"),                     880131306 },
	{ SPAN("21 Nov 1997 09:55:06 EDT"),                     880120506 },
	{ SPAN("21 Nov 1997 09:55:06 UT"),                      880106106 },
	{ SPAN("21 Nov 1997 09:55:06 Z"),                       880106106 },
	{ SPAN("21 Nov 1997 09:55:06 K"),                       880106106 },	/* military: worth nothing */
	{ SPAN("21 Nov 1997 09:55:06 CEST"),                    880106106 },	/* not of RFC 5322 */
	{ SPAN("21 Nov 1997 09:55:06"),                         880106106 },
	{ SPAN("21 Nov 1997 09:55:06 +1"),                      880106106 },
	{ SPAN("21 Nov 1997 09:55:06 +0160"),                   880106106 },
	{ SPAN("21 Nov 1997 09:55:06 -0000"),                   880106106 },
	{ SPAN("21 Nov 1997 09:55:06 +1400"),                   880055706 },
	{ SPAN("1 Jan 49 00:00:00 +0000"),                      2493072000 },
	{ SPAN("1 Jan 50 00:00:00 +0000"),                      -631152000 },
	{ SPAN("1 Jan 00 00:00:00 +0000"),                      946684800 },
	{ SPAN("1 Jan 100 00:00:00 +0000"),                     946684800 },
	{ SPAN("29 Feb 2000 12:00:00 +0000"),                   951825600 },
	{ SPAN("29 Feb 2024 12:00:00 +0000"),                   1709208000 },
	{ SPAN("31 Dec 2016 23:59:60 +0000"),                   1483228800 },	/* a leap second */
	{ SPAN("19 Jan 2038 03:14:08 +0000"),                   2147483648 },
	{ SPAN("31 Dec 9999 23:59:59 +0000"),                   253402300799 },
};

static const struct span wrong[] = {
	SPAN(""), SPAN("Fri"), SPAN("Fri,"), SPAN("yesterday"), SPAN("()"), SPAN("((("), SPAN("(\\"),
	SPAN("1997-11-21T09:55:06Z"), SPAN("21 Nov"), SPAN("21 Nov 1997"), SPAN("21 Nov 1997 09"), SPAN("21 Nov 1997 09:"),
	SPAN("21 Nov 1997 09:55:"), SPAN("0 Nov 1997 09:55:06 GMT"), SPAN("31 Nov 1997 09:55:06 GMT"),
	SPAN("32 Dec 1997 09:55:06 GMT"), SPAN("29 Feb 1900 09:55:06 GMT"), SPAN("29 Feb 2023 09:55:06 GMT"),
	SPAN("021 Nov 1997 09:55:06 GMT"), SPAN("21 Foo 1997 09:55:06 GMT"), SPAN("21 No 1997 09:55:06 GMT"),
	SPAN("21 11 1997 09:55:06 GMT"), SPAN("21 Nov 7 09:55:06 GMT"), SPAN("21 Nov 19977 09:55:06 GMT"),
	SPAN("21 Nov 1600 09:55:06 GMT"), SPAN("21 Nov -997 09:55:06 GMT"), SPAN("21 Nov 1997 24:00:00 GMT"),
	SPAN("21 Nov 1997 09:60:06 GMT"), SPAN("21 Nov 1997 09:55:61 GMT"), SPAN("21 Nov 1997 09:5:06 GMT"),
	SPAN("21 Nov 1997 -9:55:06 GMT"), SPAN("21\0 Nov 1997 09:55:06 GMT"), SPAN("-1 Nov 1997 09:55:06 GMT"),
	SPAN("18446744073709551637 Nov 1997 09:55:06 GMT"), SPAN("Fri, Fri, 21 Nov 1997 09:55:06 GMT"),
};

static void dates(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		int64_t got = 0x5a5a;

		if (!date_parse(r->text, &got) || got != r->want)
			fail_msg("%s: %lld", r->text.at, (long long)got);
	}
}

static void what_is_no_date(void **state)
{
	int64_t got = 42;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (date_parse(wrong[i], &got))
			fail_msg("taken: %s", wrong[i].at);
	assert_int_equal(got, 42);
}

/* Cut anywhere, in memory that ends there: no reach beyond. */
static void any_cut_is_safe(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut < r->text.len; cut++) {
			char *copy = malloc(cut + !cut);
			int64_t got;

			assert_non_null(copy);
			memcpy(copy, r->text.at, cut);
			(void)!date_parse((struct span){ copy, cut }, &got);
			free(copy);
		}
}

/* The calendar, against the C library's: the first and last day of every month. */
static void the_calendar(void **state)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	(void)state;
	for (int year = 1900; year <= 2500; year++)
		for (int month = 0; month < 12; month++)
			for (int k = 0; k < 2; k++) {
				struct tm tm = { .tm_year = year - 1900, .tm_mon = month + k, .tm_mday = 1 - k, .tm_hour = 12 };
				int64_t want = timegm(&tm), got;
				char text[64];

				snprintf(text, sizeof text, "%d %.3s %04d 12:00:00 +0000", tm.tm_mday, months + month * 3, year);
				assert_true(date_parse(span_of(text), &got));
				assert_int_equal(got, want);
			}
}

static const struct message_row {
	const char *name;
	struct span message;
	int64_t want;	/* 0: none */
} message_rows[] = {
	{ "nothing",               SPAN(""), 0 },
	{ "no date",               SPAN("Subject: x\r\n\r\nDate: Thu, 1 Jan 1970 00:00:01 +0000\r\n"), 0 },
	{ "a Date",                SPAN("Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n\r\n"), 1 },
	{ "the newest Received is first",
	  SPAN("Received: a; 1 Jan 1970 00:00:03 +0000\r\nReceived: b; 1 Jan 1970 00:00:02 +0000\r\nDate: 1 Jan 1970 00:00:01 GMT\r\n"), 3 },
	{ "Received wins, wherever it is", SPAN("Date: 1 Jan 1970 00:00:01 GMT\r\nreceived: a; 1 Jan 1970 00:00:02 GMT\r\n"), 2 },
	{ "folded",                SPAN("Received: from a\r\n\tby b;\r\n\tThu, 1 Jan 1970\r\n 00:00:02 +0000\r\n\r\n"), 2 },
	{ "the last semicolon",    SPAN("Received: a; b; 1 Jan 1970 00:00:02 GMT\r\n"), 2 },
	{ "a semicolon in a comment behind", SPAN("Received: a; 1 Jan 1970 00:00:02 GMT (x; y)\r\n"), 2 },
	{ "a semicolon in a comment before", SPAN("Received: a (b; c \\) ;); 1 Jan 1970 00:00:02 GMT\r\n"), 2 },
	{ "a semicolon in quotes", SPAN("Received: a; 1 Jan 1970 00:00:02 GMT \"x; \\\" ;\"\r\n"), 2 },
	{ "a paren in quotes",     SPAN("Received: \"(\" a; 1 Jan 1970 00:00:02 GMT\r\n"), 2 },
	{ "a Received without a date", SPAN("Received: a\r\nReceived: b; 1 Jan 1970 00:00:02 GMT\r\nDate: 1 Jan 1970 00:00:01 GMT\r\n"), 2 },
	{ "a bad Received, a good Date", SPAN("Received: a; soon\r\nDate: 1 Jan 1970 00:00:01 GMT\r\n"), 1 },
	{ "an open comment",       SPAN("Received: a (b; 1 Jan 1970 00:00:02 GMT\r\nDate: 1 Jan 1970 00:00:01 GMT\r\n"), 1 },
	{ "a backslash last",      SPAN("Received: a \\"), 0 },
	{ "an mbox line first",    SPAN("From a@b Thu Jan  1 00:00:09 1970\nDate: 1 Jan 1970 00:00:01 GMT\n\n"), 1 },
};

static void of_a_message(void **state)
{
	(void)state;
	for (const struct message_row *r = message_rows; r < message_rows + COUNT(message_rows); r++) {
		int64_t got = 0;
		bool found = date_of_message(r->message, &got);

		if (found != (r->want != 0) || got != r->want)
			fail_msg("%s: %lld", r->name, (long long)got);
	}
}

/* Parentheses and semicolons by the hundred thousand take no more than linear time. */
static void a_hostile_field(void **state)
{
	enum { SIZE = 1 << 20 };
	static char text[SIZE];
	static const char fills[] = { '(', ';', '\\', '"', ' ', ')' };
	int64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof fills; i++) {
		memset(text, fills[i], SIZE);
		assert_false(date_parse((struct span){ text, SIZE }, &got));
		memcpy(text, "Received: ", 10);
		assert_false(date_of_message((struct span){ text, SIZE }, &got));
		for (size_t k = 11; k < SIZE; k += 2)
			text[k] = ';';
		assert_false(date_of_message((struct span){ text, SIZE }, &got));
	}
}

static void dates_are_written(void **state)
{
	static const struct { int64_t s; const char *text; } texts[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ 1795662735, "Thu, 26 Nov 2026 03:12:15 +0000" },
		{ 951782399, "Mon, 28 Feb 2000 23:59:59 +0000" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 1735689599, "Tue, 31 Dec 2024 23:59:59 +0000" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ 253402300800, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ -1, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ INT64_MIN, "Thu, 01 Jan 1970 00:00:00 +0000" },
	};
	char out[DATE_TEXT];
	int64_t back;

	(void)state;
	for (size_t n = 0; n < COUNT(texts); n++)
		assert_string_equal(date_text(texts[n].s, out), texts[n].text);
	for (int64_t s = 0; s < 8000000000; s += 86400 * 13 + 4711)
		assert_true(date_parse(span_of(date_text(s, out)), &back) && back == s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(any_cut_is_safe),
		cmocka_unit_test(the_calendar),
		cmocka_unit_test(of_a_message),
		cmocka_unit_test(a_hostile_field),
		cmocka_unit_test(dates_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
