/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts of the internal database: who owns mailboxes and may log in.
 *
 * A name is LOCAL or LOCAL@DOMAIN (an address without a domain gets
 * `main_domain` when there is one: account_name), at most 320 octets, without
 * `# / ~ %`, blanks and control octets, folded to lower case.
 * A password is kept as argon2id (19 MiB, 2 passes, libsodium) and as
 * SCRAM-SHA-256 keys (RFC 5802, 4096 iterations at least); SHA-1 keys and the
 * recoverable secret only when asked.  An empty password makes an account that cannot log in.
 * All calls block.  Errors: ERR_CONFIG (bad name, there already, not there). */
#pragma once

#include "store/store.h"

enum { ACCOUNT_NAME_MAX = 320 };

struct account_info {
	char name[ACCOUNT_NAME_MAX + 1];
	int64_t made;
	bool can_login, recoverable;
};

[[nodiscard]] bool account_name(const char *given, const char *main_domain, char name[ACCOUNT_NAME_MAX + 1], struct err *e);
[[nodiscard]] bool account_add(struct store *s, const char *name, struct span password, bool recoverable, struct err *e);
[[nodiscard]] bool account_passwd(struct store *s, const char *name, struct span password, bool recoverable, struct err *e);
bool account_there(struct store *s, const char *name);
/* Walks accounts in order of name; start with info->name[0] = 0. */
bool account_each(struct store *s, struct account_info *info);
/* Checks a password against argon2id; ERR_AUTH for a wrong one and for no such account alike. */
[[nodiscard]] bool account_check(struct store *s, const char *name, struct span password, struct err *e);
