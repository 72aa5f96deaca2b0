/* SPDX-License-Identifier: Apache-2.0
 *
 * S/MIME (RFC 8551) by OpenSSL's CMS: a spooled message decrypted and verified, with what was found as facts.
 *
 *     smime_keys_new(&files, &keys, &e)		once; any thread may use them then
 *     smime_open(message, keys, state, &plain, &facts, &e)
 * Layers are taken off from outside, at most SMIME_LAYERS: what is encrypted is decrypted, what is signed is verified.
 * `plain` is a new spool where that changed the octets: the message's own fields but for Content-*, then the inner
 * entity's Content-* fields and its body; NULL where the message is as it was (in clear, or signed in the open: multipart/signed
 * stays as it is).  It is the caller's.  A message that is no S/MIME, or a broken one, is no error: the facts say so, and
 * it goes on as it came.  Errors are ERR_LOCAL: our memory, our disk.
 *
 * VERIFIED means: the signature is right, and its certificate is good for mail and leads to a known authority now.  Whether the
 * signer is who the From field names is not looked at here: `signer` has the certificate's addresses.  Of several signatures the
 * worst counts, and the innermost's signer is told.  Headers of the message are not signed by any of it.
 *
 * Memory is some times the message's size: one that is larger than SMIME_MAX is TOO_LARGE, and goes on as it came.  Blocks (jobs). */
#pragma once

#include "config/settings.h"
#include "store/spool.h"

enum { SMIME_MAX = 32 * 1024 * 1024, SMIME_LAYERS = 5, SMIME_WORDS = 512, SMIME_DIGEST = 65 };

enum smime_encrypted { SMIME_CLEAR, SMIME_DECRYPTED, SMIME_NOT_FOR_US, SMIME_NOT_DECRYPTED };
enum smime_signed { SMIME_UNSIGNED, SMIME_VERIFIED, SMIME_UNTRUSTED, SMIME_WRONG };	/* the worst last */

struct smime_facts {
	enum smime_encrypted encrypted;
	enum smime_signed is_signed;
	bool too_large;			/* nothing was looked at */
	char signer[SMIME_WORDS];	/* addresses of the certificate with ", " between them; else its subject; "" = not known */
	char fingerprint[SMIME_DIGEST];	/* SHA-256 of the signer's certificate; "" = not known */
	char why[SMIME_WORDS];		/* what did not work, in words; safe to be shown */
};

struct smime_keys;

/* ERR_CONFIG: a file cannot be used (a key with a passphrase, or one that others can read: mode & 007); names it. */
[[nodiscard]] bool smime_keys_new(const struct smime_files *files, struct smime_keys **keys, struct err *e);
void smime_keys_free(struct smime_keys **keys);
/* `state`: for spool_new.  False: *plain is NULL, and the facts mean nothing. */
[[nodiscard]] bool smime_open(const struct spool *message, const struct smime_keys *keys, const char *state, struct spool **plain,
	struct smime_facts *facts, struct err *e);
/* "clear", "decrypted", "not-for-us", "not-decrypted"; "unsigned", "verified", "untrusted", "wrong": as facts have them. */
const char *smime_encrypted_name(enum smime_encrypted what);
const char *smime_signed_name(enum smime_signed what);
