/* SPDX-License-Identifier: Apache-2.0
 *
 * Trust that people gave beyond the settings: looked up by host and port when a
 * server's certificate falls short, since contexts are shared by equal settings.
 *
 *     tls_trust_new(&e) → tls_contexts_trust(contexts, trust) before their first context
 *     set = tls_trust_set_new(); tls_trust_add(set, &one) for each; tls_trust_put(trust, &set)
 * A set is whole: tls_trust_put replaces what there was, at any time, from any
 * thread.  Handshakes that are under way are judged by the one that holds when
 * the certificate comes, and no session from before a tls_trust_put is resumed after it.
 * What is trusted, beside what the settings accept:
 *     TLS_TRUST_KEY        of this host and port, the key of this certificate;
 *                          neither chain nor name nor dates are looked at
 *     TLS_TRUST_AUTHORITY  of this host and port (host NULL: of every server whose
 *                          settings have no ca_certificates), what it signed;
 *                          name, dates, depth and revocation must be right
 * With a pin in the settings nothing of this counts, and what is revoked (crl)
 * is refused whatever was accepted.  Of a connection that is there
 * conn_tls_trusted tells whether it would still be. */
#pragma once

#include "base/err.h"
#include "net/tls.h"

enum tls_trust_kind { TLS_TRUST_KEY = 1, TLS_TRUST_AUTHORITY };

struct tls_trusted {
	enum tls_trust_kind kind;
	const char *host;		/* as conn_settings has it; NULL: every server, of authorities alone */
	uint16_t port;
	struct span pem;		/* one certificate */
};

struct tls_trust;
struct tls_trust_set;

[[nodiscard]] struct tls_trust *tls_trust_new(struct err *e);
void tls_trust_free(struct tls_trust **t);	/* after all contexts that look at it */
[[nodiscard]] struct tls_trust_set *tls_trust_set_new(void);	/* NULL: out of memory */
/* False: it cannot be read, and is not in the set. */
[[nodiscard]] bool tls_trust_add(struct tls_trust_set *set, const struct tls_trusted *one);
void tls_trust_set_free(struct tls_trust_set **set);
void tls_trust_put(struct tls_trust *t, struct tls_trust_set **set);	/* taken over */
/* Borrowed by `all` and the contexts that it makes from now on. */
void tls_contexts_trust(struct tls_contexts *all, struct tls_trust *t);
