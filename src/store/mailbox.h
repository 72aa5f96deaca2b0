/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes of the embedded store: ACCOUNT/BOX.
 *
 * A box is a partition.  Its index holds, packed by pages of 256, one fixed
 * entry a message (unique-id number, exact size, when it came, flags, number
 * of lines that want a stuffed dot); bodies are blobs.  A unique-id is 16 hex
 * digits out of a number that only grows: fixed width, separator-free, never
 * reused, also not after the box was removed and made again (its epoch).
 * Messages are stored as received with CRLF line ends.
 *
 * Appending: incoming_new → incoming_add… → incoming_finish(ticket).  Up to
 * MAILBOX_PIECE (64 KiB but for the page header) rides inside the batch that makes
 * the message exist; more is staged in pieces of that size while it comes.  While incoming_full, the caller stops adding
 * (stops reading its socket) until incoming_full is false again: check after each store_next.
 * What fails meanwhile (a full disk, which one without disk_has_spare is to what is staged) is told by the ticket: the rest is taken and forgotten.
 * It is full with four pieces under way, or with 4 MiB finished and waiting for their batch.
 * incoming_finish takes over and frees the incoming; the answer comes from
 * store_next with the ticket.  Appends to one box are grouped: one batch under way a box, what
 * finishes meanwhile goes with the next.  They stand in the order of incoming_finish.
 *
 * Removing: mailbox_remove and mailbox_seen change the index, answered by ticket
 * as appends are, and take turns with them.  Between the commit and its answer,
 * what is read (mailbox_entries, maildrop.h) may be ahead of mailbox_count.
 *
 * Sources: a message may carry the 32-octet id of where it came from.  Its
 * mark is committed with it; a second append with a mark that is there is
 * good and changes nothing (exactly once).  mailbox_marks walks the marks of
 * one connection, so that a visit can bring its ledger up to date after a
 * crash; mailbox_unmark forgets one once the ledger has it (it rides with the
 * next batch).
 *
 * A box that lies in a Maildir (place.h) is not opened: ERR_CONFIG, and the text names the Maildir; nor does one
 * that was opened before take any more (incoming_new).
 *
 * Errors: ERR_CONFIG (no such account, bad name, in a Maildir), ERR_LOCAL, ERR_BUSY. */
#pragma once

#include "store/store.h"

enum { MAILBOX_UID_TEXT = 17, MAILBOX_PIECE = 64 * 1024 - 16, MAILBOX_NAME_MAX = 255 };
enum { MAILBOX_SEEN = 1 };

struct mailbox;		/* opened boxes are shared and live until store_close */

struct mailbox_entry {
	uint64_t uid;
	uint64_t size;		/* octets as POP3 counts them: with the CRLF that the end lacks */
	int64_t arrived;	/* seconds since 1970 UTC */
	uint32_t flags;
	uint32_t dots;		/* lines that begin with a dot */
};

struct mailbox_source {
	uint8_t connection[8];	/* of the ledger: ledger_tag() */
	uint8_t id[32];
	uint8_t digest[32];	/* SHA-256 of the octets */
};

/* `name` is ACCOUNT/BOX ("support/INBOX", "anna@client1.com/lists/info"; INBOX in any case).
 * The account must exist; with `make` the box is made durable with its first message:
 * the first incoming_new of such a box blocks for one commit. */
[[nodiscard]] bool mailbox_open(struct store *s, const char *name, bool make, struct mailbox **box, struct err *e);
[[nodiscard]] bool mailbox_add(struct store *s, const char *name, struct err *e);	/* make it empty; blocks */
/* The one form of such a name. */
[[nodiscard]] bool mailbox_name(const char *given, char name[MAILBOX_NAME_MAX + 1], struct err *e);
/* Was it made, and not removed since?  `name` as mailbox_name gave it; any thread. */
bool mailbox_there(struct store *s, const char *name);
/* Walks the names of all boxes in order; start with name[0] = 0. */
bool mailbox_each(struct store *s, char name[MAILBOX_NAME_MAX + 1]);

uint64_t mailbox_count(const struct mailbox *box);
uint64_t mailbox_bytes(const struct mailbox *box);
/* Copies up to `max` entries from position `from` (0 = oldest) on; returns how many. */
size_t mailbox_entries(struct mailbox *box, uint64_t from, struct mailbox_entry *out, size_t max);
const char *mailbox_uid(const struct mailbox *box, const struct mailbox_entry *entry, char out[MAILBOX_UID_TEXT]);
/* The body, piece by piece (0, 1, …) inside one short view each: `use` is
 * called with borrowed octets.  Ends good after the last piece. */
[[nodiscard]] bool mailbox_read(struct mailbox *box, uint64_t uid, bool (*use)(void *user, struct span octets), void *user, struct err *e);
/* The same for whoever has other things to do in between: while r.left, one piece a call
 * (at most 64 KiB).  A message removed in the meantime can still be read until store_reclaim takes it. */
struct mailbox_reading {
	uint64_t uid, blob, left;	/* octets still to come */
	uint32_t piece;
};
[[nodiscard]] bool mailbox_read_start(struct mailbox *box, uint64_t uid, struct mailbox_reading *r, struct err *e);
[[nodiscard]] bool mailbox_read_piece(struct mailbox *box, struct mailbox_reading *r, bool (*use)(void *user, struct span octets), void *user, struct err *e);

/* The messages of `gone` leave the box, those of `seen` become \Seen, all of it together: when the answer
 * with the ticket is good, or not at all.  What is not there (any more) does no harm.  The uids are
 * copied, and may come in any order and number; many need several batches, but the box shows none of it
 * or all of it, also after a crash.  Bodies can be read until store_reclaim takes them; `now`: seconds since 1970. */
void mailbox_remove(struct mailbox *box, const uint64_t *gone, size_t gone_count, const uint64_t *seen, size_t seen_count,
	int64_t now, uint64_t ticket);
void mailbox_seen(struct mailbox *box, const uint64_t *uids, size_t count, uint64_t ticket);
/* Removes the box with all that is in it, and the rights to it (acl.h); blocks.  ERR_BUSY: mail is coming in or going just now. */
[[nodiscard]] bool mailbox_destroy(struct store *s, const char *name, int64_t now, struct err *e);

struct incoming;
[[nodiscard]] struct incoming *incoming_new(struct mailbox *box, struct err *e);
[[nodiscard]] bool incoming_add(struct incoming *in, struct span octets, struct err *e);
bool incoming_full(const struct incoming *in);
uint64_t incoming_size(const struct incoming *in);
/* SHA-256 of everything added; once, after the last add and before incoming_finish. */
void incoming_digest(struct incoming *in, uint8_t digest[32]);
void incoming_finish(struct incoming **in, const struct mailbox_source *source, int64_t arrived, uint32_t flags, uint64_t ticket);
void incoming_abort(struct incoming **in);	/* as if it never was */

bool mailbox_marks(struct mailbox *box, const uint8_t connection[8], struct mailbox_source *mark);	/* start with an all-zero id */
void mailbox_unmark(struct mailbox *box, const struct mailbox_source *mark);
