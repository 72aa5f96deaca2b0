/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts of the internal database: who owns mailboxes and may log in.
 *
 * A name is LOCAL or LOCAL@DOMAIN (an address without a domain gets
 * `main_domain` when there is one: account_name), at most 320 octets, without
 * `# / ~ %`, blanks and control octets, folded to lower case.
 * Beyond ASCII a name has one form, which new ones must be in (ERR_CONFIG says it): account_normal, that is
 * SASLprep (wire/saslprep.h), since clients prepare names for some mechanisms (SCRAM) and not
 * for others (PLAIN), and both must come to one account (account_resolve).  Only what SASLprep refuses
 * is kept by its octets: no UTF-8, or right-to-left letters beside a Latin domain.
 * Names that were made in another form before stay as they are, and are found by their octets alone; an
 * alias in the normal form leads the others to them.
 * A password is kept as argon2id (19 MiB, 2 passes, libsodium) and as
 * SCRAM-SHA-256 keys (RFC 5802, 4096 iterations at least; verifier.h); SHA-1 keys and the
 * recoverable secret, sealed (seal.h), only when asked.  An empty password
 * makes an account that cannot log in.
 * The name "anyone" is no account's: in rights (acl.h) it means everybody.
 * While there is no domain (domain.h), a name may have any; with the first
 * domain, new accounts are refused in those that are not there.
 *
 * Except for reading (account_there, account_find, account_each, account_check:
 * any thread) all calls block.  Errors: ERR_CONFIG (bad name, there already, not there). */
#pragma once

#include "store/store.h"

enum { ACCOUNT_NAME_MAX = 320, ACCOUNT_PASSWORD_MAX = 1024 };

/* How a password is kept, and what account_add does not ask. */
enum {
	ACCOUNT_RECOVERABLE = 1,	/* for APOP and CRAM-MD5; with SHA-1 keys, since they tell no more */
	ACCOUNT_SCRAM_SHA1 = 2,
	ACCOUNT_ANY_DOMAIN = 4,		/* a domain that is not there is good: the main domain is */
};

#define ACCOUNT_QUOTA_DEFAULT UINT64_MAX	/* the domain's; 0 = none */
#define ACCOUNT_SESSIONS_DEFAULT UINT32_MAX	/* the domain's, or what the configuration says; 0 = no limit */

struct account_limits {
	uint64_t quota;			/* octets */
	uint32_t max_sessions;
};

struct account_info {
	char name[ACCOUNT_NAME_MAX + 1];
	int64_t made;
	bool can_login, recoverable, scram_sha1;
	struct account_limits limits;
};

[[nodiscard]] bool account_name(const char *given, const char *main_domain, char name[ACCOUNT_NAME_MAX + 1], struct err *e);
/* `name` as account_name gave it; where there is no other form, itself. */
void account_normal(const char *name, char normal[ACCOUNT_NAME_MAX + 1]);
[[nodiscard]] bool account_must_be_normal(const char *name, struct err *e);
[[nodiscard]] bool account_add(struct store *s, const char *name, struct span password, unsigned how, struct err *e);
[[nodiscard]] bool account_passwd(struct store *s, const char *name, struct span password, unsigned how, struct err *e);
[[nodiscard]] bool account_set(struct store *s, const char *name, const struct account_limits *limits, struct err *e);
/* With its aliases, its routes, its alerts, and the rights (acl.h) that others have here or it has elsewhere, which go first.  An account with mailboxes is refused unless `mailboxes`, which removes them with all
 * that is in them; `now`: seconds since 1970.  ERR_BUSY: mail is coming in just now. */
[[nodiscard]] bool account_remove(struct store *s, const char *name, bool mailboxes, int64_t now, struct err *e);
bool account_there(struct store *s, const char *name);
bool account_find(struct store *s, const char *name, struct account_info *info);
/* Walks accounts in order of name; start with info->name[0] = 0. */
bool account_each(struct store *s, struct account_info *info);
/* Checks a password against argon2id; ERR_AUTH for a wrong one and for no such account alike. */
[[nodiscard]] bool account_check(struct store *s, const char *name, struct span password, struct err *e);
