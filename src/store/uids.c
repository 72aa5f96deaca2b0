/* SPDX-License-Identifier: Apache-2.0 */
#include "store/uids.h"

#include <assert.h>
#include <stdlib.h>

#include "store/room.h"

static void add(struct uids *set, struct uid_range range)
{
	if (set->count == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 16;
		struct uid_range *more = reallocarray(set->at, cap, sizeof *more);

		store_must(more);
		set->at = more;
		set->cap = cap;
	}
	set->at[set->count++] = range;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void uids_from(struct uids *set, const uint64_t *uids, size_t count)
{
	uint64_t *sorted = count ? reallocarray(NULL, count, sizeof *sorted) : NULL;

	*set = (struct uids){ 0 };
	if (!count)
		return;
	store_must(sorted);
	memcpy(sorted, uids, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	for (size_t n = 0; n < count; n++) {
		struct uid_range *last = set->count ? &set->at[set->count - 1] : NULL;

		if (last && sorted[n] <= last->last)
			continue;
		if (last && sorted[n] == last->last + 1)
			last->last++;
		else
			add(set, (struct uid_range){ sorted[n], sorted[n] });
	}
	free(sorted);
}

void uids_free(struct uids *set)
{
	free(set->at);
	*set = (struct uids){ 0 };
}

/* The first range that does not end before `uid`. */
static size_t range_at(const struct uids *set, uint64_t uid)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->at[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool uids_has(const struct uids *set, uint64_t uid)
{
	size_t n = range_at(set, uid);

	return n < set->count && set->at[n].first <= uid;
}

bool uids_next(const struct uids *set, uint64_t *uid)
{
	size_t n = range_at(set, *uid);

	if (n == set->count)
		return false;
	if (*uid < set->at[n].first)
		*uid = set->at[n].first;
	return true;
}

static size_t put_number(char *at, uint64_t n)
{
	size_t len = 0;

	for (; n > 0x7f; n >>= 7)
		at[len++] = (char)(n | 0x80);
	at[len++] = (char)n;
	return len;
}

static bool take_number(struct span *s, uint64_t *n)
{
	*n = 0;
	for (unsigned shift = 0; shift < 64 && s->len; shift += 7) {
		uint64_t seven = (uint64_t)(unsigned char)s->at[0] & 0x7f;
		bool more = s->at[0] & 0x80;

		if (shift == 63 && seven > 1)
			return false;
		*n |= seven << shift;
		*s = span_from(*s, 1);
		if (!more)
			return true;
	}
	return false;
}

size_t uids_pack(const struct uids *set, size_t *from, char *out, size_t max)
{
	uint64_t end = 0;
	size_t len = 0;

	for (; *from < set->count && len + UIDS_PAIR_MAX <= max; ++*from) {
		const struct uid_range *r = &set->at[*from];

		assert(r->first >= end && r->last >= r->first);
		len += put_number(out + len, r->first - end);
		len += put_number(out + len, r->last - r->first);
		end = r->last;
	}
	return len;
}

bool uids_unpack(struct uids *set, struct span part)
{
	uint64_t end = 0;

	while (part.len) {
		struct uid_range r;
		uint64_t gap, more;

		if (!take_number(&part, &gap) || !take_number(&part, &more) || gap > UINT64_MAX - end || more > UINT64_MAX - end - gap)
			return false;
		r = (struct uid_range){ end + gap, end + gap + more };
		if (set->count && r.first <= set->at[set->count - 1].last)
			return false;
		end = r.last;
		add(set, r);
	}
	return true;
}
