/* SPDX-License-Identifier: Apache-2.0
 * In place of src/store's LMDB engine and its committer: tables in the world's
 * memory.  Waiting batches become a group; the group is durable, whole, at a
 * seeded moment later, and answered after that.  A crash loses what waits; the
 * group under way is lost or kept, seeded, as LMDB's one write of a meta page. */
#include <assert.h>
#include <stdlib.h>

#include "sim.h"
#include "store/batch.h"
#include "store/pack.h"

enum { FSYNC_US = 30000, SOON_US = 300 };

enum stage { STAGE_IDLE, STAGE_WRITING, STAGE_DURABLE };

struct engine {
	struct batch *first, **last;	/* waiting */
	struct batch *group;		/* under way */
	enum stage stage;
	bool full;			/* the disk is, for this group */
	uint64_t turn;			/* which step the queued event is for */
	bool queued;
};

struct view {
	struct engine *engine;
};

struct turn {
	struct engine *engine;
	uint64_t turn;
};

static struct engine *engine_open_now;

/* ---- tables: rows in order of their keys */

static int compare(const struct row *r, struct span key)
{
	size_t n = r->key_len < key.len ? r->key_len : key.len;
	int order = n ? memcmp(r->key, key.at, n) : 0;

	return order ? order : (r->key_len > key.len) - (r->key_len < key.len);
}

/* The first row that is not before `key`. */
static size_t row_at(const struct table *t, struct span key)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&t->rows[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *row_find(const struct table *t, struct span key)
{
	size_t at = row_at(t, key);

	return at < t->count && compare(&t->rows[at], key) == 0 ? &t->rows[at] : NULL;
}

static char *copied(struct span s)
{
	return s.len ? memcpy(world_take(s.len), s.at, s.len) : NULL;
}

static void row_put(struct table *t, struct span key, struct span value)
{
	size_t at = row_at(t, key);

	if (at == t->count || compare(&t->rows[at], key) != 0) {
		if (t->count == t->cap) {
			size_t cap = t->cap ? t->cap * 2 : 128;
			struct row *more = world_take(cap * sizeof *more);

			if (t->count)
				memcpy(more, t->rows, t->count * sizeof *more);
			t->rows = more;
			t->cap = cap;
		}
		memmove(&t->rows[at + 1], &t->rows[at], (t->count - at) * sizeof *t->rows);
		t->count++;
		t->rows[at] = (struct row){ .key = copied(key), .key_len = (uint32_t)key.len };
	}
	if (value.len > t->rows[at].value_len)
		t->rows[at].value = copied(value);
	else if (value.len)
		memcpy(t->rows[at].value, value.at, value.len);
	t->rows[at].value_len = (uint32_t)value.len;
}

static void row_remove(struct table *t, struct span key)
{
	struct row *r = row_find(t, key);

	if (!r)
		return;
	memmove(r, r + 1, (size_t)(t->rows + t->count - (r + 1)) * sizeof *r);
	t->count--;
}

/* ---- applying a group */

static bool holds(const struct batch *b)
{
	bool good = true;

	for (const struct op *o = b->ops; o < b->ops + b->count; o++) {
		const struct row *r = row_find(&world->keys, op_key(b, o));

		switch (o->kind) {
		case OP_ABSENT:
			good = good && !r;
			break;
		case OP_PRESENT:
			good = good && r;
			break;
		case OP_EQUALS:
			good = good && r && span_equal((struct span){ r->value, r->value_len }, op_value(b, o));
			break;
		case OP_PUT:
		case OP_REMOVE:
		case OP_BLOB:
		case OP_BLOB_REMOVE:
			break;
		}
	}
	return good;
}

static void change(struct batch *b, const struct op *o)
{
	uint32_t first;

	switch (o->kind) {
	case OP_PUT:
		row_put(&world->keys, op_key(b, o), op_value(b, o));
		return;
	case OP_REMOVE:
		row_remove(&world->keys, op_key(b, o));
		return;
	case OP_BLOB:
		row_put(&world->blobs, op_key(b, o), op_value(b, o));
		return;
	case OP_BLOB_REMOVE:
		first = unpack_u32(b->data + o->key + BATCH_BLOB_KEY - 4);
		for (uint32_t n = 0; n < o->value_len; n++) {
			pack_u32(b->data + o->key + BATCH_BLOB_KEY - 4, first + n);
			row_remove(&world->blobs, op_key(b, o));
		}
		return;
	case OP_ABSENT:
	case OP_PRESENT:
	case OP_EQUALS:
		return;
	}
}

static void apply(struct engine *g)
{
	for (struct batch *b = g->group; b; b = b->next) {
		b->refused = !holds(b);
		for (const struct op *o = b->ops; o < b->ops + b->count && !b->refused; o++)
			change(b, o);
	}
}

static void answer(struct engine *g)
{
	struct err why;

	(void)err_set(&why, g->full ? ERR_LOCAL : ERR_BUSY, g->full ? "store: no space left on the disk (simulated)"
	                                                           : "store: somebody else changed it meanwhile");
	while (g->group) {
		struct batch *b = g->group;
		struct engine_done done = b->done;

		g->group = b->next;
		done.run(done.user, g->full || b->refused ? &why : NULL);
		batch_free(&b);
	}
}

static size_t take_group(struct engine *g)
{
	size_t most = one_in(3) ? 1 + below(3) : SIZE_MAX, n = 0;
	struct batch **last = &g->group;

	while (g->first && n++ < most) {
		*last = g->first;
		last = &g->first->next;
		g->first = g->first->next;
	}
	*last = NULL;
	if (!g->first)
		g->last = &g->first;
	return n;
}

/* ---- the committer's steps */

static void queue_turn(struct engine *g, uint64_t after_us);

static void turn(struct engine *g)
{
	g->turn++;
	g->queued = false;
	deed();
	switch (g->stage) {
	case STAGE_IDLE:
		if (!g->first)
			return;
		(void)take_group(g);
		g->full = fault(300);
		g->stage = STAGE_WRITING;
		queue_turn(g, log_below(FSYNC_US));
		return;
	case STAGE_WRITING:
		if (!g->full)
			apply(g);
		told(g->full ? "disk: full" : "disk: a group is durable");
		world->was_full = world->was_full || g->full;
		g->stage = STAGE_DURABLE;
		queue_turn(g, log_below(SOON_US));
		return;
	case STAGE_DURABLE:
		g->stage = STAGE_IDLE;
		world->was_full = world->was_full || g->full;	/* what was put in the meantime goes with it */
		answer(g);
		if (g->first)
			queue_turn(g, log_below(SOON_US));
		return;
	}
}

static void on_turn(void *user)
{
	struct turn *t = user;

	if (t->engine->turn == t->turn)
		turn(t->engine);
	free(t);
}

static void queue_turn(struct engine *g, uint64_t after_us)
{
	struct turn *t = calloc(1, sizeof *t);

	assert(t && !g->queued);
	*t = (struct turn){ g, g->turn };
	g->queued = true;
	event_at(after_us, on_turn, t);
}

void disk_push(void)
{
	struct engine *g = engine_open_now;

	if (!g || !g->queued)
		violation("hang: somebody waits for the store, and nothing is under way");
	world->now_us += 1 + log_below(SOON_US);
	turn(g);
}

void disk_crash(void)
{
	struct engine *g = engine_open_now;

	if (g && g->stage == STAGE_WRITING && !g->full && one_in(2)) {
		told("disk: the group under way is kept");
		apply(g);
	}
}

/* ---- engine.h */

/* Visits do not look at a store (store_look): it would bring LMDB along. */
bool engine_open_still(const char *file, struct engine **engine, struct err *e)
{
	*engine = NULL;
	return err_set(e, ERR_LOCAL, "%s is not looked at here", file);
}

bool engine_open(const char *directory, uint64_t map_size, struct engine **engine, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);

	(void)directory;
	(void)map_size;
	(void)e;
	assert(g && !engine_open_now);
	g->last = &g->first;
	*engine = engine_open_now = g;
	return true;
}

void engine_close(struct engine **engine)
{
	if (*engine && ((*engine)->first || (*engine)->group))
		violation("the store is closed and batches wait in it");
	free(*engine);
	*engine = engine_open_now = NULL;
}

void engine_commit(struct engine *g, struct batch **b, struct engine_done done)
{
	(*b)->done = done;
	(*b)->next = NULL;
	*g->last = *b;
	g->last = &(*b)->next;
	*b = NULL;
	if (!g->queued)
		queue_turn(g, log_below(SOON_US));
}

bool view_begin(struct engine *g, struct view **view, struct err *e)
{
	(void)e;
	*view = calloc(1, sizeof **view);
	assert(*view);
	(*view)->engine = g;
	return true;
}

void view_end(struct view **view)
{
	free(*view);
	*view = NULL;
}

static struct span key_in(char at[BATCH_PART + ENGINE_KEY_MAX], engine_part part, struct span key)
{
	assert(key.len <= ENGINE_KEY_MAX);
	pack_u64(at, part);
	if (key.len)
		memcpy(at + BATCH_PART, key.at, key.len);
	return (struct span){ at, BATCH_PART + key.len };
}

bool view_get(struct view *v, engine_part part, struct span key, struct span *value)
{
	char at[BATCH_PART + ENGINE_KEY_MAX];
	const struct row *r = row_find(&world->keys, key_in(at, part, key));

	(void)v;
	if (r)
		*value = (struct span){ r->value, r->value_len };
	return r;
}

bool view_blob(struct view *v, engine_part part, uint64_t blob, uint32_t piece, struct span *octets)
{
	char at[BATCH_BLOB_KEY];
	const struct row *r;

	(void)v;
	pack_u64(at, part);
	pack_u64(at + 8, blob);
	pack_u32(at + 16, piece);
	r = row_find(&world->blobs, (struct span){ at, sizeof at });
	if (r)
		*octets = (struct span){ r->value, r->value_len };
	return r;
}

void view_wanted(struct view *v, struct span octets)
{
	(void)v, (void)octets;
}

bool view_in_memory(struct view *v, struct span octets)
{
	(void)v;
	(void)octets;
	return true;
}

bool view_next(struct view *v, engine_part part, struct span prefix, struct span *key, struct span *value)
{
	char at[BATCH_PART + ENGINE_KEY_MAX];
	struct span from = key_in(at, part, key->len ? *key : prefix);
	const struct table *t = &world->keys;
	size_t n = row_at(t, from);

	(void)v;
	if (key->len && n < t->count && compare(&t->rows[n], from) == 0)
		n++;
	from = key_in(at, part, prefix);
	if (n == t->count || !span_starts((struct span){ t->rows[n].key, t->rows[n].key_len }, from))
		return false;
	*key = (struct span){ t->rows[n].key + BATCH_PART, t->rows[n].key_len - BATCH_PART };
	*value = (struct span){ t->rows[n].value, t->rows[n].value_len };
	return true;
}
