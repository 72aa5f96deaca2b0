/* SPDX-License-Identifier: Apache-2.0
 * The copying half of a backup in a thread of its own, answered by ticket. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/room.h"

struct backup_run {
	struct store *store;
	struct deed deed;
	struct long_work work;
	pthread_t thread;
	int fd;
	uint64_t ticket;
	struct backup_progress progress;
	struct backup_written written;
	bool over, left;	/* left: nobody asks for it any more */
};

static void *run(void *user)
{
	struct backup_run *r = user;
	struct err why;
	bool good = backup_write(r->store->engine, r->fd, &r->progress, &r->written, &why);

	store_did(&r->deed, good ? NULL : &why);
	return NULL;
}

static void stop(void *user)
{
	struct backup_run *r = user;

	atomic_store(&r->progress.stop, true);
}

/* On the store's thread. */
static void did(void *user, const struct err *why)
{
	struct backup_run *r = user;
	struct answers *a = answers_new(1);

	(void)pthread_join(r->thread, NULL);
	(void)close(r->fd);
	long_work_end(&r->work);
	answers_add(a, r->ticket);
	store_answer(r->store, &a, why);
	r->over = true;
	if (r->left)
		free(r);
}

bool backup_run_start(struct store *s, int fd, uint64_t ticket, struct backup_run **out, struct err *e)
{
	struct backup_run *r = store_memory(sizeof *r);

	*r = (struct backup_run){ .store = s, .fd = fd, .ticket = ticket, .deed = { .then = did, .user = r }, .work = { .stop = stop, .user = r } };
	store_begin(s, &r->deed);
	errno = pthread_create(&r->thread, NULL, run, r);
	if (errno) {
		(void)err_errno(e, ERR_LOCAL, "no thread for a backup");
		s->under_way--;
		(void)close(fd);
		free(r);
		return false;
	}
	store_owe(s, ticket);
	long_work_begin(s, &r->work);
	*out = r;
	return true;
}

const struct backup_written *backup_run_written(const struct backup_run *r)
{
	assert(r->over);
	return &r->written;
}

void backup_run_free(struct backup_run **out)
{
	struct backup_run *r = *out;

	if (!r)
		return;
	*out = NULL;
	r->left = true;
	if (r->over)
		free(r);
	else
		stop(r);
}
