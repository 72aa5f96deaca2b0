/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault: passwords and tokens that go out to servers, sealed in the store (PRODUCT 1 `secret`, 2 `vault:NAME`).
 *
 * A secret is 1 to VAULT_SECRET_MAX octets under a name of 1 to VAULT_NAME_MAX octets without control characters.
 * Tokens of a connection have the name "oauth:CONNECTION".  Records are encrypted and authenticated together with
 * their name (XChaCha20-Poly1305), under a key that is not in the database: vault_key.h.  A record's length tells the
 * secret's only up to 64 octets.  The key is made, durable, before the first record; while there are records, it is
 * never made anew: without it they cannot be opened, and the errors say what to do.
 *
 * All of this is for any thread, while the store is open.  vault_set, vault_remove and vault_import block for a commit
 * (never on a thread that must not wait), the others as reads do.  Two vault_set of one name: the later one stays.
 * Errors: ERR_CONFIG (no such secret, no such name, or the key cannot open it: what to do is said), ERR_LOCAL.
 * No error has a secret in it. */
#pragma once

#include "base/buf.h"
#include "store/store.h"

enum { VAULT_NAME_MAX = 6 + 128, VAULT_SECRET_MAX = 64 * 1024, VAULT_WRAP = 32, VAULT_WRAPPED = 8 + 24 + 32 + 16 };
#define VAULT_TOKENS "oauth:"

[[nodiscard]] bool vault_set(struct store *s, const char *name, struct span secret, struct err *e);	/* replaces; durable when it returns */
/* Appends to *secret, with room for all of it taken at once; the caller wipes it (buf_wipe).  ERR_CONFIG also when it does not fit there. */
[[nodiscard]] bool vault_get(struct store *s, const char *name, struct buf *secret, struct err *e);
[[nodiscard]] bool vault_remove(struct store *s, const char *name, struct err *e);	/* needs no key */
bool vault_there(struct store *s, const char *name);	/* whether it can be opened or not */

struct vault_info {
	char name[VAULT_NAME_MAX + 1];
	int64_t set;		/* when, as the record says, seconds since 1970; it is authenticated only when the record is opened */
};
/* Walks them in the order of names; start with name[0] = 0. */
bool vault_each(struct store *s, struct vault_info *v);

/* Moving to another machine: the key encrypted under 32 octets that come of a master password (recovery.h).  An import
 * binds the key to this machine or credential.  ERR_CONFIG: `wrap` does not open it; or there are
 * secrets, none of which this key opens.  A key file that is replaced by another key's stays as vault.key.before-TIME. */
[[nodiscard]] bool vault_export(struct store *s, const uint8_t wrap[VAULT_WRAP], uint8_t wrapped[VAULT_WRAPPED], struct err *e);
[[nodiscard]] bool vault_import(struct store *s, const uint8_t wrap[VAULT_WRAP], const uint8_t wrapped[VAULT_WRAPPED], struct err *e);

/* Called by the store. */
struct vault;
struct vault *vault_new(const char *state);	/* reads nothing yet */
void vault_free(struct vault **v);
