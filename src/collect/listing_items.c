/* SPDX-License-Identifier: Apache-2.0
 *
 * The items of a listing: put in order, and found and changed in that of their numbers. */
#include "collect/listing.h"

#include <assert.h>

enum { SORT_FEW = 16 };

static void sift_down(struct item *items, size_t at, size_t count, int (*order)(const struct item *, const struct item *))
{
	struct item moving = items[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && order(&items[child], &items[child + 1]) < 0)
			child++;
		if (order(&moving, &items[child]) >= 0)
			break;
		items[at] = items[child];
	}
	items[at] = moving;
}

static void swap(struct item *one, struct item *two)
{
	struct item kept = *one;

	*one = *two;
	*two = kept;
}

static void heap_sort(struct item *items, size_t count, int (*order)(const struct item *, const struct item *))
{
	for (size_t n = count / 2; n-- > 0;)
		sift_down(items, n, count, order);
	for (size_t n = count - 1; n > 0; n--) {
		swap(&items[n], &items[0]);
		sift_down(items, 0, n, order);
	}
}

static void insertion_sort(struct item *items, size_t count, int (*order)(const struct item *, const struct item *))
{
	for (size_t n = 1; n < count; n++) {
		struct item moving = items[n];
		size_t at = n;

		for (; at && order(&items[at - 1], &moving) > 0; at--)
			items[at] = items[at - 1];
		items[at] = moving;
	}
}

/* By the median of three: what is not above it stands before what is not below.  Returns where the
 * second part begins; neither is empty. */
static size_t part(struct item *items, size_t count, int (*order)(const struct item *, const struct item *))
{
	struct item *middle = &items[count / 2], *last = &items[count - 1], pivot;
	size_t low = 0, high = count;

	if (order(middle, items) < 0)
		swap(middle, items);
	if (order(last, middle) < 0)
		swap(last, middle);
	if (order(middle, items) < 0)
		swap(middle, items);
	pivot = *middle;
	for (;; low++) {
		while (order(&items[low], &pivot) < 0)
			low++;
		do
			high--;
		while (order(&items[high], &pivot) > 0);
		if (low >= high)
			return high + 1;
		swap(&items[low], &items[high]);
	}
}

/* Halves, as long as they come out well: a server chooses the numbers, and must not choose how long this takes. */
static void sort_items(struct item *items, size_t count, unsigned depth, int (*order)(const struct item *, const struct item *))
{
	while (count > SORT_FEW) {
		size_t second;

		if (!depth--) {
			heap_sort(items, count, order);
			return;
		}
		second = part(items, count, order);
		if (second > count - second) {
			sort_items(items + second, count - second, depth, order);
			count = second;
		} else {
			sort_items(items, second, depth, order);
			items += second;
			count -= second;
		}
	}
	insertion_sort(items, count, order);
}

/* In place, because qsort takes a third of the items' memory once more; and quick, because the thread
 * that does it is the one whose loop serves everybody else. */
void listing_sort(struct listing *l, int (*order)(const struct item *, const struct item *))
{
	size_t sorted = 1;
	unsigned depth = 0;

	while (sorted < l->count && order(&l->items[sorted - 1], &l->items[sorted]) <= 0)
		sorted++;
	if (sorted >= l->count)
		return;
	for (size_t n = l->count; n; n /= 2)
		depth += 2;
	sort_items(l->items, l->count, depth, order);
}

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
