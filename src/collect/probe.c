/* SPDX-License-Identifier: Apache-2.0
 *
 * A test waits for a greeting in clear, and none comes: the server may wait for
 * TLS.  It is asked, on a connection of its own, so that the words are certain. */
#include <string.h>

#include "collect/visit.h"

enum { PROBE_MS = 5000 };

bool probe_wanted(const struct visit *v)
{
	return v->what == VISIT_TEST && !v->steps.probed && v->why.kind == ERR_NET && v->steps.now == STEP_GREETING && !v->greeted &&
	       v->conn_settings.tls == CONN_TLS_NONE;
}

static void on_opened(void *user)
{
	struct visit *v = user;

	(void)err_set(&v->why, ERR_PEER, "%s:%u: the server speaks TLS from the start; set tls.mode = implicit (port %s is the usual one)",
		v->with->host, v->conn_settings.port, v->with->protocol == PROTOCOL_IMAP ? "993" : "995");
	conn_close(v->conn);
}

static size_t on_turn(void *user, struct span in)
{
	(void)user;
	return in.len;
}

static void on_drained(void *user)
{
	(void)user;
}

/* It is no TLS, or no answer: what was it? */
static void refine(struct visit *v, const struct err *why)
{
	const char *said = strstr(why->text, "server said ");
	const char *protocol = v->with->protocol == PROTOCOL_IMAP ? "IMAP" : "POP3";

	if (said)
		(void)err_set(&v->why, ERR_NET, "%s:%u: the server does not greet as %s does, and does not begin with TLS; "
			"check `host` and `port`: to a TLS start the %s", v->with->host, v->conn_settings.port, protocol, said);
	else if (strstr(v->why.text, " within "))
		(void)err_set(&v->why, ERR_NET, "%s:%u: no greeting within %g s, and no answer to a TLS start; check `host` and `port`, "
			"and whether the server is well", v->with->host, v->conn_settings.port, v->with->timeout_ms / 1000.0);
	else
		(void)err_set(&v->why, ERR_NET, "%s:%u: the server closed the connection without a greeting; "
			"is it too busy, or does it turn this machine's address away?", v->with->host, v->conn_settings.port);
}

static void on_closed(void *user, const struct err *why)
{
	struct visit *v = user;

	if (why->kind == ERR_NET || conn_tls_technical(v->conn))
		refine(v, why);
	v->conn = NULL;
	v->phase = VISIT_CLOSED;
	collector_dirty(v->collector, v);
}

void probe_start(struct visit *v)
{
	const struct conn_user user = { .opened = on_opened, .turn = on_turn, .drained = on_drained, .closed = on_closed, .user = v };
	const struct tls_settings any = { .versions = v->with->tls.versions, .legacy = v->with->tls.legacy, .verify_depth = 1 };
	uint32_t ms = v->with->timeout_ms && v->with->timeout_ms < PROBE_MS ? v->with->timeout_ms : PROBE_MS;
	struct conn_settings s = v->conn_settings;
	struct err e;

	v->steps.probed = v->closing = true;	/* the session has no part in it */
	s.tls = CONN_TLS_IMPLICIT;
	s.connect_timeout_ms = s.timeout_ms = ms;
	s.tls_client = tls_client_get(v->contexts, &any, &e);
	v->phase = VISIT_CONNECTING;
	v->conn = s.tls_client ? conn_open(collector_loop(v->collector), &s, &user, &e) : NULL;
	if (v->conn)
		return;
	v->phase = VISIT_CLOSED;
	collector_dirty(v->collector, v);
}
