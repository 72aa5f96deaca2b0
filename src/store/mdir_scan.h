/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: what is in a Maildir's folders now, joined with what its index knows.
 *
 * mdir_scan reads both folders and matches names up to ':' with the list: other flags, moved from new to cur, new ones, gone
 * ones.  Others rename while we read, and a file may be met twice, or not at all: twice counts once, and what the index
 * has is only believed gone when a second look has not found it either.  New files are counted: by W= in the name, else they are read.
 * mdir_ids then gives the new ones their order and unique-ids (mdir.h), out of Dovecot's uidlist or their names.
 * Both block.  *changed: the list is not what is at rest; *fresh: unique-ids were given out; another one who
 * reads dovecot-uidlist a moment earlier or later gives the same messages others, unless he must see ours. */
#pragma once

#include "store/below.h"
#include "store/mdir_index.h"

enum mdir_folders { MDIR_THERE, MDIR_NOTHING, MDIR_FAILED };

/* How both folders look; `cached`: as far as that can be told without waiting for a disk. */
enum mdir_folders mdir_look(const struct below *b, bool cached, struct mdir_stamp folder[2], struct err *e);
/* Fills in head's stamps and `trusted`. */
[[nodiscard]] bool mdir_scan(const struct below *b, struct mdir_list *list, struct mdir_head *head, bool *changed, struct err *e);
[[nodiscard]] bool mdir_ids(const struct below *b, bool dovecot, struct mdir_list *list, bool *fresh, struct err *e);
/* The octets of a file, from its begin, as POP3 counts them, and the DROP_* that follow.  False with errno. */
struct mdir_size { uint64_t octets; uint8_t flags; };
[[nodiscard]] bool mdir_count(int fd, struct mdir_size *size);
/* A unique-id out of a file's base name; `again`: the one before was taken. */
uint64_t mdir_native_id(struct span base, uint32_t again);
