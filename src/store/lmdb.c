/* SPDX-License-Identifier: Apache-2.0
 * The engine over LMDB: opening, and reading.  committer.c writes. */
#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "store/disk.h"
#include "store/pack.h"

enum { READERS_MAX = 256 };

struct view {
	struct engine *engine;
	MDB_txn *txn;
	MDB_cursor *walk;
	const char *at;		/* the key that `walk` stands on */
	struct view *next;
};

_Noreturn static void die(const char *what, int code)
{
	log_error(NULL, "store: %s: %s; the process ends, since only a restart tells what is durable", what, mdb_strerror(code));
	abort();
}

bool lmdb_failed(const struct engine *g, struct err *e, const char *what, int code)
{
	/* LMDB calls a short write EIO too, and that is a disk that just became
	 * full; only a system call that failed leaves its mark in errno. */
	if (!g->still && (code == MDB_PANIC || (code == EIO && errno == EIO)))
		die(what, code);
	switch (code) {
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(e, ERR_LOCAL, "store: %s: no space left on the disk", what);
	case MDB_MAP_FULL:
		return err_set(e, ERR_LOCAL, "store: %s: full at %llu octets: raise store_map", what, (unsigned long long)g->map_size);
	case EACCES:
	case EPERM:
	case EROFS:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return err_set(e, ERR_CONFIG, "store: %s: %s", what, mdb_strerror(code));
	default:	/* not an enum of ours: LMDB's and the system's many others */
		return err_set(e, ERR_LOCAL, "store: %s: %s", what, mdb_strerror(code));
	}
}

static int check_format(struct engine *g, MDB_txn *txn, bool *known)
{
	MDB_val key = lmdb_val(SPAN(LMDB_FORMAT_KEY));
	MDB_val value = lmdb_val(SPAN(LMDB_FORMAT));
	int code = mdb_put(txn, g->keys, &key, &value, MDB_NOOVERWRITE);

	*known = code == 0 || span_equal((struct span){ value.mv_data, value.mv_size }, SPAN(LMDB_FORMAT));
	return code == MDB_KEYEXIST ? 0 : code;
}

static bool open_tables(struct engine *g, struct err *e)
{
	MDB_txn *txn;
	bool known = true;
	int code;

	errno = 0;
	code = mdb_txn_begin(g->env, NULL, 0, &txn);
	if (code)
		return lmdb_failed(g, e, "cannot begin", code);
	code = mdb_dbi_open(txn, "keys", MDB_CREATE, &g->keys);
	if (!code)
		code = mdb_dbi_open(txn, "blobs", MDB_CREATE, &g->blobs);
	if (!code)
		code = check_format(g, txn, &known);
	if (code || !known) {
		mdb_txn_abort(txn);
		return code ? lmdb_failed(g, e, "cannot open its tables", code)
		            : err_set(e, ERR_CONFIG, "store: its format is that of another version of postrider");
	}
	code = mdb_txn_commit(txn);
	return code ? lmdb_failed(g, e, "cannot commit", code) : true;
}

static bool open_env(struct engine *g, const char *directory, struct err *e)
{
	int code = mdb_env_create(&g->env), dead;

	if (!code)
		code = mdb_env_set_mapsize(g->env, (size_t)g->map_size);
	if (!code)
		code = mdb_env_set_maxdbs(g->env, 2);
	if (!code)
		code = mdb_env_set_maxreaders(g->env, READERS_MAX);
	if (!code)
		code = mdb_env_open(g->env, directory, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code == ENOMEM)
		return err_set(e, ERR_CONFIG, "store: no address space for %llu octets: lower store_map, or raise the limit (ulimit -v)",
			(unsigned long long)g->map_size);
	if (!code)
		code = mdb_reader_check(g->env, &dead);
	return code ? lmdb_failed(g, e, "cannot open", code) : open_tables(g, e);
}

bool engine_open(const char *directory, uint64_t map_size, struct engine **engine, struct err *e)
{
	struct engine *g;

	assert(map_size <= SIZE_MAX);
	if (!disk_directory(directory, e) || !disk_refuse_network(directory, e))
		return false;
	g = calloc(1, sizeof *g);
	if (!g)
		return err_set(e, ERR_LOCAL, "out of memory for the store");
	g->map_size = map_size;
	(void)pthread_mutex_init(&g->views_mutex, NULL);
	if (!open_env(g, directory, e) || !disk_sync_directory(directory, e) || !committer_start(g, e)) {
		mdb_env_close(g->env);
		free(g);
		return err_in(e, "%s", directory);
	}
	*engine = g;
	return true;
}

void engine_close(struct engine **engine)
{
	struct engine *g = *engine;

	if (!g)
		return;
	if (!g->still)
		committer_stop(g);
	while (g->idle_views) {
		struct view *v = g->idle_views;

		g->idle_views = v->next;
		mdb_cursor_close(v->walk);
		mdb_txn_abort(v->txn);
		free(v);
	}
	mdb_env_close(g->env);
	(void)pthread_mutex_destroy(&g->views_mutex);
	free(g);
	*engine = NULL;
}

static int new_view(struct engine *g, struct view **view)
{
	struct view *v = calloc(1, sizeof *v);
	int code;

	if (!v)
		return ENOMEM;
	v->engine = g;
	code = mdb_txn_begin(g->env, NULL, MDB_RDONLY, &v->txn);
	if (!code) {
		code = mdb_cursor_open(v->txn, g->keys, &v->walk);
		if (code)
			mdb_txn_abort(v->txn);
	}
	if (code)
		free(v);
	else
		*view = v;
	return code;
}

static int renew_view(struct view *v)
{
	int code = mdb_txn_renew(v->txn);

	if (!code)
		code = mdb_cursor_renew(v->txn, v->walk);
	v->at = NULL;
	return code;
}

static struct view *take_idle(struct engine *g)
{
	struct view *v;

	(void)pthread_mutex_lock(&g->views_mutex);
	v = g->idle_views;
	if (v)
		g->idle_views = v->next;
	(void)pthread_mutex_unlock(&g->views_mutex);
	return v;
}

bool view_begin(struct engine *g, struct view **view, struct err *e)
{
	int code;

	*view = take_idle(g);
	code = *view ? renew_view(*view) : new_view(g, view);
	return code ? lmdb_failed(g, e, "cannot read", code) : true;
}

void view_end(struct view **view)
{
	struct view *v = *view;
	struct engine *g;

	if (!v)
		return;
	*view = NULL;
	g = v->engine;
	mdb_txn_reset(v->txn);
	(void)pthread_mutex_lock(&g->views_mutex);
	v->next = g->idle_views;
	g->idle_views = v;
	(void)pthread_mutex_unlock(&g->views_mutex);
}

static bool found(struct view *v, int code)
{
	if (code && code != MDB_NOTFOUND) {
		if (!v->engine->still)
			die("cannot read", code);
		v->engine->damaged = true;
	}
	return code == 0;
}

static bool get(struct view *v, MDB_dbi table, struct span key, struct span *value)
{
	MDB_val k = lmdb_val(key), got;

	if (!found(v, mdb_get(v->txn, table, &k, &got)))
		return false;
	*value = (struct span){ got.mv_data, got.mv_size };
	return true;
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

	return get(v, v->engine->keys, key_in(at, part, key), value);
}

bool view_blob(struct view *v, engine_part part, uint64_t blob, uint32_t piece, struct span *octets)
{
	char at[BATCH_BLOB_KEY];

	pack_u64(at, part);
	pack_u64(at + 8, blob);
	pack_u32(at + 16, piece);
	return get(v, v->engine->blobs, (struct span){ at, sizeof at }, octets);
}

bool view_in_memory(struct view *v, struct span octets)
{
	unsigned char in[64];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)octets.at & ~(page - 1);

	(void)v;
	while (octets.len && at < (uintptr_t)octets.at + octets.len) {
		uintptr_t left = (uintptr_t)octets.at + octets.len - at;
		size_t pages = (left + page - 1) / page < sizeof in ? (left + page - 1) / page : sizeof in;

		if (mincore((void *)at, pages * page, in) != 0)		/* then it is not to be known */
			return false;
		for (size_t n = 0; n < pages; n++)
			if (!(in[n] & 1))
				return false;
		at += pages * page;
	}
	return true;
}

void view_wanted(struct view *v, struct span octets)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)octets.at & ~(page - 1);

	(void)v;
	if (octets.len)		/* a hint: that it may fail does no harm */
		(void)madvise((void *)at, (uintptr_t)octets.at + octets.len - at, MADV_WILLNEED);
}

/* Onto the first key that is not before `from`, or behind it when it is `from` itself. */
static bool seek(struct view *v, struct span from, bool behind, MDB_val *k, MDB_val *value)
{
	*k = lmdb_val(from);
	if (!found(v, mdb_cursor_get(v->walk, k, value, MDB_SET_RANGE)))
		return false;
	if (!behind || !span_equal((struct span){ k->mv_data, k->mv_size }, from))
		return true;
	return found(v, mdb_cursor_get(v->walk, k, value, MDB_NEXT));
}

bool view_next(struct view *v, engine_part part, struct span prefix, struct span *key, struct span *value)
{
	char at[BATCH_PART + ENGINE_KEY_MAX];
	struct span from = key_in(at, part, key->len ? *key : prefix), whole;
	bool walking = key->len && key->at == v->at, there;
	MDB_val k, got;

	there = walking ? found(v, mdb_cursor_get(v->walk, &k, &got, MDB_NEXT)) : seek(v, from, key->len, &k, &got);
	v->at = NULL;
	if (!there)
		return false;
	whole = (struct span){ k.mv_data, k.mv_size };
	from = key_in(at, part, prefix);
	if (!span_starts(whole, from))
		return false;
	*key = span_from(whole, BATCH_PART);
	*value = (struct span){ got.mv_data, got.mv_size };
	v->at = key->at;
	return true;
}
