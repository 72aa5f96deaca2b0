/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes: addresses that lead to an account without being its own; and which account it is that
 * somebody who logs in has named (PRODUCT section 3, Names).
 *
 * ADDRESS leads there as an alias does.  "*@DOMAIN" stands for every address of the domain that is nothing else,
 * and passes the local part on: the session sees only the mail that is for the address it came by.
 * Accounts and aliases come before routes, an address before "*"; a route leads to an account, never to an alias or a
 * route; it goes with its account.
 * Reading is for any thread; what changes blocks.  Errors: ERR_CONFIG. */
#pragma once

#include "store/account.h"

struct resolved {
	char account[ACCOUNT_NAME_MAX + 1];
	char routed[ACCOUNT_NAME_MAX + 1];	/* the whole address, where "*" led to the account; else "" */
};

/* how: 0, or ACCOUNT_ANY_DOMAIN. */
[[nodiscard]] bool route_add(struct store *s, const char *address, const char *account, unsigned how, struct err *e);
[[nodiscard]] bool route_remove(struct store *s, const char *address, struct err *e);
/* `address` folded; "*@DOMAIN" asks for that one itself. */
bool route_there(struct store *s, const char *address);
/* Walks all routes in order; start with address[0] = 0. */
bool route_each(struct store *s, char address[ACCOUNT_NAME_MAX + 1], char account[ACCOUNT_NAME_MAX + 1]);

/* The account that `given`, octets from the network, means: `%` counts as `@` where there is none; a bare
 * name belongs to `local_domain` (domain_of_address), else to `main_domain` (either may be NULL or ""); then
 * the account of that name, that of its alias, or where a route leads.  False: there is none; out->account is then what was meant,
 * folded and cut, for login_find, so that nobody can tell.  It is never a name with a NUL in it; what was cut is no account's name.
 * Every form that SASLprep makes one of leads to one account, and to one name where there is none: an account (an alias, an address of a
 * route) that has exactly these octets (account.h: an old one), else that of the normal form, which is also what `routed` is in. */
bool route_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, struct resolved *out);

struct batch;
/* The account is going: into *b (record_add). */
[[nodiscard]] bool route_forget_account(struct store *s, struct batch **b, const char *account, struct err *e);
