/* SPDX-License-Identifier: Apache-2.0
 *
 * Maildirs: delivery in two steps, and reading for import.
 *
 *     maildir_open        makes the path with tmp, new, cur (0700) when missing
 *     maildir_write       the message into tmp/NAME, fsync
 *     … the caller commits `placing NAME` to its ledger …
 *     maildir_sync_tmp before that commit, once a group: the name in tmp is durable too
 *     maildir_place       rename tmp/NAME → new/NAME; no file in tmp: somebody
 *                         took it away, the message is not delivered
 *     maildir_sync        fsync of new/ (and tmp/), once a group
 *     … the caller commits `accepted` …
 * After a crash: maildir_place_again for each `placing`: no file in tmp means
 * that it was placed before, whatever a reader did since, which is good; for an intent older
 * than 24 h maildir_has looks in new/ and cur/ (by the name up to ':').
 * Lines end with LF in the files (as every Maildir reader expects), CRLF on the
 * way in and out; S= and W= are kept in the name.
 * NAME: SECONDS.MmicrosPpidQn_TAG.host,S=n,W=n: seconds and microseconds are the
 * moment that readers put files in order by (mdir.h); TAG = 16 hex digits of the
 * connection, so that maildir_sweep can remove what a crash left in tmp
 * without a `placing` (only names with that tag; the connection is locked).
 * All block (jobs); different threads may work in one Maildir at once.
 * No link that is in it is followed (below.h).
 * Errors: ERR_LOCAL with path and errno; ERR_CONFIG: a link, a path that is too long. */
#pragma once

#include "store/below.h"
#include "store/spool.h"

enum { MAILDIR_NAME_MAX = 160, MAILDIR_HOST_MAX = 48 };

struct maildir;

[[nodiscard]] bool maildir_open(const char *path, struct maildir **m, struct err *e);
/* A folder (Maildir++) too, marked as one: its file maildirfolder. */
[[nodiscard]] bool maildir_open_below(const struct below *b, struct maildir **m, struct err *e);
void maildir_close(struct maildir **m);
/* A moment for a name: now, and later than every one before it in this process, unless the clock was set back. */
uint64_t maildir_moment(void);
/* As maildir_write, which takes a moment of its own: for several threads that write what has an order. */
[[nodiscard]] bool maildir_write_at(struct maildir *m, const struct spool *message, const uint8_t tag[8], uint64_t moment,
	char name[MAILDIR_NAME_MAX], struct err *e);
[[nodiscard]] bool maildir_write(struct maildir *m, const struct spool *message, const uint8_t tag[8], char name[MAILDIR_NAME_MAX], struct err *e);
[[nodiscard]] bool maildir_sync_tmp(struct maildir *m, struct err *e);
[[nodiscard]] bool maildir_place(struct maildir *m, const char *name, struct err *e);
[[nodiscard]] bool maildir_place_again(struct maildir *m, const char *name, struct err *e);	/* after a crash */
bool maildir_waits(struct maildir *m, const char *name);	/* in tmp, as far as can be told: false only when it surely is not */
[[nodiscard]] bool maildir_sync(struct maildir *m, struct err *e);
void maildir_take_back(struct maildir *m, const char *name);	/* out of new, if nobody has taken it: maildir_sync failed, and it will be written again */
bool maildir_has(struct maildir *m, const char *name);
/* A host's name as part of a file's: what has a meaning there as \ooo, and cut. */
void maildir_host(const char *given, char out[MAILDIR_HOST_MAX + 1]);
/* For export, after maildir_place: the file's date, and when it was read, cur/NAME:2,S.
 * maildir_sync then makes it durable.  Not for several threads at once. */
[[nodiscard]] bool maildir_dress(struct maildir *m, const char *name, int64_t arrived, bool seen, struct err *e);
/* Removes tmp files of `tag` for which keep(user, name) is false. */
void maildir_sweep(struct maildir *m, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user);
