/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks by hand, the list of all blocks, and denials after overlong commands. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "serve/admission_inside.h"

/* Cursors: from 0 the blocks made by hand, from here the shards of the others, 32 bits of index each. */
#define FAILED_FIRST ((uint64_t)1 << 40)

enum { ROOM_FIRST = 16, INDEX_BITS = 32 };

const char *admission_by_name(enum admission_by by)
{
	static const char *const names[] = { [ADMISSION_BY_FAILED_LOGINS] = "failed logins", [ADMISSION_BY_HAND] = "hand" };

	assert(by < COUNT(names));
	return names[by];
}

/* By hand ------------------------------------------------------------------- */

bool admission_hand_blocks(struct admission *a, const union address *from, uint64_t now_ms)
{
	int bits = NETSET_V6_BITS;
	uint32_t i;

	while (netset_around(&a->rules.hand, from, &bits, &i)) {
		struct hand_block *b = &a->rules.blocks[i];

		if (b->ends_ms > now_ms) {
			atomic_fetch_add_explicit(&b->hits, 1, memory_order_relaxed);
			return true;
		}
	}
	return false;
}

static void drop(struct rules *r, struct hand_block *b)
{
	(void)netset_remove(&r->hand, &b->network);
	b->used = false;
}

/* A place for one more, or NULL.  Ended ones make room when there is none. */
static struct hand_block *place(struct rules *r, uint64_t now_ms)
{
	struct hand_block *more;
	uint32_t room = r->block_room ? r->block_room * 2 : ROOM_FIRST;

	for (int swept = 0; swept < 2; swept++) {
		for (uint32_t i = 0; r->hand.count < r->block_high && i < r->block_high; i++)
			if (!r->blocks[i].used)
				return &r->blocks[i];
		for (uint32_t i = 0; r->hand.count == ADMISSION_BLOCKS && i < r->block_high; i++)
			if (r->blocks[i].ends_ms <= now_ms)
				drop(r, &r->blocks[i]);
	}
	if (r->block_high == ADMISSION_BLOCKS)
		return NULL;
	if (r->block_high == r->block_room) {
		if (room > ADMISSION_BLOCKS)
			room = ADMISSION_BLOCKS;
		more = realloc(r->blocks, room * sizeof *more);
		if (!more)
			return NULL;
		r->blocks = more;
		r->block_room = room;
	}
	r->blocks[r->block_high] = (struct hand_block){ 0 };
	return &r->blocks[r->block_high++];
}

static void write_down(struct hand_block *at, const struct admission_block *b, uint64_t now_ms)
{
	if (!at->used) {
		at->made_ms = (int64_t)now_ms - (int64_t)b->age_ms;
		atomic_store(&at->hits, 0);
	}
	at->network = b->network;
	at->used = true;
	at->ends_ms = b->left_ms && b->left_ms < UINT64_MAX - now_ms ? now_ms + b->left_ms : UINT64_MAX;
	(void)snprintf(at->why, sizeof at->why, "%.*s", ADMISSION_WHY_MAX, b->why);
	text_clean(at->why, strlen(at->why));
}

bool admission_block_add(struct admission *a, const struct admission_block *b, uint64_t now_ms, struct err *e)
{
	struct rules *r = &a->rules;
	struct hand_block *at;
	uint32_t i;
	bool good = true;

	(void)pthread_rwlock_wrlock(&r->lock);
	at = netset_get(&r->hand, &b->network, &i) ? &r->blocks[i] : NULL;
	if (at && at->ends_ms <= now_ms)
		at->used = false;	/* it begins anew, in its old place */
	if (!at) {
		at = place(r, now_ms);
		good = at && netset_put(&r->hand, &b->network, (uint32_t)(at - r->blocks));
	}
	if (good)
		write_down(at, b, now_ms);
	else if (r->hand.count == ADMISSION_BLOCKS)
		(void)err_set(e, ERR_CONFIG, "there are %d blocks already; remove some: postrider block list", ADMISSION_BLOCKS);
	else
		(void)err_set(e, ERR_LOCAL, "out of memory for one more block");
	(void)pthread_rwlock_unlock(&r->lock);
	return good;
}

size_t admission_block_remove(struct admission *a, const struct network *n, uint64_t now_ms)
{
	struct rules *r = &a->rules;
	size_t ended = 0;
	uint32_t i;

	(void)pthread_rwlock_wrlock(&r->lock);
	if (netset_get(&r->hand, n, &i)) {
		ended = r->blocks[i].ends_ms > now_ms;
		drop(r, &r->blocks[i]);
	}
	(void)pthread_rwlock_unlock(&r->lock);
	return ended + admission_penalty_pardon(a, n, now_ms);
}

/* The list ------------------------------------------------------------------ */

static bool hand_each(struct admission *a, uint64_t *cursor, uint64_t now_ms, struct admission_block *b)
{
	struct rules *r = &a->rules;
	struct hand_block *at = NULL;

	(void)pthread_rwlock_rdlock(&r->lock);
	while (!at && *cursor < r->block_high) {
		at = &r->blocks[(*cursor)++];
		if (!at->used || at->ends_ms <= now_ms)
			at = NULL;
	}
	if (at) {
		*b = (struct admission_block){ .network = at->network, .by = ADMISSION_BY_HAND,
			.age_ms = (int64_t)now_ms > at->made_ms ? (uint64_t)((int64_t)now_ms - at->made_ms) : 0,
			.left_ms = at->ends_ms == UINT64_MAX ? 0 : at->ends_ms - now_ms, .hits = atomic_load(&at->hits) };
		memcpy(b->why, at->why, sizeof b->why);
	}
	(void)pthread_rwlock_unlock(&r->lock);
	return at != NULL;
}

bool admission_block_each(struct admission *a, uint64_t *cursor, uint64_t now_ms, struct admission_block *b)
{
	uint32_t shard, index;
	bool there;

	if (*cursor < FAILED_FIRST) {
		if (hand_each(a, cursor, now_ms, b))
			return true;
		*cursor = FAILED_FIRST;
	}
	shard = (uint32_t)((*cursor - FAILED_FIRST) >> INDEX_BITS);
	index = (uint32_t)*cursor;
	there = admission_penalty_each(a, &shard, &index, now_ms, b);
	*cursor = FAILED_FIRST + ((uint64_t)shard << INDEX_BITS) + index;
	return there;
}

/* Overlong commands ---------------------------------------------------------- */

bool admission_overlong(struct admission *a, const union address *from)
{
	struct shard *s = &a->overlong;
	struct table_entry *e;
	struct counted c;
	bool denies;

	(void)pthread_rwlock_rdlock(&a->rules.lock);
	denies = a->rules.limits.overlong_denies && !netset_has(&a->rules.never, from);
	(void)pthread_rwlock_unlock(&a->rules.lock);
	if (!denies)
		return false;
	admission_count_address(a, from, &c);
	(void)pthread_mutex_lock(&s->lock);
	e = table_find(&s->table, c.key);
	if (e)
		table_touch(&s->table, e, 0);
	else
		e = table_add(&s->table, c.key, 0);
	atomic_store(&a->denied, table_count(&s->table));
	(void)pthread_mutex_unlock(&s->lock);
	return e != NULL;
}

bool admission_overlong_has(struct admission *a, const struct counted *c)
{
	bool has;

	if (!atomic_load(&a->denied))
		return false;
	(void)pthread_mutex_lock(&a->overlong.lock);
	has = table_find(&a->overlong.table, c->key) != NULL;
	(void)pthread_mutex_unlock(&a->overlong.lock);
	return has;
}
