/* SPDX-License-Identifier: Apache-2.0
 *
 * Dovecot's dovecot-uidlist of a Maildir, read: which file has which uid.
 *
 *     3 V1700000000 N12 Gb0…               version, UIDVALIDITY, next uid
 *     7 W1070 Pown-id O3 :1700.M1P2.host    uid, fields, file (flags may stand behind, and count for nothing)
 * and version 1 (Dovecot 1.0, Courier): "1 UIDVALIDITY NEXT", "uid file".
 * `file` is all of it; a last line without its end is being written, and is not there.
 *     uidlist_start, then uidlist_next until it is false; then `broken` tells whether the rest cannot be believed.
 * POP3's unique-id of a message is its P where it has one (an empty P: the file's base name), else
 * uid and UIDVALIDITY as %08x%08x.  O: order in POP3, of those that have one, before all others.
 * Borrows the file; no limits; pure. */
#pragma once

#include "base/span.h"

struct uidlist {
	struct span rest;
	unsigned version;
	uint32_t validity, last;
	bool broken;
};

struct uidlist_entry {
	uint32_t uid, order;	/* order 0: none */
	struct span base;	/* the file's name up to ':' */
	struct span pop3;	/* at NULL: none */
};

[[nodiscard]] bool uidlist_start(struct uidlist *u, struct span file);
[[nodiscard]] bool uidlist_next(struct uidlist *u, struct uidlist_entry *entry);
