/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/stuff.h"

void stuff_start(struct stuff *f, bool all, uint32_t lines, bool clean)
{
	*f = (struct stuff){ .all = all, .lines = lines, .clean = clean };
}

/* A part of a line that goes on, not empty. */
static void line_goes_on(struct stuff *f, struct span part)
{
	bool cr = part.at[part.len - 1] == '\r';

	f->begun |= f->cr || part.len > 1 || !cr;
	f->cr = cr;
}

/* What TOP does at the end of a line, an empty one or another. */
static void line_ends(struct stuff *f)
{
	bool empty = !f->begun;

	f->begun = f->cr = false;
	if (f->body)
		f->lines--;
	f->body |= empty;
	f->enough = f->body && !f->lines;
}

/* How much of `in`, not empty, TOP still wants: up to the end of some line, or all. */
static size_t wanted(struct stuff *f, struct span in)
{
	size_t n = 0;

	while (n < in.len && !f->enough) {
		struct span rest = span_from(in, n);
		size_t lf = span_find(rest, '\n');

		if (lf)
			line_goes_on(f, (struct span){ rest.at, lf });
		n += lf;
		if (n == in.len)
			break;
		n++;
		if (f->cr) {
			line_ends(f);
		} else {	/* a lone LF is an octet as any other */
			f->begun = true;
		}
	}
	return n;
}

static bool stuff_all(struct stuff *f, struct span *in, struct span *piece)
{
	if (!f->clean)
		return dot_out_next(&f->dot, in, piece);
	*piece = *in;
	*in = span_from(*in, in->len);
	dot_out_pass(&f->dot, *piece);
	return piece->len;
}

/* The lines of a piece are counted as its spans go out: a span that ends with a
 * dot to be doubled leaves that dot in *in, so it is counted with the next. */
static bool stuff_top(struct stuff *f, struct span *in, struct span *piece)
{
	struct span rest = *in;
	bool more = stuff_all(f, &rest, piece);
	size_t taken = in->len - rest.len, n;

	if (!more)
		return false;
	n = taken ? wanted(f, (struct span){ in->at, taken }) : 0;
	if (f->enough) {	/* the cut: behind a CRLF, and before a dot that was to be doubled */
		*piece = (struct span){ in->at, n };
		f->dot = (struct dot_out){ 0 };
	}
	*in = rest;
	return true;
}

bool stuff_next(struct stuff *f, struct span *in, struct span *piece)
{
	if (f->enough)
		*in = span_from(*in, in->len);
	if (!in->len)
		return false;
	return f->all ? stuff_all(f, in, piece) : stuff_top(f, in, piece);
}

bool stuff_enough(const struct stuff *f)
{
	return f->enough;
}

struct span stuff_end(struct stuff *f)
{
	return dot_out_end(&f->dot);
}
