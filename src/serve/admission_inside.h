/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside admission: its tables, and what its files share.
 *
 * Locks: `rules` is a read-write lock, taken alone; the shards' mutexes are
 * taken alone, or in this order: addresses' penalties, users' penalties; or
 * accounts' sessions, known users.  A key is SipHash of 16 octets, with a secret
 * of this process: 64 bits of it choose the bucket, the others the shard. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "serve/admission.h"
#include "serve/netset.h"
#include "serve/table.h"

enum { ADMISSION_SHARDS = 16, ADMISSION_KNOWN_FROM = 8, ADMISSION_LINE = 64 };
enum { SEAT_SESSION = 1, SEAT_ADDRESS = 2, SEAT_USER = 4 };
enum { RANK_ONCE, RANK_OFTEN, RANK_BLOCKED };
/* A user has no more failures than that, nor an address that is not blocked by then: two hours forget them. */
enum { FAILURES_MAX = 12 };

struct shard {
	_Alignas(ADMISSION_LINE) pthread_mutex_t lock;
	struct table table;
};

struct shards {
	struct shard shard[ADMISSION_SHARDS];
};

struct place {		/* an address, or an account, with sessions */
	struct table_entry entry;
	uint32_t sessions;
	bool alone;	/* an account's: exclusive */
};

struct penalty {	/* of an address or a user */
	struct table_entry entry;
	uint64_t counted_ms;		/* from then on failures are forgotten */
	uint64_t turn_ms;		/* the next attempt is looked at from then on */
	uint64_t other;			/* the user (the address) of the last failure, */
	uint32_t of_other, failures;	/* and how many came in a row from there; all of them */
	uint32_t hits;
	bool six;			/* an address: */
	uint64_t prefix;		/* 32 bits, or the first 64 of IPv6 */
	uint64_t blocked_ms, block_ends_ms;	/* 0 = never was */
};

struct known {		/* an account that logged in */
	struct table_entry entry;
	uint64_t login_ms;		/* plus one; 0 = none */
	uint64_t from[ADMISSION_KNOWN_FROM];
	uint32_t good_s[ADMISSION_KNOWN_FROM];	/* 0 = none */
};

struct hand_block {
	struct network network;
	bool used;
	int64_t made_ms;		/* may be before the clock's zero */
	uint64_t ends_ms;		/* UINT64_MAX = never */
	atomic_uint_fast64_t hits;
	char why[ADMISSION_WHY_MAX + 1];
};

struct rules {
	pthread_rwlock_t lock;
	struct admission_limits limits;	/* the networks are in: */
	struct netset except, never;
	struct netset hand;		/* index into blocks */
	struct hand_block *blocks;
	uint32_t block_room, block_high;
};

struct admission {
	struct rules rules;
	unsigned char key_address[16], key_user[16];
	struct shards addresses, accounts;	/* struct place: exact, as many as there are sessions */
	struct shards address_penalties, user_penalties;
	struct shards known;
	struct shard overlong;		/* one, so that the oldest of all goes */
	atomic_uint sessions;
	atomic_uint denied, blocked;	/* entries; 0 = nothing to look up */
	atomic_uint_fast64_t said[ADMISSION_SAID], failed_logins, good_logins;
};

/* An address as it counts. */
struct counted {
	uint64_t key[2], prefix;
	bool six;
};

void shards_start(struct shards *s, size_t size, uint32_t max);
void shards_end(struct shards *s);
struct shard *shard_of(struct shards *s, const uint64_t key[2]);	/* locked */
uint32_t shards_count(struct shards *s);
void admission_count_address(const struct admission *a, const union address *from, struct counted *c);
void admission_count_user(const struct admission *a, struct span user, uint64_t key[2]);
/* The limits as they are now; without networks. */
struct admission_limits admission_limits_now(struct admission *a);
/* Is the address blocked now, by failed logins?  That is a hit. */
bool admission_penalty_blocks(struct admission *a, const struct counted *c, uint64_t now_ms);
/* Ends blocks and penalties of addresses that the network is around, or in; how many were blocks. */
size_t admission_penalty_pardon(struct admission *a, const struct network *n, uint64_t now_ms);
/* The next blocked address from *shard and *index on. */
bool admission_penalty_each(struct admission *a, uint32_t *shard, uint32_t *index, uint64_t now_ms, struct admission_block *b);
/* With the rules locked for reading: is the address in a block made by hand?  That is a hit. */
bool admission_hand_blocks(struct admission *a, const union address *from, uint64_t now_ms);
bool admission_overlong_has(struct admission *a, const struct counted *c);
/* Did the user log in from there lately?  Then note it, or forget it. */
bool admission_known_has(struct admission *a, const struct admission_attempt *t, uint64_t now_ms);
void admission_known_note(struct admission *a, const struct admission_attempt *t, uint64_t now_ms);
void admission_known_drop(struct admission *a, const struct admission_attempt *t);
