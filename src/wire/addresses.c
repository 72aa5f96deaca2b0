/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/addresses.h"

#include <assert.h>

/* What was read of an address so far; a phrase looks like one until it does not. */
enum part { NOTHING, LOCAL, LOCAL_DOT, AT, DOMAIN, DOMAIN_DOT, LITERAL };

struct item {
	struct address *address;
	enum part part;
	bool bad;			/* until '<' begins anew */
	bool angle, closed;		/* behind '<', behind its '>' */
	bool route;			/* behind "<@" */
	bool spoilt;			/* whatever comes, there is no address in it */
};

static bool space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static bool atom(char c)
{
	return !control(c) && c != ' ' && !memchr("()<>[]:;@\\,.\"", c, 13);
}

static void begin(struct item *i)
{
	i->part = NOTHING;
	i->bad = false;
	i->address->len = i->address->local = 0;
}

static void add(struct item *i, char c)
{
	if (i->address->len < ADDRESS_MAX)
		i->address->text[i->address->len++] = c;
	else
		i->bad = true;
}

/* Passes over the comment that *s begins with. False: it does not end. */
static bool pass_comment(struct span *s)
{
	size_t depth = 0;

	for (size_t n = 0; n < s->len; n++) {
		if (s->at[n] == '\\') {
			n++;
		} else if (s->at[n] == '(') {
			depth++;
		} else if (s->at[n] == ')' && --depth == 0) {
			*s = span_from(*s, n + 1);
			return true;
		}
	}
	*s = span_from(*s, s->len);
	return false;
}

/* May a word stand here? A word of the local part behind another is a phrase. */
static void enter_word(struct item *i, bool quoted)
{
	switch (i->part) {
	case NOTHING:
	case LOCAL_DOT:
		i->part = LOCAL;
		return;
	case AT:
	case DOMAIN_DOT:
		i->part = DOMAIN;
		i->bad |= quoted;
		return;
	case LOCAL:
	case DOMAIN:
	case LITERAL:
		i->bad = true;
		return;
	}
}

static void take_atom(struct item *i, struct span *s)
{
	size_t n = 0;

	enter_word(i, false);
	for (; n < s->len && atom(s->at[n]); n++)
		add(i, s->at[n]);
	*s = span_from(*s, n);
}

/* A quoted word; of a fold in it the blank stays (RFC 5322 3.2.4). */
static void take_quoted(struct item *i, struct span *s)
{
	size_t n = 1;

	enter_word(i, true);
	for (; n < s->len && s->at[n] != '"'; n++) {
		bool fold = s->at[n] == '\n' || (s->at[n] == '\r' && n + 1 < s->len && s->at[n + 1] == '\n');

		if (fold)
			continue;
		if (s->at[n] == '\\' && n + 1 < s->len)
			n++;
		if (control(s->at[n]))
			i->bad = true;
		else
			add(i, s->at[n]);
	}
	if (n == s->len)
		i->spoilt = true;
	*s = span_from(*s, n + 1);
}

/* [192.0.2.1] */
static void take_literal(struct item *i, struct span *s)
{
	size_t n = 1;

	i->bad |= i->part != AT;
	i->part = LITERAL;
	add(i, '[');
	for (; n < s->len && s->at[n] != ']' && s->at[n] != ',' && s->at[n] != ';'; n++) {
		if (atom(s->at[n]) || s->at[n] == '.' || s->at[n] == ':')
			add(i, s->at[n]);
		else
			i->bad |= !space(s->at[n]);
	}
	if (n == s->len || s->at[n] != ']') {
		i->spoilt = true;
		*s = span_from(*s, n);
		return;
	}
	i->bad |= n == 1;
	add(i, ']');
	*s = span_from(*s, n + 1);
}

static void take_dot(struct item *i)
{
	add(i, '.');
	if (i->part == LOCAL)
		i->part = LOCAL_DOT;
	else if (i->part == DOMAIN)
		i->part = DOMAIN_DOT;
	else if (i->part != LOCAL_DOT)
		i->bad = true;
}

static void take_at(struct item *i)
{
	if (i->angle && i->part == NOTHING && !i->bad) {
		i->route = true;
		return;
	}
	i->bad |= (i->part != LOCAL && i->part != LOCAL_DOT) || !i->address->len;
	i->part = AT;
	i->address->local = i->address->len;
	add(i, '@');
}

static void take_special(struct item *i, char c)
{
	switch (c) {
	case '.':
		take_dot(i);
		return;
	case '@':
		take_at(i);
		return;
	case '<':
		i->spoilt |= i->angle;
		i->angle = true;
		begin(i);
		return;
	case '>':
		i->spoilt |= !i->angle || i->closed || i->route;
		i->closed = true;
		return;
	case ':':			/* the end of a group's name */
		if (i->angle || i->part >= AT)
			i->spoilt = true;
		else
			begin(i);
		return;
	default:
		i->bad = true;
	}
}

/* Between '<' and the ':' of a route there are names of hosts and commas. */
static bool in_route(struct item *i, char c)
{
	if (!i->route || c == '>' || c == '<' || c == ';')
		return false;
	if (c == ':') {
		i->route = false;
		begin(i);
	}
	return true;
}

static void take(struct item *i, struct span *s)
{
	char c = s->at[0];

	if (space(c)) {
		*s = span_from(*s, 1);
	} else if (c == '(') {
		i->spoilt |= !pass_comment(s);
	} else if (in_route(i, c) || (i->closed && c != '<' && c != '>' && c != '"')) {
		i->spoilt |= c == '@' && i->closed;
		*s = span_from(*s, 1);
	} else if (c == '"') {
		struct address was;
		struct item aside = { .address = &was };

		begin(&aside);
		take_quoted(i->closed ? &aside : i, s);
		i->spoilt |= aside.spoilt;
	} else if (c == '[') {
		take_literal(i, s);
	} else if (atom(c)) {
		take_atom(i, s);
	} else {
		take_special(i, c);
		*s = span_from(*s, 1);
	}
}

static bool good(struct item *i)
{
	struct address *a = i->address;

	if (i->spoilt || i->bad || (i->angle && !i->closed))
		return false;
	if (i->part == LOCAL)
		a->local = a->len;
	else if (i->part != DOMAIN && i->part != LITERAL)
		return false;
	return a->local > 0;
}

static bool empty(const struct item *i)
{
	return i->part == NOTHING && !i->bad && !i->spoilt && !i->angle;
}

enum addresses_what addresses_any(struct span *list, struct address *address)
{
	while (list->len) {
		struct item item = { .address = address };

		begin(&item);
		while (list->len && ((list->at[0] != ',' && list->at[0] != ';') || (item.route && list->at[0] == ',')))
			take(&item, list);
		*list = span_from(*list, 1);
		if (empty(&item))
			continue;
		if (!good(&item))
			return ADDRESSES_BAD;
		assert(address->len <= ADDRESS_MAX && address->local <= address->len);
		address->text[address->len] = '\0';
		return ADDRESSES_ONE;
	}
	return ADDRESSES_END;
}

bool addresses_next(struct span *list, struct address *address)
{
	enum addresses_what what;

	do
		what = addresses_any(list, address);
	while (what == ADDRESSES_BAD);
	return what == ADDRESSES_ONE;
}
