/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's certificate was not trusted: what it offered is kept, for
 * `postrider trust` to show, and the error says where to look.  Or it is trusted no more. */
#include "collect/offered.h"

#include "store/trust.h"

void offered_keep(struct visit *v)
{
	struct conn_offered offered;

	if (!conn_tls_offered(v->conn, &offered) || !collector_offered(v->collector, v, &offered))
		return;
	if (v->why.kind == ERR_TLS)
		trust_hint(&v->why, v->with->host, v->conn_settings.port);
}

void offered_look(struct visit *v)
{
	struct err why;

	if (!v->conn || v->closing || conn_tls_trusted(v->conn))
		return;
	(void)err_set(&why, ERR_TLS, "%s:%u: the server's certificate was accepted, and that was taken back meanwhile", v->with->host, v->conn_settings.port);
	visit_fail(v, &why);
}
