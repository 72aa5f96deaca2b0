/* SPDX-License-Identifier: Apache-2.0
 *
 * fetchmail's words (fetchmail(1), "KEYWORD/OPTION SUMMARY"), what becomes of each, and its tokens. */
#include <strings.h>

#include "config/import_fetchmail.h"

#define AS_THEY_ARE "messages come as they are"
#define ONE_BY_ONE "messages are deleted and acknowledged as they are delivered"
#define COMMANDS "no command is run around a visit"

/* Behind `set` (and `set no`). */
const struct import_row fetchmail_set[] = {
	{ "daemon",         IMPORT_OWN, .key = "interval", .becomes = "of every connection, in seconds", .own = FETCHMAIL_DAEMON, .takes = IMPORT_ONE },
	{ "postmaster",     IMPORT_LOST, .becomes = "what has no recipient: envelope { no_recipient = … }", .takes = IMPORT_ONE },
	{ "bouncemail",     IMPORT_LOST, .becomes = "what a target refuses: on_refused" },
	{ "no bouncemail",  IMPORT_LOST, .becomes = "what a target refuses: on_refused" },
	{ "spambounce",     IMPORT_LOST, .becomes = "what a target refuses: on_refused" },
	{ "no spambounce",  IMPORT_SAME, .becomes = "it is so anyway" },
	{ "softbounce",     IMPORT_LOST, .becomes = "what a target refuses is quarantined; on_refused = keep leaves it on the server" },
	{ "no softbounce",  IMPORT_LOST, .becomes = "what a target refuses is quarantined; on_refused = delete removes it" },
	{ "logfile",        IMPORT_LOST, .becomes = "write log { to = \"PATH\" }", .takes = IMPORT_ONE },
	{ "pidfile",        IMPORT_LOST, .becomes = "there is none: `postrider run` has its lock in the state directory", .takes = IMPORT_ONE },
	{ "idfile",         IMPORT_LOST, .becomes = "what was fetched stands in the ledger; `postrider baseline` marks what is there now as known", .takes = IMPORT_ONE },
	{ "syslog",         IMPORT_LOST, .becomes = "the log goes to standard error, which systemd keeps" },
	{ "no syslog",      IMPORT_SAME, .becomes = "it is so anyway" },
	{ "invisible",      IMPORT_SAME, .becomes = AS_THEY_ARE },
	{ "no invisible",   IMPORT_LOST, .becomes = "no Received field is added" },
	{ "showdots",       IMPORT_SAME, .becomes = "there is a progress bar on a terminal" },
	{ "no showdots",    IMPORT_SAME, .becomes = "there is a progress bar on a terminal" },
	{ "properties",     IMPORT_SAME, .becomes = "fetchmail does nothing with it either", .takes = IMPORT_ONE },
	{ 0 }
};

const struct import_row fetchmail_words[] = {
	/* of the server */
	{ "via",             IMPORT_OWN, .key = "host", .becomes = "in place of the name of the entry", .own = FETCHMAIL_VIA, .takes = IMPORT_ONE },
	{ "proto",           IMPORT_OWN, .key = "protocol", .becomes = "pop3; imap; apop: pop3 and auth; auto: imap; others: none", .own = FETCHMAIL_PROTO, .takes = IMPORT_ONE },
	{ "protocol",        IMPORT_OWN, .key = "protocol", .becomes = "as proto", .own = FETCHMAIL_PROTO, .takes = IMPORT_ONE },
	{ "port",            IMPORT_OWN, .key = "port", .becomes = "a number, or the name of a service", .own = FETCHMAIL_SERVICE, .takes = IMPORT_ONE },
	{ "service",         IMPORT_OWN, .key = "port", .becomes = "as port", .own = FETCHMAIL_SERVICE, .takes = IMPORT_ONE },
	{ "auth",            IMPORT_OWN, .key = "auth", .becomes = "by the table of mechanisms", .own = FETCHMAIL_AUTH, .takes = IMPORT_ONE },
	{ "authenticate",    IMPORT_OWN, .key = "auth", .becomes = "as auth", .own = FETCHMAIL_AUTH, .takes = IMPORT_ONE },
	{ "timeout",         IMPORT_SECONDS, .key = "timeout", .takes = IMPORT_ONE },
	{ "interval",        IMPORT_OWN, .key = "interval", .becomes = "times `set daemon`", .own = FETCHMAIL_INTERVAL, .takes = IMPORT_ONE },
	{ "envelope",        IMPORT_OWN, .key = "envelope.headers", .becomes = "the name of the field", .own = FETCHMAIL_ENVELOPE, .takes = IMPORT_ONE },
	{ "no envelope",     IMPORT_OWN, .key = "envelope.headers", .becomes = "left out", .own = FETCHMAIL_NO_ENVELOPE },
	{ "localdomains",    IMPORT_OWN, .key = "envelope.source_domain", .becomes = "the first one", .own = FETCHMAIL_LOCALDOMAINS, .takes = IMPORT_MANY },
	{ "local",           IMPORT_OWN, .key = "envelope.source_domain", .becomes = "as localdomains", .own = FETCHMAIL_LOCALDOMAINS, .takes = IMPORT_MANY },
	{ "qvirtual",        IMPORT_LOST, .becomes = "nothing is cut off addresses", .takes = IMPORT_ONE },
	{ "aka",             IMPORT_LOST, .becomes = "whom mail is for is read from fields of the envelope, by their domain: envelope { source_domain }", .takes = IMPORT_MANY },
	{ "dns",             IMPORT_SAME, .becomes = "no name in a message is looked up" },
	{ "no dns",          IMPORT_SAME, .becomes = "no name in a message is looked up" },
	{ "checkalias",      IMPORT_LOST, .becomes = "no name in a message is looked up" },
	{ "no checkalias",   IMPORT_SAME, .becomes = "no name in a message is looked up" },
	{ "uidl",            IMPORT_SAME, .becomes = "unique-ids are always used" },
	{ "no uidl",         IMPORT_SAME, .becomes = "where there are none, messages are told apart by their content" },
	{ "interface",       IMPORT_LOST, .becomes = "see source_address; no interface is watched", .takes = IMPORT_ONE },
	{ "monitor",         IMPORT_LOST, .becomes = "no interface is watched", .takes = IMPORT_ONE },
	{ "plugin",          IMPORT_LOST, .becomes = "a server behind a command cannot be visited; proxy = \"socks5://HOST:PORT\" can", .takes = IMPORT_ONE },
	{ "plugout",         IMPORT_LOST, .becomes = "a listener behind a command cannot be reached", .takes = IMPORT_ONE },
	{ "tracepolls",      IMPORT_LOST, .becomes = "no field is added" },
	{ "no tracepolls",   IMPORT_SAME, .becomes = "no field is added" },
	{ "principal",       IMPORT_LOST, .becomes = "there is no Kerberos principal", .takes = IMPORT_ONE },
	{ "esmtpname",       IMPORT_OWN, .key = "user", .becomes = "of the smtp target", .own = FETCHMAIL_ESMTPNAME, .takes = IMPORT_ONE },
	{ "esmtppassword",   IMPORT_OWN, .key = "password", .becomes = "of the smtp target", .own = FETCHMAIL_ESMTPPASSWORD, .takes = IMPORT_ONE },
	{ "bad-header",      IMPORT_LOST, .becomes = "a message is delivered whatever its header is", .takes = IMPORT_ONE },
	{ "badheader",       IMPORT_LOST, .becomes = "a message is delivered whatever its header is", .takes = IMPORT_ONE },
	/* of the user */
	{ "user",            IMPORT_OWN, .key = "user", .becomes = "the name there", .own = FETCHMAIL_USER, .takes = IMPORT_ONE },
	{ "username",        IMPORT_OWN, .key = "user", .becomes = "as user", .own = FETCHMAIL_USER, .takes = IMPORT_ONE },
	{ "is",              IMPORT_OWN, .key = "envelope.recipients", .becomes = "of the smtp target; several: envelope", .own = FETCHMAIL_IS, .takes = IMPORT_MANY },
	{ "to",              IMPORT_OWN, .key = "envelope.recipients", .becomes = "as is", .own = FETCHMAIL_IS, .takes = IMPORT_MANY },
	{ "pass",            IMPORT_TEXT, .key = "password", .takes = IMPORT_ONE },
	{ "password",        IMPORT_TEXT, .key = "password", .takes = IMPORT_ONE },
	{ "folder",          IMPORT_OWN, .key = "mailbox", .becomes = "a list", .own = FETCHMAIL_FOLDER, .takes = IMPORT_MANY },
	{ "ssl",             IMPORT_OWN, .key = "tls.mode", .becomes = "implicit", .own = FETCHMAIL_SSL },
	{ "no ssl",          IMPORT_OWN, .key = "tls.mode", .becomes = "explicit, not required", .own = FETCHMAIL_NO_SSL },
	{ "sslproto",        IMPORT_OWN, .key = "tls.mode", .becomes = "without ssl: explicit, empty: none; TLS1.3: min; TLS1.2 alone: min and max", .own = FETCHMAIL_SSLPROTO, .takes = IMPORT_ONE },
	{ "sslcert",         IMPORT_TEXT, .key = "tls.certificate", .takes = IMPORT_ONE },
	{ "sslkey",          IMPORT_TEXT, .key = "tls.key", .takes = IMPORT_ONE },
	{ "sslcertfile",     IMPORT_TEXT, .key = "tls.ca_certificates", .takes = IMPORT_ONE },
	{ "sslcertpath",     IMPORT_LOST, .becomes = "write one file of certificates: ca_certificates", .takes = IMPORT_ONE },
	{ "sslcertck",       IMPORT_OWN, .key = "tls.verify_server", .becomes = "true", .own = FETCHMAIL_CERTCK },
	{ "no sslcertck",    IMPORT_OWN, .key = "tls.verify_server", .becomes = "false, and verify_host", .own = FETCHMAIL_NO_CERTCK },
	{ "sslfingerprint",  IMPORT_LOST, .becomes = "it is of the certificate, by MD5; `postrider trust show HOST` says what tls.pin takes", .takes = IMPORT_ONE },
	{ "sslcommonname",   IMPORT_LOST, .becomes = "the name in the certificate is that of host; write that one as host, or tls.pin", .takes = IMPORT_ONE },
	{ "smtp",            IMPORT_OWN, .key = "host", .becomes = "as smtphost", .own = FETCHMAIL_SMTPHOST, .takes = IMPORT_MANY },
	{ "smtphost",        IMPORT_OWN, .key = "host", .becomes = "of a target of type smtp; a path: lmtp; the first one", .own = FETCHMAIL_SMTPHOST, .takes = IMPORT_MANY },
	{ "fetchdomains",    IMPORT_LOST, .becomes = "ETRN and ODMR are not spoken", .takes = IMPORT_MANY },
	{ "lmtp",            IMPORT_OWN, .key = "type", .becomes = "lmtp", .own = FETCHMAIL_LMTP },
	{ "smtpaddress",     IMPORT_OWN, .key = "envelope.recipients", .becomes = "the domain of the local name", .own = FETCHMAIL_SMTPADDRESS, .takes = IMPORT_ONE },
	{ "smtpname",        IMPORT_OWN, .key = "envelope.recipients", .becomes = "the address itself", .own = FETCHMAIL_SMTPNAME, .takes = IMPORT_ONE },
	{ "antispam",        IMPORT_LOST, .becomes = "what a target refuses: on_refused", .takes = IMPORT_MANY },
	{ "mda",             IMPORT_OWN, .key = "argv", .becomes = "of a target of type command; %T, %F and %s put in", .own = FETCHMAIL_MDA, .takes = IMPORT_ONE },
	{ "bsmtp",           IMPORT_OWN, .becomes = "a comment", .own = FETCHMAIL_BSMTP, .takes = IMPORT_ONE },
	{ "preconnect",      IMPORT_LOST, .becomes = COMMANDS, .takes = IMPORT_ONE },
	{ "postconnect",     IMPORT_LOST, .becomes = COMMANDS, .takes = IMPORT_ONE },
	{ "keep",            IMPORT_OWN, .key = "after", .becomes = "keep; of imap: seen", .own = FETCHMAIL_KEEP },
	{ "no keep",         IMPORT_OWN, .key = "after", .becomes = "delete", .own = FETCHMAIL_NO_KEEP },
	{ "flush",           IMPORT_LOST, .becomes = "nothing is deleted that was not delivered" },
	{ "no flush",        IMPORT_SAME, .becomes = "nothing is deleted that was not delivered" },
	{ "limitflush",      IMPORT_LOST, .becomes = "nothing is deleted that was not delivered" },
	{ "no limitflush",   IMPORT_SAME, .becomes = "nothing is deleted that was not delivered" },
	{ "fetchall",        IMPORT_OWN, .key = "pull", .becomes = "all", .own = FETCHMAIL_FETCHALL },
	{ "no fetchall",     IMPORT_OWN, .key = "pull", .becomes = "of imap: unread", .own = FETCHMAIL_NO_FETCHALL },
	{ "rewrite",         IMPORT_LOST, .becomes = AS_THEY_ARE },
	{ "no rewrite",      IMPORT_SAME, .becomes = AS_THEY_ARE },
	{ "stripcr",         IMPORT_SAME, .becomes = "each target has the line ends that belong there" },
	{ "no stripcr",      IMPORT_SAME, .becomes = "each target has the line ends that belong there" },
	{ "forcecr",         IMPORT_SAME, .becomes = "each target has the line ends that belong there" },
	{ "no forcecr",      IMPORT_SAME, .becomes = "each target has the line ends that belong there" },
	{ "pass8bits",       IMPORT_SAME, .becomes = "8BITMIME is said where it is so" },
	{ "no pass8bits",    IMPORT_SAME, .becomes = "8BITMIME is said where it is so" },
	{ "dropstatus",      IMPORT_LOST, .becomes = AS_THEY_ARE },
	{ "no dropstatus",   IMPORT_SAME, .becomes = AS_THEY_ARE },
	{ "dropdelivered",   IMPORT_LOST, .becomes = AS_THEY_ARE },
	{ "no dropdelivered", IMPORT_SAME, .becomes = AS_THEY_ARE },
	{ "mimedecode",      IMPORT_LOST, .becomes = AS_THEY_ARE },
	{ "no mimedecode",   IMPORT_SAME, .becomes = AS_THEY_ARE },
	{ "idle",            IMPORT_FIXED, .key = "idle", .becomes = "true" },
	{ "no idle",         IMPORT_FIXED, .key = "idle", .becomes = "false" },
	{ "limit",           IMPORT_OCTETS, .key = "max_size", .takes = IMPORT_ONE },
	{ "warnings",        IMPORT_LOST, .becomes = "nobody is written to about large messages; `postrider status` names what stays", .takes = IMPORT_ONE },
	{ "batchlimit",      IMPORT_SAME, .becomes = ONE_BY_ONE, .takes = IMPORT_ONE },
	{ "fetchlimit",      IMPORT_NUMBER, .key = "max_messages", .takes = IMPORT_ONE },
	{ "fetchsizelimit",  IMPORT_SAME, .becomes = "commands are pipelined", .takes = IMPORT_ONE },
	{ "fastuidl",        IMPORT_SAME, .becomes = "commands are pipelined", .takes = IMPORT_ONE },
	{ "expunge",         IMPORT_SAME, .becomes = ONE_BY_ONE, .takes = IMPORT_ONE },
	{ "properties",      IMPORT_SAME, .becomes = "fetchmail does nothing with it either", .takes = IMPORT_ONE },
	{ 0 }
};

bool fetchmail_noise(const struct fetchmail_token *token)
{
	static const char *const words[] = { "and", "with", "has", "wants", "options" };

	for (size_t n = 0; n < COUNT(words) && token->kind == FETCHMAIL_WORD; n++)
		if (strcasecmp(words[n], token->text) == 0)
			return true;
	return false;
}

static unsigned digits(struct span s, size_t at, size_t most, unsigned base, size_t *used)
{
	static const char all[] = "0123456789abcdef";
	unsigned value = 0;

	for (*used = 0; *used < most && at + *used < s.len; ++*used) {
		char c = s.at[at + *used];
		const char *digit = c ? strchr(all, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

		if (!digit || (unsigned)(digit - all) >= base)
			break;
		value = value * base + (unsigned)(digit - all);
	}
	return value & 0xff;
}

/* What stands behind a backslash: \n \t \b \r, \nnn decimal, \0oo octal (fetchmail takes no more digits, whatever its manual says), \xhh; else itself. */
static size_t escape(struct span s, size_t at, char *to, size_t *len)
{
	static const char from[] = "ntbr", into[] = "\n\t\b\r";
	const char *letter = at < s.len ? strchr(from, s.at[at]) : NULL;
	size_t used = 0;
	unsigned value;

	if (at >= s.len)
		return 0;
	if (s.at[at] == '\n')
		return 1;
	if (letter && *letter) {
		to[(*len)++] = into[letter - from];
		return 1;
	}
	if (s.at[at] == 'x')
		value = digits(s, at + 1, 2, 16, &used), used += used > 0;
	else if (s.at[at] == '0')
		value = digits(s, at + 1, 2, 8, &used), used += used > 0;
	else
		value = digits(s, at, 3, 10, &used);
	if (!used || !value) {
		to[(*len)++] = s.at[at];
		return 1;
	}
	to[(*len)++] = (char)value;
	return used;
}

static bool take(struct fetchmail_tokens *t, char quote, struct fetchmail_token *token, struct err *e)
{
	struct span text = span_from(t->rest, quote != '\0');
	size_t len = 0, end = 0;
	char *to;

	while (end < text.len && (quote ? text.at[end] != quote : !strchr("=;:, \t\r\n", text.at[end])))
		end++;		/* a quote ends it, also behind a backslash: there it is \x22 */
	if (quote && end == text.len)
		return import_wrong(t->in, token->line, e, "this text in quotes is not closed");
	t->rest = span_from(text, end + (quote != '\0'));
	text.len = end;
	to = arena_take(t->in->arena, end + 1);		/* what an escape makes is never longer than it */
	for (size_t n = 0; n < text.len; ) {
		t->line += text.at[n] == '\n';
		if (text.at[n] != '\\') {
			to[len++] = text.at[n++];
			continue;
		}
		t->line += n + 1 < text.len && text.at[n + 1] == '\n';
		n += 1 + escape(text, n + 1, to, &len);
	}
	token->text = to;
	return true;
}

bool fetchmail_next(struct fetchmail_tokens *t, struct fetchmail_token *token, struct err *e)
{
	while (t->rest.len) {
		char c = t->rest.at[0];

		*token = (struct fetchmail_token){ .kind = FETCHMAIL_EQUALS, .text = "=", .line = t->line };
		if (c == '#') {
			t->rest = span_from(t->rest, span_find(t->rest, '\n'));
			continue;
		}
		if (strchr(" \t\r\n,;:", c) || (c == '\\' && t->rest.len > 1 && t->rest.at[1] == '\n')) {
			t->line += c == '\n';
			t->rest = span_from(t->rest, 1);
			continue;
		}
		if (c == '=') {
			t->rest = span_from(t->rest, 1);
			return true;
		}
		token->kind = c == '"' || c == '\'' ? FETCHMAIL_QUOTED : FETCHMAIL_WORD;
		return take(t, c == '"' || c == '\'' ? c : '\0', token, e);
	}
	*token = (struct fetchmail_token){ .kind = FETCHMAIL_END, .text = "", .line = t->line };
	return true;
}
