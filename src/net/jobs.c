/* SPDX-License-Identifier: Apache-2.0 */
#include "net/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/inside.h"

struct job {
	uv_work_t uv;
	void (*work)(void *user);
	void (*done)(void *user);
	void *user;
};

/* libuv reads the size of its pool from the environment, at the first job. */
static void set_size(void)
{
	char size[12];

	(void)snprintf(size, sizeof size, "%d", JOBS_THREADS);
	(void)setenv("UV_THREADPOOL_SIZE", size, 1);
}

/* Called by loop_new: the environment is changed before threads are made. */
void jobs_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, set_size);
}

static void on_work(uv_work_t *uv)
{
	struct job *j = uv->data;

	j->work(j->user);
}

static void on_done(uv_work_t *uv, [[maybe_unused]] int status)
{
	struct job *j = uv->data;

	j->done(j->user);
	free(j);
}

bool job_start(struct loop *l, void (*work)(void *user), void (*done)(void *user), void *user, struct err *e)
{
	struct job *j = calloc(1, sizeof *j);
	int failed;

	if (!j)
		return err_set(e, ERR_LOCAL, "out of memory");
	j->uv.data = j;
	j->work = work;
	j->done = done;
	j->user = user;
	failed = uv_queue_work(&l->uv, &j->uv, on_work, on_done);
	if (failed) {
		free(j);
		return err_set(e, ERR_LOCAL, "no job can be started: %s", uv_strerror(failed));
	}
	return true;
}
