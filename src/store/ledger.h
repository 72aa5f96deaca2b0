/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: what one connection ever saw, and how far each message came
 * (PRODUCT 2.3).
 *
 * A connection has one ledger for itself (all that POP3 needs) and one for each
 * mailbox that it collects from over IMAP, each a partition with listings,
 * notes and identities of its own.
 *
 * An entry's key is BLAKE2b-256: over (host, user, mailbox, UIDVALIDITY, UID),
 * or for POP3 over (base, k) where base is BLAKE2b-256 over (host, user, UIDL)
 * and k numbers equal ids within one listing: 0 for an id that one message alone
 * has, 1 and up for those that were ever listed under a shared one.  Each field goes in with its
 * length, so that no two different tuples read alike.
 * Puts are asynchronous and grouped: one batch under way a ledger; the answer
 * comes from store_next with the ticket (ticket 0: no answer wanted).  Reads
 * (ledger_get, ledger_next) see what is durable and, on top of it, puts under way.
 * Durable states: placing, accepted, held, refused, quarantined, disposing, seen, gone, skipped; shared and
 * alias are no messages.
 * Sight is recorded per listing (ledger_note), not per message.
 * `after` of ledger_next may point into *out. */
#pragma once

#include "store/store.h"

enum {
	LEDGER_UID_MAX = 128, LEDGER_PLACE_MAX = 160, LEDGER_ERROR_MAX = 256, LEDGER_TARGETS_MAX = 8,
	LEDGER_CONNECTION_MAX = 128, LEDGER_MAILBOX_MAX = 1024
};

enum ledger_state {
	LEDGER_PENDING,		/* some target has it or is about to; see targets */
	LEDGER_ACCEPTED, LEDGER_HELD, LEDGER_QUARANTINED, LEDGER_DISPOSING, LEDGER_GONE,
	LEDGER_SKIPPED,		/* passed over for good: by baseline, or as too old */
	LEDGER_SHARED,		/* no message: several were listed under this id at once, so it tells nothing */
	LEDGER_SEEN,		/* every target has it, and the server showed \Seen on it */
	LEDGER_ALIAS,		/* no message: `digest` is the id of the entry that is the same message */
	LEDGER_REFUSED,		/* some target refused it for good: it stays as it is, and nobody is asked until `retry` */
	LEDGER_STATES
};

enum ledger_target_state {
	LEDGER_TARGET_NONE, LEDGER_TARGET_PLACING, LEDGER_TARGET_ACCEPTED,
	LEDGER_TARGET_HELD,	/* its copy is in the held area; or there is none, and nobody is asked until `retry` */
	LEDGER_TARGET_REFUSED,
	LEDGER_TARGET_STATES
};

struct ledger_target {
	uint64_t target;	/* ledger_target_tag() of the target's canonical text */
	enum ledger_target_state state;
	char place[LEDGER_PLACE_MAX];	/* placing: the file name; held: held_id_text of the copy, "" = none */
};

enum ledger_copy {
	LEDGER_COPY_NONE,
	LEDGER_COPY_BEGUN,	/* COPY is about to be said: without its answer nobody knows */
	LEDGER_COPY_DONE
};

struct ledger_entry {
	uint8_t id[32];
	enum ledger_state state;
	int64_t first_seen, changed;
	int64_t accepted;	/* when every target had it; 0 = not yet */
	uint64_t size;
	bool has_digest;
	uint8_t digest[32];	/* SHA-256 of the delivered octets */
	uint32_t attempts;
	bool removal;		/* once it is ACCEPTED or DISPOSING, the message is deleted, whatever `after` says */
	enum ledger_copy copy;	/* DISPOSING: of a copy to where `after` wants it; then the original is to go */
	uint32_t copy_validity, copy_uid;	/* and the copy is this, 0 = not told (COPYUID, RFC 4315) */
	char uid[LEDGER_UID_MAX + 1];	/* UIDL or "uidvalidity/uid", cut, control octets as '?': for people */
	char error[LEDGER_ERROR_MAX];	/* the last one, "" = none */
	uint32_t target_count;	/* while PENDING, HELD or REFUSED; GONE: what they had when it went, and got since; else of copies that wait for a target that is not in `deliver` */
	struct ledger_target targets[LEDGER_TARGETS_MAX];
};

struct ledger;

const char *ledger_state_name(enum ledger_state state);
/* `mailbox` as on the wire. */
void ledger_imap_id(struct span host, struct span user, struct span mailbox, uint32_t validity, uint32_t uid, uint8_t id[32]);
/* Of an ALIAS, in the connection's own ledger: what Gmail calls one message in all its mailboxes. */
void ledger_gmail_id(struct span host, struct span user, uint64_t gmail_id, uint8_t id[32]);
void ledger_pop3_base(struct span host, struct span user, struct span uidl, uint8_t base[32]);
void ledger_pop3_id(const uint8_t base[32], uint32_t k, uint8_t id[32]);
uint64_t ledger_target_tag(const char *target);

/* Shared, lives until store_close; made with its first put.  A connection's
 * name has no "|" (PRODUCT 2.1).  `mailbox` "" is the connection's own. */
[[nodiscard]] bool ledger_open(struct store *s, const char *connection, const char *mailbox, struct ledger **l, struct err *e);
/* After a refusal it begins anew from what is durable, unless puts are still under
 * way.  For the start of a visit: recovery must follow. */
void ledger_renew(struct ledger *l);
[[nodiscard]] bool ledger_takes(const struct ledger *l, struct err *e);	/* false after a refusal: what it was for */
const uint8_t *ledger_tag(const struct ledger *l);	/* 8 octets, for mailbox_source.connection */
const char *ledger_mailbox(const struct ledger *l);

struct ledger_name {		/* zeroed at the start of a walk */
	char connection[LEDGER_CONNECTION_MAX + 1], mailbox[LEDGER_MAILBOX_MAX + 1];
	char key[1 + LEDGER_CONNECTION_MAX + 1 + 16];
	size_t key_len;
};

/* Walks the ledgers there are, of one connection (NULL: of all). */
bool ledger_each(struct store *s, const char *connection, struct ledger_name *at);

bool ledger_get(struct ledger *l, const uint8_t id[32], struct ledger_entry *out);
/* The entry with the smallest id greater than `after` (NULL: the first). */
bool ledger_next(struct ledger *l, const uint8_t *after, struct ledger_entry *out);
void ledger_put(struct ledger *l, const struct ledger_entry *entry, uint64_t ticket);
void ledger_remove(struct ledger *l, const uint8_t id[32]);
/* Batches wait for more while one is under way; this hands over what waits. */
void ledger_flush(struct ledger *l);
/* What is true of the ledger as a whole: moments in seconds since 1970, 0 = never. */
enum ledger_note {
	LEDGER_NOTE_LISTED,	/* the last complete listing */
	LEDGER_NOTE_DISPOSED,	/* the server confirmed what was `disposing` up to then */
	LEDGER_NOTE_COMPARING,	/* ids changed wholesale; messages are compared until all were */
	LEDGER_NOTE_SHARED,	/* when an id was first found shared: there may be `shared` entries */
	LEDGER_NOTE_IGNORED,	/* the server confirmed deletions and went on listing the messages */
	LEDGER_NOTE_COPYING,	/* copies were begun: there may be entries that say so */
	/* Not moments: what IMAP said of the mailbox when it was listed last, and when
	 * all that was in it was settled; ACCOUNT stands for host and user; 0 = not known. */
	LEDGER_NOTE_VALIDITY, LEDGER_NOTE_ACCOUNT, LEDGER_NOTE_SETTLED_MODSEQ, LEDGER_NOTE_SETTLED_NEXT, LEDGER_NOTE_SETTLED_EXISTS,
	LEDGER_NOTE_REMOVING,	/* a moment: there may be entries with `removal`; ledger_put sees to it */
	LEDGER_NOTE_PRUNED,	/* a moment: all of it was looked through for what may be forgotten */
	LEDGER_NOTES
};
/* Asynchronous, as a put; `ticket` also tells that all puts before it are durable. */
void ledger_note(struct ledger *l, enum ledger_note note, int64_t when, uint64_t ticket);
int64_t ledger_noted(struct ledger *l, enum ledger_note note);
int64_t ledger_latest(const struct ledger *l);	/* the latest `changed` that was put since it was opened; 0 = none */
[[nodiscard]] bool ledger_forget(struct ledger *l, struct err *e);	/* all entries and notes; blocks */
/* The same but for the entries that `keep` wants, and what is needed to know them again: ids that are shared, what was
 * noted of ids, that copies or removals are under way.  *kept counts them. */
struct ledger_keep {
	bool (*keep)(void *user, const struct ledger_entry *entry);
	void *user;
};
[[nodiscard]] bool ledger_forget_but(struct ledger *l, const struct ledger_keep *with, uint64_t *kept, struct err *e);
uint64_t ledger_count(struct ledger *l);
