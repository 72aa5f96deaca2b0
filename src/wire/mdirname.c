/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mdirname.h"

#include <string.h>

enum { DIGITS_MAX = 17 };	/* of what fits into the 56 bits that sizes have */

struct span mdirname_base(struct span name)
{
	name.len = span_find(name, ':');
	return name;
}

/* The digits that *s begins with. */
static uint64_t number(struct span *s)
{
	uint64_t n = 0;

	for (size_t digits = 0; s->len && s->at[0] >= '0' && s->at[0] <= '9' && digits < DIGITS_MAX; digits++) {
		n = n * 10 + (uint64_t)(s->at[0] - '0');
		*s = span_from(*s, 1);
	}
	return n;
}

/* Digits, and nothing but digits. */
static bool field(struct span text, char letter, uint64_t *value)
{
	if (text.len < 3 || text.at[0] != letter || text.at[1] != '=')
		return false;
	return span_number(span_from(text, 2), (UINT64_C(1) << 55) - 1, value);
}

static void read_fields(struct span rest, struct mdirname *out)
{
	while (rest.len) {
		struct span one = { rest.at, span_find(rest, ',') };

		out->has_size |= field(one, 'S', &out->size);
		out->has_wire |= field(one, 'W', &out->wire);
		rest = span_from(rest, one.len < rest.len ? one.len + 1 : one.len);
	}
}

/* Of the part between the first two dots: M stands at its begin, or behind other letters and hexadecimal numbers. */
static uint64_t micros(struct span unique)
{
	size_t m;

	unique.len = span_find(unique, '.');
	m = span_find(unique, 'M');
	unique = span_from(unique, m < unique.len ? m + 1 : unique.len);
	return number(&unique);
}

void mdirname_read(struct span name, struct mdirname *out)
{
	struct span rest, info;
	size_t comma;

	*out = (struct mdirname){ .base = mdirname_base(name) };
	rest = out->base;
	comma = span_find(rest, ',');
	if (comma < rest.len)
		read_fields(span_from(rest, comma + 1), out);
	out->seconds = number(&rest);
	if (rest.len && rest.at[0] == '.')
		out->micros = micros(span_from(rest, 1));
	info = span_from(name, out->base.len);
	if (span_starts(info, SPAN(":2,")))
		out->seen = span_find(info, 'S') < info.len;
}
