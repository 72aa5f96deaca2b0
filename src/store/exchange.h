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
 * block and say how many messages they handled.  While mailbox_import runs, nothing
 * else of the store may be under way: it takes all answers.
 * exchange_export and exchange_import are the same for messages that lie elsewhere:
 * in a store that another process has.  They call back, message by message.
 * Errors: ERR_CONFIG (form, refused), ERR_LOCAL with path. */
#pragma once

#include "store/mailbox.h"

[[nodiscard]] bool mailbox_export(struct mailbox *box, const char *target, uint64_t *count, struct err *e);
[[nodiscard]] bool mailbox_import(struct mailbox *box, const char *source, uint64_t *count, struct err *e);

struct exchange_from {
	/* The next message, in order: *there is false behind the last one. */
	bool (*next)(void *user, struct mailbox_entry *entry, bool *there, struct err *e);
	bool (*read)(void *user, const struct mailbox_entry *entry, bool (*use)(void *to, struct span octets), void *to, struct err *e);
	void *user;
	const char *spool;	/* a directory, as spool_new takes it */
};

struct exchange_to {		/* begin, add…, end for each message; a false one is the last call */
	bool (*begin)(void *user, struct err *e);
	bool (*add)(void *user, struct span octets, struct err *e);
	bool (*end)(void *user, int64_t arrived, bool seen, struct err *e);
	void *user;
};

[[nodiscard]] bool exchange_export(const struct exchange_from *from, const char *target, uint64_t *count, struct err *e);
[[nodiscard]] bool exchange_import(const char *source, const struct exchange_to *to, struct err *e);
