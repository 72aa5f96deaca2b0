/* SPDX-License-Identifier: Apache-2.0
 * The engine over LMDB: a copy of it while it is in use, and looking at a copy. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb.h"

/* LMDB writes to a descriptor, and for a moment it holds the committer's lock
 * while it does (ENGINE_COPY_PAGES, the two meta pages).  So it never gets the
 * one that the copy goes to, which may be slow, full or a pipe that nobody
 * reads: it writes to a pipe of ours, from a thread of its own, and the two
 * pages always fit in there. */
struct copying {
	struct engine *engine;
	enum engine_copy how;
	int out;
	int code;
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	uint64_t passed;	/* octets of the copy so far */
	bool over;
};

/* How far what is read ahead may be in front of the copy. */
enum { LOOK_AHEAD = 32 << 20, LOOK_STEP = 1 << 20 };

/* Waits until the copy has come near; false: it is over. */
static bool near(struct copying *c, uint64_t at)
{
	bool on;

	(void)pthread_mutex_lock(&c->mutex);
	while (!c->over && at > c->passed + LOOK_AHEAD)
		(void)pthread_cond_wait(&c->moved, &c->mutex);
	on = !c->over;
	(void)pthread_mutex_unlock(&c->mutex);
	return on;
}

static void moved(struct copying *c, uint64_t octets, bool over)
{
	(void)pthread_mutex_lock(&c->mutex);
	c->passed += octets;
	c->over |= over;
	(void)pthread_cond_signal(&c->moved);
	(void)pthread_mutex_unlock(&c->mutex);
}

/* Bodies in the order in which a packed copy has them.  Only their places are read. */
static void look_at_bodies(struct copying *c, MDB_txn *txn)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	MDB_cursor *walk;
	MDB_val key, value;
	uint64_t at = 0;

	if (mdb_cursor_open(txn, c->engine->blobs, &walk))
		return;
	while (near(c, at) && mdb_cursor_get(walk, &key, &value, MDB_NEXT) == 0) {
		uintptr_t from = (uintptr_t)value.mv_data & ~(page - 1);

		at += value.mv_size;
		if (value.mv_size > page)
			(void)madvise((void *)from, (uintptr_t)value.mv_data + value.mv_size - from, MADV_WILLNEED);
	}
	mdb_cursor_close(walk);
}

static void look_at_pages(struct copying *c)
{
	uint64_t size = engine_size(c->engine);
	int fd;

	if (mdb_env_get_fd(c->engine->env, &fd))
		return;
	for (uint64_t at = 0; at < size && near(c, at); at += LOOK_STEP)
		(void)posix_fadvise(fd, (off_t)at, LOOK_STEP, POSIX_FADV_WILLNEED);
}

/* LMDB asks the disk for page after page, and the map is set to read nothing ahead (MDB_NORDAHEAD): from a
 * disk that is ten times and more slower than to tell it early.  A hint: where it fails, the copy is slow. */
static void *look_ahead(void *user)
{
	struct copying *c = user;
	MDB_txn *txn;

	if (c->how == ENGINE_COPY_PAGES) {
		look_at_pages(c);
	} else if (mdb_txn_begin(c->engine->env, NULL, MDB_RDONLY, &txn) == 0) {
		look_at_bodies(c, txn);
		mdb_txn_abort(txn);
	}
	return NULL;
}

static void *copy_out(void *user)
{
	struct copying *c = user;
	sigset_t pipes;

	(void)sigemptyset(&pipes);
	(void)sigaddset(&pipes, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipes, NULL);
	c->code = mdb_env_copyfd2(c->engine->env, c->out, c->how == ENGINE_COPY_PACKED ? MDB_CP_COMPACT : 0);
	(void)close(c->out);
	return NULL;
}

/* False: `take` wants no more. */
static bool pass_on(struct copying *c, int in, engine_take *take, void *user, struct err *e)
{
	char *chunk = malloc(ENGINE_COPY_MAX);
	bool good = chunk || err_set(e, ERR_LOCAL, "out of memory for a copy of the store");

	while (good) {
		ssize_t n = read(in, chunk, ENGINE_COPY_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			good = err_errno(e, ERR_LOCAL, "a copy of the store cannot be read");
		if (n <= 0)
			break;
		moved(c, (uint64_t)n, false);
		good = take(user, (struct span){ chunk, (size_t)n }, e);
	}
	free(chunk);
	return good;
}

static bool judged(const struct copying *c, struct err *e)
{
	if (c->code == MDB_INCOMPATIBLE)
		return err_set(e, ERR_CONFIG, "store: it lost count of its pages, and cannot be copied without its free ones");
	/* The disk was not written to: EIO would be the pipe's. */
	errno = 0;
	return c->code ? lmdb_failed(c->engine, e, "cannot be copied", c->code) : true;
}

/* Two threads write and look ahead while this one passes on. */
static bool with_threads(struct copying *c, int in, engine_take *take, void *user, struct err *e)
{
	pthread_t out, ahead;
	bool looks, good;

	errno = pthread_create(&out, NULL, copy_out, c);
	if (errno) {
		(void)err_errno(e, ERR_LOCAL, "no thread for a copy of the store");
		(void)close(c->out);
		(void)close(in);
		return false;
	}
	looks = pthread_create(&ahead, NULL, look_ahead, c) == 0;
	good = pass_on(c, in, take, user, e);
	(void)close(in);
	moved(c, 0, true);
	(void)pthread_join(out, NULL);
	if (looks)
		(void)pthread_join(ahead, NULL);
	return good && judged(c, e);
}

bool engine_copy(struct engine *g, enum engine_copy how, engine_take *take, void *user, struct err *e)
{
	struct copying c = { .engine = g, .how = how, .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(e, ERR_LOCAL, "no pipe for a copy of the store");
	(void)fcntl(ends[0], F_SETPIPE_SZ, ENGINE_COPY_MAX);	/* for speed */
	c.out = ends[1];
	return with_threads(&c, ends[0], take, user, e);
}

uint64_t engine_size(struct engine *g)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(g->env, &info) || mdb_env_stat(g->env, &stat))
		return 0;
	return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static bool still_tables(struct engine *g, struct err *e)
{
	MDB_txn *txn;
	MDB_val key = lmdb_val(SPAN(LMDB_FORMAT_KEY)), value;
	bool known = false;
	int code = mdb_txn_begin(g->env, NULL, MDB_RDONLY, &txn);

	if (code)
		return lmdb_failed(g, e, "cannot begin", code);
	code = mdb_dbi_open(txn, "keys", 0, &g->keys);
	if (!code)
		code = mdb_dbi_open(txn, "blobs", 0, &g->blobs);
	if (!code)
		code = mdb_get(txn, g->keys, &key, &value);
	if (!code)
		known = span_equal((struct span){ value.mv_data, value.mv_size }, SPAN(LMDB_FORMAT));
	if (code || !known) {
		mdb_txn_abort(txn);
		return code ? lmdb_failed(g, e, "it is no store of ours", code)
		            : err_set(e, ERR_CONFIG, "store: its format is that of another version of postrider");
	}
	code = mdb_txn_commit(txn);	/* keeps the tables open */
	return code ? lmdb_failed(g, e, "cannot begin", code) : true;
}

static bool still_env(struct engine *g, const char *file, struct err *e)
{
	struct stat st;
	int code;

	if (stat(file, &st) != 0)
		return err_errno(e, ERR_LOCAL, "cannot be read");
	g->map_size = (uint64_t)st.st_size;
	code = mdb_env_create(&g->env);
	if (!code)
		code = mdb_env_set_mapsize(g->env, (size_t)st.st_size);
	if (!code)
		code = mdb_env_set_maxdbs(g->env, 2);
	if (!code)
		code = mdb_env_open(g->env, file, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code)
		return lmdb_failed(g, e, "cannot open", code);
	/* Touching a page behind the file's end is a SIGBUS. */
	if (engine_size(g) > (uint64_t)st.st_size)
		return err_set(e, ERR_LOCAL, "store: the file is shorter than it says it is");
	return still_tables(g, e);
}

bool engine_open_still(const char *file, struct engine **engine, struct err *e)
{
	struct engine *g = calloc(1, sizeof *g);

	if (!g)
		return err_set(e, ERR_LOCAL, "out of memory for the store");
	g->still = true;
	(void)pthread_mutex_init(&g->views_mutex, NULL);
	if (!still_env(g, file, e)) {
		if (g->env)
			mdb_env_close(g->env);
		(void)pthread_mutex_destroy(&g->views_mutex);
		free(g);
		return err_in(e, "%s", file);
	}
	*engine = g;
	return true;
}

bool engine_damaged(const struct engine *g)
{
	return g->damaged;
}
