/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_deflate.h"

#include <assert.h>

#include "net/test_pki.h"

static struct pki self;
static SSL_CTX *ctx;		/* of the server */
static struct tls_contexts *contexts;

void act_serves(struct server_peer *p, void *user)
{
	struct act *a = user;
	char line[ACT_LINE];

	if (a->tls && !peer_tls(p, ctx))
		return;
	if (!peer_say(p, "* OK hi\r\n") || !peer_line(p, line, sizeof line) || !peer_say(p, ACT_ANSWER))
		return;
	a->zip.cut = a->cut;
	peer_deflate(p, &a->zip);
	if (a->raw)
		(void)peer_send_raw(p, span_of(a->raw));
	if (a->talk)
		a->talk(p, a);
	else
		peer_wait_end(p);
}

bool act_begin(struct client *c, struct span in, size_t *used)
{
	struct err e;
	bool good = true;

	*used = in.len;
	if (span_equal(in, SPAN("* OK hi\r\n")))
		good = conn_send(c->conn, SPAN("P1 COMPRESS DEFLATE\r\n"));
	assert(good);
	if (!span_starts(in, SPAN(ACT_ANSWER)))
		return false;
	good = conn_start_deflate(c->conn, &e);
	assert(good);
	*used = sizeof ACT_ANSWER - 1;
	return true;
}

size_t act_listens(struct client *c, struct span in)
{
	size_t used;
	bool good = true;

	if (!act_begin(c, in, &used) && !span_starts(in, SPAN("* OK")))
		good = buf_add(&c->got, in);
	assert(good);
	return used;
}

void act_open_clear(struct client *c, const struct server *server, size_t (*on_turn)(struct client *c, struct span in))
{
	struct conn_settings s = { .host = "127.0.0.1", .port = server->port, .connect_timeout_ms = ACT_PATIENCE_MS, .timeout_ms = ACT_PATIENCE_MS };

	c->on_turn = on_turn;
	client_open(c, &s);
}

void act_run(struct act *a, struct client *c, size_t (*on_turn)(struct client *c, struct span in))
{
	struct tls_settings t = { .versions = 1u << TLS_1_2 | 1u << TLS_1_3, .verify_host = true, .verify_depth = 1 };
	struct conn_settings s = { .host = "localhost", .tls = a->tls ? CONN_TLS_IMPLICIT : CONN_TLS_NONE, .connect_timeout_ms = ACT_PATIENCE_MS,
		.timeout_ms = ACT_PATIENCE_MS };
	struct server server;
	struct err e;

	s.tls_client = tls_client_get(contexts, &t, &e);
	server_start(&server, "127.0.0.1", act_serves, a);
	s.port = server.port;
	c->on_turn = on_turn;
	client_run(c, &s);
	server_stop(&server);
}

int act_set_up(void **state)
{
	struct err e;

	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost" });
	ctx = pki_server(&self, NULL);
	contexts = tls_contexts_new(&e);
	return contexts ? 0 : -1;
}

int act_tear_down(void **state)
{
	(void)state;
	tls_contexts_free(&contexts);
	SSL_CTX_free(ctx);
	pki_free(&self);
	return 0;
}
