/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing: secrets that must be read again, encrypted under a key that is not
 * in the database (libsodium's secretbox, a key for each account derived from
 * that of the file).
 *
 * The key is `state`/secret.key, 32 octets, mode 0600; it is made, durable,
 * when it is first needed.  Whoever backs up the database alone does not get
 * the secrets; who loses the file has to set those passwords again.
 * A sealed secret's length tells the length only up to 64 octets.
 *
 * Everything here is for any thread. */
#pragma once

#include "base/err.h"

enum { SEAL_SECRET_MAX = 1024, SEAL_MAX = 24 + 16 + ((2 + SEAL_SECRET_MAX + 63) / 64) * 64 };

struct seal;

struct seal *seal_new(const char *state);	/* reads nothing yet */
void seal_free(struct seal **seal);
/* ERR_CONFIG: the file is damaged, or others can read it; ERR_LOCAL. */
[[nodiscard]] bool seal_close(struct seal *seal, const char *name, struct span secret, char out[SEAL_MAX], size_t *len, struct err *e);
/* False: not sealed with this key, for this name. */
[[nodiscard]] bool seal_open(struct seal *seal, const char *name, struct span sealed, char secret[SEAL_SECRET_MAX], size_t *len);
/* Octets that look random and are always the same for `what` and `name` (at most 64).  Where the
 * key file cannot be used, they last until the process ends. */
void seal_derive(struct seal *seal, const char *what, const char *name, uint8_t *out, size_t len);
