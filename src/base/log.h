/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line a fact, through an object's chain of tags.
 *
 *     struct tag account = { NULL, "account", "anna" };
 *     struct tag conn = { &account, "conn", "17" };
 *     log_info(&conn, "message stored number=%u bytes=%zu", n, size);
 * gives, as text on standard error,
 *     info account=anna conn=17 message stored number=3 bytes=10432
 * or one JSON object a line {"time","level",tags…,"message"}, or journald's
 * prefixes (<6>…).  A tag's value that could be taken for more than one word is
 * quoted.  Control octets in the whole line, and what is not UTF-8, become '?'
 * (base/text.h), so that a peer's text cannot forge a line.  A line is cut at
 * LOG_LINE_MAX octets, the tags at half of that, a JSON object inside its
 * message, so that it stays one.
 * log_start may be called again, while other threads log: a line goes to the one
 * file or to the other.  It is for the main thread.
 * Writing is one write(2) a line, safe from every thread, and leaves errno.
 * No secret is ever passed to the log: callers' duty, tested by grep. */
#pragma once

#include "base/err.h"

enum { LOG_LINE_MAX = 2000 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };
enum log_format { LOG_TEXT, LOG_JSON, LOG_JOURNAL, LOG_FORMATS };

struct tag {
	const struct tag *outer;
	const char *name;
	const char *value;
};

/* What is below `level` is not written.  `to`: NULL or "stderr", or a path that
 * is appended to (mode 0640 when made).  False: the path cannot be opened. */
[[nodiscard]] bool log_start(enum log_level level, enum log_format format, const char *to, struct err *e);
bool log_wants(enum log_level level);
/* Called before a line is written to standard error, to clear what is drawn there; NULL = nothing. */
void log_before_line(void (*clear)(void));
void log_at(enum log_level level, const struct tag *tag, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(tag, ...) log_at(LOG_ERROR, tag, __VA_ARGS__)
#define log_warn(tag, ...) log_at(LOG_WARN, tag, __VA_ARGS__)
#define log_info(tag, ...) log_at(LOG_INFO, tag, __VA_ARGS__)
#define log_debug(tag, ...) log_at(LOG_DEBUG, tag, __VA_ARGS__)
