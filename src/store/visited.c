/* SPDX-License-Identifier: Apache-2.0
 * Visits at rest: "v" NAME in the partition "visited". */
#include "store/visited_inside.h"

#include <stdlib.h>

#include "base/log.h"
#include "store/pack.h"
#include "store/room.h"
#include "store/seal.h"

enum { FORMAT = 1, OF_HOST = 1, UNTRUSTED = 2, VALUE = 2 + 8 + 8 + 8 + 4 + 4 + VISITED_SUM };

engine_part visited_part(void)
{
	return engine_part_of("visited", SPAN(""));
}

bool visited_at(char kind, const char *name, char key[VISITED_KEY_MAX], struct span *out)
{
	size_t len = strlen(name);

	if (!len || len > VISITED_NAME_MAX)
		return false;
	key[0] = kind;
	memcpy(key + 1, name, len);
	*out = (struct span){ key, 1 + len };
	return true;
}

static struct span pack(char value[VALUE], const struct visited *v)
{
	value[0] = FORMAT;
	value[1] = (char)((v->of_host ? OF_HOST : 0) | (v->untrusted ? UNTRUSTED : 0));
	pack_u64(value + 2, (uint64_t)v->last);
	pack_u64(value + 10, (uint64_t)v->success);
	pack_u64(value + 18, (uint64_t)v->backoff_until);
	pack_u32(value + 26, v->failures);
	pack_u32(value + 30, v->throttled);
	memcpy(value + 34, v->sum, VISITED_SUM);
	return (struct span){ value, VALUE };
}

static bool unpack(struct span value, struct visited *v)
{
	uint8_t format = take_u8(&value), flags = take_u8(&value);
	struct span sum;

	*v = (struct visited){ .of_host = flags & OF_HOST, .untrusted = flags & UNTRUSTED };
	v->last = (int64_t)take_u64(&value);
	v->success = (int64_t)take_u64(&value);
	v->backoff_until = (int64_t)take_u64(&value);
	v->failures = take_u32(&value);
	v->throttled = take_u32(&value);
	sum = take_span(&value, VISITED_SUM);
	if (!sum.at || value.len || format != FORMAT)
		return false;
	memcpy(v->sum, sum.at, VISITED_SUM);
	return v->last >= 0 && v->success >= 0 && v->backoff_until >= 0;
}

static void committed(void *user, const struct err *why)
{
	if (why)
		log_warn(NULL, "when connections were visited could not be kept: %s", why->text);
	free(user);
}

static void commit(struct store *s, struct batch *b)
{
	struct deed *deed = store_memory(sizeof *deed);

	*deed = (struct deed){ .then = committed, .user = deed };
	store_do(s, &b, deed);
}

void visited_note(struct store *s, const char *name, const struct visited *v)
{
	char at[VISITED_KEY_MAX], value[VALUE];
	struct batch *b;
	struct span key;

	if (!visited_at('v', name, at, &key))
		return;
	b = store_batch(visited_part());
	store_must(batch_put(b, key, pack(value, v)));
	commit(s, b);
}

void visited_forget(struct store *s, const char *name)
{
	char at[VISITED_KEY_MAX];
	struct batch *b;
	struct span key;

	if (!visited_at('v', name, at, &key))
		return;
	b = store_batch(visited_part());
	store_must(batch_remove(b, key));
	at[0] = 'l';		/* what visited_login.c knows of it */
	store_must(batch_remove(b, key));
	commit(s, b);
}

bool visited_get(struct store *s, const char *name, struct visited *out)
{
	struct span key, value;
	char at[VISITED_KEY_MAX];
	struct view *v;
	bool there;

	if (!visited_at('v', name, at, &key))
		return false;
	v = store_view(s);
	there = view_get(v, visited_part(), key, &value) && unpack(value, out);
	view_end(&v);
	return there;
}

bool visited_each(struct store *s, char name[VISITED_NAME_MAX + 1])
{
	struct view *v = store_view(s);
	struct span key = { 0 }, value;
	char at[VISITED_KEY_MAX];
	bool there;

	(void)visited_at('v', name, at, &key);
	do
		there = view_next(v, visited_part(), SPAN("v"), &key, &value);
	while (there && (key.len < 2 || key.len > VISITED_KEY_MAX));
	if (there) {
		memcpy(name, key.at + 1, key.len - 1);
		name[key.len - 1] = '\0';
	}
	view_end(&v);
	return there;
}

void visited_key(struct store *s, uint8_t key[VISITED_KEY])
{
	seal_derive(s->seal, "visited", "", key, VISITED_KEY);
}
