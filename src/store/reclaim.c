/* SPDX-License-Identifier: Apache-2.0
 * Reclaiming: the space of removed messages and of removed boxes goes back to
 * the engine, a slice at a time. */
#include <stdlib.h>

#include "base/log.h"
#include "store/box.h"
#include "store/pack.h"

enum {
	SLICE_PIECES = 1024,
	SLICE_LISTS = 64,		/* lists of bodies looked at for a slice */
	SLICE_KEYS = 1024,		/* other keys of a removed box */
	SLICE_OCTETS = ENGINE_BATCH_BYTES / 2,
	BOXES = 256,			/* looked at in one call */
	GARBAGE_LIST = 1024,		/* bodies in a list, at most */
};

struct reclaiming {
	struct deed deed;
	char name[MAILBOX_NAME_MAX + 1];	/* where the round is */
	bool graves;				/* it is among the removed boxes */
	bool worked, failed, under_way;
};

struct span box_garbage_key(char key[17], int64_t when, uint64_t blob)
{
	key[0] = 'g';
	pack_u64(key + 1, (uint64_t)when);
	pack_u64(key + 9, blob);
	return (struct span){ key, 17 };
}

void box_garbage_pack(char at[BOX_GARBAGE], uint64_t blob, uint32_t pieces)
{
	pack_u64(at, blob);
	pack_u32(at + 8, pieces);
}

/* A clock that went back must not keep bodies for ever. */
static bool due(int64_t when, int64_t now)
{
	return when <= now - RECLAIM_AFTER_S || when > now + RECLAIM_AFTER_S;
}

/* Takes what a list's bodies have into the batch, as far as `pieces` go; what is left stays in the list. */
static void take_list(struct batch *b, struct span key, struct span list, uint32_t *pieces)
{
	char rest[GARBAGE_LIST * BOX_GARBAGE];

	if (!list.len || list.len % BOX_GARBAGE || list.len > sizeof rest) {
		log_error(NULL, "store: a list of removed messages is damaged; their space is lost");
		list.len = 0;
	}
	while (list.len && *pieces) {
		uint64_t blob = unpack_u64(list.at);
		uint32_t has = unpack_u32(list.at + 8), n = has < *pieces ? has : *pieces;

		if (n)
			store_must(batch_blob_remove(b, blob, has - n, n));
		*pieces -= n;
		if (n < has) {
			memcpy(rest, list.at, list.len);
			box_garbage_pack(rest, blob, has - n);
			list.at = rest;
			break;
		}
		list = span_from(list, BOX_GARBAGE);
	}
	store_must(list.len ? batch_put(b, key, list) : batch_remove(b, key));
}

/* Lists of bodies, `all` or those that are due; false: there is none. */
static bool take_lists(struct view *v, engine_part part, struct batch *b, bool all, int64_t now)
{
	uint32_t pieces = SLICE_PIECES;
	struct span key = { 0 }, list;
	bool any = false;

	for (int n = 0; n < SLICE_LISTS && pieces && view_next(v, part, SPAN("g"), &key, &list); n++) {
		int64_t when = key.len == 17 ? (int64_t)unpack_u64(key.at + 1) : INT64_MIN;

		if (!all && !due(when, now))
			break;
		take_list(b, key, list, &pieces);
		any = true;
	}
	return any;
}

/* A page of a removed box, or a message that was on its way into it, as a list that is due. */
static void bury_bodies(struct batch *b, struct span key, struct span value)
{
	char list[BOX_PAGE * BOX_GARBAGE], at[17];
	struct box_entry e = { 0 };
	size_t len = 0;

	if (key.at[0] == 'i')
		for (; value.len >= BOX_ENTRY && len < sizeof list; value = span_from(value, BOX_ENTRY)) {
			e = box_entry_unpack(value.at);
			if (e.stored <= BOX_STORED_MAX) {
				box_garbage_pack(list + len, e.blob, box_entry_pieces(&e));
				len += BOX_GARBAGE;
			}
		}
	if (key.at[0] == 't' && key.len == 9 && value.len == 4) {
		box_garbage_pack(list, unpack_u64(key.at + 1), unpack_u32(value.at));
		len = BOX_GARBAGE;
	}
	if (len)
		store_must(batch_put(b, box_garbage_key(at, 0, unpack_u64(list)), (struct span){ list, len }));
}

/* One slice of a removed box; false: nothing is left of it. */
static bool take_grave(struct view *v, engine_part part, struct batch *b)
{
	struct span key = { 0 }, value;
	bool any = take_lists(v, part, b, true, 0);

	if (any)
		return true;
	while (batch_keys(b) < SLICE_KEYS && batch_bytes(b) < SLICE_OCTETS && view_next(v, part, (struct span){ 0 }, &key, &value)) {
		bury_bodies(b, key, value);
		store_must(batch_remove(b, key));
		any = true;
	}
	return any;
}

bool box_purge(struct store *s, const char *name, struct err *e)
{
	engine_part part = engine_part_of("mailbox", span_of(name));
	bool more = true, good = true;
	int64_t when;

	if (!box_grave(s, name, &when))
		return true;
	while (more && good) {
		struct batch *b = store_batch(part);
		struct view *v = store_view(s);

		more = take_grave(v, part, b);
		view_end(&v);
		if (more)
			good = engine_commit_wait(s->engine, &b, e);
		else
			batch_free(&b);
	}
	return good;
}

static void on_slice(void *user, const struct err *why)
{
	struct reclaiming *r = user;

	r->under_way = false;
	r->failed = why;
}

static void send(struct store *s, struct batch **b)
{
	struct reclaiming *r = s->reclaiming;

	r->under_way = r->worked = true;
	r->deed = (struct deed){ .then = on_slice, .user = r };
	store_do(s, b, &r->deed);
}

/* What is due in the box of the round, if anything is. */
static bool work(struct store *s, int64_t now)
{
	struct reclaiming *r = s->reclaiming;
	engine_part part = engine_part_of("mailbox", span_of(r->name));
	struct batch *b = store_batch(part);
	int64_t when = 0;
	struct view *v;
	bool any;

	if (r->graves && (!box_grave(s, r->name, &when) || !due(when, now))) {
		batch_free(&b);
		return false;
	}
	v = store_view(s);
	any = r->graves ? take_grave(v, part, b) : take_lists(v, part, b, false, now);
	view_end(&v);
	if (any) {
		send(s, &b);
		return true;
	}
	batch_free(&b);
	if (r->graves) {
		b = box_grave_close(r->name);
		send(s, &b);
	}
	return r->graves;
}

static bool next_box(struct store *s)
{
	struct reclaiming *r = s->reclaiming;

	if (!r->graves && mailbox_each(s, r->name))
		return true;
	if (!r->graves)
		r->name[0] = '\0';
	r->graves = true;
	return box_grave_each(s, r->name);
}

/* Intents whose rest failed are tried again. */
static void unstall(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++)
		for (struct mailbox *box = s->boxes[n]; box; box = box->next)
			if (box->stalled) {
				box->stalled = false;
				box_send(box);
			}
}

static bool end_round(struct reclaiming *r)
{
	bool worked = r->worked && !r->failed;

	r->name[0] = '\0';
	r->graves = r->worked = r->failed = false;
	return worked;
}

bool store_reclaim(struct store *s, int64_t now)
{
	struct reclaiming *r = s->reclaiming;

	if (!r)
		r = s->reclaiming = store_memory(sizeof *r);
	if (r->under_way)
		return true;
	if (r->failed)
		return end_round(r);
	if (!r->name[0] && !r->graves)
		unstall(s);
	if (r->name[0] && work(s, now))		/* again the box that had something before */
		return true;
	for (int n = 0; n < BOXES; n++) {
		if (!next_box(s))
			return end_round(r);
		if (work(s, now))
			return true;
	}
	return true;
}

void reclaiming_free(struct store *s)
{
	free(s->reclaiming);
	s->reclaiming = NULL;
}
