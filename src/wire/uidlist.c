/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/uidlist.h"

#include <string.h>

#include "wire/mdirname.h"

static bool take_line(struct span *rest, struct span *line)
{
	size_t end = span_find(*rest, '\n');

	if (end == rest->len)
		return false;
	*line = (struct span){ rest->at, end };
	*rest = span_from(*rest, end + 1);
	return true;
}

static struct span take_word(struct span *rest)
{
	struct span word = { rest->at, span_find(*rest, ' ') };

	*rest = span_from(*rest, word.len);
	while (rest->len && rest->at[0] == ' ')
		*rest = span_from(*rest, 1);
	return word;
}

static bool uid_of(struct span text, uint32_t *uid)
{
	uint64_t n;

	if (!span_number(text, UINT32_MAX - 1, &n) || !n)
		return false;
	*uid = (uint32_t)n;
	return true;
}

bool uidlist_start(struct uidlist *u, struct span file)
{
	struct span line;

	*u = (struct uidlist){ .rest = file };
	if (!take_line(&u->rest, &line) || line.len < 2 || line.at[1] != ' ')
		return false;
	u->version = (unsigned)(line.at[0] - '0');
	line = span_from(line, 2);
	if (u->version == 1)
		return uid_of(take_word(&line), &u->validity);
	if (u->version != 3)
		return false;
	while (line.len) {
		struct span field = take_word(&line);

		if (span_starts(field, SPAN("V")) && !uid_of(span_from(field, 1), &u->validity))
			return false;
	}
	return u->validity;
}

/* Up to the ':' in front of the file's name. */
static void take_fields(struct span *line, struct uidlist_entry *entry)
{
	while (line->len && line->at[0] != ':') {
		struct span field = take_word(line);

		if (span_starts(field, SPAN("P")))
			entry->pop3 = span_from(field, 1);
		else if (span_starts(field, SPAN("O")) && !uid_of(span_from(field, 1), &entry->order))
			entry->order = 0;
	}
	if (line->len)
		*line = span_from(*line, 1);
}

bool uidlist_next(struct uidlist *u, struct uidlist_entry *entry)
{
	struct span line;

	*entry = (struct uidlist_entry){ 0 };
	if (u->broken || !take_line(&u->rest, &line))
		return false;
	u->broken = true;
	if (!uid_of(take_word(&line), &entry->uid) || entry->uid <= u->last)
		return false;
	if (u->version == 3)
		take_fields(&line, entry);
	entry->base = mdirname_base(line);
	if (!entry->base.len || span_find(line, '/') < line.len)
		return false;
	u->last = entry->uid;
	u->broken = false;
	return true;
}
