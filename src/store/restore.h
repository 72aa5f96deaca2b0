/* SPDX-License-Identifier: Apache-2.0
 *
 * Restoring a backup (backup.h) into a state directory, and looking whether
 * one is whole.
 *
 * restore_verify reads all of it: size and SHA-256 of each file as the manifest has them, LMDB opens it, and
 * every mailbox has every body (audit.h).  Nothing is written, in the backup neither.
 *
 * restore_into holds run.lock all the while, so nobody else has the state directory's store open.  It copies the
 * files beside the store, comparing digests on the way; walks the copy; raises the epoch of every mailbox, so that
 * no unique-id that was given out after the backup comes again (epoch.h); then the copy becomes the store, in one
 * step (settle.h): a kill at any instant leaves the old store or the new one.  A store that is there is refused
 * without `replace`, and is kept aside with it, needing no space of its own; nobody removes it.
 * A secret.key in the backup becomes the state directory's; one that was there goes aside with the old store.
 * The files belong to whom the state directory belongs to.
 *
 * What a restore means for mail that came after the backup was made (the ledgers go back too):
 *     - what stayed at its server (after = keep, seen, move to where it is collected from) is fetched again by the
 *       next visit; what was delivered to a Maildir too comes there a second time
 *     - what was deleted there (after = delete, delete_after) is gone with the store that was replaced: it is in there,
 *       and only there.  Maildirs keep what they got
 *     - what was removed by POP3 clients after the backup is back, under its unique-id of before
 *     - passwords, accounts, domains and mailboxes are those of the backup
 *
 * Errors: ERR_CONFIG (no backup, a store is there), ERR_BUSY (the store is in use), ERR_LOCAL. */
#pragma once

#include "store/audit.h"
#include "store/backup.h"
#include "store/settle.h"

struct restored {
	struct manifest manifest;
	struct audit audit;
	uint32_t epoch;			/* of all mailboxes from now on */
	bool key;			/* the state directory has a secret.key now */
	char aside[SETTLE_ASIDE_MAX];	/* in the state directory: what was replaced; "" = nothing was */
	char earlier[SETTLE_ASIDE_MAX];	/* what an earlier restore, cut off after it was done, had replaced */
};

[[nodiscard]] bool restore_verify(const char *directory, struct backup_progress *progress, struct restored *r, struct err *e);
/* `what`: the command's name, for run.lock. */
[[nodiscard]] bool restore_into(const char *directory, const char *state, uint64_t map_size, bool replace, const char *what,
	struct backup_progress *progress, struct restored *r, struct err *e);
