/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts: what somebody who logs in is told before his mailbox opens (PRODUCT section 3).
 *
 * An alert is one line for an account, for all of a domain, or for everybody.  One for an account vanishes
 * once it was shown; the wider ones stay until removed, and each account is shown each of them once, also over
 * restarts.  The order: the account's, its domain's, the server's, each oldest first, then the alert of
 * the quota (quota.h): from 90 % on, and from 100 % on, each once until less than 90 % are used again.
 * An account need not be in the store: users have other sources, too.  What it was told goes with it, as its own
 * alerts do, and a domain's with the domain.
 *
 *     alert_pending(s, account)                 any thread, short: is there something to be done?
 *     → alert_show(s, account, &alert, ticket)  the store's thread: this is the next one, and from now on it was shown
 *     → store_next answers with the ticket when that is durable: only then it is told
 * Two sessions of one account do not tell the same alert: the answer of the second is ERR_BUSY, and who asks
 * again gets the next one.
 *
 * alert_add and alert_remove block.  Errors: ERR_CONFIG (no text, too many, not there), ERR_LOCAL. */
#pragma once

#include "store/account.h"

enum { ALERT_TEXT_MAX = 400, ALERTS_OF_MAX = 50, ALERTS_MAX = 10000 };	/* of one account, domain, or the server; in all */

enum alert_scope { ALERT_ACCOUNT, ALERT_DOMAIN, ALERT_SERVER, ALERT_QUOTA };	/* the last is made up, never kept */

struct alert {
	uint64_t id;			/* grows, never used twice */
	enum alert_scope scope;
	char of[ACCOUNT_NAME_MAX + 1];	/* the account or domain; "" = the server */
	int64_t made;			/* seconds since 1970 */
	char text[ALERT_TEXT_MAX + 1];
};

/* The name `of` by the rules for names; line ends in `text` become blanks, what is not fit to be shown "?". */
[[nodiscard]] bool alert_add(struct store *s, enum alert_scope scope, const char *of, const char *text, int64_t now, uint64_t *id, struct err *e);
[[nodiscard]] bool alert_remove(struct store *s, uint64_t id, struct err *e);
/* Walks all of them, oldest first; start with alert->id = 0.  Any thread. */
bool alert_each(struct store *s, struct alert *alert);

bool alert_pending(struct store *s, const char *account);
/* False: there is nothing to be shown, and no answer will come. */
bool alert_show(struct store *s, const char *account, struct alert *alert, uint64_t ticket);
