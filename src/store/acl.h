/* SPDX-License-Identifier: Apache-2.0
 *
 * Rights to a mailbox for others than its account (PRODUCT section 3, Names): the letters of RFC 4314
 * that POP3 has a use for, each given to an account or to "anyone", which is everybody who can log in.
 *
 *     l  may know that the mailbox is there       s  what is read becomes \Seen
 *     r  may read it                              t  may delete messages
 * The account that a mailbox belongs to has all of them, always; nobody else has any that were not given.
 * What one has is the union of what was given to its account and to anyone.
 *
 * Rights may be given before the mailbox is there (it is made with its first message), or lies in the store at all.  They go with the mailbox
 * (mailbox_destroy), and with the account, those that its mailboxes have as well as those that it
 * has elsewhere (account_remove): who is made anew under a name inherits nothing.
 *
 * Mailboxes are named as in mailbox.h, accounts as in account.h; main_domain is the caller's to add.
 * Reading is for any thread; what changes blocks.  Errors: ERR_CONFIG. */
#pragma once

#include "store/account.h"
#include "store/mailbox.h"

enum { ACL_LOOKUP = 1, ACL_READ = 2, ACL_SEEN = 4, ACL_DELETE = 8, ACL_ALL = 15 };
enum { ACL_TEXT = 5, ACL_ENTRIES_MAX = 200 };	/* identifiers a mailbox */

#define ACL_ANYONE "anyone"

/* What acl_set does not ask. */
enum {
	ACL_ANY_USER = 1	/* owner and `who` may be accounts that only another user source knows: a passwd-file, PAM */
};

/* Out of the letters l, r, s, t, in any order.  False: another one, or none. */
[[nodiscard]] bool acl_letters(const char *text, unsigned *rights);
const char *acl_text(unsigned rights, char out[ACL_TEXT]);	/* "lrst", or less */
/* `who` as acl_set takes it: ACL_ANYONE in any case, or an account's name with its domain. */
[[nodiscard]] bool acl_who(const char *given, const char *main_domain, char who[ACCOUNT_NAME_MAX + 1], struct err *e);

/* In place of what `who` had; 0 takes them away, from whomever (an error if there were none). */
[[nodiscard]] bool acl_set(struct store *s, const char *box, const char *who, unsigned rights, unsigned how, struct err *e);
/* What `account` (as route_resolve gave it) may do; a name that is none: nothing. */
unsigned acl_rights(struct store *s, const char *box, const char *account);
/* Walks the identifiers of a box in order; start with who[0] = 0. */
bool acl_next(struct store *s, const char *box, char who[ACCOUNT_NAME_MAX + 1], unsigned *rights);
/* Walks all boxes that have some, and their identifiers; start with box[0] = who[0] = 0. */
bool acl_each(struct store *s, char box[MAILBOX_NAME_MAX + 1], char who[ACCOUNT_NAME_MAX + 1], unsigned *rights);

/* The box is going.  `name` as mailbox_name gave it. */
[[nodiscard]] bool acl_forget(struct store *s, const char *name, struct err *e);
struct batch;
/* The account is going: into *b (record_add). */
[[nodiscard]] bool acl_forget_account(struct store *s, struct batch **b, const char *account, struct err *e);
