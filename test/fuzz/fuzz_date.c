/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates: within the years that can be written, and a date that is written
 * again reads the same. */
#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "fuzz.h"
#include "wire/date.h"

static void check(int64_t seconds)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[64];
	int64_t again;
	bool read;

	assert(gmtime_r(&t, &tm));
	assert(tm.tm_year >= -1 && tm.tm_year <= 10000 - 1900);	/* a zone may lead into the next year */
	if (tm.tm_year < 0 || tm.tm_year > 9999 - 1900)
		return;
	(void)snprintf(text, sizeof text, "%d %.3s %d %d:%02d:%02d", tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
		       tm.tm_hour, tm.tm_min, tm.tm_sec);
	read = date_parse(span_of(text), &again);
	assert(read && again == seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	int64_t seconds;

	if (date_parse(in, &seconds))
		check(seconds);
	if (date_of_message(in, &seconds))
		check(seconds);
	return 0;
}
