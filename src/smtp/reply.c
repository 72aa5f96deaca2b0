/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/reply.h"

#include "base/text.h"

enum { CODE = 3, STATUS_DIGITS = 3 };

void smtp_reply_start(struct reply *r, char *memory, size_t size)
{
	*r = (struct reply){ .whole = true };
	buf_lend(&r->text, memory, size);
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "250", "250 …" or "250-…"; 0 if the line begins otherwise. */
static unsigned code_of(struct span line)
{
	if (line.len < CODE || line.at[0] < '2' || line.at[0] > '5' || !digit(line.at[1]) || !digit(line.at[2]))
		return 0;
	if (line.len > CODE && line.at[CODE] != ' ' && line.at[CODE] != '-')
		return 0;
	return (unsigned)(line.at[0] - '0') * 100 + (unsigned)(line.at[1] - '0') * 10 + (unsigned)(line.at[2] - '0');
}

/* "5.1.1 " in front of the words, of the reply's class; it is taken off. */
static void take_status(struct reply *r, struct span *text)
{
	unsigned status[COUNT(r->status)] = { 0 };
	size_t n = 0;

	for (size_t part = 0; part < COUNT(status); part++) {
		size_t from = n;

		while (n < text->len && n - from < STATUS_DIGITS && digit(text->at[n]))
			status[part] = status[part] * 10 + (unsigned)(text->at[n++] - '0');
		if (n == from || (part < 2 && (n == text->len || text->at[n++] != '.')))
			return;
	}
	if ((n < text->len && text->at[n] != ' ') || status[0] != r->code / 100)
		return;
	if (!r->status[0])
		memcpy(r->status, status, sizeof status);
	*text = span_trim(span_from(*text, n));
}

/* Cut off where the room ends, at whole characters: text_clean takes half ones out. */
static void add_words(struct reply *r, struct span words)
{
	size_t from = r->text.len, room = r->text.max - from;

	if (words.len && from && room) {
		(void)buf_add_byte(&r->text, ' ');
		from++;
		room--;
	}
	words.len = words.len < room ? words.len : room;
	(void)buf_add(&r->text, words);
	text_clean(r->text.at + from, r->text.len - from);
}

enum reply_got smtp_reply_line(struct reply *r, struct span line, const char **why)
{
	unsigned code = code_of(line);
	struct span words;

	if (r->whole) {
		r->whole = false;
		r->lines = r->code = 0;
		memset(r->status, 0, sizeof r->status);
		r->text.len = 0;
	}
	if (!code) {
		*why = "a line is no reply: it does not begin with a code of three digits (RFC 5321 section 4.2)";
		return REPLY_BROKEN;
	}
	if (r->lines && code != r->code) {
		*why = "the code changes within a reply (RFC 5321 section 4.2.1)";
		return REPLY_BROKEN;
	}
	if (++r->lines > REPLY_LINES_MAX) {
		*why = "a reply without end (more than 256 lines)";
		return REPLY_BROKEN;
	}
	r->code = code;
	r->whole = line.len == CODE || line.at[CODE] == ' ';
	r->line = span_from(line, CODE + 1);
	words = span_trim(r->line);
	take_status(r, &words);
	add_words(r, words);
	return r->whole ? REPLY_WHOLE : REPLY_MORE;
}
