/* SPDX-License-Identifier: Apache-2.0
 *
 * The held area: ids, what becomes of a message, and octets that no record names. */
#include "store/held.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "store/held_inside.h"
#include "store/pack.h"
#include "store/room.h"

enum { PIECES_A_BATCH = 1000 };

pthread_mutex_t held_turn = PTHREAD_MUTEX_INITIALIZER;

const char *held_id_text(uint64_t id, char out[HELD_ID_TEXT])
{
	(void)snprintf(out, HELD_ID_TEXT, "%016llx", (unsigned long long)id);
	return out;
}

bool held_id_read(const char *text, uint64_t *id)
{
	*id = 0;
	if (strlen(text) != HELD_ID_TEXT - 1 || text[strspn(text, "0123456789abcdef")])
		return false;
	for (const char *c = text; *c; c++)
		*id = *id << 4 | (uint64_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
	return *id;
}

/* ---- octets without a record */

/* Takes pieces 0 … count - 1 away, and then the word of them. */
bool held_clear(struct store *s, uint64_t id, uint32_t count, struct err *e)
{
	char key[HELD_KEY];
	uint32_t from = 0;

	do {
		uint32_t n = count - from < PIECES_A_BATCH ? count - from : PIECES_A_BATCH;
		struct batch *b = store_batch(held_part());

		if (n)
			store_must(batch_blob_remove(b, id, from, n));
		from += n;
		if (from == count)
			store_must(batch_remove(b, held_key(key, 's', id)));
		if (!engine_commit_wait(s->engine, &b, e))
			return false;
	} while (from < count);
	return true;
}

void held_settle(struct store *s)
{
	uint64_t id = 0;

	while (held_next_id(s, SPAN("s"), &id)) {
		struct view *v = store_view(s);
		struct span value;
		char key[HELD_KEY];
		uint32_t count = view_get(v, held_part(), held_key(key, 's', id), &value) ? take_u32(&value) : 0;
		struct err e;

		view_end(&v);
		if (!held_clear(s, id, count, &e))
			log_warn(NULL, "a held message's remains: %s", e.text);
	}
}

/* ---- what becomes of it */

struct recipients {
	const char *const *at;
	size_t count;
};

/* Its record, changed, and whom it is for (NULL: as before). */
static bool change_all(struct store *s, uint64_t id, void (*edit)(struct held_info *h, const void *with), const void *with,
	const struct recipients *to, struct err *e)
{
	struct held_info was, is;
	uint32_t pieces;
	struct batch *b;
	char key[HELD_KEY];
	bool good;

	(void)pthread_mutex_lock(&held_turn);
	good = held_find(s, id, &was, &pieces) || held_no_such(id, e);
	if (good) {
		is = was;
		edit(&is, with);
		b = store_batch(held_part());
		store_must(batch_present(b, held_record_key(key, &is)));
		held_put(b, &is, pieces);
		held_index(s, b, &was, &is);
		if (to)
			held_put_recipients(b, id, to->at, to->count);
		good = engine_commit_wait(s->engine, &b, e) || err_in(e, "held message");
	}
	(void)pthread_mutex_unlock(&held_turn);
	return good;
}

static bool change(struct store *s, uint64_t id, void (*edit)(struct held_info *h, const void *with), const void *with, struct err *e)
{
	return change_all(s, id, edit, with, NULL, e);
}

static void edit_count(struct held_info *h, const void *with)
{
	const struct recipients *to = with;

	assert(to->count && to->count <= h->recipient_count);
	h->recipient_count = (uint32_t)to->count;
}

bool held_narrow(struct store *s, uint64_t id, const char *const *recipients, size_t count, struct err *e)
{
	const struct recipients to = { recipients, count };

	return change_all(s, id, edit_count, &to, &to, e);
}

static void edit_place(struct held_info *h, const void *with)
{
	(void)snprintf(h->place, sizeof h->place, "%s", (const char *)with);
}

bool held_placing(struct store *s, uint64_t id, const char *name, struct err *e)
{
	return change(s, id, edit_place, name, e);
}

struct outcome {
	enum held_state state;
	const char *why;
	int64_t now, next;
};

static void edit_outcome(struct held_info *h, const void *with)
{
	const struct outcome *o = with;

	h->state = o->state;
	h->attempts++;
	h->tried = o->now;
	h->next = o->next;
	h->released = h->released && o->state != HELD_QUARANTINED;
	held_set_why(h, o->why);
}

bool held_defer(struct store *s, uint64_t id, const char *why, int64_t now, int64_t next, struct err *e)
{
	return change(s, id, edit_outcome, &(struct outcome){ HELD_WAITING, why, now, next }, e);
}

bool held_fail(struct store *s, uint64_t id, const char *why, int64_t now, struct err *e)
{
	return change(s, id, edit_outcome, &(struct outcome){ HELD_FAILED, why, now, 0 }, e);
}

bool held_quarantine(struct store *s, uint64_t id, const char *why, int64_t now, struct err *e)
{
	return change(s, id, edit_outcome, &(struct outcome){ HELD_QUARANTINED, why, now, 0 }, e);
}

static void edit_postponed(struct held_info *h, const void *with)
{
	const struct outcome *o = with;

	if (h->state != HELD_WAITING)
		return;
	h->next = o->next;
	held_set_why(h, o->why);
}

bool held_postpone(struct store *s, uint64_t id, const char *why, int64_t next, struct err *e)
{
	return change(s, id, edit_postponed, &(struct outcome){ .why = why, .next = next }, e);
}

static void edit_again(struct held_info *h, const void *with)
{
	h->released = h->released || h->state == HELD_QUARANTINED;
	h->state = HELD_WAITING;
	h->since = h->next = *(const int64_t *)with;
}

bool held_again(struct store *s, uint64_t id, int64_t now, struct err *e)
{
	return change(s, id, edit_again, &now, e);
}

static bool forget(struct store *s, uint64_t id, uint32_t *pieces, struct err *e)
{
	struct batch *b = store_batch(held_part());
	struct held_info h;
	char key[HELD_KEY], value[4];

	if (!held_find(s, id, &h, pieces)) {
		batch_free(&b);
		return held_no_such(id, e);
	}
	pack_u32(value, *pieces);
	store_must(batch_remove(b, held_record_key(key, &h)));
	store_must(batch_remove(b, held_key(key, 'r', id)));
	store_must(batch_put(b, held_key(key, 's', id), (struct span){ value, sizeof value }));
	held_index(s, b, &h, NULL);
	return engine_commit_wait(s->engine, &b, e);
}

bool held_remove(struct store *s, uint64_t id, struct err *e)
{
	uint32_t pieces = 0;
	struct err later;
	bool good;

	(void)pthread_mutex_lock(&held_turn);
	good = forget(s, id, &pieces, e);
	(void)pthread_mutex_unlock(&held_turn);
	if (good)
		(void)!held_clear(s, id, pieces, &later);	/* it is gone either way; else held_settle does it */
	return good;
}

struct mailbox_source held_source(const struct held_info *info)
{
	struct mailbox_source source = { .connection = { 'h', 'e', 'l', 'd', 0, 0, 0, 0 } };

	pack_u64((char *)source.id, info->id);
	pack_u64((char *)source.id + 8, (uint64_t)info->made);
	pack_u64((char *)source.id + 16, info->size);
	return source;
}
