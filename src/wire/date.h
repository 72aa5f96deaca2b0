/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates of mail (RFC 5322 section 3.3 with the obsolete forms of 4.3).
 *
 * date_parse reads the text after "Date:" (or after the last ';' of a
 * Received field): comments and folds are passed over, a missing weekday, a
 * two-digit year, named zones and lower case are taken; an unknown zone counts
 * as UTC.  False when there is no such date in it.
 * date_text writes one as it stands behind "Date:", in UTC: Thu, 26 Nov 2026 03:12:15 +0000;
 * a moment outside of the years 1970 to 9999 becomes the first or the last of them. */
#pragma once

#include "base/span.h"

enum { DATE_TEXT = 32 };

[[nodiscard]] bool date_parse(struct span text, int64_t *seconds_utc);
/* When a message is from: its newest Received field, else its Date. */
[[nodiscard]] bool date_of_message(struct span message, int64_t *seconds_utc);
const char *date_text(int64_t seconds_utc, char out[DATE_TEXT]);
