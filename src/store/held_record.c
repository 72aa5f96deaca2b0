/* SPDX-License-Identifier: Apache-2.0
 *
 * A held message's record at rest. */
#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "store/held_inside.h"
#include "store/pack.h"
#include "store/room.h"

/* A record of FORMAT_SUBMITTED ends before its origin: it was submitted. */
enum {
	FORMAT_SUBMITTED = 1, FORMAT = 2, ID = 32, FIXED = 2 + 4 * 8 + 8 + 3 * 4 + 1 + 2 * ID, TEXTS = 5, ORIGIN_TEXTS = 3,
	VALUE_MAX = FIXED + (TEXTS + ORIGIN_TEXTS) * 4 + ACCOUNT_NAME_MAX + HELD_TARGET_MAX + HELD_ADDRESS_MAX + HELD_WHY_MAX + MAILDIR_NAME_MAX +
		LEDGER_CONNECTION_MAX + LEDGER_MAILBOX_MAX + LEDGER_UID_MAX,
};

static_assert(sizeof ((struct held_origin *)0)->id == ID && sizeof ((struct held_origin *)0)->digest == ID, "both are of one length");

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

struct span held_record_key(char key[HELD_KEY], const struct held_info *h)
{
	return held_key(key, held_submitted(h) ? 'h' : 'k', h->id);
}

static char *add_text(char *at, const char *text)
{
	size_t len = strlen(text);

	pack_u32(at, (uint32_t)len);
	memcpy(at + 4, text, len);
	return at + 4 + len;
}

static char *add_origin(char *at, const struct held_info *h)
{
	const struct held_origin *o = &h->origin;

	*at++ = (char)h->released;
	memcpy(at, o->id, ID);
	memcpy(at + ID, o->digest, ID);
	at = add_text(at + 2 * ID, o->connection);
	at = add_text(at, o->mailbox);
	return add_text(at, o->uid);
}

static struct span pack(char value[VALUE_MAX], const struct held_info *h, uint32_t pieces)
{
	const int64_t moments[] = { h->made, h->since, h->tried, h->next };
	const char *const texts[TEXTS] = { h->account, h->target, h->sender, h->why, h->place };
	char *at = value;

	*at++ = held_submitted(h) ? FORMAT_SUBMITTED : FORMAT;
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
	if (!held_submitted(h))
		at = add_origin(at, h);
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

static void take_id(struct span *s, uint8_t out[ID])
{
	struct span id = take_span(s, ID);

	if (id.at)
		memcpy(out, id.at, ID);
}

static void take_origin(struct span *value, struct held_info *h)
{
	struct held_origin *o = &h->origin;

	h->released = take_u8(value) != 0;
	take_id(value, o->id);
	take_id(value, o->digest);
	take_text(value, o->connection, sizeof o->connection);
	take_text(value, o->mailbox, sizeof o->mailbox);
	take_text(value, o->uid, sizeof o->uid);
}

static bool unpack(struct span value, char kind, struct held_info *h, uint32_t *pieces)
{
	uint8_t format = take_u8(&value), state = take_u8(&value);
	int64_t *const moments[] = { &h->made, &h->since, &h->tried, &h->next };

	h->state = state <= HELD_QUARANTINED ? (enum held_state)state : HELD_FAILED;
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
	h->released = false;
	h->origin = (struct held_origin){ .connection = "" };
	if (format == FORMAT)
		take_origin(&value, h);
	return (format == FORMAT || format == FORMAT_SUBMITTED) && state <= HELD_QUARANTINED && value.at && !value.len &&
		held_submitted(h) == (kind == 'h');
}

bool held_find(struct store *s, uint64_t id, struct held_info *h, uint32_t *pieces)
{
	static const char kinds[] = { 'h', 'k' };
	struct view *v = store_view(s);
	struct span value;
	char key[HELD_KEY];
	bool there = false;

	h->id = id;
	for (size_t n = 0; n < COUNT(kinds) && !there; n++) {
		there = view_get(v, held_part(), held_key(key, kinds[n], id), &value);
		if (there && !unpack(value, kinds[n], h, pieces)) {
			char text[HELD_ID_TEXT];

			log_error(NULL, "held message %s is damaged: restore the store from a backup", held_id_text(id, text));
			there = false;
		}
	}
	view_end(&v);
	return there;
}

bool held_get(struct store *s, uint64_t id, struct held_info *info)
{
	uint32_t pieces;

	return held_find(s, id, info, &pieces);
}

bool held_no_such(uint64_t id, struct err *e)
{
	char text[HELD_ID_TEXT];

	return err_set(e, ERR_CONFIG, "there is no held message %s", held_id_text(id, text));
}

bool held_next_id(struct store *s, struct span prefix, uint64_t *id)
{
	struct view *v = store_view(s);
	char at[HELD_OF_KEY];
	struct span key = { at, prefix.len + 8 }, value;
	bool there;

	assert(key.len <= sizeof at);
	memcpy(at, prefix.at, prefix.len);
	pack_u64(at + prefix.len, *id);
	there = view_next(v, held_part(), prefix, &key, &value) && key.len == prefix.len + 8;
	if (there)
		*id = unpack_u64(key.at + prefix.len);
	view_end(&v);
	return there;
}

void held_put(struct batch *b, const struct held_info *h, uint32_t pieces)
{
	char value[VALUE_MAX], key[HELD_KEY];

	store_must(batch_put(b, held_record_key(key, h), pack(value, h, pieces)));
}

void held_set_why(struct held_info *h, const char *why)
{
	(void)snprintf(h->why, sizeof h->why, "%s", why ? why : "");
	text_clean(h->why, strlen(h->why));
}
