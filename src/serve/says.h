/* SPDX-License-Identifier: Apache-2.0
 *
 * What the POP3 service says in the log: the lines that others read by program.
 *
 *     struct tag session = { &says_pop, "session", "17" };
 *     char line[SAYS_MAX];
 *     log_warn(&session, "%s", says_login_failed(&facts, line));
 * Their form is promised in docs/LOG.md, and dist/fail2ban reads it:
 *     warn service=POP session=17 login failed address=192.0.2.1 mechanism=PLAIN tls=no user="anna" reason="wrong password"
 * The words and the order of the fields never change; new fields come at the end.
 * The address stands before all that a client chose, right behind words that stand
 * nowhere else; what a client chose stands in quotes, has none inside, no backslash, no
 * control and no broken UTF-8, and is cut: so it can pass neither for a field nor for
 * a line.  Tags between service=POP and the words must need no quotes: numbers, our own names.
 *
 * Pure functions: each fills `out` and returns it. */
#pragma once

#include "base/log.h"
#include "net/network.h"

enum { SAYS_USER_MAX = 200, SAYS_REASON_MAX = 300, SAYS_MAX = 1000 };

extern const struct tag says_pop;	/* service=POP */

/* "login failed …", LOG_WARN: each failed login, also one of a name that is not there. */
struct says_login {
	const union address *address;	/* the client's own, also behind a proxy */
	const char *mechanism;		/* "PLAIN", "USER"; NULL = none */
	const char *tls;		/* "TLSv1.3"; NULL = no */
	struct span user;		/* as the client gave it: any octets */
	const char *reason;		/* ours, but it may hold a client's words; NULL = none */
};
const char *says_login_failed(const struct says_login *s, char out[SAYS_MAX]);

enum says_end {
	SAYS_QUIT, SAYS_QUIT_FAILED,		/* answered +OK; -ERR, and nothing was removed */
	SAYS_CLOSED, SAYS_BROKEN,		/* by the client, without QUIT; by the network */
	SAYS_IDLE, SAYS_LOGIN_TIMEOUT, SAYS_SEND_TIMEOUT,
	SAYS_OVERLONG, SAYS_NONSENSE,		/* a line over 512 octets; too many lines that are no commands */
	SAYS_TLS_HELLO, SAYS_TLS_FAILED, SAYS_TLS_INJECTED,	/* on a clear port; the handshake; octets before it */
	SAYS_PROXY_FAILED,			/* no header of the PROXY protocol, or a broken one */
	SAYS_LOGIN_BLOCKED,			/* a failed login got the address blocked */
	SAYS_STORE_FAILED,			/* a message could not be read to its end */
	SAYS_STOPPED,				/* the service ended, or an administrator ended the session */
	SAYS_EVICTED,				/* it was not logged in, and room was needed */
	SAYS_MEMORY,				/* ours ran out */
	SAYS_ENDS
};

/* "session over …", LOG_INFO: one line for each session that began. */
struct says_session {
	const union address *address;
	const char *mechanism, *tls;
	struct span user;		/* the account; empty = nobody logged in */
	uint64_t messages, octets;	/* sent by RETR; all that was sent, before TLS */
	uint64_t deleted, left;		/* by QUIT; and what the maildrop has then */
	uint64_t lasted_ms;
	enum says_end end;
};
const char *says_session_over(const struct says_session *s, char out[SAYS_MAX]);

enum says_outcome {
	SAYS_DELIVERED, SAYS_HELD, SAYS_OVER_LIMIT, SAYS_TOO_LARGE,
	SAYS_BAD,				/* the message itself: no recipient, a loop, no header */
	SAYS_REFUSED, SAYS_FAILED,		/* by the target; by us */
	SAYS_OUTCOMES
};
/* "submitted …", LOG_INFO: each message of XTND XMIT that was whole. */
struct says_submitted {
	const union address *address;
	struct span user;		/* the account */
	uint64_t octets, recipients;	/* as the client sent it */
	enum says_outcome outcome;
	const char *reason;		/* NULL = none; it may hold a client's words */
};
const char *says_submitted(const struct says_submitted *s, char out[SAYS_MAX]);

enum says_held_outcome { SAYS_HELD_DELIVERED, SAYS_HELD_DEFERRED, SAYS_HELD_FAILED, SAYS_HELD_RETURNED, SAYS_HELD_OUTCOMES };
/* "held message …", LOG_INFO, or LOG_ERROR when it failed: each time that one was tried again. */
struct says_held {
	const char *id;			/* 16 hexadecimal digits */
	enum says_held_outcome what;
	uint64_t attempts;
	const char *account, *target, *reason;	/* reason NULL = none */
};
const char *says_held(const struct says_held *s, char out[SAYS_MAX]);

enum says_door {			/* why nobody was let in */
	SAYS_ACCESS,			/* `access` and `except` */
	SAYS_DENIED,			/* it sent an overlong line before */
	SAYS_BLOCKED,			/* it stands in the list of blocks */
	SAYS_ADDRESS_FULL, SAYS_FULL,	/* max_per_address, max_sessions */
	SAYS_DOORS
};
/* "refused …", LOG_INFO. */
const char *says_refused(const union address *address, enum says_door why, char out[SAYS_MAX]);
/* "blocked …", LOG_WARN: failed logins were too many; the network is an address, or a /64. */
const char *says_blocked(const struct network *from, uint64_t failures, uint64_t for_ms, char out[SAYS_MAX]);
/* "denied …", LOG_WARN: an overlong line; until the service restarts. */
const char *says_denied(const struct network *from, char out[SAYS_MAX]);
