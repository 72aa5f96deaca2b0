/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

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

bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
	va_list args;

	assert(kind != ERR_NONE);
	e->kind = kind;
	va_start(args, format);
	(void)vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	return false;
}

bool err_in(struct err *e, const char *format, ...)
{
	char inner[sizeof e->text];
	va_list args;

	assert(e->kind != ERR_NONE);
	memcpy(inner, e->text, sizeof inner);
	va_start(args, format);
	(void)vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	add(e, ": ");
	add(e, inner);
	return false;
}

bool err_peer(struct err *e, struct span words)
{
	char clean[PEER_WORDS_MAX + 1];
	size_t n = 0;

	while (words.len && (words.at[words.len - 1] == '\r' || words.at[words.len - 1] == '\n'))
		words.len--;
	for (; n < words.len && n < PEER_WORDS_MAX; n++) {
		unsigned char c = (unsigned char)words.at[n];

		clean[n] = c < ' ' || c == 127 ? '?' : words.at[n];
	}
	clean[n] = '\0';
	add(e, ": server said \"");
	add(e, clean);
	add(e, "\"");
	return false;
}

bool err_errno(struct err *e, enum err_kind kind, const char *format, ...)
{
	int cause = errno;
	va_list args;

	e->kind = kind;
	va_start(args, format);
	(void)vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	add(e, ": ");
	add(e, strerror(cause));
	return false;
}
