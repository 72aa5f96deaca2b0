/* SPDX-License-Identifier: Apache-2.0
 *
 * A recovery file: the vault's key for another machine, under a master password.
 *
 *     postrider vault recovery 1
 *     SALT WRAPPED SUM            in hexadecimal digits, on one line
 * The key that wraps is argon2id(master password, SALT) with 256 MiB and 3 passes: a second of one core for each guess,
 * so the file is as good as its password.  SUM tells damage from a wrong password.
 *
 * All of it blocks.  Errors: ERR_CONFIG (no such file, or none of ours; the password is too short), ERR_LOCAL. */
#pragma once

#include "base/err.h"
#include "store/vault.h"

enum { RECOVERY_SALT = 16, RECOVERY_PASSWORD_MIN = 8, RECOVERY_PASSWORD_MAX = 4096 };

struct recovery {
	uint8_t salt[RECOVERY_SALT], wrapped[VAULT_WRAPPED];
};

[[nodiscard]] bool recovery_wrap(struct span password, const uint8_t salt[RECOVERY_SALT], uint8_t wrap[VAULT_WRAP], struct err *e);
/* A new file, 0600, durable; one that is there is an error. */
[[nodiscard]] bool recovery_write(const char *path, const struct recovery *r, struct err *e);
[[nodiscard]] bool recovery_read(const char *path, struct recovery *r, struct err *e);
