/* SPDX-License-Identifier: Apache-2.0
 *
 * Every key there is (PRODUCT 2.1, 2.2, 2.4).  A new key is a new row. */
#include "config/option.h"
#include "config/settings_pop3.h"

#include <assert.h>
#include <stddef.h>

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define TOP(field) FIELD(struct settings, field)
#define CONN(field) FIELD(struct connection, field)
#define TLS(field) FIELD(struct tls_keys, field)
#define OAUTH(field) FIELD(struct oauth_keys, field)
#define TARGET(field) FIELD(struct target, field)
#define ENVELOPE(field) FIELD(struct envelope_keys, field)
#define SMIME(field) FIELD(struct smime_files, field)
#define POP3(field) FIELD(struct pop3_settings, field)
#define POP3_TLS(field) FIELD(struct pop3_tls_keys, field)
#define POP3_OAUTH(field) FIELD(struct pop3_oauth, field)
#define LISTEN(field) FIELD(struct pop3_listener, field)
#define NOWHERE 0, 0		/* checked only: its feature keeps it when it is built */

enum {
	HOUR_MS = 3600 * 1000, DAY_MS = 24 * 3600 * 1000, DAY_S = 24 * 3600,
	MAILBOX = 1 << TARGET_MAILBOX, MAILDIR = 1 << TARGET_MAILDIR, FOLDER = 1 << TARGET_FOLDER,
	SMTP = 1 << TARGET_SMTP, LMTP = 1 << TARGET_LMTP, COMMAND = 1 << TARGET_COMMAND,
};

static const char *const protocol_names[] = { [PROTOCOL_POP3] = "pop3", [PROTOCOL_IMAP] = "imap", NULL };
static const char *const mode_names[] = { [MODE_IMPLICIT] = "implicit", [MODE_EXPLICIT] = "explicit", [MODE_NONE] = "none", NULL };
static const char *const pull_names[] = {
	[PULL_ALL] = "all", [PULL_UNREAD] = "unread", [PULL_FIRST] = "first", [PULL_FIRST_UNREAD] = "first-unread",
	[PULL_LAST] = "last", [PULL_LAST_UNREAD] = "last-unread", NULL
};
static const char *const after_names[] = { [AFTER_DELETE] = "delete", [AFTER_KEEP] = "keep", [AFTER_SEEN] = "seen", NULL };
static const char *const refused_names[] = {
	[REFUSED_QUARANTINE] = "quarantine", [REFUSED_KEEP] = "keep", [REFUSED_DELETE] = "delete", [REFUSED_RETURN] = "return", NULL
};
static const char *const trace_names[] = { [TRACE_OFF] = "off", [TRACE_PROTOCOL] = "protocol", [TRACE_WIRE] = "wire", NULL };
static const char *const type_names[] = {
	[TARGET_MAILBOX] = "mailbox", [TARGET_MAILDIR] = "maildir", [TARGET_FOLDER] = "folder", [TARGET_SMTP] = "smtp",
	[TARGET_LMTP] = "lmtp", [TARGET_COMMAND] = "command", NULL
};
static const char *const detect_names[] = { "capa", "auth", "greeting", NULL };
static const char *const flow_names[] = {
	[OAUTH_DEVICE] = "device", [OAUTH_CLIENT_CREDENTIALS] = "client_credentials", [OAUTH_REFRESH_TOKEN] = "refresh_token", NULL
};
static const char *const provider_names[] = { [OAUTH_OTHER] = "other", [OAUTH_GOOGLE] = "google", [OAUTH_MICROSOFT] = "microsoft", NULL };
static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };
static const char *const format_names[] = { "text", "json", "journal", NULL };
static const char *const store_names[] = { "lmdb", "rados", NULL };
static const char *const listen_tls_names[] = {
	[POP3_TLS_STARTTLS] = "starttls", [POP3_TLS_IMPLICIT] = "implicit", [POP3_TLS_NONE] = "none", NULL
};
static const char *const proxy_names[] = { [POP3_PROXY_OFF] = "off", [POP3_PROXY_V1] = "v1", [POP3_PROXY_V2] = "v2", NULL };
static const char *const access_names[] = { [POP3_GRANT] = "grant", [POP3_DENY] = "deny", NULL };
static const char *const overlong_names[] = { [POP3_BLOCK] = "block", [POP3_DROP] = "drop", NULL };
static const char *const uidl_names[] = { [POP3_UIDL_NATIVE] = "native", [POP3_UIDL_DOVECOT] = "dovecot", NULL };

/* detect names its three fields in order */
static_assert(offsetof(struct connection, detect_auth) == offsetof(struct connection, detect_capa) + 1, "a bool each");
static_assert(offsetof(struct connection, detect_greeting) == offsetof(struct connection, detect_capa) + 2, "a bool each");

#define TRUTH "true or false"
#define DURATION "a duration such as 30s, 15min, 2h or 7d"
#define SIZE "a size such as 25MB"
#define NETWORKS "a list of networks, {\"192.0.2.0/24\"}"

static const struct option tls_rows[] = {
	{ "mode",            OPTION_CHOICE,  TLS(mode), "implicit", .names = mode_names, .help = "implicit, explicit (STLS, STARTTLS) or none" },
	{ "required",        OPTION_BOOL,    TLS(required), "true", .help = TRUTH },
	{ "protocols",       OPTION_TEXTS,   TLS(protocols), "All", .flags = OPTION_FILLED,
		.help = "TLSv1.2, TLSv1.3 or All, with + or - before them" },
	{ "min",             OPTION_VERSION, TLS(min), .help = "TLSv1.2 or TLSv1.3" },
	{ "max",             OPTION_VERSION, TLS(max), .help = "TLSv1.2 or TLSv1.3" },
	{ "legacy",          OPTION_BOOL,    TLS(legacy), "false", .help = TRUTH },
	{ "ciphers",         OPTION_TEXT,    TLS(ciphers), .min = 1, .help = "a cipher list as of openssl ciphers" },
	{ "ciphersuites",    OPTION_TEXT,    TLS(ciphersuites), .min = 1,
		.help = "names such as TLS_AES_256_GCM_SHA384 with colons between them" },
	{ "certificate",     OPTION_FILE,    TLS(certificate), .min = 1, .help = "the path of a PEM file" },
	{ "key",             OPTION_FILE,    TLS(key), .min = 1, .help = "the path of a PEM file" },
	{ "ca_certificates", OPTION_FILE,    TLS(ca_certificates), .min = 1, .help = "the path of a PEM file" },
	{ "crl",             OPTION_FILE,    TLS(crl), .min = 1, .help = "the path of a PEM file" },
	{ "verify_server",   OPTION_BOOL,    TLS(verify_server), "true", .help = TRUTH },
	{ "verify_host",     OPTION_BOOL,    TLS(verify_host), "true", .help = TRUTH },
	{ "verify_depth",    OPTION_UINT,    TLS(verify_depth), "9", .min = 1, .max = 100,
		.help = "a number of certificates; 1 = signed directly by a known authority" },
	{ "pin",             OPTION_TEXT,    TLS(pin), .form = value_pin, .help = "the SHA-256 of the server's key, 64 hexadecimal digits" },
	{ 0 }
};

static const struct option oauth_rows[] = {
	{ "provider",        OPTION_CHOICE, OAUTH(provider), .names = provider_names, .help = "google, microsoft or other" },
	{ "tenant",          OPTION_TEXT,   OAUTH(tenant), .min = 1, .max = 255, .form = value_tenant, .help = "the domain or the ID of a tenant of Microsoft's" },
	{ "flow",            OPTION_CHOICE, OAUTH(flow), .names = flow_names, .help = "device, client_credentials or refresh_token" },
	{ "client_id",       OPTION_TEXT,   OAUTH(client_id), .min = 1, .max = 1000, .help = "the identifier of the application" },
	{ "client_secret",   OPTION_SECRET, OAUTH(client_secret), .help = "vault:NAME, file:PATH, command:CMD or credential:NAME" },
	{ "token_url",       OPTION_TEXT,   OAUTH(token_url), .min = 1, .max = 2000, .form = value_endpoint, .help = "https://HOST/PATH" },
	{ "device_url",      OPTION_TEXT,   OAUTH(device_url), .min = 1, .max = 2000, .form = value_endpoint, .help = "https://HOST/PATH" },
	{ "scope",           OPTION_TEXT,   OAUTH(scope), .min = 1, .max = 2000, .help = "the scopes with blanks between them" },
	{ "ca_certificates", OPTION_PATH,   OAUTH(ca_certificates), .min = 1, .help = "the path of a PEM file" },
	{ 0 }
};

static const struct option envelope_rows[] = {
	{ "headers",       OPTION_TEXTS, ENVELOPE(headers), "X-Real-To,Delivered-To,X-Original-To,Envelope-To", .form = value_field,
		.flags = OPTION_FILLED, .help = "a list of header fields, {\"Delivered-To\"}" },
	{ "source_domain", OPTION_TEXT,  ENVELOPE(source_domain), .min = 1, .max = 255, .help = "a domain" },
	{ "target_domain", OPTION_TEXT,  ENVELOPE(target_domain), .min = 1, .max = 255, .help = "a domain" },
	{ "recipients",    OPTION_TEXTS, ENVELOPE(recipients), .flags = OPTION_FILLED, .help = "a list of addresses, {\"anna@example.org\"}" },
	{ "no_recipient",  OPTION_TEXT,  ENVELOPE(no_recipient), "hold", .form = value_no_recipient, .help = "hold, delete, quarantine, or addresses" },
	{ 0 }
};

const struct option connection_rows[] = {
	{ "description",          OPTION_TEXT,    CONN(description), "", .max = SETTINGS_DESCRIPTION_MAX, .help = "at most 2048 characters" },
	{ "enabled",              OPTION_BOOL,    CONN(enabled), "true", .help = TRUTH },
	{ "protocol",             OPTION_CHOICE,  CONN(protocol), .names = protocol_names, .help = "pop3 or imap" },
	{ "host",                 OPTION_TEXT,    CONN(host), .min = 1, .help = "a name or an address, also \"HOST:PORT\"" },
	{ "port",                 OPTION_UINT,    CONN(port), .min = 1, .max = 65535, .help = "a port number, 995 for pop3s" },
	{ "user",                 OPTION_TEXT,    CONN(user), .min = 1, .max = SETTINGS_USER_MAX, .help = "a name of at most 320 characters" },
	{ "password",             OPTION_SECRET,  CONN(password), .help = "file:PATH, command:CMD or credential:NAME" },
	{ "auth",                 OPTION_AUTH,    offsetof(struct connection, auth), 1, "auto", .flags = OPTION_FILLED,
		.help = "auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}" },
	{ "allow_cleartext",      OPTION_BOOL,    CONN(allow_cleartext), "false", .help = TRUTH },
	{ "detect",               OPTION_FLAGS,   offsetof(struct connection, detect_capa), 3, "capa,auth,greeting", .names = detect_names,
		.help = "a list out of capa, auth and greeting" },
	{ "oauth",                OPTION_SECTION, CONN(oauth), .inner = oauth_rows },
	{ "tls",                  OPTION_SECTION, CONN(tls), .inner = tls_rows },
	{ "mailbox",              OPTION_TEXTS,   CONN(mailboxes), "INBOX", .flags = OPTION_FILLED,
		.help = "a list of names or patterns, {\"INBOX\"}" },
	{ "pull",                 OPTION_CHOICE,  CONN(pull), "all", .names = pull_names,
		.help = "all, unread, first, first-unread, last or last-unread" },
	{ "search",               OPTION_TEXT,    CONN(search), .min = 1, .max = 2000, .help = "an IMAP search such as UNSEEN" },
	{ "newer_than",           OPTION_SECONDS, CONN(newer_than_s), .help = DURATION },
	{ "max_size",             OPTION_SIZE,    CONN(max_size), .help = SIZE },
	{ "max_messages",         OPTION_UINT,    CONN(max_messages), .help = "a number of messages" },
	{ "use_top",              OPTION_BOOL,    CONN(use_top), "false", .help = TRUTH },
	{ "after",                OPTION_AFTER,   0, 1, .names = after_names, .help = "delete, keep, seen or, for imap, move:FOLDER" },
	{ "delete_after",         OPTION_SECONDS, CONN(delete_after_s), .help = "a duration such as 30d" },
	{ "on_refused",           OPTION_CHOICE,  CONN(on_refused), "quarantine", .names = refused_names,
		.help = "quarantine, keep, delete or return" },
	{ "held_max",             OPTION_SIZE,    CONN(held_max), "1GB", .help = SIZE },
	{ "history_keep",         OPTION_SECONDS, CONN(history_keep_s), "30d", .help = "a duration such as 30d, 0 = for ever" },
	{ "interval",             OPTION_MS,      CONN(interval_ms), "15min", .help = DURATION },
	{ "idle",                 OPTION_BOOL,    CONN(idle), "false", .help = TRUTH },
	{ "active",               OPTION_TEXTS,   CONN(active), "always", .form = value_hours, .flags = OPTION_FILLED,
		.help = "always, or windows such as \"Mon-Fri 08:00-18:00\"" },
	{ "max_retries",          OPTION_UINT,    CONN(max_retries), "0", .max = 1000000, .help = "a number, 0 for none" },
	{ "retry_interval",       OPTION_MS,      CONN(retry_interval_ms), "0", .help = DURATION },
	{ "delay_failed_host",    OPTION_MS,      CONN(delay_failed_host_ms), "5min", .help = DURATION },
	{ "delay_failed_account", OPTION_MS,      CONN(delay_failed_account_ms), "1h", .help = DURATION },
	{ "source_address",       OPTION_TEXT,    CONN(source_address), .form = value_address, .help = "an IP address of this machine" },
	{ "compress",             OPTION_BOOL,    CONN(compress), "true", .help = TRUTH },
	{ "proxy",                OPTION_TEXT,    CONN(proxy), .form = value_proxy, .flags = OPTION_UNBUILT, .help = "socks5://HOST:PORT" },
	{ "connect_timeout",      OPTION_MS,      CONN(connect_timeout_ms), "30s", .min = 1000, .max = DAY_MS, .help = "a duration from 1s to 1d" },
	{ "timeout",              OPTION_MS,      CONN(timeout_ms), "60s", .min = 1000, .max = DAY_MS, .help = "a duration from 1s to 1d" },
	{ "envelope",             OPTION_SECTION, CONN(envelope), .inner = envelope_rows },
	{ "trace",                OPTION_CHOICE,  CONN(trace), "off", .names = trace_names, .help = "off, protocol or wire" },
	{ "deliver",              OPTION_TEXTS,   CONN(deliver_to), .flags = OPTION_FILLED,
		.help = "a list of targets, {\"archive\"} or {\"maildir:/var/mail/anna\"}" },
	{ 0 }
};

static const struct option smime_rows[] = {
	{ "certificate",     OPTION_FILE, SMIME(certificate), .min = 1, .help = "the path of a PEM file" },
	{ "key",             OPTION_FILE, SMIME(key), .min = 1, .help = "the path of a PEM file" },
	{ "ca_certificates", OPTION_FILE, SMIME(ca_certificates), .min = 1, .help = "the path of a PEM file" },
	{ 0 }
};

const struct option target_rows[] = {
	{ "type",     OPTION_CHOICE,  TARGET(type), .names = type_names, .types = UINT8_MAX,
		.help = "mailbox, maildir, folder, smtp, lmtp or command" },
	{ "mailbox",  OPTION_TEXT,    TARGET(mailbox), .min = 1, .types = MAILBOX, .help = "ACCOUNT/BOX, for instance anna/INBOX" },
	{ "path",     OPTION_PATH,    TARGET(path), .min = 1, .types = MAILDIR | FOLDER, .help = "the path of a folder" },
	{ "prefix",   OPTION_TEXT,    TARGET(prefix), "mail", .min = 1, .max = 64, .form = value_prefix, .types = FOLDER,
		.help = "how the names of the files begin, such as invoice" },
	{ "template", OPTION_FILE,    TARGET(template), .min = 1, .form = value_suffix, .types = FOLDER, .help = "the path of a template" },
	{ "split",    OPTION_BOOL,    TARGET(split), "false", .types = FOLDER, .help = TRUTH },
	{ "smime",    OPTION_SECTION, TARGET(smime), .inner = smime_rows, .types = FOLDER | COMMAND },
	{ "host",     OPTION_TEXT,    TARGET(host), .min = 1, .types = SMTP | LMTP, .help = "a name, an address or, for lmtp, the path of a socket" },
	{ "port",     OPTION_UINT,    TARGET(port), .min = 1, .max = 65535, .types = SMTP | LMTP, .help = "a port number, 25 for smtp" },
	{ "tls",      OPTION_SECTION, TARGET(tls), .inner = tls_rows, .types = SMTP | LMTP },
	{ "auth",     OPTION_AUTH,    TARGET(auth), "auto", .types = SMTP | LMTP, .flags = OPTION_FILLED, .help = "auto, or a list such as {\"plain\"}" },
	{ "user",     OPTION_TEXT,    TARGET(user), .min = 1, .max = SETTINGS_USER_MAX, .types = SMTP | LMTP, .help = "a name of at most 320 characters" },
	{ "password", OPTION_SECRET,  TARGET(password), .types = SMTP | LMTP, .help = "file:PATH, command:CMD or credential:NAME" },
	{ "parallel", OPTION_UINT,    TARGET(parallel), "2", .min = 1, .max = 1000, .types = SMTP | LMTP | COMMAND, .help = "a number from 1 to 1000" },
	{ "argv",     OPTION_TEXTS,   TARGET(argv), .types = COMMAND, .flags = OPTION_FILLED | OPTION_EMPTY,
		.help = "the program and its arguments, {\"/usr/bin/spam\", \"-x\"}" },
	{ "timeout",  OPTION_MS,      TARGET(timeout_ms), "30s", .min = 1000, .max = DAY_MS, .types = COMMAND, .help = "a duration from 1s to 1d" },
	{ "envelope", OPTION_SECTION, TARGET(envelope), .inner = envelope_rows, .types = UINT8_MAX },
	{ 0 }
};

static const struct option log_rows[] = {
	{ "level",  OPTION_WORD,   TOP(log_level), .names = level_names, .help = "error, warn, info or debug" },
	{ "format", OPTION_WORD,   TOP(log_format), .names = format_names, .help = "text, json or journal" },
	{ "to",     OPTION_TEXT,   TOP(log_to), .min = 1, .help = "stderr, or the path of a file" },
	{ 0 }
};

const struct option listen_rows[] = {
	{ "address",         OPTION_TEXT,   LISTEN(address), "::", .min = 1, .form = value_address, .help = "an IP address of this machine" },
	{ "port",            OPTION_UINT,   LISTEN(port), .min = 1, .max = 65535, .help = "a port number, 110 or 995" },
	{ "tls",             OPTION_CHOICE, LISTEN(tls), "starttls", .names = listen_tls_names, .help = "starttls, implicit or none" },
	{ "allow_cleartext", OPTION_BOOL,   LISTEN(allow_cleartext), "false", .help = TRUTH },
	{ "proxy_protocol",  OPTION_CHOICE, LISTEN(proxy), "off", .names = proxy_names, .help = "off, v1 or v2" },
	{ "trusted",         OPTION_TEXTS,  LISTEN(trusted), .form = value_network, .help = NETWORKS },
	{ 0 }
};

static const struct option server_tls_rows[] = {
	{ "min",          OPTION_VERSION, POP3_TLS(min), .help = "TLSv1.2 or TLSv1.3" },
	{ "max",          OPTION_VERSION, POP3_TLS(max), .help = "TLSv1.2 or TLSv1.3" },
	{ "ciphers",      OPTION_TEXT,    POP3_TLS(ciphers), .min = 1, .help = "a cipher list as of openssl ciphers" },
	{ "ciphersuites", OPTION_TEXT,    POP3_TLS(ciphersuites), .min = 1,
		.help = "names such as TLS_AES_256_GCM_SHA384 with colons between them" },
	{ 0 }
};

static const struct option server_oauth_rows[] = {
	{ "introspection_url", OPTION_TEXT,   POP3_OAUTH(introspection_url), .min = 1, .max = 2000, .form = value_endpoint, .help = "https://HOST/PATH" },
	{ "client_id",         OPTION_TEXT,   POP3_OAUTH(client_id), .min = 1, .max = 1000, .help = "our name at the endpoint" },
	{ "client_secret",     OPTION_SECRET, POP3_OAUTH(client_secret), .help = "vault:NAME, file:PATH or credential:NAME" },
	{ "username_claim",    OPTION_TEXT,   POP3_OAUTH(username_claim), "username", .min = 1, .max = 200,
		.help = "the member of the endpoint's answer that names the user, such as username, sub or email" },
	{ "scope",             OPTION_TEXT,   POP3_OAUTH(scope), .max = 1000, .help = "the scopes with blanks between them, or \"\" for none" },
	{ "ca_certificates",   OPTION_PATH,   POP3_OAUTH(ca_certificates), .min = 1, .help = "the path of a PEM file" },
	{ 0 }
};

const struct option pop3_rows[] = {
	{ "listen",           OPTION_SECTION, NOWHERE, .inner = listen_rows, .flags = OPTION_TITLED },
	{ "certificate",      OPTION_PATH,    POP3(certificate), .min = 1, .help = "the path of a PEM file" },
	{ "key",              OPTION_PATH,    POP3(key), .min = 1, .help = "the path of a PEM file" },
	{ "ca_certificates",  OPTION_PATH,    POP3(ca_certificates), .min = 1, .help = "the path of a PEM file" },
	{ "tls",              OPTION_SECTION, POP3(tls), .inner = server_tls_rows },
	{ "max_sessions",     OPTION_UINT,    POP3(max_sessions), "10000", .max = 10000000, .help = "a number, 0 for no service" },
	{ "max_per_address",  OPTION_UINT,    POP3(max_per_address), "0", .max = 10000000, .help = "a number, 0 for no limit" },
	{ "max_per_user",     OPTION_UINT,    POP3(max_per_user), "0", .max = 10000000, .help = "a number, 0 for no limit" },
	{ "access",           OPTION_CHOICE,  POP3(access), "grant", .names = access_names, .help = "grant or deny" },
	{ "except",           OPTION_TEXTS,   POP3(except), .form = value_network, .help = NETWORKS },
	{ "mechanisms",       OPTION_TEXTS,   POP3(mechanisms_as_written), .flags = OPTION_FILLED,
		.help = "auto, or a list such as {\"scram-sha-256\", \"plain\"}" },
	{ "apop",             OPTION_BOOL,    POP3(apop), "true", .help = TRUTH },
	{ "greeting",         OPTION_TEXT,    POP3(greeting), .help = "a text of at most 400 characters" },
	{ "hide_version",     OPTION_BOOL,    POP3(hide_version), "true", .help = TRUTH },
	{ "login_delay",      OPTION_SECONDS, POP3(login_delay_s), "0", .max = DAY_S, .help = "a duration of at most 1d, 0 for none" },
	{ "idle_timeout",     OPTION_MS,      POP3(idle_timeout_ms), "10min", .min = 1000, .max = DAY_MS, .help = "a duration from 1s to 1d" },
	{ "login_timeout",    OPTION_MS,      POP3(login_timeout_ms), "2min", .min = 1000, .max = DAY_MS, .help = "a duration from 1s to 1d" },
	{ "overlong",         OPTION_CHOICE,  POP3(overlong), "block", .names = overlong_names, .help = "block or drop" },
	{ "failed_delay",     OPTION_MS,      POP3(failed_delay_ms), "2s", .max = HOUR_MS, .help = "a duration of at most 1h, 0 for none" },
	{ "failed_limit",     OPTION_UINT,    POP3(failed_limit), "10", .max = 1000000, .help = "a number of failed logins, 0 for no limit" },
	{ "failed_block",     OPTION_MS,      POP3(failed_block_ms), "15min", .max = 30u * DAY_MS, .help = "a duration of at most 30d" },
	{ "exclusive",        OPTION_BOOL,    POP3(exclusive), "false", .help = TRUTH },
	{ "after_retr_seen",  OPTION_BOOL,    POP3(after_retr_seen), "true", .help = TRUTH },
	{ "submission",       OPTION_TEXT,    POP3(submission_as_written), .help = "a target, or \"\" for none" },
	{ "submission_limit", OPTION_UINT,    POP3(submission_limit), "100", .max = 10000000,
		.help = "a number of messages a day" },
	{ "submission_size",  OPTION_SIZE,    POP3(submission_size), "25MB", .help = SIZE },
	{ "route_header",     OPTION_TEXT,    POP3(route_header), "X-Real-To", .min = 1, .max = 127, .form = value_field,
		.help = "the name of a header field" },
	{ "maildir",          OPTION_TEXT,    POP3(maildir), .form = value_maildirs, .help = "a path such as /var/mail/%u, or \"\" for none" },
	{ "uidl",             OPTION_CHOICE,  POP3(uidl), "native", .names = uidl_names, .help = "native or dovecot" },
	{ "users",            OPTION_TEXTS,   POP3(users_as_written), "internal", .form = value_users, .flags = OPTION_FILLED,
		.help = "a list out of internal, passwd-file:PATH and pam:SERVICE" },
	{ "oauth",            OPTION_SECTION, POP3(oauth), .inner = server_oauth_rows },
	{ 0 }
};

static const struct option console_rows[] = {
	{ "listen",      OPTION_TEXT, NOWHERE, "127.0.0.1:8110", .form = value_socket, .help = "ADDRESS:PORT, 127.0.0.1:8110" },
	{ "certificate", OPTION_PATH, NOWHERE, .min = 1, .help = "the path of a PEM file" },
	{ "key",         OPTION_PATH, NOWHERE, .min = 1, .help = "the path of a PEM file" },
	{ 0 }
};

const struct option settings_rows[] = {
	{ "state",           OPTION_PATH,    TOP(state), .min = 1, .help = "the path of a folder" },
	{ "store",           OPTION_WORD,    TOP(store), "lmdb", .names = store_names, .help = "lmdb (embedded) or rados (Ceph)" },
	{ "store_map",       OPTION_SIZE,    TOP(store_map), "1TB", .min = 1 << 20, .max = 1ull << 46, .help = "a size such as 1TB" },
	{ "main_domain",     OPTION_TEXT,    TOP(main_domain), .help = "a domain" },
	{ "run_as",          OPTION_TEXT,    TOP(run_as), .min = 1, .max = 32, .form = value_user, .help = "the name of a user, such as postrider" },
	{ "log",             OPTION_SECTION, 0, sizeof(struct settings), .inner = log_rows },
	{ "max_per_host",    OPTION_UINT,    TOP(max_per_host), "8", .min = 1, .max = 10000, .help = "a number from 1 to 10000" },
	{ "workers",         OPTION_UINT,    TOP(workers), .min = 1, .max = 1024, .help = "a number from 1 to 1024" },
	{ "connections_dir", OPTION_PATH,    TOP(connections_dir), .min = 1, .help = "the path of a folder with files *.conf" },
	{ "target",          OPTION_SECTION, NOWHERE, .inner = target_rows, .flags = OPTION_TITLED },
	{ "connection",      OPTION_SECTION, NOWHERE, .inner = connection_rows, .flags = OPTION_TITLED },
	{ "pop3",            OPTION_SECTION, NOWHERE, .inner = pop3_rows },
	{ "console",         OPTION_SECTION, NOWHERE, .inner = console_rows, .flags = OPTION_UNBUILT },
	{ 0 }
};
