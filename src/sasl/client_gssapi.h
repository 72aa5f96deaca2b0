/* SPDX-License-Identifier: Apache-2.0
 *
 * GSSAPI (RFC 4752): Kerberos 5, the client's side; inside the room, for client.c.
 *
 * Over MIT's libgssapi_krb5 itself, not GNU SASL's use of it through libgssglue: that tells an expired ticket, a KDC that
 * does not answer and a server that the KDC does not know all by one number, and here the library's own words are in the
 * error.  Every process has that library already, by libcurl.
 * Credentials: the default cache (KRB5CCNAME), and where it has none the client keytab (KRB5_CLIENT_KTNAME); no password.
 * The service is SERVICE@HOST, and the name that we want to be there is `user`, which the server holds against the
 * ticket's principal.  No security layer: TLS protects the line.  The server has to prove who it is (mutual authentication).
 * gssapi_step reads files and may ask a KDC, for as long as krb5.conf has it wait: never on a loop. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct gssapi;

/* NULL: no memory. */
[[nodiscard]] struct gssapi *gssapi_new(const char *service, const char *host, const char *user);
/* Appends to `response`.  ERR_CONFIG: no ticket to be had, or none for this server, or it wants a layer; ERR_AUTH: the
 * server refused the ticket, or did not prove who it is, whatever it said instead; ERR_PEER: it spoke before we did, or no KDC answers: the
 * mail server did, so that it is not ERR_NET, for which all that goes to its host would wait. */
[[nodiscard]] bool gssapi_step(struct gssapi *g, struct span challenge, struct buf *response, struct err *e);
bool gssapi_done(const struct gssapi *g);	/* the server proved who it is, and nothing more is to be said */
void gssapi_free(struct gssapi **g);
