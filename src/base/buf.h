/* SPDX-License-Identifier: Apache-2.0
 *
 * A buf: bytes that its holder owns, with a limit.
 *
 * Two kinds share one interface.  A grown buf (buf_start) takes its memory
 * from the heap up to `max` bytes and gives it back at buf_end.  A lent buf
 * (buf_lend) lives in memory of the caller and never allocates: that is what
 * pure rooms use.  Adding is all or nothing: when it does not fit (limit, or
 * no memory) it returns false and the buf is as before.
 * Spans into a buf die with the next buf_add, buf_drop or buf_end; so nothing
 * of a buf can be added to itself. */
#pragma once

#include "base/span.h"

struct buf {
	char *at;
	size_t len;
	size_t cap;
	size_t max;
	bool lent;
};

void buf_start(struct buf *b, size_t max);
void buf_lend(struct buf *b, char *memory, size_t size);
/* Gives the memory back; a grown buf can be used again.  A lent buf forgets its
 * memory and takes nothing until it is lent some again.  May be called twice. */
void buf_end(struct buf *b);
/* As buf_end, but first overwrites what was in it: for secrets.  Growing leaves
 * copies behind: take the room for a secret first, with buf_room. */
void buf_wipe(struct buf *b);

[[nodiscard]] bool buf_add(struct buf *b, struct span s);
[[nodiscard]] bool buf_add_byte(struct buf *b, char c);
/* Needs room for a NUL behind the text, which is not counted. */
[[nodiscard]] bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `n` more bytes at b->at + b->len, which the caller then fills and
 * counts by adding to b->len.  NULL when it does not fit. */
[[nodiscard]] char *buf_room(struct buf *b, size_t n);
/* Drops the first `n` bytes. */
void buf_drop(struct buf *b, size_t n);
/* NUL-terminates without counting the NUL; false when there is no room for it. */
[[nodiscard]] bool buf_terminate(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->at, b->len };
}

/* Overwrites memory in a way no compiler removes. */
void wipe(void *at, size_t len);
