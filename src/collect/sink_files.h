/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a directory, in two steps (PRODUCT 2.2), inside the room: written and synced under a name that nobody
 * looks at; `placing NAME` in the ledger; its own name, and that durable; then accepted.  Writing is spread over the job
 * pool, because concurrent fsyncs share the file system's journal commits; names are given one group at a time.
 * What kind of directory it is, is a table: sink_maildir.c, sink_folder.c.
 *
 * What cannot be written fails that message at that target.  A directory whose files on their way cannot be put right
 * (recover) is shut for the visit: what the ledger says of it stays, and the other targets get their mail.
 * A held message that was released has no `placing`: nothing of it gets lost, but after a crash it may come twice. */
#pragma once

#include "collect/visit.h"

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
	void (*sweep)(void *dir, const uint8_t tag[8]);		/* what is on its way, of that tag, and has no `placing` */
};

/* For the table's sink_ops: `open` and `close` are its own, and call these; the others are these. */
[[nodiscard]] bool files_open(struct sink *k, const struct files_ops *ops, struct err *e);
void files_close(struct sink *k);
[[nodiscard]] bool files_recover(struct sink *k, struct err *e);
void files_deliver(struct sink *k, struct message *m);
void files_answered(struct sink *k, struct message *m, enum ticket_kind kind);
void files_settled(struct sink *k, struct message *m);
/* Of the files that this connection, in this state on this host, writes. */
const uint8_t *files_tag(const struct sink *k);
