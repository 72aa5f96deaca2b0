/* SPDX-License-Identifier: Apache-2.0
 *
 * Into a folder of files (deliver/folder_files.h), all in one job, with the word to whoever holds the message before
 * anything is seen in the folder. */
#include "deliver/folder_files.h"
#include "deliver/inside.h"

static bool write_new(const struct delivery *d, struct folder *f, const uint8_t tag[8], struct err *e)
{
	char name[MAILDIR_NAME_MAX];
	struct err other;

	if (!folder_files_write(f, &d->ask, store_state(d->all->with.store), tag, name, e) || !folder_sync_tmp(f, e) || !deliver_tell(d, name, e))
		return false;
	if (folder_place(f, name, e))
		return true;
	if (!folder_waits(f, name) && !folder_has(f, name))
		(void)!deliver_tell(d, "", &other);	/* after a crash that would mean delivered; now it means lost */
	return false;
}

/* It had got a name before.  In .tmp: that is placed.  Not there: it was delivered, whatever a reader did since, unless
 * that is so long ago that nobody can know; then it must be found, or is written anew. */
static bool again(const struct delivery *d, struct folder *f, const uint8_t tag[8], struct err *e)
{
	const char *place = d->ask.place;

	if (d->ask.place_old && !folder_waits(f, place) && !folder_has(f, place))
		return write_new(d, f, tag, e);
	return folder_place_again(f, place, e);
}

static void sweep(void *directory, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	folder_sweep(directory, tag, keep, user);
}

static void work(void *user)
{
	struct delivery *d = user;
	struct folder *f;
	uint8_t tag[8];

	d->good = folder_open(d->target->path, &f, &d->e);
	if (!d->good)
		return;
	deliver_tag(d->all, d->target->canonical, tag);
	deliver_sweep(d->all, d->target->canonical, tag, sweep, f);
	if (d->ask.place && *d->ask.place && folder_is_of(d->ask.place, tag))
		d->good = again(d, f, tag, &d->e);
	else
		d->good = write_new(d, f, tag, &d->e);
	folder_close(&f);
}

static void done(void *user)
{
	struct delivery *d = user;

	if (d->good)
		delivery_end(d, DELIVER_ACCEPTED, NULL);
	else
		delivery_failed(d, &d->e);
}

static void begin(struct delivery *d)
{
	struct err e;

	if (!task_start(d->all->tasks, work, done, d, &e))
		delivery_failed(d, &e);
}

const struct deliver_ops deliver_to_folder = { .type = TARGET_FOLDER, .final = true, .begin = begin };
