/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault's key at rest: `state`/vault.key, VAULT_KEY_FILE octets, mode 0600.
 *
 * The key is 32 random octets.  The file has it encrypted under what comes of other 32 random octets, also in the file,
 * and of one thing that is not in `state`:
 *   BOUND_MACHINE     the text of /etc/machine-id: a copy of the state directory alone opens nothing on another machine.
 *                     That text is no secret on its own machine: who can read both files there has the key
 *   BOUND_CREDENTIAL  the credential postrider-vault of systemd (LoadCredential=, LoadCredentialEncrypted=, at least 16
 *                     octets): nothing on the disk of the service alone opens the vault
 *   BOUND_NOTHING     where there was neither: the file is all that is needed
 * A new file is bound to the credential when there is one, else to the machine.  What the file says decides how it is opened.
 * A sum tells a damaged file from one of another machine.  The file is never replaced by half, and vault_key_make
 * never replaces one.
 *
 * Errors: ERR_CONFIG (not to be opened here; it says why and what to do), ERR_LOCAL. */
#pragma once

#include "base/err.h"

enum { VAULT_KEY = 32, VAULT_KEY_ID = 8, VAULT_KEY_FILE = 144, VAULT_CREDENTIAL_MIN = 16 };
enum vault_bound { BOUND_NOTHING, BOUND_MACHINE, BOUND_CREDENTIAL, BOUND_KINDS };

struct vault_place {
	const char *state;
	const char *machine_id;		/* the path of that text */
	const char *credentials;	/* the directory of credentials; NULL = none */
};

/* 8 octets that say which key it is, and nothing about it. */
void vault_key_id(const uint8_t key[VAULT_KEY], uint8_t id[VAULT_KEY_ID]);
/* *there false and true: there is no file. */
[[nodiscard]] bool vault_key_read(const struct vault_place *p, uint8_t key[VAULT_KEY], bool *there, struct err *e);
/* A new file, for this machine or credential, durable.  ERR_LOCAL: there is one. */
[[nodiscard]] bool vault_key_make(const struct vault_place *p, const uint8_t key[VAULT_KEY], struct err *e);
/* The same in place of one that is there; `aside`: that one stays as vault.key.before-TIME. */
[[nodiscard]] bool vault_key_replace(const struct vault_place *p, const uint8_t key[VAULT_KEY], bool aside, struct err *e);
