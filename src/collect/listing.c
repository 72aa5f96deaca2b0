/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/listing.h"

#include <assert.h>
#include <stdlib.h>

#include "store/held_ledger.h"

static_assert(sizeof(struct item) <= 60, "PRODUCT 2.3: 64 bytes a message, and 4 are the plan's");

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

bool listing_add_uid(struct listing *l, uint32_t uid, const uint8_t id[32], struct err *e)
{
	if (!listing_add(l, uid, id, (struct span){ 0 }, true, e))
		return false;
	l->items[l->count - 1].flags = ITEM_OWN_ID;
	return true;
}

static int by_number(const struct item *one, const struct item *two)
{
	return (one->number > two->number) - (one->number < two->number);
}

/* By id, equal ids in order of their numbers; unidentified items last. */
static int by_id(const struct item *one, const struct item *two)
{
	int by_trust = (one->flags & ITEM_UNIDENTIFIED) - (two->flags & ITEM_UNIDENTIFIED);
	int order = by_trust ? by_trust : memcmp(one->id, two->id, sizeof one->id);

	return order ? order : by_number(one, two);
}

bool listing_gaps(struct listing *l, uint64_t count, size_t most, const uint8_t base[32], struct err *e)
{
	size_t listed = l->count, at = 0;

	if (count <= listed)
		return true;
	if (count - listed > most) {
		l->incomplete = true;
		return true;
	}
	listing_sort(l, by_number);
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

void listing_settle_uids(struct listing *l)
{
	size_t kept = 0;

	listing_sort(l, by_number);
	for (size_t n = 0; n < l->count; n++)
		if (!kept || l->items[kept - 1].number != l->items[n].number)
			l->items[kept++] = l->items[n];
	l->count = kept;
}

static bool numbers_are_unique(struct listing *l, struct err *e)
{
	listing_sort(l, by_number);
	for (size_t n = 1; n < l->count; n++)
		if (l->items[n].number == l->items[n - 1].number)
			return err_set(e, ERR_PEER, "UIDL lists message %u twice (RFC 1939 section 7)", l->items[n].number);
	return true;
}

/* From now on this id tells nothing.  An entry that had it alone moves on, to
 * be found by its content. */
static void mark_shared(struct ledger *ledger, const uint8_t base[32], int64_t now)
{
	struct ledger_entry entry, there;
	uint8_t id[32];

	/* First: an entry without the note is never looked for. */
	if (!ledger_noted(ledger, LEDGER_NOTE_SHARED))
		ledger_note(ledger, LEDGER_NOTE_SHARED, now, 0);
	ledger_pop3_id(base, 0, id);
	if (ledger_get(ledger, id, &entry)) {
		if (entry.state == LEDGER_SHARED)
			return;
		for (uint32_t k = 1; entry.state != LEDGER_GONE; k++) {
			ledger_pop3_id(base, k, entry.id);
			if (ledger_get(ledger, entry.id, &there))
				continue;
			ledger_put(ledger, &entry, 0);
			break;
		}
	}
	entry = (struct ledger_entry){ .state = LEDGER_SHARED, .first_seen = now, .changed = now };
	memcpy(entry.id, id, sizeof entry.id);
	ledger_put(ledger, &entry, 0);
}

static bool was_shared(struct ledger *ledger, const uint8_t id[32])
{
	struct ledger_entry entry;

	return ledger_get(ledger, id, &entry) && entry.state == LEDGER_SHARED;
}

/* Bases become ids where one message alone has it, now and ever before; items
 * that share one cannot be told apart by it. */
static void settle_ids(struct listing *l, struct ledger *ledger, int64_t now)
{
	bool look = ledger_noted(ledger, LEDGER_NOTE_SHARED) != 0;

	listing_sort(l, by_id);
	for (size_t n = 0, run; n < l->count; n += run) {
		struct item *first = &l->items[n];
		uint8_t id[32];

		run = 1;
		if (first->flags & ITEM_OWN_ID)
			continue;
		if (first->flags & ITEM_UNIDENTIFIED)
			break;
		while (n + run < l->count && memcmp(first[run].id, first->id, sizeof first->id) == 0 &&
		       !(first[run].flags & ITEM_UNIDENTIFIED))
			run++;
		ledger_pop3_id(first->id, 0, id);
		if (run > 1)
			mark_shared(ledger, first->id, now);
		if (run == 1 && !(look && was_shared(ledger, id))) {
			memcpy(first->id, id, sizeof first->id);
			first->flags |= ITEM_OWN_ID;
		}
	}
	for (size_t n = 0; n < l->count; n++)
		if (!(l->items[n].flags & ITEM_OWN_ID))
			l->items[n].flags |= ITEM_UNIDENTIFIED;
	listing_sort(l, by_id);
}

/* Every target that counts today has it already: nothing is left to fetch. */
static bool has_all(const struct ledger_entry *entry, const struct listing_rules *rules)
{
	size_t accepted = 0;

	for (size_t n = 0; n < rules->target_count; n++)
		for (size_t t = 0; t < entry->target_count; t++)
			accepted += entry->targets[t].target == rules->targets[n] &&
			            entry->targets[t].state == LEDGER_TARGET_ACCEPTED;
	return rules->target_count && accepted == rules->target_count;
}

/* Its flag was taken back: before anything is fetched, the entry must say that
 * no target has it any more, or a crash would take the new copy for the old. */
static void offer_again(struct item *i, struct ledger_entry *entry, struct ledger *ledger, int64_t now)
{
	i->flags |= ITEM_PENDING;
	entry->state = LEDGER_PENDING;
	entry->changed = now;
	entry->accepted = 0;
	held_keep_mentions(entry);
	ledger_put(ledger, entry, 0);
}

/* Once a visit ends in order, all that is `disposing` counts as asked to be gone: what is not asked must not say so. */
static void known(struct item *i, bool dispose, struct ledger_entry *entry, struct ledger *ledger, const struct listing_rules *rules)
{
	i->flags |= ITEM_KNOWN;
	if (dispose) {
		i->flags |= ITEM_DISPOSE;
	} else if (rules->keep && entry->state == LEDGER_DISPOSING) {
		entry->state = LEDGER_ACCEPTED;
		entry->changed = rules->now;
		ledger_put(ledger, entry, 0);
	}
}

static void judge_known(struct item *i, struct ledger_entry *entry, struct ledger *ledger, const struct listing_rules *rules)
{
	bool due = entry->removal || listing_old_enough(entry, rules);

	if (entry->state == LEDGER_PENDING && entry->has_digest && has_all(entry, rules)) {
		entry->state = entry->removal ? LEDGER_DISPOSING : rules->final;
		entry->changed = entry->accepted = rules->now;
		held_keep_mentions(entry);
		ledger_put(ledger, entry, 0);
	}
	switch (entry->state) {
	case LEDGER_PENDING:
		i->flags |= ITEM_PENDING;
		return;
	case LEDGER_GONE:	/* it comes back: a new message */
		return;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
		known(i, due || rules->dispose, entry, ledger, rules);
		return;
	case LEDGER_SEEN:
		if (!due && rules->seen && i->flags & ITEM_UNSEEN) {
			offer_again(i, entry, ledger, rules->now);
			return;
		}
		known(i, due || (rules->dispose && !rules->seen), entry, ledger, rules);
		return;
	case LEDGER_HELD:
	case LEDGER_REFUSED:
	case LEDGER_SKIPPED:
		i->flags |= ITEM_KNOWN;
		return;
	case LEDGER_SHARED:	/* settle_ids keeps such ids apart */
	case LEDGER_ALIAS:	/* not among the ids of messages */
	case LEDGER_STATES:
		break;
	}
	assert(0);
}

struct walk {			/* items and ledger side by side, both in order of ids */
	struct listing *l;
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

/* Up to when deletions count as done; 0 with a server that says so and lists on. */
static int64_t disposed_until(struct ledger *ledger)
{
	return ledger_noted(ledger, LEDGER_NOTE_IGNORED) ? 0 : ledger_noted(ledger, LEDGER_NOTE_DISPOSED);
}

struct tally {
	size_t expected, seen, missing, ignored, offered, removals;
};

static void walk_entries(struct listing *l, struct ledger *ledger, const struct listing_rules *rules, struct tally *t)
{
	struct walk w = { l, 0 };
	struct ledger_entry entry;
	struct prune_rules prune = { rules->now, rules->history_keep_s };
	int64_t disposed = disposed_until(ledger);

	for (const uint8_t *after = NULL; ledger_next(ledger, after, &entry); after = entry.id) {
		struct item *i = entry.state == LEDGER_SHARED ? NULL : listed(&w, entry.id);
		bool vanishes = should_vanish(&entry, disposed);

		if (entry.state == LEDGER_ALIAS)
			continue;
		if (entry.state == LEDGER_GONE) {
			t->missing += !i && prune_old(&entry, &prune);
			continue;
		}
		t->missing += i == NULL;
		t->removals += entry.removal;
		t->ignored += i && vanishes;
		if (entry.state != LEDGER_SHARED) {
			t->seen += i != NULL;
			t->expected += !vanishes || i;
		}
		if (i) {
			enum ledger_state before = entry.state;

			judge_known(i, &entry, ledger, rules);
			t->offered += before == LEDGER_SEEN && entry.state == LEDGER_PENDING;
		}
	}
}

static void count_items(struct listing *l, struct listing_found *found)
{
	for (size_t n = 0; n < l->count; n++) {
		struct item *i = &l->items[n];

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
	struct listing_found *found, struct err *e)
{
	struct tally t = { 0 };

	*found = (struct listing_found){ 0 };
	if (!numbers_are_unique(l, e))
		return false;
	settle_ids(l, ledger, rules->now);
	walk_entries(l, ledger, rules, &t);
	found->comparing = l->count && ((t.expected >= LISTING_WHOLESALE && !t.seen) ||
	                                ledger_noted(ledger, LEDGER_NOTE_COMPARING) != 0);
	count_items(l, found);
	found->offered = t.offered;
	found->ignored = t.ignored;
	if (found->comparing || ledger_noted(ledger, LEDGER_NOTE_COMPARING))
		ledger_note(ledger, LEDGER_NOTE_COMPARING, found->comparing ? rules->now : 0, 0);
	if (!t.removals && ledger_noted(ledger, LEDGER_NOTE_REMOVING))
		ledger_note(ledger, LEDGER_NOTE_REMOVING, 0, 0);
	if (t.ignored)
		ledger_note(ledger, LEDGER_NOTE_IGNORED, rules->now, 0);
	l->retiring = t.missing;
	l->compare = found->comparing || found->unidentified || l->incomplete;
	memset(l->retired, 0, sizeof l->retired);
	if (!l->incomplete)
		ledger_note(ledger, LEDGER_NOTE_LISTED, rules->now, 0);
	return true;
}

/* One entry that is not listed; *puts counts what becomes of it. */
static bool retire(struct ledger_entry *entry, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, bool compare, int64_t disposed, size_t *puts, struct err *e)
{
	struct prune_rules prune = { rules->now, rules->history_keep_s };

	if (entry->state == LEDGER_GONE) {
		if (prune_may(ledger, entry, &prune)) {
			ledger_remove(ledger, entry->id);
			++*puts;
		}
		return true;
	}
	++*puts;
	if (compare && entry->state == LEDGER_SHARED)
		return true;
	if (compare && !should_vanish(entry, disposed))
		return identity_add(identity, entry, e);
	entry->state = LEDGER_GONE;
	entry->changed = rules->now;
	ledger_put(ledger, entry, 0);
	return true;
}

bool listing_retire(struct listing *l, struct ledger *ledger, const struct listing_rules *rules,
	struct identity *identity, bool *done, struct err *e)
{
	struct walk w = { l, 0 };
	struct ledger_entry entry;
	int64_t disposed = disposed_until(ledger);
	size_t puts = 0;

	*done = false;
	for (size_t looks = 0; l->retiring && puts < LISTING_SLICE && looks < LISTING_LOOKS; looks++) {
		if (!ledger_next(ledger, l->retired, &entry)) {
			l->retiring = false;
			break;
		}
		memcpy(l->retired, entry.id, sizeof l->retired);
		if (entry.state == LEDGER_ALIAS || (entry.state != LEDGER_SHARED && listed(&w, entry.id)))
			continue;
		if (!retire(&entry, ledger, rules, identity, l->compare, disposed, &puts, e))
			return false;
	}
	if (l->retiring)
		return true;
	identity_sort(identity);
	listing_sort(l, by_number);
	*done = true;
	return true;
}
