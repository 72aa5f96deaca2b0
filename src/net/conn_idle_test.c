/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that are idle for long: who notices that the other side is gone, and how they change hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000 };

static struct pki leaf;
static SSL_CTX *server_ctx;
static char authorities[64];

static int make_certificates(void **state)
{
	int fd;

	(void)state;
	pki_make(&leaf, &(struct pki_wish){ .name = "mail", .names = "IP:127.0.0.1" });
	server_ctx = pki_server(&leaf, NULL);
	(void)snprintf(authorities, sizeof authorities, "/tmp/postrider-idle.XXXXXX");
	fd = mkstemp(authorities);
	if (fd < 0)
		return -1;
	(void)close(fd);
	pki_write(authorities, 0600, &(struct pki_file){ .certs = { leaf.cert } });
	return 0;
}

static int drop_certificates(void **state)
{
	(void)state;
	SSL_CTX_free(server_ctx);
	pki_free(&leaf);
	return unlink(authorities);
}

static struct conn_settings to(uint16_t port)
{
	return (struct conn_settings){ .host = "127.0.0.1", .port = port, .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS };
}

static void echoes(struct server_peer *p, void *user)
{
	char line[64];

	if (user && !peer_tls(p, user))
		return;
	while (peer_line(p, line, sizeof line))
		if (!peer_say(p, line) || !peer_say(p, "!\r\n"))
			return;
}

/* Two users of one connection; the second's is a client that never opened one. */
struct hands {
	struct client first, second;
	struct tls_contexts *contexts;	/* they go when it changes hands */
	bool in_turn, drop;
};

static struct hands *hands;

static size_t second_turn(void *user, struct span in)
{
	struct client *c = user;

	assert_true(conn_is_open(c->conn));
	assert_true(buf_add(&c->got, in));
	if (c->got.len >= 2 && memcmp(c->got.at + c->got.len - 2, "\r\n", 2) == 0)
		conn_close(c->conn);
	return in.len;
}

static void second_closed(void *user, const struct err *why)
{
	struct client *c = user;

	c->why = *why;
	(void)snprintf(c->story, sizeof c->story, "closed");
	c->conn = NULL;
}

static void second_drained(void *user)
{
	(void)user;
}

/* The old user says so; all that comes later is the new one's. */
static void change_hands(struct hands *h)
{
	const struct conn_user u = { .turn = second_turn, .drained = second_drained, .closed = second_closed, .user = &h->second };

	h->second.conn = h->first.conn;
	if (h->drop)
		conn_drop(h->first.conn);
	conn_adopt(h->first.conn, &u);
	assert_int_equal(conn_is_open(h->second.conn), !h->drop);
	h->first.conn = NULL;
	tls_contexts_free(&h->contexts);
	if (!h->drop)
		assert_true(conn_send(h->second.conn, SPAN("again\r\n")));
}

static void change_later(void *user)
{
	change_hands(user);
}

static size_t first_turn(struct client *c, struct span in)
{
	assert_true(buf_add(&c->got, in));
	if (c->got.len < 2 || memcmp(c->got.at + c->got.len - 2, "\r\n", 2) != 0)
		return in.len;
	if (hands->in_turn)
		change_hands(hands);
	else
		timer_set(c->user, 0, 0);
	return in.len;
}

static const struct row {
	const char *name;
	bool tls, in_turn, drop;
} rows[] = {
	{ "between calls", false, false, false },
	{ "from within a turn", false, true, false },
	{ "between calls, and its contexts go", true, false, false },
	{ "from within a turn, and its contexts go", true, true, false },
	{ "ended, and nobody was told", true, false, true },
	{ "ended within a turn", true, true, true },
};

static void a_connection_changes_hands(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct tls_settings how = { .versions = 1u << TLS_1_2 | 1u << TLS_1_3, .verify_server = true, .verify_host = true,
			.verify_depth = 3, .ca_certificates = authorities };
		struct hands h = { .in_turn = r->in_turn, .drop = r->drop };
		struct conn_settings s;
		struct server server;
		struct timer *later;
		struct err e;

		hands = &h;
		server_start(&server, "127.0.0.1", echoes, r->tls ? server_ctx : NULL);
		s = to(server.port);
		h.contexts = tls_contexts_new(&e);
		assert_non_null(h.contexts);
		if (r->tls) {
			s.tls = CONN_TLS_IMPLICIT;
			s.tls_client = tls_client_get(h.contexts, &how, &e);
			assert_non_null(s.tls_client);
		}
		client_start(&h.first);
		buf_start(&h.second.got, PATIENCE_MS);
		h.first.say = "hello\r\n";
		h.first.on_turn = first_turn;
		h.first.user = later = timer_new(h.first.loop, change_later, &h);
		client_run(&h.first, &s);
		if (strcmp(h.first.story, "opened turn") != 0 || !span_equal(buf_span(&h.first.got), SPAN("hello!\r\n"))
			|| !span_equal(buf_span(&h.second.got), span_of(r->drop ? "" : "again!\r\n"))
			|| strcmp(h.second.story, "closed") != 0 || h.second.why.kind || h.second.conn)
			fail_msg("%s: %s \"%.*s\" and %s \"%.*s\" %s", r->name, h.first.story, (int)h.first.got.len, h.first.got.at,
				h.second.story, (int)h.second.got.len, h.second.got.at, h.second.why.text);
		timer_free(&later);
		client_end(&h.first);
		buf_end(&h.second.got);
		server_stop(&server);
		assert_null(h.contexts);
	}
}

static void read_options(struct client *c)
{
	static const struct { int name, value; } options[] = {
		{ TCP_KEEPIDLE, 60 }, { TCP_KEEPINTVL, 15 }, { TCP_KEEPCNT, 4 }, { TCP_USER_TIMEOUT, 180000 }, { TCP_NODELAY, 1 },
	};
	socklen_t size = sizeof(int);
	int value = 0;

	assert_int_equal(getsockopt(c->conn->fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
	assert_int_equal(value, 1);
	for (size_t i = 0; i < COUNT(options); i++) {
		assert_int_equal(getsockopt(c->conn->fd, IPPROTO_TCP, options[i].name, &value, &size), 0);
		assert_int_equal(value, options[i].value);
	}
	conn_close(c->conn);
}

static void a_dead_path_is_noticed_by_the_kernel(void **state)
{
	struct conn_settings s;
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", echoes, NULL);
	s = to(server.port);
	client_start(&c);
	c.on_opened = read_options;
	client_run(&c, &s);
	assert_string_equal(c.story, "opened closed");
	client_end(&c);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_changes_hands),
		cmocka_unit_test(a_dead_path_is_noticed_by_the_kernel),
	};

	return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
