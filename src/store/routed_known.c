/* SPDX-License-Identifier: Apache-2.0 */
#include "store/routed_known.h"

#include <stdlib.h>

#include "store/pack.h"

enum { KNOWN_KEY = 1 + 1 + 8, BATCH_KEYS = 1000, BATCH_OCTETS = 256 * 1024 };

static const struct span none = SPAN("\1");

static int by_id(const void *a, const void *b)
{
	const struct known_message *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void known_start(struct known *k, struct engine *g, engine_part part, uint32_t field, struct known_message *messages, size_t count)
{
	*k = (struct known){ .engine = g, .part = part, .field = (uint8_t)field, .messages = messages, .count = count };
	if (count)
		qsort(messages, count, sizeof *messages, by_id);
}

/* The batch for one thing more; NULL when there is no memory. */
static struct batch *room(struct known *k)
{
	struct err e;

	if (k->batch && (batch_keys(k->batch) >= BATCH_KEYS || batch_bytes(k->batch) >= BATCH_OCTETS))
		(void)!engine_commit_wait(k->engine, &k->batch, &e);
	if (!k->batch)
		k->batch = batch_new(k->part);
	return k->batch;
}

static const struct known_message *find(const struct known *k, struct span key)
{
	struct known_message wanted;

	if (key.len != KNOWN_KEY || (uint8_t)key.at[1] != k->field || !k->count)
		return NULL;
	wanted.id = unpack_u64(key.at + 2);
	return bsearch(&wanted, k->messages, k->count, sizeof wanted, by_id);
}

bool known_next(struct known *k, struct view *v, const struct known_message **message, struct span *addresses)
{
	while (view_next(v, k->part, SPAN("y"), &k->key, addresses)) {
		*message = find(k, k->key);
		if (*message && addresses->at[addresses->len - 1] == '\0')
			return true;
		if (*message && span_equal(*addresses, none)) {
			addresses->len = 0;
			return true;
		}
		/* Not while the view lasts is anything committed: what is too much for a batch goes another time. */
		if (k->batch ? batch_keys(k->batch) < BATCH_KEYS : room(k) != NULL)
			(void)!batch_remove(k->batch, k->key);
	}
	return false;
}

void known_put(struct known *k, uint64_t id, struct span addresses)
{
	char key[KNOWN_KEY] = { 'y', (char)k->field };

	pack_u64(key + 2, id);
	if (room(k))
		(void)!batch_put(k->batch, (struct span){ key, sizeof key }, addresses.len ? addresses : none);
}

void known_end(struct known *k)
{
	struct err e;

	if (k->batch && batch_keys(k->batch))
		(void)!engine_commit_wait(k->engine, &k->batch, &e);
	batch_free(&k->batch);
}

bool known_forget(struct engine *g, engine_part part, struct err *e)
{
	bool more = true, good = true;

	while (more && good) {
		struct batch *b = batch_new(part);
		struct span key = { 0 }, value;
		struct view *v;

		if (!b)
			return err_set(e, ERR_LOCAL, "out of memory");
		if (!view_begin(g, &v, e)) {
			batch_free(&b);
			return false;
		}
		while (batch_keys(b) < BATCH_KEYS && view_next(v, part, SPAN("y"), &key, &value))
			(void)!batch_remove(b, key);
		view_end(&v);
		more = batch_keys(b);
		good = !more || engine_commit_wait(g, &b, e);
		batch_free(&b);
	}
	return good;
}
