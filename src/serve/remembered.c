/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remembered.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"

enum { KEY = 32, SHARDS = 16, WAYS = 8 };

struct entry {
	struct remembered_mac mac;
	uint64_t until_ms;	/* 0: free */
};

struct remembered {
	uint8_t key[KEY];
	uint64_t last_ms;
	size_t sets;
	pthread_mutex_t locks[SHARDS];
	struct entry *entries;
};

struct remembered *remembered_new(size_t entries, uint64_t last_ms, struct err *e)
{
	struct remembered *r = calloc(1, sizeof *r);

	assert(entries >= (size_t)SHARDS * WAYS && (entries & (entries - 1)) == 0);
	if (r)
		r->entries = calloc(entries, sizeof *r->entries);
	if (!r || !r->entries || sodium_init() < 0) {
		free(r ? r->entries : NULL);
		free(r);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	random_fill(r->key, sizeof r->key);
	r->last_ms = last_ms;
	r->sets = entries / WAYS;
	for (size_t n = 0; n < SHARDS; n++)
		pthread_mutex_init(&r->locks[n], NULL);
	return r;
}

void remembered_free(struct remembered **out)
{
	struct remembered *r = *out;

	if (!r)
		return;
	for (size_t n = 0; n < SHARDS; n++)
		pthread_mutex_destroy(&r->locks[n]);
	free(r->entries);
	wipe(r->key, sizeof r->key);
	free(r);
	*out = NULL;
}

/* Each part with its length, so that nothing can move from one to the next. */
static void add(crypto_generichash_state *s, struct span part)
{
	uint64_t len = part.len;

	crypto_generichash_update(s, (const unsigned char *)&len, sizeof len);
	crypto_generichash_update(s, (const unsigned char *)part.at, part.len);
}

void remembered_mac(const struct remembered *r, const struct remembered_what *what, struct remembered_mac *mac)
{
	crypto_generichash_state s;

	crypto_generichash_init(&s, r->key, sizeof r->key, sizeof mac->octets);
	add(&s, span_of(what->account));
	add(&s, span_of(what->way));
	add(&s, span_of(what->source));
	add(&s, what->password);
	add(&s, span_of(what->verifier));
	crypto_generichash_final(&s, mac->octets, sizeof mac->octets);
	wipe(&s, sizeof s);
}

/* The first octets say where it would be; nobody without the key can aim at a place. */
static size_t set_of(const struct remembered *r, const struct remembered_mac *mac)
{
	uint64_t n;

	memcpy(&n, mac->octets, sizeof n);
	return (size_t)n & (r->sets - 1);
}

static struct entry *find(struct entry *set, const struct remembered_mac *mac)
{
	struct entry *found = NULL;

	for (struct entry *at = set; at < set + WAYS; at++)
		if (at->until_ms && sodium_memcmp(at->mac.octets, mac->octets, sizeof mac->octets) == 0)
			found = at;
	return found;
}

bool remembered_there(struct remembered *r, const struct remembered_mac *mac, uint64_t now_ms)
{
	size_t set = set_of(r, mac);
	struct entry *found;
	bool there;

	pthread_mutex_lock(&r->locks[set % SHARDS]);
	found = find(r->entries + set * WAYS, mac);
	there = found && now_ms < found->until_ms;
	pthread_mutex_unlock(&r->locks[set % SHARDS]);
	return there;
}

void remembered_put(struct remembered *r, const struct remembered_mac *mac, uint64_t now_ms)
{
	size_t n = set_of(r, mac);
	struct entry *set = r->entries + n * WAYS, *at;

	pthread_mutex_lock(&r->locks[n % SHARDS]);
	at = find(set, mac);
	if (!at) {
		at = set;
		for (struct entry *other = set + 1; other < set + WAYS; other++)
			if (other->until_ms < at->until_ms)
				at = other;
	}
	at->mac = *mac;
	at->until_ms = now_ms + r->last_ms;
	pthread_mutex_unlock(&r->locks[n % SHARDS]);
}
