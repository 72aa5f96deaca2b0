/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

enum { PEER_WORDS_MAX = 200 };

static const char *const kind_names[] = {
	"none", "busy", "net", "peer", "tls", "auth", "local", "config",
};
static_assert(COUNT(kind_names) == ERR_KINDS, "a name for each kind");

const char *err_kind_name(enum err_kind kind)
{
	assert(kind < ERR_KINDS);
	return kind_names[kind];
}

/* Appends, cut where the text is full. */
static void add(struct err *e, const char *more)
{
	size_t used = strlen(e->text);
	size_t n = strlen(more);

	if (n > sizeof e->text - 1 - used)
		n = sizeof e->text - 1 - used;
	memcpy(e->text + used, more, n);
	e->text[used + n] = '\0';
}

/* By way of a text of its own, for an argument may be the err's old text. */
__attribute__((format(printf, 2, 0))) static void print(struct err *e, const char *format, va_list args)
{
	char text[sizeof e->text];

	(void)vsnprintf(text, sizeof text, format, args);
	memcpy(e->text, text, strlen(text) + 1);
}

bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
	va_list args;

	assert(kind != ERR_NONE);
	e->kind = kind;
	va_start(args, format);
	print(e, format, args);
	va_end(args);
	return false;
}

bool err_in(struct err *e, const char *format, ...)
{
	char inner[sizeof e->text];
	va_list args;

	assert(e->kind != ERR_NONE);	/* nothing was set: there is no error to place */
	memcpy(inner, e->text, strlen(e->text) + 1);
	va_start(args, format);
	print(e, format, args);
	va_end(args);
	add(e, ": ");
	add(e, inner);
	return false;
}

bool err_said(struct err *e, const char *who, struct span words)
{
	char clean[PEER_WORDS_MAX + 1];
	size_t n = 0;

	while (words.len && (words.at[words.len - 1] == '\r' || words.at[words.len - 1] == '\n'))
		words.len--;
	for (; n < words.len && n < PEER_WORDS_MAX; n++)
		clean[n] = words.at[n] == '"' ? '\'' : words.at[n];
	clean[n] = '\0';
	text_clean(clean, n);
	add(e, ": ");
	add(e, who);
	add(e, " said \"");
	add(e, clean);
	add(e, "\"");
	return false;
}

bool err_peer(struct err *e, struct span words)
{
	return err_said(e, "server", words);
}

bool err_errno(struct err *e, enum err_kind kind, const char *format, ...)
{
	int cause = errno;
	va_list args;

	assert(kind != ERR_NONE);
	e->kind = kind;
	va_start(args, format);
	print(e, format, args);
	va_end(args);
	add(e, ": ");
	add(e, strerror(cause));
	return false;
}
