/* SPDX-License-Identifier: Apache-2.0
 *
 * A Maildir that others fill and read at the same time, as a maildrop (maildrop.h): no lock, nothing of ours in it.
 *
 *     maildrop_try_maildir      on a loop: opened at once, or not without waiting, and then
 *     maildrop_open_maildir     in a job
 * and from then on all of maildrop.h; maildrop_marked's uids are nothing for mailbox_remove here: at the end a job
 * does maildrop_apply.  A path where nothing is is an empty maildrop (the first delivery makes it); what is there and
 * is no Maildir is ERR_CONFIG.
 *
 * The engine keeps an index of the Maildir, a cache: names, sizes as POP3 counts them, unique-ids, and what both
 * folders looked like when they were read.  As long as they look so (two stats) nothing else is looked at.  A folder
 * that changed in the two seconds before it was read may have changed again within the same tick of the
 * kernel's clock, and is read once more.  Sizes: S= and W= in names are honoured, but for the line end that the last
 * line may lack; other files are read once, to be counted.  A file that cannot be read (permissions) is left out, and
 * the log says so, until it can.
 *
 * Order and unique-ids: once given they stay, new messages come behind (as long as the cache is there: made anew, it has native
 * ids as before, and all in the order of their times).  native: 64 bits of BLAKE2b over the file's name up to ':'.  `uidl_dovecot`: what Dovecot says
 * (pop3_uidl_format at its default, %08Xu%08Xv) for all that its dovecot-uidlist names, and its order; what it does not name
 * yet is native, and stays so when it names it later, for which the commit is waited for.  dovecot-uidlist is read
 * when a message is new, and never written or locked.
 *
 * No link that is in it is followed (below.h): one in place of a folder is ERR_CONFIG, one among the messages is none.
 *
 * Errors: ERR_LOCAL (what the disk says, with the path), ERR_CONFIG (no Maildir), ERR_BUSY (others rewrote the index time and again). */
#pragma once

#include "store/maildrop.h"

struct maildrop_maildir {
	const char *path;	/* absolute */
	bool uidl_dovecot;
	size_t account_len;	/* of the path, the account's Maildir; 0: all of it (below.h) */
};

/* Blocks: in a job. */
[[nodiscard]] bool maildrop_open_maildir(struct store *s, const struct maildrop_maildir *with, struct maildrop **drop, struct err *e);
/* On a loop: waits for no disk.  False: not so; open it in a job. */
[[nodiscard]] bool maildrop_try_maildir(struct store *s, const struct maildrop_maildir *with, struct maildrop **drop);
bool maildrop_is_maildir(const struct maildrop *drop);
/* For p3d_drop.uids: NULL when none has a text of its own; a NULL in it: the uid counts. */
const char *const *maildrop_uids(const struct maildrop *drop);

/* The Maildir is nobody's any more: its index goes.  Blocks. */
[[nodiscard]] bool maildrop_forget_maildir(struct store *s, const char *path, struct err *e);

/* Blocks: in a job; durable when it returns.  With `deletions` what is marked DROP_DELETED is unlinked (already gone is good); with `seen`
 * what is DROP_READ and stays gets the flag S in its name, and the other flags stay.  False: some could not be removed; how many, and what the
 * disk said of the first; the others are.  That \Seen could not be set is told only where no deletions were asked for. */
[[nodiscard]] bool maildrop_apply(struct maildrop *drop, bool deletions, bool seen, struct err *e);
