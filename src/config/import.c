/* SPDX-License-Identifier: Apache-2.0 */
#include "config/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

static const struct {
	const char *name;
	import_reader *read;
} formats[] = {
	[IMPORT_FETCHMAIL] = { "fetchmail", import_fetchmail }, [IMPORT_GETMAIL] = { "getmail", import_getmail },
	[IMPORT_MPOP] = { "mpop", import_mpop }, [IMPORT_MBSYNC] = { "mbsync", import_mbsync }, [IMPORT_BS2000] = { "bs2000", import_bs2000 },
};

bool import_format_of(const char *name, enum import_format *format)
{
	for (unsigned n = 0; n < COUNT(formats); n++) {
		if (strcmp(formats[n].name, name) != 0)
			continue;
		*format = (enum import_format)n;
		return true;
	}
	return false;
}

static uint32_t line_of(struct span text, size_t at)
{
	uint32_t line = 1;

	for (size_t n = 0; n < at; n++)
		line += text.at[n] == '\n';
	return line;
}

bool import_read(enum import_format format, const char *file, struct span text, struct buf *out, struct err *e)
{
	struct arena arena = { 0 };
	struct import in = { .arena = &arena, .file = file };
	size_t nul = span_find(text, '\0');
	bool good;

	if (text.len > IMPORT_FILE_MAX)
		return err_set(e, ERR_CONFIG, "%s: it is larger than %d MiB: no configuration is", file, IMPORT_FILE_MAX >> 20);
	if (nul < text.len)
		return import_wrong(&in, line_of(text, nul), e, "an octet 0 stands in it: this is no configuration");
	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_from(text, 3);
	draft_start(&in.draft, &arena, formats[format].name, file);
	good = formats[format].read(&in, text, e);
	if (good && in.items > IMPORT_ITEMS_MAX)
		good = err_set(e, ERR_CONFIG, "%s: its accounts have more than %d settings together; split it", file, IMPORT_ITEMS_MAX);
	if (good && !draft_write(&in.draft, out))
		good = err_set(e, ERR_LOCAL, "%s: the configuration that comes of it is too large", file);
	draft_wipe(&in.draft);
	arena_end(&arena);
	return good;
}

bool import_wrong(const struct import *in, uint32_t line, struct err *e, const char *format, ...)
{
	va_list args;

	(void)err_set(e, ERR_CONFIG, "%s", "");
	va_start(args, format);
	(void)vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	return err_in(e, "%s:%u", in->file, line);
}

bool import_count(struct import *in, uint32_t line, struct err *e)
{
	if (++in->objects <= IMPORT_OBJECTS_MAX)
		return true;
	return import_wrong(in, line, e, "more than %d accounts in one file are too many; split it", IMPORT_OBJECTS_MAX);
}

const struct import_row *import_row(const struct import_row *rows, struct span word, bool nocase)
{
	for (; rows->word; rows++)
		if (nocase ? span_equal_nocase(span_of(rows->word), word) : span_equal(span_of(rows->word), word))
			return rows;
	return NULL;
}

struct texts import_texts(struct arena *a, struct span first)
{
	struct texts texts = { arena_take(a, sizeof *texts.at), 1 };

	texts.at[0] = arena_text(a, first);
	return texts;
}

void import_item(struct import *in, struct import_items *to, const struct import_row *row, struct texts values, uint32_t line)
{
	struct import_item *item;

	if (++in->items > IMPORT_ITEMS_MAX)
		return;
	item = arena_take(in->arena, sizeof *item);
	if (!values.count)
		values = import_texts(in->arena, SPAN(""));
	*item = (struct import_item){ .row = row, .values = values, .line = line };
	if (to->last)
		to->last->next = item;
	else
		to->first = item;
	to->last = item;
}

void import_append(struct import *in, struct import_items *to, const struct import_items *from)
{
	const struct import_item *last = from->last;	/* who appends a list to itself gets it twice, not for ever */

	for (const struct import_item *item = from->first; item; item = item == last ? NULL : item->next)
		import_item(in, to, item->row, item->values, item->line);
}

const struct import_item *import_last(const struct import_items *items, int own)
{
	const struct import_item *last = NULL;

	for (const struct import_item *item = items->first; item; item = item->next)
		if (item->row->own == own)
			last = item;
	return last;
}

const char *import_print(struct arena *a, const char *format, ...)
{
	va_list args, again;
	int len;
	char *text;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = arena_take(a, (len > 0 ? (size_t)len : 0) + 1);
	(void)vsnprintf(text, (len > 0 ? (size_t)len : 0) + 1, format, again);
	va_end(again);
	return text;
}

void import_password(struct import *in, struct draft_section *s, const char *text, uint32_t line)
{
	static const char *const places[] = { "vault:", "file:", "command:", "credential:" };

	draft_unset(s, "password");
	for (size_t n = 0; n < COUNT(places); n++) {
		if (strncmp(text, places[n], strlen(places[n])) != 0)
			continue;
		draft_note(&in->draft, s, line, "password", "it begins with %s, which would mean a place; put it into a file and write password = 'file:PATH'", places[n]);
		return;
	}
	if (text[0])
		(void)draft_set(&in->draft, s, "password", text, line);
}

/* A number with its unit, or none. */
static void number(struct import *in, struct draft_section *s, const struct import_item *item, const char *unit)
{
	const char *text = item->values.at[0];
	uint64_t n;

	if (!span_number(span_of(text), INT64_MAX, &n))
		draft_note(&in->draft, s, item->line, item->row->word, "%.*s is no number", VALUE_SHOWN, text);
	else if (!n)
		draft_unset(s, item->row->key);
	else
		(void)draft_set(&in->draft, s, item->row->key, import_print(in->arena, "%llu%s", (unsigned long long)n, unit), item->line);
}

bool import_apply(struct import *in, struct draft_section *s, const struct import_item *item)
{
	const struct import_row *row = item->row;
	const char *text = item->values.at[0];

	switch (row->kind) {
	case IMPORT_TEXT:
		if (strcmp(row->key, "password") == 0)
			import_password(in, s, text, item->line);
		else if (text[0])
			(void)draft_set(&in->draft, s, row->key, text, item->line);
		else
			draft_unset(s, row->key);
		return true;
	case IMPORT_SECONDS:
		number(in, s, item, "s");
		return true;
	case IMPORT_NUMBER:
		number(in, s, item, "");
		return true;
	case IMPORT_OCTETS:
		number(in, s, item, "B");
		return true;
	case IMPORT_LIST:
		draft_unset(s, row->key);
		for (size_t n = 0; n < item->values.count; n++)
			(void)draft_add(&in->draft, s, row->key, item->values.at[n], item->line);
		return true;
	case IMPORT_FIXED:
		(void)draft_set(&in->draft, s, row->key, row->becomes, item->line);
		return true;
	case IMPORT_SAME:
		return true;
	case IMPORT_LOST:
		draft_note(&in->draft, s, item->line, row->word, "%s", row->becomes);
		return true;
	case IMPORT_OWN:
		return false;
	}
	return false;
}

void import_unknown(struct import *in, struct draft_section *s, uint32_t line, struct span word)
{
	draft_note(&in->draft, s, line, arena_text(in->arena, word), "unknown; not carried over");
}

bool import_truth(const char *text, bool *truth)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	if (!text[0]) {
		*truth = true;
		return true;
	}
	for (unsigned n = 0; n < COUNT(words); n++) {
		if (strcasecmp(words[n], text) != 0)
			continue;
		*truth = n & 1;
		return true;
	}
	return false;
}

bool import_line(struct span *text, struct span *line)
{
	size_t n = span_find(*text, '\n');

	if (!text->len)
		return false;
	*line = (struct span){ text->at, n };
	*text = span_from(*text, n + 1);
	if (line->len && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

void import_in_clear(struct import *in, struct draft_section *s, uint32_t line)
{
	(void)draft_set(&in->draft, s, "allow_cleartext", "true", line);
}

void import_unverified(struct import *in, struct draft_section *s, uint32_t line)
{
	(void)draft_set(&in->draft, s, "tls.verify_server", "false", line);
	(void)draft_set(&in->draft, s, "tls.verify_host", "false", line);
	draft_note(&in->draft, s, line, "tls.verify_server", "the certificate is not checked, as before: whoever stands between can read all; better take it out");
}
