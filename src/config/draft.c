/* SPDX-License-Identifier: Apache-2.0 */
#include "config/draft.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "config/build.h"
#include "config/draft_rules.h"
#include "config/host.h"

enum { NOTE_MAX = 600, NAME_CUT = 100 };

void draft_start(struct draft *d, struct arena *a, const char *tool, const char *file)
{
	char *shown = arena_text(a, span_of(file));

	text_clean(shown, strlen(shown));
	*d = (struct draft){ .arena = a, .tool = tool, .file = shown };
}

/* --- names --- */

static bool taken(const struct draft *d, const char *what, const char *name)
{
	for (const struct draft_section *s = d->sections; s; s = s->next)
		if (strcmp(s->what, what) == 0 && strcmp(s->name, name) == 0)
			return true;
	return false;
}

/* The number behind the last one of this name. */
static uint32_t following(const struct draft *d, const char *what, const char *base)
{
	uint32_t number = 1;

	for (const struct draft_section *s = d->sections; s; s = s->next)
		if (strcmp(s->what, what) == 0 && strcmp(s->base, base) == 0 && s->number > number)
			number = s->number;
	return number + 1;
}

/* Legal everywhere a name may stand: a word without what means something to us. */
static const char *legal(struct draft *d, const char *name)
{
	char *text = arena_text(d->arena, span_of(name));
	size_t len = strlen(text);

	text_clean(text, len);
	if (len > NAME_CUT)
		text[len = NAME_CUT] = '\0';
	for (size_t n = 0; n < len; n++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-", text[n]))
			text[n] = '-';
	text += strspn(text, ".-+");
	return text[0] ? text : "imported";
}

static struct draft_section *section(struct draft *d, const char *what, const char *name, uint32_t line)
{
	struct draft_section *s = arena_take(d->arena, sizeof *s);
	const char *base = legal(d, name);
	char full[NAME_CUT + 16];
	uint32_t number = 0;

	(void)snprintf(full, sizeof full, "%s", base);
	while (taken(d, what, full)) {
		number = number ? number + 1 : following(d, what, base);
		(void)snprintf(full, sizeof full, "%s-%u", base, number);
	}
	*s = (struct draft_section){ .what = what, .name = arena_text(d->arena, span_of(full)), .base = base, .number = number, .line = line };
	*(d->last ? &d->last->next : &d->sections) = s;
	d->last = s;
	return s;
}

struct draft_section *draft_connection(struct draft *d, const char *name, uint32_t line)
{
	return section(d, "connection", name, line);
}

struct draft_section *draft_target(struct draft *d, const char *name, uint32_t line)
{
	return section(d, "target", name, line);
}

/* --- notes --- */

void draft_note(struct draft *d, struct draft_section *s, uint32_t line, const char *word, const char *format, ...)
{
	struct draft_notes *notes = s ? &s->notes : &d->notes;
	struct draft_note *note;
	char text[NOTE_MAX];
	int used = snprintf(text, sizeof text, "%.*s: ", VALUE_SHOWN, word);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text + used, sizeof text - (size_t)used, format, args);
	va_end(args);
	text_clean(text, strlen(text));
	if (notes->last && notes->last->line == line && strcmp(notes->last->text, text) == 0)
		return;
	if (++d->note_count == DRAFT_NOTES_MAX)
		(void)snprintf(text, sizeof text, "there is more that could not be carried over than is shown");
	else if (d->note_count > DRAFT_NOTES_MAX)
		return;
	note = arena_take(d->arena, sizeof *note);
	*note = (struct draft_note){ .line = line, .text = arena_text(d->arena, span_of(text)) };
	*(notes->last ? &notes->last->next : &notes->first) = note;
	notes->last = note;
}

/* --- keys --- */

static struct draft_key *find(const struct draft_section *s, const char *key)
{
	for (struct draft_key *k = s->keys; k; k = k->next)
		if (strcmp(k->given.name, key) == 0)
			return k;
	return NULL;
}

const char *draft_get(const struct draft_section *s, const char *key)
{
	const struct draft_key *k = find(s, key);

	return k && k->given.values.count ? k->given.values.at[0] : NULL;
}

void draft_unset(struct draft_section *s, const char *key)
{
	for (struct draft_key **k = &s->keys; *k; )
		if (strcmp((*k)->given.name, key) == 0)
			*k = (*k)->next;
		else
			k = &(*k)->next;
}

void draft_cut(struct draft_section *s, const char *key, size_t count)
{
	struct draft_key *k = find(s, key);

	if (k && k->given.values.count > count)
		k->given.values.count = count;
}

/* What is judged where the section is made ready. */
static bool whole(struct draft *d, const struct draft_section *s, const struct given *g, struct err *e)
{
	const char *first = g->values.at[0], *host;
	uint16_t port;

	if (strcmp(g->name, "host") == 0 && (first[0] != '/' || strcmp(s->what, "connection") == 0))
		return host_read(d->arena, first, &host, &port, e);
	if (strcmp(g->name, "envelope.source_domain") == 0 || strcmp(g->name, "envelope.target_domain") == 0)
		return envelope_domain(d->arena, first) || err_set(e, ERR_CONFIG, "%.*s is no domain", VALUE_SHOWN, first);
	for (size_t n = 0; strcmp(g->name, "envelope.recipients") == 0 && n < g->values.count; n++)
		if (!envelope_addresses(g->values.at[n]))
			return err_set(e, ERR_CONFIG, "%.*s is no address", VALUE_SHOWN, g->values.at[n]);
	return true;
}

/* As the reader will judge it.  The judge may wipe a secret: it gets a copy. */
static bool good(struct draft *d, const struct draft_section *s, const struct given *g, struct err *e)
{
	struct connection nobody = { 0 };
	struct texts copy = { arena_take(d->arena, (g->values.count + 1) * sizeof *copy.at), g->values.count };
	struct given judged = *g;
	bool fits;

	for (size_t n = 0; n < copy.count; n++)
		copy.at[n] = arena_text(d->arena, span_of(g->values.at[n]));
	judged.values = copy;
	judged.kept = false;
	judged.where.file = d->file;
	if (g->option->type == OPTION_FILE)	/* whether it is there, `check` asks */
		return copy.at[0][0] ? value_text(copy.at[0], 0, e) : err_set(e, ERR_CONFIG, "it is empty");
	fits = option_set(&judged, &nobody, d->arena, e);
	if (g->option->type == OPTION_SECRET)
		wipe((char *)copy.at[0], strlen(copy.at[0]));
	return fits && whole(d, s, g, e);
}

static bool put(struct draft *d, struct draft_section *s, const char *key, struct texts values, uint32_t line)
{
	bool connection = strcmp(s->what, "connection") == 0;
	struct draft_key *k = find(s, key), **last = &s->keys;
	struct given g = { 0 };
	struct err e;
	bool known = option_find(connection ? connection_rows : target_rows, span_of(key), &g);

	assert(known);
	g.name = key;
	g.values = values;
	if (!good(d, s, &g, &e)) {
		draft_note(d, s, line, key, "not carried over: %s", e.text);
		return false;
	}
	if (!k) {
		while (*last)
			last = &(*last)->next;
		k = *last = arena_take(d->arena, sizeof *k);
	}
	k->given = g;
	k->line = line;
	return true;
}

bool draft_set(struct draft *d, struct draft_section *s, const char *key, const char *value, uint32_t line)
{
	struct texts values = { arena_take(d->arena, sizeof *values.at), 1 };

	values.at[0] = arena_text(d->arena, span_of(value));
	return put(d, s, key, values, line);
}

bool draft_add(struct draft *d, struct draft_section *s, const char *key, const char *value, uint32_t line)
{
	const struct draft_key *k = find(s, key);
	size_t count = k ? k->given.values.count : 0;
	struct texts values = { arena_take(d->arena, (count + 1) * sizeof *values.at), count + 1 };
	bool argv = strcmp(key, "argv") == 0;	/* where a word may stand twice */

	if (count == DRAFT_LIST_MAX) {
		draft_note(d, s, line, key, "%.*s: more than %d are not carried over", VALUE_SHOWN, value, DRAFT_LIST_MAX);
		return false;
	}
	for (size_t n = 0; n < count; n++) {
		values.at[n] = k->given.values.at[n];
		if (!argv && strcmp(values.at[n], value) == 0)
			return true;
	}
	values.at[count] = arena_text(d->arena, span_of(value));
	return put(d, s, key, values, line);
}

static bool same_values(const struct texts *a, const struct texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t n = 0; n < a->count; n++)
		if (strcmp(a->at[n], b->at[n]) != 0)
			return false;
	return true;
}

static bool within(const struct draft_section *a, const struct draft_section *b)
{
	for (const struct draft_key *k = a->keys; k; k = k->next) {
		const struct draft_key *other = find(b, k->given.name);

		if (!other || !same_values(&k->given.values, &other->given.values))
			return false;
	}
	return true;
}

const struct draft_section *draft_shared(struct draft *d, struct draft_section *target)
{
	for (const struct draft_section *s = d->sections; s != target; s = s->next) {
		if (strcmp(s->what, "target") != 0 || s->left_out || s->alone || target->alone || !within(s, target) || !within(target, s))
			continue;
		target->left_out = true;
		return s;
	}
	return target;
}

void draft_wipe(struct draft *d)
{
	for (struct draft_section *s = d->sections; s; s = s->next)
		for (struct draft_key *k = s->keys; k; k = k->next)
			if (k->given.option->type == OPTION_SECRET)
				wipe((char *)k->given.values.at[0], strlen(k->given.values.at[0]));
}

/* --- writing --- */

static bool is_default(const struct draft_section *s, const struct draft_key *k, struct arena *a)
{
	const struct option *o = k->given.option;
	struct texts dflt;

	if (strncmp(k->given.name, "envelope.", 9) == 0)	/* the section must be there */
		return false;
	if (strcmp(k->given.name, "after") == 0)
		return strcmp(k->given.values.at[0], strcmp(draft_get(s, "protocol"), "pop3") == 0 ? "delete" : "keep") == 0;
	if (strcmp(k->given.name, "port") == 0)
		return draft_default_port(s) && strcmp(k->given.values.at[0], draft_default_port(s)) == 0;
	if (!o->dflt)
		return false;
	dflt = option_split(o, o->dflt, a);
	return same_values(&k->given.values, &dflt);
}

/* Whatever the text is, it stands for itself: in single quotes where it can (all
 * secrets, and what double quotes would read something into), else escaped. */
static bool write_quoted(struct buf *out, const char *text, bool single)
{
	bool odd = strpbrk(text, "\\$\"");

	if (!strchr(text, '\'') && (single || odd))
		return buf_add_byte(out, '\'') && buf_add(out, span_of(text)) && buf_add_byte(out, '\'');
	if (!buf_add_byte(out, '"'))
		return false;
	for (; *text; text++)
		if ((strchr("\\$\"", *text) && !buf_add_byte(out, '\\')) || !buf_add_byte(out, *text))
			return false;
	return buf_add_byte(out, '"');
}

static bool write_value(struct buf *out, const struct given *g)
{
	enum option_type type = g->option->type;
	bool fits = true;

	if (!option_is_list(g->option)) {
		if (type == OPTION_TEXT || type == OPTION_PATH || type == OPTION_FILE || strchr(g->values.at[0], ':'))
			return write_quoted(out, g->values.at[0], type == OPTION_SECRET);
		return type == OPTION_SECRET ? write_quoted(out, g->values.at[0], true) : buf_add(out, span_of(g->values.at[0]));
	}
	fits = buf_add_byte(out, '{');
	for (size_t n = 0; n < g->values.count && fits; n++)
		fits = (!n || buf_add(out, SPAN(", "))) && write_quoted(out, g->values.at[n], false);
	return fits && buf_add_byte(out, '}');
}

/* The keys of these rows, in the order of the table; `inner` is the section they are in, NULL = none. */
static bool write_keys(const struct draft *d, const struct draft_section *s, const struct option *rows, const char *inner, struct buf *out)
{
	bool begun = false;

	for (const struct option *o = rows; o->name; o++) {
		char name[64];
		const struct draft_key *k;

		(void)snprintf(name, sizeof name, "%s%s%s", inner ? inner : "", inner ? "." : "", o->name);
		k = find(s, name);
		if (!k || is_default(s, k, d->arena))
			continue;
		if (inner && !begun && !buf_printf(out, "\t%s {\n", inner))
			return false;
		begun = true;
		if (!buf_printf(out, inner ? "\t\t%s = " : "\t%s = ", o->name) || !write_value(out, &k->given) || !buf_add_byte(out, '\n'))
			return false;
	}
	return !inner || !begun || buf_add(out, SPAN("\t}\n"));
}

static bool write_notes(const struct draft *d, const struct draft_note *note, struct buf *out)
{
	for (; note; note = note->next) {
		if (note->line ? !buf_printf(out, "# %s:%u: %s\n", d->file, note->line, note->text) : !buf_printf(out, "# %s\n", note->text))
			return false;
	}
	return true;
}

static bool write_section(const struct draft *d, const struct draft_section *s, struct buf *out)
{
	const struct option *rows = strcmp(s->what, "connection") == 0 ? connection_rows : target_rows;

	if (!buf_add_byte(out, '\n') || !write_notes(d, s->notes.first, out))
		return false;
	if (!buf_printf(out, "%s %s {\n", s->what, s->name))
		return false;
	if (!write_keys(d, s, rows, NULL, out))
		return false;
	for (const struct option *o = rows; o->name; o++)
		if (o->type == OPTION_SECTION && !write_keys(d, s, o->inner, o->name, out))
			return false;
	return buf_add(out, SPAN("}\n"));
}

static bool has_password(const struct draft *d)
{
	for (const struct draft_section *s = d->sections; s; s = s->next) {
		const char *password = s->left_out ? NULL : draft_get(s, "password");

		if (password && strncmp(password, "command:", 8) != 0)
			return true;
	}
	return false;
}

/* Does a connection that is written deliver to it? */
static bool named(const struct draft *d, const char *target)
{
	for (const struct draft_section *s = d->sections; s; s = s->next) {
		const struct draft_key *k = s->left_out || strcmp(s->what, "connection") != 0 ? NULL : find(s, "deliver");

		for (size_t n = 0; k && n < k->given.values.count; n++)
			if (strcmp(k->given.values.at[n], target) == 0)
				return true;
	}
	return false;
}

bool draft_write(struct draft *d, struct buf *out)
{
	for (struct draft_section *s = d->sections; s; s = s->next)
		draft_rules(d, s);
	for (struct draft_section *s = d->sections; s; s = s->next)
		s->left_out |= strcmp(s->what, "target") == 0 && !s->always && !named(d, s->name);
	if (!buf_printf(out, "# From %s of %s, by postrider import.  What could not be carried over stands here with its line.\n", d->file, d->tool) ||
	    (has_password(d) && !buf_add(out, SPAN("# Passwords stand in this file: chmod 600.\n"))))
		return false;
	for (struct draft_section *s = d->sections; s; s = s->next)
		for (const struct draft_note *n = s->notes.first; s->left_out && n; n = n->next)
			draft_note(d, NULL, n->line, s->name, "%s", n->text);
	if (!write_notes(d, d->notes.first, out))
		return false;
	for (unsigned connections = 0; connections < 2; connections++)	/* targets first */
		for (const struct draft_section *s = d->sections; s; s = s->next)
			if (!s->left_out && (strcmp(s->what, "connection") == 0) == connections && !write_section(d, s, out))
				return false;
	return true;
}
