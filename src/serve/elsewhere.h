/* SPDX-License-Identifier: Apache-2.0
 *
 * Elsewhere: what judges a login and is not in this process's memory: PAM, an endpoint that knows tokens.
 *
 *     job = judge->ask(judge->context, &ask, &e)      on a session's loop
 *     ask.done(ask.user, said, account, why)          on that loop, later, exactly once, never from within ask
 *     judge->end(judge->context, job)                 always, on that loop, also within done; after it done never comes
 * NULL from ask: nothing was begun and done never comes.  ERR_BUSY (a queue is full), ERR_LOCAL: nobody was judged.
 * What is asked is copied by who is asked, the secret only into memory that is wiped; `loop` outlives the job.
 * A judge bounds what it takes at once, and answers BUSY by itself when it hears nothing in time.
 *
 * Asked by login.h alone: after the penalty of address and account was waited for, and before the answer, as a
 * password is hashed.  RIGHT is not enough: the account must still be known to its source.  WRONG counts as a failed
 * login and is answered after its delay; BUSY ([SYS/TEMP]) does not count.
 *
 * A judge is for every loop's thread at once. */
#pragma once

#include "base/err.h"
#include "net/loop.h"

enum elsewhere_said {
	ELSEWHERE_RIGHT,
	ELSEWHERE_WRONG,
	ELSEWHERE_BUSY	/* it cannot be told now: the judge is down, too slow, or has too much to do */
};

struct elsewhere_ask {
	struct loop *loop;
	const char *account;	/* as resolved (account_resolve): whom it is about */
	const char *service;	/* SERVICE of pam:SERVICE; NULL: a token */
	struct span secret;	/* the password, any octets but NUL; or the token */
	const char *rhost;	/* the client's address, without a port */
	/* account: whom the judge says it is, as names are written there, for the caller to resolve: another one
	 * than was asked about is WRONG, also one whom a route of a whole domain leads to it; NULL: the one asked about.  why: for the log alone, NULL for RIGHT.
	 * Both are borrowed during the call. */
	void (*done)(void *user, enum elsewhere_said said, const char *account, const char *why);
	void *user;
};

struct elsewhere {
	void *context;
	void *(*ask)(void *context, const struct elsewhere_ask *ask, struct err *e);
	void (*end)(void *context, void *job);
};
