/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection from the command line: URL --to TARGET --KEY VALUE… (RFC 1738). */
#include <stdio.h>
#include <strings.h>

#include "config/build.h"
#include "config/host.h"
#include "config/nearest.h"
#include "config/read.h"

static const struct scheme {
	struct span prefix;
	const char *protocol, *mode;
	uint16_t port;
} schemes[] = {
	{ SPAN("pop3://"),  "pop3", "none",     110 },
	{ SPAN("pop3s://"), "pop3", "implicit", 995 },
	{ SPAN("imap://"),  "imap", "none",     143 },
	{ SPAN("imaps://"), "imap", "implicit", 993 },
};

struct url {
	const struct scheme *scheme;
	const char *user, *host, *box;	/* decoded; NULL = not there */
};

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

static bool decode(struct arena *a, struct span s, const char **text, struct err *e)
{
	char *to = arena_take(a, s.len + 1);

	*text = to;
	for (size_t n = 0; n < s.len; n++) {
		bool escaped = s.at[n] == '%';
		int high = escaped && n + 2 < s.len ? digit(s.at[n + 1]) : -1, low = escaped && n + 2 < s.len ? digit(s.at[n + 2]) : -1;

		if (escaped && (high < 0 || low < 0 || !(high | low)))
			return err_set(e, ERR_CONFIG, "a %% in the URL has no two hexadecimal digits behind it (or two zeros); write %%25 for the sign itself");
		*to++ = s.at[n];
		if (escaped)
			to[-1] = (char)(high * 16 + low);
		n += escaped ? 2 : 0;
	}
	return true;
}

/* So that the name of the connection is the same however the URL was written. */
static const char *encode(struct arena *a, const char *text)
{
	char *to = arena_take(a, 3 * strlen(text) + 1), *start = to;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c > ' ' && c < 0x7f && !strchr("%'\"|/:?#", c))
			*to++ = *text;
		else
			to += snprintf(to, 4, "%%%02X", c);
	}
	return start;
}

static bool split(struct arena *a, const char *text, struct url *u, struct err *e)
{
	struct span rest = span_of(text), authority;
	size_t end, sign = 0;

	for (u->scheme = schemes; u->scheme < schemes + COUNT(schemes); u->scheme++)
		if (span_starts_nocase(rest, u->scheme->prefix))
			break;
	if (u->scheme == schemes + COUNT(schemes))
		return err_set(e, ERR_CONFIG, "this URL is of no kind that is known; write pop3s://USER@HOST, or pop3://, imap://, imaps://");
	rest = span_from(rest, u->scheme->prefix.len);
	end = strcspn(rest.at, "/?#");
	authority = (struct span){ rest.at, end };
	rest = span_from(rest, end);
	for (size_t n = 0; n < authority.len; n++)
		sign = authority.at[n] == '@' ? n + 1 : sign;
	if (sign && span_find((struct span){ authority.at, sign }, ':') < sign)
		return err_set(e, ERR_CONFIG, "a password does not belong into a URL, where others see it; leave it out and write --password-file FILE (a : in the user's name is %%3A)");
	if (sign > 1 && !decode(a, (struct span){ authority.at, sign - 1 }, &u->user, e))
		return false;
	authority = span_from(authority, sign);
	if (authority.len)
		u->host = arena_text(a, authority);
	if (rest.len && rest.at[0] != '/')
		return err_set(e, ERR_CONFIG, "a URL of a mailbox ends without ? and #; write them as %%3F and %%23");
	rest = span_from(rest, 1);
	if (span_find(rest, '?') < rest.len || span_find(rest, '#') < rest.len)
		return err_set(e, ERR_CONFIG, "a URL of a mailbox ends without ? and #; write them as %%3F and %%23");
	if (rest.len && strcmp(u->scheme->protocol, "pop3") == 0)
		return err_set(e, ERR_CONFIG, "POP3 has one mailbox without a name; write the URL without a path");
	return !rest.len || decode(a, rest, &u->box, e);
}

static const char *last_value(const struct key_value *keys, size_t count, const char *key)
{
	for (size_t n = count; n; n--)
		if (strcmp(keys[n - 1].key, key) == 0)
			return keys[n - 1].value;
	return NULL;
}

static void give(struct section *to, const char *key, const char *value, struct arena *a)
{
	struct given g = { .name = key };

	if (!value || !option_find(connection_rows, span_of(key), &g) || g.option->type == OPTION_SECTION)
		return;
	g.values = option_split(g.option, value, a);
	to->given[to->count++] = g;
}

static void give_keys(struct section *to, const struct key_value *keys, size_t count, struct report *r)
{
	for (size_t n = 0; n < count; n++) {
		const char *name = NULL;
		unsigned best = NEAREST_MAX;

		if (settings_is_key(keys[n].key)) {
			give(to, arena_text(r->arena, span_of(keys[n].key)), keys[n].value, r->arena);
			continue;
		}
		for (const struct option *o = connection_rows; o->name; o++)
			if (o->type != OPTION_SECTION && nearest_better(span_of(keys[n].key), span_of(o->name), &best))
				name = o->name;
		report_error(r, (struct where){ 0 }, "--%.*s: unknown key; %s%s", VALUE_SHOWN, keys[n].key,
			name ? "the nearest one is --" : "leave it out", name ? name : "");
	}
}

/* scheme://user@host[:port][/box] */
static const char *name_of(struct arena *a, const struct url *u, const char *user, const char *host, uint16_t port)
{
	const char *where = host_text(a, host, port == u->scheme->port ? 0 : port);
	const char *who = encode(a, user), *box = u->box ? encode(a, u->box) : "";
	size_t size = u->scheme->prefix.len + strlen(who) + strlen(where) + strlen(box) + 3;
	char *name = arena_take(a, size);

	(void)snprintf(name, size, "%s%s@%s%s%s", u->scheme->prefix.at, who, where, *box ? "/" : "", box);
	return name;
}

/* A target is one text, whatever commas it has. */
static void give_target(struct section *to, const char *target, struct arena *a)
{
	struct given g = { .name = "deliver" };

	if (!target || !option_find(connection_rows, SPAN("deliver"), &g))
		return;
	g.values = (struct texts){ arena_take(a, sizeof *g.values.at), 1 };
	g.values.at[0] = arena_text(a, span_of(target));
	to->given[to->count++] = g;
}

static bool connect_by_url(struct settings *s, const char *text, const char *to, const struct key_value *keys, size_t count, struct report *r)
{
	struct arena *a = &s->arena;
	struct section section = { .what = "connection", .given = arena_take(a, (count + 8) * sizeof *section.given) };
	struct url u = { 0 };
	const char *user, *host = NULL;
	uint16_t port = 0;
	struct err e;

	if (!split(a, text, &u, &e)) {
		report_error(r, (struct where){ 0 }, "%s", e.text);
		return false;
	}
	user = last_value(keys, count, "user") ? last_value(keys, count, "user") : u.user;
	if (!u.host || !host_read(a, u.host, &host, &port, &e)) {
		report_error(r, (struct where){ 0 }, "%s; write %sUSER@HOST", u.host ? e.text : "the URL names no host", u.scheme->prefix.at);
		return false;
	}
	if (!user) {
		report_error(r, (struct where){ 0 }, "the URL names no user; write %sUSER@%s", u.scheme->prefix.at, host);
		return false;
	}
	section.title = name_of(a, &u, user, host, port);
	give(&section, "protocol", u.scheme->protocol, a);
	give(&section, "tls.mode", u.scheme->mode, a);
	give(&section, "host", u.host, a);
	give(&section, "user", user, a);
	give(&section, "mailbox", u.box, a);
	give_target(&section, to, a);
	give_keys(&section, keys, count, r);
	(void)build_connection(s, &section, r);
	return true;
}

bool settings_url(struct settings *s, const char *url, const char *to, const struct key_value *keys, size_t count, struct buf *report)
{
	struct report r;
	bool good;

	report_start(&r, &s->arena);
	good = connect_by_url(s, url, to, keys, count, &r) && !r.wrong;
	report_errors(&r, report);
	report_warnings(&r, s);
	report_end(&r);
	return good;
}

bool settings_is_key(const char *key)
{
	struct given g;

	return option_find(connection_rows, span_of(key), &g) && g.option->type != OPTION_SECTION;
}
