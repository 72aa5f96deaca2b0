/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/schedule_hours.h"

#include <assert.h>
#include <time.h>

enum { DAYS = 7, DAY_MINUTES = 24 * 60, ALL_DAYS = (1 << DAYS) - 1, CHANGES_MAX = 64 };

/* ---- texts */

static unsigned day_of(struct span s)
{
	static const char days[] = "Sun Mon Tue Wed Thu Fri Sat";

	for (unsigned n = 0; n < DAYS; n++)
		if (span_equal_nocase(s, (struct span){ days + 4 * (size_t)n, 3 }))
			return n;
	return DAYS;
}

static uint8_t days_of(struct span word)
{
	size_t dash = span_find(word, '-');
	unsigned first = day_of((struct span){ word.at, dash }), last = dash < word.len ? day_of(span_from(word, dash + 1)) : first;
	uint8_t days = 0;

	if (first == DAYS || last == DAYS)
		return 0;
	for (unsigned day = first; ; day = (day + 1) % DAYS) {
		days |= (uint8_t)(1u << day);
		if (day == last)
			return days;
	}
}

static uint16_t minute_of(struct span s)	/* "08:30" */
{
	uint64_t hours = 0, minutes = 0;
	bool good = span_number((struct span){ s.at, 2 }, 24, &hours) && span_number(span_from(s, 3), 59, &minutes);

	assert(good);
	return (uint16_t)(hours * 60 + minutes);
}

static struct window window_of(struct span text)
{
	struct window w = { .from = 0, .to = DAY_MINUTES };
	struct span word;

	while (span_word(&text, &word)) {
		uint8_t days = days_of(word);

		if (!days) {
			w.from = minute_of((struct span){ word.at, 5 });
			w.to = minute_of(span_from(word, 6));
		}
		w.days |= days;
	}
	if (!w.days)
		w.days = ALL_DAYS;
	return w;
}

void hours_read(struct hours *h, const struct texts *texts)
{
	h->count = 0;
	for (size_t n = 0; n < texts->count; n++)
		if (strcmp(texts->at[n], "always") == 0)
			return;
	assert(texts->count <= SETTINGS_ACTIVE_MAX);
	for (size_t n = 0; n < texts->count; n++)
		h->windows[h->count++] = window_of(span_of(texts->at[n]));
}

/* ---- time */

static struct tm local(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		tm = (struct tm){ .tm_mday = 1 };	/* a year that no int holds */
	return tm;
}

static bool has(const struct window *w, unsigned day)
{
	return w->days >> (day % DAYS) & 1;
}

static bool open_at(const struct hours *h, const struct tm *tm)
{
	unsigned day = (unsigned)tm->tm_wday, minute = (unsigned)(tm->tm_hour * 60 + tm->tm_min);

	for (const struct window *w = h->windows; w < h->windows + h->count; w++) {
		bool over = w->to <= w->from;

		if (has(w, day) && minute >= w->from && (over || minute < w->to))
			return true;
		if (over && has(w, day + DAYS - 1) && minute < w->to)
			return true;
	}
	return !h->count;
}

bool hours_open(const struct hours *h, int64_t at)
{
	struct tm tm = local(at);

	return open_at(h, &tm);
}

/* Seconds to the next beginning of a window, were no clock ever changed; 1 to a week. */
static int64_t until_beginning(const struct hours *h, const struct tm *tm)
{
	int64_t now = (tm->tm_hour * 60 + tm->tm_min) * 60 + tm->tm_sec, best = INT64_MAX;

	for (const struct window *w = h->windows; w < h->windows + h->count; w++)
		for (unsigned day = 0; day <= DAYS; day++) {
			int64_t after = (int64_t)day * DAY_MINUTES * 60 + w->from * 60 - now;

			if (has(w, (unsigned)tm->tm_wday + day) && after > 0 && after < best)
				best = after;
		}
	return best;
}

/* The first moment of (from, to] with another offset than at `from`, which `to` has. */
static int64_t change_between(int64_t from, int64_t to)
{
	long offset = local(from).tm_gmtoff;

	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;

		if (local(middle).tm_gmtoff == offset)
			from = middle;
		else
			to = middle;
	}
	return to;
}

/* From one change of the clocks to the next; between two of them days have their 24 hours. */
int64_t hours_next(const struct hours *h, int64_t at)
{
	for (unsigned n = 0; n < CHANGES_MAX; n++) {
		struct tm tm = local(at), then;
		int64_t next;

		if (open_at(h, &tm))
			break;
		next = at + until_beginning(h, &tm);
		then = local(next);
		if (then.tm_gmtoff == tm.tm_gmtoff && open_at(h, &then))
			return next;
		at = then.tm_gmtoff == tm.tm_gmtoff ? next : change_between(at, next);
	}
	return at;
}
