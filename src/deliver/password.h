/* SPDX-License-Identifier: Apache-2.0
 *
 * The password of a connection or a target, wherever it is: as written, in a file, a credential of systemd's, the vault of
 * a store, or what a command prints.  A command blocks for at most a minute, and ends when *stop becomes true (any thread; NULL: never): for
 * jobs.  The other kinds block as files do.
 * `s` NULL: there is no store to ask, and a password in the vault is an error that says so.
 *
 * Appends to *out as secret_read (config/secret.h) does; the caller wipes it.  Errors never have the password in them. */
#pragma once

#include <stdatomic.h>

#include "config/secret.h"
#include "store/store.h"

[[nodiscard]] bool password_read(const struct secret *secret, struct store *s, const atomic_bool *stop, struct buf *out, struct err *e);
