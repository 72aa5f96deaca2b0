/* SPDX-License-Identifier: Apache-2.0
 *
 * Where getmail's mail goes: destinations, and the tuples that name them. */
#include "config/import_getmail.h"

typedef void destination(struct getmail *g, const struct getmail_section *s, unsigned depth);
static destination maildir, mboxrd, external, lmtp, several, sorter, qmail;

static const struct {
	const char *type;
	destination *write;
	const char *keys;	/* those of it that are carried over */
} destinations[] = {
	{ "Maildir",          maildir,  " type path " },			/* maildir:PATH */
	{ "Mboxrd",           mboxrd,   " type path " },			/* a comment */
	{ "MDA_external",     external, " type path arguments " },		/* a target of type command */
	{ "MDA_lmtp",         lmtp,     " type host port override " },		/* a target of type lmtp */
	{ "MultiDestination", several,  " type destinations " },		/* each of them */
	{ "MultiSorter",      sorter,   " type default locals " },		/* its default */
	{ "MultiGuesser",     sorter,   " type default locals " },		/* its default */
	{ "MDA_qmaillocal",   qmail,    " type " },				/* a comment */
};

static struct span blanks(struct span s)
{
	while (s.len && strchr(" \t,", s.at[0]))
		s = span_from(s, 1);
	return s;
}

/* One string in quotes, at the beginning of *s. */
static bool string(struct arena *a, struct span *s, const char **to)
{
	bool raw = span_starts(*s, SPAN("r"));
	struct span rest = span_from(*s, raw);
	char quote = rest.len ? rest.at[0] : '\0', *text;
	size_t n = 1, len = 0;

	if (quote != '"' && quote != '\'')
		return false;
	while (n < rest.len && rest.at[n] != quote)
		n += rest.at[n] == '\\' && !raw ? 2 : 1;
	text = arena_take(a, n + 1);
	n = 1;
	for (; n < rest.len && rest.at[n] != quote; n++) {
		if (!raw && rest.at[n] == '\\' && n + 1 < rest.len && strchr("\\'\"", rest.at[n + 1]))
			n++;
		text[len++] = rest.at[n];
	}
	*to = text;
	*s = span_from(rest, n + 1);
	return n < rest.len;
}

bool getmail_tuple(struct arena *a, const char *text, struct texts *to)
{
	struct span s = span_trim(span_of(text));
	bool tuple = span_starts(s, SPAN("("));

	*to = (struct texts){ arena_take(a, (s.len / 2 + 2) * sizeof *to->at), 0 };
	for (s = blanks(span_from(s, tuple)); s.len && s.at[0] != ')'; s = blanks(s)) {
		if (string(a, &s, &to->at[to->count])) {
			to->count++;
			continue;
		}
		to->count = 0;
		return false;
	}
	if (tuple == (s.len > 0) && !span_from(s, 1).len)
		return true;
	to->count = 0;
	return false;
}

static const char *text_of(const struct getmail_section *s, const char *name, uint32_t *line)
{
	const struct getmail_value *v = getmail_value(s, name);

	*line = v ? v->line : s->line;
	return v ? v->text : "";
}

static void maildir(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	uint32_t line;
	const char *path = text_of(s, "path", &line);

	(void)depth;
	(void)import_to_maildir(g->in, g->s, path, "path", line);
}

static void mboxrd(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	(void)depth;
	draft_note(&g->in->draft, g->s, s->line, "Mboxrd", "mbox files are not written to; take a Maildir, and `postrider mailbox import` for the old mail");
}

static void qmail(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	(void)depth;
	draft_note(&g->in->draft, g->s, s->line, "MDA_qmaillocal", "write a target of type command that runs qmail-local with its arguments");
}

/* What stands in arguments for a thing of the message, and the shell's word for it. */
static const struct fact {
	struct span word, shell;
} facts[] = {
	{ SPAN("%(sender)"), SPAN("\"${POSTRIDER_SENDER}\"") },
	{ SPAN("%(recipient)"), SPAN("\"${POSTRIDER_RECIPIENTS}\"") },
	{ SPAN("%(local)"), SPAN("\"${POSTRIDER_RECIPIENTS%@*}\"") },
	{ SPAN("%(domain)"), SPAN("\"${POSTRIDER_RECIPIENTS##*@}\"") },
	{ SPAN("%(mailbox)"), SPAN("") },
};

/* A word for a shell: in single quotes, facts outside of them. */
static bool shell_word(struct buf *out, struct span word)
{
	bool fits = buf_add(out, SPAN("'"));

	while (word.len && fits) {
		const struct fact *f = facts;

		while (f < facts + COUNT(facts) && !span_starts(word, f->word))
			f++;
		if (f < facts + COUNT(facts)) {
			fits = buf_add(out, SPAN("'")) && buf_add(out, f->shell) && buf_add(out, SPAN("'"));
			word = span_from(word, f->word.len);
			continue;
		}
		fits = word.at[0] == '\'' ? buf_add(out, SPAN("'\\''")) : buf_add_byte(out, word.at[0]);
		word = span_from(word, 1);
	}
	return fits && buf_add(out, SPAN("'"));
}

/* NULL when there is no end of it. */
static const char *shell_line(struct arena *a, const char *path, const struct texts *words)
{
	size_t size = 8 * strlen(path) + 64;
	bool home = path[0] == '~', fits;
	struct buf out;

	for (size_t n = 0; n < words->count; n++)
		size += 8 * strlen(words->at[n]) + 16;
	buf_lend(&out, arena_take(a, size), size);
	fits = (!home || buf_add(&out, SPAN("\"$HOME\""))) && shell_word(&out, span_of(path + home));
	for (size_t n = 0; n < words->count && fits; n++)
		fits = buf_add(&out, SPAN(" ")) && shell_word(&out, span_of(words->at[n]));
	return fits && buf_terminate(&out) ? out.at : NULL;
}

/* Arguments are given as they are; what stands for the message's addresses a shell has to put in. */
static void external(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	const char *name = strcmp(s->name, "destination") == 0 ? "mda" : s->name;
	uint32_t line, path_line;
	const char *arguments = text_of(s, "arguments", &line), *path = text_of(s, "path", &path_line);
	struct texts words = { 0 }, argv;
	bool shell = strncmp(path, "~/", 2) == 0;

	(void)depth;
	if (arguments[0] && !getmail_tuple(g->in->arena, arguments, &words)) {
		draft_note(&g->in->draft, g->s, line, "arguments", "they are no list of words in quotes");
		return;
	}
	argv = (struct texts){ arena_take(g->in->arena, (words.count + 4) * sizeof *argv.at), 0 };
	for (size_t n = 0; n < words.count; n++)
		shell |= strstr(words.at[n], "%(") != NULL;
	if (shell) {
		argv.at[argv.count++] = "/bin/sh";
		argv.at[argv.count++] = "-c";
		argv.at[argv.count++] = shell_line(g->in->arena, path, &words);
		if (!path[0] || !argv.at[2])
			argv.count = 0;
	} else {
		argv.at[argv.count++] = path;
		for (size_t n = 0; n < words.count; n++)
			argv.at[argv.count++] = words.at[n];
	}
	import_argv(g->in, g->s, name, argv, path_line);
}

static void lmtp(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	struct draft_section *t = draft_target(&g->in->draft, strcmp(s->name, "destination") == 0 ? "lmtp" : s->name, s->line);
	uint32_t line, port_line, to_line;
	const char *host = text_of(s, "host", &line), *port = text_of(s, "port", &port_line), *to = text_of(s, "override", &to_line);
	bool good;

	(void)depth;
	(void)draft_set(&g->in->draft, t, "type", "lmtp", s->line);
	good = host[0] && draft_set(&g->in->draft, t, "host", host, line);
	if (good && host[0] != '/')
		good = port[0] && draft_set(&g->in->draft, t, "port", port, port_line);
	if (to[0] && !draft_add(&g->in->draft, t, "envelope.recipients", to, to_line) && good)	/* a name alone is sent as it is */
		import_nobody(g->in, g->s, t, "override", to_line);
	if (!to[0] && g->envelope)
		(void)draft_add(&g->in->draft, t, "envelope.headers", g->envelope, g->envelope_line);
	if (!to[0] && !g->envelope)
		draft_note(&g->in->draft, g->s, s->line, "MDA_lmtp", "whom mail is for is read from the fields X-Real-To, Delivered-To, X-Original-To and Envelope-To");
	if (good) {
		import_deliver(g->in, g->s, t, s->line);
		return;
	}
	t->left_out = true;
	draft_note(&g->in->draft, g->s, line, "MDA_lmtp", "it needs a host with its port, or the path of a socket");
}

/* One element of `destinations`: a [section], or a path; with a / at its end it is a Maildir. */
static void one(struct getmail *g, const char *text, uint32_t line, unsigned depth)
{
	size_t len = strlen(text);
	const struct getmail_section *s;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		s = getmail_section(g, (struct span){ text + 1, len - 2 });
		if (s)
			getmail_destination(g, s, depth + 1);
		else
			draft_note(&g->in->draft, g->s, line, text, "there is no such section; not carried over");
	} else if (len && text[len - 1] == '/') {
		(void)import_to_maildir(g->in, g->s, text, "destinations", line);
	} else {
		draft_note(&g->in->draft, g->s, line, len ? text : "destinations", "mbox files are not written to; take a Maildir");
	}
}

static void several(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	uint32_t line;
	const char *text = text_of(s, "destinations", &line);
	struct texts names;

	if (!getmail_tuple(g->in->arena, text, &names))
		draft_note(&g->in->draft, g->s, line, "destinations", "they are no list of texts in quotes");
	for (size_t n = 0; n < names.count; n++)
		one(g, names.at[n], line, depth);
}

static void sorter(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	const char *type = text_of(s, "type", &(uint32_t){ 0 });
	uint32_t line, locals_line;
	const char *dflt = text_of(s, "default", &line), *locals = text_of(s, "locals", &locals_line);

	one(g, dflt, line, depth);
	if (locals[0])
		draft_note(&g->in->draft, g->s, locals_line, "locals", "%.*s: mail is not sorted by patterns; all of it goes to the default. See `postrider route` and the section envelope",
			VALUE_SHOWN, type);
}

void getmail_destination(struct getmail *g, const struct getmail_section *s, unsigned depth)
{
	uint32_t line;
	const char *type = text_of(s, "type", &line);

	if (depth > GETMAIL_NESTING_MAX) {
		draft_note(&g->in->draft, g->s, s->line, s->name, "destinations name each other too deeply");
		return;
	}
	((struct getmail_section *)s)->used = true;
	for (size_t n = 0; n < COUNT(destinations); n++) {
		if (strcmp(destinations[n].type, type) != 0)
			continue;
		for (const struct getmail_value *v = s->values; v; v = v->next)
			if (!strstr(destinations[n].keys, import_print(g->in->arena, " %s ", v->name)))
				draft_note(&g->in->draft, g->s, v->line, v->name, "%s does without it; not carried over", type);
		destinations[n].write(g, s, depth);
		return;
	}
	draft_note(&g->in->draft, g->s, line, "type", "%.*s is no destination", VALUE_SHOWN, type);
}
