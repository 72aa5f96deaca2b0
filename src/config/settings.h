/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings: PRODUCT section 2 as plain structs.
 *
 * Everything lives in one arena and is read-only after settings_read.  Texts
 * are NUL-terminated or NULL when not set; lists are counted arrays; durations are
 * milliseconds (_ms) or seconds (_s), sizes octets.  Where a key was set is in `where`
 * (file and line), so that a later error (a file that is not there) can still
 * name its line.  Relative paths in a file are meant from that file's folder, on
 * the command line from the current one; here they are absolute.  Secrets are held in `struct secret` only, which nothing
 * prints: settings are never dumped whole. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "wire/envelope_rules.h"

enum {				/* characters; but SETTINGS_DELIVER_MAX, SETTINGS_ACTIVE_MAX: targets, windows of one connection */
	SETTINGS_NAME_MAX = 128, SETTINGS_DESCRIPTION_MAX = 2048, SETTINGS_USER_MAX = 320, SETTINGS_DELIVER_MAX = 8,
	SETTINGS_ACTIVE_MAX = 64
};

struct where {
	const char *file;	/* NULL: not from a file (default, command line) */
	uint32_t line;
};

struct texts {
	const char **at;
	size_t count;
};

enum secret_kind { SECRET_NONE, SECRET_LITERAL, SECRET_VAULT, SECRET_FILE, SECRET_COMMAND, SECRET_CREDENTIAL, SECRET_ASK };

struct secret {			/* a password, or where to get it */
	enum secret_kind kind;
	const char *text;	/* the literal, name, path or command */
};

/* Login mechanisms, strongest first; the order is that of enum sasl_mech, TLS
 * versions have the values of enum tls_version: rooms that this one may not know. */
enum mechanism {
	MECHANISM_EXTERNAL, MECHANISM_SCRAM_SHA_256_PLUS, MECHANISM_SCRAM_SHA_256, MECHANISM_SCRAM_SHA_1_PLUS,
	MECHANISM_SCRAM_SHA_1, MECHANISM_OAUTHBEARER, MECHANISM_XOAUTH2, MECHANISM_GSSAPI, MECHANISM_DIGEST_MD5,
	MECHANISM_CRAM_MD5, MECHANISM_NTLM, MECHANISM_APOP, MECHANISM_PLAIN, MECHANISM_LOGIN, MECHANISM_USER,
	MECHANISMS
};
enum version { VERSION_NOT_SET, VERSION_TLS_1_0, VERSION_TLS_1_1, VERSION_TLS_1_2, VERSION_TLS_1_3 };

enum protocol { PROTOCOL_POP3, PROTOCOL_IMAP };
enum tls_mode { MODE_IMPLICIT, MODE_EXPLICIT, MODE_NONE };
enum pull { PULL_ALL, PULL_UNREAD, PULL_FIRST, PULL_FIRST_UNREAD, PULL_LAST, PULL_LAST_UNREAD };
enum after { AFTER_DELETE, AFTER_KEEP, AFTER_SEEN, AFTER_MOVE };
enum on_refused { REFUSED_QUARANTINE, REFUSED_KEEP, REFUSED_DELETE, REFUSED_RETURN };
enum trace { TRACE_OFF, TRACE_PROTOCOL, TRACE_WIRE };
enum oauth_flow { OAUTH_DEVICE, OAUTH_CLIENT_CREDENTIALS, OAUTH_REFRESH_TOKEN };
enum oauth_provider { OAUTH_OTHER, OAUTH_GOOGLE, OAUTH_MICROSOFT };
enum target_type { TARGET_MAILBOX, TARGET_MAILDIR, TARGET_FOLDER, TARGET_SMTP, TARGET_LMTP, TARGET_COMMAND };

struct auth_keys {
	const uint8_t *auth;	/* enum mechanism, in order; for auto those that are built and could work */
	size_t auth_count;
	bool auth_auto;
};

struct tls_keys {
	enum tls_mode mode;
	bool mode_set;
	bool required, verify_server, verify_host, legacy;
	struct texts protocols;	/* as written; */
	uint32_t min, max;	/* enum version, as written; */
	unsigned versions;	/* and what comes of them: bits 1 << enum version, protocols ∩ min ∩ max */
	const char *ciphers, *ciphersuites, *certificate, *key, *ca_certificates, *crl, *pin;
	uint32_t verify_depth;
};

/* Whom an access token is asked of (RFC 6749), and how; what `provider` says is filled in already. */
struct oauth_keys {
	struct where where;	/* of the section */
	enum oauth_provider provider;
	enum oauth_flow flow;
	const char *tenant;	/* Microsoft's */
	const char *client_id;
	struct secret client_secret;	/* SECRET_NONE: the client has none */
	const char *token_url, *device_url;	/* value_endpoint; device_url may be NULL but for flow device */
	const char *scope;	/* NULL = none is asked for */
	const char *ca_certificates;	/* NULL = the system's */
};

struct envelope_keys {
	struct texts headers, recipients;
	const char *source_domain, *target_domain, *no_recipient;	/* as written; */
	struct envelope_rules rules;					/* and ready for use: the defaults where there is no such section */
};

struct smime_files {			/* PEM; NULL: none */
	const char *certificate, *key;	/* ours, for decryption; the key may be in the certificate's file */
	const char *ca_certificates;	/* NULL: the system's */
};

struct target {
	const char *name;	/* of its section; of an inline target its canonical text */
	struct where where;
	enum target_type type;
	const char *canonical;	/* "mailbox:anna/INBOX" as written, "maildir:/abs/path": the ledger's word for it */
	const char *mailbox;	/* TARGET_MAILBOX: ACCOUNT/BOX, the account with its domain: main_domain when none is written */
	const char *path;	/* TARGET_MAILDIR, TARGET_FOLDER: absolute, ~ expanded */
	const char *prefix;	/* TARGET_FOLDER: how its files' names begin */
	const char *template;	/* TARGET_FOLDER: the path of a text with keywords; NULL = none */
	bool split;		/* TARGET_FOLDER: into body and attachment files too */
	bool has_smime;		/* TARGET_FOLDER, TARGET_COMMAND: what comes is decrypted and verified */
	struct smime_files smime;
	struct texts argv;	/* TARGET_COMMAND: at least the program; no shell */
	uint32_t timeout_ms;	/* TARGET_COMMAND */
	uint32_t parallel;	/* TARGET_SMTP, TARGET_LMTP, TARGET_COMMAND: deliveries at once */
	bool has_envelope;
	struct envelope_keys envelope;
	const char *host;	/* TARGET_SMTP, TARGET_LMTP; of the latter a socket's path begins with / */
	uint16_t port;		/* already by type and TLS mode when not set */
	struct tls_keys tls;	/* as a connection's; required = false: STARTTLS if it is offered */
	struct auth_keys auth;	/* none: no login */
	const char *user;	/* NULL = none */
	struct secret password;
};

struct connection {
	const char *name, *description;
	struct where where;
	bool enabled;
	enum protocol protocol;
	bool protocol_set;
	const char *host, *user;
	uint16_t port;		/* already by protocol and TLS mode when not set */
	bool port_set;
	struct secret password;
	const uint8_t *auth;	/* enum mechanism, in order; for auto those that are built and could work */
	size_t auth_count;
	bool auth_auto;
	bool has_oauth;		/* then there is no password; auth holds mechanisms for tokens, and external */
	struct oauth_keys oauth;
	bool allow_cleartext;
	bool compress;		/* IMAP: COMPRESS=DEFLATE where it is offered */
	bool detect_capa, detect_auth, detect_greeting;
	struct tls_keys tls;
	struct texts mailboxes;
	enum pull pull;
	const char *search;
	uint64_t newer_than_s;	/* 0 = not set */
	uint64_t max_size;	/* 0 = not set */
	uint64_t max_messages;	/* 0 = not set */
	bool use_top;
	enum after after;
	const char *move_folder;
	uint64_t delete_after_s;	/* 0 = not set */
	enum on_refused on_refused;
	const char *postmaster;	/* on_refused = return: whom it tells; never NULL */
	uint64_t held_max;
	uint64_t history_keep_s;	/* 0 = for ever */
	uint64_t interval_ms;	/* 0 = once */
	struct texts active;	/* windows of time, as value_hours takes them */
	bool idle;
	uint64_t max_retries, retry_interval_ms, delay_failed_host_ms, delay_failed_account_ms;
	const char *source_address, *proxy;
	uint32_t connect_timeout_ms, timeout_ms;
	enum trace trace;
	struct texts deliver_to;	/* as written; */
	const struct target **deliver;	/* and the targets that are meant */
	size_t deliver_count;
	bool has_envelope;
	struct envelope_keys envelope;
};

struct pop3_settings;		/* settings_pop3.h */

struct settings {
	struct arena arena;
	const char *file;	/* the configuration file; NULL = none */
	const char *state;
	const char *store;	/* "lmdb" */
	uint64_t store_map;
	const char *main_domain;	/* NULL = none */
	const char *run_as;	/* the user that root becomes in `run`; NULL = root stays root */
	uint32_t max_per_host, workers;
	const char *log_level, *log_format, *log_to;	/* NULL = not set */
	const char *connections_dir;	/* NULL = not set */
	struct connection **connections;
	size_t connection_count;
	struct target **targets;
	size_t target_count;
	const struct pop3_settings *pop3;	/* NULL = there is no POP3 service */
	const char **warnings;	/* "file:line: …": features not built yet, and the like */
	size_t warning_count;
};

/* NULL when there is none of that name. */
const struct connection *settings_connection(const struct settings *s, const char *name);
const struct target *settings_target(const struct settings *s, const char *name);
