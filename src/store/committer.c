/* SPDX-License-Identifier: Apache-2.0
 * Group commit: one thread takes what waits into one transaction and one fsync. */
#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/pack.h"

/* LMDB holds a transaction's changed pages on the heap until it commits: what
 * would pass this waits for the next one.  A key counts as one page. */
enum { GROUP_COST = 4 << 20, KEY_COST = 4096 };

struct group {
	struct batch *first, **last;
	size_t cost;
};

static size_t cost_of(const struct batch *b)
{
	return b->bytes + b->keys * KEY_COST;
}

/* At least one batch, so that nothing is ever too large to be taken. */
static void take_group(struct committer *c, struct group *g)
{
	*g = (struct group){ .last = &g->first };
	while (c->first && (!g->first || g->cost + cost_of(c->first) <= GROUP_COST)) {
		struct batch *b = c->first;

		c->first = b->next;
		b->next = NULL;
		*g->last = b;
		g->last = &b->next;
		g->cost += cost_of(b);
	}
	if (!c->first)
		c->last = &c->first;
}

/* Does the precondition hold?  Other operations do. */
static int holds(struct engine *g, MDB_txn *txn, const struct batch *b, const struct op *o, bool *good)
{
	MDB_val key = lmdb_val(op_key(b, o)), value;
	int code;

	switch (o->kind) {
	case OP_PUT:
	case OP_REMOVE:
	case OP_BLOB:
	case OP_BLOB_REMOVE:
		return 0;
	case OP_ABSENT:
	case OP_PRESENT:
	case OP_EQUALS:
		break;
	}
	code = mdb_get(txn, g->keys, &key, &value);
	if (code && code != MDB_NOTFOUND)
		return code;
	if (o->kind == OP_EQUALS)
		*good = *good && !code && span_equal((struct span){ value.mv_data, value.mv_size }, op_value(b, o));
	else
		*good = *good && (o->kind == OP_ABSENT) == (code == MDB_NOTFOUND);
	return 0;
}

static int remove_pieces(struct engine *g, MDB_txn *txn, const struct batch *b, const struct op *o)
{
	char *at = b->data + o->key;
	uint32_t first = unpack_u32(at + BATCH_BLOB_KEY - 4);

	for (uint32_t piece = first; piece < first + o->value_len; piece++) {
		MDB_val key = lmdb_val(op_key(b, o));
		int code;

		pack_u32(at + BATCH_BLOB_KEY - 4, piece);
		code = mdb_del(txn, g->blobs, &key, NULL);
		if (code && code != MDB_NOTFOUND)
			return code;
	}
	return 0;
}

static int change(struct engine *g, MDB_txn *txn, const struct batch *b, struct op *o)
{
	MDB_val key = lmdb_val(op_key(b, o)), value = lmdb_val(op_value(b, o));
	int code;

	switch (o->kind) {
	case OP_PUT:
		return mdb_put(txn, g->keys, &key, &value, 0);
	case OP_REMOVE:
		code = mdb_del(txn, g->keys, &key, NULL);
		return code == MDB_NOTFOUND ? 0 : code;
	case OP_BLOB:
		code = mdb_put(txn, g->blobs, &key, &value, 0);
		/* The transaction has its copy: not twice in memory until the fsync. */
		free(o->owned);
		o->owned = NULL;
		return code;
	case OP_BLOB_REMOVE:
		return remove_pieces(g, txn, b, o);
	case OP_ABSENT:
	case OP_PRESENT:
	case OP_EQUALS:
		return 0;
	}
	return MDB_BAD_TXN;	/* an operation of no kind: memory is overwritten */
}

static int apply(struct engine *g, MDB_txn *txn, struct batch *b)
{
	bool good = true;
	int code = 0;

	for (const struct op *o = b->ops; o < b->ops + b->count && !code; o++)
		code = holds(g, txn, b, o, &good);
	b->refused = !good;
	for (struct op *o = b->ops; o < b->ops + b->count && good && !code; o++)
		code = change(g, txn, b, o);
	return code;
}

static bool commit(struct engine *g, struct group *group, struct err *why)
{
	MDB_txn *txn;
	int code;

	errno = 0;
	code = mdb_txn_begin(g->env, NULL, 0, &txn);
	if (code)
		return lmdb_failed(g, why, "cannot begin", code);
	for (struct batch *b = group->first; b && !code; b = b->next)
		code = apply(g, txn, b);
	if (code) {
		mdb_txn_abort(txn);
		return lmdb_failed(g, why, "cannot write", code);
	}
	code = mdb_txn_commit(txn);
	return code ? lmdb_failed(g, why, "cannot commit", code) : true;
}

static void answer(struct group *group, const struct err *why)
{
	struct err changed;

	(void)err_set(&changed, ERR_BUSY, "store: somebody else changed it meanwhile");
	while (group->first) {
		struct batch *b = group->first;
		struct engine_done done = b->done;

		group->first = b->next;
		done.run(done.user, why ? why : b->refused ? &changed : NULL);
		batch_free(&b);
	}
}

static void *run(void *user)
{
	struct engine *g = user;
	struct committer *c = &g->committer;
	struct group group;
	struct err why;

	for (;;) {
		(void)pthread_mutex_lock(&c->mutex);
		while (!c->first && !c->stop)
			(void)pthread_cond_wait(&c->work, &c->mutex);
		take_group(c, &group);
		(void)pthread_mutex_unlock(&c->mutex);
		if (!group.first)
			return NULL;
		answer(&group, commit(g, &group, &why) ? NULL : &why);
	}
}

void engine_commit(struct engine *g, struct batch **b, struct engine_done done)
{
	struct committer *c = &g->committer;

	assert(*b && done.run);
	(*b)->done = done;
	(*b)->next = NULL;
	(void)pthread_mutex_lock(&c->mutex);
	assert(!c->stop);
	*c->last = *b;
	c->last = &(*b)->next;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->mutex);
	*b = NULL;
}

bool committer_start(struct engine *g, struct err *e)
{
	struct committer *c = &g->committer;

	(void)pthread_mutex_init(&c->mutex, NULL);
	(void)pthread_cond_init(&c->work, NULL);
	c->last = &c->first;
	errno = pthread_create(&c->thread, NULL, run, g);
	return errno ? err_errno(e, ERR_LOCAL, "no thread for the store") : true;
}

void committer_stop(struct engine *g)
{
	struct committer *c = &g->committer;

	(void)pthread_mutex_lock(&c->mutex);
	c->stop = true;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->mutex);
	(void)pthread_join(c->thread, NULL);
	assert(!c->first);
	(void)pthread_mutex_destroy(&c->mutex);
	(void)pthread_cond_destroy(&c->work);
}
