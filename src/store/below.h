/* SPDX-License-Identifier: Apache-2.0
 *
 * Below an account's Maildir no symbolic link is followed.
 *
 * Whose Maildir it is makes in it what he likes: a folder, or new, cur or a file, that is a link to what only
 * we, perhaps root, may read, fill or remove.  So whatever is in a Maildir is opened here, or by openat with O_NOFOLLOW
 * relative to what was opened here.  The path of the account's Maildir itself is the administrator's, links and all.
 *
 * A `part` is "new", "cur/NAME", or "" for the folder (of INBOX: the Maildir) itself; it has no "..".
 * openat2 (Linux 5.6) walks to it at once; without it, or where a sandbox forbids it, it is done step by step.
 * What is one step below the account's Maildir costs one open, the rest two and a close. */
#pragma once

#include "base/err.h"

struct below {
	const char *path;	/* of INBOX or a folder: absolute, no slash at its end */
	size_t account_len;	/* of it, the account's Maildir; 0: all of it */
};

/* A folder of an account's Maildir, not its INBOX? */
bool below_is_folder(const struct below *b);
/* O_CLOEXEC and O_NOFOLLOW are added.  `cached`: out of memory only, without waiting (Linux 5.12).  -1 with errno. */
int below_open(const struct below *b, const char *part, int flags, bool cached);
/* The same from a folder that below_open has given; one step. */
int below_step(int at, const char *name, int flags, bool cached);
/* Behind one that failed, with its errno: says what was not opened, or which link is in the way (ERR_CONFIG).  Returns false. */
bool below_failed(const struct below *b, const char *part, enum err_kind kind, struct err *e);

/* The folder, made (0700, durably) when it is missing, parents of the account's Maildir too: to be closed; -1 with *e.  Blocks. */
[[nodiscard]] int below_make(const struct below *b, struct err *e);
/* A directory in it, `at` being from below_make: to be closed; -1 with *e. */
[[nodiscard]] int below_make_part(const struct below *b, int at, const char *name, struct err *e);
