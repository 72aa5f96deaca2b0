/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameter file of the mail reader of BS2000 (interNet Services): SERVER=POP3(…) or
 * IMAP(…), and MAILHANDLING=PARAMETERS(…). */
#include <strings.h>

#include "config/import_bs2000.h"
#include "config/import_target.h"

enum own { TLS = 1, REQUIRED, MODE, KEEP, INTERVAL, CIPHERS, VERIFY, FILE_NAME, PREFIX, SMIME, BODY, PROCEDURE, MESSAGEBODY, ATTACHMENT, STATEMENTS,
	ENTER };

static const struct import_row server[] = {
	{ "HOSTNAME",             IMPORT_TEXT, .key = "host" },
	{ "PORT",                 IMPORT_NUMBER, .key = "port" },
	{ "USER",                 IMPORT_TEXT, .key = "user" },
	{ "PASS",                 IMPORT_TEXT, .key = "password" },
	{ "MAILBOX",              IMPORT_LIST, .key = "mailbox" },
	{ "KEEP",                 IMPORT_OWN, .key = "after", .becomes = "YES: keep; NO: delete", .own = KEEP },
	{ "INTERVAL",             IMPORT_OWN, .key = "interval", .becomes = "in seconds; 0: once", .own = INTERVAL },
	{ "TLS",                  IMPORT_OWN, .key = "tls", .becomes = "YES(…): its operands; NO: mode = none, and allow_cleartext", .own = TLS },
	{ 0 }
};

static const struct import_row tls_operands[] = {
	{ "REQUIRED",             IMPORT_OWN, .key = "tls.required", .becomes = "YES: true; NO: false, and allow_cleartext", .own = REQUIRED },
	{ "MODE",                 IMPORT_OWN, .key = "tls.mode", .becomes = "IMPLICIT: implicit; EXPLICIT: explicit", .own = MODE },
	{ "PROTOCOL",             IMPORT_LIST, .key = "tls.protocols" },
	{ "TLSMINPROTOCOLVERSION", IMPORT_TEXT, .key = "tls.min" },
	{ "TLSMAXPROTOCOLVERSION", IMPORT_TEXT, .key = "tls.max" },
	{ "CIPHER_SUITE",         IMPORT_OWN, .key = "tls.ciphers", .becomes = "of TLSv1.3: tls.ciphersuites", .own = CIPHERS },
	{ "CERTIFICATE",          IMPORT_OWN, .key = "tls.certificate", .becomes = "a path; a file of BS2000's: a comment", .own = FILE_NAME },
	{ "KEY",                  IMPORT_OWN, .key = "tls.key", .becomes = "a path; a file of BS2000's: a comment", .own = FILE_NAME },
	{ "CA_CERTIFICATES",      IMPORT_OWN, .key = "tls.ca_certificates", .becomes = "a path; a file of BS2000's: a comment", .own = FILE_NAME },
	{ "CRL",                  IMPORT_OWN, .key = "tls.crl", .becomes = "a path; a file of BS2000's: a comment", .own = FILE_NAME },
	{ "VERIFY_SERVER",        IMPORT_OWN, .key = "tls.verify_server", .becomes = "YES: true; NO: false, and verify_host", .own = VERIFY },
	{ "VERIFY_DEPTH",         IMPORT_NUMBER, .key = "tls.verify_depth" },
	{ 0 }
};

/* Of the target of type folder that MAILHANDLING becomes, and of what lies inside it. */
static const struct import_row handling[] = {
	{ "PREFIX",               IMPORT_OWN, .key = "prefix", .becomes = "itself; MAIL unless written", .own = PREFIX },
	{ "ENTER",                IMPORT_OWN, .becomes = "a comment: there is no job to be entered", .own = ENTER },
	{ "DELETE",               IMPORT_LOST, .becomes = "there is no procedure file that could be deleted" },
	{ "PAMFILE",              IMPORT_SAME, .becomes = "files are octets" },
	{ "SMIME",                IMPORT_OWN, .becomes = "a comment: what a target does about S/MIME is not written here", .own = SMIME },
	{ "BODY",                 IMPORT_OWN, .becomes = "see PROCEDURE and MESSAGEBODY", .own = BODY },
	{ "PROCEDURE",            IMPORT_OWN, .becomes = "a target of type command, to be finished; its statements are comments", .own = PROCEDURE },
	{ "MESSAGEBODY",          IMPORT_OWN, .key = "template", .becomes = "a comment, with its texts: they are for the file of a template", .own = MESSAGEBODY },
	{ "ATTACHMENT",           IMPORT_OWN, .key = "split", .becomes = "true; its lists are comments", .own = ATTACHMENT },
	{ "TEXT",                 IMPORT_OWN, .becomes = "a comment a line", .own = STATEMENTS },
	{ "SUFFIX",               IMPORT_LOST, .becomes = "there is no procedure file that could have a name" },
	{ 0 }
};

struct wanted {
	bool tls, explicit, required, required_said;
	uint32_t line, required_line;
};

static bool yes(struct import *in, struct draft_section *s, const struct bs2000_node *node)
{
	if (node->text && strcasecmp(node->text, "YES") == 0)
		return true;
	if (!node->text || strcasecmp(node->text, "NO") != 0)
		draft_note(&in->draft, s, node->line, node->name, "it is neither YES nor NO; taken as NO");
	return false;
}

static struct texts values_of(struct import *in, const struct bs2000_node *node)
{
	struct texts values = import_texts(in->arena, span_of(node->text ? node->text : ""));
	size_t count = 0;

	for (const struct bs2000_node *n = node->inner; n; n = n->next)
		count++;
	if (node->text || !count)
		return values;
	values = (struct texts){ arena_take(in->arena, count * sizeof *values.at), 0 };
	for (const struct bs2000_node *n = node->inner; n; n = n->next)
		values.at[values.count++] = n->text ? n->text : "";
	return values;
}

/* :CATALOGUE:$USER.NAME means nothing here. */
static void file_name(struct import *in, struct draft_section *s, const struct import_row *row, const struct bs2000_node *node)
{
	const char *text = node->text ? node->text : "";

	if (strchr(text, '/'))
		(void)draft_set(&in->draft, s, row->key, text, node->line);
	else
		draft_note(&in->draft, s, node->line, node->name, "%.*s is a file of BS2000's; bring it here and write %s { %s = \"PATH\" }", VALUE_SHOWN, text, "tls", row->key + 4);
}

static void ciphers(struct import *in, struct draft_section *s, const struct bs2000_node *node)
{
	bool newer = node->text && strncasecmp(node->text, "TLSv1.3", 7) == 0;
	const char *text = node->text;

	if (!text)
		return;
	text += newer ? 7 : 0;
	text += strspn(text, " ");
	if (text[0])
		(void)draft_set(&in->draft, s, newer || strncmp(text, "TLS_", 4) == 0 ? "tls.ciphersuites" : "tls.ciphers", text, node->line);
}

static void operands(struct import *in, struct draft_section *s, const struct bs2000_node *node, const struct import_row *rows, struct wanted *w);

static void interval(struct import *in, struct draft_section *s, const struct bs2000_node *node)
{
	const char *text = node->text ? node->text : "";

	(void)draft_set(&in->draft, s, "interval", strcmp(text, "0") == 0 ? "0" : import_print(in->arena, "%ss", text), node->line);
}

static void own(struct import *in, struct draft_section *s, const struct import_row *row, const struct bs2000_node *node, struct wanted *w)
{
	switch ((enum own)row->own) {
	case KEEP:
		(void)draft_set(&in->draft, s, "after", yes(in, s, node) ? "keep" : "delete", node->line);
		return;
	case INTERVAL:
		interval(in, s, node);
		return;
	case TLS:
		w->tls = yes(in, s, node);
		w->line = node->line;
		operands(in, s, node->inner, tls_operands, w);
		return;
	case REQUIRED:
		w->required = yes(in, s, node);
		w->required_said = true;
		w->required_line = node->line;
		return;
	case MODE:
		w->explicit = node->text && strcasecmp(node->text, "EXPLICIT") == 0;
		if (!w->explicit && (!node->text || strcasecmp(node->text, "IMPLICIT") != 0))
			draft_note(&in->draft, s, node->line, node->name, "it is neither IMPLICIT nor EXPLICIT; taken as IMPLICIT");
		return;
	case CIPHERS:
		ciphers(in, s, node);
		return;
	case VERIFY:
		if (!yes(in, s, node))
			import_unverified(in, s, node->line);
		return;
	case FILE_NAME:
		file_name(in, s, row, node);
		return;
	case PREFIX: case SMIME: case BODY: case PROCEDURE: case MESSAGEBODY: case ATTACHMENT: case STATEMENTS: case ENTER:
		return;
	}
}

static void operands(struct import *in, struct draft_section *s, const struct bs2000_node *node, const struct import_row *rows, struct wanted *w)
{
	for (; node; node = node->next) {
		const char *name = node->name ? node->name : node->text ? node->text : "(";
		const struct import_row *row = node->name ? import_row(rows, span_of(node->name), true) : NULL;
		struct import_item item = { .row = row, .line = node->line };

		if (!row) {
			import_unknown(in, s, node->line, span_of(name));
			continue;
		}
		item.values = values_of(in, node);
		if (!import_apply(in, s, &item))
			own(in, s, row, node, w);
	}
}

static void write_server(struct import *in, const struct bs2000_node *node, const struct draft_section *folder, const struct draft_section *procedure)
{
	bool pop3 = node->text && strcasecmp(node->text, "POP3") == 0, imap = node->text && strcasecmp(node->text, "IMAP") == 0;
	struct wanted w = { .required = true, .line = node->line };
	struct draft_section *s;
	const char *host = "server";

	if (!pop3 && !imap) {
		draft_note(&in->draft, NULL, node->line, "SERVER", "it is neither POP3(…) nor IMAP(…); not carried over");
		return;
	}
	for (const struct bs2000_node *n = node->inner; n; n = n->next)
		if (n->name && n->text && strcasecmp(n->name, "HOSTNAME") == 0)
			host = n->text;
	s = draft_connection(&in->draft, host, node->line);
	(void)draft_set(&in->draft, s, "protocol", pop3 ? "pop3" : "imap", node->line);
	(void)draft_set(&in->draft, s, "after", "delete", node->line);
	operands(in, s, node->inner, server, &w);
	if (!w.tls) {
		(void)draft_set(&in->draft, s, "tls.mode", "none", w.line);
	} else if (w.explicit) {
		(void)draft_set(&in->draft, s, "tls.mode", "explicit", w.line);
	}
	if (w.tls && !w.required)
		(void)draft_set(&in->draft, s, "tls.required", "false", w.required_line);
	if (w.tls && !w.required_said)
		draft_note(&in->draft, s, w.line, "REQUIRED", "it is not written: the visit ends where the server offers no TLS; tls { required = false } goes on in clear");
	if (!w.tls || !w.required)
		import_in_clear(in, s, w.line);
	(void)draft_add(&in->draft, s, "deliver", folder->name, node->line);
	if (procedure)
		draft_note(&in->draft, s, node->line, "PROCEDURE", "when its program is written, add \"%s\" to deliver", procedure->name);
}

static void statements(struct import *in, struct draft_section *s, const struct bs2000_node *node)
{
	for (const struct bs2000_node *n = node->inner; n; n = n->next)
		if (!n->name)
			draft_note(&in->draft, s, n->line, node->name, "%.*s", 400, n->text ? n->text : "");
}

static void handle(struct import *in, struct draft_section *folder, struct draft_section **procedure, const struct bs2000_node *node);

/* The procedure that was started for each message: its program is still to be written. */
static void make_procedure(struct import *in, struct draft_section **procedure, const struct bs2000_node *node)
{
	if (!*procedure) {
		*procedure = draft_target(&in->draft, "procedure", node->line);
		(*procedure)->always = true;
		(void)draft_set(&in->draft, *procedure, "type", "command", node->line);
		(void)draft_add(&in->draft, *procedure, "argv", "/usr/local/bin/mail-procedure", node->line);
		draft_note(&in->draft, *procedure, node->line, "PROCEDURE",
			"write that program: the message is its standard input, POSTRIDER_SENDER and others its environment; exit 0 when it is done, 75 to be asked again");
	}
	statements(in, *procedure, node);
	for (const struct bs2000_node *n = node->inner; n; n = n->next)
		if (n->name && n->list)
			statements(in, *procedure, n);
		else if (n->name)
			draft_note(&in->draft, *procedure, n->line, n->name, "%.*s", 400, n->text ? n->text : "");
}

static void handling_own(struct import *in, struct draft_section *folder, struct draft_section **procedure, const struct import_row *row, const struct bs2000_node *node)
{
	switch ((enum own)row->own) {
	case PREFIX:
		(void)draft_set(&in->draft, folder, "prefix", node->text ? node->text : "", node->line);
		return;
	case ENTER:
		draft_note(&in->draft, folder, node->line, node->name, "there is no job to be entered; a target of type command runs a program for each message");
		return;
	case SMIME:
		draft_note(&in->draft, folder, node->line, node->name, "messages are kept as they came; bring keys and certificates here to have them decrypted and verified");
		return;
	case BODY:
		handle(in, folder, procedure, node->inner);
		return;
	case PROCEDURE:
		make_procedure(in, procedure, node);
		return;
	case MESSAGEBODY:
		draft_note(&in->draft, folder, node->line, node->name, "write its texts into a file, %%Header%% for keywords, and name it: template = \"PATH\"");
		statements(in, folder, node);
		handle(in, folder, procedure, node->inner);
		return;
	case ATTACHMENT:
		(void)draft_set(&in->draft, folder, "split", "true", node->line);
		handle(in, folder, procedure, node->inner);
		return;
	case STATEMENTS:
		statements(in, folder, node);
		return;
	case TLS: case REQUIRED: case MODE: case KEEP: case INTERVAL: case CIPHERS: case VERIFY: case FILE_NAME:
		return;
	}
}

static void handle(struct import *in, struct draft_section *folder, struct draft_section **procedure, const struct bs2000_node *node)
{
	for (; node; node = node->next) {
		const struct import_row *row = node->name ? import_row(handling, span_of(node->name), true) : NULL;
		struct import_item item = { .row = row, .line = node->line };

		if (!node->name)
			continue;	/* a text of a list: its comment is written there */
		if (!row) {
			import_unknown(in, folder, node->line, span_of(node->name));
			continue;
		}
		item.values = values_of(in, node);
		if (!import_apply(in, folder, &item))
			handling_own(in, folder, procedure, row, node);
	}
}

bool import_bs2000(struct import *in, struct span text, struct err *e)
{
	struct draft_section *folder, *procedure = NULL;
	struct bs2000_node *first = NULL;
	bool any = false;

	if (!bs2000_nodes(in, text, &first, e))
		return false;
	folder = draft_target(&in->draft, "mail", first ? first->line : 1);
	(void)draft_set(&in->draft, folder, "type", "folder", folder->line);
	(void)draft_set(&in->draft, folder, "path", "~/mail", folder->line);
	(void)draft_set(&in->draft, folder, "prefix", "MAIL", folder->line);
	draft_note(&in->draft, folder, 0, "path", "files went where the mail reader ran; say where they shall lie");
	for (const struct bs2000_node *n = first; n; n = n->next)
		if (n->name && strcasecmp(n->name, "MAILHANDLING") == 0)
			handle(in, folder, &procedure, n->inner);
	for (const struct bs2000_node *n = first; n; n = n->next) {
		if (n->name && strcasecmp(n->name, "SERVER") == 0)
			write_server(in, n, folder, procedure);
		else if (!n->name || strcasecmp(n->name, "MAILHANDLING") != 0)
			import_unknown(in, NULL, n->line, span_of(n->name ? n->name : n->text ? n->text : "("));
		any |= n->name && strcasecmp(n->name, "SERVER") == 0;
	}
	folder->left_out = !any;
	return true;
}
