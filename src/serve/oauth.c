/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/oauth.h"

#include <stdio.h>

#include "config/secret.h"
#include "store/vault.h"

enum { SECRET_MAX = 4096 };	/* what an endpoint's secret may have */

/* libcurl opens it at each request: what is wrong is told now. */
static bool can_be_read(const char *path, struct err *e)
{
	FILE *f = path ? fopen(path, "re") : NULL;

	if (path && !f)
		return err_errno(e, ERR_CONFIG, "ca_certificates: %s cannot be opened", path);
	if (f)
		(void)fclose(f);
	return true;
}

static bool read_secret(const struct pop3_oauth *o, struct store *store, struct buf *secret, struct err *e)
{
	bool sealed = o->client_secret.kind == SECRET_VAULT;

	buf_start(secret, SECRET_MAX);
	if (sealed && !store)
		return true;
	if (sealed ? !vault_get(store, o->client_secret.text, secret, e) : !secret_read(&o->client_secret, secret, e))
		return err_in(e, "client_secret");
	if (span_has_control(buf_span(secret)))
		return err_set(e, ERR_CONFIG, "client_secret: control characters cannot stand in it");
	return secret->len || o->client_secret.kind == SECRET_NONE || err_set(e, ERR_CONFIG, "client_secret: it is empty");
}

bool oauth_read(const struct pop3_settings *p, struct store *store, struct introspect_endpoint **out, struct err *e)
{
	const struct pop3_oauth *o = &p->oauth;
	struct introspect_settings s = { .url = o->introspection_url, .client_id = o->client_id, .username_claim = o->username_claim, .scope = o->scope,
		.ca_certificates = o->ca_certificates };
	struct buf secret = { 0 };

	*out = NULL;
	if (!o->introspection_url)
		return true;
	if (can_be_read(o->ca_certificates, e) && read_secret(o, store, &secret, e)) {
		s.client_secret = buf_span(&secret);
		*out = introspect_endpoint_new(&s, e);
	}
	buf_wipe(&secret);
	if (*out)
		return true;
	(void)err_in(e, "pop3: oauth");
	return o->where.file ? err_in(e, "%s:%u", o->where.file, (unsigned)o->where.line) : false;
}

bool oauth_check(const struct pop3_settings *p, struct err *e)
{
	struct introspect_endpoint *endpoint;
	bool good = oauth_read(p, NULL, &endpoint, e);

	introspect_endpoint_free(&endpoint);
	return good;
}
