/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/keywords.h"

#include <assert.h>

#include "wire/header.h"

/* Behind a '%': the octets of a keyword, with its closing '%' next.  0: it is none. */
static size_t keyword(struct span s)
{
	size_t n = 0;

	while (n < s.len && n <= KEYWORD_NAME && s.at[n] > ' ' && s.at[n] < 127 && s.at[n] != ':' && s.at[n] != '%')
		n++;
	return n <= KEYWORD_NAME && n < s.len && s.at[n] == '%' ? n : 0;
}

bool keywords_check(struct span text, struct err *e)
{
	size_t count = 0;

	if (text.len > KEYWORDS_TEXT)
		return err_set(e, ERR_CONFIG, "a template has at most %d KiB", KEYWORDS_TEXT / 1024);
	while (text.len) {
		text = span_from(text, span_find(text, '%') + 1);
		count += keyword(text) > 0;
		text = span_from(text, keyword(text) ? keyword(text) + 1 : span_starts(text, SPAN("%")));
	}
	return count <= KEYWORDS_MAX || err_set(e, ERR_CONFIG, "a template has at most %d keywords", KEYWORDS_MAX);
}

static bool add_value(struct span header, const char *name, struct buf *out)
{
	char value[KEYWORD_VALUE + 1];
	struct span found;

	if (!header_find(header, name, &found))
		return true;
	header_value(found, value, sizeof value);
	for (char *p = value; *p; p++)
		if (strchr("'\"`\\", *p))
			*p = '_';
	return buf_add(out, span_of(value));
}

bool keywords_fill(struct span text, struct span header, struct buf *out)
{
	struct err e;

	assert(keywords_check(text, &e));
	while (text.len) {
		size_t percent = span_find(text, '%'), n;
		char name[KEYWORD_NAME + 1];

		if (!buf_add(out, (struct span){ text.at, percent }))
			return false;
		if (percent == text.len)
			return true;
		text = span_from(text, percent + 1);
		n = keyword(text);
		if (!n) {
			text = span_from(text, span_starts(text, SPAN("%")));
			if (!buf_add_byte(out, '%'))
				return false;
			continue;
		}
		memcpy(name, text.at, n);
		name[n] = '\0';
		text = span_from(text, n + 1);
		if (!add_value(header, name, out))
			return false;
	}
	return true;
}
