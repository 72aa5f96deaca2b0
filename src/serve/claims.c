/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/claims.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"

enum { KEY = 32, WAYS = 8 };

struct entry {
	struct claims_key key;
	uint64_t until_ms;	/* 0: free */
	char claim[CLAIM_MAX + 1];
};

struct claims {
	uint8_t key[KEY];
	size_t sets;
	pthread_mutex_t lock;	/* of the entries */
	struct entry *entries;
};

struct claims *claims_new(size_t entries, struct err *e)
{
	struct claims *c = calloc(1, sizeof *c);

	assert(entries >= WAYS && (entries & (entries - 1)) == 0);
	if (c)
		c->entries = calloc(entries, sizeof *c->entries);
	if (!c || !c->entries || sodium_init() < 0) {
		free(c ? c->entries : NULL);
		free(c);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	random_fill(c->key, sizeof c->key);
	c->sets = entries / WAYS;
	(void)pthread_mutex_init(&c->lock, NULL);
	return c;
}

void claims_free(struct claims **out)
{
	struct claims *c = *out;

	if (!c)
		return;
	(void)pthread_mutex_destroy(&c->lock);
	free(c->entries);
	wipe(c->key, sizeof c->key);
	free(c);
	*out = NULL;
}

void claims_key(const struct claims *c, struct span token, uint64_t settings, struct claims_key *key)
{
	crypto_generichash_state s;

	crypto_generichash_init(&s, c->key, sizeof c->key, sizeof key->octets);
	crypto_generichash_update(&s, (const unsigned char *)&settings, sizeof settings);
	crypto_generichash_update(&s, (const unsigned char *)token.at, token.len);
	crypto_generichash_final(&s, key->octets, sizeof key->octets);
	wipe(&s, sizeof s);
}

/* The first octets say where it would be; nobody without the key can aim at a place. */
static struct entry *set_of(const struct claims *c, const struct claims_key *key)
{
	uint64_t n;

	memcpy(&n, key->octets, sizeof n);
	return c->entries + ((size_t)n & (c->sets - 1)) * WAYS;
}

static struct entry *find(struct entry *set, const struct claims_key *key)
{
	struct entry *found = NULL;

	for (struct entry *at = set; at < set + WAYS; at++)
		if (at->until_ms && sodium_memcmp(at->key.octets, key->octets, sizeof key->octets) == 0)
			found = at;
	return found;
}

bool claims_find(struct claims *c, const struct claims_key *key, uint64_t now_ms, char claim[CLAIM_MAX + 1])
{
	const struct entry *found;
	bool there;

	(void)pthread_mutex_lock(&c->lock);
	found = find(set_of(c, key), key);
	there = found && now_ms < found->until_ms;
	if (there)
		memcpy(claim, found->claim, sizeof found->claim);
	(void)pthread_mutex_unlock(&c->lock);
	return there;
}

void claims_put(struct claims *c, const struct claims_key *key, struct span claim, uint64_t until_ms)
{
	struct entry *set = set_of(c, key), *at;

	if (claim.len > CLAIM_MAX)
		return;
	(void)pthread_mutex_lock(&c->lock);
	at = find(set, key);
	if (!at) {
		at = set;
		for (struct entry *other = set + 1; other < set + WAYS; other++)
			if (other->until_ms < at->until_ms)
				at = other;
	}
	*at = (struct entry){ .key = *key, .until_ms = until_ms };
	if (claim.len)
		memcpy(at->claim, claim.at, claim.len);
	(void)pthread_mutex_unlock(&c->lock);
}
