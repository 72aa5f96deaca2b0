/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/schedule_hours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "config/value.h"

/* Central Europe, without the machine's tables: clocks go ahead on 2026-03-29 at 01:00Z, back on 2026-10-25 at 01:00Z. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define SYDNEY "AEST-10AEDT,M10.1.0,M4.1.0/3"

static void zone(const char *tz)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
	tzset();
}

static int64_t moment(const char *text)		/* 2026-03-28T07:00:00Z */
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	assert_true(end && !*end);
	return timegm(&tm);
}

static void read_all(struct hours *h, const char *one, const char *two)
{
	const char *at[] = { one, two };
	struct texts texts = { at, two ? 2 : 1 };
	struct err e;

	for (size_t n = 0; n < texts.count; n++)
		assert_true(value_hours(at[n], &e));
	hours_read(h, &texts);
}

static const struct row {
	const char *tz, *one, *two, *at, *next;	/* next NULL: open at `at` */
} rows[] = {
	{ "UTC0", "always", NULL, "2026-11-26T04:00:00Z", NULL },
	{ "UTC0", "Mon", "always", "2026-11-26T04:00:00Z", NULL },
	{ "UTC0", "Mon-Fri 08:00-18:00", NULL, "2026-11-26T07:59:59Z", "2026-11-26T08:00:00Z" },	/* a Thursday */
	{ "UTC0", "Mon-Fri 08:00-18:00", NULL, "2026-11-26T08:00:00Z", NULL },
	{ "UTC0", "Mon-Fri 08:00-18:00", NULL, "2026-11-26T17:59:59Z", NULL },
	{ "UTC0", "Mon-Fri 08:00-18:00", NULL, "2026-11-26T18:00:00Z", "2026-11-27T08:00:00Z" },
	{ "UTC0", "Mon-Fri 08:00-18:00", NULL, "2026-11-27T18:00:00Z", "2026-11-30T08:00:00Z" },
	{ "UTC0", "mon-FRI 08:00-18:00", "Sat 10:00-12:00", "2026-11-27T18:00:00Z", "2026-11-28T10:00:00Z" },
	{ "UTC0", "Mon-Fri 08:00-18:00", "Sat 10:00-12:00", "2026-11-28T11:00:00Z", NULL },
	{ "UTC0", "Mon Wed 08:00-09:30", NULL, "2026-11-26T00:00:00Z", "2026-11-30T08:00:00Z" },
	{ "UTC0", "Mon Wed 08:00-09:30", NULL, "2026-11-30T09:30:00Z", "2026-12-02T08:00:00Z" },
	{ "UTC0", "Sat", NULL, "2026-11-28T23:59:59Z", NULL },
	{ "UTC0", "Sat", NULL, "2026-11-29T00:00:00Z", "2026-12-05T00:00:00Z" },
	{ "UTC0", "Sat-Mon", NULL, "2026-11-30T12:00:00Z", NULL },		/* days go round */
	{ "UTC0", "Sat-Mon", NULL, "2026-12-01T12:00:00Z", "2026-12-05T00:00:00Z" },
	{ "UTC0", "Fri-Fri", NULL, "2026-11-26T12:00:00Z", "2026-11-27T00:00:00Z" },
	{ "UTC0", "00:00-24:00", NULL, "2026-11-26T23:59:59Z", NULL },
	{ "UTC0", "08:00-08:00", NULL, "2026-11-26T03:00:00Z", NULL },		/* around the clock */
	{ "UTC0", "Thu 08:00-08:00", NULL, "2026-11-27T07:59:59Z", NULL },
	{ "UTC0", "Thu 08:00-08:00", NULL, "2026-11-27T08:00:00Z", "2026-12-03T08:00:00Z" },
	{ "UTC0", "22:00-06:00", NULL, "2026-11-26T05:59:59Z", NULL },
	{ "UTC0", "22:00-06:00", NULL, "2026-11-26T06:00:00Z", "2026-11-26T22:00:00Z" },
	{ "UTC0", "Fri 22:00-06:00", NULL, "2026-11-28T05:00:00Z", NULL },	/* Friday's night ends on Saturday, */
	{ "UTC0", "Fri 22:00-06:00", NULL, "2026-11-27T05:00:00Z", "2026-11-27T22:00:00Z" },	/* and Thursday's is none */
	{ "UTC0", "Sun 24:00-06:00", NULL, "2026-11-30T05:00:00Z", NULL },
	{ "UTC0", "Sun 24:00-06:00", NULL, "2026-11-29T05:00:00Z", "2026-11-30T00:00:00Z" },
	{ "UTC0", "Thu 00:00-00:01", NULL, "2026-11-26T00:01:00Z", "2026-12-03T00:00:00Z" },	/* a week but a minute */
	/* the same, by clocks that are changed */
	{ BERLIN, "Mon-Fri 08:00-18:00", NULL, "2026-11-26T07:00:00Z", NULL },
	{ BERLIN, "Mon-Fri 08:00-18:00", NULL, "2026-07-02T06:00:00Z", NULL },
	{ BERLIN, "Mon-Fri 08:00-18:00", NULL, "2026-07-02T05:59:59Z", "2026-07-02T06:00:00Z" },
	{ BERLIN, "Mon-Fri 08:00-18:00", NULL, "2026-03-27T17:00:00Z", "2026-03-30T06:00:00Z" },	/* spring between them */
	{ BERLIN, "Mon-Fri 08:00-18:00", NULL, "2026-10-23T16:00:00Z", "2026-10-26T07:00:00Z" },	/* autumn */
	{ BERLIN, "02:15-02:45", NULL, "2026-03-28T12:00:00Z", "2026-03-30T00:15:00Z" },	/* never shown on the 29th */
	{ BERLIN, "Sun 02:15-02:45", NULL, "2026-03-28T12:00:00Z", "2026-04-05T00:15:00Z" },
	{ BERLIN, "02:30-03:30", NULL, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z" },	/* what is left of it */
	{ BERLIN, "02:30-03:30", NULL, "2026-03-29T01:29:59Z", NULL },
	{ BERLIN, "02:30-03:30", NULL, "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z" },
	{ BERLIN, "02:15-02:45", NULL, "2026-10-25T00:00:00Z", "2026-10-25T00:15:00Z" },	/* shown twice */
	{ BERLIN, "02:15-02:45", NULL, "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z" },
	{ BERLIN, "02:15-02:45", NULL, "2026-10-25T01:45:00Z", "2026-10-26T01:15:00Z" },
	{ BERLIN, "Sat 22:00-06:00", NULL, "2026-10-25T04:59:59Z", NULL },
	{ BERLIN, "Sat 22:00-06:00", NULL, "2026-10-25T05:00:00Z", "2026-10-31T21:00:00Z" },
	{ SYDNEY, "Mon 09:00-10:00", NULL, "2026-10-03T12:00:00Z", "2026-10-04T22:00:00Z" },	/* the south, and Monday begins on Sunday */
	{ SYDNEY, "Mon 09:00-10:00", NULL, "2026-04-04T12:00:00Z", "2026-04-05T23:00:00Z" },
};

static void openings(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		int64_t at = moment(r->at), next;
		char text[MOMENT_TEXT];
		struct hours h;

		zone(r->tz);
		read_all(&h, r->one, r->two);
		next = hours_next(&h, at);
		if (hours_open(&h, at) != !r->next || next != (r->next ? moment(r->next) : at))
			fail_msg("%s, %s in %s: at %s, %s, got %s", r->one, r->two ? r->two : "-", r->tz, r->at, r->next ? r->next : "open",
				moment_text(next, text));
	}
}

/* The first open minute, found by looking at each, over the changes of a year. */
static void as_by_looking_at_every_minute(void **state)
{
	static const char *const texts[] = { "Mon-Fri 08:00-18:00", "02:15-02:45", "Sun 01:30-03:00", "Fri 22:00-06:00", "Sun 02:00-02:01", "23:59-00:01" };
	static const char *const zones[] = { BERLIN, SYDNEY, "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45" };
	static const char *const around[] = { "2026-03-27T23:17:00Z", "2026-04-03T11:00:00Z", "2026-09-25T10:03:00Z", "2026-10-02T12:00:00Z",
		"2026-10-23T23:42:00Z" };

	(void)state;
	for (size_t z = 0; z < COUNT(zones); z++) {
		zone(zones[z]);
		for (size_t t = 0; t < COUNT(texts) * COUNT(around); t++) {
			int64_t from = moment(around[t / COUNT(texts)]), step = 37 * 60;
			struct hours h;

			read_all(&h, texts[t % COUNT(texts)], NULL);
			for (int64_t at = from; at < from + 3 * 24 * 3600; at += step) {
				int64_t want = at;

				while (!hours_open(&h, want))
					want += 60;
				if (hours_next(&h, at) != want)
					fail_msg("%s in %s at %lld: %lld, not %lld", texts[t % COUNT(texts)], zones[z], (long long)at,
						(long long)want, (long long)hours_next(&h, at));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openings),
		cmocka_unit_test(as_by_looking_at_every_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
