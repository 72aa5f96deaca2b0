/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/listing.h"

#include <assert.h>
#include <stdlib.h>

enum { PRUNE_AFTER_S = 30 * 86400 };

static_assert(sizeof(struct item) == 64, "PRODUCT 2.3: 64 bytes a message");

void listing_start(struct listing *l)
{
	*l = (struct listing){ 0 };
}

void listing_end(struct listing *l)
{
	free(l->items);
	listing_start(l);
}

bool listing_add(struct listing *l, uint32_t number, const uint8_t base[32], struct span uid, bool trusted, struct err *e)
{
	struct item *i;

	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct item *more = reallocarray(l->items, cap, sizeof *more);

		if (!more)
			return err_set(e, ERR_LOCAL, "out of memory for a listing of %zu messages", cap);
		l->items = more;
		l->cap = cap;
	}
	i = &l->items[l->count++];
	*i = (struct item){ .number = number, .flags = trusted ? 0 : ITEM_UNIDENTIFIED };
	memcpy(i->id, base, sizeof i->id);
	i->uid_len = (uint8_t)(uid.len < ITEM_UID_MAX ? uid.len : ITEM_UID_MAX);
	if (i->uid_len)
		memcpy(i->uid, uid.at, i->uid_len);
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct item *one = a, *two = b;

	return (one->number > two->number) - (one->number < two->number);
}

/* By id, equal ids in order of their numbers; unidentified items last. */
static int by_id(const void *a, const void *b)
{
	const struct item *one = a, *two = b;
	int by_trust = (one->flags & ITEM_UNIDENTIFIED) - (two->flags & ITEM_UNIDENTIFIED);
	int order = by_trust ? by_trust : memcmp(one->id, two->id, sizeof one->id);

	return order ? order : by_number(a, b);
}

static void sort(struct listing *l, int (*order)(const void *, const void *))
{
	if (l->count)
		qsort(l->items, l->count, sizeof *l->items, order);
}

bool listing_gaps(struct listing *l, uint64_t count, size_t most, const uint8_t base[32], struct err *e)
{
	size_t listed = l->count, at = 0;

	if (count <= listed || count - listed > most)
		return true;
	sort(l, by_number);
	for (uint32_t number = 1; number <= count; number++) {
		while (at < listed && l->items[at].number < number)
			at++;
		if (at < listed && l->items[at].number == number)
			continue;
		if (!listing_add(l, number, base, (struct span){ 0 }, false, e))
			return false;
	}
	return true;
}

/* Bases become ids where one message alone has it; items that share one cannot
 * be told apart by it. */
static void settle_ids(struct listing *l)
{
	sort(l, by_id);
	for (size_t n = 0, run; n < l->count; n += run) {
		struct item *first = &l->items[n];

		run = 1;
		if (first->flags & ITEM_UNIDENTIFIED)
			break;
		while (n + run < l->count && memcmp(first[run].id, first->id, sizeof first->id) == 0 &&
		       !(first[run].flags & ITEM_UNIDENTIFIED))
			run++;
		for (size_t k = 0; run > 1 && k < run; k++)
			first[k].flags |= ITEM_UNIDENTIFIED;
		if (run == 1) {
			uint8_t base[32];

			memcpy(base, first->id, sizeof base);
			ledger_pop3_id(base, 0, first->id);
			first->flags |= ITEM_OWN_ID;
		}
	}
	sort(l, by_id);
}

static void judge_known(struct item *i, const struct ledger_entry *entry, const struct listing_rules *rules)
{
	bool old_enough = rules->delete_after_s && entry->accepted &&
	                  rules->now - entry->accepted >= (int64_t)rules->delete_after_s;

	switch (entry->state) {
	case LEDGER_PENDING:
		i->flags |= ITEM_PENDING;
		return;
	case LEDGER_GONE:	/* it comes back: a new message */
		return;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
		i->flags |= ITEM_KNOWN;
		if (rules->dispose || old_enough)
			i->flags |= ITEM_DISPOSE;
		return;
	case LEDGER_HELD:
	case LEDGER_SKIPPED:
		i->flags |= ITEM_KNOWN;
		return;
	case LEDGER_STATES:
		break;
	}
	assert(entry->state < LEDGER_STATES);
}

struct walk {			/* items and ledger side by side, both in order of ids */
	struct listing *l;
	struct ledger *ledger;
	size_t at;
};

/* The item with this id; NULL when it is not listed. */
static struct item *listed(struct walk *w, const uint8_t id[32])
{
	for (; w->at < w->l->count; w->at++) {
		struct item *i = &w->l->items[w->at];
		int order;

		if (!(i->flags & ITEM_OWN_ID))
			return NULL;
		order = memcmp(i->id, id, sizeof i->id);
		if (order >= 0)
			return order ? NULL : i;
	}
	return NULL;
}

/* Asked to be deleted in a session whose QUIT was answered: to vanish is what it should. */
static bool should_vanish(const struct ledger_entry *entry, int64_t disposed)
{
	return entry->state == LEDGER_DISPOSING && entry->changed <= disposed;
}

struct tally {
	size_t expected, seen, missing;
};

static void first_walk(struct listing *l, struct ledger *ledger, const struct listing_rules *rules, struct tally *t)
{
	struct walk w = { l, ledger, 0 };
	struct ledger_entry entry;
	int64_t disposed = ledger_noted(ledger, LEDGER_NOTE_DISPOSED);

	for (const uint8_t *after = NULL; ledger_next(ledger, after, &entry); after = entry.id) {
		struct item *i = listed(&w, entry.id);

		if (i)
			judge_known(i, &entry, rules);
		if (entry.state == LEDGER_GONE) {
			if (!i && rules->now - entry.changed > PRUNE_AFTER_S)
				ledger_remove(ledger, entry.id);
			continue;
		}
		t->seen += i != NULL;
		t->missing += i == NULL;
		t->expected += !should_vanish(&entry, disposed);
	}
}

/* Entries that are not listed: gone, or candidates when something is compared. */
static bool second_walk(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, bool compare, struct err *e)
{
	struct walk w = { l, ledger, 0 };
	struct ledger_entry entry;
	int64_t disposed = ledger_noted(ledger, LEDGER_NOTE_DISPOSED);

	for (const uint8_t *after = NULL; ledger_next(ledger, after, &entry); after = entry.id) {
		if (entry.state == LEDGER_GONE || listed(&w, entry.id))
			continue;
		if (compare && !should_vanish(&entry, disposed)) {
			if (!identity_add(identity, &entry, e))
				return false;
			continue;
		}
		entry.state = LEDGER_GONE;
		entry.changed = rules->now;
		ledger_put(ledger, &entry, 0);
	}
	identity_sort(identity);
	return true;
}

static void count_items(struct listing *l, struct listing_found *found)
{
	for (struct item *i = l->items; i < l->items + l->count; i++) {
		if (found->comparing && !(i->flags & (ITEM_KNOWN | ITEM_PENDING)))
			i->flags |= ITEM_UNIDENTIFIED;
		if (i->flags & ITEM_KNOWN)
			found->known++;
		else
			found->fresh++;
		found->unidentified += (i->flags & ITEM_UNIDENTIFIED) != 0;
		found->dispose += (i->flags & ITEM_DISPOSE) != 0;
	}
}

bool listing_join(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, struct listing_found *found, struct err *e)
{
	struct tally t = { 0 };
	bool good = true;

	*found = (struct listing_found){ 0 };
	settle_ids(l);
	first_walk(l, ledger, rules, &t);
	found->comparing = (t.expected >= LISTING_WHOLESALE && !t.seen) ||
	                   ledger_noted(ledger, LEDGER_NOTE_COMPARING) != 0;
	count_items(l, found);
	if (found->comparing)
		ledger_note(ledger, LEDGER_NOTE_COMPARING, rules->now);
	if (t.missing)
		good = second_walk(l, ledger, rules, identity, found->comparing || found->unidentified, e);
	ledger_note(ledger, LEDGER_NOTE_LISTED, rules->now);
	sort(l, by_number);
	return good;
}

void listing_size(struct listing *l, uint32_t number, uint64_t size)
{
	struct item key = { .number = number };
	struct item *i = l->count ? bsearch(&key, l->items, l->count, sizeof key, by_number) : NULL;

	if (i)
		i->size = size;
}
