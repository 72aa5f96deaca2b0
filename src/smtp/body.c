/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/body.h"

void smtp_body_start(struct smtp_body *b, bool chunked)
{
	*b = (struct smtp_body){ .chunked = chunked };
}

/* What is to be put in front of `c`, if anything; the state is as after it. */
static struct span wanted(struct smtp_body *b, char c)
{
	if (b->cr && c != '\n') {
		b->cr = b->inside = false;
		return SPAN("\n");
	}
	if (c == '\n' && !b->cr) {
		b->cr = b->inside = true;
		return SPAN("\r");
	}
	if (c == '.' && !b->inside && !b->chunked && !b->dotted) {
		b->dotted = true;
		return SPAN(".");
	}
	return (struct span){ 0 };
}

/* How many octets, none of them CR or LF, lie in front. */
static size_t plain(struct span in)
{
	size_t lf = span_find(in, '\n');

	return span_find((struct span){ in.at, lf }, '\r');
}

/* Takes one line end's octet, or all up to the next. */
static size_t take(struct smtp_body *b, struct span in)
{
	b->dotted = false;
	if (in.at[0] == '\n') {
		b->cr = b->inside = false;
		return 1;
	}
	b->inside = true;
	b->cr = in.at[0] == '\r';
	return b->cr ? 1 : plain(in);
}

bool smtp_body_next(struct smtp_body *b, struct span *in, struct span *piece)
{
	struct span rest = *in;

	if (!in->len)
		return false;
	*piece = wanted(b, in->at[0]);
	if (piece->len)
		return true;
	while (rest.len) {
		struct smtp_body before = *b;

		if (wanted(b, rest.at[0]).len) {
			*b = before;
			break;
		}
		rest = span_from(rest, take(b, rest));
	}
	*piece = (struct span){ in->at, in->len - rest.len };
	*in = rest;
	return true;
}

struct span smtp_body_end(struct smtp_body *b)
{
	struct span all = SPAN("\r\n.\r\n");
	size_t from = b->cr ? 1 : b->inside ? 0 : 2;

	if (b->chunked)
		all.len = 2;
	smtp_body_start(b, b->chunked);
	return (struct span){ all.at + from, all.len - from };
}

void smtp_look(struct smtp_look *l, struct span piece)
{
	unsigned char all = 0;
	struct span span;

	for (size_t i = 0; i < piece.len; i++)
		all |= (unsigned char)piece.at[i];
	l->eight_bit |= all > 127;
	l->body.chunked = true;
	while (smtp_body_next(&l->body, &piece, &span))
		l->octets += span.len;
}

void smtp_look_end(struct smtp_look *l)
{
	l->body.chunked = true;
	l->octets += smtp_body_end(&l->body).len;
}
