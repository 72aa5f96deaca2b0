/* SPDX-License-Identifier: Apache-2.0
 *
 * Password schemes, as Dovecot writes them: "{SCHEME}text", and what a password must be for one.
 *
 *     PLAIN CLEARTEXT CLEAR                    the password itself
 *     CRYPT DES-CRYPT MD5-CRYPT SHA256-CRYPT SHA512-CRYPT BLF-CRYPT YESCRYPT   whatever libxcrypt's crypt_r knows
 *     ARGON2I ARGON2ID                         libsodium
 *     PLAIN-MD5 LDAP-MD5 SHA SHA1 SHA256 SHA512   a digest, in hexadecimal or base64: told by its length
 *     SMD5 SSHA SSHA256 SSHA512                base64 of a digest and the salt behind it
 *     MD5                                      MD5-CRYPT, or a digest
 *     CRAM-MD5 HMAC-MD5                        what HMAC-MD5 has after its key; for passwords alone
 *     PBKDF2                                   $1$SALT$ROUNDS$HEX, of SHA-1
 *     SCRAM-SHA-1 SCRAM-SHA-256                ITERATIONS,SALT,StoredKey,ServerKey
 * Names in either case; with .HEX, .B64 or .BASE64 behind one the text is coded so.  A text without a scheme is
 * CRYPT (scheme_whole).  The argon2id text of the internal database, which begins with '$', is known as well.
 *
 * One whose check would cost too much (scheme_cost.h) is bad, and its password is never hashed.
 * Nothing here says what is in a verifier: errors name the scheme and its cost only.  For any thread; scheme_holds takes as
 * long as the scheme does, and memory: on hashing's threads. */
#pragma once

#include "base/err.h"
#include "store/login.h"

enum scheme_state {
	SCHEME_GOOD,
	SCHEME_LOCKED,	/* empty, or "!" or "*" before what would be one: nobody logs in by it, and that is meant so */
	SCHEME_BAD	/* unknown, not as its scheme writes them, or too costly: *e says so, ERR_CONFIG */
};

/* "{CRYPT}" in front where there is no scheme.  False: it does not fit. */
[[nodiscard]] bool scheme_whole(struct span text, char verifier[LOGIN_VERIFIER]);
[[nodiscard]] enum scheme_state scheme_check(const char *verifier, struct err *e);
/* Is it this password?  False for whatever is not good, too. */
bool scheme_holds(const char *verifier, struct span password);
/* The password itself, when the scheme keeps it.  Wiped by the caller. */
bool scheme_secret(const char *verifier, char secret[ACCOUNT_PASSWORD_MAX], size_t *len);
/* SCRAM's keys, of SHA-256 or (sha1) SHA-1.  False: it has none, or its salt is longer than SCRAM_SALT, or empty. */
bool scheme_scram(const char *verifier, bool sha1, struct scram_keys *keys, size_t *salt_len);
