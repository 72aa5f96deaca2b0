/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink: one target of one visit, inside the room.  A table says what its kind does: sink_mailbox.c and its like, one each.
 *
 * A message is asked of each sink in turn (turns.c).  What came of it ends in message_accepted or message_failed, or in what
 * untaken.c makes of it: see visit.h. */
#pragma once

#include "config/settings.h"
#include "deliver/deliver.h"
#include "store/ledger.h"
#include "store/mailbox.h"
#include "store/place.h"

struct visit;
struct message;
struct sink;

/* Of the store's answers: what became durable. */
enum ticket_kind { TICKET_APPENDED = 1, TICKET_PLACING, TICKET_FINAL, TICKET_RECOVERED, TICKET_SLICE, TICKET_RETRIED, TICKET_TAKEN, TICKET_UNDECIDED };

struct queue {			/* of messages, first in first out */
	struct message *first, *last;
	size_t count;
};

struct sink_ops {
	bool (*open)(struct sink *k, struct err *e);
	/* Brings the ledger up to date after a crash; what it waits for counts in v->waiting. */
	bool (*recover)(struct sink *k, struct err *e);
	bool (*begin)(struct sink *k, struct message *m, struct err *e);
	/* The message is complete and it is this sink's turn; ends in
	 * message_accepted or message_failed, never before it returns. */
	void (*deliver)(struct sink *k, struct message *m);
	void (*turn)(struct sink *k);	/* the store has moved, or collector_again was called; NULL: it does not matter */
	/* A ticket of this sink came back good; TICKET_RECOVERED goes to all, without a message. */
	void (*answered)(struct sink *k, struct message *m, enum ticket_kind kind);
	void (*settled)(struct sink *k, struct message *m);	/* the ledger has it for good */
	void (*close)(struct sink *k);
	bool streams;		/* takes octets as they come, needs no spool */
};

struct sink {
	const struct sink_ops *ops;
	struct visit *visit;
	const struct target *target;
	uint64_t tag, intent;		/* the ledger's word for it; for a file on its way there */
	struct place *place;		/* of a mailbox that lies in a Maildir; else NULL */
	uint8_t index;
	bool streams;			/* ops->streams, and there is no envelope: that wants the header first */
	unsigned failures;		/* in a row */
	struct deliver_target *handed;	/* smtp, lmtp, command, folder */
	unsigned hung;			/* in a row */
	int64_t retry_moment;		/* of the held messages, in the order in which they are due, */
	uint64_t retry_at;		/* the one that was looked at last */
	bool retry_over;		/* all were */
	size_t retrying;		/* are tried */
	size_t outstanding;		/* it has not answered yet */
	uint64_t answered_ms;		/* when it did, or had nothing to answer, the last time */
	bool insisted;			/* a held message of this visit was tried, back-off or not */
	struct mailbox *box;		/* sink_mailbox: */
	struct queue to_feed;		/* spooled messages, the first being fed into the box, */
	uint64_t fed;			/* so many octets of it so far */
	struct files_sink *files;	/* sink_files: Maildir, folder */
	struct maildir *maildir;	/* sink_maildir */
	const char *shut;		/* why it cannot be used in this attempt: what the ledger says of it stays; NULL: it can */
};

/* sinks[index] of the visit, at its target. */
[[nodiscard]] bool sink_open(struct sink *k, struct visit *v, uint8_t index, struct err *e);
void sink_close(struct sink *k);
uint64_t sink_tag(const struct target *t);	/* what the ledger calls it */
const char *sink_path(const struct sink *k);	/* of a Maildir or a folder */
/* What the entry says of the target is replaced, or added. */
void entry_set_sink(struct ledger_entry *entry, const struct sink *k, enum ledger_target_state state, const char place[MAILDIR_NAME_MAX]);

extern const struct sink_ops sink_mailbox, sink_maildir, sink_folder, sink_handed;
