/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what is to be imported, a function for each form (exchange.h): `path` is what
 * follows the colon.  Lone LF line ends become CRLF.
 *
 * maildir_walk is the other way about: message by message when asked, in the same order, of a Maildir that others
 * use meanwhile.  One whose name they changed is looked for under its new one; one that is gone is passed over; one that
 * is being read is read to its end.  A Maildir that is not there is empty.
 * No link in it is followed: one in place of a folder is ERR_CONFIG, one among the messages is none. */
#pragma once

#include "store/below.h"
#include "store/exchange.h"

[[nodiscard]] bool import_maildir(const char *path, const struct exchange_to *to, struct err *e);
[[nodiscard]] bool import_mbox(const char *path, const struct exchange_to *to, struct err *e);
[[nodiscard]] bool import_eml(const char *path, const struct exchange_to *to, struct err *e);

struct maildir_walk;

[[nodiscard]] bool maildir_walk_open(const struct below *b, struct maildir_walk **w, struct err *e);
/* Of the entry `size` are the file's octets, and there is no uid.  *there is false behind the last one. */
[[nodiscard]] bool maildir_walk_next(struct maildir_walk *w, struct mailbox_entry *entry, bool *there, struct err *e);
/* The octets of that message, as often as wanted. */
[[nodiscard]] bool maildir_walk_read(struct maildir_walk *w, bool (*use)(void *to, struct span octets), void *to, struct err *e);
const char *maildir_walk_name(const struct maildir_walk *w);	/* of its file */
size_t maildir_walk_count(const struct maildir_walk *w);	/* messages that there were at the start */
void maildir_walk_close(struct maildir_walk **w);
[[nodiscard]] bool maildir_export(const struct below *b, const char *state, const char *target, uint64_t *count, struct err *e);
