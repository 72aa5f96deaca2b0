/* SPDX-License-Identifier: Apache-2.0
 *
 * At rest, in a partition of its own: "h" ID → what is known of the message, "r" ID → its recipients, one a line,
 * blob ID → its octets; "s" ID → how many pieces of a blob that no "h" names (yet, or any more) may be there;
 * "t" → the octets of all. */
#include "store/held.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "store/held_inside.h"
#include "store/pack.h"
#include "store/room.h"

enum {
	FORMAT = 1, FIXED = 2 + 4 * 8 + 8 + 3 * 4, TEXTS = 5, PIECES_A_BATCH = 1000,
	VALUE_MAX = FIXED + TEXTS * 4 + ACCOUNT_NAME_MAX + HELD_TARGET_MAX + HELD_ADDRESS_MAX + HELD_WHY_MAX + MAILDIR_NAME_MAX,
};

pthread_mutex_t held_turn = PTHREAD_MUTEX_INITIALIZER;

engine_part held_part(void)
{
	return engine_part_of("held", SPAN(""));
}

struct span held_key(char key[HELD_KEY], char kind, uint64_t id)
{
	key[0] = kind;
	pack_u64(key + 1, id);
	return (struct span){ key, HELD_KEY };
}

/* ---- a record */

static char *add_text(char *at, const char *text)
{
	size_t len = strlen(text);

	pack_u32(at, (uint32_t)len);
	memcpy(at + 4, text, len);
	return at + 4 + len;
}

static struct span pack(char value[VALUE_MAX], const struct held_info *h, uint32_t pieces)
{
	const int64_t moments[] = { h->made, h->since, h->tried, h->next };
	const char *const texts[TEXTS] = { h->account, h->target, h->sender, h->why, h->place };
	char *at = value;

	*at++ = FORMAT;
	*at++ = (char)h->state;
	for (size_t n = 0; n < COUNT(moments); n++, at += 8)
		pack_u64(at, (uint64_t)moments[n]);
	pack_u64(at, h->size);
	pack_u32(at + 8, pieces);
	pack_u32(at + 12, h->attempts);
	pack_u32(at + 16, h->recipient_count);
	at += 20;
	for (size_t n = 0; n < TEXTS; n++)
		at = add_text(at, texts[n]);
	assert(at <= value + VALUE_MAX);
	return (struct span){ value, (size_t)(at - value) };
}

static void take_text(struct span *s, char *out, size_t size)
{
	uint32_t len = take_u32(s);
	struct span text;

	if (len >= size)
		*s = (struct span){ 0 };
	text = take_span(s, len);
	if (text.at)
		memcpy(out, text.at, len);
	out[text.at ? len : 0] = '\0';
}

static bool unpack(struct span value, struct held_info *h, uint32_t *pieces)
{
	uint8_t format = take_u8(&value), state = take_u8(&value);
	int64_t *const moments[] = { &h->made, &h->since, &h->tried, &h->next };

	h->state = state == HELD_FAILED ? HELD_FAILED : HELD_WAITING;
	for (size_t n = 0; n < COUNT(moments); n++)
		*moments[n] = (int64_t)take_u64(&value);
	h->size = take_u64(&value);
	*pieces = take_u32(&value);
	h->attempts = take_u32(&value);
	h->recipient_count = take_u32(&value);
	take_text(&value, h->account, sizeof h->account);
	take_text(&value, h->target, sizeof h->target);
	take_text(&value, h->sender, sizeof h->sender);
	take_text(&value, h->why, sizeof h->why);
	take_text(&value, h->place, sizeof h->place);
	text_clean(h->why, strlen(h->why));
	return format == FORMAT && state <= HELD_FAILED && value.at && !value.len;
}

bool held_find(struct store *s, uint64_t id, struct held_info *h, uint32_t *pieces)
{
	struct view *v = store_view(s);
	struct span value;
	char key[HELD_KEY];
	bool there = view_get(v, held_part(), held_key(key, 'h', id), &value);

	h->id = id;
	if (there && !unpack(value, h, pieces)) {
		char text[HELD_ID_TEXT];

		log_error(NULL, "held message %s is damaged: restore the store from a backup", held_id_text(id, text));
		there = false;
	}
	view_end(&v);
	return there;
}

bool held_get(struct store *s, uint64_t id, struct held_info *info)
{
	uint32_t pieces;

	return held_find(s, id, info, &pieces);
}

/* The first id of a kind above `id`. */
static bool next_id(struct store *s, char kind, uint64_t *id)
{
	struct view *v = store_view(s);
	char at[HELD_KEY];
	struct span key = held_key(at, kind, *id), value;
	bool there = view_next(v, held_part(), (struct span){ &kind, 1 }, &key, &value) && key.len == HELD_KEY;

	if (there)
		*id = unpack_u64(key.at + 1);
	view_end(&v);
	return there;
}

bool held_next(struct store *s, struct held_info *info)
{
	uint64_t id = info->id;

	while (next_id(s, 'h', &id))
		if (held_get(s, id, info))
			return true;
	return false;
}

uint64_t held_total(struct store *s)
{
	struct view *v = store_view(s);
	struct span value;
	uint64_t octets = view_get(v, held_part(), SPAN("t"), &value) ? take_u64(&value) : 0;

	view_end(&v);
	return octets;
}

void held_sums(struct store *s, struct held_sums *sums)
{
	struct held_info info = { .id = 0 };

	*sums = (struct held_sums){ .octets = held_total(s) };
	while (held_next(s, &info)) {
		sums->waiting += info.state == HELD_WAITING;
		sums->failed += info.state == HELD_FAILED;
	}
}

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

	while (next_id(s, 's', &id)) {
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

void held_put(struct batch *b, const struct held_info *h, uint32_t pieces)
{
	char value[VALUE_MAX], key[HELD_KEY];

	store_must(batch_put(b, held_key(key, 'h', h->id), pack(value, h, pieces)));
}

void held_put_total(struct batch *b, uint64_t octets)
{
	char value[8];

	pack_u64(value, octets);
	store_must(batch_put(b, SPAN("t"), (struct span){ value, sizeof value }));
}

void held_set_why(struct held_info *h, const char *why)
{
	(void)snprintf(h->why, sizeof h->why, "%s", why ? why : "");
	text_clean(h->why, strlen(h->why));
}

/* ---- what becomes of it */

bool held_no_such(uint64_t id, struct err *e)
{
	char text[HELD_ID_TEXT];

	return err_set(e, ERR_CONFIG, "there is no held message %s", held_id_text(id, text));
}

struct recipients {
	const char *const *at;
	size_t count;
};

/* Its record, changed, and whom it is for (NULL: as before). */
static bool change_all(struct store *s, uint64_t id, void (*edit)(struct held_info *h, const void *with), const void *with,
	const struct recipients *to, struct err *e)
{
	struct held_info h;
	uint32_t pieces;
	struct batch *b;
	char key[HELD_KEY];
	bool good;

	(void)pthread_mutex_lock(&held_turn);
	good = held_find(s, id, &h, &pieces) || held_no_such(id, e);
	if (good) {
		edit(&h, with);
		b = store_batch(held_part());
		store_must(batch_present(b, held_key(key, 'h', id)));
		held_put(b, &h, pieces);
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

static void edit_again(struct held_info *h, const void *with)
{
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
	uint64_t octets = held_total(s);

	if (!held_find(s, id, &h, pieces)) {
		batch_free(&b);
		return held_no_such(id, e);
	}
	pack_u32(value, *pieces);
	store_must(batch_remove(b, held_key(key, 'h', id)));
	store_must(batch_remove(b, held_key(key, 'r', id)));
	store_must(batch_put(b, held_key(key, 's', id), (struct span){ value, sizeof value }));
	held_put_total(b, octets > h.size ? octets - h.size : 0);
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
