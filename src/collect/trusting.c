/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/trusting.h"

#include "base/log.h"

bool trusting_add(struct tls_trust_set *set, const struct trusted *one, struct span pem)
{
	bool all = one->kind == TRUSTED_IMPORTED;

	return tls_trust_add(set, &(struct tls_trusted){ .kind = one->kind == TRUSTED_KEY ? TLS_TRUST_KEY : TLS_TRUST_AUTHORITY,
		.host = all ? NULL : one->host, .port = one->port, .pem = pem });
}

void trusting_load(struct store *s, struct tls_trust *trust)
{
	struct tls_trust_set *set = tls_trust_set_new();
	struct trusted one = { .at = "" };
	struct buf pem;

	if (!set)
		log_error(NULL, "out of memory: nothing that was accepted is trusted");
	buf_start(&pem, TRUSTED_PEM_MAX);
	while (set && trusted_each(s, &one, &pem))
		if (!trusting_add(set, &one, buf_span(&pem)))
			log_warn(NULL, "what was accepted as %s cannot be read, and trusts nobody", one.name);
	buf_end(&pem);
	tls_trust_put(trust, &set);
}
