/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a password is kept so that it can be proved later: argon2id
 * (19 MiB, 2 passes) for clear text, and SCRAM keys (RFC 5802) for SHA-256 and,
 * when asked, SHA-1.  Deriving costs some 30 ms: in a job, not on a loop.
 * argon2id is over the octets as they were set.  The SCRAM keys are over what
 * SASLprep (RFC 4013) makes of them, since clients prepare too (RFC 5802 section 2.2),
 * or over the octets where it refuses: wire/saslprep.h, saslprep_password. */
#pragma once

#include "base/err.h"

enum { VERIFIER_ARGON = 128, SCRAM_SALT = 16, SCRAM_KEY_MAX = 32, SCRAM_SHA1_KEY = 20, SCRAM_ITERATIONS = 4096 };

struct scram_keys {
	uint32_t iterations;	/* 0: there are none */
	uint8_t salt[SCRAM_SALT];
	uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];	/* of SHA-1, 20 octets and zeros */
};

struct verifier {
	char argon[VERIFIER_ARGON];	/* as libsodium writes it, NUL-terminated */
	struct scram_keys sha256, sha1;
};

[[nodiscard]] bool verifier_make(struct verifier *v, struct span password, bool sha1, struct err *e);
/* A constant text that costs what others cost and that no password matches. */
const char *verifier_of_nobody(void);
bool verifier_argon_holds(const char argon[VERIFIER_ARGON], struct span password);
