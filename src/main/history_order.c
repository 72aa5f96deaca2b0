/* SPDX-License-Identifier: Apache-2.0 */
#include "main/history_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int by_age(const struct order_key *one, const struct order_key *two)
{
	if (one->moment != two->moment)
		return one->moment < two->moment ? -1 : 1;
	if (one->ledger != two->ledger)
		return one->ledger < two->ledger ? -1 : 1;
	return memcmp(one->id, two->id, sizeof one->id);
}

static int compare(const struct order *o, const struct order_key *one, const struct order_key *two)
{
	return o->reverse ? by_age(two, one) : by_age(one, two);
}

bool order_start(struct order *o, size_t window, bool reverse, struct err *e)
{
	assert(window);
	*o = (struct order){ .cap = window, .reverse = reverse, .keys = reallocarray(NULL, window, sizeof *o->keys) };
	return o->keys || err_set(e, ERR_LOCAL, "out of memory for %zu entries", window);
}

void order_end(struct order *o)
{
	free(o->keys);
	*o = (struct order){ 0 };
}

void order_resize(struct order *o, size_t window)
{
	assert(window && window <= o->cap && !o->count);
	o->cap = window;
}

static void swap(struct order_key *one, struct order_key *two)
{
	struct order_key kept = *one;

	*one = *two;
	*two = kept;
}

static void sink(struct order *o, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && compare(o, &o->keys[child + 1], &o->keys[child]) > 0)
			child++;
		if (compare(o, &o->keys[child], &o->keys[at]) <= 0)
			return;
		swap(&o->keys[child], &o->keys[at]);
	}
}

void order_offer(struct order *o, const struct order_key *key)
{
	int behind = o->begun ? compare(o, key, &o->last) : 1;

	if (behind < 0 || (!behind && !o->with_last))
		return;
	if (o->count == o->cap) {
		if (compare(o, key, &o->keys[0]) >= 0)
			return;
		o->keys[0] = *key;
		sink(o, 0, o->count);
		return;
	}
	o->keys[o->count++] = *key;
	for (size_t at = o->count - 1; at && compare(o, &o->keys[at], &o->keys[(at - 1) / 2]) > 0; at = (at - 1) / 2)
		swap(&o->keys[at], &o->keys[(at - 1) / 2]);
}

void order_sort(struct order *o)
{
	for (size_t left = o->count; left > 1; left--) {
		swap(&o->keys[0], &o->keys[left - 1]);
		sink(o, 0, left - 1);
	}
}

void order_from(struct order *o, const struct order_key *key)
{
	assert(!o->count && !o->begun);
	o->last = *key;
	o->begun = o->with_last = true;
}

void order_next(struct order *o)
{
	assert(o->count);
	o->with_last = false;
	o->last = o->keys[o->count - 1];
	o->begun = true;
	o->count = 0;
}

bool order_since(const struct order *o, int64_t *since)
{
	bool full = o->count == o->cap;

	if (o->reverse ? !full : !o->begun)
		return false;
	*since = o->reverse ? o->keys[0].moment : o->last.moment;
	return true;
}

bool order_until(const struct order *o, int64_t *until)
{
	bool full = o->count == o->cap;

	if (o->reverse ? !o->begun : !full)
		return false;
	*until = o->reverse ? o->last.moment : o->keys[0].moment;
	return true;
}
