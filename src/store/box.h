/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a mailbox: what lies in its partition, and what its files share.
 *
 *     "h"                      the head: next unique-id and blob, messages, octets
 *     "i" PAGE                 the entries whose unique-ids begin with PAGE (uid / 256), in order
 *     "s" CONNECTION ID        a source's mark → digest
 *     "t" BLOB                 a message coming in by pieces → how many are durable
 *     blob BLOB piece 0, 1 …   a body; all of it when they add up to the entry's size
 *
 * The directory of names ("names" partition) has "b" NAME → epoch, and "e" the
 * last epoch.  An epoch is the upper half of a box's unique-ids: at least the
 * second in which the box was made, and greater than all before, so that a box
 * made again, or out of an old backup, starts above what was ever handed out. */
#pragma once

#include "store/mailbox.h"
#include "store/room.h"

enum {
	BOX_PAGE = 256,			/* entries a page */
	BOX_ENTRY = 40,			/* octets an entry */
	BOX_STAGING_MAX = 4,		/* pieces of one message under way */
	BOX_WAITING_MAX = 4 << 20,	/* octets that wait for a batch */
	BOX_MARK = 1 + 8 + 32,
	BOX_UNMARKS = 256,		/* removed marks that wait for a message to ride with */
};

enum { BOX_NO_END = 1 << 30 };		/* flag at rest: the body does not end with CRLF */

struct box_head {
	uint64_t next_uid, next_blob, count, bytes;
};

struct box_entry {			/* an entry at rest */
	uint64_t uid, blob, stored;	/* octets in the blob */
	int64_t arrived;
	uint32_t dots, flags;
};

struct box_mark {
	char key[BOX_MARK];
};

struct mailbox {
	struct mailbox *next;
	struct store *store;
	engine_part part;
	char name[MAILBOX_NAME_MAX + 1];
	bool made;			/* the directory has it */
	struct box_head head;		/* as it is durable, */
	bool head_there;		/* once anything is */
	uint64_t next_blob;		/* runs ahead of the head's */
	struct box_group *group;	/* under way */
	struct incoming *first, **last;	/* finished, for the next group */
	size_t waiting, waiting_octets;
	struct box_mark *unmarks;
	size_t unmark_count, unmark_cap;
	struct { uint64_t position, page; } walk;	/* where mailbox_entries was */
};

/* names.c */
[[nodiscard]] bool box_name(const char *given, char name[MAILBOX_NAME_MAX + 1], struct err *e);
bool box_find(struct store *s, const char *name, uint32_t *epoch);
[[nodiscard]] bool box_make(struct store *s, const char *name, uint32_t *epoch, struct err *e);	/* blocks */

/* mailbox.c */
struct span box_page_key(char key[9], uint64_t page);
struct span box_head_value(char value[33], const struct box_head *head);
void box_entry_pack(char at[BOX_ENTRY], const struct box_entry *entry);
bool box_entry_find(struct view *v, const struct mailbox *box, uint64_t uid, struct box_entry *entry);

/* marks.c */
struct box_mark box_mark(const struct mailbox_source *source);
/* Is it there, a forgotten one not counted?  One that waits to be forgotten no longer does. */
bool box_marked(struct mailbox *box, struct view *v, const struct box_mark *mark);
void box_add_unmarks(struct mailbox *box, struct batch *b);

/* group.c: sends what waits, unless a group is under way. */
void box_send(struct mailbox *box);
