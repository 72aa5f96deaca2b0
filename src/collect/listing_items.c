/* SPDX-License-Identifier: Apache-2.0
 *
 * The items of a listing that stands in order of numbers: found, and changed. */
#include "collect/listing.h"

#include <assert.h>

/* The first whose number is not smaller. */
static size_t first_from(const struct listing *l, uint32_t number)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct item *listing_find(struct listing *l, uint32_t number)
{
	size_t at = first_from(l, number);

	return at < l->count && l->items[at].number == number ? &l->items[at] : NULL;
}

void listing_key(struct listing *l, uint32_t number, const uint8_t id[32])
{
	struct item *i = listing_find(l, number);

	if (!i)
		return;
	memcpy(i->id, id, sizeof i->id);
	i->flags |= ITEM_OWN_ID;
}

void listing_size(struct listing *l, uint32_t number, uint64_t size)
{
	struct item *i = listing_find(l, number);

	if (i)
		i->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

void listing_flag(struct listing *l, uint32_t first, uint32_t last, uint8_t flag)
{
	for (size_t at = first_from(l, first); at < l->count && l->items[at].number <= last; at++)
		l->items[at].flags |= flag;
}

void item_set_gmail(struct item *i, uint64_t gmail_id)
{
	static_assert(sizeof gmail_id <= sizeof i->uid, "it has room there");
	memcpy(i->uid, &gmail_id, sizeof gmail_id);
}

uint64_t item_gmail(const struct item *i)
{
	uint64_t gmail_id;

	memcpy(&gmail_id, i->uid, sizeof gmail_id);
	return gmail_id;
}
