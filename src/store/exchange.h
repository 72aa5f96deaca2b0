/* SPDX-License-Identifier: Apache-2.0
 *
 * Import and export of whole mailboxes: Maildir, mbox, eml files.
 *
 * TARGET and SOURCE are `maildir:DIR`, `mbox:FILE` or `eml:DIR`.  Export makes
 * what is missing and never overwrites: an mbox that is there, or a directory
 * of eml files that is not empty, is refused; a Maildir is added to.  Line ends are LF in
 * Maildir and mbox (mboxrd quoting), CRLF as stored in eml (00000001.eml …, in
 * order).  Import reads in the order of file names (of an mbox: of messages),
 * turning lone LF line ends into CRLF.  All is durable when it returns; both
 * block and say how many messages they handled.
 * Errors: ERR_CONFIG (form, refused), ERR_LOCAL with path. */
#pragma once

#include "store/mailbox.h"

[[nodiscard]] bool mailbox_export(struct mailbox *box, const char *target, uint64_t *count, struct err *e);
[[nodiscard]] bool mailbox_import(struct mailbox *box, const char *source, uint64_t *count, struct err *e);
