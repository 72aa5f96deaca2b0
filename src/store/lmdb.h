/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the LMDB engine: what its reading (lmdb.c), its writing
 * (committer.c) and its copies (lmdb_copy.c) share.
 *
 * Two tables: `keys` holds part+key → value, `blobs` part+blob+piece → octets,
 * numbers big-endian, so that a partition and a blob lie together. */
#pragma once

#include <lmdb.h>
#include <pthread.h>

#include "store/batch.h"

/* In the partition that nobody has, 0: which layout the tables are in. */
#define LMDB_FORMAT_KEY "\0\0\0\0\0\0\0\0format"
#define LMDB_FORMAT "1"

struct committer {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct batch *first, **last;	/* waiting, in the order they came */
	bool stop;
};

struct engine {
	MDB_env *env;
	MDB_dbi keys, blobs;
	uint64_t map_size;
	struct committer committer;
	pthread_mutex_t views_mutex;
	struct view *idle_views;	/* reset, to be renewed: a view costs no system call */
	bool still;			/* a copy that is only looked at: no committer */
	bool damaged;			/* met while reading it */
};

[[nodiscard]] bool committer_start(struct engine *g, struct err *e);
void committer_stop(struct engine *g);	/* after everything that waits is answered */
/* What LMDB refused with, as an error; ends the process when the disk broke.
 * errno is to be 0 before the call of LMDB's that is judged. */
bool lmdb_failed(const struct engine *g, struct err *e, const char *what, int code);

static inline MDB_val lmdb_val(struct span s)
{
	return (MDB_val){ .mv_size = s.len, .mv_data = (void *)(uintptr_t)s.at };
}
