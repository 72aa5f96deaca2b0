/* SPDX-License-Identifier: Apache-2.0
 *
 * Failed logins: delays, turns, and blocks of addresses. */
#include <assert.h>
#include <stdio.h>

#include "serve/admission_inside.h"

static const struct admission_delay none = { 0, false };

/* Arithmetic ---------------------------------------------------------------- */

static uint32_t bound_ms(const struct admission_limits *l)
{
	return l->failed_delay_ms > ADMISSION_WAIT_MS ? l->failed_delay_ms : ADMISSION_WAIT_MS;
}

/* The delay after so many failures: doubled each time, up to the bound. */
static uint32_t delay_ms(const struct admission_limits *l, uint32_t failures)
{
	uint32_t most = bound_ms(l), delay = l->failed_delay_ms;

	if (!failures || !delay)
		return 0;
	for (uint32_t n = 1; n < failures && delay < most; n++)
		delay = delay > most / 2 ? most : delay * 2;
	return delay;
}

static bool blocked(const struct penalty *p, uint64_t now_ms)
{
	return p->block_ends_ms > now_ms;
}

/* What of it is forgotten by now, and until when it means something. */
static void forget(struct penalty *p, uint64_t now_ms)
{
	uint64_t n = now_ms > p->counted_ms ? (now_ms - p->counted_ms) / ADMISSION_FORGET_MS : 0;
	uint64_t forgotten_ms;

	p->counted_ms += n * ADMISSION_FORGET_MS;
	p->failures = n < p->failures ? p->failures - (uint32_t)n : 0;
	if (p->of_other > p->failures)
		p->of_other = p->failures;
	forgotten_ms = p->counted_ms + (uint64_t)p->failures * ADMISSION_FORGET_MS;
	p->entry.until_ms = forgotten_ms > p->block_ends_ms ? forgotten_ms : p->block_ends_ms;
}

/* How long until the next attempt's turn? */
static uint64_t wait_ms(struct penalty *p, uint64_t now_ms)
{
	if (!p)
		return 0;
	forget(p, now_ms);
	return p->failures && p->turn_ms > now_ms ? p->turn_ms - now_ms : 0;
}

static void take_turn(struct penalty *p, const struct admission_limits *l, uint64_t now_ms)
{
	if (p)
		p->turn_ms = now_ms + delay_ms(l, p->failures);
}

/* Blocks -------------------------------------------------------------------- */

/* Takes an entry out of the rank of those that are blocked, or out of the table. */
static void demote(struct admission *a, struct table *t, struct penalty *p, uint64_t now_ms, bool forgiven)
{
	bool was = p->entry.rank == RANK_BLOCKED;

	p->block_ends_ms = 0;
	forget(p, now_ms);
	if (forgiven || !p->failures)
		table_remove(t, p);
	else
		table_touch(t, p, RANK_OFTEN);
	if (was)
		atomic_fetch_sub(&a->blocked, 1);
}

/* Before a table is added to: blocks that have ended are no better than other entries.  A few at a time. */
static void tidy_up(struct admission *a, struct table *t, uint64_t now_ms)
{
	for (int n = 0; n < 2; n++) {
		struct penalty *p = table_oldest(t, RANK_BLOCKED);

		if (!p || blocked(p, now_ms))
			return;
		demote(a, t, p, now_ms, false);
	}
}

static void block(struct admission *a, struct table *t, struct penalty *p, const struct admission_limits *l, uint64_t now_ms)
{
	if (p->entry.rank != RANK_BLOCKED) {
		if (t->ranks[RANK_BLOCKED].count >= t->max / 4 * 3)
			demote(a, t, table_oldest(t, RANK_BLOCKED), now_ms, true);
		atomic_fetch_add(&a->blocked, 1);
	}
	table_touch(t, p, RANK_BLOCKED);
	p->blocked_ms = now_ms;
	p->block_ends_ms = now_ms + l->failed_block_ms;
	p->failures = l->failed_limit / 2;
	p->hits = 0;
	forget(p, now_ms);
}

bool admission_penalty_blocks(struct admission *a, const struct counted *c, uint64_t now_ms)
{
	struct shard *s;
	struct penalty *p;
	bool is;

	if (!atomic_load(&a->blocked))
		return false;
	s = shard_of(&a->address_penalties, c->key);
	p = table_find(&s->table, c->key);
	is = p && blocked(p, now_ms);
	if (is)
		p->hits++;
	(void)pthread_mutex_unlock(&s->lock);
	return is;
}

static void network_of(const struct penalty *p, struct network *n)
{
	*n = (struct network){ .bits = p->six ? 64 : 32 };
	if (p->six) {
		n->base.v6.sin6_family = AF_INET6;
		memcpy(&n->base.v6.sin6_addr, &p->prefix, sizeof p->prefix);
	} else {
		n->base.v4.sin_family = AF_INET;
		memcpy(&n->base.v4.sin_addr, &p->prefix, sizeof n->base.v4.sin_addr);
	}
}

size_t admission_penalty_pardon(struct admission *a, const struct network *n, uint64_t now_ms)
{
	size_t ended = 0;

	for (struct shard *s = a->address_penalties.shard; s < a->address_penalties.shard + ADMISSION_SHARDS; s++) {
		(void)pthread_mutex_lock(&s->lock);
		for (uint32_t i = 0; i < s->table.high; i++) {
			struct penalty *p = table_at(&s->table, i);
			struct network its;

			if (!p)
				continue;
			network_of(p, &its);
			if (!network_has(n, &its.base) && !network_has(&its, &n->base))
				continue;
			ended += blocked(p, now_ms);
			demote(a, &s->table, p, now_ms, true);
		}
		(void)pthread_mutex_unlock(&s->lock);
	}
	return ended;
}

bool admission_penalty_each(struct admission *a, uint32_t *shard, uint32_t *index, uint64_t now_ms, struct admission_block *b)
{
	for (; *shard < ADMISSION_SHARDS; (*shard)++, *index = 0) {
		struct shard *s = &a->address_penalties.shard[*shard];
		struct penalty *p = NULL;

		(void)pthread_mutex_lock(&s->lock);
		while (!p && *index < s->table.high) {
			p = table_at(&s->table, (*index)++);
			if (p && !blocked(p, now_ms))
				p = NULL;
		}
		if (p) {
			*b = (struct admission_block){ .by = ADMISSION_BY_FAILED_LOGINS,
				.age_ms = now_ms > p->blocked_ms ? now_ms - p->blocked_ms : 0, .left_ms = p->block_ends_ms - now_ms, .hits = p->hits, .why = "too many failed logins" };
			network_of(p, &b->network);
		}
		(void)pthread_mutex_unlock(&s->lock);
		if (p)
			return true;
	}
	return false;
}

/* Attempts ------------------------------------------------------------------ */

void admission_login_start(struct admission *a, const union address *from, struct span user, uint64_t now_ms, struct admission_attempt *t)
{
	struct counted c;

	admission_count_address(a, from, &c);
	*t = (struct admission_attempt){ .prefix = c.prefix, .six = c.six, .began_ms = now_ms };
	memcpy(t->address, c.key, sizeof t->address);
	admission_count_user(a, user, t->user);
	(void)pthread_rwlock_rdlock(&a->rules.lock);
	t->exempt = netset_has(&a->rules.never, from);
	(void)pthread_rwlock_unlock(&a->rules.lock);
}

/* It has taken its turn already, and nothing failed since. */
static bool has_turn(const struct admission_attempt *t, const struct penalty *address, const struct penalty *user)
{
	return t->turn && (!address || address->failures <= t->failures[0]) && (!user || user->failures <= t->failures[1]);
}

static void give_turn(struct admission_attempt *t, struct penalty *address, struct penalty *user, const struct admission_limits *l, uint64_t now_ms)
{
	take_turn(address, l, now_ms);
	take_turn(user, l, now_ms);
	t->turn = true;
	t->failures[0] = address ? address->failures : 0;
	t->failures[1] = user ? user->failures : 0;
}

struct admission_delay admission_login_wait(struct admission *a, struct admission_attempt *t, uint64_t now_ms)
{
	struct admission_limits l = admission_limits_now(a);
	uint64_t last_ms = t->began_ms + bound_ms(&l), address_ms, user_ms, wait;
	bool known = admission_known_has(a, t, now_ms), is_blocked;
	struct shard *by_address = shard_of(&a->address_penalties, t->address);
	struct shard *by_user = shard_of(&a->user_penalties, t->user);
	struct penalty *address = t->exempt ? NULL : table_find(&by_address->table, t->address);
	struct penalty *user = table_find(&by_user->table, t->user);

	is_blocked = address && blocked(address, now_ms);
	address_ms = wait_ms(address, now_ms);
	user_ms = wait_ms(user, now_ms);
	wait = address_ms > user_ms ? address_ms : user_ms;
	if (known || now_ms >= last_ms || has_turn(t, address, user))
		wait = 0;
	else if (wait > last_ms - now_ms)
		wait = last_ms - now_ms;
	if (is_blocked)
		address->hits++;
	else if (!wait && !known && !has_turn(t, address, user))
		give_turn(t, address, user, &l, now_ms);
	(void)pthread_mutex_unlock(&by_user->lock);
	(void)pthread_mutex_unlock(&by_address->lock);
	return is_blocked ? (struct admission_delay){ 0, true } : (struct admission_delay){ (uint32_t)wait, false };
}

/* A full table gives an entry away, but none of those that are blocked: they are three quarters at most. */
static struct penalty *add(struct admission *a, struct table *t, const uint64_t key[2], uint64_t now_ms)
{
	struct penalty *p;
	uint32_t were;

	tidy_up(a, t, now_ms);
	were = t->ranks[RANK_BLOCKED].count;
	p = table_add(t, key, now_ms);
	assert(t->ranks[RANK_BLOCKED].count == were);
	return p;
}

/* One more failure of an address or a user; NULL: out of memory. */
static struct penalty *fail(struct admission *a, struct table *t, const uint64_t key[2], uint64_t other, uint32_t most, uint64_t now_ms)
{
	struct penalty *p = table_find(t, key);

	if (!p) {
		p = add(a, t, key, now_ms);
		if (!p)
			return NULL;
	}
	forget(p, now_ms);
	if (!p->failures)
		p->counted_ms = now_ms;
	if (p->other != other)
		p->of_other = 0;
	p->other = other;
	if (p->failures < most) {
		p->failures++;
		p->of_other++;
	}
	if (p->entry.rank != RANK_BLOCKED)
		table_touch(t, p, p->failures > 1 ? RANK_OFTEN : RANK_ONCE);
	forget(p, now_ms);
	return p;
}

static struct admission_delay fail_address(struct admission *a, const struct admission_limits *l, const struct admission_attempt *t, uint64_t now_ms)
{
	struct shard *s = shard_of(&a->address_penalties, t->address);
	uint32_t most = l->failed_limit > FAILURES_MAX ? l->failed_limit : FAILURES_MAX;
	struct penalty *p = fail(a, &s->table, t->address, t->user[0], most, now_ms);
	struct admission_delay d = none;

	if (p) {
		p->six = t->six;
		p->prefix = t->prefix;
		d.delay_ms = delay_ms(l, p->failures);
		p->turn_ms = now_ms + d.delay_ms;
		d.blocked = blocked(p, now_ms);
		if (!d.blocked && l->failed_limit && l->failed_block_ms && p->failures >= l->failed_limit) {
			block(a, &s->table, p, l, now_ms);
			d.blocked = true;
		}
	}
	(void)pthread_mutex_unlock(&s->lock);
	return d;
}

static uint32_t fail_user(struct admission *a, const struct admission_limits *l, const struct admission_attempt *t, uint64_t now_ms)
{
	struct shard *s = shard_of(&a->user_penalties, t->user);
	struct penalty *p = fail(a, &s->table, t->user, t->address[0], FAILURES_MAX, now_ms);
	uint32_t delay = 0;

	if (p) {
		delay = delay_ms(l, p->failures);
		p->turn_ms = now_ms + delay;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return delay;
}

struct admission_delay admission_login_failed(struct admission *a, const struct admission_attempt *t, uint64_t now_ms)
{
	struct admission_limits l = admission_limits_now(a);
	struct admission_delay d = none;
	uint32_t user_ms;

	atomic_fetch_add_explicit(&a->failed_logins, 1, memory_order_relaxed);
	admission_known_drop(a, t);
	if (!t->exempt)
		d = fail_address(a, &l, t, now_ms);
	user_ms = fail_user(a, &l, t, now_ms);
	if (user_ms > d.delay_ms)
		d.delay_ms = user_ms;
	return d;
}

/* Takes back what this address failed with this user, since others failed. */
static void forgive(struct admission *a, struct shards *all, const uint64_t key[2], uint64_t other, uint64_t now_ms)
{
	struct shard *s = shard_of(all, key);
	struct penalty *p = table_find(&s->table, key);

	if (p && p->other == other) {
		forget(p, now_ms);
		p->failures -= p->of_other;
		p->of_other = 0;
		forget(p, now_ms);
		if (!p->failures && !blocked(p, now_ms))
			demote(a, &s->table, p, now_ms, true);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

void admission_login_good(struct admission *a, const struct admission_attempt *t, uint64_t now_ms)
{
	atomic_fetch_add_explicit(&a->good_logins, 1, memory_order_relaxed);
	if (!t->exempt)
		forgive(a, &a->address_penalties, t->address, t->user[0], now_ms);
	forgive(a, &a->user_penalties, t->user, t->address[0], now_ms);
	admission_known_note(a, t, now_ms);
}
