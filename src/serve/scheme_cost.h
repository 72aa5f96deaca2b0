/* SPDX-License-Identifier: Apache-2.0
 *
 * What one check of a password may cost, by scheme: at most some seconds of one thread, and 256 MiB.
 *
 * A line of a passwd-file says itself how many rounds it wants and how much memory; one that wants hours would hold the
 * threads that all others need.  The limits are for a password of the longest that the scheme takes: sha-crypt hashes it in
 * every round.  What libxcrypt may learn later and is not known here is refused, since its cost is not known either.
 *
 * Pure; any thread.  Errors say numbers of the cost, never what else is in the text. */
#pragma once

#include "base/err.h"

enum {
	COST_SHA_CRYPT_ROUNDS = 1000000,	/* $5$, $6$ */
	COST_SHA1_CRYPT_ROUNDS = 2000000,	/* $sha1$ */
	COST_SUN_MD5_ROUNDS = 2000000,		/* $md5$ */
	COST_BCRYPT_LOG2 = 15,			/* $2y$ */
	COST_ITERATIONS = 10000000,		/* PBKDF2, SCRAM */
	COST_MEMORY_KIB = 256 * 1024,		/* argon2, scrypt, yescrypt */
	COST_ARGON_PASSES = 8,			/* over COST_MEMORY_KIB; more over less */
	COST_SCRYPT_PASSES = 4			/* as above */
};

/* A text of crypt(3) whose form crypt_checksalt has found good.  False: ERR_CONFIG. */
[[nodiscard]] bool scheme_cost_crypt(const char *setting, struct err *e);
/* "$argon2id$v=19$m=…,t=…,p=…$…", also without v. */
[[nodiscard]] bool scheme_cost_argon(const char *text, struct err *e);
[[nodiscard]] bool scheme_cost_iterations(uint64_t iterations, struct err *e);
