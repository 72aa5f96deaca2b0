/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates of mail (RFC 5322 section 3.3 with the obsolete forms of 4.3).
 *
 * date_parse reads the text after "Date:" (or after the last ';' of a
 * Received field): comments and folds are passed over, a missing weekday, a
 * two-digit year, named zones and lower case are taken; an unknown zone counts
 * as UTC.  False when there is no such date in it. */
#pragma once

#include "base/span.h"

[[nodiscard]] bool date_parse(struct span text, int64_t *seconds_utc);
/* When a message is from: its newest Received field, else its Date. */
[[nodiscard]] bool date_of_message(struct span message, int64_t *seconds_utc);
