/* SPDX-License-Identifier: Apache-2.0
 *
 * What a login needs of an account, for every mechanism, in one struct.
 *
 * login_find always fills it.  For a name that is no account, or one that
 * cannot log in, salts and keys are derived from the name and a secret of the
 * server's (seal.h): the same at every try, in the form of real ones, at the
 * same cost, and nothing proves them.  So it is for SHA-1 keys that an account
 * does not have.  The caller goes through the whole exchange and then looks at
 * `there`; only what is kept recoverably can make it refuse before.
 *
 * It is what the internal database has.  Where users come from other sources too, serve/users.h asks it, or fills
 * the same struct: `verifier` then has its scheme in braces, and salts may be shorter.
 *
 * For any thread; in a job all the same, together with argon2id: the first call of a
 * store's life makes the key file, durably.  login_wipe when done. */
#pragma once

#include <limits.h>

#include "store/account.h"
#include "store/verifier.h"

enum { LOGIN_VERIFIER = 512, LOGIN_SOURCE = 128 };

struct account_login {
	char name[ACCOUNT_NAME_MAX + 1];
	bool known;			/* the source has such a name */
	bool there;			/* false: whatever is proved, the answer is no */
	bool sha1_there;		/* false: `sha1` is made up */
	bool elsewhere;			/* `verifier` names who judges its passwords, and whether there is such a user */
	char verifier[LOGIN_VERIFIER];	/* of the internal database: for verifier_argon_holds */
	char source[LOGIN_SOURCE];	/* where it is from: "internal", … */
	const char *why;		/* why it cannot log in, for the log; NULL */
	struct scram_keys sha256, sha1;
	size_t sha256_salt, sha1_salt;	/* how long the salts are */
	char secret[ACCOUNT_PASSWORD_MAX];	/* for APOP and CRAM-MD5 */
	size_t secret_len;		/* 0: not kept */
	struct account_limits limits;	/* the domain's where the account has none */
	char mail[PATH_MAX];		/* the Maildir that the source names; "" = none */
};

/* `name` as account_resolve gave it. */
void login_find(struct store *s, const char *name, struct account_login *login);
/* The same for a name that is no account, whether or not it is one. */
void login_make_up(struct store *s, const char *name, struct account_login *login);
void login_wipe(struct account_login *login);
