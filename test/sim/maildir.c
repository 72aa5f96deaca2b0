/* SPDX-License-Identifier: Apache-2.0
 * In place of src/store/maildir.c: a Maildir in the world's memory.  A power
 * cut takes octets that were not synced and, seeded, undoes names that were not: each
 * change of a name for itself, a rename as a whole. */
#include "store/maildir.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

struct maildir {
	char path[64];
};

struct copy {
	char *at;
	size_t len;
};

void maildir_host(const char *given, char out[MAILDIR_HOST_MAX + 1])
{
	(void)snprintf(out, MAILDIR_HOST_MAX + 1, "%.*s", MAILDIR_HOST_MAX, given);
}

bool maildir_open(const char *path, struct maildir **m, struct err *e)
{
	if (fault(200))
		return err_set(e, ERR_LOCAL, "Maildir %s cannot be opened (simulated)", path);
	*m = calloc(1, sizeof **m);
	assert(*m);
	(void)snprintf((*m)->path, sizeof (*m)->path, "%s", path);
	return true;
}

bool maildir_open_below(const struct below *b, struct maildir **m, struct err *e)
{
	return maildir_open(b->path, m, e);
}

void maildir_close(struct maildir **m)
{
	free(*m);
	*m = NULL;
}

static bool add_octets(void *user, struct span octets)
{
	struct copy *c = user;

	memcpy(c->at + c->len, octets.at, octets.len);
	c->len += octets.len;
	return true;
}

static struct file *file_new(void)
{
	assert(world->file_count < FILES_MAX);
	return &world->files[world->file_count++];
}

static struct file *file_of(const char *name)
{
	for (struct file *f = world->files; f < world->files + world->file_count; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

uint64_t maildir_moment(void)
{
	return world->names_made;
}

bool maildir_write(struct maildir *m, const struct spool *message, const uint8_t tag[8], char name[MAILDIR_NAME_MAX], struct err *e)
{
	return maildir_write_at(m, message, tag, 0, name, e);
}

bool maildir_write_at(struct maildir *m, const struct spool *message, const uint8_t tag[8], [[maybe_unused]] uint64_t moment, char name[MAILDIR_NAME_MAX],
	struct err *e)
{
	struct copy c = { world_take(spool_size(message) + 1), 0 };
	struct file *f;

	if (!spool_read(message, add_octets, &c, e))
		return false;
	(void)snprintf(name, MAILDIR_NAME_MAX, "%u_%02x%02x%02x%02x%02x%02x%02x%02x.sim", world->names_made++, tag[0], tag[1], tag[2],
		tag[3], tag[4], tag[5], tag[6], tag[7]);
	deed();
	f = file_new();
	*f = (struct file){ .text = c.at, .len = c.len, .place = PLACE_TMP };
	(void)snprintf(f->name, sizeof f->name, "%s", name);
	deed();
	if (fault(100)) {
		f->place = PLACE_NONE;
		return err_set(e, ERR_LOCAL, "%s/tmp/%s cannot be written (simulated)", m->path, name);
	}
	f->synced = true;
	told("maildir: tmp/%s", name);
	return true;
}

/* What the sync of one directory makes durable: names that came to it or passed
 * through it, and seeded those that went from it, since a rename is one change. */
static void sync_directory(enum place directory)
{
	for (struct file *f = world->files; f < world->files + world->file_count; f++) {
		bool passed = f->durable < directory && f->place > directory;

		if (f->place == directory || passed || (f->durable == directory && one_in(2)))
			f->durable = f->place;
	}
}

bool maildir_sync_tmp(struct maildir *m, struct err *e)
{
	deed();
	if (fault(150))
		return err_set(e, ERR_LOCAL, "%s/tmp cannot be synced (simulated)", m->path);
	sync_directory(PLACE_TMP);
	deed();
	return true;
}

bool maildir_place(struct maildir *m, const char *name, struct err *e)
{
	struct file *f = file_of(name);

	deed();
	if (!f || f->place != PLACE_TMP || fault(80))
		return err_set(e, ERR_LOCAL, "%s: %s cannot go from tmp to new", m->path, name);
	f->place = PLACE_NEW;
	told("maildir: new/%s", name);
	deed();
	return true;
}

bool maildir_waits(struct maildir *m, const char *name)
{
	const struct file *f = file_of(name);

	(void)m;
	return f && f->place == PLACE_TMP;
}

bool maildir_place_again(struct maildir *m, const char *name, struct err *e)
{
	return maildir_place(m, name, e) || !maildir_waits(m, name);
}

bool maildir_sync(struct maildir *m, struct err *e)
{
	deed();
	if (fault(80))
		return err_set(e, ERR_LOCAL, "%s/new cannot be synced (simulated)", m->path);
	sync_directory(PLACE_NEW);
	return maildir_sync_tmp(m, e);
}

bool maildir_has(struct maildir *m, const char *name)
{
	const struct file *f = file_of(name);

	(void)m;
	return f && (f->place == PLACE_NEW || f->place == PLACE_CUR);
}

void maildir_sweep(struct maildir *m, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	char mark[24];

	(void)m;
	(void)snprintf(mark, sizeof mark, "_%02x%02x%02x%02x%02x%02x%02x%02x.", tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6],
		tag[7]);
	for (struct file *f = world->files; f < world->files + world->file_count; f++) {
		if (f->place != PLACE_TMP || !strstr(f->name, mark) || keep(user, f->name))
			continue;
		deed();
		f->place = PLACE_NONE;
		told("maildir: swept tmp/%s", f->name);
	}
}

void maildir_read(void)
{
	for (struct file *f = world->files; f < world->files + world->file_count; f++) {
		if (f->place != PLACE_NEW && f->place != PLACE_CUR)
			continue;
		if (!one_in(3))
			continue;
		f->place = f->place == PLACE_NEW && one_in(2) ? PLACE_CUR : PLACE_TAKEN;
		if (one_in(2) && f->durable >= PLACE_NEW)
			f->durable = f->place;
		told("reader: %s", f->name);
	}
}

/* A kill leaves all as it is: the kernel has it. */
void maildir_crash(void)
{
	if (!world->plan.power)
		return;
	for (struct file *f = world->files; f < world->files + world->file_count; f++) {
		if (f->place != f->durable && one_in(2)) {
			told("maildir: power cut undoes %s", f->name);
			f->place = f->durable;
		}
		f->durable = f->place;
		if (!f->synced && f->place)
			f->len = below(f->len + 1);
		f->synced = true;
	}
}
