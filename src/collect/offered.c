/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's certificate was not trusted: what it offered is kept, for
 * `postrider trust` to show, and the error says where to look. */
#include <stdio.h>

#include "collect/visit.h"
#include "store/trust.h"

enum { HINT_MAX = 320 };

/* Whole or not at all: a pin that is cut would mislead. */
static void add_hint(struct err *e, const char *host, uint16_t port)
{
	char hint[HINT_MAX];
	size_t used = strlen(e->text);
	int len = snprintf(hint, sizeof hint, strchr(host, ':') ? "; see `postrider trust show [%s]:%u`" : "; see `postrider trust show %s:%u`",
		host, port);

	if (len > 0 && (size_t)len < sizeof hint && used + (size_t)len < sizeof e->text)
		memcpy(e->text + used, hint, (size_t)len + 1);
}

void offered_keep(struct visit *v)
{
	struct conn_offered offered;

	if (v->what == VISIT_TEST || !conn_tls_offered(v->conn, &offered))
		return;
	trust_note(collector_store(v->collector), v->with->host, v->conn_settings.port, offered.chain, offered.reason);
	if (v->why.kind == ERR_TLS)
		add_hint(&v->why, v->with->host, v->conn_settings.port);
}
