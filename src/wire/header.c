/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/header.h"

#include <assert.h>

#include "base/text.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool space(char c)
{
	return blank(c) || c == '\r' || c == '\n';
}

/* The first line of `s` with its line end, if it has one. */
static struct span first_line(struct span s)
{
	size_t n = span_find(s, '\n');

	return (struct span){ s.at, n < s.len ? n + 1 : n };
}

/* "name:" or, the obsolete form, "name :", the name of printable ASCII. */
static bool field_name(struct span line, struct span *name)
{
	size_t n = 0, colon;

	while (n < line.len && line.at[n] > ' ' && line.at[n] < 127 && line.at[n] != ':')
		n++;
	colon = n;
	while (colon < line.len && blank(line.at[colon]))
		colon++;
	if (!n || colon == line.len || line.at[colon] != ':')
		return false;
	*name = (struct span){ line.at, n };
	return true;
}

static struct span without_space(struct span s)
{
	while (s.len && space(s.at[0]))
		s = span_from(s, 1);
	while (s.len && space(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool header_next(struct span *message, struct header_field *field)
{
	struct span line = first_line(*message), name;
	size_t end;

	while (!field_name(line, &name)) {
		if (!span_starts(line, SPAN("From "))) {
			if (span_equal(line, SPAN("\r\n")) || span_equal(line, SPAN("\n")))
				*message = span_from(*message, line.len);
			return false;
		}
		*message = span_from(*message, line.len);
		line = first_line(*message);
	}
	end = line.len;
	while (end < message->len && blank(message->at[end]))
		end += first_line(span_from(*message, end)).len;
	line.len = end;
	field->name = name;
	field->value = without_space(span_from(line, span_find(line, ':') + 1));
	*message = span_from(*message, end);
	return true;
}

bool header_find(struct span message, const char *name, struct span *value)
{
	struct header_field field;

	while (header_next(&message, &field)) {
		if (!span_equal_nocase(field.name, span_of(name)))
			continue;
		*value = field.value;
		return true;
	}
	return false;
}

void header_value(struct span value, char *out, size_t size)
{
	size_t n = 0;

	assert(size);
	for (size_t i = 0; i < value.len && n < size - 1; i++) {
		bool fold = value.at[i] == '\n' || (value.at[i] == '\r' && i + 1 < value.len && value.at[i + 1] == '\n');

		if (!fold) {
			out[n++] = value.at[i] == '\t' ? ' ' : value.at[i];
			continue;
		}
		while (i + 1 < value.len && space(value.at[i + 1]))
			i++;
		out[n++] = ' ';
	}
	out[n] = '\0';
	text_clean(out, n);
}
