/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of entries by a key, that never has more than `max`: hashed, in
 * order of their last touch, by ranks.
 *
 *     struct guest { struct table_entry entry; … };
 *     table_start(&t, sizeof(struct guest), 4096) … table_end(&t)
 * Keys are 16 octets that nobody outside can choose: a keyed hash, made by the
 * caller.  Memory grows with the entries, by doubling, and stays.  A table that
 * is full gives one away for the new one: of the oldest of each rank one that
 * means nothing any more (until_ms), else the oldest of the lowest rank.
 * Only one of TABLE_EXACT never does: its caller bounds it.
 * Everything takes constant time but growing, and that on the average.
 *
 * Entries move when the table grows: a pointer is good until the next
 * table_add.  No locks in here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TABLE_RANKS = 3,
	TABLE_EXACT = 1 << 30,	/* as `max`: an entry is never given away */
};

struct table_entry {
	uint64_t key[2];
	uint64_t until_ms;	/* the caller's: it means nothing from then on; UINT64_MAX at first */
	uint32_t chain, older, newer;	/* the table's; 0 = none */
	uint8_t rank;
	bool used;
};

struct table {
	char *pool;
	uint32_t *buckets;
	size_t size;		/* of an entry */
	uint32_t max, room, high, free;	/* room: of the pool; high: entries ever used */
	uint32_t mask;		/* buckets less one */
	struct { uint32_t oldest, newest, count; } ranks[TABLE_RANKS];
};

void table_start(struct table *t, size_t size, uint32_t max);
void table_end(struct table *t);
void *table_find(const struct table *t, const uint64_t key[2]);
/* A new entry of rank 0, all zero behind its key, which is not there yet.  NULL: out of memory. */
[[nodiscard]] void *table_add(struct table *t, const uint64_t key[2], uint64_t now_ms);
/* It is the newest of its rank now, or of another one. */
void table_touch(struct table *t, void *entry, uint8_t rank);
void table_remove(struct table *t, void *entry);
void *table_oldest(const struct table *t, uint8_t rank);	/* NULL: none */
uint32_t table_count(const struct table *t);
/* Walks: the entry at `index` from 0 up to `high`, or NULL where none is.  An entry keeps its index. */
void *table_at(const struct table *t, uint32_t index);
