/* SPDX-License-Identifier: Apache-2.0
 * A ledger's partition: "e" ID → entry, "n" NOTE → moment, "q" → how many groups
 * of puts there were; the directory of
 * ledgers ("ledgers" partition) has "c" CONNECTION → "1" for a connection's own,
 * and "c" CONNECTION "|" PARTITION (hexadecimal) → MAILBOX for the others. */
#include "store/ledger_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/entry.h"
#include "store/pack.h"

struct listing_deed {
	struct deed deed;
	struct ledger *ledger;
};

static engine_part directory(void)
{
	return engine_part_of("ledgers", SPAN(""));
}

static void directory_key(struct ledger_name *at, const char *connection, const char *mailbox, engine_part part)
{
	size_t len = strlen(connection);

	at->key[0] = 'c';
	memcpy(at->key + 1, connection, len);
	at->key_len = 1 + len;
	if (!mailbox[0])
		return;
	at->key[at->key_len++] = '|';
	for (int shift = 60; shift >= 0; shift -= 4)
		at->key[at->key_len++] = "0123456789abcdef"[part >> shift & 15];
}

static struct span key_of(const struct ledger_name *at)
{
	return (struct span){ at->key, at->key_len };
}

static struct span entry_key(char key[1 + OVERLAY_ID], const uint8_t id[OVERLAY_ID])
{
	key[0] = 'e';
	memcpy(key + 1, id, OVERLAY_ID);
	return (struct span){ key, 1 + OVERLAY_ID };
}

static void read_notes(struct ledger *l)
{
	struct view *v = store_view(l->store);
	struct ledger_name at;
	struct span value;

	directory_key(&at, l->name, l->mailbox, l->part);
	l->listed = view_get(v, directory(), key_of(&at), &value);
	for (int n = 0; n < LEDGER_NOTES; n++) {
		char key[2] = { 'n', (char)n };

		if (view_get(v, l->part, (struct span){ key, sizeof key }, &value))
			l->notes[n] = (int64_t)take_u64(&value);
	}
	l->sent = ledger_groups(l, v);
	view_end(&v);
}

/* Of a mailbox: names have no "|" in them. */
static engine_part part_of(const char *connection, const char *mailbox)
{
	char name[LEDGER_CONNECTION_MAX + 1 + LEDGER_MAILBOX_MAX + 1];
	int len = snprintf(name, sizeof name, "%s%s%s", connection, mailbox[0] ? "|" : "", mailbox);

	assert(len > 0 && (size_t)len < sizeof name);
	return engine_part_of("ledger", (struct span){ name, (size_t)len });
}

static struct ledger *ledger_new(struct store *s, const char *connection, const char *mailbox, engine_part part)
{
	struct ledger *l = store_memory(sizeof *l);
	size_t len = strlen(mailbox);

	*l = (struct ledger){ .store = s, .part = part, .last = &l->first, .mailbox = store_memory(len + 1) };
	memcpy(l->name, connection, strlen(connection) + 1);
	memcpy(l->mailbox, mailbox, len + 1);
	pack_u64((char *)l->tag, part);
	read_notes(l);
	l->next = s->ledgers[part % STORE_BUCKETS];
	s->ledgers[part % STORE_BUCKETS] = l;
	return l;
}

bool ledger_open(struct store *s, const char *connection, const char *mailbox, struct ledger **ledger, struct err *e)
{
	struct span name = span_of(connection), box = span_of(mailbox);
	struct ledger *l;
	engine_part part;

	if (!name.len || name.len > LEDGER_CONNECTION_MAX || span_find(name, '|') < name.len)
		return err_set(e, ERR_CONFIG, "a connection's name has 1 to %d octets and no |, not %zu", LEDGER_CONNECTION_MAX, name.len);
	if (box.len > LEDGER_MAILBOX_MAX)
		return err_set(e, ERR_CONFIG, "a mailbox's name has at most %d octets, not %zu", LEDGER_MAILBOX_MAX, box.len);
	part = part_of(connection, mailbox);
	l = s->ledgers[part % STORE_BUCKETS];
	while (l && l->part != part)
		l = l->next;
	if (l && !l->listed)
		ledger_renew(l);	/* nothing of it is durable that a recovery could miss */
	*ledger = l ? l : ledger_new(s, connection, mailbox, part);
	return true;
}

void ledger_renew(struct ledger *l)
{
	if (!l->refused || l->under_way)
		return;
	l->refused = false;
	memset(l->notes, 0, sizeof l->notes);
	read_notes(l);
}

bool ledger_takes(const struct ledger *l, struct err *e)
{
	if (l->refused)
		*e = l->why;
	return !l->refused;
}

const uint8_t *ledger_tag(const struct ledger *l)
{
	return l->tag;
}

const char *ledger_mailbox(const struct ledger *l)
{
	return l->mailbox;
}

static void copy_name(char *to, size_t size, struct span name, const char *connection)
{
	if (name.len >= size)
		store_damaged(connection, "a name in the directory of ledgers");
	memcpy(to, name.at, name.len);
	to[name.len] = '\0';
}

static void take_name(struct ledger_name *at, struct span key, struct span value)
{
	struct span connection = span_from(key, 1);

	copy_name(at->key, sizeof at->key, key, "?");
	at->key_len = key.len;
	connection.len = span_find(connection, '|');
	copy_name(at->connection, sizeof at->connection, connection, "?");
	if (1 + connection.len == key.len)
		value = (struct span){ 0 };
	copy_name(at->mailbox, sizeof at->mailbox, value.len ? value : SPAN(""), at->connection);
}

/* *key borrows the view, or *own. */
static bool next_name(struct view *v, const char *connection, const struct ledger_name *at, struct ledger_name *own,
	struct span *key, struct span *value)
{
	struct ledger_name box;

	if (!connection) {
		*key = key_of(at);
		return view_next(v, directory(), SPAN("c"), key, value);
	}
	directory_key(own, connection, "", 0);
	*key = key_of(own);
	if (!at->key_len && view_get(v, directory(), *key, value))
		return true;
	box = *own;
	box.key[box.key_len++] = '|';
	*key = at->key_len > own->key_len ? key_of(at) : key_of(&box);
	return view_next(v, directory(), key_of(&box), key, value);
}

bool ledger_each(struct store *s, const char *connection, struct ledger_name *at)
{
	struct view *v = store_view(s);
	struct ledger_name own;
	struct span key, value;
	bool there = next_name(v, connection, at, &own, &key, &value);

	if (there)
		take_name(at, key, value);
	view_end(&v);
	return there;
}

static void unpack(const struct ledger *l, const uint8_t id[OVERLAY_ID], struct span value, struct ledger_entry *out)
{
	uint8_t copy[OVERLAY_ID];	/* id may be a part of *out */

	memcpy(copy, id, sizeof copy);
	if (!entry_unpack(value, out))
		store_damaged(l->name, "an entry of its ledger");
	memcpy(out->id, copy, sizeof copy);
}

bool ledger_get(struct ledger *l, const uint8_t id[OVERLAY_ID], struct ledger_entry *out)
{
	const struct put *p = overlay_find(&l->overlay, id);
	char key[1 + OVERLAY_ID];
	struct span value;
	struct view *v;
	bool there;

	if (p) {
		if (p->len)
			unpack(l, id, (struct span){ p->value, p->len }, out);
		return p->len;
	}
	v = store_view(l->store);
	there = view_get(v, l->part, entry_key(key, id), &value);
	if (there)
		unpack(l, id, value, out);
	view_end(&v);
	return there;
}

/* The next entry, durable or not yet: its id goes to `at`; the value borrows
 * the view or the overlay.  False: there is none. */
static bool next(struct ledger *l, struct view *v, bool first, uint8_t at[OVERLAY_ID], struct span *value)
{
	char from[1 + OVERLAY_ID];
	struct span key = first ? (struct span){ 0 } : entry_key(from, at);
	bool durable = view_next(v, l->part, SPAN("e"), &key, value);
	const struct put *p = overlay_next(&l->overlay, first ? NULL : at);

	if (durable && key.len != sizeof from)
		store_damaged(l->name, "a key of its ledger");
	if (!durable && !p)
		return false;
	if (p && (!durable || memcmp(put_id(p), key.at + 1, OVERLAY_ID) <= 0)) {
		memcpy(at, put_id(p), OVERLAY_ID);
		*value = (struct span){ p->value, p->len };
	} else {
		memcpy(at, key.at + 1, OVERLAY_ID);
	}
	return true;
}

/* As next, passing over what is about to be removed. */
static bool next_there(struct ledger *l, struct view *v, bool first, uint8_t at[OVERLAY_ID], struct span *value)
{
	while (next(l, v, first, at, value)) {
		if (value->len)
			return true;
		first = false;
	}
	return false;
}

bool ledger_next(struct ledger *l, const uint8_t *after, struct ledger_entry *out)
{
	uint8_t at[OVERLAY_ID] = { 0 };
	struct view *v = store_view(l->store);
	struct span value;
	bool there;

	if (after)
		memcpy(at, after, sizeof at);
	there = next_there(l, v, !after, at, &value);
	if (there)
		unpack(l, at, value, out);
	view_end(&v);
	return there;
}

uint64_t ledger_count(struct ledger *l)
{
	uint8_t at[OVERLAY_ID] = { 0 };
	struct view *v = store_view(l->store);
	struct span value;
	uint64_t n = 0;

	while (next_there(l, v, n == 0, at, &value))
		n++;
	view_end(&v);
	return n;
}

static void on_listed(void *user, const struct err *why)
{
	struct listing_deed *d = user;

	if (why) {
		d->ledger->listed = false;
		ledger_refused(d->ledger, why);
	}
	free(d);
}

void ledger_list(struct ledger *l)
{
	struct ledger_name at;
	struct listing_deed *d;
	struct batch *b;

	if (l->listed)
		return;
	l->listed = true;
	b = store_batch(directory());
	directory_key(&at, l->name, l->mailbox, l->part);
	store_must(batch_put(b, key_of(&at), l->mailbox[0] ? span_of(l->mailbox) : SPAN("1")));
	d = store_memory(sizeof *d);
	*d = (struct listing_deed){ .ledger = l, .deed = { .then = on_listed, .user = d } };
	store_do(l->store, &b, &d->deed);
}

void ledger_put(struct ledger *l, const struct ledger_entry *entry, uint64_t ticket)
{
	char key[1 + OVERLAY_ID], value[ENTRY_MAX];

	if (entry->removal && entry->state != LEDGER_GONE && !l->notes[LEDGER_NOTE_REMOVING])	/* first: nobody looks for one without it */
		ledger_note(l, LEDGER_NOTE_REMOVING, entry->changed > 0 ? entry->changed : 1, 0);
	if (entry->changed > l->latest)
		l->latest = entry->changed;
	ledger_out(l, entry_key(key, entry->id), entry_pack(value, entry), ticket);
}

int64_t ledger_latest(const struct ledger *l)
{
	return l->latest;
}

void ledger_remove(struct ledger *l, const uint8_t id[OVERLAY_ID])
{
	char key[1 + OVERLAY_ID];

	ledger_out(l, entry_key(key, id), (struct span){ 0 }, 0);
}

void ledger_note(struct ledger *l, enum ledger_note note, int64_t when, uint64_t ticket)
{
	char key[2] = { 'n', (char)note }, value[8];

	assert(note < LEDGER_NOTES);
	pack_u64(value, (uint64_t)when);
	l->notes[note] = when;
	ledger_out(l, (struct span){ key, sizeof key }, (struct span){ value, sizeof value }, ticket);
}

int64_t ledger_noted(struct ledger *l, enum ledger_note note)
{
	assert(note < LEDGER_NOTES);
	return l->notes[note];
}

void ledger_flush_all(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++)
		for (struct ledger *l = s->ledgers[n]; l; l = l->next)
			ledger_flush(l);
}

void ledger_free_all(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++) {
		while (s->ledgers[n]) {
			struct ledger *l = s->ledgers[n];

			s->ledgers[n] = l->next;
			assert(!l->first && !l->under_way);
			free(l->mailbox);
			free(l);
		}
	}
}
