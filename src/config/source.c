/* SPDX-License-Identifier: Apache-2.0 */
#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/nearest.h"
#include "config/path.h"
#include "config/tokens.h"

struct file {
	const char *path;
	struct buf text;
	struct tokens tokens;
	bool exposed;
};

struct frame {			/* the section that is being read */
	const struct option *rows;	/* NULL: of an unknown one; everything goes */
	const char *name;	/* for messages: "connection support: " */
	struct where *seen;	/* by row; line 0 = not yet */
	uint32_t opened, secret;	/* lines: where it begins; of the last password */
};

static size_t count_rows(const struct option *rows)
{
	size_t n = 0;

	while (rows && rows[n].name)
		n++;
	return n;
}

void source_start(struct source *s, const struct option *rows, struct arena *a, struct arena *names, struct report *r)
{
	*s = (struct source){ .arena = a, .names = names, .report = r, .rows = rows };
	script_start(&s->script);
	s->seen = arena_take(a, (count_rows(rows) + 1) * sizeof *s->seen);
}

void source_end(struct source *s)
{
	script_end(&s->script);
	*s = (struct source){ 0 };
}

static struct where at(const struct file *f, uint32_t line)
{
	return (struct where){ f->path, line };
}

/* A key begins a line of its own; returns its number. */
static uint32_t put_key(struct source *s, const struct file *f, const struct token *key)
{
	return script_key(&s->script, key, (struct place){ .where = at(f, key->line), .exposed = f->exposed });
}

static void put(struct source *s, const char *words)
{
	script_put(&s->script, span_of(words));
}

/* --- what is wrong --- */

static bool syntax(struct source *s, const struct file *f, uint32_t line, const struct frame *frame, const char *what)
{
	report_error(s->report, at(f, line), "%s%s", frame->name, what);
	return false;
}

static bool take(struct source *s, struct file *f, const struct frame *frame, struct token *token)
{
	struct err e;

	return conf_tokens_next(&f->tokens, token, &e) || syntax(s, f, f->tokens.line, frame, e.text);
}

static bool peek(struct source *s, struct file *f, const struct frame *frame, struct token *first, struct token *second)
{
	struct tokens here = f->tokens;
	bool good = take(s, f, frame, first);

	if (good && second)
		good = take(s, f, frame, second);
	f->tokens = here;
	return good;
}

static int shown(struct span text)
{
	return text.len < VALUE_SHOWN ? (int)text.len : VALUE_SHOWN;
}

/* Where a key would belong that stands in the wrong section; NULL = nowhere. */
static const char *home_of(const struct option *rows, struct span key)
{
	for (const struct option *o = rows; o->name; o++) {
		struct given g;

		if (o->type == OPTION_SECTION && option_find(o->inner, key, &g))
			return o->name;
	}
	return NULL;
}

static const char *nearest(const struct option *rows, struct span key)
{
	const char *name = NULL, *synonym = nearest_synonym(key);
	unsigned best = UINT_MAX;

	for (const struct option *o = rows; o->name; o++) {
		if (synonym && strcmp(o->name, synonym) == 0)
			return synonym;
		if (nearest_better(key, span_of(o->name), &best))
			name = o->name;
	}
	if (nearest_better(key, SPAN("include"), &best))
		name = "include";
	return name;
}

static void unknown(struct source *s, const struct file *f, const struct frame *frame, const struct token *key, bool section)
{
	size_t dot = span_find(key->text, '.');
	struct span text = key->text;
	const char *home = home_of(frame->rows, text), *near = nearest(frame->rows, text);
	struct given g;

	if (frame->secret == key->line)
		report_error(s->report, at(f, key->line), "%san unknown word stands behind a password; a text with blanks stands in quotes",
			frame->name);
	else if (dot < text.len && option_find(frame->rows, text, &g))
		report_error(s->report, at(f, key->line), "%sunknown key %.*s; write %.*s { %s = … }", frame->name, shown(text), text.at,
			(int)dot, text.at, g.option->name);
	else if (home && !section)
		report_error(s->report, at(f, key->line), "%sunknown key %.*s; it belongs into %s { … }", frame->name, shown(text), text.at, home);
	else if (near)
		report_error(s->report, at(f, key->line), "%sunknown %s %.*s; the nearest one is %s", frame->name,
			section ? "section" : "key", shown(text), text.at, near);
	else
		report_error(s->report, at(f, key->line), "%sunknown %s %.*s; leave it out, or see docs/postrider.conf.example for the names",
			frame->name, section ? "section" : "key", shown(text), text.at);
}

/* --- reading --- */

static bool walk(struct source *s, struct file *f, struct frame *frame, bool inner);

/* "${NAME}" of a variable that is not there would silently be nothing. */
static void check_variables(struct source *s, const struct file *f, const struct frame *frame, const struct token *value)
{
	if (value->kind != TOKEN_DOUBLE)
		return;
	for (size_t n = 0; n < value->text.len; n++) {
		struct span rest = span_from(value->text, n), name;
		const char *text;

		n += rest.at[0] == '\\';
		if (!span_starts(rest, SPAN("${")))
			continue;
		name = (struct span){ rest.at + 2, span_find(rest, '}') - 2 };
		n += name.len;
		script_expands(&s->script);
		text = arena_text(s->arena, name);
		if (!strstr(text, ":-") && !getenv(text))
			report_error(s->report, at(f, value->line), "%s${%.*s} is not set in the environment; set it, or write ${%.*s:-ELSE}",
				frame->name, shown(name), name.at, shown(name), name.at);
	}
}

static bool list(struct source *s, struct file *f, struct frame *frame, const struct token *key)
{
	size_t count = 0;

	put(s, "{");
	for (;;) {
		struct token t;

		if (!take(s, f, frame, &t))
			return false;
		if (conf_token_is(&t, "}"))
			break;
		if (!token_is_text(&t) && !conf_token_is(&t, ","))
			return syntax(s, f, key->line, frame, "this list is not closed; write } behind its last element");
		script_token(&s->script, &t);
		check_variables(s, f, frame, &t);
		count++;
	}
	put(s, count ? "}" : "''}");
	return true;
}

/* Behind the = of a key. */
static bool value(struct source *s, struct file *f, struct frame *frame, const struct token *key)
{
	struct token t, after;

	if (!peek(s, f, frame, &t, &after))
		return false;
	if (!conf_token_is(&t, "{") && (!token_is_text(&t) || conf_token_is(&after, "=") || conf_token_is(&after, "+="))) {
		report_error(s->report, at(f, key->line), "%sthere is nothing behind an =; write KEY = VALUE", frame->name);
		return true;
	}
	(void)put_key(s, f, key);
	put(s, "= ");
	if (!take(s, f, frame, &t))
		return false;
	if (conf_token_is(&t, "{"))
		return list(s, f, frame, key);
	script_token(&s->script, &t);
	check_variables(s, f, frame, &t);
	return true;
}

/* Has `o` stood in this section before?  Remembers that it does now. */
static bool twice(struct source *s, const struct file *f, struct frame *frame, const struct option *o, const struct token *key)
{
	struct where *seen = &frame->seen[o - frame->rows];

	if (!seen->line) {
		*seen = at(f, key->line);
		return false;
	}
	report_error(s->report, at(f, key->line), "%s%s is given twice, first at %s:%u; leave one of them out", frame->name, o->name,
		seen->file, seen->line);
	return true;
}

static bool title_twice(struct source *s, const struct file *f, const struct frame *frame, const struct option *o, const struct token *title)
{
	struct title *t;

	for (t = s->titles; t; t = t->next) {
		if (t->section != o || !span_equal(t->text, title->text))
			continue;
		report_error(s->report, at(f, title->line), "%s%s %.*s is given twice, first at %s:%u; give one of them another name",
			frame->name, o->name, shown(title->text), title->text.at, t->where.file, t->where.line);
		return true;
	}
	t = arena_take(s->arena, sizeof *t);
	*t = (struct title){ s->titles, o, span_of(arena_text(s->arena, title->text)), at(f, title->line) };
	s->titles = t;
	return false;
}

/* "connection support: " */
static const char *section_name(struct source *s, const struct frame *outer, const struct token *key, const struct token *title)
{
	struct buf name;
	char memory[512];

	buf_lend(&name, memory, sizeof memory);
	if (title && !buf_printf(&name, "%s%.*s %.*s: ", outer->name, shown(key->text), key->text.at, shown(title->text), title->text.at))
		return outer->name;
	if (!title && !buf_printf(&name, "%s%.*s: ", outer->name, shown(key->text), key->text.at))
		return outer->name;
	return arena_text(s->arena, buf_span(&name));
}

/* From its { on; `o` is NULL when nobody knows it. */
static bool section(struct source *s, struct file *f, struct frame *outer, const struct token *key, const struct token *title, const struct option *o)
{
	struct frame inner = { .rows = o ? o->inner : NULL, .opened = key->line, .name = section_name(s, outer, key, title) };
	bool out, good;
	uint32_t line;

	inner.seen = arena_take(s->arena, (count_rows(inner.rows) + 1) * sizeof *inner.seen);
	out = !o || (title ? title_twice(s, f, outer, o, title) : outer->rows && twice(s, f, outer, o, key));
	s->script.mute += out;
	line = put_key(s, f, key);
	if (title)
		script_token(&s->script, title);
	put(s, " {");
	if (s->nesting == SOURCE_NESTING_MAX)
		return syntax(s, f, key->line, outer, "sections nest too deep");
	s->nesting++;
	good = walk(s, f, &inner, true);
	s->nesting--;
	if (good)
		script_section_end(&s->script, line);
	s->script.mute -= out;
	return good;
}

/* The path that include() names, with escapes and environment done. */
static const char *plain(struct source *s, const struct token *t)
{
	char memory[SETTINGS_PATH_MAX];
	struct span rest = t->text;
	bool good = true;
	struct buf out;

	buf_lend(&out, memory, sizeof memory);
	while (rest.len && good) {
		bool escaped = t->kind == TOKEN_DOUBLE && rest.at[0] == '\\' && rest.len > 1;
		size_t end = span_find(rest, '}'), n = 1;

		if (t->kind == TOKEN_DOUBLE && span_starts(rest, SPAN("${"))) {
			char *name = arena_text(s->arena, (struct span){ rest.at + 2, end - 2 }), *otherwise = strstr(name, ":-");
			const char *found;

			if (otherwise)
				*otherwise = '\0';
			found = getenv(name);
			good = buf_add(&out, span_of(found ? found : otherwise ? otherwise + 2 : ""));
			n = end + 1;
		} else {
			good = buf_add_byte(&out, rest.at[escaped]);
			n += escaped;
		}
		rest = span_from(rest, n);
	}
	return arena_text(s->arena, buf_span(&out));
}

static bool read_file(struct source *s, struct frame *frame, const char *path, struct where from);

/* NAME ( … ): there is one such name. */
static bool call(struct source *s, struct file *f, struct frame *frame, const struct token *key)
{
	struct token t, path = { .kind = TOKEN_END };
	const char *name;
	size_t count = 0;
	bool good;

	do {
		if (!take(s, f, frame, &t))
			return false;
		if (t.kind == TOKEN_END)
			return syntax(s, f, key->line, frame, "this ( is not closed; write )");
		if (token_is_text(&t) && !count++)
			path = t;
	} while (!conf_token_is(&t, ")"));
	if (!span_equal(key->text, SPAN("include")) || count != 1 || !path.text.len) {
		report_error(s->report, at(f, key->line), "%sonly a file can be called for; write include(\"FILE\")", frame->name);
		return true;
	}
	check_variables(s, f, frame, &path);
	if (s->includes == SOURCE_INCLUDES_MAX)
		return syntax(s, f, key->line, frame, "files include each other too deep; does one include itself?");
	if (s->files == SOURCE_FILES_MAX)
		return syntax(s, f, key->line, frame, "these are more files than a configuration can have");
	name = path_absolute(s->arena, f->path, plain(s, &path));
	s->includes++;
	good = read_file(s, frame, name, at(f, key->line));
	s->includes--;
	return good;
}

/* A word that nothing follows. */
static bool loose(struct source *s, struct file *f, struct frame *frame, const struct token *key, struct token *next, const struct option *o)
{
	if (o && o->type == OPTION_SECTION)
		report_error(s->report, at(f, key->line), "%s%s has no {; write %s%s { … }", frame->name, o->name, o->name,
			o->flags & OPTION_TITLED ? " NAME" : "");
	else if (o)
		report_error(s->report, at(f, key->line), "%s%s has no =; write %s = %s", frame->name, o->name, o->name,
			option_is_list(o) ? "{A, B}" : "VALUE");
	else if (frame->rows)
		report_error(s->report, at(f, key->line), "%sthis word is no KEY = VALUE; a text with blanks stands in quotes", frame->name);
	return !token_is_text(next) || next->line != key->line || take(s, f, frame, next);
}

static bool item(struct source *s, struct file *f, struct frame *frame, const struct token *key)
{
	struct token next, after;
	struct given g = { 0 };
	bool out, good;

	if (frame->rows && span_find(key->text, '.') == key->text.len)
		(void)option_find(frame->rows, key->text, &g);
	if (!peek(s, f, frame, &next, &after))
		return false;
	if (conf_token_is(&next, "("))
		return take(s, f, frame, &next) && call(s, f, frame, key);
	if (conf_token_is(&next, "{") || (token_is_text(&next) && conf_token_is(&after, "{"))) {
		bool titled = token_is_text(&next);

		if (!g.option && frame->rows)
			unknown(s, f, frame, key, true);
		return take(s, f, frame, &after) && (!titled || take(s, f, frame, &after)) &&
		       section(s, f, frame, key, titled ? &next : NULL, g.option);
	}
	if (!conf_token_is(&next, "=") && !conf_token_is(&next, "+=")) {
		return loose(s, f, frame, key, &next, g.option);
	}
	if (!take(s, f, frame, &next))
		return false;
	if (conf_token_is(&next, "+=") && frame->rows)
		report_error(s->report, at(f, key->line), "%s+= is not used here; write all in one list, KEY = {A, B}", frame->name);
	if (!g.option && frame->rows)
		unknown(s, f, frame, key, false);
	out = !g.option || twice(s, f, frame, g.option, key);
	s->script.mute += out;
	good = value(s, f, frame, key);
	s->script.mute -= out;
	if (g.option && g.option->type == OPTION_SECRET)
		frame->secret = f->tokens.line;
	return good;
}

/* Keys and sections, to the } of this section or the end of the file. */
static bool walk(struct source *s, struct file *f, struct frame *frame, bool inner)
{
	struct token key;

	for (;;) {
		if (!take(s, f, frame, &key))
			return false;
		if (key.kind == TOKEN_END)
			return !inner || syntax(s, f, frame->opened, frame, "this section is not closed; write } at its end");
		if (conf_token_is(&key, "}")) {
			if (inner)
				return true;
			return syntax(s, f, key.line, frame, "unexpected }: it closes nothing; leave it out, or look for a { that is missing");
		}
		if (!token_is_text(&key))
			return syntax(s, f, key.line, frame, "this sign does not belong here; write KEY = VALUE or SECTION { … }");
		if (!item(s, f, frame, &key))
			return false;
	}
}

static bool load(struct file *f, struct err *e)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;
	char *room;

	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)err_errno(e, ERR_CONFIG, "cannot be opened");
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	f->exposed = st.st_mode & (S_IRWXG | S_IRWXO);
	buf_start(&f->text, SOURCE_FILE_MAX);
	/* All the room at once: a text that grows leaves copies of what may be secret. */
	room = buf_room(&f->text, S_ISREG(st.st_mode) && st.st_size < SOURCE_FILE_MAX ? (size_t)st.st_size + 1 : SOURCE_FILE_MAX);
	while (room && n > 0 && f->text.len < f->text.cap) {
		n = read(fd, f->text.at + f->text.len, f->text.cap - f->text.len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			f->text.len += (size_t)n;
	}
	if (n < 0)
		(void)err_errno(e, ERR_CONFIG, "cannot be read");
	else if (n > 0)
		(void)err_set(e, ERR_CONFIG, "is too large for a configuration, or grows");
	(void)close(fd);
	return n == 0;
}

static bool read_file(struct source *s, struct frame *frame, const char *path, struct where from)
{
	struct file f = { .path = arena_text(s->names, span_of(path)) };
	struct err e;
	bool good;

	s->files++;
	if (!from.file)
		report_file(s->report, f.path);
	if (!load(&f, &e)) {
		if (from.file)
			report_error(s->report, from, "%s%s %s", frame->name, f.path, e.text);
		else
			report_error(s->report, at(&f, 0), "%s", e.text);
		buf_wipe(&f.text);
		return false;
	}
	if (from.file)
		report_file(s->report, f.path);
	conf_tokens_start(&f.tokens, buf_span(&f.text));
	good = walk(s, &f, frame, false);
	buf_wipe(&f.text);
	return good;
}

bool source_read(struct source *s, const char *path, struct where from)
{
	struct frame top = { .rows = s->rows, .name = "", .seen = s->seen };

	s->nesting = s->includes = 0;
	script_again(&s->script);
	if (!read_file(s, &top, path, from))
		return false;
	if (s->script.full)
		report_error(s->report, (struct where){ path, 0 }, "this configuration is larger than %d MB", SCRIPT_MAX >> 20);
	return !s->script.full;
}
