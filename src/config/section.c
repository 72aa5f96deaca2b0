/* SPDX-License-Identifier: Apache-2.0 */
#include "config/section.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 900, PLACE_MAX = 400 };

const struct given *section_given(const struct section *s, const char *key)
{
	for (size_t n = s->count; n; n--)
		if (strcmp(s->given[n - 1].name, key) == 0)
			return &s->given[n - 1];
	return NULL;
}

struct where section_where(const struct section *s, const char *key)
{
	const struct given *g = key ? section_given(s, key) : NULL;

	return g ? g->where : s->where;
}

/* "connection support: port", "--port" */
static const char *place(const struct section *s, struct where where, const char *key, char out[PLACE_MAX])
{
	const char *what = s->what ? s->what : "", *title = s->title ? s->title : "";

	if (!where.file)
		(void)snprintf(out, PLACE_MAX, "%s%s", key ? "--" : "", key ? key : title);
	else
		(void)snprintf(out, PLACE_MAX, "%s%s%s%s%s", what, *title ? " " : "", title, key && *what ? ": " : "", key ? key : "");
	return out;
}

void section_error(const struct section *s, struct report *r, const char *key, const char *format, ...)
{
	struct where where = section_where(s, key);
	char text[TEXT_MAX], where_text[PLACE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report_error(r, where, "%s: %s", place(s, where, key, where_text), text);
}

void section_warning(const struct section *s, struct report *r, const char *key, const char *format, ...)
{
	struct where where = section_where(s, key);
	char text[TEXT_MAX], where_text[PLACE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report_warning(r, where, "%s: %s", place(s, where, key, where_text), text);
}

static void unbuilt(const struct section *s, const struct given *g, struct report *r)
{
	if (g->option->flags & OPTION_UNBUILT)
		section_warning(s, r, g->name, "not built yet; it has no effect");
}

void section_apply(const struct section *s, const struct option *rows, void *base, struct report *r)
{
	option_defaults(rows, base, r->arena);
	for (const struct given *g = s->given; g < s->given + s->count; g++) {
		struct err e;

		if (g->option->type != OPTION_SECTION && !option_set(g, base, r->arena, &e))
			section_error(s, r, g->name, "%s; write %s", e.text, g->option->help);
		else
			unbuilt(s, g, r);
	}
}
