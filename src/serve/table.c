/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 16 };	/* a power of two; so is every room, but one that is `max` */

/* Links are indices plus one. */
static struct table_entry *linked(const struct table *t, uint32_t link)
{
	return link ? (struct table_entry *)(void *)(t->pool + (size_t)(link - 1) * t->size) : NULL;
}

static uint32_t link_of(const struct table *t, const struct table_entry *e)
{
	return (uint32_t)((size_t)((const char *)e - t->pool) / t->size) + 1;
}

/* As many buckets as the power of two that holds `room`. */
static uint32_t bucket_count(uint32_t room)
{
	uint32_t n = ROOM_FIRST;

	while (n < room)
		n *= 2;
	return n;
}

static uint32_t *bucket(const struct table *t, const uint64_t key[2])
{
	return &t->buckets[key[0] & t->mask];
}

void table_start(struct table *t, size_t size, uint32_t max)
{
	assert(size >= sizeof(struct table_entry) && size % _Alignof(struct table_entry) == 0 && max > 0 && max <= TABLE_EXACT);
	*t = (struct table){ .size = size, .max = max };
}

void table_end(struct table *t)
{
	free(t->pool);
	free(t->buckets);
	*t = (struct table){ 0 };
}

uint32_t table_count(const struct table *t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < TABLE_RANKS; i++)
		n += t->ranks[i].count;
	return n;
}

void *table_at(const struct table *t, uint32_t index)
{
	struct table_entry *e = index < t->high ? linked(t, index + 1) : NULL;

	return e && e->used ? e : NULL;
}

void *table_oldest(const struct table *t, uint8_t rank)
{
	return linked(t, t->ranks[rank].oldest);
}

void *table_find(const struct table *t, const uint64_t key[2])
{
	struct table_entry *e;

	if (!t->room)
		return NULL;
	for (e = linked(t, *bucket(t, key)); e; e = linked(t, e->chain))
		if (e->key[0] == key[0] && e->key[1] == key[1])
			break;
	return e;
}

static void hang_in(struct table *t, struct table_entry *e)
{
	uint32_t *head = bucket(t, e->key);

	e->chain = *head;
	*head = link_of(t, e);
}

static bool grow(struct table *t)
{
	uint32_t room = t->room ? t->room * 2 : ROOM_FIRST, count, *buckets;
	char *pool;

	if (room > t->max)
		room = t->max;
	count = bucket_count(room);
	pool = realloc(t->pool, room * t->size);
	if (!pool)
		return false;
	t->pool = pool;
	buckets = calloc(count, sizeof *buckets);
	if (!buckets)
		return false;		/* the larger pool is as good as the old one */
	free(t->buckets);
	t->buckets = buckets;
	t->room = room;
	t->mask = count - 1;
	for (uint32_t i = 0; i < t->high; i++)
		if (table_at(t, i))
			hang_in(t, table_at(t, i));
	return true;
}

static void enlist(struct table *t, struct table_entry *e, uint8_t rank)
{
	uint32_t link = link_of(t, e), newest = t->ranks[rank].newest;

	e->rank = rank;
	e->older = newest;
	e->newer = 0;
	if (newest)
		linked(t, newest)->newer = link;
	else
		t->ranks[rank].oldest = link;
	t->ranks[rank].newest = link;
	t->ranks[rank].count++;
}

static void delist(struct table *t, struct table_entry *e)
{
	if (e->older)
		linked(t, e->older)->newer = e->newer;
	else
		t->ranks[e->rank].oldest = e->newer;
	if (e->newer)
		linked(t, e->newer)->older = e->older;
	else
		t->ranks[e->rank].newest = e->older;
	t->ranks[e->rank].count--;
}

void table_touch(struct table *t, void *entry, uint8_t rank)
{
	struct table_entry *e = entry;

	assert(e->used && rank < TABLE_RANKS);
	delist(t, e);
	enlist(t, e, rank);
}

void table_remove(struct table *t, void *entry)
{
	struct table_entry *e = entry;
	uint32_t link = link_of(t, e), *at = bucket(t, e->key);

	assert(e->used);
	while (*at != link)
		at = &linked(t, *at)->chain;
	*at = e->chain;
	delist(t, e);
	e->used = false;
	e->chain = t->free;
	t->free = link;
}

/* Makes room in a full table. */
static void give_away(struct table *t, uint64_t now_ms)
{
	struct table_entry *e, *victim = NULL;

	for (uint8_t rank = 0; rank < TABLE_RANKS; rank++) {
		e = table_oldest(t, rank);
		if (e && e->until_ms <= now_ms) {
			victim = e;
			break;
		}
		if (!victim)
			victim = e;
	}
	assert(victim);
	table_remove(t, victim);
}

void *table_add(struct table *t, const uint64_t key[2], uint64_t now_ms)
{
	struct table_entry *e;

	if (!t->free && t->high == t->room && (t->room == t->max || !grow(t))) {
		if (t->max == TABLE_EXACT || !table_count(t))
			return NULL;
		give_away(t, now_ms);
	}
	e = linked(t, t->free ? t->free : t->high + 1);
	if (t->free)
		t->free = e->chain;
	else
		t->high++;
	memset(e, 0, t->size);
	memcpy(e->key, key, sizeof e->key);
	e->until_ms = UINT64_MAX;
	e->used = true;
	hang_in(t, e);
	enlist(t, e, 0);
	return e;
}
