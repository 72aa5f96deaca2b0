/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a directory, in two steps (PRODUCT 2.2), inside the room: written and synced under a name that nobody
 * looks at; `placing NAME` in the ledger; its own name, and that durable; then accepted.  Writing is spread over the job
 * pool, because concurrent fsyncs share the file system's journal commits; names are given one group at a time.
 * What kind of directory it is, is a table: sink_maildir.c, sink_folder.c.
 *
 * What cannot be written fails that message at that target.  A directory whose files on their way cannot be put right
 * (recover) is shut for the visit: what the ledger says of it stays, and the other targets get their mail.
 * Of a held message, which may have no entry, it is the record in the held area that says `placing NAME` (held_placing). */
#pragma once

#include "collect/visit.h"
#include "store/held.h"

enum { FILES_INTENT_OLD_S = 24 * 3600 };	/* what is on its way for longer may have been swept, and must be found */

/* All of it blocks and runs on a job's thread; `dir` is that job's. */
struct files_ops {
	bool (*enter)(struct sink *k, void **dir, struct err *e);
	void (*leave)(struct sink *k, void *dir);
	bool (*write)(struct sink *k, void *dir, struct message *m, struct err *e);	/* into m->place the name */
	bool (*sync_written)(void *dir, struct err *e);		/* once a group, before `placing` */
	/* Of each of a group what may be seen before the name is; then sync_placed, place each.  NULL: there is nothing. */
	bool (*prepare)(void *dir, const char *name, struct err *e);
	bool (*place)(void *dir, const char *name, struct err *e);
	bool (*lost)(void *dir, const char *name);		/* prepare or place failed: it surely is in neither place */
	bool (*sync_placed)(void *dir, struct err *e);		/* once a group, before `accepted` */
	void (*placed)(void *dir, const char *name);		/* behind that, for each, and then sync_written.  NULL: there is nothing */
	bool (*place_again)(void *dir, const char *name, struct err *e);	/* after a crash; not there: it was placed */
	bool (*has)(void *dir, const char *name);		/* it has been placed, and nobody took it */
	/* What is on its way, of that tag, and has no `placing`. */
	void (*sweep)(void *dir, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user);
};

/* For the table's sink_ops: `open` and `close` are its own, and call these; the others are these. */
[[nodiscard]] bool files_open(struct sink *k, const struct files_ops *ops, struct err *e);
void files_close(struct sink *k);
[[nodiscard]] bool files_recover(struct sink *k, struct err *e);
void files_deliver(struct sink *k, struct message *m);
void files_answered(struct sink *k, struct message *m, enum ticket_kind kind);
void files_settled(struct sink *k, struct message *m);
/* Of the files that this connection, in this state on this host, writes; those of held messages have another. */
const uint8_t *files_tag(const struct sink *k, const struct message *m);

/* sink_files_held.c.  All of it on a job's thread.
 * Had this held message got a name before?  It is there then; or it never got it, or that is too long ago, and it is to be
 * written anew. */
[[nodiscard]] bool files_find_copy(const struct files_ops *ops, const uint8_t tag[8], void *dir, const struct held_info *info, bool *there,
	struct err *e);
/* Durable; "": it will not get one.  Of what is no held message nothing is to be done. */
[[nodiscard]] bool files_name_copy(const struct sink *k, const struct message *m, const char *name, struct err *e);
bool files_is_named(void *user, const char *name);	/* by a held message of the visit `user` */
