/* SPDX-License-Identifier: Apache-2.0 */
#include "config/script.h"

#include <stdlib.h>

void script_start(struct script *s)
{
	*s = (struct script){ 0 };
	buf_start(&s->text, SCRIPT_MAX);
}

void script_again(struct script *s)
{
	buf_wipe(&s->text);
	s->base = s->place_count;
	s->section_count = 0;
	s->mute = 0;
}

void script_end(struct script *s)
{
	buf_wipe(&s->text);
	free(s->places);
	free(s->sections);
	*s = (struct script){ 0 };
}

const struct place *script_place(const struct script *s, int line)
{
	size_t n = s->base + (size_t)(line > 0 ? line : 1) - 1;

	if (s->place_count == s->base)
		return NULL;
	return &s->places[n < s->place_count ? n : s->place_count - 1];
}

static void *more(void *array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 64;
	array = reallocarray(array, *cap, size);
	if (!array)
		abort();		/* as an arena does: who cannot hold the settings cannot work */
	return array;
}

/* Growing is ours to do, because realloc would leave the old text in the heap. */
static bool room(struct script *s, size_t len)
{
	size_t size = (s->text.cap + len) * 2;
	struct buf larger;

	if (s->text.cap - s->text.len >= len)
		return true;
	buf_start(&larger, SCRIPT_MAX);
	if (!buf_room(&larger, size < SCRIPT_MAX ? size : SCRIPT_MAX) || !buf_add(&larger, buf_span(&s->text))) {
		buf_end(&larger);
		return false;
	}
	buf_wipe(&s->text);
	s->text = larger;
	return s->text.cap - s->text.len >= len;
}

void script_put(struct script *s, struct span words)
{
	if (s->mute || s->full)
		return;
	s->full = !room(s, words.len) || !buf_add(&s->text, words);
}

void script_token(struct script *s, const struct token *token)
{
	struct span rest = token->text;

	if (token->kind == TOKEN_MARK) {
		script_put(s, token->text);
		return;
	}
	if (token->kind == TOKEN_DOUBLE) {
		script_put(s, SPAN("\""));
		script_put(s, token->text);
		script_put(s, SPAN("\""));
		return;
	}
	script_put(s, SPAN("'"));
	while (rest.len) {		/* a backslash is itself: libConfuse wants two for that */
		size_t n = span_find(rest, '\\');

		script_put(s, (struct span){ rest.at, n });
		if (n < rest.len)
			script_put(s, SPAN("\\\\"));
		rest = span_from(rest, n + 1);
	}
	script_put(s, SPAN("'"));
}

uint32_t script_key(struct script *s, const struct token *key, struct place place)
{
	if (s->mute || s->full)
		return 0;
	s->places = more(s->places, s->place_count, &s->place_cap, sizeof *s->places);
	s->places[s->place_count++] = place;
	if (s->place_count - s->base > 1)
		script_put(s, SPAN("\n"));
	script_token(s, key);
	script_put(s, SPAN(" "));
	return (uint32_t)(s->place_count - s->base);
}

void script_expands(struct script *s)
{
	if (!s->mute && s->place_count > s->base)
		s->places[s->place_count - 1].expands = true;
}

void script_section_end(struct script *s, uint32_t line)
{
	script_put(s, SPAN(" }"));
	if (s->mute || s->full)
		return;
	s->sections = more(s->sections, s->section_count, &s->section_cap, sizeof *s->sections);
	s->sections[s->section_count++] = line;
}
