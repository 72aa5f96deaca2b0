/* SPDX-License-Identifier: Apache-2.0
 *
 * A maildrop: what one POP3 session sees of a mailbox, fixed when it is opened.
 *
 * maildrop_open takes one short view and keeps 24 octets a message (wire/drop.h);
 * from then on numbers (1, 2, …), sizes and unique-ids stay as they are, whatever
 * comes and goes in the box.  A box that was never made is an empty maildrop.
 * The records are lent to the session, which sets its marks in them: its own
 * notes, and nothing is durable by them before mailbox_remove, which takes what
 * maildrop_marked lists:
 *     deleted = maildrop_marked(drop, DROP_DELETED, 0, &gone);
 *     read = maildrop_marked(drop, DROP_READ, DROP_DELETED | DROP_SEEN, &seen);
 *
 * With `wait` false what is not in memory is MAILDROP_ABSENT, and nothing was handed
 * out: that is for a loop, which lets a job maildrop_touch it and asks again.
 *
 * Threads: maildrop_peek, maildrop_open and maildrop_touch are for any thread
 * (a job's), and a maildrop is for one thread at a time.  A large one, which
 * maildrop_peek tells beforehand, is opened in a job.
 *
 * Reading: maildrop_start → maildrop_piece… until it says MAILDROP_END.  Each
 * call hands one span to `use`, straight out of the store's pages; it borrows
 * them for the call only and returns how many octets it took, say as many as
 * the socket did.  Less than all, also none: the next call goes on there.
 * The octets are as stored, dots not stuffed; with DROP_NO_END the caller
 * adds a CRLF at the end, which the size counts already.  MAILDROP_GONE: the
 * body is not there any more (removed 15 minutes ago or longer) or damaged:
 * before the first octet the message is refused, behind it the connection is
 * to be dropped, never ended as if all had come.
 *
 * Errors: ERR_LOCAL (damaged; out of memory), ERR_CONFIG (bad name). */
#pragma once

#include "store/mailbox.h"
#include "wire/drop.h"

struct maildrop;

struct maildrop_reading {		/* where a reading is */
	uint32_t number, piece;
	uint64_t skip, left;		/* octets of this piece that were taken; octets of the body still to be */
};

enum maildrop_got { MAILDROP_MORE, MAILDROP_END, MAILDROP_GONE, MAILDROP_ABSENT };

/* What the box `name` (ACCOUNT/BOX) has now, without opening it. */
[[nodiscard]] bool maildrop_peek(struct store *s, const char *name, uint64_t *messages, uint64_t *octets, struct err *e);
[[nodiscard]] bool maildrop_open(struct store *s, const char *name, struct maildrop **drop, struct err *e);
void maildrop_close(struct maildrop **drop);

/* All messages, whatever is marked; constant time. */
uint32_t maildrop_count(const struct maildrop *drop);
uint64_t maildrop_octets(const struct maildrop *drop);	/* as POP3 counts */
struct drop_message *maildrop_messages(struct maildrop *drop);	/* message `number` is [number - 1] */

/* Only the messages of which keep[number - 1] is true are in it from now on, numbered anew: before it is lent to a
 * session, and before anything of it was read. */
void maildrop_keep(struct maildrop *drop, const bool *keep);

/* The uids of messages that have one of `flags` and none of `but`, for mailbox_remove; *uids is
 * then the caller's to free (NULL: none).  Returns how many. */
size_t maildrop_marked(const struct maildrop *drop, uint32_t flags, uint32_t but, uint64_t **uids);

/* 1 <= number <= maildrop_count.  Is it in the box still?  What another session removed is not, though its body
 * can be read for a while yet: for those who are amid it.
 * Of a Maildir (mdir.h) it is always true: only who opens the file knows, and MAILDROP_GONE tells him. */
bool maildrop_there(const struct maildrop *drop, uint32_t number);
void maildrop_start(const struct maildrop *drop, uint32_t number, struct maildrop_reading *r);
enum maildrop_got maildrop_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user);
/* A reading that is not taken to its end (TOP): of a Maildir a file is open meanwhile. */
void maildrop_stop(const struct maildrop *drop);
/* Takes at least the next `octets` of the body into memory, as far as there are so many; waits for the disk. */
void maildrop_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets);
