/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

enum { ENTRY_MAX = 1024 };

void report_start(struct report *r, struct arena *arena)
{
	*r = (struct report){ .arena = arena };
}

void report_end(struct report *r)
{
	free(r->entries);
	free(r->files);
	*r = (struct report){ 0 };
}

void report_file(struct report *r, const char *path)
{
	size_t cap = r->file_cap ? r->file_cap * 2 : 16;
	const char **files;

	if (r->file_count == r->file_cap) {
		files = realloc(r->files, cap * sizeof *files);
		if (!files)
			return;		/* only the order of the lines suffers */
		r->files = files;
		r->file_cap = cap;
	}
	r->files[r->file_count++] = path;
}

static uint32_t file_number(const struct report *r, const char *path)
{
	if (!path)
		return 0;
	for (size_t n = 0; n < r->file_count; n++)
		if (r->files[n] == path)
			return (uint32_t)n + 1;
	return UINT32_MAX;
}

static struct report_entry *new_entry(struct report *r)
{
	size_t cap = r->cap ? r->cap * 2 : 16;
	struct report_entry *entries;

	if (r->count < r->cap)
		return &r->entries[r->count++];
	if (r->count >= REPORT_ENTRIES_MAX)
		return NULL;
	entries = realloc(r->entries, cap * sizeof *entries);
	if (!entries)
		return NULL;
	r->entries = entries;
	r->cap = cap;
	return &r->entries[r->count++];
}

static void add(struct report *r, bool warning, struct where where, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

static void add(struct report *r, bool warning, struct where where, const char *format, va_list args)
{
	struct report_entry *entry = new_entry(r);
	char text[ENTRY_MAX] = "";
	int place = 0, n;

	r->wrong |= !warning;
	if (!entry)
		return;
	if (where.file && where.line)
		place = snprintf(text, sizeof text, "%s:%u: ", where.file, where.line);
	else if (where.file)
		place = snprintf(text, sizeof text, "%s: ", where.file);
	if (place < 0 || place >= ENTRY_MAX)
		place = 0;
	n = vsnprintf(text + place, sizeof text - (size_t)place, format, args);
	(void)n;			/* what does not fit is cut */
	text_clean(text, strlen(text));
	*entry = (struct report_entry){
		.text = arena_text(r->arena, span_of(text)), .file = file_number(r, where.file), .line = where.line,
		.number = (uint32_t)r->count, .warning = warning,
	};
}

void report_error(struct report *r, struct where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(r, false, where, format, args);
	va_end(args);
}

void report_warning(struct report *r, struct where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(r, true, where, format, args);
	va_end(args);
}

static int by_place(const void *left, const void *right)
{
	const struct report_entry *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void sort(struct report *r)
{
	if (r->count)
		qsort(r->entries, r->count, sizeof *r->entries, by_place);
}

void report_errors(struct report *r, struct buf *out)
{
	sort(r);
	for (size_t n = 0; n < r->count; n++)
		if (!r->entries[n].warning && !buf_printf(out, "%s\n", r->entries[n].text))
			return;
}

void report_warnings(struct report *r, struct settings *s)
{
	const char **all = arena_take(&s->arena, (s->warning_count + r->count + 1) * sizeof *all);

	sort(r);
	for (size_t n = 0; n < s->warning_count; n++)
		all[n] = s->warnings[n];
	for (size_t n = 0; n < r->count; n++)
		if (r->entries[n].warning)
			all[s->warning_count++] = r->entries[n].text;
	s->warnings = all;
}
