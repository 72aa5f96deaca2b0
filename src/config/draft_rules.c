/* SPDX-License-Identifier: Apache-2.0 */
#include "config/draft_rules.h"

#include <stdio.h>

#include "config/versions.h"

const char *draft_default_port(const struct draft_section *s)
{
	const char *protocol = draft_get(s, "protocol"), *mode = draft_get(s, "tls.mode");
	bool implicit = !mode || strcmp(mode, "implicit") == 0;

	if (!protocol)
		return NULL;
	if (strcmp(protocol, "imap") == 0)
		return implicit ? "993" : "143";
	return implicit ? "995" : "110";
}

static bool is(const struct draft_section *s, const char *key, const char *value)
{
	const char *text = draft_get(s, key);

	return text && strcmp(text, value) == 0;
}

static const struct draft_key *key_of(const struct draft_section *s, const char *key)
{
	const struct draft_key *k = s->keys;

	while (k && strcmp(k->given.name, key) != 0)
		k = k->next;
	return k;
}

static bool lists(const struct draft_section *s, const char *key, const char *value)
{
	const struct draft_key *k = key_of(s, key);

	for (size_t n = 0; k && n < k->given.values.count; n++)
		if (strcmp(k->given.values.at[n], value) == 0)
			return true;
	return false;
}

static void away(struct draft *d, struct draft_section *s, const char *key, const char *why)
{
	const struct draft_key *k = key_of(s, key);

	if (!k)
		return;
	draft_note(d, s, k->line, key, "not carried over: %s", why);
	draft_unset(s, key);
}

static void versions(struct draft *d, struct draft_section *s)
{
	const char *every[] = { "All" };
	const struct texts all = { every, 1 };
	const struct draft_key *protocols = key_of(s, "tls.protocols");
	const char *min = draft_get(s, "tls.min"), *max = draft_get(s, "tls.max");
	uint32_t from = VERSION_NOT_SET, to = VERSION_NOT_SET;
	unsigned bits = 0;
	struct err e;

	if (versions_words(protocols ? &protocols->given.values : &all, false, &bits, &e) &&
	    (!min || versions_parse(min, &from, &e)) && (!max || versions_parse(max, &to, &e)) &&
	    (!from || from >= VERSION_TLS_1_2) && (!to || to >= VERSION_TLS_1_2) && versions_bounded(bits, from, to))
		return;
	away(d, s, "tls.protocols", "these versions of TLS leave none that is safe");
	away(d, s, "tls.min", "these versions of TLS leave none that is safe");
	away(d, s, "tls.max", "these versions of TLS leave none that is safe");
}

static void tls(struct draft *d, struct draft_section *s)
{
	if (draft_get(s, "tls.key") && !draft_get(s, "tls.certificate"))
		away(d, s, "tls.key", "a key needs its certificate");
	if (lists(s, "auth", "external") && !draft_get(s, "tls.certificate"))
		away(d, s, "auth", "external needs a client certificate");
	versions(d, s);
}

/* What check.c does not take of an IMAP search. */
static bool odd_search(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '{')
			return true;
	return false;
}

static void selection(struct draft *d, struct draft_section *s)
{
	const char *search = draft_get(s, "search"), *after = draft_get(s, "after");

	if (search && odd_search(search))
		away(d, s, "search", "it has literals or characters outside ASCII");
	if (after && strncmp(after, "move:", 5) == 0 && (lists(s, "mailbox", after + 5) || (strcmp(after, "move:INBOX") == 0 && !key_of(s, "mailbox"))))
		away(d, s, "after", "it would move mail out of a folder into itself; mail is kept");
	if (after && strncmp(after, "move:", 5) == 0 && is(s, "protocol", "pop3"))
		away(d, s, "after", "POP3 has no folders");
	if (draft_get(s, "delete_after") && !is(s, "after", "keep"))
		away(d, s, "delete_after", "it goes with mail that is kept");
}

static void delivery(struct draft *d, struct draft_section *s)
{
	const struct draft_key *k = key_of(s, "deliver");
	char place[2 * VALUE_SHOWN];

	if (k && k->given.values.count > SETTINGS_DELIVER_MAX) {
		draft_note(d, s, k->line, "deliver", "only the first %d of %zu targets are carried over", SETTINGS_DELIVER_MAX, k->given.values.count);
		draft_cut(s, "deliver", SETTINGS_DELIVER_MAX);
	}
	if (k)
		return;
	(void)snprintf(place, sizeof place, "maildir:~/Mail/%s", s->name);
	draft_note(d, s, s->line, "deliver", "where its mail went cannot be carried over; say where it shall go, then enable it");
	(void)draft_set(d, s, "enabled", "false", s->line);
	(void)draft_set(d, s, "deliver", place, s->line);
}

static void connection(struct draft *d, struct draft_section *s)
{
	static const char *const needed[] = { "protocol", "host", "user" };

	for (size_t n = 0; n < COUNT(needed); n++) {
		if (draft_get(s, needed[n]))
			continue;
		draft_note(d, s, s->line, "not written", "it has no %s", needed[n]);
		s->left_out = true;
		return;
	}
	tls(d, s);
	selection(d, s);
	delivery(d, s);
}

static void target(struct draft *d, struct draft_section *s)
{
	bool smtp = is(s, "type", "smtp"), lmtp = is(s, "type", "lmtp");

	if (!smtp && !lmtp)
		return;
	tls(d, s);
	if (!draft_get(s, "envelope.recipients") && !draft_get(s, "envelope.headers") && !draft_get(s, "envelope.source_domain"))
		(void)draft_set(d, s, "envelope.no_recipient", "hold", s->line);
}

void draft_rules(struct draft *d, struct draft_section *s)
{
	if (strcmp(s->what, "connection") == 0)
		connection(d, s);
	else
		target(d, s);
}
