/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of an entry of fetchmail's: a connection for each user, and where its mail goes. */
#include <strings.h>

#include "config/import_fetchmail.h"

#define DEFAULT_SMTP "localhost"

struct entry {
	struct import *in;
	struct draft_section *s;
	const struct fetchmail_entry *entry;
	const struct fetchmail_user *user;
	const char *proto, *sslproto, *smtp, *smtpaddress, *smtpname, *mda, *bsmtp, *envelope, *domain, *esmtpname, *esmtppassword;
	uint32_t line_proto, line_ssl, line_smtp, line_smtpname, line_mda, line_envelope, line_domain, line_keep, line_check, line_all;
	uint64_t every;		/* which of the polls is ours */
	bool ssl, unchecked, lmtp, keep, all;
};

static const struct {
	const char *name;
	const char *protocol, *auth;	/* NULL: none of ours */
} protocols[] = {
	{ "pop3", "pop3", NULL }, { "imap", "imap", NULL }, { "apop", "pop3", "apop" }, { "sdps", "pop3", NULL }, { "auto", "imap", NULL },
	{ "pop2", NULL, NULL }, { "kpop", NULL, NULL }, { "rpop", NULL, NULL }, { "etrn", NULL, NULL }, { "odmr", NULL, NULL },
};

static const struct {
	const char *name, *port;
} services[] = {
	{ "pop3", "110" }, { "pop-3", "110" }, { "pop3s", "995" }, { "imap", "143" }, { "imap2", "143" }, { "imap4", "143" }, { "imaps", "993" },
};

static const struct {
	const char *name, *auth;	/* NULL: auto */
} mechanisms[] = {
	{ "any", NULL }, { "password", NULL }, { "cram-md5", "cram-md5" }, { "gssapi", "gssapi" }, { "kerberos", "gssapi" }, { "kerberos_v5", "gssapi" },
	{ "ntlm", "ntlm" }, { "external", "external" }, { "oauthbearer", "oauthbearer" }, { "xoauth2", "xoauth2" },
};

static void proto(struct entry *c, const struct import_item *item)
{
	const char *text = item->values.at[0];

	c->proto = NULL;
	c->line_proto = item->line;
	for (size_t n = 0; n < COUNT(protocols); n++) {
		if (strcasecmp(protocols[n].name, text) != 0)
			continue;
		c->proto = protocols[n].protocol;
		if (protocols[n].auth)
			(void)draft_add(&c->in->draft, c->s, "auth", protocols[n].auth, item->line);
		if (strcasecmp(text, "auto") == 0)
			draft_note(&c->in->draft, c->s, item->line, "proto", "auto is not tried; imap is written: write pop3 if it is that");
		if (strcasecmp(text, "sdps") == 0)
			draft_note(&c->in->draft, c->s, item->line, "proto", "SDPS is not spoken; whom a message is for must stand in a header field");
	}
	if (!c->proto)
		draft_note(&c->in->draft, c->s, item->line, "proto", "%.*s is not spoken", VALUE_SHOWN, text);
}

static void service(struct entry *c, const struct import_item *item)
{
	const char *port = item->values.at[0];

	for (size_t n = 0; n < COUNT(services); n++)
		if (strcasecmp(services[n].name, port) == 0)
			port = services[n].port;
	(void)draft_set(&c->in->draft, c->s, "port", port, item->line);
}

static void auth(struct entry *c, const struct import_item *item)
{
	for (size_t n = 0; n < COUNT(mechanisms); n++) {
		if (strcasecmp(mechanisms[n].name, item->values.at[0]) != 0)
			continue;
		draft_unset(c->s, "auth");
		if (mechanisms[n].auth)
			(void)draft_add(&c->in->draft, c->s, "auth", mechanisms[n].auth, item->line);
		return;
	}
	draft_note(&c->in->draft, c->s, item->line, "auth", "there is no %.*s", VALUE_SHOWN, item->values.at[0]);
}

/* Words of the server, and what is only remembered for later. */
static bool server_word(struct entry *c, const struct import_item *item)
{
	const char *text = item->values.at[0];

	switch ((enum fetchmail_own)item->row->own) {
	case FETCHMAIL_PROTO:
		proto(c, item);
		return true;
	case FETCHMAIL_VIA:
		(void)draft_set(&c->in->draft, c->s, "host", text, item->line);
		return true;
	case FETCHMAIL_SERVICE:
		service(c, item);
		return true;
	case FETCHMAIL_AUTH:
		auth(c, item);
		return true;
	case FETCHMAIL_INTERVAL:
		if (!span_number(span_of(text), 10000, &c->every) || !c->every)
			draft_note(&c->in->draft, c->s, item->line, "interval", "%.*s is no number of polls", VALUE_SHOWN, text);
		return true;
	case FETCHMAIL_ENVELOPE:
		c->envelope = text;
		c->line_envelope = item->line;
		return true;
	case FETCHMAIL_NO_ENVELOPE:
		c->envelope = NULL;
		return true;
	case FETCHMAIL_LOCALDOMAINS:
		c->domain = text;
		c->line_domain = item->line;
		for (size_t n = 1; n < item->values.count; n++)
			draft_note(&c->in->draft, c->s, item->line, "localdomains", "%.*s: only the first domain counts", VALUE_SHOWN, item->values.at[n]);
		return true;
	case FETCHMAIL_ESMTPNAME:
		c->esmtpname = text;
		return true;
	case FETCHMAIL_ESMTPPASSWORD:
		c->esmtppassword = text;
		return true;
	case FETCHMAIL_USER: case FETCHMAIL_IS: case FETCHMAIL_SSL: case FETCHMAIL_NO_SSL: case FETCHMAIL_SSLPROTO: case FETCHMAIL_CERTCK:
	case FETCHMAIL_NO_CERTCK: case FETCHMAIL_SMTPHOST: case FETCHMAIL_LMTP: case FETCHMAIL_SMTPADDRESS: case FETCHMAIL_SMTPNAME: case FETCHMAIL_MDA:
	case FETCHMAIL_BSMTP: case FETCHMAIL_KEEP: case FETCHMAIL_NO_KEEP: case FETCHMAIL_FETCHALL: case FETCHMAIL_NO_FETCHALL: case FETCHMAIL_DAEMON:
	case FETCHMAIL_FOLDER:
		return false;
	}
	return false;
}

static void smtphost(struct entry *c, const struct import_item *item)
{
	c->smtp = item->values.at[0];
	c->line_smtp = item->line;
	for (size_t n = 1; n < item->values.count; n++)
		draft_note(&c->in->draft, c->s, item->line, "smtphost", "%.*s: only the first host is written to", VALUE_SHOWN, item->values.at[n]);
}

static void user_word(struct entry *c, const struct import_item *item)
{
	enum fetchmail_own own = (enum fetchmail_own)item->row->own;
	const char *text = item->values.at[0];

	switch (own) {
	case FETCHMAIL_SSL: case FETCHMAIL_NO_SSL:
		c->ssl = own == FETCHMAIL_SSL;
		c->line_ssl = item->line;
		return;
	case FETCHMAIL_SSLPROTO:
		c->sslproto = text;
		c->line_ssl = item->line;
		return;
	case FETCHMAIL_CERTCK: case FETCHMAIL_NO_CERTCK:
		c->unchecked = own == FETCHMAIL_NO_CERTCK;
		c->line_check = item->line;
		return;
	case FETCHMAIL_SMTPHOST:
		smtphost(c, item);
		return;
	case FETCHMAIL_LMTP:
		c->lmtp = true;
		return;
	case FETCHMAIL_SMTPADDRESS:
		c->smtpaddress = text;
		return;
	case FETCHMAIL_SMTPNAME:
		c->smtpname = text;
		c->line_smtpname = item->line;
		return;
	case FETCHMAIL_MDA:
		c->mda = text;
		c->line_mda = item->line;
		return;
	case FETCHMAIL_BSMTP:
		c->bsmtp = text;
		draft_note(&c->in->draft, c->s, item->line, "bsmtp", "batch files are not written to");
		return;
	case FETCHMAIL_KEEP: case FETCHMAIL_NO_KEEP:
		c->keep = own == FETCHMAIL_KEEP;
		c->line_keep = item->line;
		return;
	case FETCHMAIL_FETCHALL: case FETCHMAIL_NO_FETCHALL:
		c->all = own == FETCHMAIL_FETCHALL;
		c->line_all = item->line;
		return;
	case FETCHMAIL_FOLDER:
		for (size_t n = 0; n < item->values.count; n++)
			(void)draft_add(&c->in->draft, c->s, "mailbox", item->values.at[n], item->line);
		return;
	case FETCHMAIL_PROTO: case FETCHMAIL_VIA: case FETCHMAIL_SERVICE: case FETCHMAIL_AUTH: case FETCHMAIL_ENVELOPE: case FETCHMAIL_NO_ENVELOPE:
	case FETCHMAIL_INTERVAL: case FETCHMAIL_LOCALDOMAINS: case FETCHMAIL_USER: case FETCHMAIL_IS: case FETCHMAIL_ESMTPNAME:
	case FETCHMAIL_ESMTPPASSWORD: case FETCHMAIL_DAEMON:
		return;
	}
}

/* --- several words together --- */

static void tls(struct entry *c)
{
	struct draft *d = &c->in->draft;
	const char *proto = c->sslproto;

	if (!c->ssl && proto && !proto[0]) {
		(void)draft_set(d, c->s, "tls.mode", "none", c->line_ssl);
		import_in_clear(c->in, c->s, c->line_ssl);
		return;
	}
	if (!c->ssl) {
		(void)draft_set(d, c->s, "tls.mode", "explicit", c->line_ssl ? c->line_ssl : c->user->line);
		if (!proto) {
			(void)draft_set(d, c->s, "tls.required", "false", c->user->line);
			import_in_clear(c->in, c->s, c->user->line);
			draft_note(d, c->s, c->user->line, "ssl", "without it and without sslproto mail is fetched in clear where the server offers no TLS, as before; if it does, take out required and allow_cleartext");
		}
	}
	if (proto && (strcasecmp(proto, "tls1.3") == 0 || strcasecmp(proto, "tls1.3+") == 0)) {
		(void)draft_set(d, c->s, "tls.min", "TLSv1.3", c->line_ssl);
	} else if (proto && strcasecmp(proto, "tls1.2") == 0) {
		(void)draft_set(d, c->s, "tls.min", "TLSv1.2", c->line_ssl);
		(void)draft_set(d, c->s, "tls.max", "TLSv1.2", c->line_ssl);
	} else if (proto && proto[0] && strcasecmp(proto, "auto") != 0 && strcasecmp(proto, "tls1.2+") != 0 && strcasecmp(proto, "ssl23") != 0) {
		draft_note(d, c->s, c->line_ssl, "sslproto", "%.*s is not safe; TLSv1.2 and newer are used", VALUE_SHOWN, proto);
	}
	if (c->unchecked)
		import_unverified(c->in, c->s, c->line_check);
}

static void selection(struct entry *c)
{
	bool imap = c->proto && strcmp(c->proto, "imap") == 0;
	struct draft *d = &c->in->draft;

	(void)draft_set(d, c->s, "after", !c->keep ? "delete" : imap ? "seen" : "keep", c->line_keep);
	if (imap && !c->all)
		(void)draft_set(d, c->s, "pull", "unread", c->line_all ? c->line_all : c->user->line);
	if (c->all && c->keep)
		draft_note(d, c->s, c->line_all, "fetchall", "each message comes once; `postrider rescan` fetches all again");
	if (!imap && draft_get(c->s, "mailbox")) {
		draft_note(d, c->s, c->user->line, "folder", "POP3 has one mailbox without a name");
		draft_unset(c->s, "mailbox");
	}
}

/* One local name, and nothing that maps: all mail is for it. */
static const char *single(const struct fetchmail_user *user)
{
	if (user->local.count != 1 || strcmp(user->local.at[0], "*") == 0)
		return NULL;
	return strchr(user->local.at[0], '=') ? strchr(user->local.at[0], '=') + 1 : user->local.at[0];
}

static void envelope(struct entry *c, struct draft_section *t, const char *host)
{
	struct draft *d = &c->in->draft;
	const char *local = single(c->user), *remote = c->user->remote;
	const char *domain = c->smtpaddress ? c->smtpaddress : host[0] == '/' ? DEFAULT_SMTP : host;

	if (c->smtpname) {		/* a name alone is sent as it is */
		if (!draft_add(d, t, "envelope.recipients", c->smtpname, c->line_smtpname))
			import_nobody(c->in, c->s, t, "smtpname", c->line_smtpname);
		return;
	}
	if (!local && c->user->local.count < 2 && !(c->user->local.count == 1)) {
		local = import_print(c->in->arena, "%.*s", (int)strcspn(remote, "@"), remote);
		draft_note(d, c->s, c->user->line, "is", "it is not written: mail went to who ran fetchmail; here it goes to %.*s", VALUE_SHOWN, local);
	}
	if (local) {
		if (!strchr(local, '@'))
			local = import_print(c->in->arena, "%s@%s", local, domain);
		if (!draft_add(d, t, "envelope.recipients", local, c->user->line))
			import_nobody(c->in, c->s, t, "is", c->user->line);
		return;
	}
	if (c->envelope && strcasecmp(c->envelope, "Received") != 0)
		(void)draft_add(d, t, "envelope.headers", c->envelope, c->line_envelope);
	if (c->domain && !draft_set(d, t, "envelope.source_domain", c->domain, c->line_domain))
		import_nobody(c->in, c->s, t, "localdomains", c->line_domain);
	for (size_t n = 0; n < c->user->local.count; n++)
		draft_note(d, c->s, c->user->line, "is", "%.*s: names are not mapped; whom mail is for is read from the fields of the envelope (a route or an alias at the target can map them)",
			VALUE_SHOWN, c->user->local.at[n]);
}

/* HOST, HOST/PORT, or the path of a socket, which is for LMTP. */
static void smtp(struct entry *c)
{
	struct draft *d = &c->in->draft;
	const char *host = c->smtp ? c->smtp : DEFAULT_SMTP, *slash = host[0] == '/' ? NULL : strchr(host, '/');
	const char *name = slash ? import_print(c->in->arena, "%.*s", (int)(slash - host), host) : host;
	bool lmtp = c->lmtp || host[0] == '/';
	uint32_t line = c->line_smtp ? c->line_smtp : c->user->line;
	struct draft_section *t = draft_target(d, host[0] == '/' ? "lmtp" : name, line);
	bool good;

	(void)draft_set(d, t, "type", lmtp ? "lmtp" : "smtp", line);
	good = draft_set(d, t, "host", name, line);
	if (good && (slash || (lmtp && host[0] != '/')))
		good = draft_set(d, t, "port", slash ? slash + 1 : "24", line);
	if (c->esmtpname)
		(void)draft_set(d, t, "user", c->esmtpname, line);
	if (c->esmtppassword)
		import_password(c->in, t, c->esmtppassword, line);
	if (!lmtp) {		/* fetchmail knows no other */
		(void)draft_set(d, t, "tls.mode", "explicit", line);
		(void)draft_set(d, t, "tls.required", "false", line);
	}
	envelope(c, t, name);
	if (good)
		import_deliver(c->in, c->s, t, line);
	else
		t->left_out = true;
}

static void deliver(struct entry *c)
{
	struct import_fact facts[] = { { 'T', "POSTRIDER_RECIPIENTS", NULL }, { 'F', "POSTRIDER_SENDER", NULL }, { 's', "POSTRIDER_RECIPIENTS", NULL } };

	facts[0].fixed = facts[2].fixed = single(c->user);
	if (c->mda && c->mda[0])
		import_shell(c->in, c->s, "mda", c->mda, facts, COUNT(facts), c->line_mda);
	else if (!c->bsmtp)
		smtp(c);
}

static void write_user(struct import *in, const struct fetchmail_entry *entry, const struct fetchmail_user *user, uint64_t daemon_s, bool alone)
{
	struct entry c = { .in = in, .entry = entry, .user = user, .proto = "imap", .every = 1 };
	struct import_items items = { 0 };

	if (!user->remote) {
		draft_note(&in->draft, NULL, user->line, "user", "%.*s: it has no name there; not carried over", VALUE_SHOWN, entry->name);
		return;
	}
	c.s = draft_connection(&in->draft, alone ? entry->name : import_print(in->arena, "%.*s@%s", (int)strcspn(user->remote, "@"), user->remote, entry->name), user->line);
	(void)draft_set(&in->draft, c.s, "host", entry->name, entry->line);
	(void)draft_set(&in->draft, c.s, "user", user->remote, user->line);
	if (entry->skip)
		(void)draft_set(&in->draft, c.s, "enabled", "false", entry->line);
	import_append(in, &items, &entry->items);
	import_append(in, &items, &user->items);
	for (const struct import_item *item = items.first; item; item = item->next)
		if (!import_apply(in, c.s, item) && !server_word(&c, item))
			user_word(&c, item);
	if (!c.line_proto)
		draft_note(&in->draft, c.s, entry->line, "proto", "it is not written, and auto is not tried; imap is written: write pop3 if it is that");
	if (c.proto)
		(void)draft_set(&in->draft, c.s, "protocol", c.proto, c.line_proto ? c.line_proto : entry->line);
	if (daemon_s)
		(void)draft_set(&in->draft, c.s, "interval", import_print(in->arena, "%llus", (unsigned long long)(daemon_s * c.every)), entry->line);
	tls(&c);
	selection(&c);
	deliver(&c);
}

void fetchmail_entry(struct import *in, const struct fetchmail_entry *entry, uint64_t daemon_s)
{
	if (!entry->users)
		draft_note(&in->draft, NULL, entry->line, "poll", "%.*s has no user: fetchmail takes the name of who runs it; not carried over", VALUE_SHOWN, entry->name);
	for (const struct fetchmail_user *user = entry->users; user; user = user->next)
		write_user(in, entry, user, daemon_s, !user->next && user == entry->users);
}
