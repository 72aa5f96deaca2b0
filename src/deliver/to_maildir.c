/* SPDX-License-Identifier: Apache-2.0
 *
 * Into a Maildir (store/maildir.h): all steps in one job, with the word to whoever holds the message between
 * the file in tmp and its name in new.  The first job of a Maildir takes away what a crash left in tmp. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/inside.h"
#include "store/ledger.h"

struct swept {
	struct swept *next;
	char path[];
};

static pthread_mutex_t sweeping = PTHREAD_MUTEX_INITIALIZER;	/* the list, and that nobody writes before the sweep */

/* Whose tmp files may be swept: only those that deliveries of this state on this host wrote; and a name given out for
 * this Maildir can be told from one of another. */
static void tag_of(const struct deliveries *all, const char *maildir, uint8_t out[8])
{
	char text[2 * PATH_MAX + MAILDIR_HOST_MAX + 16], state[PATH_MAX], host[MAILDIR_HOST_MAX + 1], given[HOST_NAME_MAX + 1] = "";
	const char *path = store_state(all->with.store);
	uint64_t tag;

	(void)gethostname(given, sizeof given - 1);
	maildir_host(given, host);
	(void)snprintf(text, sizeof text, "%s|%s||deliver|%s", realpath(path, state) ? state : path, host, maildir);
	tag = ledger_target_tag(text);
	memcpy(out, &tag, sizeof tag);
}

static bool keep_none([[maybe_unused]] void *user, [[maybe_unused]] const char *name)
{
	return false;
}

static struct swept *swept_new(const char *path)
{
	size_t len = strlen(path) + 1;
	struct swept *s = malloc(sizeof *s + len);

	if (!s)
		abort();	/* a second sweep would take what is being written */
	memcpy(s->path, path, len);
	return s;
}

static void sweep(struct deliveries *all, struct maildir *m, const char *path, const uint8_t tag[8])
{
	struct swept *s;

	(void)pthread_mutex_lock(&sweeping);
	for (s = all->swept; s && strcmp(s->path, path) != 0; s = s->next)
		continue;
	if (!s) {
		maildir_sweep(m, tag, all->with.keep ? all->with.keep : keep_none, all->with.user);
		s = swept_new(path);
		s->next = all->swept;
		all->swept = s;
	}
	(void)pthread_mutex_unlock(&sweeping);
}

static bool tell(const struct delivery *d, const char *name, struct err *e)
{
	return !d->ask.placing || d->ask.placing(d->ask.user, name, e);
}

/* Whose name nobody holds is written anew when it is tried again: it must not be there then. */
static bool make_durable(const struct delivery *d, struct maildir *m, const char *name, struct err *e)
{
	if (maildir_sync(m, e))
		return true;
	if (!d->ask.placing)
		maildir_take_back(m, name);
	return false;
}

static bool write_new(const struct delivery *d, struct maildir *m, const uint8_t tag[8], struct err *e)
{
	char name[MAILDIR_NAME_MAX];
	struct err other;

	if (!maildir_write(m, d->ask.message, tag, name, e) || !maildir_sync_tmp(m, e) || !tell(d, name, e))
		return false;
	if (maildir_place(m, name, e))
		return make_durable(d, m, name, e);
	if (!maildir_waits(m, name))
		(void)!tell(d, "", &other);	/* after a crash that would mean delivered; now it means lost */
	return false;
}

/* NAME has its tag as 16 digits behind "_". */
static bool is_of(const char *name, const uint8_t tag[8])
{
	char digits[2 + 2 * 8 + 1] = "_";

	for (size_t n = 0; n < 8; n++)
		(void)snprintf(digits + 1 + 2 * n, 3, "%02x", tag[n]);
	return strstr(name, digits);
}

/* It had got a name before.  In tmp: rename it.  Not there: it was delivered, whatever a reader did since, unless
 * that is so long ago that nobody can know; then it must be found, or is written anew. */
static bool again(const struct delivery *d, struct maildir *m, const uint8_t tag[8], struct err *e)
{
	const char *place = d->ask.place;

	if (!maildir_place_again(m, place, e))
		return false;
	if (d->ask.place_old && !maildir_has(m, place))
		return write_new(d, m, tag, e);
	return maildir_sync(m, e);
}

static void work(void *user)
{
	struct delivery *d = user;
	const char *path = d->place ? d->place->path : d->target->path;
	struct maildir *m;
	uint8_t tag[8];

	if (d->place)
		d->good = place_open(d->all->with.store, d->target->mailbox, d->place, &m, &d->e);
	else
		d->good = maildir_open(path, &m, &d->e);
	if (!d->good)
		return;
	tag_of(d->all, path, tag);
	sweep(d->all, m, path, tag);
	if (d->ask.place && *d->ask.place && is_of(d->ask.place, tag))
		d->good = again(d, m, tag, &d->e);
	else
		d->good = write_new(d, m, tag, &d->e);
	maildir_close(&m);
}

static void done(void *user)
{
	struct delivery *d = user;

	if (d->good)
		delivery_end(d, DELIVER_ACCEPTED, NULL);
	else
		delivery_failed(d, &d->e);
}

void deliver_into_maildir(struct delivery *d)
{
	struct err e;

	if (!task_start(d->all->tasks, work, done, d, &e))
		delivery_failed(d, &e);
}

void deliver_sweep_free(struct deliveries *all)
{
	while (all->swept) {
		struct swept *s = all->swept;

		all->swept = s->next;
		free(s);
	}
}

const struct deliver_ops deliver_to_maildir = { .type = TARGET_MAILDIR, .final = true, .begin = deliver_into_maildir };
