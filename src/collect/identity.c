/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/identity.h"

#include <assert.h>
#include <stdlib.h>

void identity_start(struct identity *i)
{
	*i = (struct identity){ 0 };
}

void identity_end(struct identity *i)
{
	free(i->candidates);
	identity_start(i);
}

bool identity_add(struct identity *i, const struct ledger_entry *entry, struct err *e)
{
	struct candidate *c;

	if (i->count == i->cap) {
		size_t cap = i->cap ? i->cap * 2 : 64;
		struct candidate *more = reallocarray(i->candidates, cap, sizeof *more);

		if (!more)
			return err_set(e, ERR_LOCAL, "out of memory comparing %zu messages", cap);
		i->candidates = more;
		i->cap = cap;
	}
	c = &i->candidates[i->count++];
	*c = (struct candidate){ .has_digest = entry->has_digest };
	memcpy(c->digest, entry->digest, sizeof c->digest);
	memcpy(c->id, entry->id, sizeof c->id);
	return true;
}

static int by_digest(const void *a, const void *b)
{
	const struct candidate *one = a, *two = b;

	return memcmp(one->digest, two->digest, sizeof one->digest);
}

void identity_sort(struct identity *i)
{
	if (i->count)
		qsort(i->candidates, i->count, sizeof *i->candidates, by_digest);
}

/* The first candidate whose digest is not smaller. */
static size_t first_not_below(const struct identity *i, const uint8_t digest[32])
{
	size_t low = 0, high = i->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(i->candidates[middle].digest, digest, 32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool identity_find(struct identity *i, const uint8_t digest[32], uint8_t id[32])
{
	for (size_t n = first_not_below(i, digest); n < i->count; n++) {
		struct candidate *c = &i->candidates[n];

		if (memcmp(c->digest, digest, sizeof c->digest) != 0)
			return false;
		if (!c->has_digest || c->found)
			continue;
		c->found = true;
		memcpy(id, c->id, sizeof c->id);
		return true;
	}
	return false;
}

/* Keys are handed out in rising k: a base with ten thousand messages (a server
 * without UIDL) must not be probed from the start for each of them. */
void identity_key(struct identity *i, const uint8_t base[32], struct ledger *ledger, uint8_t id[32])
{
	struct ledger_entry there;

	if (memcmp(i->key_base, base, sizeof i->key_base) != 0) {
		memcpy(i->key_base, base, sizeof i->key_base);
		i->key_next = 1;	/* 0 is for an id that one message alone has */
	}
	do
		ledger_pop3_id(base, i->key_next++, id);
	while (ledger_get(ledger, id, &there) && there.state != LEDGER_GONE);
}

void identity_close(struct identity *i, struct ledger *ledger, int64_t now)
{
	struct ledger_entry entry;

	for (size_t n = 0; n < i->count; n++) {
		if (i->candidates[n].found || !ledger_get(ledger, i->candidates[n].id, &entry))
			continue;
		entry.state = LEDGER_GONE;
		entry.changed = now;
		ledger_put(ledger, &entry, 0);
	}
	identity_end(i);
}
