/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/crlf.h"

/* The line end that *in begins with.  False: only its CR fits. */
static bool line_end(struct crlf *c, struct span *in, char *out, size_t cap, size_t *n)
{
	if (!c->cr) {
		out[(*n)++] = '\r';
		c->cr = true;
		if (*n == cap)
			return false;
	}
	out[(*n)++] = '\n';
	c->cr = false;
	*in = span_from(*in, 1);
	return true;
}

size_t crlf_out(struct crlf *c, struct span *in, char *out, size_t cap)
{
	size_t n = 0;

	while (in->len && n < cap) {
		size_t line = span_find(*in, '\n');

		if (line > cap - n)
			line = cap - n;
		if (line) {
			memcpy(out + n, in->at, line);
			c->cr = in->at[line - 1] == '\r';
			*in = span_from(*in, line);
			n += line;
		}
		if (in->len && n < cap && !line_end(c, in, out, cap, &n))
			break;
	}
	return n;
}

uint64_t crlf_count(struct crlf *c, struct span in)
{
	uint64_t n = in.len;

	while (in.len) {
		size_t line = span_find(in, '\n');

		if (line)
			c->cr = in.at[line - 1] == '\r';
		if (line == in.len)
			break;
		n += !c->cr;
		c->cr = false;
		in = span_from(in, line + 1);
	}
	return n;
}
