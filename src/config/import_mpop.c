/* SPDX-License-Identifier: Apache-2.0
 *
 * mpop's configuration (mpop(1), "USAGE"): lines of a command and perhaps an argument,
 * in accounts; an account begins as the defaults are then, and as the accounts it inherits from. */
#include <stdio.h>

#include "config/import_target.h"

enum own { PROXY_HOST = 1, PROXY_PORT, TIMEOUT, PIPELINING, AUTH, PASSWORDEVAL, TLS, STARTTLS, TRUST, CERTCHECK, FINGERPRINT, DELIVERY,
	ONLY_NEW, KEEP, KILLSIZE, SKIPSIZE };

static const struct import_row rows[] = {
	{ "host",              IMPORT_TEXT, .key = "host" },
	{ "port",              IMPORT_NUMBER, .key = "port" },
	{ "source_ip",         IMPORT_TEXT, .key = "source_address" },
	{ "proxy_host",        IMPORT_OWN, .key = "proxy", .becomes = "socks5://HOST:PORT", .own = PROXY_HOST },
	{ "proxy_port",        IMPORT_OWN, .key = "proxy", .becomes = "its port, else 1080", .own = PROXY_PORT },
	{ "socket",            IMPORT_LOST, .becomes = "a server behind a Unix socket cannot be visited" },
	{ "timeout",           IMPORT_OWN, .key = "timeout", .becomes = "in seconds; off: a comment", .own = TIMEOUT },
	{ "pipelining",        IMPORT_OWN, .becomes = "auto and on are so anyway; off: a comment", .own = PIPELINING },
	{ "auth",              IMPORT_OWN, .key = "auth", .becomes = "that mechanism; on: auto", .own = AUTH },
	{ "user",              IMPORT_TEXT, .key = "user" },
	{ "password",          IMPORT_TEXT, .key = "password" },
	{ "passwordeval",      IMPORT_OWN, .key = "password", .becomes = "command:CMD", .own = PASSWORDEVAL },
	{ "ntlmdomain",        IMPORT_LOST, .becomes = "there is no NTLM domain" },
	{ "tls",               IMPORT_OWN, .key = "tls.mode", .becomes = "on: explicit, or implicit with tls_starttls off; off: none, and allow_cleartext", .own = TLS },
	{ "tls_starttls",      IMPORT_OWN, .key = "tls.mode", .becomes = "see tls", .own = STARTTLS },
	{ "tls_nocertcheck",   IMPORT_LOST, .becomes = "an old word; write tls { verify_server = false } if that is still wanted" },
	{ "tls_trust_file",    IMPORT_OWN, .key = "tls.ca_certificates", .becomes = "a path; system: left out", .own = TRUST },
	{ "tls_crl_file",      IMPORT_TEXT, .key = "tls.crl" },
	{ "tls_fingerprint",   IMPORT_OWN, .becomes = "a comment: it is of the certificate, tls.pin of the key", .own = FINGERPRINT },
	{ "tls_key_file",      IMPORT_TEXT, .key = "tls.key" },
	{ "tls_cert_file",     IMPORT_TEXT, .key = "tls.certificate" },
	{ "tls_certcheck",     IMPORT_OWN, .key = "tls.verify_server", .becomes = "off: false, and verify_host", .own = CERTCHECK },
	{ "tls_priorities",    IMPORT_LOST, .becomes = "GnuTLS's priorities are not OpenSSL's; see tls.min, tls.ciphers, tls.ciphersuites" },
	{ "tls_host_override", IMPORT_LOST, .becomes = "the name in the certificate is that of host; write that one as host, or tls.pin" },
	{ "tls_min_dh_prime_bits", IMPORT_LOST, .becomes = "what is safe, OpenSSL knows" },
	{ "delivery",          IMPORT_OWN, .key = "deliver", .becomes = "maildir: maildir:PATH; mda: a target of type command; exchange: of type folder; mbox: a comment", .own = DELIVERY },
	{ "uidls_file",        IMPORT_LOST, .becomes = "what was fetched stands in the ledger; `postrider baseline` marks what is there now as known" },
	{ "only_new",          IMPORT_OWN, .becomes = "on is so anyway; off: a comment", .own = ONLY_NEW },
	{ "keep",              IMPORT_OWN, .key = "after", .becomes = "on: keep; off: delete", .own = KEEP },
	{ "killsize",          IMPORT_OWN, .key = "max_size", .becomes = "a comment: nothing is deleted that was not delivered; what is larger stays", .own = KILLSIZE },
	{ "skipsize",          IMPORT_OWN, .key = "max_size", .becomes = "a size; off: none", .own = SKIPSIZE },
	{ "filter",            IMPORT_LOST, .becomes = "there is no filter before a message is fetched" },
	{ "received_header",   IMPORT_LOST, .becomes = "no Received field is added: messages come as they are" },
	{ "eval",              IMPORT_LOST, .becomes = "nothing is run while a configuration is read; write what it prints, for a password command:CMD" },
	{ 0 }
};

struct account {
	struct account *next;
	const char *name;
	struct import_items items;
	uint32_t line;
};

struct reading {
	struct import *in;
	struct import_items defaults;
	struct account *accounts, **last;
	struct import_items *now;	/* what the next command goes into */
};

struct wanted {			/* of an account, from several words */
	bool tls, starttls, checked, trusted;
	uint32_t tls_line, check_line;
	const char *proxy_host, *proxy_port;
	uint32_t proxy_line;
};

static struct account *find(const struct reading *r, struct span name)
{
	struct account *a = r->accounts;

	while (a && !span_equal(span_of(a->name), name))
		a = a->next;
	return a;
}

/* account NAME [: NAME, …] */
static bool account(struct reading *r, struct span rest, uint32_t line, struct err *e)
{
	size_t colon = span_find(rest, ':');
	struct span name = span_trim((struct span){ rest.at, colon }), bases = span_from(rest, colon + 1);
	struct account *a = arena_take(r->in->arena, sizeof *a);

	if (!name.len)
		return import_wrong(r->in, line, e, "account has no name");
	if (find(r, name))
		return import_wrong(r->in, line, e, "account %.*s is there already", (int)(name.len < VALUE_SHOWN ? name.len : VALUE_SHOWN), name.at);
	if (!import_count(r->in, line, e))
		return false;
	*a = (struct account){ .name = arena_text(r->in->arena, name), .line = line };
	import_append(r->in, &a->items, &r->defaults);
	while (bases.len) {
		size_t comma = span_find(bases, ',');
		struct span base = span_trim((struct span){ bases.at, comma });
		const struct account *from = find(r, base);

		if (!from)
			return import_wrong(r->in, line, e, "account %.*s is not there yet", (int)(base.len < VALUE_SHOWN ? base.len : VALUE_SHOWN), base.at);
		import_append(r->in, &a->items, &from->items);
		bases = span_from(bases, comma + 1);
	}
	*r->last = a;
	r->last = &a->next;
	r->now = &a->items;
	return true;
}

static struct span unquoted(struct span s)
{
	s = span_trim(s);
	return s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"' ? (struct span){ s.at + 1, s.len - 2 } : s;
}

static bool command(struct reading *r, struct span line, uint32_t number, struct err *e)
{
	const struct import_row *row;
	struct span word;

	if (!span_word(&line, &word) || word.at[0] == '#')
		return true;
	if (span_equal(word, SPAN("account")))
		return account(r, unquoted(line), number, e);
	if (span_equal(word, SPAN("defaults"))) {
		r->now = &r->defaults;
		return true;
	}
	row = import_row(rows, word, false);
	if (!row)
		import_unknown(r->in, NULL, number, word);
	else if (!r->now)
		return import_wrong(r->in, number, e, "%s stands before the first account; write account NAME, or defaults, above it", row->word);
	else
		import_item(r->in, r->now, row, import_texts(r->in->arena, unquoted(line)), number);
	return true;
}

/* --- what becomes of an account --- */

static void size(struct import *in, struct draft_section *s, const struct import_item *item)
{
	const char *text = item->values.at[0];
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	if (strcmp(text, "off") == 0)
		draft_unset(s, "max_size");
	else if (!digits || (unit[0] && (!strchr("kKmM", unit[0]) || unit[1])))
		draft_note(&in->draft, s, item->line, item->row->word, "%.*s is no size", VALUE_SHOWN, text);
	else if (strspn(text, "0") == digits)
		draft_note(&in->draft, s, item->line, item->row->word, "a size of 0 would skip everything; not carried over");
	else
		(void)draft_set(&in->draft, s, "max_size", import_print(in->arena, "%.*s%s", (int)digits, text, !unit[0] ? "B" : strchr("kK", unit[0]) ? "KB" : "MB"),
			item->line);
}

static void deliver(struct import *in, struct draft_section *s, const struct import_item *item)
{
	static const struct import_fact facts[] = { { 'F', "POSTRIDER_SENDER", NULL } };
	struct span rest = span_of(item->values.at[0]), method;
	struct draft_section *t;
	const char *where;

	draft_unset(s, "deliver");
	if (!span_word(&rest, &method))
		return;
	where = arena_text(in->arena, unquoted(rest));
	if (span_equal(method, SPAN("maildir"))) {
		(void)import_to_maildir(in, s, where, "delivery", item->line);
	} else if (span_equal(method, SPAN("mda"))) {
		import_shell(in, s, "mda", where, facts, COUNT(facts), item->line);
	} else if (span_equal(method, SPAN("exchange")) && where[0]) {
		t = draft_target(&in->draft, "pickup", item->line);
		(void)draft_set(&in->draft, t, "type", "folder", item->line);
		if (draft_set(&in->draft, t, "path", where, item->line))
			import_deliver(in, s, t, item->line);
		else
			t->left_out = true;
	} else {
		draft_note(&in->draft, s, item->line, "delivery", "%.*s cannot be delivered to", (int)(method.len < VALUE_SHOWN ? method.len : VALUE_SHOWN), method.at);
	}
}

/* Words of on and off; an empty argument is on. */
static void truth(struct import *in, struct draft_section *s, struct wanted *w, const struct import_item *item)
{
	bool on;

	if (!import_truth(item->values.at[0], &on) && strcmp(item->values.at[0], "auto") != 0) {
		draft_note(&in->draft, s, item->line, item->row->word, "%.*s is neither on nor off", VALUE_SHOWN, item->values.at[0]);
		return;
	}
	switch ((enum own)item->row->own) {
	case TLS:
		w->tls = on;
		w->tls_line = item->line;
		return;
	case STARTTLS:
		w->starttls = on;
		return;
	case CERTCHECK:
		w->checked = on;
		w->check_line = item->line;
		return;
	case KEEP:
		(void)draft_set(&in->draft, s, "after", on ? "keep" : "delete", item->line);
		return;
	case ONLY_NEW:
		if (!on)
			draft_note(&in->draft, s, item->line, item->row->word, "each message comes once; `postrider rescan` fetches all again");
		return;
	case PIPELINING:
		if (strcmp(item->values.at[0], "off") == 0)
			draft_note(&in->draft, s, item->line, item->row->word, "commands are always pipelined where the server allows it");
		return;
	case PROXY_HOST: case PROXY_PORT: case TIMEOUT: case AUTH: case PASSWORDEVAL: case TRUST: case FINGERPRINT: case DELIVERY: case KILLSIZE: case SKIPSIZE:
		return;
	}
}

static void own(struct import *in, struct draft_section *s, struct wanted *w, const struct import_item *item)
{
	const char *text = item->values.at[0];

	switch ((enum own)item->row->own) {
	case TLS: case STARTTLS: case CERTCHECK: case KEEP: case ONLY_NEW: case PIPELINING:
		truth(in, s, w, item);
		return;
	case PROXY_HOST:
		w->proxy_host = text[0] ? text : NULL;
		w->proxy_line = item->line;
		return;
	case PROXY_PORT:
		w->proxy_port = text[0] ? text : NULL;
		return;
	case TIMEOUT:
		if (strcmp(text, "off") == 0)
			draft_note(&in->draft, s, item->line, item->row->word, "there is always one; %s is the default", "60s");
		else
			(void)draft_set(&in->draft, s, "timeout", import_print(in->arena, "%ss", text), item->line);
		return;
	case AUTH:
		draft_unset(s, "auth");
		if (text[0] && strcmp(text, "on") != 0)
			(void)draft_add(&in->draft, s, "auth", text, item->line);
		return;
	case PASSWORDEVAL:
		if (text[0])
			(void)draft_set(&in->draft, s, "password", import_print(in->arena, "command:%s", text), item->line);
		return;
	case TRUST:
		w->trusted = text[0];
		draft_unset(s, "tls.ca_certificates");
		if (text[0] && strcmp(text, "system") != 0)
			(void)draft_set(&in->draft, s, "tls.ca_certificates", text, item->line);
		return;
	case FINGERPRINT:
		if (text[0])
			draft_note(&in->draft, s, item->line, item->row->word, "it is of the certificate; `postrider trust show HOST` says what tls.pin takes. Until then the authorities count");
		return;
	case DELIVERY:
		deliver(in, s, item);
		return;
	case KILLSIZE:
		if (strcmp(text, "off") != 0)
			draft_note(&in->draft, s, item->line, item->row->word, "nothing is deleted that was not delivered; max_size leaves what is larger on the server");
		return;
	case SKIPSIZE:
		size(in, s, item);
		return;
	}
}

static void finish(struct import *in, struct draft_section *s, const struct wanted *w)
{
	if (w->proxy_host)
		(void)draft_set(&in->draft, s, "proxy", import_print(in->arena, strchr(w->proxy_host, ':') ? "socks5://[%s]:%s" : "socks5://%s:%s", w->proxy_host,
			w->proxy_port ? w->proxy_port : "1080"), w->proxy_line);
	if (!w->tls) {
		(void)draft_set(&in->draft, s, "tls.mode", "none", w->tls_line);
		import_in_clear(in, s, w->tls_line);
		return;
	}
	if (w->starttls)
		(void)draft_set(&in->draft, s, "tls.mode", "explicit", w->tls_line);
	if (!w->checked)
		import_unverified(in, s, w->check_line);
	else if (!w->trusted)
		draft_note(&in->draft, s, w->tls_line, "tls_trust_file", "it is empty; here the system's authorities count");
}

static void write_account(struct import *in, const struct account *a)
{
	struct draft_section *s = draft_connection(&in->draft, a->name, a->line);
	struct wanted w = { .starttls = true, .checked = true, .trusted = true, .tls_line = a->line };

	(void)draft_set(&in->draft, s, "protocol", "pop3", a->line);
	for (const struct import_item *item = a->items.first; item; item = item->next)
		if (!import_apply(in, s, item))
			own(in, s, &w, item);
	finish(in, s, &w);
}

bool import_mpop(struct import *in, struct span text, struct err *e)
{
	struct reading r = { .in = in };
	uint32_t number = 0;
	struct span line;

	r.last = &r.accounts;
	while (import_line(&text, &line))
		if (!command(&r, line, ++number, e))
			return false;
	for (const struct account *a = r.accounts; a; a = a->next)
		write_account(in, a);
	return true;
}
