/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of a login: what its files share.  login.c has the public face and the
 * steps of SASL; login_who.c who is meant; login_judge.c everything from there and what proves it to the
 * answer: penalties, the cache, hashing, the verdict.
 *
 * login_judge.c's functions give the answer, or NULL when it comes later by who.answer;
 * after that nothing of `x` may be touched by who called. */
#pragma once

#include "sasl/server.h"
#include "serve/hashing.h"
#include "serve/login.h"
#include "serve/remembered.h"
#include "serve/users.h"
#include "store/domain.h"
#include "store/login.h"

struct logins {
	struct store *store;
	struct admission *admission;
	struct hashing *hashing;
	struct remembered *remembered;
	struct users *users;
	const struct elsewhere *pam, *token;
	uint32_t queue_ms;
	_Atomic size_t logins;	/* for logins_free's assertion */
};

/* What said that it is right; only of a password it is remembered. */
enum login_by { BY_PROOF, BY_HASH, BY_PAM, BY_TOKEN };

enum login_at {
	AT_WORDS,	/* it is the caller's turn: words, or a step */
	AT_TURN,	/* the timer runs until the penalty is over, then what was kept is looked at */
	AT_QUEUE,	/* the password is in the queue, or hashed; the timer runs, so that nobody waits for ever */
	AT_QUEUE_TURN,	/* it came out too early: the timer runs until it goes into it again */
	AT_ELSEWHERE,	/* it is judged elsewhere */
	AT_ELSEWHERE_TURN,	/* it was right there, but others failed meanwhile: the timer runs until it counts */
	AT_DELAY,	/* the timer runs until the answer, which is made, is given */
	AT_END		/* it was given */
};

/* What is looked at once it is the attempt's turn. */
enum login_due {
	DUE_PASSWORD,	/* `words` */
	DUE_TOKEN,	/* `words`; the exchange goes on, if it is refused */
	DUE_STEP,	/* `words` are a response */
	DUE_VERDICT	/* `right` */
};

struct login {
	struct logins *g;
	struct login_who who;
	union address peer, local;
	enum sasl_mech mech;
	enum login_at at;
	enum login_due due;
	bool named;		/* name, account and verifier are known, and the attempt has begun */
	bool turn;		/* its penalty was waited for */
	bool right;		/* the proof was */
	bool never;		/* whatever else is right, the answer is no */
	char name[NAMED_MAX + 1];	/* as given; cut, one octet longer than any that means somebody */
	struct span user;		/* the part of it that is resolved */
	bool anybody;			/* a token came without a name: whose it is, its judge says */
	bool acts;			/* an authorization identity has said which mailbox it is, and by which address */
	char local_domain[DOMAIN_NAME_MAX + 1];
	char account[ACCOUNT_NAME_MAX + 1];	/* resolved */
	char verifier[LOGIN_VERIFIER];	/* what the account had when it was looked at */
	struct admission_attempt attempt;
	struct sasl_server *sasl;
	char challenge[SASL_CHALLENGE_MAX];
	struct span words;	/* the caller's, or what was: */
	char *kept;		/* wiped, as long as it is, by login_forget_words */
	size_t kept_len;
	struct remembered_mac mac;
	struct hashing_job *job;
	bool late;		/* it is hashed since the timer ran out for the first time */
	const struct elsewhere *judge;
	void *asked;		/* its job */
	enum login_by by;	/* PAM or token */
	bool refused;		/* the client was told that its token is not good; what it says to that is next: */
	struct admission_delay counted;	/* and then the refusal, this much later */
	char *mail;		/* of the answer */
	struct timer *timer;
	struct login_answer answer;
};

/* The name is known: who is it?  *l, which the caller wipes, is what the account has, or what was made up. */
void login_name(struct login *x, struct span name, struct account_login *l);
/* Who the name is acts as `authzid` (empty: as itself), which must be the same account. */
void login_act_as(struct login *x, struct span authzid);
/* Waits for the attempt's turn, if that was not done, then does what is due.  l: as login_name just gave it, or NULL. */
const struct login_answer *login_turn(struct login *x, enum login_due due, struct span words, const struct account_login *l);
/* Who is it now?  False: another, or with another password, than when it was looked at before.  *l as above. */
bool login_look(struct login *x, struct account_login *l);
/* A judge elsewhere found it right: for whom?  NULL: the one asked about.  Another one is never let in. */
void login_heed(struct login *x, const char *claim);
/* A token came without a name: counted by its address, until its judge says whose it is. */
void login_nameless(struct login *x);
/* The client heard that its token is not good, and has said something: the refusal, which was counted then. */
const struct login_answer *login_refused(struct login *x);
/* An answer that is no verdict; e may be x->answer.why itself. */
const struct login_answer *login_over(struct login *x, enum login_said said, const struct err *e);
void login_forget_words(struct login *x);
/* In login.c: one step of the exchange. */
const struct login_answer *login_exchange(struct login *x, const struct span *response);

/* hashing.h's hooks; context is the logins. */
struct admission_delay login_hash_turn(void *context, struct admission_attempt *t);
struct admission_delay login_hash_wrong(void *context, const struct admission_attempt *t);
