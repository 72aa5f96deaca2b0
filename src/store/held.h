/* SPDX-License-Identifier: Apache-2.0
 *
 * The held area: messages that we have taken over and that their target did not take yet (PRODUCT 2.1, held_max).
 *
 *     held_add(store, &what, message, now, &id, &e)     true: it is durable, with its envelope
 *     held_next(store, &info) … held_load → the delivery → held_remove, or held_defer, or held_fail
 * A message is here until somebody says held_remove: what failed for good stays, in the state HELD_FAILED, until
 * a person looks.  It survives restarts and is in a backup.
 *
 * Two kinds of messages are here: submitted ones (XTND XMIT), and those that a connection brought, which say where from
 * (struct held_origin).  Whoever tries messages again walks its own kind alone: held_next_of(store, "" or a connection's name, …).
 * The octets of what waits or has failed are counted for each connection, and for all submissions together, apart: beyond
 * `most` held_add refuses with ERR_BUSY.  HELD_QUARANTINED is what a target refused for good and a person is to decide about
 * (held_again releases it, held_remove throws it away): accepted mail, so no limit refuses it, and it is in no sum of octets
 * but its own.
 *
 * held_placing is for targets that are written in two steps (a Maildir): the name that the file will get is durable before it
 * gets it, so that after a crash it is known whether it got it (maildir_place_again).  For a mailbox of the store
 * held_source is the mark that makes a second append change nothing, of a submitted message; a connection's has its
 * connection's own, the same as if it had never been held.
 *
 * All of it blocks for a commit and is for any thread, jobs' too; held_next, held_next_of, held_get, held_due and held_sums only read.
 * Moments are seconds since 1970 UTC.  Errors: ERR_CONFIG (there is no such message, or too long a name), ERR_BUSY,
 * ERR_LOCAL. */
#pragma once

#include "store/account.h"
#include "store/ledger.h"
#include "store/maildir.h"
#include "store/mailbox.h"

enum { HELD_TARGET_MAX = 1023, HELD_ADDRESS_MAX = 1023, HELD_WHY_MAX = 200, HELD_RECIPIENTS_MAX = 100, HELD_ID_TEXT = 17 };
#define HELD_MAX ((uint64_t)1 << 30)

enum held_state { HELD_WAITING, HELD_FAILED, HELD_QUARANTINED };

/* Of a message that a connection brought; connection "": it was submitted. */
struct held_origin {
	char connection[LEDGER_CONNECTION_MAX + 1];
	char mailbox[LEDGER_MAILBOX_MAX + 1];	/* of its ledger, as ledger_open takes it */
	uint8_t id[32], digest[32];		/* of its entry; of its octets */
	char uid[LEDGER_UID_MAX + 1];		/* for people */
};

struct held_new {
	const char *account;		/* whose message it is; a connection's: "" */
	const char *target;		/* its name in the configuration */
	const char *sender;
	const char *const *recipients;	/* at most HELD_RECIPIENTS_MAX, without line ends */
	size_t recipient_count;
	const char *why;		/* it was not taken; made safe to be shown, and cut */
	int64_t next;			/* when it is tried again */
	const struct held_origin *origin;	/* NULL: it was submitted */
	enum held_state state;		/* HELD_WAITING, or HELD_QUARANTINED */
	uint64_t most;			/* octets that all of this connection's, or all submitted ones, may have; 0 = HELD_MAX */
};

struct held_info {
	uint64_t id;			/* never 0; grows with time */
	enum held_state state;
	int64_t made, since, tried, next;	/* since: it waits, from which its patience is counted */
	uint32_t attempts, recipient_count;
	uint64_t size;
	char account[ACCOUNT_NAME_MAX + 1];
	char target[HELD_TARGET_MAX + 1];
	char sender[HELD_ADDRESS_MAX + 1];
	char why[HELD_WHY_MAX + 1];	/* safe to be shown */
	char place[MAILDIR_NAME_MAX];	/* "" = none */
	struct held_origin origin;
	bool released;			/* was quarantined and is tried again: a refusal quarantines it again */
};

struct held_sums {
	uint64_t waiting, failed, octets;	/* octets: of those */
	uint64_t quarantined, quarantined_octets;
};

/* Walks all of them in the order in which they came; start with info->id 0. */
bool held_next(struct store *s, struct held_info *info);
/* The same of one connection, "" = of submissions, by an index of its own. */
bool held_next_of(struct store *s, const char *connection, struct held_info *info);
/* Those of a connection that wait, in the order in which they are due; start with *moment 0 and info->id 0. */
bool held_next_due(struct store *s, const char *connection, int64_t *moment, struct held_info *info);
/* Those of a connection that are new, or were quarantined since: after a crash its ledger may not know of them.  Until held_settled,
 * which is for those that it does, durably. */
bool held_next_unsettled(struct store *s, const char *connection, struct held_info *info);
[[nodiscard]] bool held_settled(struct store *s, const char *connection, const uint64_t *ids, size_t count, struct err *e);
bool held_get(struct store *s, uint64_t id, struct held_info *info);
void held_sums(struct store *s, struct held_sums *sums);
void held_sums_of(struct store *s, const char *connection, struct held_sums *sums);	/* of a connection: one look */
/* Walks the connections of which something is held, also those that no configuration has any more; start with "". */
bool held_each_connection(struct store *s, char connection[LEDGER_CONNECTION_MAX + 1], struct held_sums *sums);
/* The moment at which the first of those that wait is due; INT64_MAX: none waits.  Of a connection: one look. */
int64_t held_due(struct store *s, const char *connection);
const char *held_id_text(uint64_t id, char out[HELD_ID_TEXT]);
[[nodiscard]] bool held_id_read(const char *text, uint64_t *id);

[[nodiscard]] bool held_add(struct store *s, const struct held_new *what, const struct spool *message, int64_t now, uint64_t *id, struct err *e);
/* The message again, and the recipients: `*recipients` is one allocation for free(), that many texts behind its pointers. */
[[nodiscard]] bool held_load(struct store *s, uint64_t id, struct spool **message, const char ***recipients, size_t *count, struct err *e);
/* One piece of its octets, to be read without a spool: MAILBOX_PIECE of them, of the last what is left; an empty one behind it. */
[[nodiscard]] bool held_piece(struct store *s, uint64_t id, uint32_t piece, bool (*take)(void *user, struct span octets), void *user, struct err *e);
/* Those of its recipients, as held_load gives them. */
[[nodiscard]] bool held_recipients(struct store *s, uint64_t id, const char ***recipients, size_t *count, struct err *e);
[[nodiscard]] bool held_placing(struct store *s, uint64_t id, const char *name, struct err *e);	/* "": it has no name any more */
/* It is for these alone from now on, which are some of its recipients: the others have it, or never will. */
[[nodiscard]] bool held_narrow(struct store *s, uint64_t id, const char *const *recipients, size_t count, struct err *e);
/* It was tried once more. */
[[nodiscard]] bool held_defer(struct store *s, uint64_t id, const char *why, int64_t now, int64_t next, struct err *e);
/* It could not even be tried: another moment, and why; of one that does not wait nothing changes. */
[[nodiscard]] bool held_postpone(struct store *s, uint64_t id, const char *why, int64_t next, struct err *e);
[[nodiscard]] bool held_fail(struct store *s, uint64_t id, const char *why, int64_t now, struct err *e);
/* A target refused it for good; also of one that was released. */
[[nodiscard]] bool held_quarantine(struct store *s, uint64_t id, const char *why, int64_t now, struct err *e);
/* It waits, anew from now on, and is due; one that was quarantined is `released` from then on. */
[[nodiscard]] bool held_again(struct store *s, uint64_t id, int64_t now, struct err *e);
[[nodiscard]] bool held_remove(struct store *s, uint64_t id, struct err *e);
struct mailbox_source held_source(const struct held_info *info);
