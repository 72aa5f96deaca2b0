/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivering: one message to one target, asynchronously, for whoever has a message whole.
 *
 *     t = deliver_target_new(target, &e)          what a delivery needs of the settings, by itself: any thread
 *     deliveries_new(&with, &d, &e)
 *     deliver(d, &ask) → ask.done(user, &result), later, never from within
 *     deliveries_free(&d)
 * But for deliver_target_* all of it belongs to one thread, which is the store's consumer: it gives
 * deliveries_answered each answer of the store whose ticket is deliver_ticket, and calls deliveries_turn whenever it has
 * drained store_next.
 *
 * Deliveries begin in the order in which they were asked for, those to one target among themselves; targets do not wait for each
 * other.  A thousand at a time are no burden.  The loop is kept alive until `done` was called of each; idle connections to servers
 * (closed after 10 s) and what else is kept here do not keep it alive.
 *
 * A server that was not to be had (no connection, turned away, login or TLS failed, its password not found) is not asked again for
 * 5 s, doubled each time up to 60 s: what is asked for meanwhile is deferred at once with the reason (`down`); then one message
 * is tried, and the others are still deferred at once until that one's connection is there.  `insist` in an ask: it is tried now.
 *
 * What the ask points to is borrowed until `done`, or until deliveries_free, which waits for what runs (a disk; programs are
 * killed) and calls no `done` any more.  ACCEPTED: the target has the message durably.  DEFERRED: it may take it later.
 * REFUSED: it never will; the settings it needs are not there, or it said so.
 *
 * Types that are built: mailbox (wherever it lies: store/place.h), maildir, folder, command, smtp, lmtp (deliver_serves).  A new type is a file and a row in deliver.c's table.
 *
 * Exactly once, for a message that is tried again (the held area): `source` is the mark by which a mailbox knows that it has
 * the message already; `place` is the name that the message had got in a Maildir or a folder before, "" or NULL: none;
 * `placing` is told a name before the file gets it, on a job's thread, and makes that durable ("": it will not get it).
 * An SMTP or LMTP server answers for each recipient: `each` says it, and whoever tries again asks for those alone that were
 * deferred.  A message whose answer was lost is deferred: that one may come twice.
 * deliver_settled: the message is not held any more, so nobody needs the mark.
 *
 * A server or program cannot be asked what it has: if this process dies before whoever asked has made an acceptance durable, the
 * message comes twice.  With `holds` that is one message a connection (to a server) or a program at most: after an acceptance that
 * connection ends no other message, and no program begins in that one's place, until deliver_release was called.  Commands and
 * all but the end of the next message may be on their way meanwhile.  Without `holds` nothing waits. */
#pragma once

#include "config/settings.h"
#include "net/loop.h"
#include "store/mailbox.h"
#include "store/spool.h"

enum { DELIVER_FACT_MAX = 8 * 1024, DELIVER_FACTS = 16, DELIVER_WHY_MAX = 400, DELIVER_STATUS_MAX = 11 };
enum { DELIVER_RECIPIENTS_MAX = 100 * 1024 };	/* octets for a program, one a line: never cut; Linux takes 128 KiB a variable */
#define DELIVER_TICKETS (UINT64_C(1) << 54)	/* ours have this bit */

struct deliver_target;
struct deliveries;

/* False: its type is not built yet. */
bool deliver_serves(const struct target *t);
/* Only of one that deliver_serves (asserted).  It reads the files of S/MIME.  NULL: out of memory, or one of them cannot be used. */
[[nodiscard]] struct deliver_target *deliver_target_new(const struct target *t, struct err *e);
struct deliver_target *deliver_target_keep(struct deliver_target *t);
void deliver_target_put(struct deliver_target **t);
const char *deliver_target_name(const struct deliver_target *t);
/* The message comes to rest there: it wants a Return-Path (RFC 5321 4.4). */
bool deliver_target_final(const struct deliver_target *t);
/* It takes its time, and only so many at once: others wait for their turn. */
bool deliver_target_queues(const struct deliver_target *t);

struct deliver_fact {		/* for a program: POSTRIDER_NAME=value, cut at DELIVER_FACT_MAX */
	const char *name, *value;
};

enum deliver_said { DELIVER_ACCEPTED, DELIVER_DEFERRED, DELIVER_REFUSED };

struct deliver_each {		/* of one recipient */
	enum deliver_said said;
	char why[DELIVER_WHY_MAX + 1];	/* not ACCEPTED: the server's words, or ours; safe to be shown */
	char status[DELIVER_STATUS_MAX + 1];	/* "5.1.1"; "" = none */
};

struct deliver_result {
	enum deliver_said said;	/* where they differ: DEFERRED if any is, else REFUSED */
	const char *why;	/* not ACCEPTED: in words, for the log and who runs this */
	const char *told;	/* what the target itself said to the sender; "" = nothing.  Safe to be shown, as `why` is */
	const struct deliver_each *each;	/* of the recipients of the ask, in their order; NULL: what is said goes for all */
	bool down;		/* DEFERRED, and the message is not to blame: the server or program was not reached, or was gone before it saw any of it */
	bool hung;		/* of one that queues: its time was over before it said anything; */
	bool answered;		/* it came to an end by itself.  Neither: it was not tried, or stopped */
};

struct deliver_ask {
	struct deliver_target *target;	/* kept by the delivery */
	const struct spool *message;
	const char *sender;
	const char *const *recipients;
	size_t recipient_count;
	const struct deliver_fact *facts;	/* beside SENDER, RECIPIENTS (one a line), SIZE and TARGET, which are made here, as SMIME_… are; at most DELIVER_FACTS */
	size_t fact_count;
	const struct mailbox_source *source;	/* NULL: none */
	const char *place;
	bool insist;		/* somebody waits for it: a server that was down is asked now */
	bool place_old;		/* it is from so long ago that a file that is not in tmp any more may have been swept away */
	bool (*placing)(void *user, const char *name, struct err *e);	/* NULL: nobody wants to know */
	void (*done)(void *user, const struct deliver_result *result);
	/* Whoever asks makes what was accepted durable, and says deliver_release then.  `user` is not NULL, stays valid until then, and no
	 * other ask has the same. */
	bool holds;
	void *user;
};

struct deliveries_with {
	struct loop *loop;
	struct store *store;
	struct tls_contexts *contexts;	/* outlive the loop; NULL: no TLS to servers */
	uint64_t tickets;	/* all of ours are of this range, and have DELIVER_TICKETS */
	/* Files in tmp of a Maildir or folder that a crash left there: is this one's message still to get there?  From a job's thread. */
	bool (*keep)(void *user, const char *name);
	void *user;
};

[[nodiscard]] struct deliveries *deliveries_new(const struct deliveries_with *with, struct err *e);
/* This machine's name, as servers hear it: letters, digits, '.' and '-'. */
const char *deliver_host(const struct deliveries *d);
void deliver(struct deliveries *d, const struct deliver_ask *ask);
/* Once for each ask with `holds`, after its done (or within it), whatever was said; not after deliveries_free, which needs none. */
void deliver_release(struct deliveries *d, const void *user);
/* The delivery of that `user`, if it has not begun, will not: it is deferred, and `done` says so.  False: it has begun. */
bool deliver_unless_begun(struct deliveries *d, const void *user, const char *why);
void deliver_settled(struct deliveries *d, const struct deliver_target *target, const struct mailbox_source *source);
/* When what was deferred is tried again, after so many attempts; and how long at all. */
enum { DELIVER_PATIENCE_S = 5 * 24 * 3600 };
static inline int64_t deliver_next_try(uint32_t attempts, int64_t now)
{
	static const int32_t waits[] = { 60, 60, 5 * 60, 15 * 60, 3600, 4 * 3600 };

	return now + waits[attempts < COUNT(waits) ? attempts : COUNT(waits) - 1];
}
/* It is further away than any of these: the clock was ahead when it was chosen. */
static inline bool deliver_next_absurd(int64_t next, int64_t now)
{
	return next != INT64_MAX && next > now + 4 * 3600 + 60;
}
static inline bool deliver_ticket(uint64_t ticket)
{
	return ticket & DELIVER_TICKETS;
}
void deliveries_answered(struct deliveries *d, const struct store_done *done);
void deliveries_turn(struct deliveries *d);
size_t deliveries_waiting(const struct deliveries *d);
/* Programs end now and connections to servers are cut, and so are deferred. */
void deliveries_hurry(struct deliveries *d);
/* Connections to servers that have nothing to do end now, with QUIT; a later ask makes new ones.  For who ends soon. */
void deliveries_rest(struct deliveries *d);
/* What people trust has changed: connections to servers that count no more end, with what they are at. */
void deliveries_distrust(struct deliveries *d);
void deliveries_free(struct deliveries **d);
