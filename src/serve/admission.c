/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/admission_inside.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"

static_assert(sizeof(((struct admission *)0)->key_user) == crypto_shorthash_siphashx24_KEYBYTES, "SipHash's key");
static_assert(sizeof(((struct table_entry *)0)->key) == crypto_shorthash_siphashx24_BYTES, "and its 128 bits");

void shards_start(struct shards *s, size_t size, uint32_t max)
{
	for (struct shard *p = s->shard; p < s->shard + ADMISSION_SHARDS; p++) {
		(void)pthread_mutex_init(&p->lock, NULL);
		table_start(&p->table, size, max == TABLE_EXACT ? max : max / ADMISSION_SHARDS);
	}
}

void shards_end(struct shards *s)
{
	for (struct shard *p = s->shard; p < s->shard + ADMISSION_SHARDS; p++) {
		table_end(&p->table);
		(void)pthread_mutex_destroy(&p->lock);
	}
}

struct shard *shard_of(struct shards *s, const uint64_t key[2])
{
	struct shard *p = &s->shard[key[1] % ADMISSION_SHARDS];

	(void)pthread_mutex_lock(&p->lock);
	return p;
}

uint32_t shards_count(struct shards *s)
{
	uint32_t n = 0;

	for (struct shard *p = s->shard; p < s->shard + ADMISSION_SHARDS; p++) {
		(void)pthread_mutex_lock(&p->lock);
		n += table_count(&p->table);
		(void)pthread_mutex_unlock(&p->lock);
	}
	return n;
}

void admission_count_address(const struct admission *a, const union address *from, struct counted *c)
{
	unsigned char octets[1 + sizeof c->prefix] = { 0 };
	union address plain = *from;

	(void)address_unmap(&plain);
	*c = (struct counted){ .six = plain.any.sa_family == AF_INET6 };
	octets[0] = c->six ? 6 : 4;
	if (c->six)
		memcpy(octets + 1, &plain.v6.sin6_addr, sizeof c->prefix);
	else if (plain.any.sa_family == AF_INET)
		memcpy(octets + 1, &plain.v4.sin_addr, sizeof plain.v4.sin_addr);
	memcpy(&c->prefix, octets + 1, sizeof c->prefix);
	(void)crypto_shorthash_siphashx24((unsigned char *)c->key, octets, sizeof octets, a->key_address);
}

void admission_count_user(const struct admission *a, struct span user, uint64_t key[2])
{
	(void)crypto_shorthash_siphashx24((unsigned char *)key, (const unsigned char *)(user.at ? user.at : ""), user.len, a->key_user);
}

/* Rules ------------------------------------------------------------------ */

static bool fill(struct netset *s, const struct network *n, size_t count)
{
	netset_start(s);
	for (size_t i = 0; i < count; i++)
		if (!netset_put(s, &n[i], 0))
			return false;
	return true;
}

bool admission_reload(struct admission *a, const struct admission_limits *l, struct err *e)
{
	struct netset except, never, old;
	bool good = fill(&except, l->except, l->except_count);

	good = fill(&never, l->never, l->never_count) && good;
	if (good) {
		(void)pthread_rwlock_wrlock(&a->rules.lock);
		old = a->rules.except;
		a->rules.except = except;
		except = old;
		old = a->rules.never;
		a->rules.never = never;
		never = old;
		a->rules.limits = *l;
		a->rules.limits.except = a->rules.limits.never = NULL;
		(void)pthread_rwlock_unlock(&a->rules.lock);
	}
	netset_end(&except);
	netset_end(&never);
	return good || err_set(e, ERR_LOCAL, "out of memory for the networks of pop3's access and proxies");
}

struct admission_limits admission_limits_now(struct admission *a)
{
	struct admission_limits l;

	(void)pthread_rwlock_rdlock(&a->rules.lock);
	l = a->rules.limits;
	(void)pthread_rwlock_unlock(&a->rules.lock);
	return l;
}

/* Whoever changes the rules goes first, however many come in: nobody locks for reading twice. */
static void start_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t how;

	(void)pthread_rwlockattr_init(&how);
	(void)pthread_rwlockattr_setkind_np(&how, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(lock, &how);
	(void)pthread_rwlockattr_destroy(&how);
}

struct admission *admission_new(const struct admission_limits *l, struct err *e)
{
	struct admission *a = sodium_init() < 0 ? NULL : aligned_alloc(ADMISSION_LINE, sizeof *a);

	if (!a) {
		(void)err_set(e, ERR_LOCAL, "out of memory for the tables of admission");
		return NULL;
	}
	memset(a, 0, sizeof *a);
	random_fill(a->key_address, sizeof a->key_address);
	random_fill(a->key_user, sizeof a->key_user);
	start_lock(&a->rules.lock);
	netset_start(&a->rules.hand);
	shards_start(&a->addresses, sizeof(struct place), TABLE_EXACT);
	shards_start(&a->accounts, sizeof(struct place), TABLE_EXACT);
	shards_start(&a->address_penalties, sizeof(struct penalty), ADMISSION_ADDRESSES);
	shards_start(&a->user_penalties, sizeof(struct penalty), ADMISSION_USERS);
	shards_start(&a->known, sizeof(struct known), ADMISSION_KNOWN);
	(void)pthread_mutex_init(&a->overlong.lock, NULL);
	table_start(&a->overlong.table, sizeof(struct table_entry), ADMISSION_OVERLONG);
	if (!admission_reload(a, l, e))
		admission_free(&a);
	return a;
}

void admission_free(struct admission **a)
{
	struct admission *old = *a;

	*a = NULL;
	if (!old)
		return;
	shards_end(&old->addresses);
	shards_end(&old->accounts);
	shards_end(&old->address_penalties);
	shards_end(&old->user_penalties);
	shards_end(&old->known);
	table_end(&old->overlong.table);
	(void)pthread_mutex_destroy(&old->overlong.lock);
	netset_end(&old->rules.except);
	netset_end(&old->rules.never);
	netset_end(&old->rules.hand);
	free(old->rules.blocks);
	(void)pthread_rwlock_destroy(&old->rules.lock);
	free(old);
}

/* The door --------------------------------------------------------------- */

struct guest {
	struct counted c;
	bool counts;		/* it is no trusted proxy */
	uint32_t max_sessions, max_per_address;	/* at this moment */
};

/* May the address come in, however many there are? */
static enum admission_said look(struct admission *a, const union address *from, uint64_t now_ms, struct guest *g)
{
	enum admission_said said = ADMISSION_GOOD;

	admission_count_address(a, from, &g->c);
	(void)pthread_rwlock_rdlock(&a->rules.lock);
	g->max_sessions = a->rules.limits.max_sessions;
	g->max_per_address = a->rules.limits.max_per_address;
	g->counts = !netset_has(&a->rules.never, from);
	if (g->counts && netset_has(&a->rules.except, from) != a->rules.limits.deny_all_but)
		said = ADMISSION_ACCESS;
	else if (g->counts && admission_hand_blocks(a, from, now_ms))
		said = ADMISSION_BLOCKED;
	(void)pthread_rwlock_unlock(&a->rules.lock);
	if (said != ADMISSION_GOOD || !g->counts)
		return said;
	if (admission_overlong_has(a, &g->c))
		return ADMISSION_DENIED;
	return admission_penalty_blocks(a, &g->c, now_ms) ? ADMISSION_BLOCKED : ADMISSION_GOOD;
}

static enum admission_said take_session(struct admission *a, uint32_t max, struct admission_seat *seat)
{
	uint32_t n = atomic_load(&a->sessions);

	assert(!seat->holds);
	do {
		if (n >= max)
			return ADMISSION_FULL;
	} while (!atomic_compare_exchange_weak(&a->sessions, &n, n + 1));
	seat->holds = SEAT_SESSION;
	return ADMISSION_GOOD;
}

static enum admission_said take_address(struct admission *a, const struct guest *g, uint64_t now_ms, struct admission_seat *seat)
{
	const uint64_t *key = g->c.key;
	struct shard *s = shard_of(&a->addresses, key);
	struct place *p = table_find(&s->table, key);
	enum admission_said said = ADMISSION_GOOD;

	assert(!(seat->holds & SEAT_ADDRESS));
	if (p && g->max_per_address && p->sessions >= g->max_per_address)
		said = ADMISSION_ADDRESS_FULL;
	else if (!p && !(p = table_add(&s->table, key, now_ms)))
		said = ADMISSION_FULL;
	else
		p->sessions++;
	(void)pthread_mutex_unlock(&s->lock);
	if (said == ADMISSION_GOOD) {
		seat->holds |= SEAT_ADDRESS;
		memcpy(seat->address, key, sizeof seat->address);
	}
	return said;
}

static enum admission_said tell(struct admission *a, enum admission_said said)
{
	atomic_fetch_add_explicit(&a->said[said], 1, memory_order_relaxed);
	return said;
}

enum admission_said admission_enter(struct admission *a, const union address *from, uint64_t now_ms, struct admission_seat *seat)
{
	struct guest g;
	enum admission_said said = look(a, from, now_ms, &g);

	if (said == ADMISSION_GOOD)
		said = take_session(a, g.max_sessions, seat);
	if (said == ADMISSION_GOOD && g.counts)
		said = take_address(a, &g, now_ms, seat);
	if (said != ADMISSION_GOOD)
		admission_leave(a, seat);
	return tell(a, said);
}

enum admission_said admission_enter_proxied(struct admission *a, struct admission_seat *seat)
{
	enum admission_said said = take_session(a, admission_limits_now(a).max_sessions, seat);

	return said == ADMISSION_GOOD ? said : tell(a, said);
}

enum admission_said admission_address(struct admission *a, const union address *from, uint64_t now_ms, struct admission_seat *seat)
{
	struct guest g;
	enum admission_said said = look(a, from, now_ms, &g);

	assert(seat->holds & SEAT_SESSION);
	if (said == ADMISSION_GOOD && g.counts)
		said = take_address(a, &g, now_ms, seat);
	return tell(a, said);
}

void admission_leave(struct admission *a, struct admission_seat *seat)
{
	admission_user_leave(a, seat);
	if (seat->holds & SEAT_ADDRESS) {
		struct shard *s = shard_of(&a->addresses, seat->address);
		struct place *p = table_find(&s->table, seat->address);

		assert(p && p->sessions);
		if (!--p->sessions)
			table_remove(&s->table, p);
		(void)pthread_mutex_unlock(&s->lock);
	}
	if (seat->holds & SEAT_SESSION)
		atomic_fetch_sub(&a->sessions, 1);
	*seat = (struct admission_seat){ 0 };
}

void admission_counts(struct admission *a, struct admission_counts *c)
{
	*c = (struct admission_counts){
		.sessions = atomic_load(&a->sessions), .addresses = shards_count(&a->addresses), .users = shards_count(&a->accounts),
		.overlong = atomic_load(&a->denied), .blocked_failed = atomic_load(&a->blocked),
		.penalty_addresses = shards_count(&a->address_penalties), .penalty_users = shards_count(&a->user_penalties),
		.known_users = shards_count(&a->known),
		.failed_logins = atomic_load(&a->failed_logins), .good_logins = atomic_load(&a->good_logins),
	};
	for (size_t i = 0; i < ADMISSION_SAID; i++)
		c->said[i] = atomic_load(&a->said[i]);
	(void)pthread_rwlock_rdlock(&a->rules.lock);
	c->blocked_by_hand = (uint32_t)a->rules.hand.count;
	(void)pthread_rwlock_unlock(&a->rules.lock);
}
