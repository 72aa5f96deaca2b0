/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins: the one way from a client's words to an account (PRODUCT section 3,
 * Mechanisms and Users), for every mechanism.
 *
 *     g = logins_new(&with, &e)                   one for the service
 *     x = login_begin(g, &who, mech, &e)          one for each attempt of a session
 *     a = login_words(x, name, password)          SASL_USER; SASL_APOP: the digest instead
 *     a = login_step(x, given, response)          all others, until `said` is not MORE
 *     login_end(&x)                               always, and at any time
 *     logins_free(&g)
 * login_words and login_step either know the answer and give it, or they give
 * NULL, and who.answer(who.user, a) brings it later: on who.loop, never from
 * within a call of this file, exactly once.  Until then neither is called
 * again.  What decides is known at once where the cache, a recoverable secret
 * or SCRAM can tell; what waits is a penalty or a hash.
 * An answer is borrowed until the next call with `x`; answer() may end `x` or
 * step on.  login_end with an answer under way: it never comes.  That may be
 * said on the P3D_SASL_OVER of a session too: nothing is counted then, since
 * nothing was proved.
 *
 * Threads: logins_new, logins_free: any, and no login may be left (asserted).
 * A login belongs to its loop.  A wait keeps the loop alive (a timer), also that for a
 * hash: login_end it, the hash in work is finished by a thread of ours and is told to nobody.
 * logins_free does not wait for ever for such a thread (hashing_free).
 *
 * What is done, in this order, the same for all mechanisms:
 *  1. the words are taken apart, and the name is (named.h), what it says of a user is resolved
 *     (users_resolve), the user is found (users.h), or made up (store/login.h): same form, same cost
 *  2. the penalty of address and account (admission_login_wait) is waited for;
 *     in an exchange before its last answer, so that no proof is judged before
 *  3. a password: the cache (remembered.h), the recoverable secret if there is
 *     one, then its scheme (schemes.h) in the queue (hashing.h), which may be full, or too slow: BUSY.
 *     PAM's users and tokens: who judges them (elsewhere.h); what was right there waits, as a
 *     try in the queue does, when others failed meanwhile.
 *     A digest or a proof: as it was found
 *  4. is the account still what it was in 1?  A password that was changed
 *     meanwhile is wrong
 *  5. good: admission_login_good.  Wrong: admission_login_failed, its delay, then
 *     the answer
 * An unknown user, one that cannot log in, and a wrong password have the same
 * answer after as many exchanges, one hash of the same cost (for mechanisms with a
 * password), and the same delay.  So has an account that is known, but lacks what
 * the mechanism needs (a recoverable secret, SHA-1 keys).  Only who was right is
 * answered sooner.
 * An authorization identity that does not mean the same account is a wrong password.  Where there is one, it says which
 * mailbox is meant, and by which address; the name that was proved then says neither.
 *
 * Not counted as a failed login: BUSY, MALFORMED (also channel bindings that we do
 * not have, or that were given without need), an exchange that the client breaks
 * off or is cancelled.  EXTERNAL without a fitting certificate is counted.
 *
 * A user whom only PAM knows comes in by a password alone: APOP, CRAM-MD5, SCRAM, EXTERNAL and tokens are refused as a
 * wrong password is, after as long, since nothing says that there is such a user.  A PAM password is
 * remembered as others are: one that was changed there may be good for LOGIN_REMEMBERED_MS.
 *
 * A token (OAUTHBEARER, XOAUTH2) is judged elsewhere, each time: nothing of it is remembered here.  Whom it names is
 * resolved as names are, and must be the account that the client named; where it named none, it is whom the token names.
 * A route of a whole domain makes no token good for its account.  A wrong one is counted, then there is MORE, with a challenge
 * that says so, and the next step, whatever is in it, has the refusal.
 *
 * EXTERNAL: the client's certificate names the account by its only e-mail address,
 * else by its only CN.  With several e-mail addresses either all mean one account, or
 * the authorization identity chooses one of theirs.  Anything else is WRONG.  A route of a whole domain makes no
 * certificate good for its account, and no token, which says whose it is. */
#pragma once

#include "net/address.h"
#include "net/loop.h"
#include "sasl/client.h"
#include "serve/elsewhere.h"
#include "serve/named.h"
#include "serve/users.h"

struct admission;

struct logins_with {
	struct store *store;		/* both outlive it */
	struct admission *admission;
	struct users *users;		/* who may log in; NULL: the store's accounts */
	unsigned hashing;		/* passwords hashed at once; 0: one a core */
	unsigned queue;			/* that may wait for it; 0: LOGIN_QUEUE */
	uint32_t queue_ms;		/* how long one waits for it; 0: LOGIN_QUEUE_MS */
	bool (*holds)(const char *verifier, struct span password);	/* NULL: scheme_holds; for tests, on hashing's threads */
	const struct elsewhere *pam;	/* judges passwords of pam:SERVICE; NULL: there is none; borrowed, outlives it */
	const struct elsewhere *token;	/* judges tokens (OAUTHBEARER, XOAUTH2); the same */
};

/* 15 s on two cores; of one address prefix a quarter (hashing.h).  Who waited LOGIN_QUEUE_MS there is told so (BUSY). */
enum { LOGIN_QUEUE = 1024, LOGIN_QUEUE_MS = 30000, LOGIN_REMEMBERED_MS = 60000, LOGIN_USER_TEXT = 128 };

struct login_answer;

struct login_who {			/* copied; what it points to is borrowed until login_end */
	struct loop *loop;
	const union address *peer, *local;	/* the client's own (behind PROXY), unmapped; copied */
	bool tls;
	struct span tls_exporter, tls_unique;	/* channel bindings; empty: not to be had */
	struct span client_certificate;	/* PEM, the client's own first; only if it was verified, else empty */
	const char *apop_stamp;		/* as greeted, with its angle brackets */
	const char *host;		/* our name, for CRAM-MD5's stamp */
	const char *main_domain;	/* NULL: there is none */
	void (*answer)(void *user, const struct login_answer *answer);
	void *user;
};

enum login_said {
	LOGIN_SAYS_MORE,	/* `challenge` is to be sent: octets, perhaps none; then the response is stepped */
	LOGIN_SAYS_GOOD,	/* `account` may come in, within `limits`: the session opens what was named next */
	LOGIN_SAYS_WRONG,	/* -ERR [AUTH] and always the same words */
	LOGIN_SAYS_MALFORMED,	/* -ERR without a code: not by the mechanism's rules, whoever it was */
	LOGIN_SAYS_BUSY,	/* -ERR [SYS/TEMP]: too many logins, or our fault */
	LOGIN_SAYS_BLOCKED	/* as WRONG; then close: that was one too many, the address is blocked */
};

struct login_answer {
	enum login_said said;
	struct span challenge;			/* MORE */
	char account[ACCOUNT_NAME_MAX + 1];	/* GOOD */
	/* GOOD: what else the name said, for named_box: as it was given, perhaps "".  The rights are yet to be looked at. */
	char owner[ACCOUNT_NAME_MAX + 1], box[MAILBOX_NAME_MAX + 1];
	char routed[ACCOUNT_NAME_MAX + 1];	/* GOOD: the address that "*" led from (route.h): only what is for it may be seen; or "" */
	struct account_limits limits;		/* GOOD */
	const char *mail;			/* GOOD: the Maildir that the source of users names; "" = none */
	/* For the log, never for the client: */
	const char *how;			/* GOOD: "cache", "secret", "hash", "proof", "certificate", "pam", "token" */
	struct err why;				/* all but MORE and GOOD */
	char user[LOGIN_USER_TEXT];		/* the name as it was given, safe to show, cut; "": not known yet */
};

struct logins;
struct login;

/* ERR_LOCAL.  Blocks: it makes the store's key file. */
[[nodiscard]] struct logins *logins_new(const struct logins_with *with, struct err *e);
void logins_free(struct logins **g);
/* Can this build serve it?  (With or without TLS is the caller's.) */
bool login_serves(enum sasl_mech mech);
/* Bits 1 << enum sasl_mech: what can work for anybody, as users are now (users_mechs).  Any thread. */
uint32_t login_mechs(const struct logins *g);

/* NULL: ERR_PEER for a mechanism that is not served, ERR_LOCAL. */
[[nodiscard]] struct login *login_begin(struct logins *g, const struct login_who *who, enum sasl_mech mech, struct err *e);
/* Borrows during the call; passwords are copied only into memory that is wiped. */
[[nodiscard]] const struct login_answer *login_words(struct login *x, struct span name, struct span password);
/* given: the client sent `response` (octets, decoded); only the first step may be without. */
[[nodiscard]] const struct login_answer *login_step(struct login *x, bool given, struct span response);
/* Before login_end: what was found wrong and counted, and not answered yet, for the log: WRONG or BLOCKED.  NULL: nothing. */
[[nodiscard]] const struct login_answer *login_left(struct login *x);
void login_end(struct login **x);
