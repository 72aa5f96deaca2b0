/* SPDX-License-Identifier: Apache-2.0 */
#include "config/import_target.h"

#include <assert.h>

bool import_to_maildir(struct import *in, struct draft_section *c, const char *path, const char *word, uint32_t line)
{
	size_t len = strlen(path);

	if (strncmp(path, "$HOME/", 6) == 0)
		path = import_print(in->arena, "~%s", path + 5);
	if (!path[0] || (path[0] == '~' && path[1] && path[1] != '/') || strchr(path, '$')) {
		draft_note(&in->draft, c, line, word, "%.*s cannot be carried over: write the path itself", VALUE_SHOWN, len ? path : "an empty path");
		return false;
	}
	while (len > 1 && path[strlen(path) - 1] == '/')
		path = arena_text(in->arena, (struct span){ path, strlen(path) - 1 }), len--;
	return draft_add(&in->draft, c, "deliver", import_print(in->arena, "maildir:%s", path), line);
}

void import_deliver(struct import *in, struct draft_section *c, struct draft_section *target, uint32_t line)
{
	const struct draft_section *named = draft_shared(&in->draft, target);

	(void)draft_add(&in->draft, c, "deliver", named->name, line);
}

void import_nobody(struct import *in, struct draft_section *c, struct draft_section *target, const char *word, uint32_t line)
{
	draft_note(&in->draft, c, line, word, "who gets the mail cannot be carried over; say it in target %s (envelope.recipients), then enable it", target->name);
	(void)draft_set(&in->draft, target, "envelope.no_recipient", "hold", line);
	(void)draft_set(&in->draft, c, "enabled", "false", line);
	target->alone = true;
}

void import_argv(struct import *in, struct draft_section *c, const char *name, struct texts argv, uint32_t line)
{
	struct draft_section *t;
	bool good = argv.count && argv.at[0][0];

	if (!good) {
		draft_note(&in->draft, c, line, name, "it names no program");
		return;
	}
	t = draft_target(&in->draft, name, line);
	good = draft_set(&in->draft, t, "type", "command", line);
	for (size_t n = 0; good && n < argv.count; n++)
		good = draft_add(&in->draft, t, "argv", argv.at[n], line);
	if (good) {
		import_deliver(in, c, t, line);
		return;
	}
	t->left_out = true;
}

/* --- command lines --- */

struct shell {			/* a command line as it is gone through */
	const struct import_fact *facts;
	size_t count;
	struct buf out;		/* for a shell */
	char quote;		/* the one that is open */
	bool needed;		/* something in it is for a shell */
	bool fits;
};

static void put(struct shell *s, struct span text)
{
	s->fits = s->fits && buf_add(&s->out, text);
}

/* Harmless anywhere in a command line. */
static bool plain(const char *text)
{
	return text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-/")];
}

static void put_fact(struct shell *s, const struct import_fact *f)
{
	if (f->fixed && plain(f->fixed)) {
		put(s, span_of(f->fixed));
		return;
	}
	s->needed = true;
	put(s, s->quote == '\'' ? SPAN("'\"") : s->quote ? SPAN("") : SPAN("\""));
	put(s, SPAN("${"));
	put(s, span_of(f->variable));
	put(s, SPAN("}"));
	put(s, s->quote == '\'' ? SPAN("\"'") : s->quote ? SPAN("") : SPAN("\""));
}

static const struct import_fact *fact(const struct shell *s, char letter)
{
	for (const struct import_fact *f = s->facts; letter && f < s->facts + s->count; f++)
		if (f->letter == letter)
			return f;
	return NULL;
}

/* One octet, or a fact: how many were eaten. */
static size_t step(struct shell *s, const char *at)
{
	const struct import_fact *f = *at == '%' ? fact(s, at[1]) : NULL;

	if (f) {
		put_fact(s, f);
		return 2;
	}
	if (s->count && at[0] == '%' && at[1] == '%') {
		put(s, SPAN("%"));
		return 2;
	}
	if (*at == '\\' && s->quote != '\'' && at[1]) {
		s->needed = true;
		put(s, (struct span){ at, 2 });
		return 2;
	}
	if (s->quote ? *at == s->quote : *at == '\'' || *at == '"')
		s->quote = s->quote ? '\0' : *at;
	else if (s->quote != '\'' && strchr(s->quote ? "$`\\" : "|&;<>()$`\\*?[]#~{}!=\n", *at))
		s->needed = true;
	put(s, (struct span){ at, 1 });
	return 1;
}

/* Words with blanks between them; quotes keep one together. */
static struct texts words(struct arena *a, struct span line)
{
	struct texts argv = { arena_take(a, (line.len / 2 + 2) * sizeof *argv.at), 0 };
	char *to = arena_take(a, line.len + 1), quote = '\0';
	bool within = false;

	for (size_t n = 0; n < line.len; n++) {
		char c = line.at[n];

		if (!quote && strchr(" \t", c)) {
			if (within)
				*to++ = '\0';
			within = false;
			continue;
		}
		if (!within)
			argv.at[argv.count++] = to;
		within = true;
		if (quote ? c == quote : c == '\'' || c == '"')
			quote = quote ? '\0' : c;
		else
			*to++ = c;
	}
	return argv;
}

void import_shell(struct import *in, struct draft_section *c, const char *name, const char *command, const struct import_fact *facts, size_t count,
	uint32_t line)
{
	struct shell s = { .facts = facts, .count = count, .fits = true };
	size_t size = 20 * strlen(command) + 64;
	struct texts argv;

	buf_lend(&s.out, arena_take(in->arena, size), size);
	while (*command)
		command += step(&s, command);
	s.needed |= s.quote != '\0';
	s.fits = s.fits && buf_terminate(&s.out);
	if (!s.fits) {
		draft_note(&in->draft, c, line, name, "the command is too long");
		return;
	}
	if (s.needed) {
		argv = (struct texts){ arena_take(in->arena, 3 * sizeof *argv.at), 3 };
		argv.at[0] = "/bin/sh";
		argv.at[1] = "-c";
		argv.at[2] = s.out.at;
	} else {
		argv = words(in->arena, buf_span(&s.out));
	}
	import_argv(in, c, name, argv, line);
}
