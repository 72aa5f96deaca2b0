/* SPDX-License-Identifier: Apache-2.0
 *
 * How many messages an account has submitted today (PRODUCT 2.4, submission_limit), by days of UTC, durably.
 *
 *     allowance_take before a message is delivered; allowance_give when it was not, after all
 * A crash between them leaves it counted.  Both block for a commit and are for any thread; allowance_left only reads.
 * Errors: ERR_BUSY: there is nothing left today; ERR_LOCAL. */
#pragma once

#include "store/store.h"

uint32_t allowance_left(struct store *s, const char *account, uint32_t limit, int64_t now);
[[nodiscard]] bool allowance_take(struct store *s, const char *account, uint32_t limit, int64_t now, struct err *e);
/* Of the day of `now`, which is that of allowance_take. */
void allowance_give(struct store *s, const char *account, int64_t now);
/* Forgets the days before; called by store_open. */
void allowance_settle(struct store *s, int64_t now);
