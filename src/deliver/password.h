/* SPDX-License-Identifier: Apache-2.0
 *
 * The password of a connection or a target, wherever it is: as written, in a file, a credential of systemd's, or what a
 * command prints.  A command blocks for at most a minute, and ends when *stop becomes true (any thread; NULL: never): for
 * jobs.  The other kinds block as files do.
 *
 * Appends to *out as secret_read (config/secret.h) does; the caller wipes it.  Errors never have the password in them. */
#pragma once

#include <stdatomic.h>

#include "config/secret.h"

[[nodiscard]] bool password_read(const struct secret *s, const atomic_bool *stop, struct buf *out, struct err *e);
