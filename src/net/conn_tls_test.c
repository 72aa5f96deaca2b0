/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, MUCH = 8 << 20, NO_VERSION = 0, LINE = 200 };

#define INJECTED "+OK Begin TLS\r\n+OK injected\r\n"

static struct pki self;
static SSL_CTX *ctx;		/* of the server */
static struct tls_contexts *contexts;

static void nap(uint32_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

/* Servers */

static void converses(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	if (peer_tls(p, ctx) && peer_say(p, "+OK\r\n") && peer_line(p, line, sizeof line) && !strcmp(line, "QUIT"))
		(void)peer_say(p, "+OK bye\r\n");
}

static void cuts(struct server_peer *p, void *user)
{
	(void)user;
	if (peer_tls(p, ctx) && peer_say(p, "+OK\r\n"))
		(void)shutdown(p->fd, SHUT_WR);
	SSL_free(p->ssl);
	p->ssl = NULL;
	peer_wait_end(p);
}

static void breaks_a_record(struct server_peer *p, void *user)
{
	static const char forged[5 + 64] = "\x17\x03\x03\x00\x40 these octets nobody encrypted";

	(void)user;
	if (peer_tls(p, ctx) && peer_say(p, "+OK\r\n"))
		(void)send(p->fd, forged, sizeof forged, MSG_NOSIGNAL);
	SSL_free(p->ssl);
	p->ssl = NULL;
	peer_wait_end(p);
}

static void keeps_silent(struct server_peer *p, void *user)
{
	(void)user;
	peer_wait_end(p);
}

static void drips(struct server_peer *p, void *user)
{
	(void)user;
	(void)peer_send(p, SPAN("\x16\x03\x03\x40\x00"));	/* a record of 16 KiB, */
	while (peer_say(p, "\x02"))				/* an octet at a time */
		nap(20);
}

static void waits_for_our_end(struct server_peer *p, void *user)
{
	bool *in_order = user;
	char rest[LINE];

	if (!peer_tls(p, ctx) || !peer_say(p, "+OK bye\r\n"))
		return;
	while (peer_read(p, rest, sizeof rest))
		;
	*in_order = SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void upgrades(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_say(p, "+OK\r\n");
	if (!peer_line(p, line, sizeof line) || !peer_say(p, "+OK Begin TLS\r\n") || !peer_tls(p, ctx))
		return;
	if (peer_line(p, line, sizeof line) && !strcmp(line, "QUIT"))
		(void)peer_say(p, "+OK bye\r\n");
}

static void injects(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_say(p, "+OK\r\n");
	(void)peer_line(p, line, sizeof line);
	(void)peer_say(p, INJECTED);
	peer_wait_end(p);
}

static void injects_later(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_say(p, "+OK\r\n");
	(void)peer_line(p, line, sizeof line);
	(void)peer_say(p, "+OK Begin TLS\r\n");
	(void)peer_read(p, line, sizeof line);		/* the ClientHello is under way */
	(void)peer_say(p, "+OK injected\r\n");
	peer_wait_end(p);
}

static void answers_nothing_to_stls(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_say(p, "+OK\r\n");
	(void)peer_line(p, line, sizeof line);
	(void)peer_say(p, "+OK Begin TLS\r\n");
	peer_wait_end(p);
}

static void greets_never(struct server_peer *p, void *user)
{
	(void)user;
	if (peer_tls(p, ctx))
		peer_wait_end(p);
}

static void begins_in_clear(struct server_peer *p, void *user)
{
	(void)user;
	peer_wait_end(p);
}

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	enum conn_tls tls;
	uint32_t timeout_ms;
	const char *story, *got;
	enum err_kind kind;
	bool technical;
	const char *why;
} rows[] = {
	{ "TLS from the start", converses, CONN_TLS_IMPLICIT, PATIENCE_MS, "opened turn closed", "+OK\r\n+OK bye\r\n", ERR_NONE, false, NULL },
	{ "cut without close_notify", cuts, CONN_TLS_IMPLICIT, PATIENCE_MS, "opened turn closed", "+OK\r\n", ERR_NET, false,
		": the connection was cut: it ended without TLS's own end (close_notify)" },
	{ "a forged record", breaks_a_record, CONN_TLS_IMPLICIT, PATIENCE_MS, "opened turn closed", "+OK\r\n", ERR_TLS, false,
		": TLS broke: what came in was changed on the way or is broken (bad MAC)" },
	{ "silence", keeps_silent, CONN_TLS_IMPLICIT, 50, "closed", "", ERR_NET, true,
		": no TLS handshake within 0.05 s: the server did not answer our first message; does this port speak TLS?" },
	{ "a handshake that never ends", drips, CONN_TLS_IMPLICIT, 200, "closed", "", ERR_NET, true, ": no TLS handshake within 0.2 s" },
	{ "silence behind TLS", greets_never, CONN_TLS_IMPLICIT, 300, "opened closed", "", ERR_NET, false,
		": no greeting within 0.3 s; TLS is up, but the server said nothing at all" },
	{ "TLS by command", upgrades, CONN_TLS_NONE, PATIENCE_MS, "opened turn secured turn closed", "+OK\r\n+OK Begin TLS\r\n+OK bye\r\n",
		ERR_NONE, false, NULL },
	{ "octets behind the answer", injects, CONN_TLS_NONE, PATIENCE_MS, "opened turn closed", "+OK\r\n+OK Begin TLS\r\n", ERR_PEER, false,
		": data before TLS: 14 octets in clear came behind the answer to the TLS start" },
	{ "octets a little later", injects_later, CONN_TLS_NONE, PATIENCE_MS, "opened turn closed", "+OK\r\n+OK Begin TLS\r\n", ERR_PEER, false,
		": data before TLS: octets in clear came after the answer to the TLS start" },
	{ "no TLS after the answer", answers_nothing_to_stls, CONN_TLS_NONE, 50, "opened turn closed", "+OK\r\n+OK Begin TLS\r\n", ERR_NET, true,
		": no TLS handshake within 0.05 s" },
	{ "a TLS port taken for a clear one", begins_in_clear, CONN_TLS_NONE, 50, "opened closed", "", ERR_NET, false,
		"no greeting within 0.05 s; the server said nothing at all: if this port begins with TLS, set tls.mode = implicit" },
};

static struct conn_settings settings(const struct server *server, enum conn_tls tls, unsigned versions, uint32_t timeout_ms)
{
	struct tls_settings s = { .versions = versions ? versions : 1u << TLS_1_2 | 1u << TLS_1_3, .verify_host = true, .verify_depth = 1 };
	struct err e;

	return (struct conn_settings){ .host = "localhost", .port = server->port, .tls = tls, .tls_client = tls_client_get(contexts, &s, &e),
		.connect_timeout_ms = PATIENCE_MS, .timeout_ms = timeout_ms };
}

/* STLS as a session does it: what stands behind the answer is left to the driver. */
static size_t turn(struct client *c, struct span in)
{
	static const struct span answer = SPAN("+OK Begin TLS\r\n");
	size_t used = span_starts(in, answer) ? answer.len : in.len;

	assert_true(buf_add(&c->got, (struct span){ in.at, used }));
	if (span_starts(in, answer))
		conn_start_tls(c->conn);
	else if (c->story[0] && span_equal(in, SPAN("+OK\r\n")))
		assert_true(conn_send(c->conn, conn_is_tls(c->conn) ? SPAN("QUIT\r\n") : SPAN("STLS\r\n")));
	return used;
}

static void tls_tells_its_story(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct conn_settings s;
		struct server server;
		struct client c;

		server_start(&server, "127.0.0.1", r->talk, NULL);
		client_start(&c);
		c.on_turn = turn;
		c.say_secured = "QUIT\r\n";
		c.deadline_ms = r->timeout_ms;
		s = settings(&server, r->tls, NO_VERSION, r->timeout_ms);
		client_run(&c, &s);
		if (!c.connected || strcmp(c.story, r->story) != 0 || !span_equal(buf_span(&c.got), span_of(r->got)) || c.why.kind != r->kind
			|| c.technical != r->technical || (r->why && !strstr(c.why.text, r->why)))
			fail_msg("%s: %s: \"%.*s\" %s%s", r->name, c.story, (int)c.got.len, c.got.at, c.why.text, c.technical ? " (technical)" : "");
		client_end(&c);
		server_stop(&server);
	}
}

static void the_certificate_is_told(void **state)
{
	static const enum conn_tls how[] = { CONN_TLS_IMPLICIT, CONN_TLS_NONE };

	(void)state;
	for (size_t n = 0; n < COUNT(how); n++) {
		struct conn_settings s;
		struct server server;
		struct client c;

		server_start(&server, "127.0.0.1", how[n] == CONN_TLS_NONE ? keeps_silent : converses, NULL);
		client_start(&c);
		c.close_at = "+OK\r\n";
		c.deadline_ms = how[n] == CONN_TLS_NONE ? 50 : PATIENCE_MS;
		s = settings(&server, how[n], NO_VERSION, PATIENCE_MS);
		client_run(&c, &s);
		if (how[n] == CONN_TLS_NONE)
			assert_string_equal(c.certificate, "");
		else if (!strstr(c.certificate, "\" for localhost, issued by \"") || !strstr(c.certificate, "\", valid until 20"))
			fail_msg("%s", c.certificate);
		client_end(&c);
		server_stop(&server);
	}
}

static void we_end_tls_in_order(void **state)
{
	bool in_order = false;
	struct conn_settings s;
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", waits_for_our_end, &in_order);
	client_start(&c);
	c.close_at = "bye\r\n";
	s = settings(&server, CONN_TLS_IMPLICIT, 1u << TLS_1_3, PATIENCE_MS);
	client_run(&c, &s);
	server_stop(&server);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_true(in_order);
	assert_true(c.tls);
	assert_int_equal(strncmp(c.tls_text, "TLSv1.3 TLS_", 12), 0);
	client_end(&c);
}

/* Small records are gathered, whole ones read in place; not an octet is lost. */

static void sends_records(struct server_peer *p, void *user)
{
	size_t *size = user;
	static char piece[16384];

	if (!peer_tls(p, ctx))
		return;
	for (size_t at = 0; at < MUCH; at += *size) {
		size_t n = MUCH - at < *size ? MUCH - at : *size;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(at + i);
		if (!peer_send(p, (struct span){ piece, n }))
			return;
	}
}

static void records_are_gathered(void **state)
{
	static const size_t sizes[] = { 400, 1460, 16384 };

	(void)state;
	for (size_t k = 0; k < COUNT(sizes); k++) {
		size_t size = sizes[k];
		struct conn_settings s;
		struct server server;
		struct client c;

		server_start(&server, "127.0.0.1", sends_records, &size);
		client_start(&c);
		s = settings(&server, CONN_TLS_IMPLICIT, NO_VERSION, PATIENCE_MS);
		client_run(&c, &s);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(c.got.len, MUCH);
		for (size_t i = 0; i < MUCH; i++)
			if (c.got.at[i] != pattern(i))
				fail_msg("octet %zu", i);
		assert_true(c.longest > size && c.longest <= CONN_IN_MAX);
		client_end(&c);
		server_stop(&server);
	}
}

/* Resumption, and the channel bindings in full and resumed sessions */

struct seen {			/* by the server, in its last session */
	bool reused;
	char exporter[32], unique[64];
	size_t unique_len;
};

static struct seen seen;

static void binds(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	if (!peer_tls(p, ctx) || !peer_say(p, "+OK\r\n"))
		return;
	seen.reused = SSL_session_reused(p->ssl);
	(void)SSL_export_keying_material(p->ssl, (unsigned char *)seen.exporter, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0);
	seen.unique_len = seen.reused ? SSL_get_finished(p->ssl, seen.unique, 64) : SSL_get_peer_finished(p->ssl, seen.unique, 64);
	(void)peer_line(p, line, sizeof line);
}

struct bound {			/* by the client */
	char exporter[32], unique[64];
	size_t exporter_len, unique_len;
};

static size_t bind_and_close(struct client *c, struct span in)
{
	struct bound *b = c->user;

	b->exporter_len = conn_tls_exporter(c->conn, b->exporter);
	b->unique_len = conn_tls_unique(c->conn, b->unique);
	assert_true(conn_send(c->conn, SPAN("QUIT\r\n")));
	conn_close(c->conn);
	return in.len;
}

static void visit(unsigned versions, uint16_t *port, bool want_reused)
{
	struct bound bound = { .exporter_len = 0 };
	struct server server;
	struct conn_settings s;
	struct client c;

	server_start(&server, "127.0.0.1", binds, NULL);
	client_start(&c);
	c.on_turn = bind_and_close;
	c.user = &bound;
	s = settings(&server, CONN_TLS_IMPLICIT, versions, PATIENCE_MS);
	if (*port) {		/* sessions are kept by port; pretend it is still the same one */
		struct tls_basis basis;
		int64_t judged;
		SSL_SESSION *session = tls_sessions_get(&s.tls_client->sessions, "localhost", *port, 0, clock_now_s(), &basis, &judged);

		assert_non_null(session);
		tls_sessions_put(&s.tls_client->sessions, "localhost", server.port, session, 0, &basis, judged);
	}
	client_run(&c, &s);
	server_stop(&server);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(seen.reused, want_reused);
	assert_int_equal(bound.exporter_len, 32);
	assert_memory_equal(bound.exporter, seen.exporter, 32);
	if (versions == 1u << TLS_1_3) {
		assert_int_equal(bound.unique_len, 0);
	} else {
		assert_int_equal(bound.unique_len, 12);
		assert_memory_equal(bound.unique, seen.unique, 12);
	}
	*port = server.port;
	client_end(&c);
}

static void sessions_are_resumed(void **state)
{
	static const unsigned versions[] = { 1u << TLS_1_2, 1u << TLS_1_3 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		uint16_t port = 0;

		visit(versions[i], &port, false);
		visit(versions[i], &port, true);
		visit(versions[i], &port, true);
		/* The server forgot its keys: a full handshake again, nothing worse. */
		SSL_CTX_free(ctx);
		ctx = pki_server(&self, NULL);
		visit(versions[i], &port, false);
		visit(versions[i], &port, true);
	}
	/* Trust changed: all are dropped. */
	tls_contexts_free(&contexts);
	contexts = tls_contexts_new(&e);
	assert_non_null(contexts);
	visit(1u << TLS_1_3, &(uint16_t){ 0 }, false);
}

/* Names go into the hello, addresses do not (RFC 6066 3). */

static int called(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)snprintf(arg, LINE, "%s", name ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static void the_server_is_called_by_its_name(void **state)
{
	static const struct { const char *host, *name; } calls[] = {
		{ "localhost", "localhost" }, { "pop.localhost.", "pop.localhost" }, { "127.0.0.1", "" },
	};
	char name[LINE];

	(void)state;
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, called);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx, name);
	for (size_t i = 0; i < COUNT(calls); i++) {
		struct conn_settings s;
		struct server server;
		struct client c;

		name[0] = '\0';
		server_start(&server, "127.0.0.1", converses, NULL);
		client_start(&c);
		c.close_at = "+OK\r\n";
		s = settings(&server, CONN_TLS_IMPLICIT, 1u << TLS_1_3, PATIENCE_MS);
		s.host = calls[i].host;
		client_run(&c, &s);
		server_stop(&server);
		assert_string_equal(name, calls[i].name);
		client_end(&c);
	}
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, NULL);
}

static int set_up(void **state)
{
	struct err e;

	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost" });
	ctx = pki_server(&self, NULL);
	contexts = tls_contexts_new(&e);
	return contexts ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_contexts_free(&contexts);
	SSL_CTX_free(ctx);
	pki_free(&self);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_tells_its_story),
		cmocka_unit_test(the_certificate_is_told),
		cmocka_unit_test(we_end_tls_in_order),
		cmocka_unit_test(records_are_gathered),
		cmocka_unit_test(the_server_is_called_by_its_name),
		cmocka_unit_test(sessions_are_resumed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
