/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of the POP3 service: PRODUCT 2.4 as plain structs.
 *
 * settings.pop3 is NULL when there is no section pop3: then there is no such
 * service; nor is there with max_sessions = 0.  Texts, lists and durations are
 * as in settings.h.  What is here fits together already: implicit TLS has a
 * certificate, a proxy has somebody who is trusted, no two listeners have one
 * address and port, `mechanisms` holds only what can work.
 * The files (certificate, key, ca_certificates, passwd-file, client_secret) are only named here, with
 * absolute paths: whoever opens them says what is wrong with them, also that
 * a key can be read by others (net's tls_server_get, mode & 007).  Networks are well-formed
 * for net's network_parse, their bits behind the prefix are 0. */
#pragma once

#include "config/settings.h"

enum { POP3_GREETING_CHARACTERS = 400 };

enum pop3_tls { POP3_TLS_STARTTLS, POP3_TLS_IMPLICIT, POP3_TLS_NONE };
enum pop3_proxy { POP3_PROXY_OFF, POP3_PROXY_V1, POP3_PROXY_V2 };
enum pop3_access { POP3_GRANT, POP3_DENY };
enum pop3_overlong { POP3_BLOCK, POP3_DROP };
enum pop3_uidl { POP3_UIDL_NATIVE, POP3_UIDL_DOVECOT };
enum pop3_users_kind { POP3_USERS_INTERNAL, POP3_USERS_PASSWD_FILE, POP3_USERS_PAM };

struct pop3_listener {
	const char *name;	/* of its section; "default" for the one that nobody wrote */
	struct where where;
	const char *address;	/* an IP address; "::" is every one of this machine, IPv4 too */
	uint16_t port;		/* 110, or 995 by implicit TLS, when not set */
	enum pop3_tls tls;	/* without a certificate starttls has become none */
	bool allow_cleartext;	/* clear-text passwords on an unprotected line */
	enum pop3_proxy proxy;	/* the header that each connection begins with; */
	struct texts trusted;	/* and the networks that may say so: none without a proxy, else some */
};

struct pop3_tls_keys {
	uint32_t min, max;	/* enum version, not below TLSv1.2; VERSION_NOT_SET = no bound */
	const char *ciphers, *ciphersuites;	/* NULL = OpenSSL's */
};

struct pop3_users {
	enum pop3_users_kind kind;
	const char *text;	/* the absolute path, the name of the PAM service; NULL for internal */
};

/* Whom bearer tokens are shown to (RFC 7662). */
struct pop3_oauth {
	struct where where;	/* of the section */
	const char *introspection_url;	/* value_endpoint; NULL = there is no such section, and tokens are refused */
	const char *client_id;	/* NULL = the endpoint asks for none */
	struct secret client_secret;	/* SECRET_NONE, LITERAL, FILE or CREDENTIAL */
	const char *username_claim;	/* of the answer: whose the token is */
	const char *scope;	/* words that a token must have; NULL = none */
	const char *ca_certificates;	/* NULL = the system's */
};

struct pop3_settings {
	struct where where;
	const struct pop3_listener *listeners;	/* at least one */
	size_t listener_count;
	const char *certificate;	/* PEM, the whole chain; NULL = no TLS */
	const char *key;	/* NULL = in the certificate's file */
	const char *ca_certificates;	/* of clients, for EXTERNAL; NULL = clients are not asked for one */
	struct pop3_tls_keys tls;
	uint32_t max_sessions;	/* 0 = the service is off */
	uint32_t max_per_address, max_per_user;	/* 0 = no limit */
	enum pop3_access access;	/* for all but: */
	struct texts except;	/* networks */
	struct texts mechanisms_as_written;	/* empty = auto, and what comes of them, with `apop`: */
	uint32_t mechanisms;	/* bits 1 << enum mechanism that are built and can work; 0 = nobody can log in */
	bool apop;		/* as written */
	const char *greeting;	/* at most POP3_GREETING_CHARACTERS; NULL = the default */
	bool hide_version;
	uint32_t login_delay_s;	/* 0 = none */
	uint32_t idle_timeout_ms, login_timeout_ms;
	enum pop3_overlong overlong;
	uint32_t failed_delay_ms;	/* the first one; 0 = none */
	uint32_t failed_limit;	/* 0 = never blocked */
	uint32_t failed_block_ms;
	bool exclusive, after_retr_seen;
	const char *submission_as_written;	/* NULL = XTND XMIT is refused, */
	const struct target *submission;	/* and the target that is meant */
	uint32_t submission_limit;	/* messages a day of one account; 0 = none at all */
	uint64_t submission_size;
	const char *route_header;	/* a field's name, never NULL */
	const char *maildir;	/* a template (wire/template.h) for users that have nothing of their own; NULL = the store */
	enum pop3_uidl uidl;
	struct texts users_as_written;
	const struct pop3_users *users;	/* to be asked in this order; at least one */
	size_t user_count;
	struct pop3_oauth oauth;
};
