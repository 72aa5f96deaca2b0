/* SPDX-License-Identifier: Apache-2.0
 *
 * mbsync's configuration (isync, mbsync(1), "CONFIGURATION"), with the words of older
 * versions: sections that begin with their word and end with an empty line. What is written is
 * one connection for each mailbox that a channel brings from an IMAP store into Maildirs. */
#include "config/import_mbsync.h"

#include <ctype.h>

#define ONE_WAY "mail is collected, one way: what happens in the Maildir afterwards stays there"

const struct import_row mbsync_rows[] = {
	/* accounts; also in stores */
	{ "Host",               IMPORT_OWN, .key = "host", .becomes = "a host; imap: and imaps: before it as SSLType", .own = MBSYNC_HOST },
	{ "Port",               IMPORT_NUMBER, .key = "port" },
	{ "Timeout",            IMPORT_SECONDS, .key = "timeout" },
	{ "User",               IMPORT_TEXT, .key = "user" },
	{ "UserCmd",            IMPORT_LOST, .becomes = "write the user's name" },
	{ "Pass",               IMPORT_TEXT, .key = "password" },
	{ "PassCmd",            IMPORT_OWN, .key = "password", .becomes = "command:CMD", .own = MBSYNC_PASSCMD },
	{ "UseKeychain",        IMPORT_LOST, .becomes = "there is no keychain; write password = 'command:…'" },
	{ "Tunnel",             IMPORT_LOST, .becomes = "a server behind a command cannot be visited" },
	{ "AuthMech",           IMPORT_OWN, .key = "auth", .becomes = "a list; *: auto", .own = MBSYNC_AUTH },
	{ "AuthMechs",          IMPORT_OWN, .key = "auth", .becomes = "a list; *: auto", .own = MBSYNC_AUTH },
	{ "RequireCRAM",        IMPORT_OWN, .key = "auth", .becomes = "yes: {\"cram-md5\"}", .own = MBSYNC_CRAM },
	{ "SSLType",            IMPORT_OWN, .key = "tls.mode", .becomes = "None: none; STARTTLS: explicit; IMAPS: implicit", .own = MBSYNC_TLS },
	{ "TLSType",            IMPORT_OWN, .key = "tls.mode", .becomes = "as SSLType", .own = MBSYNC_TLS },
	{ "UseIMAPS",           IMPORT_OWN, .key = "tls.mode", .becomes = "yes: implicit; no: explicit", .own = MBSYNC_IMAPS },
	{ "RequireSSL",         IMPORT_OWN, .key = "tls.required", .becomes = "no: false", .own = MBSYNC_REQUIRE },
	{ "UseSSLv2",           IMPORT_SAME, .becomes = "TLSv1.2 and newer are used" },
	{ "UseSSLv3",           IMPORT_SAME, .becomes = "TLSv1.2 and newer are used" },
	{ "UseTLSv1",           IMPORT_SAME, .becomes = "TLSv1.2 and newer are used" },
	{ "UseTLSv1.1",         IMPORT_SAME, .becomes = "TLSv1.2 and newer are used" },
	{ "UseTLSv1.2",         IMPORT_SAME, .becomes = "TLSv1.2 and newer are used" },
	{ "SSLVersion",         IMPORT_OWN, .key = "tls.min", .becomes = "TLSv1.3 alone: TLSv1.3; TLSv1.2 without 1.3: max too; older ones: a comment", .own = MBSYNC_VERSIONS },
	{ "SSLVersions",        IMPORT_OWN, .key = "tls.min", .becomes = "as SSLVersion", .own = MBSYNC_VERSIONS },
	{ "TLSVersions",        IMPORT_OWN, .key = "tls.min", .becomes = "as SSLVersion, with + and -", .own = MBSYNC_VERSIONS },
	{ "SystemCertificates", IMPORT_OWN, .becomes = "no: ca_certificates alone counts, as it does here", .own = MBSYNC_SYSTEM },
	{ "CertificateFile",    IMPORT_OWN, .key = "tls.ca_certificates", .becomes = "itself; a comment that the system's do not count beside it", .own = MBSYNC_CERTIFICATES },
	{ "ClientCertificate",  IMPORT_TEXT, .key = "tls.certificate" },
	{ "ClientKey",          IMPORT_TEXT, .key = "tls.key" },
	{ "CipherString",       IMPORT_TEXT, .key = "tls.ciphers" },
	{ "PipelineDepth",      IMPORT_LOST, .becomes = "how many commands are under way is not set" },
	{ "DisableExtension",   IMPORT_LOST, .becomes = "extensions are used where the server has them (compress = false for DEFLATE)" },
	{ "DisableExtensions",  IMPORT_LOST, .becomes = "extensions are used where the server has them (compress = false for DEFLATE)" },
	/* stores */
	{ "Account",            IMPORT_OWN, .becomes = "the keys of that account", .own = MBSYNC_ACCOUNT },
	{ "Path",               IMPORT_OWN, .becomes = "goes in front of mailboxes, or of the Maildir's path", .own = MBSYNC_PATH },
	{ "Inbox",              IMPORT_OWN, .becomes = "the Maildir of INBOX", .own = MBSYNC_INBOX },
	{ "SubFolders",         IMPORT_OWN, .becomes = "how a folder's Maildir is called", .own = MBSYNC_SUBFOLDERS },
	{ "Flatten",            IMPORT_OWN, .becomes = "what stands for / in a Maildir's name", .own = MBSYNC_FLATTEN },
	{ "MapInbox",           IMPORT_LOST, .becomes = "name the mailbox INBOX" },
	{ "MaxSize",            IMPORT_OWN, .key = "max_size", .becomes = "a size; 0: none", .own = MBSYNC_MAXSIZE },
	{ "Trash",              IMPORT_LOST, .becomes = ONE_WAY },
	{ "TrashNewOnly",       IMPORT_LOST, .becomes = ONE_WAY },
	{ "TrashRemoteNew",     IMPORT_LOST, .becomes = ONE_WAY },
	{ "AltMap",             IMPORT_SAME, .becomes = "what was fetched stands in the ledger" },
	{ "InfoDelimiter",      IMPORT_LOST, .becomes = "a Maildir's is the colon" },
	{ "UseNamespace",       IMPORT_LOST, .becomes = "names are written whole, with the server's prefix" },
	{ "PathDelimiter",      IMPORT_LOST, .becomes = "the server says which it is" },
	{ "SubscribedOnly",     IMPORT_LOST, .becomes = "patterns find all mailboxes; name those that are wanted" },
	/* channels and globally */
	{ "Far",                IMPORT_OWN, .becomes = "the store that mail comes from", .own = MBSYNC_FAR },
	{ "Master",             IMPORT_OWN, .becomes = "as Far", .own = MBSYNC_FAR },
	{ "Near",               IMPORT_OWN, .becomes = "the store that mail goes to", .own = MBSYNC_NEAR },
	{ "Slave",              IMPORT_OWN, .becomes = "as Near", .own = MBSYNC_NEAR },
	{ "Pattern",            IMPORT_OWN, .key = "mailbox", .becomes = "its names and patterns; those with ! a comment", .own = MBSYNC_PATTERN },
	{ "Patterns",           IMPORT_OWN, .key = "mailbox", .becomes = "as Pattern", .own = MBSYNC_PATTERN },
	{ "MaxMessages",        IMPORT_LOST, .becomes = "nothing is taken out of a Maildir" },
	{ "ExpireUnread",       IMPORT_LOST, .becomes = "nothing is taken out of a Maildir" },
	{ "Sync",               IMPORT_OWN, .becomes = "Pull New is what is done; without it there is no connection; the rest is a comment", .own = MBSYNC_SYNC },
	{ "Create",             IMPORT_OWN, .becomes = "Near, and Slave, are so anyway; the rest is a comment", .own = MBSYNC_CREATE },
	{ "Remove",             IMPORT_LOST, .becomes = ONE_WAY },
	{ "Expunge",            IMPORT_LOST, .becomes = ONE_WAY },
	{ "ExpungeSolo",        IMPORT_LOST, .becomes = ONE_WAY },
	{ "CopyArrivalDate",    IMPORT_LOST, .becomes = "a file's time is that of its delivery" },
	{ "SyncState",          IMPORT_SAME, .becomes = "what was fetched stands in the ledger" },
	{ "FSync",              IMPORT_SAME, .becomes = "what is delivered is always on the disk" },
	{ "FieldDelimiter",     IMPORT_SAME, .becomes = "what was fetched stands in the ledger" },
	{ "BufferLimit",        IMPORT_SAME, .becomes = "memory is bounded anyway" },
	{ 0 }
};

static const struct {
	const char *word;
	enum mbsync_kind kind;
} kinds[] = {
	{ "IMAPAccount", MBSYNC_IMAP_ACCOUNT }, { "IMAPStore", MBSYNC_IMAP_STORE }, { "MaildirStore", MBSYNC_MAILDIR_STORE },
	{ "Channel", MBSYNC_CHANNEL }, { "Group", MBSYNC_GROUP },
};

/* The words of a line; those with blanks stand in quotes, where \ is an escape. */
static bool words_of(struct import *in, struct span line, uint32_t number, struct texts *words, struct err *e)
{
	char *to = arena_take(in->arena, line.len + 1);
	size_t n = 0;

	*words = (struct texts){ arena_take(in->arena, (line.len / 2 + 2) * sizeof *words->at), 0 };
	for (;;) {
		bool quoted = false;

		while (n < line.len && strchr(" \t", line.at[n]))
			n++;
		if (n == line.len)
			return true;
		words->at[words->count++] = to;
		for (; n < line.len && (quoted || !strchr(" \t", line.at[n])); n++) {
			if (line.at[n] == '"') {
				quoted = !quoted;
				continue;
			}
			n += line.at[n] == '\\' && n + 1 < line.len;
			*to++ = line.at[n];
		}
		*to++ = '\0';
		if (quoted)
			return import_wrong(in, number, e, "this text in quotes is not closed; write the closing \"");
	}
}

static bool begin(struct mbsync *m, enum mbsync_kind kind, const struct texts *words, uint32_t number, struct err *e)
{
	struct mbsync_object *o;

	if (words->count < 2)
		return import_wrong(m->in, number, e, "%.*s has no name", VALUE_SHOWN, words->at[0]);
	if (mbsync_object(m, kind, span_of(words->at[1])))
		return import_wrong(m->in, number, e, "%.*s %.*s is there already", VALUE_SHOWN, words->at[0], VALUE_SHOWN, words->at[1]);
	if (!import_count(m->in, number, e))
		return false;
	o = arena_take(m->in->arena, sizeof *o);
	*o = (struct mbsync_object){ .kind = kind, .name = words->at[1], .line = number };
	if (kind == MBSYNC_CHANNEL)
		import_append(m->in, &o->items, &m->global);
	*m->last = o;
	m->last = &o->next;
	m->now = o;
	return true;
}

struct mbsync_object *mbsync_object(const struct mbsync *m, enum mbsync_kind kind, struct span name)
{
	struct mbsync_object *o = m->objects;

	while (o && (o->kind != kind || !span_equal(span_of(o->name), name)))
		o = o->next;
	return o;
}

static bool line_of(struct mbsync *m, struct span line, uint32_t number, struct err *e)
{
	const struct import_row *row;
	struct texts words, rest;

	if (!span_trim(line).len) {
		m->now = NULL;
		return true;
	}
	if (span_trim(line).at[0] == '#')
		return true;
	if (!words_of(m->in, line, number, &words, e))
		return false;
	for (size_t n = 0; n < COUNT(kinds); n++)
		if (span_equal_nocase(span_of(kinds[n].word), span_of(words.at[0])) && !(m->now && m->now->kind == MBSYNC_GROUP))
			return begin(m, kinds[n].kind, &words, number, e);
	if (m->now && m->now->kind == MBSYNC_GROUP)
		return true;
	rest = (struct texts){ words.at + 1, words.count - 1 };
	row = import_row(mbsync_rows, span_of(words.at[0]), true);
	if (!row)
		import_unknown(m->in, NULL, number, span_of(words.at[0]));
	else
		import_item(m->in, m->now ? &m->now->items : &m->global, row, rest, number);
	return true;
}

bool import_mbsync(struct import *in, struct span text, struct err *e)
{
	struct mbsync m = { .in = in };
	uint32_t number = 0;
	struct span line;

	m.last = &m.objects;
	while (import_line(&text, &line))
		if (!line_of(&m, line, ++number, e))
			return false;
	for (const struct mbsync_object *o = m.objects; o; o = o->next) {
		if (o->kind == MBSYNC_GROUP)
			draft_note(&in->draft, NULL, o->line, "Group", "connections have no groups; name them: postrider collect NAME…");
		if (o->kind == MBSYNC_CHANNEL && !mbsync_channel(&m, o, e))
			return false;
	}
	return true;
}
