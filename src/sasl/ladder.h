/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder of mechanisms, for every client that logs in: which one is tried next, and what became of each (PRODUCT 2.1 `auth`).
 *
 *     ladder_start(&l, mechs, count, &before, words)
 *     while (ladder_next(&l, &offer)) try l.now:
 *         it worked: ladder_over(&l, LADDER_WORKED, …) and done
 *         refused, and not for the credentials: ladder_over(&l, LADDER_REFUSED, its words); the next
 *         we cannot, and nothing was said: ladder_over(&l, LADDER_UNABLE, why); the next, and it was no try
 *         refused for the credentials, or the server's proof is false: ladder_over with that, and no other is tried
 * Computation: it borrows mechs and words for as long as it lives, and allocates nothing.
 *
 * Its rules: in the order of `mechs`; at most LADDER_TRIES of them, with those of earlier connections (before.tries);
 * never one that shows the password on a line that is not protected, unless that is allowed, and there never after a
 * stronger one was refused, on this connection or on an earlier one; never one of before.weaker or before.below.
 *
 * A wrong password must cost one failure at the server: ladder_shown says whether what was said showed it already, so
 * that a refusal names it, whatever its words.  While it is out and not answered, the session keeps l.shown true: a server
 * that ends the connection then may refuse it in that way. */
#pragma once

#include "sasl/client.h"

enum { LADDER_TRIES = 3, LADDER_WORDS = 120 };

enum ladder_fate {
	LADDER_UNASKED,		/* its turn did not come */
	LADDER_NOT_BUILT,
	LADDER_NOT_OFFERED,
	LADDER_NO_BINDING,	/* the line has nothing to bind to */
	LADDER_CLEAR_LINE,	/* it would show the password, and that is not allowed here */
	LADDER_CLEAR_AFTER,	/* the same, behind a stronger one that was refused */
	LADDER_WEAKER,		/* than one whose proof failed */
	LADDER_BELOW,		/* what worked before, on a line that somebody may have changed */
	LADDER_TRIED_ENOUGH,
	LADDER_UNABLE,		/* we are: no ticket, a name that it cannot carry */
	LADDER_REFUSED,		/* by the server, which said nothing of the credentials */
	LADDER_WRONG,		/* by the server: these credentials, or the account, not now */
	LADDER_FALSE_PROOF,	/* the server did not prove who it is */
	LADDER_UNANSWERED,	/* the connection ended first: whoever has it says so */
	LADDER_WORKED,
	LADDER_FATES
};

struct ladder_before {		/* what is known beforehand; sets of bits 1 << enum sasl_mech */
	unsigned refused;	/* by this server, and not for the credentials: not again */
	unsigned tries;		/* that were made for that */
	unsigned weaker, below;	/* not to be tried: see their fates */
};

struct ladder_offer {		/* by the server, on this line, as it is now */
	unsigned offered;	/* USER and APOP, too */
	unsigned behind_tls;	/* what it would offer on a protected line, for all that is known */
	bool secure, clear_allowed, channel_binding;
};

struct ladder {
	const enum sasl_mech *mechs;
	size_t count, at;		/* at: the next to look at */
	struct ladder_before before;
	unsigned tries, refused;	/* with those of before */
	bool clear_skipped, weaker_skipped;	/* some were, for no other reason */
	bool under_way;			/* l->now is being tried, and counts in `tries` already */
	bool shown;			/* the same, and the password, or a proof of it, is out */
	bool brought;			/* what was refused last had brought the credentials: whoever has the ladder says so */
	enum sasl_mech now;		/* being tried, or that worked */
	uint8_t fates[SASL_MECHS];	/* enum ladder_fate */
	uint8_t words_of[LADDER_TRIES + 1];	/* 1 + the mechanism whose words stand there; 0: none */
	char (*words)[LADDER_WORDS];	/* of LADDER_TRIES + 1 */
};

void ladder_start(struct ladder *l, const enum sasl_mech *mechs, size_t count, const struct ladder_before *before, char (*words)[LADDER_WORDS]);
/* l->now is the next to try; false: none is left, and the fates say why. */
bool ladder_next(struct ladder *l, const struct ladder_offer *offer);
/* What became of l->now; `words` are cleaned and cut, and may be empty. */
void ladder_over(struct ladder *l, enum ladder_fate fate, struct span words);
/* What was said of it, or "". */
const char *ladder_words(const struct ladder *l, enum sasl_mech mech);
/* Why none is left, for an error's beginning. */
const char *ladder_nothing(const struct ladder *l);
/* `rounds` challenges came, and something of ours is out (`spoke`): the credentials, or a proof of them, among it. */
bool ladder_shown(enum sasl_mech mech, unsigned rounds, bool spoke);
/* After so many responses of ours in an exchange the password, or a proof of it, is out: a server that goes on with what
 * makes no sense may have counted a failure, and has not proved who it is. */
bool ladder_proof_out(enum sasl_mech mech, unsigned responses);
/* All that come behind it in strength, as bits. */
unsigned ladder_weaker_than(enum sasl_mech mech);
const char *ladder_fate_name(enum ladder_fate fate);	/* "not_offered": for machines */
const char *ladder_fate_text(enum ladder_fate fate);	/* "not offered": for people */
