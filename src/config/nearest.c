/* SPDX-License-Identifier: Apache-2.0 */
#include "config/nearest.h"

#include <ctype.h>
#include <limits.h>
#include <strings.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int letter(struct span s, size_t n)
{
	return tolower((unsigned char)s.at[n]);
}

unsigned nearest_distance(struct span a, struct span b)
{
	unsigned rows[3][NEAREST_MAX + 1];	/* two lines above, the one above, this one */
	unsigned *older = rows[0], *old = rows[1], *row = rows[2];

	if (a.len > NEAREST_MAX || b.len > NEAREST_MAX)
		return UINT_MAX;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *spare = older;

		older = old;
		old = row;
		row = spare;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = letter(a, i - 1) == letter(b, j - 1);

			row[j] = least(old[j - 1] + !same, least(old[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && letter(a, i - 1) == letter(b, j - 2) && letter(a, i - 2) == letter(b, j - 1))
				row[j] = least(row[j], older[j - 2] + 1);
		}
	}
	return row[b.len];
}

bool nearest_better(struct span word, struct span candidate, unsigned *best)
{
	unsigned distance = nearest_distance(word, candidate);
	size_t shorter = word.len < candidate.len ? word.len : candidate.len;

	/* Of a short word half may be wrong, of a long one a third: more is another word. */
	if (distance >= *best || distance > (shorter + 3) / 3 || distance >= shorter)
		return false;
	*best = distance;
	return true;
}

static const struct {
	struct span word;
	const char *key;
} synonyms[] = {
	{ SPAN("pass"),     "password" },
	{ SPAN("passwd"),   "password" },
	{ SPAN("username"), "user" },
	{ SPAN("login"),    "user" },
	{ SPAN("server"),   "host" },
	{ SPAN("ssl"),      "tls" },
	{ SPAN("starttls"), "tls" },
	{ SPAN("keep"),     "after" },
	{ SPAN("fetchall"), "after" },
	{ SPAN("folder"),   "mailbox" },
	{ SPAN("to"),       "deliver" },
};

const char *nearest_synonym(struct span word)
{
	for (size_t n = 0; n < COUNT(synonyms); n++)
		if (word.len == synonyms[n].word.len && strncasecmp(word.at, synonyms[n].word.at, word.len) == 0)
			return synonyms[n].key;
	return NULL;
}
