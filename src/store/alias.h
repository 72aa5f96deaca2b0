/* SPDX-License-Identifier: Apache-2.0
 *
 * Aliases: other addresses of an account; and which account it is that
 * somebody who logs in has named (PRODUCT section 3).
 *
 * An alias is named as accounts are, is none itself, and leads to an account,
 * never to another alias; it goes with its account.
 * Reading is for any thread; what changes blocks.  Errors: ERR_CONFIG. */
#pragma once

#include "store/account.h"

[[nodiscard]] bool alias_add(struct store *s, const char *address, const char *account, struct err *e);
[[nodiscard]] bool alias_remove(struct store *s, const char *address, struct err *e);
/* Walks all aliases in order; start with address[0] = 0. */
bool alias_each(struct store *s, char address[ACCOUNT_NAME_MAX + 1], char account[ACCOUNT_NAME_MAX + 1]);

/* The account that `given`, octets from the network, means: `%` counts as `@` where there is none; a bare
 * name belongs to `local_domain` (domain_of_address), else to `main_domain` (either may be NULL or ""); then
 * the account of that name, or that of its alias.  False: there is none; `out` is then what was meant,
 * folded and cut, for login_find, so that nobody can tell.  It is never a name with a NUL in it.
 * Every form that SASLprep makes one of leads to one account, and to one `out` where there is none: an account that has
 * exactly these octets (account.h: an old one), else that of the normal form. */
bool account_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, char out[ACCOUNT_NAME_MAX + 1]);
