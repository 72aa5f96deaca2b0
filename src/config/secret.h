/* SPDX-License-Identifier: Apache-2.0
 *
 * A secret's octets, where they can be had at once: as written (SECRET_LITERAL), out of a file, or out of a
 * credential that systemd passed (LoadCredential=NAME:… in the unit).  Line ends at the end of a file belong to the
 * file, not to the secret.
 *
 * ERR_CONFIG names the file, never what is in it.  Blocks, as files do. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

/* Appends to *out, which has room up to out->max by one call of buf_room, so that no copy is left behind; the caller
 * wipes it.  SECRET_NONE gives nothing; the other kinds are errors here. */
[[nodiscard]] bool secret_read(const struct secret *s, struct buf *out, struct err *e);
/* Without the line ends at its end. */
void secret_trim(struct buf *b);
