/* SPDX-License-Identifier: Apache-2.0 */
#include "config/import_bs2000.h"

enum { NESTING_MAX = 16, WORDS_MAX = 40 };

struct reading {
	struct import *in;
	struct span rest;
	uint32_t line;
	bool fresh;		/* nothing but blanks in this line so far */
};

static bool ends_line(struct span s)
{
	while (s.len && strchr(" \t\r", s.at[0]))
		s = span_from(s, 1);
	return !s.len || s.at[0] == '\n';
}

static bool blank(struct reading *r)
{
	char c = r->rest.at[0];
	size_t n = 1;

	if (c == '\n') {
		r->line++;
		r->fresh = true;
	} else if (r->fresh && (c == '#' || c == '*')) {
		n = span_find(r->rest, '\n');
	} else if (c == '-' && ends_line(span_from(r->rest, 1))) {
	} else if (!strchr(" \t\r\f\v", c)) {
		r->fresh = false;
		return false;
	}
	r->rest = span_from(r->rest, n);
	return true;
}

static bool skip(struct reading *r, struct err *e)
{
	uint32_t line = r->line;
	size_t n;

	while (r->rest.len) {
		if (blank(r))
			continue;
		if (r->rest.at[0] != '"')
			return true;
		for (n = 1; n < r->rest.len && r->rest.at[n] != '"'; n++)
			r->line += r->rest.at[n] == '\n';
		if (n >= r->rest.len)
			return import_wrong(r->in, line, e, "this comment in double quotes is not closed; a text stands in single ones");
		r->rest = span_from(r->rest, n + 1);
	}
	return true;
}

static bool next_is(struct reading *r, char c)
{
	return r->rest.len && r->rest.at[0] == c;
}

static bool quoted(struct reading *r, const char **text, struct err *e)
{
	uint32_t line = r->line;
	size_t n = 1, len = 0;
	char *to;

	while (n < r->rest.len && r->rest.at[n] != '\n')
		n++;
	to = arena_take(r->in->arena, n + 1);
	n = 1;

	for (; n < r->rest.len; n++) {
		if (r->rest.at[n] == '\'' && !(n + 1 < r->rest.len && r->rest.at[n + 1] == '\''))
			break;
		n += r->rest.at[n] == '\'';
		if (r->rest.at[n] == '\n')
			return import_wrong(r->in, line, e, "this text has no end on its line; write the closing '");
		to[len++] = r->rest.at[n];
	}
	if (n >= r->rest.len)
		return import_wrong(r->in, line, e, "this text has no end; write the closing '");
	r->rest = span_from(r->rest, n + 1);
	*text = to;
	return true;
}

static struct span word(struct reading *r)
{
	size_t n = 0;

	while (n < r->rest.len && !strchr(" \t\r\n\f\v,()='\"", r->rest.at[n]))
		n++;
	return (struct span){ r->rest.at, n };
}

/* Is what comes NAME= ? */
static bool names(const struct reading *r)
{
	struct reading ahead = *r;
	struct err e;

	ahead.rest = span_from(ahead.rest, word(&ahead).len);
	return word((struct reading *)r).len && skip(&ahead, &e) && next_is(&ahead, '=');
}

static bool text_of(struct reading *r, struct bs2000_node *node, struct err *e)
{
	for (size_t count = 0; ; count++) {	/* bare words may stand beside each other: All -TLSv1.3 */
		struct span bare = word(r);

		if (count > WORDS_MAX)
			return import_wrong(r->in, node->line, e, "too many words stand beside each other; is a comma missing?");

		if (next_is(r, '\''))
			return quoted(r, &node->text, e);
		if (!bare.len || (node->text && names(r)))
			return true;
		node->text = import_print(r->in->arena, "%s%s%.*s", node->text ? node->text : "", node->text ? " " : "", (int)bare.len, bare.at);
		r->rest = span_from(r->rest, bare.len);
		if (!skip(r, e))
			return false;
	}
}

static bool nodes(struct reading *r, struct bs2000_node **first, unsigned depth, struct err *e);

static bool one(struct reading *r, struct bs2000_node *node, unsigned depth, struct err *e)
{
	uint32_t opened;

	if (names(r)) {
		node->name = arena_text(r->in->arena, word(r));
		r->rest = span_from(r->rest, word(r).len);
		if (!skip(r, e))
			return false;
		r->rest = span_from(r->rest, 1);
		if (!skip(r, e))
			return false;
	}
	if (!text_of(r, node, e) || !skip(r, e))
		return false;
	if (!next_is(r, '('))
		return node->name || node->text || import_wrong(r->in, r->line, e, "here stands %.1s where an operand ought to", r->rest.len ? r->rest.at : "nothing");
	if (depth >= NESTING_MAX)
		return import_wrong(r->in, r->line, e, "parentheses are nested too deeply");
	opened = r->line;
	node->list = true;
	r->rest = span_from(r->rest, 1);
	if (!nodes(r, &node->inner, depth + 1, e))
		return false;
	if (!next_is(r, ')'))
		return import_wrong(r->in, opened, e, "this parenthesis is not closed; write )");
	r->rest = span_from(r->rest, 1);
	return skip(r, e);
}

static bool nodes(struct reading *r, struct bs2000_node **first, unsigned depth, struct err *e)
{
	for (;;) {
		struct bs2000_node *node;

		if (!skip(r, e))
			return false;
		if (next_is(r, ',')) {
			r->rest = span_from(r->rest, 1);
			continue;
		}
		if (!depth && next_is(r, ')')) {	/* one too many, as in the manual's own example */
			draft_note(&r->in->draft, NULL, r->line, ")", "a closing parenthesis too many; passed over");
			r->rest = span_from(r->rest, 1);
			continue;
		}
		if (!r->rest.len || next_is(r, ')'))
			return true;
		if (!depth && !import_count(r->in, r->line, e))
			return false;
		node = arena_take(r->in->arena, sizeof *node);
		node->line = r->line;
		if (!one(r, node, depth, e))
			return false;
		*first = node;
		first = &node->next;
	}
}

bool bs2000_nodes(struct import *in, struct span text, struct bs2000_node **first, struct err *e)
{
	struct reading r = { .in = in, .rest = text, .line = 1, .fresh = true };

	*first = NULL;
	return nodes(&r, first, 0, e);
}
