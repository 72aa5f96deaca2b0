/* SPDX-License-Identifier: Apache-2.0
 *
 * Submitted messages on their way to the target (deliver/deliver.h), and those that are held until it takes them.
 *
 *     a submission from calloc, filled → submissions_ask(s, m) on the loop of `index`
 *     → answered(user, &answer) on that loop
 * First it is counted (store/allowance.h), then delivered; what the target defers goes into the held area (store/held.h).  So
 * DELIVERED and HELD are durable; in all other cases nothing was taken, and nothing is counted.
 *
 * Where a server took it for some recipients only, it is held for those that were deferred, and of those that were refused
 * the sender is told (deliver/parting.h): that is DELIVERED or HELD.
 * Held messages are tried again by themselves while submissions_run: after 1, 5, 15 and 60 min, then every 4 h;
 * after a refusal, or 5 days, they stay as failed, and the log says so.  What became of one that the store cannot take
 * (a full disk) is kept and written later; until then that one is not tried, and takes one of the few places.  A message whose target is not in the configuration any
 * more waits too.
 *
 * No client waits for a program for longer than 30 s, its place in the queue counted in: then the message is held, and the
 * client hears that.  A program that has begun by then runs on, and its outcome is the held message's, which is not tried before.
 * While the last attempts of a target all hung, and when many wait for it, new messages are held at once; the tries
 * of held ones, or a reload, find out when it is better.
 *
 * But for submissions_ask and submissions_waiting all calls are for the thread of the store and of `home`. */
#pragma once

#include "deliver/deliver.h"
#include "net/address.h"
#include "net/loops.h"
#include "store/account.h"

enum { SUBMISSION_WORDS = 300 };

enum submission_said { SUBMISSION_DELIVERED, SUBMISSION_HELD, SUBMISSION_OVER_LIMIT, SUBMISSION_REFUSED, SUBMISSION_FAILED };

struct submission_answer {		/* borrowed within the call */
	enum submission_said said;
	const char *why;		/* for the log: HELD, REFUSED, FAILED, OVER_LIMIT */
	const char *told;		/* REFUSED: what the target says to the sender; "" = nothing */
};

struct submission {
	struct spool *message;		/* all of these are freed with it */
	const char **recipients;
	size_t recipient_count;
	struct deliver_target *target;
	char account[ACCOUNT_NAME_MAX + 1];
	char sender[512];
	char peer[ADDRESS_TEXT];			/* its address, for programs */
	uint32_t limit;			/* a day */
	unsigned index;			/* of the loop that asks */
	void (*answered)(void *user, const struct submission_answer *answer);
	void *user;
	struct submissions *all;	/* and what follows is the room's own */
	struct submission *next, **at;
	int64_t now;
	struct deliver_fact facts[3];
	enum submission_said said;
	bool counted;
	struct deliver_each *each;	/* where the recipients' answers differ */
	char why[DELIVER_WHY_MAX + 1], told[DELIVER_WHY_MAX + 1];
	uint64_t asked_ms;
	bool delivering;
	uint64_t added;			/* the job's word for: */
	uint64_t held_id;		/* the client has its answer; 0: not yet */
	bool late, ended;		/* it is held, or about to be, while it is delivered; and that has ended: */
	enum deliver_said outcome;
	char outcome_why[DELIVER_WHY_MAX + 1];
	struct submission_note *note;	/* what the client hears then */
};

struct submissions_with {
	struct loop *home;
	struct loops *loops;
	struct store *store;
	struct tls_contexts *contexts;	/* as deliveries_with has them */
	uint64_t tickets;	/* as deliveries_with has them */
};

struct submissions;

/* `settings`: all targets that there are; read during the call only, as by submissions_reload. */
[[nodiscard]] struct submissions *submissions_new(const struct submissions_with *with, const struct settings *settings, struct err *e);
[[nodiscard]] bool submissions_reload(struct submissions *s, const struct settings *settings, struct err *e);
void submissions_run(struct submissions *s, bool on);	/* held messages are tried */
void submissions_kick(struct submissions *s);		/* looks for some that are due, now */
void submissions_ask(struct submissions *s, struct submission *m);	/* takes it over */
void submissions_answered(struct submissions *s, const struct store_done *done);
void submissions_turn(struct submissions *s);
size_t submissions_waiting(struct submissions *s);	/* any thread: that are on their way, held ones that are tried now too */
void submissions_distrust(struct submissions *s);	/* as deliveries_distrust */
void submissions_hurry(struct submissions *s);
/* After the loops were joined: what was not answered then never is. */
void submissions_free(struct submissions **s);
/* A submission that is not asked for after all. */
void submission_free(struct submission **m);
