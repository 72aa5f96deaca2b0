/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts: the settings of PRODUCT 2.1 (tls.*) as shared SSL_CTX.
 *
 * A context is found by its settings: equal settings share one (each costs
 * 32 ms and 837 KiB with the system's authorities).  Client sessions are kept
 * per context and host:port for resumption, until trust changes (tls_trust.h), and at most a day: who resumes from
 * resumed sessions would never see again what became of the certificate.
 * A connection goes on with the context that it began with.
 * tls_client_get checks the settings as far as files and OpenSSL can say;
 * errors are ERR_CONFIG and name the key (`tls.ciphers: ...`).
 * What is demanded of the server's certificate, in this order:
 *     the pin, if one is set; alone it replaces everything below
 *     the chain, if verify_server:
 *         known authority, dates, depth, revocation by `crl`
 *     the name, if verify_host: a name, or an address as an address
 * Without a pin, what falls short counts all the same if a person accepted it for that
 * host and port (tls_trust.h).
 * What is in ca_certificates is known, be it a root or not.  `crl` must hold a
 * valid list of the issuer of the server's certificate, and each list it holds of
 * an issuer above counts.  tls.required = false tolerates a wrong host name:
 * whoever reads that key passes verify_host = false.
 * Verification errors at the handshake are ERR_TLS and say what was wrong,
 * with which certificate and what to do (PRODUCT: expired, wrong name, unknown
 * CA, revoked, pin, depth, version).  See conn.h for which of them may fall
 * back when tls.required is false.
 * `legacy` also lowers OpenSSL's security level to 0: SHA-1 and small keys pass.
 */
#pragma once

#include "base/err.h"

enum tls_version { TLS_ANY, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

struct tls_settings {		/* all texts borrowed; NULL = not set */
	bool legacy;		/* TLSv1 and TLSv1.1 may be named */
	unsigned versions;	/* bits 1 << enum tls_version that are allowed (TLS_1_0..TLS_1_3) */
	const char *ciphers, *ciphersuites;
	const char *certificate, *key;	/* PEM; key NULL = in the certificate's file; mode & 077 is refused */
	const char *ca_certificates;	/* PEM file; NULL = the system's */
	const char *crl;	/* PEM file; NULL = revocation is not looked at */
	bool verify_server, verify_host;
	uint32_t verify_depth;	/* 1 = signed directly by a known CA */
	const char *pin;	/* 64 hex digits (colons allowed): SHA-256 of the SubjectPublicKeyInfo */
};

struct tls_contexts;		/* one for a process; thread-safe */
struct tls_client;		/* a shared context */

[[nodiscard]] struct tls_contexts *tls_contexts_new(struct err *e);
void tls_contexts_free(struct tls_contexts **all);
/* Borrowed from `all`, alive as long as it; or longer, for who keeps it: each connection does. */
[[nodiscard]] struct tls_client *tls_client_get(struct tls_contexts *all, const struct tls_settings *s, struct err *e);
struct tls_client *tls_client_keep(struct tls_client *t);	/* NULL stays NULL */
void tls_client_put(struct tls_client **t);
