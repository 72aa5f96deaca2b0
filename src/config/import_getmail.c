/* SPDX-License-Identifier: Apache-2.0
 *
 * getmail's configuration (getmail6, "Configuring getmail"): an ini file of one account, a
 * section for the server, one for the options, and one for each destination. */
#include <ctype.h>
#include <strings.h>

#include "config/import_getmail.h"

static const struct import_row retriever[] = {
	{ "type",                IMPORT_OWN, .key = "protocol", .becomes = "by the table of types", .own = GETMAIL_TYPE },
	{ "server",              IMPORT_TEXT, .key = "host" },
	{ "username",            IMPORT_TEXT, .key = "user" },
	{ "port",                IMPORT_NUMBER, .key = "port" },
	{ "password",            IMPORT_TEXT, .key = "password" },
	{ "password_command",    IMPORT_OWN, .key = "password", .becomes = "command:CMD, its words quoted", .own = GETMAIL_PASSWORD_COMMAND },
	{ "mailboxes",           IMPORT_OWN, .key = "mailbox", .becomes = "its elements; ALL: \"*\"", .own = GETMAIL_MAILBOXES },
	{ "use_peek",            IMPORT_OWN, .becomes = "true is so anyway; false: a comment", .own = GETMAIL_PEEK },
	{ "move_on_delete",      IMPORT_OWN, .key = "after", .becomes = "move:FOLDER, where delete is on", .own = GETMAIL_MOVE },
	{ "imap_search",         IMPORT_OWN, .key = "search", .becomes = "itself; ALL: left out; UNSEEN: pull = unread", .own = GETMAIL_SEARCH },
	{ "imap_on_delete",      IMPORT_OWN, .key = "after", .becomes = "\\Seen alone, where delete is on: seen", .own = GETMAIL_ON_DELETE },
	{ "timeout",             IMPORT_SECONDS, .key = "timeout" },
	{ "use_apop",            IMPORT_OWN, .key = "auth", .becomes = "true: {\"apop\"}", .own = GETMAIL_APOP },
	{ "use_xoauth2",         IMPORT_OWN, .key = "auth", .becomes = "true: {\"xoauth2\"}", .own = GETMAIL_XOAUTH2 },
	{ "use_kerberos",        IMPORT_OWN, .key = "auth", .becomes = "true: {\"gssapi\"}", .own = GETMAIL_KERBEROS },
	{ "keyfile",             IMPORT_TEXT, .key = "tls.key" },
	{ "certfile",            IMPORT_TEXT, .key = "tls.certificate" },
	{ "ca_certs",            IMPORT_TEXT, .key = "tls.ca_certificates" },
	{ "ssl_ciphers",         IMPORT_TEXT, .key = "tls.ciphers" },
	{ "ssl_version",         IMPORT_OWN, .key = "tls.min", .becomes = "tlsv1_2: TLSv1.2 alone; older: a comment", .own = GETMAIL_SSL_VERSION },
	{ "ssl_fingerprints",    IMPORT_LOST, .becomes = "they are of certificates; `postrider trust show HOST` says what tls.pin takes" },
	{ "ssl_cert_hostname",   IMPORT_LOST, .becomes = "the name in the certificate is that of host; write that one as host, or tls.pin" },
	{ "envelope_recipient",  IMPORT_OWN, .key = "envelope.headers", .becomes = "the name of the field", .own = GETMAIL_ENVELOPE },
	{ "delete_dup_msgids",   IMPORT_LOST, .becomes = "messages with one id are told apart by their content, and none is deleted unread" },
	{ "record_mailbox",      IMPORT_LOST, .becomes = "no field is added: messages come as they are" },
	{ "use_netrc",           IMPORT_LOST, .becomes = "there is no netrc; write user and password" },
	{ 0 }
};

static const struct import_row options[] = {
	{ "delete",                   IMPORT_OWN, .key = "after", .becomes = "true: delete (or as move_on_delete, imap_on_delete say); false: keep", .own = GETMAIL_DELETE },
	{ "delete_after",             IMPORT_OWN, .key = "delete_after", .becomes = "in days", .own = GETMAIL_DELETE_AFTER },
	{ "read_all",                 IMPORT_OWN, .becomes = "each message comes once; true with mail that stays: a comment", .own = GETMAIL_READ_ALL },
	{ "max_message_size",         IMPORT_OCTETS, .key = "max_size" },
	{ "max_messages_per_session", IMPORT_NUMBER, .key = "max_messages" },
	{ "max_bytes_per_session",    IMPORT_LOST, .becomes = "a visit is limited by messages (max_messages), not by octets" },
	{ "delete_bigger_than",       IMPORT_LOST, .becomes = "what happens to mail does not depend on its size" },
	{ "delivered_to",             IMPORT_OWN, .becomes = "false is so anyway; true: a comment", .own = GETMAIL_ADDED },
	{ "received",                 IMPORT_OWN, .becomes = "false is so anyway; true: a comment", .own = GETMAIL_ADDED },
	{ "verbose",                  IMPORT_LOST, .becomes = "it is an option of the command: -v, -q" },
	{ "message_log",              IMPORT_LOST, .becomes = "write log { to = \"PATH\" }; `postrider history` tells what became of each message" },
	{ "message_log_verbose",      IMPORT_LOST, .becomes = "write log { level = info }" },
	{ "message_log_syslog",       IMPORT_LOST, .becomes = "the log goes to standard error, which systemd keeps" },
	{ "logfile",                  IMPORT_LOST, .becomes = "write log { to = \"PATH\" }" },
	{ "use_netrc",                IMPORT_OWN, .becomes = "false is so anyway; true: a comment", .own = GETMAIL_NETRC },
	{ "netrc_file",               IMPORT_LOST, .becomes = "there is no netrc; write user and password" },
	{ "to_oldmail_on_each_mail",  IMPORT_SAME, .becomes = "the ledger is durable, message by message" },
	{ "skip_imap_fetch_size",     IMPORT_SAME, .becomes = "sizes are asked for where they are needed" },
	{ "fingerprint",              IMPORT_LOST, .becomes = "`postrider trust show HOST` says what tls.pin takes" },
	{ 0 }
};

static const struct type {
	const char *name;
	bool imap, tls, multi;
	const char *why;	/* what of it is lost */
} types[] = {
	{ "SimplePOP3Retriever",        false, false, false, NULL },
	{ "BrokenUIDLPOP3Retriever",    false, false, false, "without unique-ids messages are told apart by their content; mail must not stay there" },
	{ "SimpleIMAPRetriever",        true,  false, false, NULL },
	{ "SimplePOP3SSLRetriever",     false, true,  false, NULL },
	{ "BrokenUIDLPOP3SSLRetriever", false, true,  false, "without unique-ids messages are told apart by their content; mail must not stay there" },
	{ "SimpleIMAPSSLRetriever",     true,  true,  false, NULL },
	{ "MultidropPOP3Retriever",     false, false, true,  NULL },
	{ "MultidropPOP3SSLRetriever",  false, true,  true,  NULL },
	{ "MultidropSDPSRetriever",     false, false, true,  "SDPS is not spoken; whom a message is for must stand in a header field" },
	{ "MultidropIMAPRetriever",     true,  false, true,  NULL },
	{ "MultidropIMAPSSLRetriever",  true,  true,  true,  NULL },
};

/* --- the file --- */

const struct getmail_section *getmail_section(const struct getmail *g, struct span name)
{
	const struct getmail_section *s = g->sections;

	while (s && !span_equal(span_of(s->name), name))
		s = s->next;
	return s;
}

const struct getmail_value *getmail_value(const struct getmail_section *s, const char *name)
{
	const struct getmail_value *v = s ? s->values : NULL;

	while (v && strcasecmp(v->name, name) != 0)
		v = v->next;
	return v;
}

static bool begin(struct getmail *g, struct span line, uint32_t number, struct getmail_section **now, struct err *e)
{
	size_t end = span_find(line, ']');
	struct span name = { line.at + 1, end - (end > 0) };
	struct getmail_section *s;

	if (end == line.len)
		return import_wrong(g->in, number, e, "this section is not closed; write ] behind its name");
	if (getmail_section(g, name))
		return import_wrong(g->in, number, e, "section [%.*s] is there already", (int)(name.len < VALUE_SHOWN ? name.len : VALUE_SHOWN), name.at);
	if (!import_count(g->in, number, e))
		return false;
	s = arena_take(g->in->arena, sizeof *s);
	*s = (struct getmail_section){ .name = arena_text(g->in->arena, name), .line = number };
	s->last = &s->values;
	*(*now ? &(*now)->next : &g->sections) = s;
	*now = s;
	return true;
}

/* NAME = VALUE or NAME: VALUE */
static bool key(struct getmail *g, struct getmail_section *s, struct span line, uint32_t number, struct getmail_value **now, struct err *e)
{
	size_t at = 0;
	struct getmail_value *v;

	while (at < line.len && line.at[at] != '=' && line.at[at] != ':')
		at++;
	if (at == line.len || !at)
		return import_wrong(g->in, number, e, "this is neither [SECTION] nor NAME = VALUE");
	v = arena_take(g->in->arena, sizeof *v);
	*v = (struct getmail_value){ .name = arena_text(g->in->arena, span_trim((struct span){ line.at, at })), .line = number };
	v->raw = span_trim(span_from(line, at + 1));
	v->text = "";
	if (getmail_value(s, v->name))
		return import_wrong(g->in, number, e, "%.*s is there already", VALUE_SHOWN, v->name);
	*s->last = v;
	s->last = &v->next;
	*now = v;
	return true;
}

/* Lines that go on are one line to us; comments between them are gone. */
static void join(struct arena *a, struct getmail_value *v)
{
	char *to = arena_take(a, v->raw.len + 1);
	struct span rest = v->raw, line;
	size_t len = 0;

	while (import_line(&rest, &line)) {
		line = span_trim(line);
		if (len && (!line.len || line.at[0] == '#' || line.at[0] == ';'))
			continue;
		if (len)
			to[len++] = ' ';
		if (line.len)
			memcpy(to + len, line.at, line.len);
		len += line.len;
	}
	v->text = to;
}

static bool read_lines(struct getmail *g, struct span text, struct err *e)
{
	struct getmail_section *section = NULL;
	struct getmail_value *value = NULL;
	uint32_t number = 0;
	struct span line;
	bool good = true;

	while (good && import_line(&text, &line)) {
		struct span words = span_trim(line);

		number++;
		if (!words.len || words.at[0] == '#' || words.at[0] == ';')
			continue;
		if (value && line.at != words.at) {	/* goes on: one line to us */
			value->raw.len = (size_t)(words.at + words.len - value->raw.at);
			continue;
		}
		if (words.at[0] == '[') {
			good = begin(g, words, number, &section, e);
			value = NULL;
		} else if (!section) {
			return import_wrong(g->in, number, e, "this stands before the first [SECTION]");
		} else {
			good = key(g, section, words, number, &value, e);
		}
	}
	for (struct getmail_section *s = g->sections; s; s = s->next)
		for (struct getmail_value *v = s->values; v; v = v->next)
			join(g->in->arena, v);
	return good;
}

/* --- the account --- */

static void set_type(struct getmail *g, const struct import_item *item)
{
	for (const struct type *t = types; t < types + COUNT(types); t++) {
		if (strcmp(t->name, item->values.at[0]) != 0)
			continue;
		(void)draft_set(&g->in->draft, g->s, "protocol", t->imap ? "imap" : "pop3", item->line);
		g->imap = t->imap;
		g->multi = t->multi;
		if (!t->tls) {
			(void)draft_set(&g->in->draft, g->s, "tls.mode", "none", item->line);
			import_in_clear(g->in, g->s, item->line);
		}
		g->tls_line = t->tls ? item->line : 0;
		if (t->why)
			draft_note(&g->in->draft, g->s, item->line, t->name, "%s", t->why);
		return;
	}
	draft_note(&g->in->draft, g->s, item->line, "type", "%.*s is unknown; not carried over", VALUE_SHOWN, item->values.at[0]);
}

/* Shell words, each in quotes where it needs them. */
static const char *shell_words(struct arena *a, const struct texts *words)
{
	const char *all = "";

	for (size_t n = 0; n < words->count; n++) {
		const char *rest = words->at[n], *word = "";
		bool plain = rest[0] && !rest[strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-/=:,")];

		for (const char *quote; !plain && (quote = strchr(rest, '\'')); rest = quote + 1)
			word = import_print(a, "%s%.*s'\\''", word, (int)(quote - rest), rest);
		all = import_print(a, plain ? "%s%s%s%s" : "%s%s'%s%s'", all, n ? " " : "", word, rest);
	}
	return all;
}

static void mailboxes(struct getmail *g, const struct import_item *item)
{
	const char *text = item->values.at[0];
	struct texts names;

	if (strcmp(text, "ALL") == 0) {
		(void)draft_add(&g->in->draft, g->s, "mailbox", "*", item->line);
		return;
	}
	if (!getmail_tuple(g->in->arena, text, &names))
		draft_note(&g->in->draft, g->s, item->line, "mailboxes", "%.*s is no list of names in quotes", VALUE_SHOWN, text);
	for (size_t n = 0; n < names.count; n++)
		(void)draft_add(&g->in->draft, g->s, "mailbox", names.at[n], item->line);
}

static void search(struct getmail *g, const struct import_item *item)
{
	const char *text = item->values.at[0];
	struct span s = span_of(text);

	while (s.len >= 2 && s.at[0] == '(' && s.at[s.len - 1] == ')')
		s = span_trim((struct span){ s.at + 1, s.len - 2 });
	if (span_equal_nocase(s, SPAN("UNSEEN")))
		(void)draft_set(&g->in->draft, g->s, "pull", "unread", item->line);
	else if (s.len && !span_equal_nocase(s, SPAN("ALL")))
		(void)draft_set(&g->in->draft, g->s, "search", arena_text(g->in->arena, s), item->line);
}

static void envelope(struct getmail *g, const struct import_item *item)
{
	struct span text = span_of(item->values.at[0]);
	struct span name = span_trim((struct span){ text.at, span_find(text, ':') });
	struct span place = span_trim(span_from(text, span_find(text, ':') + 1));

	g->envelope = arena_text(g->in->arena, name);
	g->envelope_line = item->line;
	if (place.len && !span_equal(place, SPAN("1")))
		draft_note(&g->in->draft, g->s, item->line, "envelope_recipient", "all fields of that name count, not only number %.*s",
			(int)(place.len < VALUE_SHOWN ? place.len : VALUE_SHOWN), place.at);
}

static void ssl_version(struct getmail *g, const struct import_item *item)
{
	if (strcasecmp(item->values.at[0], "tlsv1_2") == 0) {
		(void)draft_set(&g->in->draft, g->s, "tls.min", "TLSv1.2", item->line);
		(void)draft_set(&g->in->draft, g->s, "tls.max", "TLSv1.2", item->line);
	} else if (strcasecmp(item->values.at[0], "sslv23") != 0) {
		draft_note(&g->in->draft, g->s, item->line, "ssl_version", "%.*s is not safe; TLSv1.2 and newer are used", VALUE_SHOWN, item->values.at[0]);
	}
}

/* Words that are true or false. */
static void truth(struct getmail *g, const struct import_item *item)
{
	struct draft *d = &g->in->draft;
	const char *auth = NULL;
	bool on;

	if (!import_truth(item->values.at[0], &on)) {
		draft_note(d, g->s, item->line, item->row->word, "%.*s is neither true nor false", VALUE_SHOWN, item->values.at[0]);
		return;
	}
	switch ((enum getmail_own)item->row->own) {
	case GETMAIL_DELETE:
		g->remove = on;
		g->remove_line = item->line;
		return;
	case GETMAIL_READ_ALL:
		g->read_all_line = on ? item->line : 0;
		return;
	case GETMAIL_APOP:
		auth = "apop";
		break;
	case GETMAIL_XOAUTH2:
		auth = "xoauth2";
		break;
	case GETMAIL_KERBEROS:
		auth = "gssapi";
		break;
	case GETMAIL_PEEK:
		if (!on)
			draft_note(d, g->s, item->line, item->row->word, "what is fetched is marked as seen only when it was delivered: after = seen");
		return;
	case GETMAIL_ADDED:
		if (on)
			draft_note(d, g->s, item->line, item->row->word, "no field is added: messages come as they are");
		return;
	case GETMAIL_NETRC:
		if (on)
			draft_note(d, g->s, item->line, item->row->word, "there is no netrc; write user and password");
		return;
	case GETMAIL_TYPE: case GETMAIL_PASSWORD_COMMAND: case GETMAIL_MAILBOXES: case GETMAIL_MOVE: case GETMAIL_SEARCH: case GETMAIL_ON_DELETE:
	case GETMAIL_SSL_VERSION: case GETMAIL_ENVELOPE: case GETMAIL_DELETE_AFTER:
		return;
	}
	if (on)
		(void)draft_add(d, g->s, "auth", auth, item->line);
}

static void own(struct getmail *g, const struct import_item *item)
{
	const char *text = item->values.at[0];
	struct texts words;

	switch ((enum getmail_own)item->row->own) {
	case GETMAIL_TYPE:
		set_type(g, item);
		return;
	case GETMAIL_PASSWORD_COMMAND:
		if (!getmail_tuple(g->in->arena, text, &words) || !words.count)
			draft_note(&g->in->draft, g->s, item->line, item->row->word, "it is no list of words in quotes");
		else if (!draft_get(g->s, "password"))
			(void)draft_set(&g->in->draft, g->s, "password", import_print(g->in->arena, "command:%s", shell_words(g->in->arena, &words)), item->line);
		return;
	case GETMAIL_MAILBOXES:
		mailboxes(g, item);
		return;
	case GETMAIL_MOVE:
		g->move = text;
		g->move_line = item->line;
		return;
	case GETMAIL_SEARCH:
		search(g, item);
		return;
	case GETMAIL_ON_DELETE:
		g->seen = strcasestr(text, "\\Seen") && !strcasestr(text, "\\Deleted");
		if (!g->seen && (!strcasestr(text, "\\Seen") || !strcasestr(text, "\\Deleted")))
			draft_note(&g->in->draft, g->s, item->line, item->row->word, "flags other than \\Seen and \\Deleted are not set");
		return;
	case GETMAIL_SSL_VERSION:
		ssl_version(g, item);
		return;
	case GETMAIL_ENVELOPE:
		envelope(g, item);
		return;
	case GETMAIL_DELETE_AFTER:
		g->days = text;
		g->days_line = item->line;
		return;
	case GETMAIL_DELETE: case GETMAIL_READ_ALL: case GETMAIL_APOP: case GETMAIL_XOAUTH2: case GETMAIL_KERBEROS: case GETMAIL_PEEK: case GETMAIL_ADDED:
	case GETMAIL_NETRC:
		truth(g, item);
		return;
	}
}

static void apply(struct getmail *g, const struct getmail_section *s, const struct import_row *rows)
{
	for (const struct getmail_value *v = s ? s->values : NULL; v; v = v->next) {
		const struct import_row *row = import_row(rows, span_of(v->name), true);
		struct import_item item = { .row = row, .values = import_texts(g->in->arena, span_of(v->text)), .line = v->line };

		if (!row)
			import_unknown(g->in, g->s, v->line, span_of(v->name));
		else if (!import_apply(g->in, g->s, &item))
			own(g, &item);
	}
}

/* What several words say together: what happens to mail that was delivered. */
static void finish(struct getmail *g)
{
	struct draft *d = &g->in->draft;
	const char *after = !g->remove ? "keep" : g->move && g->imap ? import_print(g->in->arena, "move:%s", g->move) : g->seen && g->imap ? "seen" : "delete";
	uint64_t days;

	(void)draft_set(d, g->s, "after", after, g->remove && g->move ? g->move_line : g->remove_line);
	if (g->days && !g->remove && span_number(span_of(g->days), 36500, &days) && days)
		(void)draft_set(d, g->s, "delete_after", import_print(g->in->arena, "%llud", (unsigned long long)days), g->days_line);
	else if (g->days && strcmp(g->days, "0") != 0)
		draft_note(d, g->s, g->days_line, "delete_after", g->remove ? "delete is on: all goes at once" : "it is no number of days");
	if (g->move && !g->remove)
		draft_note(d, g->s, g->move_line, "move_on_delete", "delete is off: nothing is moved");
	if (g->read_all_line && !g->remove)
		draft_note(d, g->s, g->read_all_line, "read_all", "each message comes once; `postrider rescan` fetches all again");
	if (g->tls_line && !draft_get(g->s, "tls.ca_certificates"))
		draft_note(d, g->s, g->tls_line, "ca_certs", "getmail checked no certificate; Postrider does, by the system's authorities");
}

bool import_getmail(struct import *in, struct span text, struct err *e)
{
	struct getmail g = { .in = in };
	const struct getmail_section *server, *destination;
	const struct getmail_value *name;

	if (!read_lines(&g, text, e))
		return false;
	server = getmail_section(&g, SPAN("retriever"));
	destination = getmail_section(&g, SPAN("destination"));
	if (!server)
		return import_wrong(in, 1, e, "there is no section [retriever]");
	name = getmail_value(server, "server");
	g.s = draft_connection(&in->draft, name ? name->text : "getmail", server->line);
	apply(&g, server, retriever);
	apply(&g, getmail_section(&g, SPAN("options")), options);
	finish(&g);
	if (destination)
		getmail_destination(&g, destination, 0);
	for (const struct getmail_section *s = g.sections; s; s = s->next)
		if (strncmp(s->name, "filter", 6) == 0)
			draft_note(&in->draft, g.s, s->line, s->name, "there are no filters; a target of type command gets the message, and cannot change it");
		else if (!s->used && strcmp(s->name, "retriever") != 0 && strcmp(s->name, "destination") != 0 && strcmp(s->name, "options") != 0)
			draft_note(&in->draft, g.s, s->line, s->name, "nothing names this section; not carried over");
	return true;
}
