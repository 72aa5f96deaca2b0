/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "pop3/server_internal.h"
#include "wire/base64.h"

static const struct span heads[] = {
	[P3D_CODE_NONE] = SPAN("-ERR "),
	[P3D_CODE_AUTH] = SPAN("-ERR [AUTH] "),
	[P3D_CODE_SYS_TEMP] = SPAN("-ERR [SYS/TEMP] "),
	[P3D_CODE_SYS_PERM] = SPAN("-ERR [SYS/PERM] "),
	[P3D_CODE_IN_USE] = SPAN("-ERR [IN-USE] "),
	[P3D_CODE_LOGIN_DELAY] = SPAN("-ERR [LOGIN-DELAY] "),
};
static_assert(COUNT(heads) == P3D_CODE_LOGIN_DELAY + 1, "a head for each code");

/* p3d_next made sure of the room. */
static void put(struct p3d *s, struct span text)
{
	bool fits = buf_add(s->out, text);

	assert(fits);
}

void server_say_line(struct p3d *s, struct span text)
{
	assert(text.len <= P3D_REPLY_MAX - 2);
	put(s, text);
	put(s, SPAN("\r\n"));
}

void server_say(struct p3d *s, const char *text)
{
	assert(!span_has_control(span_of(text)));
	server_say_line(s, span_of(text));
}

void server_sayf(struct p3d *s, const char *format, ...)
{
	char line[P3D_REPLY_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof line);
	server_say_line(s, (struct span){ line, (size_t)n });
}

void server_say_words(struct p3d *s, struct span head, struct span words)
{
	char line[P3D_REPLY_MAX];
	size_t room = sizeof line - 2 - head.len;

	if (words.len > room)
		words.len = room;
	memcpy(line, head.at, head.len);
	if (words.len)
		memcpy(line + head.len, words.at, words.len);
	text_clean(line + head.len, words.len);
	for (size_t i = head.len; i < head.len + words.len; i++)
		if ((unsigned char)line[i] > 126 && !s->utf8 && !s->lang)
			line[i] = '?';	/* RFC 6856 section 2.1 */
	server_say_line(s, (struct span){ line, head.len + words.len });
}

void server_say_refusal(struct p3d *s)
{
	assert((size_t)s->code < COUNT(heads));
	if (s->code == P3D_CODE_NONE && s->words.len && s->words.at[0] == '[')
		s->words = span_from(s->words, 1);	/* it is no code (RFC 2449 section 8) */
	server_say_words(s, heads[s->code], s->words.len ? s->words : span_of(s->ours));
	s->words = (struct span){ 0 };
}

void server_say_challenge(struct p3d *s)
{
	bool fits;

	put(s, SPAN("+ "));
	fits = base64_encode(s->words, s->out);
	assert(fits);
	put(s, SPAN("\r\n"));
	s->words = (struct span){ 0 };
}
