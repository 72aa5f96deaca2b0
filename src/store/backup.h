/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups: a hot copy of the store in a directory (PRODUCT section 1).
 *
 * A backup is a directory, 0700, of three files, 0600:
 *     data.mdb     the store as it was at one moment, packed: without free pages, and so without
 *                  the removed mail that these still hold.  Mailboxes with all mail, accounts and
 *                  their passwords' verifiers, domains, ledgers, certificates that were seen
 *     secret.key   the key of the passwords that can be recovered (seal.h); not there when none was
 *                  ever needed, or when it was left out.  Without it a restored store is whole but
 *                  for these passwords, which are to be set again; with it, who gets hold of the backup gets them
 *     manifest     manifest.h: when, by which version, size and SHA-256 of the other two
 * The manifest comes last, when all else is durable: no manifest, no backup.  A backup that fails
 * takes its files away; one that was killed leaves a directory that nothing takes for a backup.
 * Not in it: the configuration, Maildirs, connection locks.
 *
 * Two processes can make one together, since only one has the store open:
 *     backup_begin(directory)                          whoever asked
 *     backup_write(engine, backup_fd(), …)             who has the store: the same, or the service, which
 *                                                      was sent the descriptor (SCM_RIGHTS)
 *     backup_end(what backup_write said, secret.key)   whoever asked
 * backup_write takes as long as the disk does: on a thread that may block, a job's or one of its own, and
 * over before the engine is closed.  Any number at a time.  The service opens no path that it was told.
 *
 * What was durable before backup_write began is in it, what was not is not, and nothing by halves; the
 * key is read after the store, so that whatever is sealed in there has its key.
 *
 * Errors: ERR_CONFIG (the directory cannot be used), ERR_LOCAL (disk full, descriptor closed, stopped). */
#pragma once

#include <stdatomic.h>

#include "store/engine.h"
#include "store/manifest.h"

/* One copy under way: zeroed at first; any thread may read it, and stop it. */
struct backup_progress {
	_Atomic uint64_t octets;	/* written so far */
	_Atomic uint64_t size;		/* of the store with its free pages: the copy has at most as many */
	atomic_bool stop;
};

struct backup_written {
	int64_t began;			/* seconds since 1970 UTC */
	uint64_t octets;
	uint8_t digest[MANIFEST_DIGEST];	/* SHA-256 */
	bool packed;			/* false: the store lost count of its pages, and free ones were copied too */
};

/* Writes the store to a descriptor, which is to be that of an empty regular file, and syncs it. */
[[nodiscard]] bool backup_write(struct engine *g, int fd, struct backup_progress *progress, struct backup_written *w, struct err *e);

/* The same in a thread of its own, for who must not wait: the answer comes from store_next with the ticket, and
 * is not durable mail but this file.  `fd` is a copy that is taken over, also on false.  store_close stops it, and the answer says so. */
struct store;
struct backup_run;

[[nodiscard]] bool backup_run_start(struct store *s, int fd, uint64_t ticket, struct backup_run **r, struct err *e);
const struct backup_written *backup_run_written(const struct backup_run *r);	/* after a good answer */
/* Any time, on the store's thread; also after store_close.  One that is not over is stopped, and its answer still comes. */
void backup_run_free(struct backup_run **r);

struct backup;

/* Makes the directory, with its parents; one that is there must be empty. */
[[nodiscard]] bool backup_begin(const char *directory, struct backup **b, struct err *e);
int backup_fd(const struct backup *b);		/* its data.mdb, for backup_write; stays the backup's */
/* `state`: the state directory whose secret.key goes into it; NULL: it is left out.  *key: it is in there.
 * Durable when true; on false the files are taken away.  Frees it either way. */
[[nodiscard]] bool backup_end(struct backup **b, const struct backup_written *w, const char *state, bool *key, struct err *e);
void backup_abort(struct backup **b);		/* takes the files away */

/* Reads and checks a backup's manifest alone. */
[[nodiscard]] bool backup_manifest(const char *directory, struct manifest *m, struct err *e);
