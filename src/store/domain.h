/* SPDX-License-Identifier: Apache-2.0
 *
 * Domains: which ones accounts may be in, what holds for theirs by default,
 * and which one a bare name belongs to at a local address.
 *
 * As long as there is none, accounts may have any domain.  From the first one
 * on, new accounts, aliases and routes are refused in domains that are not there;
 * what was made before stays.  A name is folded to lower case.
 * Reading is for any thread; what changes blocks.  Errors: ERR_CONFIG. */
#pragma once

#include "store/account.h"

enum { DOMAIN_NAME_MAX = 255, DOMAIN_ADDRESS_MAX = 63 };

struct domain_info {
	char name[DOMAIN_NAME_MAX + 1];
	int64_t made;
	struct account_limits limits;		/* of accounts that have none of their own */
	char address[DOMAIN_ADDRESS_MAX + 1];	/* "" or a local address, as address_text writes it */
	size_t accounts;			/* domain_find counts them, domain_each does not */
};

/* Folded, and well-formed. */
[[nodiscard]] bool domain_name(const char *given, char name[DOMAIN_NAME_MAX + 1], struct err *e);
[[nodiscard]] bool domain_add(struct store *s, const char *name, struct err *e);
/* The limits and the address of `info`.  Two domains cannot have one address. */
[[nodiscard]] bool domain_set(struct store *s, const struct domain_info *info, struct err *e);
/* Refused while accounts, aliases or routes are in it.  Its alerts go with it. */
[[nodiscard]] bool domain_remove(struct store *s, const char *name, struct err *e);
[[nodiscard]] bool domain_find(struct store *s, const char *name, struct domain_info *info, struct err *e);
bool domain_each(struct store *s, struct domain_info *info);	/* start with info->name[0] = 0 */
/* May an account, alias or route of this (checked) name be made? */
[[nodiscard]] bool domain_must(struct store *s, const char *name, struct err *e);
/* The domain of a local address; "" when it has none. */
void domain_of_address(struct store *s, const char *address, char name[DOMAIN_NAME_MAX + 1]);
/* The account's limits, with those of its domain where it has none. */
void domain_limits(struct store *s, const char *account, struct account_limits *limits);
