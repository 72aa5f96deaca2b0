/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a mailbox: what lies in its partition, and what its files share.
 *
 *     "h"                      the head: next unique-id and blob, messages, octets
 *     "i" PAGE                 the entries whose unique-ids begin with PAGE (uid / 256), in order
 *     "s" CONNECTION ID        a source's mark → digest
 *     "x" UID                  whom a message is for, of those that say so (routed.h)
 *     "y" NUMBER UID           the same of those whose headers had to be read (routed_known.h)
 *     "r", "q" PART            an intent and its parts (intent.h): what is about to leave the index
 *     "g" WHEN BLOB            bodies of messages that left the index: (blob, pieces)…, of which BLOB is the first
 *     "t" BLOB                 a message coming in by pieces → how many are durable
 *     blob BLOB piece 0, 1 …   a body; all of it when they add up to the entry's size
 *
 * The directory of names ("names" partition) has "b" NAME → epoch, "e" the
 * last epoch, "n" NAME → the number of a route header (routed.h), and "x" NAME → when a box was removed whose partition is not empty yet.  An epoch is the upper half of a box's unique-ids: at least the
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
	BOX_GARBAGE = 12,		/* octets a body to be reclaimed */
	BOX_UNMARKS = 256,		/* removed marks that wait for a message to ride with */
};

enum {					/* flags at rest, which nobody outside sees */
	BOX_NO_END = 1 << 30,		/* the body does not end with CRLF */
	BOX_FIELD_SHIFT = 16,		/* which field's addresses are in the index (routed.h), */
	BOX_FIELDS = 255,
	BOX_FIELD = BOX_FIELDS << BOX_FIELD_SHIFT,
	BOX_LISTS = 1 << 24,		/* and it has some: there is a key "x" */
	BOX_INSIDE = BOX_NO_END | BOX_FIELD | BOX_LISTS,
};
#define BOX_STORED_MAX ((uint64_t)1 << 48)	/* a body that claims more is damage */

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
	uint64_t places;		/* at this one of store.places.changes it lay in the store */
	struct box_head head;		/* as it is durable, */
	bool head_there;		/* once anything is */
	uint64_t next_blob;		/* runs ahead of the head's */
	struct box_group *group;	/* under way */
	struct incoming *first, **last;	/* finished, for the next group */
	size_t waiting, waiting_octets;
	size_t incomings;		/* that were begun and are not over */
	struct box_edit *edits, **edits_last;	/* the first is being worked off */
	bool editing;			/* a batch of it is under way */
	bool edit_next;			/* whose turn it is when both wait */
	bool stalled;			/* an intent's rest failed; tried again with the next one */
	struct box_mark *unmarks;
	size_t unmark_count, unmark_cap;
	struct { uint64_t position, page; } walk;	/* where mailbox_entries was */
};

/* names.c */
[[nodiscard]] bool box_name(const char *given, char name[MAILBOX_NAME_MAX + 1], struct err *e);
bool box_find(struct store *s, const char *name, uint32_t *epoch);
[[nodiscard]] bool box_make(struct store *s, const char *name, uint32_t *epoch, struct err *e);	/* blocks */

/* A walk over the pages of the index, from a number on. */
struct box_walk {
	struct view *view;
	engine_part part;
	struct span key;
	char at[10];
};

/* The partition's name stays with `when` until all that was in it is reclaimed. */
[[nodiscard]] bool box_bury(struct store *s, const char *name, int64_t now, struct err *e);	/* blocks */
bool box_grave(struct store *s, const char *name, int64_t *when);
struct batch *box_grave_close(const char *name);
bool box_grave_each(struct store *s, char name[MAILBOX_NAME_MAX + 1]);

/* index.c */
void box_entry_pack(char at[BOX_ENTRY], const struct box_entry *entry);
struct box_entry box_entry_unpack(const char *at);
uint64_t box_entry_size(const struct box_entry *entry);		/* as POP3 counts */
uint32_t box_entry_pieces(const struct box_entry *entry);	/* at most */
struct span box_page_key(char key[9], uint64_t page);
/* Whole entries of that page, in order?  (On-disk data is input.) */
bool box_page_good(struct span page, uint64_t number);
void box_walk_start(struct box_walk *w, struct view *v, engine_part part, uint64_t page);
bool box_walk_next(struct box_walk *w, uint64_t *number, struct span *page);

/* mailbox.c */
[[nodiscard]] bool box_account_must(struct store *s, const char *name, struct err *e);	/* the owner is there? */
/* The box lies in the store?  ERR_CONFIG: no longer, and where it does. */
[[nodiscard]] bool box_here(struct mailbox *box, struct err *e);
/* Something comes into, or leaves, an opened box of the account. */
bool box_busy(const struct store *s, const char *account);
/* place.c: ERR_CONFIG, and where it lies: the box is in a Maildir. */
[[nodiscard]] bool place_must_be_store(struct store *s, const char *box, struct err *e);
struct span box_head_value(char value[33], const struct box_head *head);
[[nodiscard]] bool box_head_unpack(struct span value, struct box_head *head);
bool box_entry_find(struct view *v, engine_part part, uint64_t uid, struct box_entry *entry);	/* false: also if it is leaving */

uint64_t box_octets(struct store *s, const char *name);		/* of one that is in the directory: as durable as this thread knows */

/* quota.c: `box` is a box's name. */
uint64_t quota_seen(struct view *v, engine_part part, const char *account);	/* the limit in force, 0 = none; `part`: record_part */
uint64_t quota_room(struct store *s, const char *box);		/* as quota_left */
/* They are under way.  What it returns is given back by quota_moved, durable or not. */
uint64_t quota_hold(struct store *s, const char *box, uint64_t octets);
/* The box had and has so many octets; after its head was changed. */
void quota_moved(struct store *s, const char *box, uint64_t before, uint64_t after, uint64_t held);
/* Says so of a message; `taken`: octets of its own group that are not held yet. */
void quota_over(struct store *s, const char *box, uint64_t taken, uint64_t octets, struct err *why);

/* marks.c */
struct box_mark box_mark(const struct mailbox_source *source);
/* Is it there, a forgotten one not counted?  One that waits to be forgotten no longer does. */
bool box_marked(struct mailbox *box, struct view *v, const struct box_mark *mark);
void box_add_unmarks(struct mailbox *box, struct batch *b);

/* group.c: sends what waits, unless a batch of the box is under way. */
void box_send(struct mailbox *box);
/* The new head, whose precondition is the old one: that is what orders a box's batches. */
void box_add_head(struct mailbox *box, struct batch *b, struct box_head *head);

/* edit.c: what leaves the index, or is seen. */
bool edit_send(struct mailbox *box);		/* false: nothing was there to be sent */
bool edit_waits(const struct mailbox *box);
void edit_free_all(struct mailbox *box);
void edit_end_crashed(struct mailbox *box);
/* When it is opened: goes on with an intent that is there. */
[[nodiscard]] bool edit_resume(struct mailbox *box, struct err *e);

/* reclaim.c */
struct span box_garbage_key(char key[17], int64_t when, uint64_t blob);
void box_garbage_pack(char at[BOX_GARBAGE], uint64_t blob, uint32_t pieces);
/* Empties a removed box's partition; blocks. */
[[nodiscard]] bool box_purge(struct store *s, const char *name, struct err *e);
