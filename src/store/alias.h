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

bool alias_find(struct store *s, const char *address, char account[ACCOUNT_NAME_MAX + 1]);

/* The account that `given`, octets from the network, means by its own name, an alias or a route from just that address: what
 * route_resolve (route.h) says, where "*" is not followed.  False: there is none; `out` is then what was meant. */
bool account_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, char out[ACCOUNT_NAME_MAX + 1]);
