/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>

#include "config/build.h"
#include "config/nearest.h"
#include "config/path.h"
#include "wire/keywords.h"

#define FORMS "mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, smtp://HOST, lmtp://HOST:PORT or command:CMD"

enum { COMMAND_TIMEOUT_MS = 30 * 1000, COMMAND_PARALLEL = 2 };	/* as in the table: there they are texts */

#ifdef POSTRIDER_GMIME
static const bool split_built = true;
#else
static const bool split_built = false;
#endif

static const struct form {
	struct span prefix;
	enum target_type type;
} forms[] = {
	{ SPAN("mailbox:"), TARGET_MAILBOX }, { SPAN("maildir:"), TARGET_MAILDIR }, { SPAN("folder:"), TARGET_FOLDER },
	{ SPAN("smtp://"), TARGET_SMTP }, { SPAN("smtps://"), TARGET_SMTP }, { SPAN("lmtp://"), TARGET_LMTP },
	{ SPAN("lmtp:/"), TARGET_LMTP }, { SPAN("command:"), TARGET_COMMAND },
};

static const char *const types[] = {
	[TARGET_MAILBOX] = "mailbox", [TARGET_MAILDIR] = "maildir", [TARGET_FOLDER] = "folder", [TARGET_SMTP] = "smtp", [TARGET_LMTP] = "lmtp",
	[TARGET_COMMAND] = "command",
};

static const char *joined(struct arena *a, struct span prefix, const char *rest)
{
	size_t size = prefix.len + strlen(rest) + 1;
	char *text = arena_take(a, size);

	if (prefix.len)
		memcpy(text, prefix.at, prefix.len);
	memcpy(text + prefix.len, rest, size - prefix.len);
	return text;
}

/* ACCOUNT/BOX: the account's name has no slash, a box's may. */
static bool good_mailbox(const char *text, struct err *e)
{
	const char *slash = strchr(text, '/');

	if (slash && slash != text && slash[1] && text[strlen(text) - 1] != '/')
		return true;
	return err_set(e, ERR_CONFIG, "%.*s is not of the form ACCOUNT/BOX", VALUE_SHOWN, text);
}

/* An account without a domain belongs to main_domain, as everywhere.  Names, and the words of ledgers and held messages, stay as
 * they are written: what was delivered is known by them. */
static void add_domain(struct settings *s, struct target *t)
{
	const char *slash = t->mailbox ? strchr(t->mailbox, '/') : NULL;
	struct span account = { t->mailbox, slash ? (size_t)(slash - t->mailbox) : 0 };

	if (!slash || !s->main_domain || !*s->main_domain || memchr(account.at, '@', account.len))
		return;
	t->mailbox = joined(&s->arena, span_of(joined(&s->arena, span_of(joined(&s->arena, account, "@")), s->main_domain)), slash);
}

/* The next word of *rest, at *to, which moves behind its NUL. */
static bool take_word(const char **rest, char **to, struct err *e)
{
	char quote = '\0';

	for (; **rest && (quote || !strchr(" \t", **rest)); ++*rest) {
		if (quote ? **rest == quote : **rest == '\'' || **rest == '"')
			quote = quote ? '\0' : **rest;
		else if (!quote && strchr("|&;<>()$`\\*?[]#~{}", **rest))
			return err_set(e, ERR_CONFIG, "%c means something to a shell, and there is none here; write a target section with argv = {…}, of /bin/sh if you want one", **rest);
		else
			*(*to)++ = **rest;
	}
	if (quote)
		return err_set(e, ERR_CONFIG, "%c is not closed", quote);
	*(*to)++ = '\0';
	return true;
}

/* A program and its arguments, with blanks between them; quotes keep a word with blanks together, and that is all. */
static bool split_command(struct arena *a, const char *rest, struct texts *argv, struct err *e)
{
	size_t len = strlen(rest);
	char *to = arena_take(a, len + 1);

	*argv = (struct texts){ .at = arena_take(a, (len / 2 + 2) * sizeof(const char *)) };
	for (;;) {
		rest += strspn(rest, " \t");
		if (!*rest)
			break;
		argv->at[argv->count++] = to;
		if (!take_word(&rest, &to, e))
			return false;
	}
	return (argv->count && argv->at[0][0]) || err_set(e, ERR_CONFIG, "it names no program");
}

/* What follows the prefix, by type. */
static bool rest_of(struct arena *a, const char *file, const struct form *f, const char *rest, struct target *t, struct err *e)
{
	switch (f->type) {
	case TARGET_MAILBOX:
		t->mailbox = rest;
		t->canonical = joined(a, f->prefix, rest);
		return good_mailbox(rest, e);
	case TARGET_MAILDIR:
	case TARGET_FOLDER:
		t->path = path_absolute(a, file, rest);
		t->prefix = "mail";	/* as in the table */
		t->canonical = joined(a, f->prefix, t->path);
		return true;
	case TARGET_SMTP:
	case TARGET_LMTP:
		return target_smtp(a, f->prefix, rest, t, e);
	case TARGET_COMMAND:
		t->canonical = joined(a, f->prefix, rest);
		t->timeout_ms = COMMAND_TIMEOUT_MS;
		t->parallel = COMMAND_PARALLEL;
		return split_command(a, rest, &t->argv, e);
	}
	return false;
}

bool target_read(struct arena *a, const char *file, const char *text, struct target *t, bool *form, struct err *e)
{
	*form = false;
	for (const struct form *f = forms; f < forms + COUNT(forms); f++) {
		const char *rest = text + f->prefix.len;

		if (!span_starts(span_of(text), f->prefix))
			continue;
		*form = true;
		*t = (struct target){ .type = f->type };
		if (!value_text(text, 0, e))
			return false;
		if (!*rest)
			return err_set(e, ERR_CONFIG, "there is nothing behind %s; write one of " FORMS, f->prefix.at);
		if (!rest_of(a, file, f, rest, t, e))
			return false;
		t->name = t->canonical;
		return true;
	}
	return true;
}

bool target_needs_envelope(const struct target *t)
{
	return t->type == TARGET_SMTP || t->type == TARGET_LMTP;
}

/* The array doubles whenever its count is a power of two. */
static void add(struct settings *s, struct target *t)
{
	size_t count = s->target_count;

	if ((count & (count - 1)) == 0) {
		struct target **all = arena_take(&s->arena, (count ? 2 * count : 1) * sizeof *all);

		if (count)
			memcpy(all, s->targets, count * sizeof *all);
		s->targets = all;
	}
	s->targets[s->target_count++] = t;
}

static bool no_such(const struct settings *s, const char *text, struct err *e)
{
	const char *name = NULL;
	unsigned best = UINT_MAX;

	if (strstr(text, "://") && strchr(text, '@'))
		return err_set(e, ERR_CONFIG, "it is no target, and not shown, since a password may stand before its @; write one of " FORMS);
	for (size_t n = 0; n < s->target_count; n++)
		if (nearest_better(span_of(text), span_of(s->targets[n]->name), &best))
			name = s->targets[n]->name;
	if (name)
		return err_set(e, ERR_CONFIG, "there is no target %.*s; the nearest one is %.*s", VALUE_SHOWN, text, VALUE_SHOWN, name);
	return err_set(e, ERR_CONFIG, "there is no target %.*s; write a section target %.*s { … }, or one of " FORMS, VALUE_SHOWN, text,
		VALUE_SHOWN, text);
}

bool target_of(struct settings *s, const char *file, const char *text, struct target **target, struct err *e)
{
	struct target t;
	bool form;

	for (size_t n = 0; n < s->target_count; n++) {
		*target = s->targets[n];
		if (strcmp(text, s->targets[n]->name) == 0)
			return true;
	}
	if (!target_read(&s->arena, file, text, &t, &form, e))
		return false;
	if (!form)
		return no_such(s, text, e);
	for (size_t n = 0; n < s->target_count; n++) {
		*target = s->targets[n];
		if (strcmp(t.name, s->targets[n]->name) == 0)
			return true;
	}
	add_domain(s, &t);
	*target = arena_take(&s->arena, sizeof **target);
	**target = t;
	add(s, *target);
	return true;
}

/* --- sections --- */

static const char *only_value(const struct section *section, const char *key)
{
	const struct given *g = section_given(section, key);

	return g && g->values.count ? g->values.at[0] : NULL;
}

static bool required(const struct section *section, const char *key, struct report *r)
{
	if (section_given(section, key))
		return true;
	section_error(section, r, NULL, "%s is missing; write %s = …", key, key);
	return false;
}

/* Keys of other types would be silently without effect. */
static void check_keys(const struct section *section, const struct target *t, struct report *r)
{
	for (const struct given *g = section->given; g < section->given + section->count; g++)
		if (!strchr(g->name, '.') && !(g->option->types & (1u << t->type)))
			section_error(section, r, g->name, "a target of type %s does not have this key; leave it out", types[t->type]);
}

/* What it says may change until a message comes; better to know now. */
static void check_template(const struct section *section, const char *path, struct report *r)
{
	static char text[KEYWORDS_TEXT + 1];	/* configurations are read by one thread */
	FILE *f = fopen(path, "re");
	size_t len = f ? fread(text, 1, sizeof text, f) : 0;
	struct err e;

	if (f)
		(void)fclose(f);
	if (!keywords_check((struct span){ text, len }, &e))
		section_error(section, r, "template", "%s; shorten it", e.text);
}

static void check_folder(const struct section *section, const struct target *t, struct report *r)
{
	if (t->template)
		check_template(section, t->template, r);
	if (t->split && !split_built)
		section_warning(section, r, "split", "this Postrider was built without GMime; it has no effect");
}

static const char *command_text(struct settings *s, const struct section *section)
{
	const struct given *g = section_given(section, "argv");
	const char *text = "command:";

	for (size_t n = 0; g && n < g->values.count; n++)
		text = joined(&s->arena, span_of(joined(&s->arena, span_of(text), n ? " " : "")), g->values.at[n]);
	return text;
}

/* What the type needs, and the ledger's word for it. */
static void by_type(struct settings *s, const struct section *section, struct target *t, struct report *r)
{
	struct err e;

	switch (t->type) {
	case TARGET_MAILBOX:
		if (!required(section, "mailbox", r) || !t->mailbox)
			return;
		if (!good_mailbox(t->mailbox, &e))
			section_error(section, r, "mailbox", "%s; write for instance anna/INBOX", e.text);
		t->canonical = joined(&s->arena, SPAN("mailbox:"), t->mailbox);
		add_domain(s, t);
		return;
	case TARGET_FOLDER:
		check_folder(section, t, r);
		[[fallthrough]];
	case TARGET_MAILDIR:
		if (required(section, "path", r) && t->path)
			t->canonical = joined(&s->arena, t->type == TARGET_MAILDIR ? SPAN("maildir:") : SPAN("folder:"), t->path);
		return;
	case TARGET_SMTP:
	case TARGET_LMTP:
		if (required(section, "host", r))
			build_smtp(s, section, t, r);
		return;
	case TARGET_COMMAND:
		if (!required(section, "argv", r))
			return;
		t->canonical = command_text(s, section);
		if (t->argv.count && !t->argv.at[0][0])
			section_error(section, r, "argv", "it names no program; write for instance {\"/usr/local/bin/take\", \"-x\"}");
		return;
	}
}

void build_target(struct settings *s, const struct section *section, struct report *r)
{
	struct target *t = arena_take(&s->arena, sizeof *t), unused;
	struct err e;
	bool form;

	section_apply(section, target_rows, t, r);
	t->name = section->title;
	t->where = section->where;
	t->has_envelope = envelope_given(section);
	t->has_smime = section_given(section, "smime");
	if (!name_good(t->name, &e))
		section_error(section, r, NULL, "%s", e.text);
	else if (target_read(&s->arena, NULL, t->name, &unused, &form, &e) ? form : form)
		section_error(section, r, NULL, "the name looks like a target itself; write one without the colon");
	add(s, t);
	if (!section_given(section, "type"))
		section_error(section, r, NULL, "type is missing; write type = mailbox, maildir, folder, smtp, lmtp or command");
	if (!section_given(section, "type") || strcmp(only_value(section, "type"), types[t->type]) != 0)
		return;		/* no type: what else could be said of it? */
	check_keys(section, t, r);
	if (t->smime.key && !t->smime.certificate)
		section_error(section, r, "smime.key", "a key needs its certificate; write smime.certificate as well");
	build_envelope(s, section, &t->envelope, r);
	by_type(s, section, t, r);
	if (!t->canonical)
		t->canonical = t->name;
}
