/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows of time: when a connection may be visited (the key `active`).
 *
 * A window is days and one stretch of the day, "Mon-Fri 08:00-18:00", "Sat" (all of it), "22:00-06:00" (every
 * day); several windows add up.  It holds from its first minute to the one before its last.  A stretch that does
 * not end later than it begins goes on over midnight, and belongs to the day on which it began: "Fri 22:00-06:00"
 * ends on Saturday.  Days go round: "Sat-Mon".
 * Time is the machine's local time (TZ), as its clocks show it: what they skip in spring does not open that day,
 * what they show twice in autumn opens twice.  Moments are seconds since 1970 UTC.  No clock is read. */
#pragma once

#include "config/settings.h"

struct hours {
	size_t count;		/* 0 = always */
	struct window {
		uint8_t days;		/* bits 1 << day, 0 = Sunday, as tm_wday */
		uint16_t from, to;	/* minutes of the day, 0..1440 */
	} windows[SETTINGS_ACTIVE_MAX];
};

/* Texts that value_hours found good, at most SETTINGS_ACTIVE_MAX; one "always" among them is always. */
void hours_read(struct hours *h, const struct texts *texts);
bool hours_open(const struct hours *h, int64_t at);
/* The first moment that is open, from `at` on. */
int64_t hours_next(const struct hours *h, int64_t at);
