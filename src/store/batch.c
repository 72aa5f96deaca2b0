/* SPDX-License-Identifier: Apache-2.0 */
#include "store/batch.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "store/pack.h"

enum { OPS_FIRST = 16, DATA_FIRST = 1024 };

engine_part engine_part_of(const char *kind, struct span name)
{
	unsigned char hash[8 > crypto_generichash_BYTES_MIN ? 8 : crypto_generichash_BYTES_MIN];
	crypto_generichash_state h;
	engine_part part;

	/* The kind's final NUL keeps ("a", "bc") and ("ab", "c") apart. */
	(void)crypto_generichash_init(&h, NULL, 0, sizeof hash);
	(void)crypto_generichash_update(&h, (const unsigned char *)kind, strlen(kind) + 1);
	(void)crypto_generichash_update(&h, (const unsigned char *)name.at, name.len);
	(void)crypto_generichash_final(&h, hash, sizeof hash);
	part = unpack_u64((const char *)hash);
	return part ? part : 1;
}

struct batch *batch_new(engine_part part)
{
	struct batch *b = calloc(1, sizeof *b);

	assert(part);
	if (b)
		b->part = part;
	return b;
}

void batch_free(struct batch **b)
{
	if (!*b)
		return;
	for (uint32_t n = 0; n < (*b)->count; n++)
		free((*b)->ops[n].owned);
	free((*b)->ops);
	free((*b)->data);
	free(*b);
	*b = NULL;
}

static bool room_for_op(struct batch *b)
{
	uint32_t cap = b->cap ? b->cap * 2 : OPS_FIRST;
	struct op *more;

	if (b->count < b->cap)
		return true;
	more = reallocarray(b->ops, cap, sizeof *more);
	if (!more)
		return false;
	b->ops = more;
	b->cap = cap;
	return true;
}

static bool room_for_data(struct batch *b, size_t n)
{
	size_t cap = b->data_cap ? b->data_cap : DATA_FIRST;
	char *more;

	if (n <= b->data_cap - b->data_len)
		return true;
	while (cap < b->data_len + n)
		cap *= 2;
	more = realloc(b->data, cap);
	if (!more)
		return false;
	b->data = more;
	b->data_cap = (uint32_t)cap;
	return true;
}

static void add_data(struct batch *b, struct span s)
{
	if (s.len)
		memcpy(b->data + b->data_len, s.at, s.len);
	b->data_len += (uint32_t)s.len;
}

/* One operation; `tail` follows the partition in its key.  `owned` or `value`. */
static bool add(struct batch *b, enum op_kind kind, size_t keys, struct span tail, struct span value, char *owned)
{
	char part[BATCH_PART];
	size_t key_len = sizeof part + tail.len;
	struct op *o;

	if (b->keys + keys > ENGINE_BATCH_KEYS || b->bytes + key_len + value.len > ENGINE_BATCH_BYTES)
		return false;
	if (!room_for_op(b) || !room_for_data(b, key_len + (owned ? 0 : value.len)))
		return false;
	o = &b->ops[b->count++];
	*o = (struct op){ .kind = kind, .key = b->data_len, .key_len = (uint32_t)key_len,
		.value_len = (uint32_t)value.len, .owned = owned };
	pack_u64(part, b->part);
	add_data(b, (struct span){ part, sizeof part });
	add_data(b, tail);
	o->value = b->data_len;
	if (!owned)
		add_data(b, value);
	b->keys += keys;
	b->bytes += key_len + value.len;
	return true;
}

static bool key_fits(struct span key)
{
	return key.len > 0 && key.len <= ENGINE_KEY_MAX;
}

bool batch_put(struct batch *b, struct span key, struct span value)
{
	assert(value.len);
	return key_fits(key) && add(b, OP_PUT, 1, key, value, NULL);
}

bool batch_remove(struct batch *b, struct span key)
{
	return key_fits(key) && add(b, OP_REMOVE, 1, key, (struct span){ 0 }, NULL);
}

bool batch_absent(struct batch *b, struct span key)
{
	return key_fits(key) && add(b, OP_ABSENT, 1, key, (struct span){ 0 }, NULL);
}

bool batch_present(struct batch *b, struct span key)
{
	return key_fits(key) && add(b, OP_PRESENT, 1, key, (struct span){ 0 }, NULL);
}

bool batch_equals(struct batch *b, struct span key, struct span value)
{
	return key_fits(key) && add(b, OP_EQUALS, 1, key, value, NULL);
}

static struct span blob_tail(char tail[12], uint64_t blob, uint32_t piece)
{
	pack_u64(tail, blob);
	pack_u32(tail + 8, piece);
	return (struct span){ tail, 12 };
}

bool batch_blob(struct batch *b, uint64_t blob, uint32_t piece, struct span octets)
{
	char tail[12];

	assert(octets.len);
	return octets.len <= ENGINE_PIECE_MAX && add(b, OP_BLOB, 1, blob_tail(tail, blob, piece), octets, NULL);
}

bool batch_blob_owned(struct batch *b, uint64_t blob, uint32_t piece, char *octets, size_t len)
{
	char tail[12];

	assert(len);
	return len <= ENGINE_PIECE_MAX && add(b, OP_BLOB, 1, blob_tail(tail, blob, piece), (struct span){ octets, len }, octets);
}

bool batch_blob_remove(struct batch *b, uint64_t blob, uint32_t first, uint32_t pieces)
{
	char tail[12];

	if (!add(b, OP_BLOB_REMOVE, pieces, blob_tail(tail, blob, first), (struct span){ 0 }, NULL))
		return false;
	b->ops[b->count - 1].value_len = pieces;
	return true;
}

size_t batch_keys(const struct batch *b)
{
	return b->keys;
}

size_t batch_bytes(const struct batch *b)
{
	return b->bytes;
}
