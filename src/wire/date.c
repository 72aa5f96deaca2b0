/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/date.h"

#include <stdio.h>

#include "wire/header.h"

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool number(char c)
{
	return c >= '0' && c <= '9';
}

/* Octets of the comment that `s` begins with, its comments inside and quoted
 * octets with it; all of `s` when it does not end. */
static size_t comment_len(struct span s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '(')
			depth++;
		else if (s.at[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* Passes over comments, folds and blanks. */
static void skip_space(struct span *s)
{
	while (s->len) {
		size_t n = s->at[0] == '(' ? comment_len(*s) : strchr(" \t\r\n", s->at[0]) && s->at[0] ? 1 : 0;

		if (!n)
			return;
		*s = span_from(*s, n);
	}
}

static bool take(struct span *s, char c)
{
	skip_space(s);
	if (!s->len || s->at[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* The longest run of octets that are `of` the kind; may be empty. */
static struct span take_run(struct span *s, bool (*of)(char))
{
	struct span run = { s->at, 0 };

	skip_space(s);
	run.at = s->at;
	while (run.len < s->len && of(s->at[run.len]))
		run.len++;
	*s = span_from(*s, run.len);
	return run;
}

/* A number of `least` to `most` digits that is not above `max`. */
static bool take_number(struct span *s, size_t least, size_t most, int max, int *value)
{
	struct span digits = take_run(s, number);
	uint64_t n;

	if (digits.len < least || digits.len > most || !span_number(digits, (uint64_t)max, &n))
		return false;
	*value = (int)n;
	return true;
}

/* A month by its first three letters. */
static bool take_month(struct span *s, int *month)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	struct span word = take_run(s, letter);

	for (int i = 0; i < 12; i++) {
		if (!span_starts_nocase(word, (struct span){ names + i * 3, 3 }))
			continue;
		*month = i + 1;
		return true;
	}
	return false;
}

/* RFC 5322 4.3: two digits below 50 are of this century, other two and three
 * of the last. */
static bool take_year(struct span *s, int *year)
{
	size_t before;

	skip_space(s);
	before = s->len;
	if (!take_number(s, 2, 4, 9999, year))
		return false;
	if (before - s->len < 4)
		*year += before - s->len == 2 && *year < 50 ? 2000 : 1900;
	return *year >= 1900;
}

/* East of UTC, in minutes. */
static int take_zone(struct span *s)
{
	static const struct { const char *name; int minutes; } zones[] = {
		{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
		{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
	};
	bool east = take(s, '+'), west = !east && take(s, '-');
	struct span word;
	int n;

	if (east || west) {
		if (!take_number(s, 4, 4, 9959, &n) || n % 100 > 59)
			return 0;
		n = n / 100 * 60 + n % 100;
		return east ? n : -n;
	}
	word = take_run(s, letter);
	for (size_t i = 0; i < COUNT(zones); i++)
		if (span_equal_nocase(word, span_of(zones[i].name)))
			return zones[i].minutes;
	return 0;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 of a day in our calendar: whole years, counted from
 * March so that the leap day is a year's last, then whole months. */
static int64_t day_number(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

bool date_parse(struct span text, int64_t *seconds_utc)
{
	int year, month, day, hour, minute, second = 0;

	if (take_run(&text, letter).len)
		(void)take(&text, ',');
	if (!take_number(&text, 1, 2, 31, &day) || !take_month(&text, &month) || !take_year(&text, &year) || day < 1
	    || day > days_in(year, month))
		return false;
	if (!take_number(&text, 1, 2, 23, &hour) || !take(&text, ':') || !take_number(&text, 2, 2, 59, &minute))
		return false;
	if (take(&text, ':') && !take_number(&text, 2, 2, 60, &second))
		return false;
	*seconds_utc = day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - take_zone(&text) * 60;
	return true;
}

/* What follows the last ';' that is not in a comment or a quoted string. */
static bool received_date(struct span value, int64_t *seconds_utc)
{
	struct span date = { value.at, 0 };
	bool quoted = false;

	while (value.len) {
		char c = value.at[0];
		size_t n = c == '\\' ? 2 : c == '(' && !quoted ? comment_len(value) : 1;

		if (c == '"')
			quoted = !quoted;
		value = span_from(value, n);
		if (c == ';' && !quoted)
			date = value;
	}
	return date_parse(date, seconds_utc);
}

bool date_of_message(struct span message, int64_t *seconds_utc)
{
	struct header_field field;
	struct span date = SPAN("");

	while (header_next(&message, &field)) {
		if (span_equal_nocase(field.name, SPAN("Received")) && received_date(field.value, seconds_utc))
			return true;
		if (!date.len && span_equal_nocase(field.name, SPAN("Date")))
			date = field.value;
	}
	return date_parse(date, seconds_utc);
}

const char *date_text(int64_t seconds_utc, char out[DATE_TEXT])
{
	static const char days[][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };	/* 1970-01-01 was one of the first */
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const int64_t last = day_number(9999, 12, 31) * 86400 + 86399;
	int64_t s = seconds_utc < 0 ? 0 : seconds_utc > last ? last : seconds_utc, day = s / 86400;
	int year = 1970 + (int)(day / 366), month = 1;

	while (day_number(year + 1, 1, 1) <= day)
		year++;
	while (month < 12 && day_number(year, month + 1, 1) <= day)
		month++;
	(void)snprintf(out, DATE_TEXT, "%s, %02u %s %04u %02u:%02u:%02u +0000", days[day % 7],
		(unsigned)(day - day_number(year, month, 1) + 1) % 100, months[month - 1], (unsigned)year % 10000,
		(unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	return out;
}
