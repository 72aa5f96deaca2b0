/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/folder_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/folder_index.h"
#include "deliver/inside.h"
#include "store/disk.h"
#include "wire/header.h"
#include "wire/keywords.h"

enum {
	HEADER_MAX = 256 * 1024,	/* that keywords and the index look at */
	SENDER_MAX = 1024,
};

static_assert((int)SPLIT_SUFFIX <= (int)FOLDER_SUFFIX_MAX, "a part's suffix is one of a file");

struct writing {
	const struct deliver_ask *ask;
	struct folder *folder;
	struct folder_index *index;
	struct span header;		/* of the message, or its beginning */
	char file[FOLDER_FILE_MAX];	/* the last one begun */
};

struct copying {
	int fd, failed;		/* errno; 0: it was not the writing */
};

static bool write_octets(void *user, struct span octets)
{
	struct copying *c = user;

	if (disk_write(c->fd, octets))
		return true;
	c->failed = errno;
	return false;
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
	struct copying c = { .fd = folder_create(w->folder, "eml", w->file, e) };
	struct err unused;
	bool good;

	if (c.fd < 0)
		return false;
	folder_index_file(w->index, "message", w->file);
	good = spool_read(w->ask->message, write_octets, &c, e);
	if (c.failed) {
		errno = c.failed;
		(void)cannot_write(w->file, e);
	}
	if (good && w->ask->target->split)
		good = write_parts(w, c.fd, e);
	return folder_finish(w->folder, c.fd, good ? e : &unused) && good;
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
	const char *template = w->ask->target->template;
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

static bool write_files(const struct deliver_ask *ask, const struct smime_facts *smime, struct folder *f, struct span header, int64_t now,
	struct err *e)
{
	struct writing w = { .ask = ask, .folder = f, .header = header, .index = folder_index_new(ask, now, header) };
	bool good;

	if (ask->target->smime)
		folder_index_smime(w.index, smime);
	good = write_message(&w, e) && write_text(&w, e) && write_index(&w, e) && folder_written(f, e);
	folder_index_free(&w.index);
	return good;
}

/* The message's first octets. */
static bool read_header(const struct spool *message, char **memory, struct span *header, struct err *e)
{
	size_t room = HEADER_MAX, n = 1;

	*memory = malloc(room);
	*header = (struct span){ *memory, 0 };
	if (!*memory)
		return err_set(e, ERR_LOCAL, "out of memory for a header");
	while (header->len < room && n) {
		if (!spool_at(message, header->len, *memory + header->len, room - header->len, &n, e))
			return false;
		header->len += n;
	}
	return true;
}

/* What its last server noted (RFC 5321 4.4); anything but one word is nobody. */
static const char *return_path(struct span header, char out[SENDER_MAX])
{
	struct span value;
	size_t len;

	out[0] = '\0';
	if (header_find(header, "Return-Path", &value))
		header_value(value, out, SENDER_MAX);
	len = strlen(out);
	if (len >= SENDER_MAX - 1)	/* cut, it would be somebody else */
		return "";
	if (len >= 2 && out[0] == '<' && out[len - 1] == '>') {
		out[len - 1] = '\0';
		out++;
	}
	return strpbrk(out, " \t<>") ? "" : out;
}

static bool write_opened(const struct deliver_ask *given, const struct smime_facts *smime, struct folder *f, const uint8_t tag[8],
	char name[MAILDIR_NAME_MAX], struct err *e)
{
	struct deliver_ask ask = *given;
	int64_t now = clock_now_s();
	char *memory, sender[SENDER_MAX];
	struct span header;
	bool good = read_header(ask.message, &memory, &header, e);

	if (good && !ask.sender)
		ask.sender = return_path(header, sender);
	good = good && folder_begin(f, tag, ask.target->prefix, now, name, e);
	if (good && !write_files(&ask, smime, f, header, now, e)) {
		folder_abandon(f, name);
		good = false;
	}
	free(memory);
	return good;
}

bool folder_files_write(struct folder *f, const struct deliver_ask *given, const char *state, const uint8_t tag[8],
	char name[MAILDIR_NAME_MAX], struct err *e)
{
	const struct smime_keys *keys = given->target->smime;
	struct smime_facts facts = { .encrypted = SMIME_CLEAR };
	struct deliver_ask ask = *given;
	struct spool *opened = NULL;
	bool good;

	if (keys && !smime_open(ask.message, keys, state, &opened, &facts, e))
		return false;
	if (opened)
		ask.message = opened;
	good = write_opened(&ask, &facts, f, tag, name, e);
	spool_free(&opened);
	return good;
}
