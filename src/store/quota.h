/* SPDX-License-Identifier: Apache-2.0
 *
 * Quota: how many octets an account's mailboxes may have together.
 *
 * Counted is what POP3 would say of the boxes in the store, all of an account's (a Maildir's quota is its file
 * system's).  The limit is the account's own, else its domain's (account.h, domain.h).
 * A message that would pass it is refused when its turn to be appended comes: the answer is ERR_BUSY and
 * says "over quota: …", for it may fit tomorrow.  What is asked for together cannot pass it together, also
 * in several boxes.  What was there before the quota stays.  A message that has been appended already (by its source's
 * mark) is good, quota or not. */
#pragma once

#include "store/account.h"

/* The limit that holds, 0 = none; any thread. */
uint64_t quota_in_force(struct store *s, const char *account);
/* What the account's boxes have.  The first time one walk over them, from then on kept up. */
uint64_t quota_usage(struct store *s, const char *account);
/* The same for any thread, as far as it is known already. */
bool quota_known(struct store *s, const char *account, uint64_t *usage);
/* The octets that may come in now to this box (ACCOUNT/BOX), UINT64_MAX: no quota; less what is on its way to the disk. */
uint64_t quota_left(struct store *s, const char *box);
/* Rounded down; of no quota 0. */
unsigned quota_percent(uint64_t usage, uint64_t quota);
