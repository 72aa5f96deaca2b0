/* SPDX-License-Identifier: Apache-2.0
 *
 * Which mechanisms a visit tries, on how many connections, and what is remembered of it beyond the visit (PRODUCT 2.1 `auth`).
 *
 * mechs_settle says before each connection what the session may try; its ladder (sasl/ladder.h) does, within a
 * connection; what the server refused on one, and how many tries that were, holds for the visit's others.
 *
 * A login that worked is remembered in the store (store/visited_login.h), together with what the server had refused before
 * it: with auth = auto those come behind it from then on, so that a visit has no failed tries every time.  What is offered
 * for the first time, and is stronger, is tried first all the same.  Where the server offers only weaker ones than the one that worked:
 * on a line whose server is verified by TLS that is logged, and taken; on any other, somebody in between could have taken
 * them away, and no login is made.
 * A server that could not prove who it is (SCRAM's signature, a channel binding, DIGEST-MD5's rspauth) ends the visit,
 * whatever it says or does not say then; and none weaker than that mechanism is tried in later visits, until a login was
 * good.  All of it counts for the settings with which it was: a change in the connection's section begins anew.
 * A server that ends the connection in place of an answer to the password, or to a proof of it, may have refused it that
 * way: the visit ends, and shows it no second time.  The error is the connection's (counted, not fatal), for it may be that.
 * Only behind a refusal on the same connection, which may be what the server closed for, it is tried once more on another.
 * A test goes by what is remembered, in a store or by whoever read one before (collector_with.recalled), and changes nothing of it. */
#pragma once

#include "collect/collect.h"
#include "sasl/ladder.h"
#include "store/visited_login.h"

struct visit;

enum mech_reason {		/* why one is not in the list at all, for auth = auto; on top of enum ladder_fate */
	MECH_NO_CERTIFICATE = LADDER_FATES, MECH_NO_OAUTH, MECH_OAUTH, MECH_NO_PASSWORD, MECH_ONLY_NAMED, MECH_DISPUTED, MECH_REASONS
};

struct visit_mechs {
	struct ladder_before before;	/* for the next session */
	struct visited_login kept;
	bool recalled;			/* kept is there; */
	bool remembered;		/* this attempt's login is in it */
	unsigned disputed;		/* passed over, by auto: sasl_mech_disputed */
	bool unanswered;		/* the server ended this attempt's connection in place of an answer to the password */
	unsigned fresh, connections;	/* refused in this attempt; more were opened for that */
	bool brought;			/* this attempt's last try ended behind the credentials, whatever was said of them */
	struct err unproved;		/* kind ERR_NONE: not so */
	uint8_t fates[SASL_MECHS];	/* enum ladder_fate, of all attempts */
	char (*words)[LADDER_WORDS];	/* a test: of each mechanism; else NULL */
};

/* mechs.c */
void mechs_settle(struct visit *v);
void mechs_look(struct visit *v);	/* the session went on: is it logged in? */
void mechs_over(struct visit *v);	/* the connection is gone, and v->why is known, but for what this has to say */
bool mechs_again(struct visit *v);	/* the server closed after it refused one: another connection may do */
void mechs_forgive(struct visit *v);	/* what was refused may be tried again */
/* Our client says that it will not go on, by `why`, after this challenge: cancels, and if a proof was false keeps that. */
void mechs_unproved(struct visit *v, struct span challenge, const struct err *why);
/* At most SASL_MECHS rows, in the order of the list: what became of all that were considered.  The texts live until the
 * next call for this visit. */
size_t mechs_tell(struct visit *v, struct visit_mech rows[SASL_MECHS]);
void mechs_end(struct visit *v);
