/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool span_equal_nocase(struct span a, struct span b)
{
	return a.len == b.len && span_starts_nocase(a, b);
}

bool span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_equal((struct span){ s.at, prefix.len }, prefix);
}

bool span_starts_nocase(struct span s, struct span prefix)
{
	if (s.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (fold(s.at[i]) != fold(prefix.at[i]))
			return false;
	return true;
}

size_t span_find(struct span s, char byte)
{
	const char *hit = s.len ? memchr(s.at, byte, s.len) : NULL;

	return hit ? (size_t)(hit - s.at) : s.len;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.len && blank(s.at[0]))
		s = span_from(s, 1);
	while (s.len && blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool span_word(struct span *s, struct span *word)
{
	size_t n = 0;

	while (s->len && blank(s->at[0]))
		*s = span_from(*s, 1);
	if (!s->len)
		return false;
	while (n < s->len && !blank(s->at[n]))
		n++;
	*word = (struct span){ s->at, n };
	*s = span_from(*s, n);
	return true;
}

bool span_number(struct span s, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.at[i] - '0';

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return true;
}

bool span_has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < ' ' || s.at[i] == 127)
			return true;
	return false;
}
