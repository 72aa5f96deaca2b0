/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission: who may come in, how often, and who must wait: counts, denials,
 * penalties and blocks (PRODUCT 2.4 and section 3, "Limits" and "Users").
 *
 *     admission_enter(a, from, now, &seat)        at accept; anything but GOOD: say why, and close
 *     admission_login_start(a, from, user, &t)    an attempt to log in, once its user's name is known
 *     admission_login_wait(a, &t, now)            → wait that long and ask again, until it says 0; then look at the password
 *     admission_login_failed / _login_good        what came of it
 *     admission_user_enter(a, &seat, …)           the password was right: before the maildrop opens
 *     admission_leave(a, &seat)                   always, once, when the connection ends
 * Behind a proxy: admission_enter_proxied at accept, and admission_address when
 * the PROXY header has said who the client is.
 *
 * Any thread may call anything but new and free; nothing waits, and no call is
 * slower for what an attacker did: hashes are keyed (SipHash, a key of this
 * process), tables are in shards with a mutex each.  There is no clock in here:
 * now_ms is monotonic (clock_mono_ms); threads may be a little apart.  An address
 * counts by itself (IPv4) or by its /64 (IPv6); IPv4 in IPv6's clothes is IPv4;
 * localhost is an address like others.  Ports do not matter.
 *
 * Memory is bounded, whoever comes: sessions by max_sessions (52 octets an
 * address and an account that has some); ADMISSION_ADDRESSES
 * addresses and ADMISSION_USERS names with failed logins; ADMISSION_OVERLONG
 * denials; ADMISSION_KNOWN accounts that logged in; ADMISSION_BLOCKS blocks made
 * by hand.  Tables grow as they fill, and then what means nothing any more goes
 * first, then what failed once, then what failed more often, and last what is
 * blocked, of each the one that was quiet for longest: a flood of strangers
 * forgets no block.  Blocks take three quarters of their table at most; beyond
 * that the oldest block ends early.
 *
 * Penalties.  A failed login counts for its address, whoever the user was, and
 * for its user, wherever it came from.  After n failures the next attempt is
 * looked at failed_delay × 2^(n-1) later (2 s, 4 s, 8 s, 16 s, then 30 s), and the
 * refusal itself is held back as long.  Attempts side by side do not help: while
 * there is a penalty, they go one by one, one a delay, those of one user too.
 * Yet an attempt waits ADMISSION_WAIT_MS in all at most (or failed_delay, where
 * that is more): under attack everybody waits, and nobody is locked out.
 * At most 12 failures count (of an address failed_limit, where that is more), and
 * one is forgotten every ADMISSION_FORGET_MS.  A right password takes back
 * the failures of that very user from that very address since others failed
 * there, and no others: an attacker's own account does not clean his address.
 * An address from where the user logged in well during the last
 * ADMISSION_KNOWN_MS (eight addresses a user are remembered) is known: it waits
 * neither for what strangers do with the user's name nor for what others behind
 * the same address did, until an attempt for this user fails there.
 * failed_limit failures block the address for failed_block_ms; half of them
 * stay counted.  Users are never blocked.  Trusted proxies (`never`) have no
 * penalty of an address. */
#pragma once

#include "base/err.h"
#include "net/network.h"

enum {
	ADMISSION_ADDRESSES = 65536,	/* with failed logins; 110 octets each */
	ADMISSION_USERS = 65536,	/* names with failed logins, also invented ones; 110 octets each */
	ADMISSION_KNOWN = 65536,	/* accounts that logged in; 150 octets each */
	ADMISSION_OVERLONG = 65536,	/* 44 octets each */
	ADMISSION_BLOCKS = 10000,	/* made by hand; 300 octets each */
	ADMISSION_WHY_MAX = 200,	/* octets of a block's reason */
	ADMISSION_WAIT_MS = 30 * 1000,
	ADMISSION_FORGET_MS = 10 * 60 * 1000,
	ADMISSION_KNOWN_MS = 7 * 24 * 3600 * 1000,
};

#define ADMISSION_USER_DEFAULT UINT32_MAX	/* max_per_user of the limits, as ACCOUNT_SESSIONS_DEFAULT */

struct admission;
struct pop3_settings;
struct store;

struct admission_limits {
	uint32_t max_sessions;			/* 0 = nobody may come in */
	uint32_t max_per_address, max_per_user;	/* 0 = no limit */
	uint32_t failed_delay_ms;		/* 0 = no delays */
	uint32_t failed_limit;			/* 0 = no blocks */
	uint32_t failed_block_ms;
	uint32_t login_delay_ms;		/* between two logins of one user, 0 = none */
	bool deny_all_but;			/* access = deny; else all may, but: */
	bool overlong_denies;			/* overlong = block */
	const struct network *except;
	size_t except_count;
	const struct network *never;		/* trusted proxies: never denied nor blocked, not counted by address */
	size_t never_count;
};

/* What a connection holds, kept by its owner; begin with all zero.  Nothing in it is for others. */
struct admission_seat {
	unsigned holds;
	uint64_t address[2], user[2];
};

/* NULL: out of memory (ERR_LOCAL).  The limits are copied. */
[[nodiscard]] struct admission *admission_new(const struct admission_limits *l, struct err *e);
void admission_free(struct admission **a);
/* Counts, denials, penalties and blocks stay; who is in stays in.  False: out of memory, and all is as before. */
[[nodiscard]] bool admission_reload(struct admission *a, const struct admission_limits *l, struct err *e);
/* The same with what is configured: `never` are the trusted proxies of all listeners. */
[[nodiscard]] struct admission *admission_new_configured(const struct pop3_settings *p, struct err *e);
[[nodiscard]] bool admission_reload_configured(struct admission *a, const struct pop3_settings *p, struct err *e);

/* Coming in ------------------------------------------------------------- */

enum admission_said {
	ADMISSION_GOOD,
	ADMISSION_ACCESS,	/* by access and except */
	ADMISSION_DENIED,	/* an overlong command came from there; not shown in any list */
	ADMISSION_BLOCKED,	/* in the list: by hand, or after failed logins */
	ADMISSION_ADDRESS_FULL,	/* max_per_address */
	ADMISSION_FULL,		/* max_sessions (or no memory) */
	ADMISSION_SAID
};

/* A refused connection holds nothing: admission_leave may be called, and does nothing. */
enum admission_said admission_enter(struct admission *a, const union address *from, uint64_t now_ms, struct admission_seat *seat);
/* Before the PROXY header: the session counts, nobody's address is looked at.  GOOD or FULL. */
enum admission_said admission_enter_proxied(struct admission *a, struct admission_seat *seat);
/* Then, once: the client's address.  Refused, the seat holds its session still, until admission_leave. */
enum admission_said admission_address(struct admission *a, const union address *from, uint64_t now_ms, struct admission_seat *seat);
/* Gives back all that the seat holds, its user too; it is all zero then. */
void admission_leave(struct admission *a, struct admission_seat *seat);

/* A command was over 512 octets: `from` is denied until the service restarts.  Of ADMISSION_OVERLONG the
 * oldest goes.  False: nothing came of it (overlong = drop, or a trusted proxy). */
bool admission_overlong(struct admission *a, const union address *from);

/* The account's sessions --------------------------------------------------- */

enum admission_user_said {
	ADMISSION_USER_GOOD,
	ADMISSION_USER_FULL,	/* max_per_user, or the account's own limit */
	ADMISSION_USER_IN_USE,	/* exclusive: somebody is in; or somebody is in alone: [IN-USE] */
	ADMISSION_USER_TOO_SOON,	/* login_delay: [LOGIN-DELAY] */
};

/* `account` is its canonical name.  `limit`: the account's own, 0 = none, or ADMISSION_USER_DEFAULT.  GOOD is a
 * login: login_delay runs from the last one.  TOO_SOON: *wait_s is when it may come again, else 0.  A seat has one user. */
enum admission_user_said admission_user_enter(struct admission *a, struct admission_seat *seat, struct span account, uint32_t limit,
	bool exclusive, uint64_t now_ms, uint32_t *wait_s);
/* Earlier than admission_leave, for instance when the maildrop could not be opened. */
void admission_user_leave(struct admission *a, struct admission_seat *seat);

/* Logins ---------------------------------------------------------------- */

/* One attempt, kept by whoever makes it.  Nothing in it is for others. */
struct admission_attempt {
	uint64_t address[2], user[2];
	uint64_t prefix, began_ms;
	bool six, exempt;	/* IPv6; a trusted proxy */
	bool turn;		/* it was let through, when this was counted of address and user: */
	uint32_t failures[2];
};

struct admission_delay {
	uint32_t delay_ms;
	bool blocked;
};

/* `user` is the name by which it is counted: the canonical one (lower case, `%` as `@`, with its domain; an
 * alias as its account), as in admission_user_enter, made alike for users that there are and that there are not. */
void admission_login_start(struct admission *a, const union address *from, struct span user, uint64_t now_ms, struct admission_attempt *t);
/* May the password be looked at now?  delay_ms = 0: yes, and this attempt's turn is taken.  Else ask again after
 * delay_ms (a timer, never a sleep).  blocked: never, the address was blocked meanwhile: refuse as if it were wrong, and close.
 * Ask when the attempt begins, and again just before hashing (when it comes out of the queue): then a thousand
 * attempts at once are no more than a few.  An attempt that had its turn waits again only if another one failed
 * since.  An attempt that is dropped owes nothing. */
struct admission_delay admission_login_wait(struct admission *a, struct admission_attempt *t, uint64_t now_ms);
/* It was wrong (also when nobody waits for the answer any longer).  delay_ms: hold the refusal back as long.
 * blocked: the address was blocked by this one (or before): refuse at once or then, and close. */
struct admission_delay admission_login_failed(struct admission *a, const struct admission_attempt *t, uint64_t now_ms);
void admission_login_good(struct admission *a, const struct admission_attempt *t, uint64_t now_ms);

/* Blocks ---------------------------------------------------------------- */

enum admission_by { ADMISSION_BY_FAILED_LOGINS, ADMISSION_BY_HAND };

struct admission_block {
	struct network network;			/* network_text makes it text */
	enum admission_by by;
	uint64_t age_ms;			/* since it was made */
	uint64_t left_ms;			/* 0 = for ever */
	uint64_t hits;				/* connections and logins refused by it */
	char why[ADMISSION_WHY_MAX + 1];	/* safe to be shown */
};

/* "failed logins", "hand". */
const char *admission_by_name(enum admission_by by);
/* A block made by hand, in these tables only.  `network`, `age_ms`, `left_ms` and `why` of *b count, `by` and
 * `hits` do not.  One that is there gets the new end and reason.  Who is in stays in.
 * ERR_CONFIG: there are ADMISSION_BLOCKS; ERR_LOCAL: out of memory. */
[[nodiscard]] bool admission_block_add(struct admission *a, const struct admission_block *b, uint64_t now_ms, struct err *e);
/* Ends the block of this very network, and all blocks (and penalties) after failed logins within it, or of the /64
 * that it is in.  How many blocks ended. */
size_t admission_block_remove(struct admission *a, const struct network *n, uint64_t now_ms);
/* Walks all blocks that hold now, those by hand first; begin with *cursor = 0.  Changes meanwhile may show or not. */
bool admission_block_each(struct admission *a, uint64_t *cursor, uint64_t now_ms, struct admission_block *b);

/* Blocks made by hand that last: in the store (store/block.h) and here.  `given` is what a person wrote, made normal
 * here; now_s: seconds since 1970, by which the store counts.  These wait for the disk: not on a connection's loop,
 * and from one thread at a time.  Errors: ERR_CONFIG (no network, no such block, too many), or the store's. */

/* At the start, before anybody comes in. */
[[nodiscard]] bool admission_kept_load(struct admission *a, struct store *s, uint64_t now_ms, int64_t now_s, struct err *e);
/* for_s: 0 = for ever. */
[[nodiscard]] bool admission_kept_add(struct admission *a, struct store *s, const char *given, uint64_t for_s, const char *why, uint64_t now_ms,
	int64_t now_s, struct err *e);
/* Ends the block of this network, of the store too, and the blocks after failed logins within it; refused when there was none at all. */
[[nodiscard]] bool admission_kept_remove(struct admission *a, struct store *s, const char *given, uint64_t now_ms, int64_t now_s, struct err *e);

/* Figures --------------------------------------------------------------- */

struct admission_counts {
	uint32_t sessions, addresses, users;	/* now in: connections, their addresses, accounts */
	uint32_t overlong;			/* addresses denied */
	uint32_t blocked_failed, blocked_by_hand;	/* in the list, about: ended ones count until they are met */
	uint32_t penalty_addresses, penalty_users, known_users;	/* entries of these tables */
	uint64_t said[ADMISSION_SAID];		/* answers at the door since the start */
	uint64_t failed_logins, good_logins;
};

void admission_counts(struct admission *a, struct admission_counts *c);
