/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/certificates.h"

#include <assert.h>

static_assert((int)VERSION_NOT_SET == TLS_ANY && (int)VERSION_TLS_1_2 == TLS_1_2 && (int)VERSION_TLS_1_3 == TLS_1_3, "net's numbers");

bool certificates_get(struct tls_contexts *all, const struct pop3_settings *p, struct tls_server **out, struct err *e)
{
	const struct tls_server_settings s = {
		.min = (enum tls_version)p->tls.min, .max = (enum tls_version)p->tls.max,
		.ciphers = p->tls.ciphers, .ciphersuites = p->tls.ciphersuites,
		.certificate = p->certificate, .key = p->key, .ca_certificates = p->ca_certificates,
		.alpn = "pop3",
	};

	*out = NULL;
	if (!p->certificate)
		return true;
	*out = tls_server_get(all, &s, e);
	if (*out)
		return true;
	return p->where.file ? err_in(e, "%s:%u", p->where.file, (unsigned)p->where.line) : err_in(e, "pop3");
}

bool certificates_check(const struct pop3_settings *p, struct err *e)
{
	struct tls_contexts *all = tls_contexts_new(e);
	struct tls_server *server = NULL;
	bool good = all && certificates_get(all, p, &server, e);

	tls_server_put(&server);
	tls_contexts_free(&all);
	return good;
}
