/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/disk.h"

enum { OUT_PIECE = 32 * 1024, IN_PIECE = 64 * 1024, DATE_TEXT = 24 };

#define FROM "From "

struct mbox_out {
	int fd;
	bool failed;
	bool cr;		/* one that may be half of a CRLF is held back */
	bool quoting;		/* so far the line is ">"s and `matched` octets of FROM */
	size_t matched;
	bool ended;		/* the last octet was a line end */
	size_t len;
	char *path;
	char piece[OUT_PIECE];
};

bool mbox_out_open(const char *path, struct mbox_out **out, struct err *e)
{
	struct mbox_out *o = calloc(1, sizeof *o);

	if (!o || !(o->path = strdup(path))) {
		free(o);
		return err_set(e, ERR_LOCAL, "out of memory for an mbox");
	}
	o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (o->fd < 0) {
		(void)err_errno(e, ERR_LOCAL, "%s cannot be made", path);
		free(o->path);
		free(o);
		return false;
	}
	*out = o;
	return true;
}

static void flush(struct mbox_out *o)
{
	if (!o->failed && o->len && !disk_write(o->fd, (struct span){ o->piece, o->len }))
		o->failed = true;
	o->len = 0;
}

static void put(struct mbox_out *o, char c)
{
	if (o->len == sizeof o->piece)
		flush(o);
	o->piece[o->len++] = c;
	o->ended = c == '\n';
}

static void put_text(struct mbox_out *o, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
}

static void line_start(struct mbox_out *o)
{
	o->quoting = true;
	o->matched = 0;
}

/* What was held back, while it could have been FROM. */
static void release(struct mbox_out *o)
{
	size_t n = o->matched;

	o->quoting = false;
	o->matched = 0;
	put_text(o, FROM, n);
}

static void body(struct mbox_out *o, char c)
{
	if (o->quoting && o->matched == 0 && c == '>') {
		put(o, c);	/* one more among others may come later */
		return;
	}
	if (o->quoting && c == FROM[o->matched]) {
		if (++o->matched < sizeof FROM - 1)
			return;
		put(o, '>');
		release(o);
		return;
	}
	if (o->quoting)
		release(o);
	put(o, c);
	if (c == '\n')
		line_start(o);
}

void mbox_out_begin(struct mbox_out *o, const char *sender, int64_t arrived)
{
	char date[64] = "Thu Jan  1 00:00:00 1970";
	time_t t = (time_t)arrived;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		(void)strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
	put_text(o, FROM, sizeof FROM - 1);
	put_text(o, sender, strlen(sender));
	put(o, ' ');
	put_text(o, date, strlen(date));
	put(o, '\n');
	o->cr = false;
	line_start(o);
}

bool mbox_out_add(struct mbox_out *o, struct span s)
{
	for (const char *p = s.at; p < s.at + s.len; p++) {
		if (o->cr && *p != '\n')
			body(o, '\r');
		o->cr = *p == '\r';
		if (!o->cr)
			body(o, *p);
	}
	return !o->failed;
}

void mbox_out_end(struct mbox_out *o)
{
	if (o->cr)
		body(o, '\r');
	release(o);
	if (!o->ended)
		put(o, '\n');
	put(o, '\n');
}

bool mbox_out_close(struct mbox_out **out, struct err *e)
{
	struct mbox_out *o = *out;
	bool good;

	*out = NULL;
	flush(o);
	good = !o->failed && fsync(o->fd) == 0;
	if (!good && e)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be written", o->path);
	(void)close(o->fd);
	free(o->path);
	free(o);
	return good;
}

struct mbox_in {
	int fd;
	bool begun;		/* past the file's first line */
	bool in_line;		/* the line's beginning was handed out */
	bool over;		/* the file's end is in the buffer */
	size_t blank;		/* octets of an empty line held back: 0, 1 (LF) or 2 (CRLF) */
	size_t at, len;
	char *path;
	char piece[IN_PIECE];
};

bool mbox_in_open(const char *path, struct mbox_in **in, struct err *e)
{
	struct mbox_in *i = calloc(1, sizeof *i);

	if (!i || !(i->path = strdup(path))) {
		free(i);
		return err_set(e, ERR_LOCAL, "out of memory for an mbox");
	}
	i->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (i->fd < 0) {
		(void)err_errno(e, ERR_CONFIG, "%s cannot be read", path);
		mbox_in_close(&i);
		return false;
	}
	*in = i;
	return true;
}

void mbox_in_close(struct mbox_in **in)
{
	if (!*in)
		return;
	if ((*in)->fd >= 0)
		(void)close((*in)->fd);
	free((*in)->path);
	free(*in);
	*in = NULL;
}

/* Reads until a whole line is there, or the buffer is full, or the file ends. */
static bool fill(struct mbox_in *i)
{
	while (!i->over && !memchr(i->piece + i->at, '\n', i->len - i->at)) {
		ssize_t n;

		if (i->at) {
			memmove(i->piece, i->piece + i->at, i->len - i->at);
			i->len -= i->at;
			i->at = 0;
		}
		if (i->len == sizeof i->piece)
			return true;
		n = read(i->fd, i->piece + i->len, sizeof i->piece - i->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		i->over = n == 0;
		i->len += (size_t)n;
	}
	return true;
}

/* A line, or as much of a long one as the buffer holds. */
static struct span take_line(struct mbox_in *i)
{
	struct span rest = { i->piece + i->at, i->len - i->at };
	size_t n = span_find(rest, '\n');

	rest.len = n < rest.len ? n + 1 : rest.len;
	i->at += rest.len;
	return rest;
}

static struct span unquoted(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.at[n] == '>')
		n++;
	return n && span_starts(span_from(line, n), SPAN(FROM)) ? span_from(line, 1) : line;
}

/* Of "From SENDER Thu Jan  1 00:00:00 1970"; 0: it does not say. */
static int64_t date_of(struct span line)
{
	char date[DATE_TEXT + 1];
	struct tm tm = { 0 };
	const char *end;

	while (line.len && strchr(" \t\r\n", line.at[line.len - 1]))
		line.len--;
	if (line.len < sizeof FROM - 1 + DATE_TEXT)
		return 0;
	memcpy(date, line.at + line.len - DATE_TEXT, DATE_TEXT);
	date[DATE_TEXT] = '\0';
	end = strptime(date, "%a %b %e %H:%M:%S %Y", &tm);
	return end && !*end ? (int64_t)timegm(&tm) : 0;
}

/* The rest of a line whose beginning did not end it. */
static bool skip_line(struct mbox_in *i, struct span line)
{
	while (line.at[line.len - 1] != '\n') {
		if (!fill(i))
			return false;
		if (i->at == i->len)
			return true;
		line = take_line(i);
	}
	return true;
}

enum line_kind { LINE_FROM, LINE_BLANK, LINE_BODY };

static enum line_kind kind_of(const struct mbox_in *i, struct span line)
{
	if (span_starts(line, SPAN(FROM)) && (i->blank || !i->begun))
		return LINE_FROM;
	return span_equal(line, SPAN("\n")) || span_equal(line, SPAN("\r\n")) ? LINE_BLANK : LINE_BODY;
}

static enum mbox_got failed(struct err *e, const char *path)
{
	(void)err_errno(e, ERR_LOCAL, "%s cannot be read", path);
	return MBOX_FAILED;
}

enum mbox_got mbox_in_next(struct mbox_in *i, struct span *octets, int64_t *arrived, struct err *e)
{
	for (;;) {
		struct span line;
		enum line_kind kind;

		if (!fill(i))
			return failed(e, i->path);
		if (i->at == i->len)
			return MBOX_END;	/* an empty line held back belongs to the format */
		line = take_line(i);
		kind = i->in_line ? LINE_BODY : kind_of(i, line);
		if (kind == LINE_FROM) {
			i->begun = true;
			i->blank = 0;
			*arrived = date_of(line);
			return skip_line(i, line) ? MBOX_MESSAGE : failed(e, i->path);
		}
		if (!i->begun) {
			(void)err_set(e, ERR_CONFIG, "%s is no mbox: it does not begin with \"From \"", i->path);
			return MBOX_FAILED;
		}
		if (i->blank) {		/* it was body after all; the line comes next */
			i->at -= line.len;
			*octets = i->blank == 2 ? SPAN("\r\n") : SPAN("\n");
			i->blank = 0;
			return MBOX_OCTETS;
		}
		if (kind == LINE_BLANK) {
			i->blank = line.len;
			continue;
		}
		*octets = i->in_line ? line : unquoted(line);
		i->in_line = line.at[line.len - 1] != '\n';
		return MBOX_OCTETS;
	}
}
