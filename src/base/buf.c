/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAP = 256 };

void buf_start(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_lend(struct buf *b, char *memory, size_t size)
{
	*b = (struct buf){ .at = memory, .cap = size, .max = size, .lent = true };
}

void buf_end(struct buf *b)
{
	if (!b->lent)
		free(b->at);
	*b = (struct buf){ .max = b->max, .lent = b->lent };
}

void buf_wipe(struct buf *b)
{
	if (b->at)
		wipe(b->at, b->cap);
	buf_end(b);
}

static bool grow(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	char *at;

	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max)
		cap = b->max;
	at = realloc(b->at, cap);
	if (!at)
		return false;
	b->at = at;
	b->cap = cap;
	return true;
}

char *buf_room(struct buf *b, size_t n)
{
	assert(b->len <= b->cap && b->cap <= b->max);
	if (n > b->max - b->len)
		return NULL;
	if ((!b->at || b->len + n > b->cap) && (b->lent || !b->max || !grow(b, b->len + n)))
		return NULL;
	return b->at + b->len;
}

bool buf_add(struct buf *b, struct span s)
{
	char *room;

	if (!s.len)
		return true;
	room = buf_room(b, s.len);
	if (!room)
		return false;
	memcpy(room, s.at, s.len);
	b->len += s.len;
	return true;
}

bool buf_add_byte(struct buf *b, char c)
{
	return buf_add(b, (struct span){ &c, 1 });
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *room;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	room = buf_room(b, (size_t)n + 1);
	if (!room)
		return false;
	va_start(args, format);
	n = vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	assert(n >= 0);
	b->len += (size_t)n;
	return true;
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n < b->len)
		memmove(b->at, b->at + n, b->len - n);
	b->len -= n;
}

bool buf_terminate(struct buf *b)
{
	char *room = buf_room(b, 1);

	if (room)
		*room = '\0';
	return room;
}

void wipe(void *at, size_t len)
{
	if (len)
		explicit_bzero(at, len);
}
