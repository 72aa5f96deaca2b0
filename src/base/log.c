/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static_assert(COUNT(level_names) == LOG_LEVELS, "a name for each level");
static const char *const journal_prefixes[] = { "<3>", "<4>", "<6>", "<7>" };
static_assert(COUNT(journal_prefixes) == LOG_LEVELS, "a prefix for each level");

static _Atomic enum log_level log_level = LOG_INFO;
static _Atomic enum log_format log_format = LOG_TEXT;
static atomic_int log_fd = STDERR_FILENO;
static int log_file = -1;	/* of the first file, and of all others after it: never closed */
static void (*log_clear)(void);

enum { LOG_TAGS_MAX = LOG_LINE_MAX / 2 };

struct line {
	char at[LOG_LINE_MAX + 1];	/* the last octet is the line end's */
	size_t len;
	bool json;			/* the format may change while it is made */
};

/* Other threads may be about to write: what they write to must be a log still, and no client's
 * socket that got the number of a descriptor that was closed. */
static bool open_file(const char *to, struct err *e)
{
	int fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	bool good = fd >= 0;

	if (good && log_file < 0) {
		log_file = fd;
		return true;
	}
	good = good && dup3(fd, log_file, O_CLOEXEC) >= 0;
	if (!good)
		(void)err_errno(e, ERR_CONFIG, "log file %s cannot be opened", to);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

bool log_start(enum log_level level, enum log_format format, const char *to, struct err *e)
{
	bool file = to && strcmp(to, "stderr") != 0;

	assert(level < LOG_LEVELS && format < LOG_FORMATS);
	if (file && !open_file(to, e))
		return false;
	log_fd = file ? log_file : STDERR_FILENO;
	log_level = level;
	log_format = format;
	return true;
}

void log_before_line(void (*clear)(void))
{
	log_clear = clear;
}

bool log_wants(enum log_level level)
{
	return level <= log_level;
}

static void line_add(struct line *l, const char *text)
{
	size_t n = strlen(text);

	if (n > LOG_LINE_MAX - l->len)
		n = LOG_LINE_MAX - l->len;
	memcpy(l->at + l->len, text, n);
	l->len += n;
}

/* A quoted string, closed whatever happens, that ends at `limit` at the latest. */
static void line_add_quoted(struct line *l, const char *text, size_t limit)
{
	line_add(l, "\"");
	for (const char *p = text; *p && l->len + 3 <= limit; p++) {
		char c[3] = { '\\', *p, 0 };

		line_add(l, *p == '"' || *p == '\\' ? c : c + 1);
	}
	line_add(l, "\"");
}

/* As much of a tag as there is room for: its name whole, or nothing. */
static void add_tag(struct line *l, const struct tag *tag)
{
	bool json = l->json;
	size_t room = LOG_TAGS_MAX - l->len;
	const char *value = tag->value ? tag->value : "";

	if (l->len > LOG_TAGS_MAX || strlen(tag->name) + 8 > room)
		return;
	if (json)
		line_add(l, "\"");
	line_add(l, tag->name);
	line_add(l, json ? "\":" : "=");
	room = LOG_TAGS_MAX - l->len;
	if (json || !value[0] || strpbrk(value, " =\"\\") || strlen(value) >= room)
		line_add_quoted(l, value, LOG_TAGS_MAX - 1);
	else
		line_add(l, value);
	line_add(l, json ? "," : " ");
}

static void add_tags(struct line *l, const struct tag *tag)
{
	if (!tag)
		return;
	add_tags(l, tag->outer);
	add_tag(l, tag);
}

static void compose(struct line *l, enum log_level level, const struct tag *tag, const char *message)
{
	const enum log_format format = log_format;
	char time[MOMENT_TEXT];

	l->json = format == LOG_JSON;
	switch (format) {
	case LOG_JSON:
		line_add(l, "{\"time\":\"");
		line_add(l, moment_text(clock_now_s(), time));
		line_add(l, "\",\"level\":\"");
		line_add(l, level_names[level]);
		line_add(l, "\",");
		add_tags(l, tag);
		line_add(l, "\"message\":");
		line_add_quoted(l, message, LOG_LINE_MAX - 1);
		line_add(l, "}");
		return;
	case LOG_JOURNAL:
		line_add(l, journal_prefixes[level]);
		break;
	case LOG_TEXT:
	case LOG_FORMATS:
		line_add(l, level_names[level]);
		line_add(l, " ");
		break;
	}
	add_tags(l, tag);
	line_add(l, message);
}

void log_at(enum log_level level, const struct tag *tag, const char *format, ...)
{
	char message[LOG_LINE_MAX + 1];
	struct line l = { .len = 0 };
	int before = errno;
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	(void)vsnprintf(message, sizeof message, format, args);
	va_end(args);
	compose(&l, level, tag, message);
	text_clean(l.at, l.len);
	l.at[l.len++] = '\n';
	if (log_clear && log_fd == STDERR_FILENO)
		log_clear();
	while (write(log_fd, l.at, l.len) < 0 && errno == EINTR)
		;	/* any other failure has nobody to be told */
	errno = before;
}
