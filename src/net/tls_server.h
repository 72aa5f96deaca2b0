/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts of a server: its certificate and key, and what it asks of clients.
 *
 *     t = tls_server_get(all, &settings, &e) … conn_accept(… t …) … tls_server_put(&t)
 * tls_server_get reads the files; asked again for the same settings it gives the
 * same context as long as the files hold the same octets, else a new one: so
 * a reload asks again, hands the new one to its listeners and puts the old one.
 * Each connection keeps what it began with; a context ends with the last that
 * holds it; so the contexts are freed after the loops.  All of this is thread-safe;
 * one context serves all loops.
 * Errors are ERR_CONFIG and name the key (`certificate: …`, `tls.min: …`); nothing
 * is lost when a reload fails: the old one is as it was.
 *
 * Sessions are resumed by tickets, under keys that live in memory only, change
 * every TLS_TICKET_LIFE_S and are kept as long again; nothing is renegotiated and
 * there is no early data.  A client that names protocols (ALPN) must name `alpn`.
 * With ca_certificates the client is asked for a certificate, and may have none;
 * one that those authorities did not issue, or out of date, ends the handshake. */
#pragma once

#include "net/tls.h"

enum { TLS_TICKET_LIFE_S = 7200 };

struct tls_server_settings {	/* all texts borrowed; NULL = not set */
	enum tls_version min, max;	/* TLS_ANY: from TLSv1.2 on, up to the newest */
	const char *ciphers, *ciphersuites;
	const char *certificate, *key;	/* PEM, the whole chain; key NULL = in the certificate's file; mode & 007 is refused */
	const char *ca_certificates;	/* PEM file of authorities for client certificates */
	const char *alpn;		/* "pop3" */
};

struct tls_server;

[[nodiscard]] struct tls_server *tls_server_get(struct tls_contexts *all, const struct tls_server_settings *s, struct err *e);
struct tls_server *tls_server_keep(struct tls_server *t);	/* once more, for who else holds it; NULL stays NULL */
void tls_server_put(struct tls_server **t);
