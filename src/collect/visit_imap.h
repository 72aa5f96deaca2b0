/* SPDX-License-Identifier: Apache-2.0
 *
 * One visit over IMAP, inside the room: what its files share beside visit.h.
 *
 *   talk_imap.c     the IMAP session's events
 *   folders.c       which mailboxes, and where moved mail goes
 *   copies.c        after a crash: which COPY was done
 *   list_imap.c     from SELECT and SEARCH to a plan, or to "nothing changed"
 *   gmail.c         one message in several of Gmail's mailboxes is delivered once
 *   park_imap.c     in place of LOGOUT: the session is to watch
 *   ask_imap.c      what to ask next: headers, messages, the next mailbox, LOGOUT
 *   untold.c        messages that were asked for, and did not come
 *   try_imap.c      what a test does instead of all that follows the names
 *   dispose_imap.c  what becomes of delivered mail on the server
 *
 * One mailbox after the other: select, list, join with its own ledger, fetch,
 * dispose, expunge; its state in struct visit is reset between two.  What goes
 * wrong with one mailbox is kept in `trouble` and tells at the end; the next
 * mailbox has its turn all the same. */
#pragma once

#include "base/arena.h"
#include "collect/visit.h"
#include "imap/client.h"

enum { UNTOLD_ASKED = 64, DISPOSALS = 4, DISPOSAL_UIDS = 90, ALIAS_SLICE = 512, FOLDERS_MAX = 100000 };

enum imap_step {
	IMAP_NAMES,		/* LIST and CREATE are being answered */
	IMAP_COPIES,		/* COPY's answer was lost: was it done? */
	IMAP_BETWEEN,		/* the next mailbox is to be selected */
	IMAP_OPENING,		/* SELECT was said */
	IMAP_LISTING,		/* the ids are being told */
	IMAP_JOINING,		/* what is gone goes, slice by slice */
	IMAP_DETAILS,		/* sizes, Gmail's ids: of what is new */
	IMAP_ALIASES,		/* and what Gmail's ids say must be durable */
	IMAP_SETTLING,		/* as must what the join put */
	IMAP_WORKING,		/* judging, fetching, disposing */
	IMAP_EXPUNGING,
	IMAP_PARKING,		/* all is done, and the session is to watch */
	IMAP_LOOKING,		/* a test: which mailboxes there are, for one could not be opened */
};

struct looking {		/* of a test, what LIST tells when a mailbox cannot be opened */
	uint32_t command;
	bool looked, target_told;
	size_t count, shown;
	char names[160];
	char wanted[352];	/* which one, in words, */
	enum err_kind kind;	/* and why */
};

struct folders {
	struct arena arena;	/* names as on the wire */
	struct folder {		/* to be visited */
		const char *name;
		size_t place;	/* in what order they were told */
		bool shut;	/* it could not be opened */
	} *names;
	size_t count, cap, at;
	size_t named;		/* the first of them stand in the settings as they are */
	size_t asked_at;	/* next of the settings' names to ask for */
	unsigned answers, told;	/* to come; names so far */
	bool delimiter_known, names_asked;
	char delimiter;		/* 0: none */
	const char *target;	/* of `move:FOLDER`; NULL = none */
	const char *trash;	/* Gmail's, where deleted mail goes; NULL = none */
	uint32_t target_list, trash_list, create;	/* commands */
	bool target_there;
};

struct uids {			/* 4 octets each; none in the common case */
	uint32_t *at;
	size_t count, cap;
};

enum how { HOW_SEEN, HOW_DELETED, HOW_MOVE, HOW_COPY };

enum disposal_stage {
	DISPOSAL_FREE,
	DISPOSAL_INTENT,	/* COPY: that it begins is on its way into the ledger */
	DISPOSAL_ASKED,		/* its first command */
	DISPOSAL_RECORDING,	/* COPY: where the copies are is on its way into the ledger */
	DISPOSAL_MARKING,	/* and now \Deleted */
};

struct doubt {			/* a message whose COPY was begun, and nobody knows how it ended */
	struct ledger *ledger;
	uint8_t id[32], digest[32];
	uint64_t size;
};

struct copies {
	struct doubt *doubts;
	size_t count, cap;
	struct uids candidates;	/* in the folder, of a size that is in doubt */
	size_t candidate_at;
	uint32_t validity, sizes;	/* sizes: a command */
	bool begun, listed;
	struct digest *digest;	/* of the candidate that is coming */
};

struct disposal {		/* some messages, one command */
	enum disposal_stage stage;
	enum how how;
	const char *folder;	/* where they are moved or copied to */
	uint32_t command;
	size_t count;
	uint32_t uids[DISPOSAL_UIDS];
	uint32_t copies[DISPOSAL_UIDS], copies_validity;	/* 0 = not told */
	bool copies_told;
	bool shown[DISPOSAL_UIDS];	/* HOW_SEEN: the server showed the flag */
};

struct imap_visit {
	struct imc *session;
	struct imc_login login;
	uint32_t park, notify;			/* its command */
	uint64_t names;			/* a sum of the mailboxes that NOTIFY named in this session */
	bool notified;			/* NOTIFY was agreed upon in this visit */
	uint32_t first_next;		/* of several mailboxes the first one's UIDNEXT, when it was listed */
	size_t first;		/* which that is, from 1 on: the first that could be opened; 0: none yet */
	enum imap_step step;
	struct folders folders;
	struct copies copies;
	struct err trouble;	/* of a mailbox or of dispositions; kind ERR_NONE = none */
	bool mild;		/* it is that mailboxes which a pattern found cannot be opened: the others are watched all the same */
	uint64_t failed_before, passed_before;	/* in mailboxes before this one */

	/* the mailbox that is visited */
	uint32_t validity;
	struct imc_mailbox opened;	/* as it was when it was selected */
	bool gmail, read_only;		/* read_only: nothing can be disposed of */
	unsigned lacks;			/* flags that the server keeps for this session only */
	bool disposed, undisposed;	/* something was, or could not be */
	bool deleted;			/* something was, not only marked \Seen */
	bool stays_told;		/* why it could not be */
	struct searches { bool all, unseen, matched; } searches;	/* still to be asked */
	uint32_t all, unseen, matched;	/* their commands */
	struct uids unseen_told, matched_told;	/* what they found, by twos: first and last of a range */
	unsigned answers;		/* of searches and details to come */
	size_t details_at, aliases_at;
	struct uids again;		/* whose body must be asked by itself */
	struct uids untold;		/* nothing came of them: are they still there? */
	struct uids empty;		/* no octets came of them: is their size 0? */
	uint32_t still_there, size_of_empty;	/* the commands that ask; 0 = none */
	char untold_words[128];		/* what the server said last of such a message */
	struct disposal disposals[DISPOSALS];
	struct uids expunge;		/* marked \Deleted by us */
	size_t expunge_at;
	unsigned expunges;		/* to be answered */
	struct looking looking;
};

uint32_t imap_validity(const struct visit *v);
/* Something of this mailbox failed, but the visit goes on. */
void imap_trouble(struct visit *v, const struct err *why);
/* A command was refused, and the visit cannot do without it. */
void imap_refused(struct visit *v, const struct imc_event *ev, const char *what);
[[nodiscard]] bool uids_add(struct uids *u, uint32_t uid);
void uids_end(struct uids *u);
void imap_forget_uids(struct imap_visit *i);	/* of the mailbox that was visited */

/* folders.c */
void folders_start(struct visit *v);	/* logged in */
void folders_ask(struct visit *v);
void folders_event(struct visit *v, const struct imc_event *ev);
void folders_end(struct imap_visit *i);
void folders_show(const struct visit *v, char *out, size_t size);	/* the mailbox that is visited */

/* copies.c */
void copies_ask(struct visit *v);
void copies_event(struct visit *v, const struct imc_event *ev);
void copies_end(struct imap_visit *i);

/* list_imap.c */
void list_imap_open(struct visit *v);	/* the next mailbox, or LOGOUT after the last */
void list_imap_event(struct visit *v, const struct imc_event *ev);
void list_imap_joined(struct visit *v);	/* talk_ops.listed */
void list_imap_ask(struct visit *v);
void list_imap_settled(struct visit *v);	/* all of the mailbox is done: how much of it for good? */

/* park_imap.c */
[[nodiscard]] bool park_imap(struct visit *v);	/* false: there is nothing to watch, LOGOUT it is */
void park_event(struct visit *v, const struct imc_event *ev);	/* while step is IMAP_PARKING */
void park_lost(struct visit *v);	/* the connection is gone: was it to watch? */

/* try_imap.c */
bool try_imap(struct visit *v, const struct imc_event *ev);	/* false: it is not a test's own event */
void try_imap_ask(struct visit *v);
void try_imap_left(struct visit *v);
enum visit_step_what try_imap_reached(const struct visit *v);
void try_imap_offers(const struct visit *v, char *out, size_t size);
void try_imap_entered(const struct visit *v, char *out, size_t size);

/* gmail.c */
void gmail_slice(struct visit *v);	/* of the new messages, from i->aliases_at on */
void gmail_settled(struct visit *v, const struct message *m);

/* ask_imap.c */
void ask_imap(struct visit *v);

/* untold.c */
void untold_add(struct visit *v, const struct imc_event *ev);	/* IMC_REFUSED of a message */
void untold_ask(struct visit *v);
bool untold_event(struct visit *v, const struct imc_event *ev);	/* false: it is no answer to those */
bool untold_done(const struct visit *v);

/* dispose_imap.c */
void dispose_ask(struct visit *v);
bool dispose_can(const struct visit *v, bool removal);	/* by what the mailbox lets us do; removal: an entry's own */
bool dispose_done(const struct visit *v);
void dispose_event(struct visit *v, const struct imc_event *ev);
void dispose_flags(struct visit *v, const struct imc_event *ev);	/* IMC_MESSAGE, unasked */
void dispose_expunge(struct visit *v);		/* asks, as far as there is room */
bool dispose_expunged(const struct visit *v);
void dispose_confirmed(struct visit *v);	/* after that */
