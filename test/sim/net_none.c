/* SPDX-License-Identifier: Apache-2.0
 * What the simulated network does not have: TLS and compression. */
#include <assert.h>

#include "net/conn.h"
#include "net/tls.h"
#include "sim.h"

void conn_start_tls(struct conn *c)
{
	(void)c;
	violation("net: TLS was asked for, and nobody offered it");
}

bool conn_tls_technical([[maybe_unused]] const struct conn *c)
{
	return false;
}

bool conn_tls_offered(const struct conn *c, struct conn_offered *offered)
{
	(void)c;
	(void)offered;
	return false;
}

bool conn_tls_trusted([[maybe_unused]] const struct conn *c)
{
	return true;
}

bool conn_start_deflate(struct conn *c, struct err *e)
{
	(void)c;
	return err_set(e, ERR_LOCAL, "no compression here");
}

void conn_tls_certificate(const struct conn *c, char *out, size_t size)
{
	(void)c;
	assert(size);
	out[0] = '\0';
}

bool conn_is_tls([[maybe_unused]] const struct conn *c)
{
	return false;
}

const char *conn_peer([[maybe_unused]] const struct conn *c)
{
	return "192.0.2.1:110";
}

const char *conn_tls_text([[maybe_unused]] const struct conn *c)
{
	return "";
}

size_t conn_tls_exporter(const struct conn *c, char out[32])
{
	(void)c;
	(void)out;
	return 0;
}

size_t conn_tls_unique(const struct conn *c, char out[64])
{
	(void)c;
	(void)out;
	return 0;
}

struct tls_client *tls_client_get(struct tls_contexts *all, const struct tls_settings *s, struct err *e)
{
	(void)all;
	(void)s;
	(void)err_set(e, ERR_CONFIG, "no TLS in the simulation");
	return NULL;
}
