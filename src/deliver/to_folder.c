/* SPDX-License-Identifier: Apache-2.0
 *
 * Into a folder of files (store/folder.h): the message, what a template and its parts make of it, and the index, all
 * in one job, with the word to whoever holds the message before anything is seen in the folder. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/folder_index.h"
#include "deliver/inside.h"
#include "store/disk.h"
#include "store/folder.h"
#include "wire/keywords.h"

enum { HEADER_MAX = 256 * 1024 };	/* that keywords and the index look at */

static_assert((int)SPLIT_SUFFIX <= (int)FOLDER_SUFFIX_MAX, "a part's suffix is one of a file");

struct writing {
	const struct delivery *d;
	struct folder *folder;
	struct folder_index *index;
	struct span header;		/* of the message, or its beginning */
	char file[FOLDER_FILE_MAX];	/* the last one begun */
};

static bool write_octets(void *user, struct span octets)
{
	return disk_write(*(const int *)user, octets);
}

static bool cannot_write(const char *file, struct err *e)
{
	return err_errno(e, ERR_LOCAL, "%s cannot be written", file);
}

static bool write_file(struct writing *w, const char *suffix, struct span octets, struct err *e)
{
	int fd = folder_create(w->folder, suffix, w->file, e);
	struct err unused;

	if (fd < 0)
		return false;
	if (disk_write(fd, octets))
		return folder_finish(w->folder, fd, e);
	(void)cannot_write(w->file, e);
	(void)!folder_finish(w->folder, fd, &unused);
	return false;
}

/* ---- parts */

static int begin_part(void *user, const struct split_part *part, struct err *e)
{
	struct writing *w = user;

	return folder_create(w->folder, part->suffix, w->file, e);
}

static bool part_written(void *user, const struct split_part *part, int fd, struct err *e)
{
	struct writing *w = user;

	folder_index_part(w->index, part, w->file);
	return folder_finish(w->folder, fd, e);
}

static bool write_parts(struct writing *w, int message, struct err *e)
{
	const struct split_sink sink = { .begin = begin_part, .written = part_written, .user = w };
	char why[SPLIT_TEXT];

	switch (split_message(message, &sink, why, e)) {
	case SPLIT_DONE:
		return true;
	case SPLIT_NOT:
		folder_index_file(w->index, "unsplit", why);
		return true;
	case SPLIT_FAILED:
		return false;
	}
	return false;
}

/* ---- the message, and what is made of it */

static bool write_message(struct writing *w, struct err *e)
{
	int fd = folder_create(w->folder, "eml", w->file, e);
	struct err unused;
	bool good;

	if (fd < 0)
		return false;
	folder_index_file(w->index, "message", w->file);
	*e = (struct err){ .kind = ERR_NONE };
	good = spool_read(w->d->ask.message, write_octets, &fd, e);
	if (!good && e->kind == ERR_NONE)	/* it was not the reading */
		(void)cannot_write(w->file, e);
	if (good && w->d->target->split)
		good = write_parts(w, fd, e);
	return folder_finish(w->folder, fd, good ? e : &unused) && good;
}

static bool read_template(const char *path, struct buf *text, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 0;
	char *room;

	buf_start(text, KEYWORDS_TEXT + 1);
	if (fd < 0)
		return err_errno(e, ERR_LOCAL, "template %s cannot be opened", path);
	room = buf_room(text, KEYWORDS_TEXT + 1);	/* one more: then it is too long */
	while (room && text->len <= KEYWORDS_TEXT && (n = read(fd, text->at + text->len, KEYWORDS_TEXT + 1 - text->len)) > 0)
		text->len += (size_t)n;
	if (!room || n < 0)
		(void)err_errno(e, ERR_LOCAL, "template %s cannot be read", path);
	(void)close(fd);
	if (!room || n < 0)
		return false;
	if (keywords_check(buf_span(text), e))
		return true;
	e->kind = ERR_LOCAL;		/* somebody is still writing it: later it will be right */
	return err_in(e, "%s", path);
}

static bool write_text(struct writing *w, struct err *e)
{
	const char *template = w->d->target->template;
	struct buf text, filled;
	bool good;

	if (!template)
		return true;
	buf_start(&filled, KEYWORDS_TEXT + (size_t)KEYWORDS_MAX * KEYWORD_VALUE);
	good = read_template(template, &text, e);
	if (good && !keywords_fill(buf_span(&text), w->header, &filled))
		good = err_set(e, ERR_LOCAL, "out of memory for a template");
	if (good)
		good = write_file(w, strrchr(template, '.') + 1, buf_span(&filled), e);
	if (good)
		folder_index_file(w->index, "text", w->file);
	buf_end(&text);
	buf_end(&filled);
	return good;
}

static bool write_index(struct writing *w, struct err *e)
{
	char *text = folder_index_text(w->index);
	bool good = text ? write_file(w, FOLDER_INDEX, span_of(text), e) : err_set(e, ERR_LOCAL, "out of memory for an index");

	free(text);
	return good;
}

static bool write_files(const struct delivery *d, struct folder *f, struct span header, int64_t now, struct err *e)
{
	struct writing w = { .d = d, .folder = f, .header = header, .index = folder_index_new(&d->ask, now, header) };
	bool good;

	if (d->target->smime)
		folder_index_smime(w.index, &d->smime);
	good = write_message(&w, e) && write_text(&w, e) && write_index(&w, e) && folder_written(f, e);

	folder_index_free(&w.index);
	return good;
}

/* The message's first octets. */
static bool read_header(const struct delivery *d, char **memory, struct span *header, struct err *e)
{
	size_t room = HEADER_MAX, n = 1;

	*memory = malloc(room);
	*header = (struct span){ *memory, 0 };
	if (!*memory)
		return err_set(e, ERR_LOCAL, "out of memory for a header");
	while (header->len < room && n) {
		if (!spool_at(d->ask.message, header->len, *memory + header->len, room - header->len, &n, e))
			return false;
		header->len += n;
	}
	return true;
}

static bool write_new(const struct delivery *d, struct folder *f, const uint8_t tag[8], struct err *e)
{
	int64_t now = clock_now_s();
	char name[MAILDIR_NAME_MAX], *memory;
	struct span header;
	struct err other;
	bool good = read_header(d, &memory, &header, e) && folder_begin(f, tag, d->target->prefix, now, name, e);

	if (good && !write_files(d, f, header, now, e)) {
		folder_abandon(f, name);
		good = false;
	}
	free(memory);
	if (!good || !deliver_tell(d, name, e))
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

	d->good = deliver_open(d, &d->e) && folder_open(d->target->path, &f, &d->e);
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
