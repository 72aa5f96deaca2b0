/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/line.h"

#include <assert.h>

void lines_start(struct lines *l, char *memory, size_t size)
{
	assert(memory && size);
	*l = (struct lines){ 0 };
	buf_lend(&l->held, memory, size);
}

/* Keeps a part of a line.  A CR at its end may belong to the line end: it
 * becomes state, and a byte of the line only when more of the line follows. */
static bool hold(struct lines *l, struct span part)
{
	if (!part.len)
		return true;
	if (l->cr && !buf_add_byte(&l->held, '\r'))
		return false;
	l->cr = part.at[part.len - 1] == '\r';
	part.len -= l->cr;
	return buf_add(&l->held, part);
}

enum line_got lines_next(struct lines *l, struct span *in, struct span *line)
{
	size_t lf = span_find(*in, '\n');
	bool ended = lf < in->len;
	struct span part = { in->at, lf };

	if (l->given)
		l->held.len = 0;
	l->given = false;
	*in = span_from(*in, lf + ended);
	if (ended && !l->held.len && !l->cr) {
		if (part.len && part.at[part.len - 1] == '\r')
			part.len--;
		*line = part;
		return part.len <= l->held.max ? LINE_WHOLE : LINE_LONG;
	}
	if (!hold(l, part))
		return LINE_LONG;
	if (!ended)
		return LINE_MORE;
	l->cr = false;
	l->given = true;
	*line = buf_span(&l->held);
	return LINE_WHOLE;
}
