/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/jsonin.h"

#include "wire/utf8.h"

static void skip_blanks(struct span *in)
{
	while (in->len && memchr(" \t\r\n", in->at[0], 4))
		*in = span_from(*in, 1);
}

static bool take(struct span *in, char c)
{
	if (!in->len || in->at[0] != c)
		return false;
	*in = span_from(*in, 1);
	return true;
}

static bool hex4(struct span *in, uint32_t *value)
{
	static const char digits[] = "0123456789abcdef";

	*value = 0;
	for (int n = 0; n < 4; n++) {
		char c = in->len ? in->at[0] : '\0';
		const char *at = memchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c, 16);

		if (!at)
			return false;
		*value = *value << 4 | (uint32_t)(at - digits);
		*in = span_from(*in, 1);
	}
	return true;
}

/* \uXXXX, the \u is eaten; two of them for what lies beyond U+FFFF. */
static bool take_unicode(struct span *in, uint32_t *c)
{
	uint32_t low;

	if (!hex4(in, c) || (*c >= 0xdc00 && *c <= 0xdfff))
		return false;
	if (*c < 0xd800 || *c > 0xdbff)
		return true;
	if (!take(in, '\\') || !take(in, 'u') || !hex4(in, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* The next character of a text, escaped or not; false: there is none, or it must not stand there. */
static bool take_character(struct span *in, uint32_t *c)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (!in->len || (unsigned char)in->at[0] < ' ')
		return false;
	if (in->at[0] != '\\')
		return utf8_take(in, c);
	*in = span_from(*in, 1);
	if (take(in, 'u'))
		return take_unicode(in, c);
	at = in->len ? memchr(escapes, in->at[0], sizeof escapes - 1) : NULL;
	if (!at)
		return false;
	*c = (uint32_t)meant[at - escapes];
	*in = span_from(*in, 1);
	return true;
}

/* A text with its quotes; *inside is what stands between them, as it is written. */
static bool take_text(struct span *in, struct span *inside)
{
	const char *from;
	uint32_t c;

	if (!take(in, '"'))
		return false;
	from = in->at;
	while (in->len && in->at[0] != '"')
		if (!take_character(in, &c))
			return false;
	*inside = (struct span){ from, (size_t)(in->at - from) };
	return take(in, '"');
}

static size_t take_digits(struct span *in)
{
	size_t n = 0;

	while (n < in->len && in->at[n] >= '0' && in->at[n] <= '9')
		n++;
	*in = span_from(*in, n);
	return n;
}

static bool take_number(struct span *in)
{
	(void)take(in, '-');
	if (!take(in, '0') && !take_digits(in))
		return false;
	if (take(in, '.') && !take_digits(in))
		return false;
	if (!take(in, 'e') && !take(in, 'E'))
		return true;
	if (!take(in, '+'))
		(void)take(in, '-');
	return take_digits(in);
}

static bool take_word(struct span *in, struct span word)
{
	if (!span_starts(*in, word))
		return false;
	*in = span_from(*in, word.len);
	return true;
}

/* Text, number, true, false, null. */
static bool take_simple(struct span *in)
{
	struct span inside;

	if (in->len && in->at[0] == '"')
		return take_text(in, &inside);
	return take_word(in, SPAN("true")) || take_word(in, SPAN("false")) || take_word(in, SPAN("null")) || take_number(in);
}

static bool take_name(struct span *in, struct span *name)
{
	skip_blanks(in);
	if (!take_text(in, name))
		return false;
	skip_blanks(in);
	if (!take(in, ':'))
		return false;
	skip_blanks(in);
	return true;
}

struct walk {			/* through what is nested */
	char closes[JSON_DEPTH_MAX];
	size_t depth;
};

/* A value begins: nested ones open, and their first name is taken.  *whole: it ended as well. */
static bool begin_value(struct walk *w, struct span *in, bool *whole)
{
	bool object = in->len && in->at[0] == '{', array = in->len && in->at[0] == '[';
	struct span name;

	*whole = true;
	if (!object && !array)
		return take_simple(in);
	if (w->depth == JSON_DEPTH_MAX)
		return false;
	*in = span_from(*in, 1);
	skip_blanks(in);
	if (take(in, object ? '}' : ']'))
		return true;
	*whole = false;
	w->closes[w->depth++] = object ? '}' : ']';
	return array || take_name(in, &name);
}

/* Any value; no recursion, so that a stranger decides on no stack of ours. */
static bool take_value(struct span *in)
{
	struct walk w = { .depth = 0 };
	struct span name;
	bool whole;

	do {
		skip_blanks(in);
		if (!begin_value(&w, in, &whole))
			return false;
		while (whole && w.depth) {		/* what stands around it goes on, or ends too */
			skip_blanks(in);
			if (take(in, ',')) {
				if (w.closes[w.depth - 1] == '}' && !take_name(in, &name))
					return false;
				break;
			}
			if (!take(in, w.closes[w.depth - 1]))
				return false;
			w.depth--;
		}
	} while (w.depth);
	return true;
}

bool jsonin_object(struct span text)
{
	skip_blanks(&text);
	if (!text.len || text.at[0] != '{' || !take_value(&text))
		return false;
	skip_blanks(&text);
	return !text.len;
}

bool jsonin_member(struct span text, const char *name, struct span *value)
{
	const char *begins;
	struct span found;
	size_t times = 0;

	skip_blanks(&text);
	if (!take(&text, '{'))
		return false;
	do {
		if (!take_name(&text, &found))
			break;		/* there is none at all */
		begins = text.at;
		if (!take_value(&text))
			return false;
		if (span_equal(found, span_of(name)) && !times++)
			*value = (struct span){ begins, (size_t)(text.at - begins) };
		skip_blanks(&text);
	} while (take(&text, ','));
	return times == 1;
}

bool jsonin_text(struct span value, struct buf *out)
{
	size_t before = out->len;
	uint32_t c;

	if (!take(&value, '"'))
		return false;
	while (value.len && value.at[0] != '"') {
		if (take_character(&value, &c) && c && utf8_add(out, c))
			continue;
		out->len = before;
		return false;
	}
	return true;
}

bool jsonin_number(struct span value, uint64_t max, uint64_t *number)
{
	if (take(&value, '"') && value.len)
		value.len--;
	if (span_number(value, max, number))
		return true;
	for (size_t n = 0; n < value.len; n++)
		if (value.at[n] < '0' || value.at[n] > '9')
			return false;
	if (value.len)
		*number = max;
	return value.len;
}
