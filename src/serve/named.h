/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client's user name means besides an account (PRODUCT section 3, Names):
 *
 *     user                    the account's INBOX
 *     BOX#user                its mailbox BOX
 *     ~OTHER/BOX#user         mailbox BOX of the account OTHER, as far as there are rights (store/acl.h)
 * split at the last '#'; "~public/BOX#user" is no special case.  Who logs in is always `user`.
 *
 * In two steps.  named_split, before the password, knows only octets: what has the wrong form is to be refused
 * as a wrong name is, after the password, at the same cost.  named_box, behind the login, looks at the store:
 *
 *     if (!named_split(given, &n)) … resolve the whole of `given`, which no account is named (it has a '#')
 *     … login as n.user …
 *     if (!named_box(store, &n, account, box, &rights, &e))  -ERR with e.text; the log may have all of it
 *     … where `box` lies in the store: if (!named_there(store, box)) the same -ERR, NAMED_REFUSED …
 * Any thread. */
#pragma once

#include "store/acl.h"

struct named {
	struct span user, owner, box;	/* owner, box: empty where they were not said; borrowed from what was split */
};

/* The longest that can mean something. */
enum { NAMED_MAX = 1 + ACCOUNT_NAME_MAX + 1 + MAILBOX_NAME_MAX + 1 + ACCOUNT_NAME_MAX };

/* What is said of a mailbox that is not there, and of one that the user may not know about. */
#define NAMED_REFUSED "no such mailbox, or no right to read it"
#define NAMED_UNREADABLE "no right to read this mailbox"	/* to whom may know about it: ACL_LOOKUP */

/* False: malformed, such as "#user", "box#", "~other#user", "~/box#user", a control character in front of the '#'. */
[[nodiscard]] bool named_split(struct span given, struct named *out);
/* The mailbox that is meant, ACCOUNT/BOX, and what `account` (as the login has it) may do there: ACL_READ at least where it is true.  An owner without a
 * domain is in the account's; an alias of the owner's will do, a route of a whole domain will not.
 * False: ERR_AUTH, and nothing but NAMED_REFUSED or NAMED_UNREADABLE. */
[[nodiscard]] bool named_box(struct store *s, const struct named *n, const char *account, char box[MAILBOX_NAME_MAX + 1], unsigned *rights,
	struct err *e);
/* Is this mailbox of the store, as named_box gave it, there?  An INBOX always is: it is made with its first message. */
bool named_there(struct store *s, const char *box);
