/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch, as an engine sees it: operations in the order they were added.
 *
 * Keys carry the partition in front (8 octets), and for blobs the blob's id
 * and the piece's number (8 + 4): what LMDB stores them under.  Preconditions
 * are operations too; an engine checks all of them before it changes anything. */
#pragma once

#include "store/engine.h"

enum { BATCH_PART = 8, BATCH_BLOB_KEY = BATCH_PART + 8 + 4 };

enum op_kind { OP_PUT, OP_REMOVE, OP_BLOB, OP_BLOB_REMOVE, OP_ABSENT, OP_PRESENT, OP_EQUALS };

struct op {
	enum op_kind kind;
	uint32_t key, key_len;		/* where in data */
	uint32_t value, value_len;	/* where in data; of OP_BLOB_REMOVE, value_len: how many pieces */
	char *owned;			/* the value, when it is not in data */
};

struct batch {
	struct op *ops;
	uint32_t count, cap;
	char *data;
	uint32_t data_len, data_cap;
	size_t keys, bytes;
	engine_part part;
	/* while the engine has it: */
	struct batch *next;
	struct engine_done done;
	bool refused;			/* a precondition failed */
};

static inline struct span op_key(const struct batch *b, const struct op *o)
{
	return (struct span){ b->data + o->key, o->key_len };
}

static inline struct span op_value(const struct batch *b, const struct op *o)
{
	return (struct span){ o->owned ? o->owned : b->data + o->value, o->value_len };
}
