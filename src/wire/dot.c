/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dot.h"

#include <assert.h>

/* What the bytes so far end with.  Outgoing bodies know only the first three. */
enum state {
	BEGIN,		/* nothing, or a CRLF: a line begins here */
	WITHIN,		/* anything else */
	CR,		/* a CR */
	DOT,		/* a dot that began a line, not handed out */
	DOT_CR,		/* that and a CR, not handed out either */
};

/* Is the byte at `n` the first of a line? */
static bool line_begins(enum state s, struct span in, size_t n)
{
	if (n == 0)
		return s == BEGIN;
	return in.at[n - 1] == '\n' && (n == 1 ? s == CR : in.at[n - 2] == '\r');
}

/* The position of the first dot that begins a line, or in.len.  Dots are
 * sought rather than line ends: there are fewer, in base64 none at all. */
static size_t find_dot(enum state s, struct span in)
{
	size_t n = span_find(in, '.');

	while (n < in.len && !line_begins(s, in, n))
		n += 1 + span_find(span_from(in, n + 1), '.');
	return n;
}

/* The state behind a whole, not empty, piece of body. */
static enum state behind(enum state s, struct span body)
{
	if (body.at[body.len - 1] == '\r')
		return CR;
	return line_begins(s, body, body.len) ? BEGIN : WITHIN;
}

static bool eat(struct span *in, char c)
{
	if (*in->at != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

static enum dot_got take_body(struct dot_in *d, struct span *in, struct span *piece)
{
	*piece = (struct span){ in->at, find_dot(d->state, *in) };
	assert(piece->len);
	d->state = (uint8_t)behind(d->state, *piece);
	*in = span_from(*in, piece->len);
	return DOT_BODY;
}

enum dot_got dot_next(struct dot_in *d, struct span *in, struct span *piece)
{
	while (in->len) {
		switch ((enum state)d->state) {
		case BEGIN:
			if (!eat(in, '.'))
				return take_body(d, in, piece);
			d->state = DOT;
			break;
		case DOT:
			d->state = eat(in, '\r') ? DOT_CR : WITHIN;
			if (d->state == DOT_CR || *in->at == '.')
				break;
			*piece = SPAN(".");	/* nobody stuffed it: it is the line's own */
			return DOT_BODY;
		case DOT_CR:
			if (eat(in, '\n')) {
				d->state = BEGIN;
				return DOT_END;
			}
			d->state = WITHIN;
			*piece = SPAN(".\r");
			return DOT_BODY;
		case WITHIN:
		case CR:
			return take_body(d, in, piece);
		}
	}
	return DOT_MORE;
}

bool dot_out_next(struct dot_out *d, struct span *in, struct span *piece)
{
	size_t n = find_dot(d->state, *in);

	if (!in->len)
		return false;
	if (n < in->len) {	/* this piece ends with the dot, and the next begins with it */
		*piece = (struct span){ in->at, n + 1 };
		*in = span_from(*in, n);
		d->state = WITHIN;
		return true;
	}
	*piece = *in;
	d->state = (uint8_t)behind(d->state, *piece);
	*in = span_from(*in, n);
	return true;
}

void dot_out_pass(struct dot_out *d, struct span piece)
{
	if (piece.len)
		d->state = (uint8_t)behind(d->state, piece);
}

struct span dot_out_end(struct dot_out *d)
{
	bool ended = d->state == BEGIN;

	d->state = BEGIN;
	return ended ? SPAN(".\r\n") : SPAN("\r\n.\r\n");
}
