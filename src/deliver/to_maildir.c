/* SPDX-License-Identifier: Apache-2.0
 *
 * Into a Maildir (store/maildir.h): all steps in one job, with the word to whoever holds the message between
 * the file in tmp and its name in new.  The first job of a Maildir takes away what a crash left in tmp. */
#include <stdio.h>

#include "deliver/inside.h"

static void sweep(void *directory, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	maildir_sweep(directory, tag, keep, user);
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

	if (!maildir_write(m, d->ask.message, tag, name, e) || !maildir_sync_tmp(m, e) || !deliver_tell(d, name, e))
		return false;
	if (maildir_place(m, name, e))
		return make_durable(d, m, name, e);
	if (!maildir_waits(m, name))
		(void)!deliver_tell(d, "", &other);	/* after a crash that would mean delivered; now it means lost */
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
	deliver_tag(d->all, path, tag);
	deliver_sweep(d->all, path, tag, sweep, m);
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

const struct deliver_ops deliver_to_maildir = { .type = TARGET_MAILDIR, .final = true, .begin = deliver_into_maildir };
