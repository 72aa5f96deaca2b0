/* SPDX-License-Identifier: Apache-2.0
 *
 * libConfuse's part: its table is made from ours, it parses what source.c
 * wrote, and what it found becomes sections. */
#include "config/read.h"

#include <assert.h>
#include <confuse.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/build.h"
#include "config/path.h"
#include "config/source.h"

struct reading {
	struct settings *settings;
	struct arena scratch;		/* what the settings can do without when they are read: most of it */
	struct report report;
	struct source source;
	size_t sections_ended;
	struct where folder;		/* where connections_dir was set */
};

/* libConfuse hands its callbacks nothing of ours (and keeps its own state in
 * globals): the one reading that is under way. */
static struct reading *now;

/* A value's line is kept in its option, where a text's default number is not used. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	opt->def.number = cfg->line;
	return 0;
}

/* At the end of a section: its line becomes that of its beginning. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct script *script = &now->source.script;

	(void)cfg;
	assert(opt->nvalues && now->sections_ended < script->section_count);
	opt->values[opt->nvalues - 1]->section->line = (int)script->sections[now->sections_ended++];
	return 0;
}

/* libConfuse's words for what it finds, and ours.  Texts it would show are not
 * shown: they may be passwords. */
static const struct {
	const char *theirs, *ours;
} messages[] = {
	{ "missing equal sign", "this key needs a value; write KEY = VALUE" },
	{ "missing opening brace", "this is a section; write SECTION { … }" },
	{ "missing title", "this section needs a name; write SECTION NAME { … }" },
	{ "unexpected token", "this sign does not belong here; write KEY = VALUE, KEY = {A, B} for a list, or SECTION { … }" },
	{ "bad escape sequence", "there is no such escape; write \\\\ for a backslash, or single quotes" },
	{ "invalid octal number", "an octal escape ends at \\377; write \\\\ for a backslash, or single quotes" },
	{ "found duplicate title", "this name is given twice; give one of the sections another name" },
};

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	const struct place *place = script_place(&now->source.script, cfg->line);
	struct where where = place ? place->where : (struct where){ 0 };
	const char *what = strcmp(cfg->name, "root") == 0 ? "" : cfg->name;

	(void)args;
	for (size_t n = 0; n < COUNT(messages); n++) {
		if (!strstr(format, messages[n].theirs))
			continue;
		report_error(&now->report, where, "%s%s%s%s%s", what, cfg->title ? " " : "", cfg->title ? cfg->title : "",
			*what ? ": " : "", messages[n].ours);
		return;
	}
	report_error(&now->report, where, "this cannot be understood; write KEY = VALUE or SECTION { … }");
}

static cfg_opt_t *table(struct arena *a, const struct option *rows)
{
	const struct option *end = rows;
	cfg_opt_t *all, *to;

	while (end->name)
		end++;
	all = to = arena_take(a, (size_t)(end - rows + 1) * sizeof *all);
	for (const struct option *o = rows; o < end; o++, to++) {
		if (o->type == OPTION_SECTION) {
			cfg_flag_t titled = o->flags & OPTION_TITLED ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NODEFAULT;

			*to = (cfg_opt_t)CFG_SEC(o->name, table(a, o->inner), titled);
			to->validcb = on_section;
		} else {
			*to = (cfg_opt_t)CFG_STR(o->name, NULL, CFGF_NODEFAULT | (option_is_list(o) ? CFGF_LIST : CFGF_NONE));
			to->validcb = on_value;
		}
	}
	*to = (cfg_opt_t)CFG_END();
	return all;
}

/* --- from its tree to sections --- */

static size_t count_given(const cfg_t *cfg, const struct option *rows)
{
	size_t count = 0;

	for (size_t n = 0; rows[n].name; n++) {
		const cfg_opt_t *opt = &cfg->opts[n];

		count += opt->nvalues > 0;
		for (unsigned v = 0; rows[n].type == OPTION_SECTION && v < opt->nvalues; v++)
			count += count_given(opt->values[v]->section, rows[n].inner);
	}
	return count;
}

/* The texts move into the arena; libConfuse's are wiped. */
static struct texts values_of(struct arena *a, const cfg_opt_t *opt)
{
	struct texts values = { arena_take(a, (opt->nvalues + 1) * sizeof *values.at), opt->nvalues };

	for (unsigned n = 0; n < opt->nvalues; n++) {
		char *text = opt->values[n]->string;

		values.at[n] = arena_text(a, span_of(text));
		wipe(text, strlen(text));
	}
	if ((opt->flags & CFGF_LIST) && values.count == 1 && !values.at[0][0])
		values.count = 0;		/* how source.c writes an empty list */
	return values;
}

static const char *key_name(struct arena *a, const char *prefix, const char *name)
{
	size_t size = strlen(prefix) + strlen(name) + 2;
	char *text = arena_take(a, size);

	(void)snprintf(text, size, "%s%s%s", prefix, *prefix ? "." : "", name);
	return text;
}

/* Connections, targets, services and their listeners stand for themselves; all else is keys of the section around it. */
static bool stands_alone(const struct option *o)
{
	return o->inner == connection_rows || o->inner == target_rows || o->inner == pop3_rows || o->inner == listen_rows;
}

static void gather(struct reading *r, const cfg_t *cfg, const struct option *rows, const char *prefix, const struct given *outer, struct section *to)
{
	for (size_t n = 0; rows[n].name; n++) {
		const struct option *o = &rows[n];
		const cfg_opt_t *opt = &cfg->opts[n];
		struct given g = { .option = o, .at = outer->at + o->at, .kept = outer->kept && o->size };
		const struct place *place;

		if (!opt->nvalues || stands_alone(o))
			continue;
		g.name = key_name(&r->scratch, prefix, o->name);
		for (unsigned v = 0; o->type == OPTION_SECTION && v < opt->nvalues; v++) {
			const cfg_t *inner = opt->values[v]->section;

			g.where = script_place(&r->source.script, inner->line)->where;
			to->given[to->count++] = g;
			gather(r, inner, o->inner, g.name, &g, to);
		}
		if (o->type == OPTION_SECTION)
			continue;
		place = script_place(&r->source.script, (int)opt->def.number);
		g.where = place->where;
		g.exposed = place->exposed && !place->expands;
		g.values = values_of(&r->settings->arena, opt);
		to->given[to->count++] = g;
	}
}

static struct section section_of(struct reading *r, const cfg_t *cfg, const struct option *rows, const char *what)
{
	const struct given whole = { .kept = true };
	struct section s = { .what = what, .given = arena_take(&r->scratch, (count_given(cfg, rows) + 1) * sizeof *s.given) };

	if (what)
		s.where = script_place(&r->source.script, cfg->line)->where;
	if (cfg->title)
		s.title = arena_text(&r->settings->arena, span_of(cfg->title));
	gather(r, cfg, rows, "", &whole, &s);
	return s;
}

/* The sections of `cfg`, which has these rows, whose own rows are `inner`. */
static const cfg_opt_t *sections(const cfg_t *cfg, const struct option *rows, const struct option *inner)
{
	size_t n = 0;

	while (rows[n].inner != inner)
		n++;
	return &cfg->opts[n];
}

static bool parse(struct reading *r, cfg_t *cfg)
{
	struct script *script = &r->source.script;
	FILE *f;
	int code;

	r->sections_ended = 0;
	if (!script->text.len)
		return true;
	f = fmemopen(script->text.at, script->text.len, "r");
	if (!f) {
		report_error(&r->report, (struct where){ r->settings->file, 0 }, "out of memory");
		return false;
	}
	(void)setvbuf(f, NULL, _IONBF, 0);	/* no copy of what may be secret */
	code = cfg_parse_fp(cfg, f);
	(void)fclose(f);
	return code == CFG_SUCCESS;
}

/* --- the files --- */

/* These sections as ours.  The targets first: connections name them. */
static struct section *gather_all(struct reading *r, const cfg_opt_t *opt, const struct option *rows, const char *what, size_t *count)
{
	struct section *all = arena_take(&r->scratch, (opt->nvalues + 1) * sizeof *all);

	for (*count = 0; *count < opt->nvalues; (*count)++)
		all[*count] = section_of(r, opt->values[*count]->section, rows, what);
	return all;
}

struct gathered {		/* of one parse */
	struct gathered *next;
	struct section *targets, *connections, *pop3, *listeners;
	size_t target_count, connection_count, pop3_count, listener_count;
};

static void gather_sections(struct reading *r, const cfg_t *cfg, struct gathered *g)
{
	const cfg_opt_t *pop3 = sections(cfg, settings_rows, pop3_rows);

	g->targets = gather_all(r, sections(cfg, settings_rows, target_rows), target_rows, "target", &g->target_count);
	g->connections = gather_all(r, sections(cfg, settings_rows, connection_rows), connection_rows, "connection", &g->connection_count);
	g->pop3 = gather_all(r, pop3, pop3_rows, "pop3", &g->pop3_count);
	if (g->pop3_count)
		g->listeners = gather_all(r, sections(pop3->values[0]->section, pop3_rows, listen_rows), listen_rows, "pop3: listen",
			&g->listener_count);
}

static void misplaced(struct reading *r, struct where where, const char *name)
{
	report_error(&r->report, where,
		"%s does not belong here; write it into the configuration itself, here only target and connection", name);
}

static bool read_one(struct reading *r, const char *path, struct where from, struct gathered *g, bool top)
{
	cfg_opt_t *options = table(&r->scratch, settings_rows);
	cfg_t *cfg;
	bool good;

	if (top && access(path, F_OK) != 0 && errno == ENOENT) {
		report_error(&r->report, from, "postrider: there is no configuration %s; write one (postrider.conf.example shows how), "
			"name one with -c FILE, or collect a URL: postrider collect pop3s://USER@HOST --to maildir:PATH", path);
		return false;
	}
	good = source_read(&r->source, path, from);
	if (!good)
		return false;
	cfg = cfg_init(options, CFGF_NONE);
	if (!cfg)
		abort();
	(void)cfg_set_error_function(cfg, on_error);
	good = parse(r, cfg);
	if (good) {
		struct section whole = section_of(r, cfg, settings_rows, NULL);

		if (top) {
			r->folder = section_where(&whole, "connections_dir");
			build_top(r->settings, &whole, &r->report);
		}
		gather_sections(r, cfg, g);
		for (size_t n = 0; !top && n < whole.count; n++)
			misplaced(r, whole.given[n].where, whole.given[n].name);
		if (!top && g->pop3_count)
			misplaced(r, g->pop3->where, "pop3");
	}
	(void)cfg_free(cfg);
	return good;
}

static int is_configuration(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* The files *.conf of connections_dir; by default of connections.d beside the configuration, if that is there. */
static bool read_folder(struct reading *r, struct gathered *g)
{
	struct arena *a = &r->scratch;
	const char *set = r->settings->connections_dir;
	const char *folder = set ? set : path_absolute(a, r->settings->file, "connections.d");
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_configuration, alphasort);
	bool good = true;

	if (count < 0 && set)
		report_error(&r->report, r->folder, "connections_dir: %s cannot be read; write the path of a folder that is there",
			folder);
	for (int n = 0; n < count; n++) {
		size_t size = strlen(folder) + strlen(entries[n]->d_name) + 2;
		char *path = arena_take(a, size);

		(void)snprintf(path, size, "%s/%s", folder, entries[n]->d_name);
		g->next = arena_take(a, sizeof *g);
		g = g->next;
		good = read_one(r, path, (struct where){ 0 }, g, false) && good;
		free(entries[n]);
	}
	free(entries);
	return good;
}

static void read_all(struct reading *r)
{
	struct gathered first = { 0 };

	if (!read_one(r, r->settings->file, (struct where){ 0 }, &first, true) || !read_folder(r, &first))
		return;
	for (const struct gathered *g = &first; g; g = g->next)
		for (size_t n = 0; n < g->target_count; n++)
			build_target(r->settings, &g->targets[n], &r->report);
	for (const struct gathered *g = &first; g; g = g->next)
		for (size_t n = 0; n < g->connection_count; n++)
			(void)build_connection(r->settings, &g->connections[n], &r->report);
	if (first.pop3_count)
		build_pop3(r->settings, first.pop3, first.listeners, first.listener_count, &r->report);
	build_end(r->settings, &r->report);
}

bool settings_read(const char *path, struct settings *s, struct buf *report)
{
	struct reading r = { .settings = s };
	bool good;

	settings_none(s);
	s->file = arena_text(&s->arena, span_of(path));
	report_start(&r.report, &s->arena);
	source_start(&r.source, settings_rows, &r.scratch, &s->arena, &r.report);
	now = &r;
	read_all(&r);
	now = NULL;
	source_end(&r.source);
	good = !r.report.wrong;
	report_errors(&r.report, report);
	report_warnings(&r.report, s);
	report_end(&r.report);
	arena_end(&r.scratch);
	if (!good)
		settings_end(s);
	return good;
}
