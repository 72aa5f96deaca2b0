/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, MUCH = 16 << 20, PIECE_OUT = 100 * 1000 };

static struct pki self;
static SSL_CTX *ctx;		/* of the server */
static struct tls_contexts *contexts;

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

struct sink {			/* what a server got */
	size_t len;
	bool wrong, tls;
	size_t sent;		/* by the client, */
	atomic_bool full;	/* as much as goes */
};

static void take(struct sink *k, struct server_peer *p)
{
	static char piece[30000];
	size_t n;

	while ((n = peer_read(p, piece, sizeof piece))) {
		for (size_t i = 0; i < n; i++)
			k->wrong = k->wrong || piece[i] != pattern(k->len + i);
		k->len += n;
	}
}

static void takes_all(struct server_peer *p, void *user)
{
	struct sink *k = user;

	struct timespec tick = { 0, 1000000 };
	int little = 64 * 1024;

	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	if (k->tls && !peer_tls(p, ctx))
		return;
	while (!k->full)		/* the kernel's buffers, and the queue */
		(void)nanosleep(&tick, NULL);
	take(k, p);
}

static struct timer *close_later;	/* NULL: from within the call */

/* As much as the queue takes, again when it is drained; then close: all of it must arrive. */
static void send_on(struct client *c)
{
	static char piece[PIECE_OUT];
	struct sink *k = c->user;

	while (k->sent < MUCH && conn_unsent(c->conn) < CONN_OUT_LOW) {
		size_t n = MUCH - k->sent < PIECE_OUT ? MUCH - k->sent : PIECE_OUT;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(k->sent + i);
		assert_true(conn_send(c->conn, (struct span){ piece, n }));
		k->sent += n;
	}
	k->full = true;
	if (k->sent == MUCH && !close_later)
		conn_close(c->conn);
	else if (k->sent == MUCH)
		timer_set(close_later, 0, 0);
}

static void close_it(void *user)
{
	struct client *c = user;

	conn_close(c->conn);
}

static struct conn_settings settings(const struct server *s, bool tls)
{
	struct tls_settings wanted = { .versions = 1u << TLS_1_3, .verify_depth = 1 };
	struct err e;

	return (struct conn_settings){ .host = "127.0.0.1", .port = s->port, .tls = tls ? CONN_TLS_IMPLICIT : CONN_TLS_NONE,
		.tls_client = tls_client_get(contexts, &wanted, &e), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS };
}

static void everything_arrives(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		bool tls = way & 1, later = way & 2;
		struct sink sink = { .tls = tls };
		struct conn_settings s;
		struct server server;
		struct client c;

		server_start(&server, "127.0.0.1", takes_all, &sink);
		client_start(&c);
		c.user = &sink;
		c.on_opened = c.on_drained = send_on;
		close_later = later ? timer_new(c.loop, close_it, &c) : NULL;
		s = settings(&server, tls);
		client_run(&c, &s);
		server_stop(&server);
		assert_string_equal(c.story, "opened drained closed");
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(sink.len, MUCH);
		assert_false(sink.wrong);
		timer_free(&close_later);
		client_end(&c);
	}
}

/* A server that reads nothing: the queue is bounded, and its memory is. */

static void takes_nothing(struct server_peer *p, void *user)
{
	const atomic_bool *over = user;
	struct timespec tick = { 0, 1000000 };

	(void)p;
	while (!*over)
		(void)nanosleep(&tick, NULL);
}

static void send_too_much(struct client *c)
{
	static char piece[PIECE_OUT];
	size_t n = 0;

	while (conn_send(c->conn, (struct span){ piece, sizeof piece })) {
		assert_in_range(conn_unsent(c->conn), 0, CONN_OUT_MAX);
		assert_true(n++ < 10000);
	}
	assert_false(conn_send(c->conn, SPAN("more")));
	assert_string_equal(c->story, "opened");	/* no call from within */
}

static void the_queue_is_bounded(void **state)
{
	atomic_bool over = false;
	struct conn_settings s;
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", takes_nothing, &over);
	client_start(&c);
	c.on_opened = send_too_much;
	s = settings(&server, false);
	client_run(&c, &s);
	assert_string_equal(c.story, "opened closed");
	assert_int_equal(c.why.kind, ERR_NET);
	assert_non_null(strstr(c.why.text, "the server does not take what it is sent"));
	over = true;
	client_end(&c);
	server_stop(&server);
}

/* It says why and goes, while we still talk to it: its last words must be heard. */

static void has_the_last_word(struct server_peer *p, void *user)
{
	char hello[10];

	(void)user;
	(void)peer_read(p, hello, sizeof hello);
	(void)peer_say(p, "-ERR too many commands\r\n");
	peer_cut(p);		/* with our octets unread: that is a reset */
}

static void send_into_the_void(void *user)
{
	struct client *c = user;

	for (int i = 0; i < 3; i++)
		assert_true(conn_send(c->conn, SPAN("NOOP\r\n")));
	assert_int_not_equal(c->conn->deaf, 0);
	conn_pause(c->conn, false);
}

static void stop_listening(struct client *c)
{
	conn_pause(c->conn, true);
	timer_set(c->user, 200, 0);	/* by then it is over */
}

static void last_words_are_heard(void **state)
{
	struct conn_settings s;
	struct server server;
	struct timer *t;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", has_the_last_word, NULL);
	client_start(&c);
	c.user = t = timer_new(c.loop, send_into_the_void, &c);
	c.say = "NOOP\r\nNOOP\r\nNOOP\r\n";
	c.on_opened = stop_listening;
	s = settings(&server, false);
	client_run(&c, &s);
	assert_true(span_equal(buf_span(&c.got), SPAN("-ERR too many commands\r\n")));
	assert_int_equal(c.why.kind, ERR_NET);
	assert_non_null(strstr(c.why.text, "the server reset the connection"));
	timer_free(&t);
	client_end(&c);
	server_stop(&server);
}

/* What is sent in one turn leaves in one write, and an idle connection holds nothing. */
static void send_bits(struct client *c)
{
	for (int i = 0; i < 10; i++)
		assert_true(conn_send(c->conn, (struct span){ (char[]){ pattern((size_t)i) }, 1 }));
	assert_int_equal(conn_unsent(c->conn), 10);	/* gathered */
}

static void a_turn_is_gathered(void **state)
{
	struct sink sink = { .full = true };
	struct conn_settings s;
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", takes_all, &sink);
	client_start(&c);
	c.on_opened = send_bits;
	s = settings(&server, false);
	client_open(&c, &s);
	while (!strstr(c.story, "opened"))
		(void)uv_run(&c.loop->uv, UV_RUN_ONCE);
	assert_int_equal(conn_unsent(c.conn), 0);
	assert_null(c.conn->out.at);
	conn_close(c.conn);
	loop_run(c.loop);
	server_stop(&server);
	assert_int_equal(sink.len, 10);
	assert_false(sink.wrong);
	client_end(&c);
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
		cmocka_unit_test(everything_arrives),
		cmocka_unit_test(the_queue_is_bounded),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(a_turn_is_gathered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
