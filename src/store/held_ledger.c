/* SPDX-License-Identifier: Apache-2.0 */
#include "store/held_ledger.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/held_inside.h"
#include "store/room.h"

/* The copy that this target's state mentions; 0: none. */
static uint64_t copy_of(const struct ledger_target *t)
{
	uint64_t id;

	return t->state == LEDGER_TARGET_HELD && held_id_read(t->place, &id) ? id : 0;
}

bool held_mentions(const struct ledger_entry *entry, uint64_t id)
{
	for (uint32_t n = 0; n < entry->target_count; n++)
		if (copy_of(&entry->targets[n]) == id)
			return true;
	return false;
}

void held_keep_mentions(struct ledger_entry *entry)
{
	uint32_t left = 0;

	for (uint32_t n = 0; n < entry->target_count; n++)
		if (copy_of(&entry->targets[n]))
			entry->targets[left++] = entry->targets[n];
	entry->target_count = left;
}

/* ---- rescan */

struct known {
	struct store *store;
	uint8_t (*ids)[32];		/* of entries, sorted */
	size_t count, cap;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof ((struct known *)0)->ids[0]);
}

static void gather(struct known *k, const char *connection, const char *mailbox)
{
	struct held_info info = { .id = 0 };

	while (held_next_of(k->store, connection, &info)) {
		if (strcmp(info.origin.mailbox, mailbox) != 0)
			continue;
		if (k->count == k->cap) {
			k->cap = k->cap ? 2 * k->cap : 64;
			k->ids = reallocarray(k->ids, k->cap, sizeof *k->ids);
			store_must(k->ids);
		}
		memcpy(k->ids[k->count++], info.origin.id, sizeof *k->ids);
	}
	if (k->count)
		qsort(k->ids, k->count, sizeof *k->ids, by_id);
}

static bool is_held(void *user, const struct ledger_entry *entry)
{
	const struct known *k = user;
	struct held_info info;

	if (k->count && bsearch(entry->id, k->ids, k->count, sizeof *k->ids, by_id))
		return true;
	for (uint32_t n = 0; n < entry->target_count; n++) {
		uint64_t id = copy_of(&entry->targets[n]);

		if (id && held_get(k->store, id, &info))
			return true;
	}
	return false;
}

static bool rescan(struct store *s, const struct ledger_name *name, struct held_rescanned *r, struct err *e)
{
	struct known k = { .store = s };
	uint64_t count, kept;
	struct ledger *l;
	bool good;

	if (!ledger_open(s, name->connection, name->mailbox, &l, e))
		return false;
	count = ledger_count(l);
	gather(&k, name->connection, name->mailbox);
	good = ledger_forget_but(l, &(struct ledger_keep){ is_held, &k }, &kept, e);
	free(k.ids);
	r->ledgers++;
	r->forgotten += good ? count - kept : 0;
	r->kept += good ? kept : 0;
	return good;
}

struct owners {
	struct known held;
	struct ledger *ledger;
};

static bool alias_stays(void *user, const struct ledger_entry *alias)
{
	struct owners *o = user;
	struct ledger_entry owner;

	return alias->state != LEDGER_ALIAS || !alias->has_digest || !ledger_get(o->ledger, alias->digest, &owner) || is_held(&o->held, &owner);
}

/* Aliases of messages that this ledger owns and forgets: by them Gmail's would be known again. */
static bool forget_aliases(struct store *s, const struct ledger_name *name, struct err *e)
{
	struct owners o = { .held = { .store = s } };
	struct ledger *own;
	uint64_t kept;
	bool good;

	if (!ledger_open(s, name->connection, "", &own, e) || !ledger_open(s, name->connection, name->mailbox, &o.ledger, e))
		return false;
	gather(&o.held, name->connection, name->mailbox);
	good = ledger_forget_but(own, &(struct ledger_keep){ alias_stays, &o }, &kept, e);
	free(o.held.ids);
	return good;
}

bool held_rescan_one(struct store *s, const struct ledger_name *name, struct held_rescanned *r, struct err *e)
{
	*r = (struct held_rescanned){ 0 };
	return (!*name->mailbox || forget_aliases(s, name, e)) && rescan(s, name, r, e);
}

bool held_rescan(struct store *s, const char *connection, struct held_rescanned *r, struct err *e)
{
	struct ledger_name name = { 0 };

	*r = (struct held_rescanned){ 0 };
	while (ledger_each(s, connection, &name))
		if (!rescan(s, &name, r, e))
			return false;
	return true;
}

/* ---- retry */

/* Is this target to be asked?  A copy that was removed is none. */
static bool is_asked(struct store *s, const struct ledger_target *t)
{
	struct held_info info;
	uint64_t id;

	if (t->state != LEDGER_TARGET_HELD)
		return t->state == LEDGER_TARGET_REFUSED;
	id = copy_of(t);
	return !id || !held_get(s, id, &info);
}

static bool is_open(enum ledger_state state)
{
	return state == LEDGER_PENDING || state == LEDGER_HELD || state == LEDGER_REFUSED;
}

bool held_asks_again(struct store *s, struct ledger_entry *entry)
{
	uint32_t left = 0, held = 0;
	bool changes;

	if (!is_open(entry->state))
		return false;
	for (uint32_t n = 0; n < entry->target_count; n++) {
		if (is_asked(s, &entry->targets[n]))
			continue;
		held += entry->targets[n].state == LEDGER_TARGET_HELD;
		entry->targets[left++] = entry->targets[n];
	}
	changes = left < entry->target_count || (entry->state != LEDGER_PENDING && !held);
	entry->target_count = left;
	if (changes)
		entry->state = LEDGER_PENDING;
	return changes;
}

uint64_t held_would_ask(struct store *s, struct ledger *l)
{
	struct ledger_entry entry;
	uint64_t count = 0;

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id)
		count += held_asks_again(s, &entry);
	return count;
}

uint64_t held_ask_again(struct store *s, struct ledger *l, uint64_t ticket)
{
	struct ledger_entry entry, last;
	uint64_t count = 0;
	int64_t now = clock_now_s();

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id) {
		if (!held_asks_again(s, &entry))
			continue;
		if (count++)
			ledger_put(l, &last, 0);
		else	/* a mailbox in which nothing changed is looked through all the same */
			ledger_note(l, LEDGER_NOTE_SETTLED_MODSEQ, 0, 0);
		entry.changed = now;
		last = entry;
	}
	if (count)
		ledger_put(l, &last, ticket);
	ledger_flush(l);
	return count;
}

/* ---- removal */

static bool mentioned_in(struct ledger *l, uint64_t copy, struct ledger_entry *entry)
{
	for (const uint8_t *after = NULL; ledger_next(l, after, entry); after = entry->id)
		if (held_mentions(entry, copy))
			return true;
	return false;
}

bool held_mentioned(struct store *s, const struct held_info *info, struct ledger **l, struct ledger_entry *entry)
{
	struct ledger_name name = { 0 };
	struct err e;

	if (held_submitted(info) || !ledger_open(s, info->origin.connection, info->origin.mailbox, l, &e))
		return false;
	if (ledger_get(*l, info->origin.id, entry) && held_mentions(entry, info->id))
		return true;
	while (ledger_each(s, info->origin.connection, &name))
		if (ledger_open(s, name.connection, name.mailbox, l, &e) && mentioned_in(*l, info->id, entry))
			return true;
	return false;
}

void held_unmention(struct ledger *l, struct ledger_entry *entry, uint64_t id, uint64_t ticket)
{
	bool waits = false;

	for (uint32_t n = 0; n < entry->target_count; n++) {
		struct ledger_target *t = &entry->targets[n];

		if (copy_of(t) == id)
			*t = (struct ledger_target){ .target = t->target, .state = LEDGER_TARGET_REFUSED };
		waits = waits || t->state == LEDGER_TARGET_HELD;
	}
	if (!is_open(entry->state) && entry->state != LEDGER_GONE)
		held_keep_mentions(entry);
	if (entry->state == LEDGER_HELD && !waits)
		entry->state = LEDGER_REFUSED;
	entry->changed = clock_now_s();
	ledger_put(l, entry, ticket);
	ledger_flush(l);
}
