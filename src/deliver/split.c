/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/split.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

enum { ENDING_MAX = 16 };

static bool stays(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
	       (unsigned char)c > 127;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void split_name(const char *given, char name[SPLIT_NAME + 1])
{
	char text[SPLIT_TEXT];
	size_t len, tail, head;
	bool any = false;
	const char *dot;

	(void)snprintf(text, sizeof text, "%s", given);
	len = strlen(text);
	text_clean(text, len);
	for (char *p = text; *p; p++) {
		*p = stays(*p) ? *p : '_';
		any |= *p != '_' && *p != '.';
	}
	if (text[0] == '.')
		text[0] = '_';
	dot = strrchr(text, '.');
	tail = dot && strlen(dot) <= ENDING_MAX ? strlen(dot) : 0;
	head = len - tail;
	if (len > SPLIT_NAME) {
		head = SPLIT_NAME - tail;
		while (head && continues(text[head]))
			head--;
	}
	(void)snprintf(name, SPLIT_NAME + 1, "%.*s%s", any ? (int)head : 0, text, any ? text + len - tail : "");
}

#ifdef POSTRIDER_GMIME
#include <gmime/gmime.h>
#include <pthread.h>
#include <strings.h>
#include <unistd.h>

enum { PIECE = 16 * 1024, LINE_SHOWN = 256 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t splitting = PTHREAD_MUTEX_INITIALIZER;

/* ---- what it would cost, before it is read */

struct look {
	bool header, message;		/* in a header; of a part that is a message */
	size_t octets, lines, at;	/* of this header; that could be boundaries; in this line */
	char line[LINE_SHOWN + 1];
};

static bool end_of_line(struct look *l)
{
	size_t len = l->at < LINE_SHOWN ? l->at : LINE_SHOWN;

	l->line[len] = '\0';
	l->octets += l->at + 1;
	l->at = 0;
	if (len >= 2 && l->line[0] == '-' && l->line[1] == '-') {
		l->lines++;
		l->header = true;
		l->message = false;
		l->octets = 0;
	} else if (!len || strcmp(l->line, "\r") == 0) {
		l->header = l->message;
		l->message = false;
		l->octets = 0;
	} else if (strcasestr(l->line, "message/")) {
		l->message = true;
	}
	return l->lines <= SPLIT_LINES && (!l->header || l->octets <= SPLIT_HEADER);
}

/* False: it would cost too much. */
static bool look_at(struct look *l, const char *at, size_t n)
{
	for (; n; n--, at++) {
		if (*at == '\n') {
			if (!end_of_line(l))
				return false;
			continue;
		}
		if (l->at < LINE_SHOWN)
			l->line[l->at] = *at;
		l->at++;
		if (l->header && l->octets + l->at > SPLIT_HEADER && !(l->at >= 2 && l->line[0] == '-' && l->line[1] == '-'))
			return false;
	}
	return true;
}

static enum split_done look_through(int fd, char why[SPLIT_TEXT], struct err *e)
{
	struct look l = { .header = true };
	char piece[PIECE];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, piece, sizeof piece, at)) > 0) {
		if (!look_at(&l, piece, (size_t)n)) {
			(void)snprintf(why, SPLIT_TEXT, "%s", l.lines > SPLIT_LINES ? "too many lines could be boundaries" : "a header is too long");
			return SPLIT_NOT;
		}
		at += n;
	}
	return n == 0 ? SPLIT_DONE : ((void)err_errno(e, ERR_LOCAL, "a message cannot be read again"), SPLIT_FAILED);
}

/* ---- the parts */

struct work {
	const struct split_sink *sink;
	struct err *e;
	unsigned number;		/* of parts that are no body */
	size_t parts;
	bool plain, html, good;		/* the body has these */
};

static void show(const char *given, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", given ? given : "");
	text_clean(out, strlen(out));
}

static const char *word_of(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);

	if (GMIME_IS_MESSAGE_PART(object))
		return "eml";
	if (g_mime_content_type_is_type(type, "text", "html"))
		return "html";
	return g_mime_content_type_is_type(type, "text", "*") ? "txt" : "bin";
}

static void suffix_of(struct work *w, GMimeObject *object, struct split_part *p)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	bool may = GMIME_IS_PART(object) && !p->attachment && !p->name[0];
	bool plain = may && !w->plain && g_mime_content_type_is_type(type, "text", "plain");
	bool html = may && !w->html && g_mime_content_type_is_type(type, "text", "html");
	char name[SPLIT_NAME + 1];

	p->body = plain || html;
	w->plain |= plain;
	w->html |= html;
	if (p->body) {
		(void)snprintf(p->suffix, sizeof p->suffix, "body.%s", plain ? "txt" : "html");
		return;
	}
	split_name(p->name, name);
	(void)snprintf(p->suffix, sizeof p->suffix, "%u.%s", ++w->number, *name ? name : word_of(object));
}

static void describe(struct work *w, GMimeObject *object, struct split_part *p)
{
	char *type = g_mime_content_type_get_mime_type(g_mime_object_get_content_type(object));
	const char *disposition = g_mime_object_get_disposition(object);

	*p = (struct split_part){ .attachment = disposition && strcasecmp(disposition, "attachment") == 0 };
	show(type, p->type, sizeof p->type);
	g_free(type);
	show(g_mime_object_get_content_id(object), p->id, sizeof p->id);
	show(g_mime_object_get_content_type_parameter(object, "charset"), p->charset, sizeof p->charset);
	if (GMIME_IS_PART(object))
		show(g_mime_part_get_filename(GMIME_PART(object)), p->name, sizeof p->name);
	suffix_of(w, object, p);
}

/* The body in UTF-8, where its charset is known. */
static GMimeStream *converted(GMimeStream *out, struct split_part *p)
{
	GMimeFilter *filter = p->charset[0] ? g_mime_filter_charset_new(p->charset, "UTF-8") : NULL;
	GMimeStream *through;

	if (!filter)
		return g_object_ref(out);
	(void)snprintf(p->charset, sizeof p->charset, "utf-8");
	through = g_mime_stream_filter_new(out);
	(void)g_mime_stream_filter_add(GMIME_STREAM_FILTER(through), filter);
	g_object_unref(filter);
	return through;
}

/* As it was, with the line ends that mail has. */
static bool write_message(GMimeMessage *message, GMimeStream *out)
{
	GMimeFormatOptions *options = g_mime_format_options_new();
	bool good;

	g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
	good = g_mime_object_write_to_stream(GMIME_OBJECT(message), options, out) >= 0;
	g_mime_format_options_free(options);
	return good;
}

static bool write_octets(GMimeObject *object, struct split_part *p, int fd)
{
	GMimeStream *out = g_mime_stream_fs_new(fd), *through;
	GMimeDataWrapper *content = GMIME_IS_PART(object) ? g_mime_part_get_content(GMIME_PART(object)) : NULL;
	GMimeMessage *inner = GMIME_IS_MESSAGE_PART(object) ? g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)) : NULL;
	bool good = true;

	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(out), FALSE);
	through = p->body ? converted(out, p) : g_object_ref(out);
	errno = 0;
	if (content)
		good = g_mime_data_wrapper_write_to_stream(content, through) >= 0;
	else if (inner)
		good = write_message(inner, through);
	good = g_mime_stream_flush(through) == 0 && good;
	p->octets = (uint64_t)g_mime_stream_tell(out);
	g_object_unref(through);
	g_object_unref(out);
	return good;
}

static void use_part([[maybe_unused]] GMimeObject *parent, GMimeObject *object, gpointer user)
{
	struct work *w = user;
	struct split_part p;
	bool good;
	int fd;

	if (!w->good || GMIME_IS_MULTIPART(object))
		return;
	describe(w, object, &p);
	fd = w->sink->begin(w->sink->user, &p, w->e);
	w->good = fd >= 0;
	if (!w->good)
		return;
	good = write_octets(object, &p, fd) || err_errno(w->e, ERR_LOCAL, "a part of a message cannot be written");
	w->good = w->sink->written(w->sink->user, &p, fd, good ? w->e : &(struct err){ .kind = ERR_NONE }) && good;
}

static void count_part([[maybe_unused]] GMimeObject *parent, [[maybe_unused]] GMimeObject *object, gpointer user)
{
	struct work *w = user;

	w->parts++;
}

static GMimeMessage *parsed(int fd)
{
	int own = dup(fd);
	GMimeStream *in = own >= 0 && lseek(own, 0, SEEK_SET) == 0 ? g_mime_stream_fs_new(own) : NULL;
	GMimeMessage *message = NULL;
	GMimeParser *parser;

	if (!in) {
		if (own >= 0)
			(void)close(own);
		return NULL;
	}
	parser = g_mime_parser_new_with_stream(in);
	g_mime_parser_set_persist_stream(parser, TRUE);	/* contents stay in the file */
	message = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(in);
	return message;
}

static enum split_done split(int fd, const struct split_sink *sink, char why[SPLIT_TEXT], struct err *e)
{
	struct work w = { .sink = sink, .e = e, .good = true };
	GMimeMessage *message = parsed(fd);

	if (!message) {
		(void)snprintf(why, SPLIT_TEXT, "it cannot be parsed");
		return SPLIT_NOT;
	}
	g_mime_message_foreach(message, count_part, &w);
	if (w.parts <= SPLIT_PARTS)
		g_mime_message_foreach(message, use_part, &w);
	g_object_unref(message);
	if (w.parts <= SPLIT_PARTS)
		return w.good ? SPLIT_DONE : SPLIT_FAILED;
	(void)snprintf(why, SPLIT_TEXT, "it has more than %d parts", SPLIT_PARTS);
	return SPLIT_NOT;
}

bool split_built(void)
{
	return true;
}

enum split_done split_message(int fd, const struct split_sink *sink, char why[SPLIT_TEXT], struct err *e)
{
	enum split_done done = look_through(fd, why, e);

	if (done != SPLIT_DONE)
		return done;
	(void)pthread_once(&once, g_mime_init);
	(void)pthread_mutex_lock(&splitting);
	done = split(fd, sink, why, e);
	(void)pthread_mutex_unlock(&splitting);
	return done;
}
#else
bool split_built(void)
{
	return false;
}

enum split_done split_message([[maybe_unused]] int fd, [[maybe_unused]] const struct split_sink *sink, char why[SPLIT_TEXT], [[maybe_unused]] struct err *e)
{
	(void)snprintf(why, SPLIT_TEXT, "this Postrider was built without GMime");
	return SPLIT_NOT;
}
#endif
