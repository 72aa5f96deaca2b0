/* SPDX-License-Identifier: Apache-2.0
 * The engine over LMDB: a copy of it while it is in use, and looking at a copy. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
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
};

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
static bool pass_on(int in, engine_take *take, void *user, struct err *e)
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

bool engine_copy(struct engine *g, enum engine_copy how, engine_take *take, void *user, struct err *e)
{
	struct copying c = { .engine = g, .how = how };
	pthread_t thread;
	int ends[2];
	bool good;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(e, ERR_LOCAL, "no pipe for a copy of the store");
	(void)fcntl(ends[0], F_SETPIPE_SZ, ENGINE_COPY_MAX);	/* for speed */
	c.out = ends[1];
	errno = pthread_create(&thread, NULL, copy_out, &c);
	if (errno) {
		(void)err_errno(e, ERR_LOCAL, "no thread for a copy of the store");
		(void)close(ends[0]);
		(void)close(ends[1]);
		return false;
	}
	good = pass_on(ends[0], take, user, e);
	(void)close(ends[0]);
	(void)pthread_join(thread, NULL);
	return good && judged(&c, e);
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
