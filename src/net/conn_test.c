/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_dns.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, MUCH = 8 << 20 };

static struct conn_settings to(const char *host, uint16_t port)
{
	return (struct conn_settings){ .host = host, .port = port, .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS };
}

static void nap(uint32_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* Servers */

static void greets(struct server_peer *p, void *user)
{
	(void)peer_say(p, user ? user : "+OK\r\n");
	peer_wait_end(p);
}

static void greets_and_ends(struct server_peer *p, void *user)
{
	(void)user;
	(void)peer_say(p, "+OK\r\n");
	(void)shutdown(p->fd, SHUT_WR);
	peer_wait_end(p);
}

static void greets_and_resets(struct server_peer *p, void *user)
{
	(void)user;
	(void)peer_say(p, "+OK\r\n");
	nap(50);		/* the greeting has arrived: a reset may overtake it nowhere but on the wire */
	peer_reset(p);
}

static void keeps_silent(struct server_peer *p, void *user)
{
	(void)user;
	peer_wait_end(p);
}

static void drips(struct server_peer *p, void *user)
{
	(void)user;
	for (int i = 0; i < 5; i++) {
		nap(300);
		(void)peer_say(p, ".");
	}
	(void)peer_say(p, "+OK\r\n");
	peer_wait_end(p);
}

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

static void sends_much(struct server_peer *p, void *user)
{
	static char much[MUCH];

	(void)user;
	for (size_t i = 0; i < MUCH; i++)
		much[i] = pattern(i);
	(void)peer_send(p, (struct span){ much, MUCH });
}

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	const char *host;
	uint32_t deadline_ms;
	const char *close_at, *story, *got;
	enum err_kind kind;
	const char *why;
} rows[] = {
	{ "the peer ends it", greets_and_ends, "127.0.0.1", 0, NULL, "opened turn closed", "+OK\r\n", ERR_NONE, NULL },
	{ "we end it", greets, "127.0.0.1", PATIENCE_MS, "+OK\r\n", "opened turn closed", "+OK\r\n", ERR_NONE, NULL },
	{ "a reset", greets_and_resets, "127.0.0.1", 0, NULL, "opened turn closed", "+OK\r\n", ERR_NET, "the server reset the connection" },
	{ "silence", keeps_silent, "127.0.0.1", 50, NULL, "opened closed", "", ERR_NET,
		": no greeting within 0.05 s; the server said nothing at all: if this port begins with TLS, set tls.mode = implicit" },
	{ "silence after the greeting", greets, "localhost", 300, NULL, "opened turn closed", "+OK\r\n", ERR_NET, " (127.0.0.1): no greeting within 0.3 s" },
	{ "octets re-arm the deadline", drips, "127.0.0.1", 1000, "+OK\r\n", "opened turn closed", ".....+OK\r\n", ERR_NONE, NULL },
};

static void a_connection_tells_its_story(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct conn_settings s;
		struct server server;
		struct client c;

		server_start(&server, "127.0.0.1", r->talk, NULL);
		client_start(&c);
		c.deadline_ms = r->deadline_ms;
		c.close_at = r->close_at;
		s = to(r->host, server.port);
		client_run(&c, &s);
		if (strcmp(c.story, r->story) != 0 || !span_equal(buf_span(&c.got), span_of(r->got)) || c.why.kind != r->kind
			|| (r->why && !strstr(c.why.text, r->why)))
			fail_msg("%s: %s: \"%.*s\" %s", r->name, c.story, (int)c.got.len, c.got.at, c.why.text);
		client_end(&c);
		server_stop(&server);
	}
}

static void much_comes_in_few_turns(void **state)
{
	struct server server;
	struct client c;
	struct conn_settings s;

	(void)state;
	server_start(&server, "127.0.0.1", sends_much, NULL);
	client_start(&c);
	s = to("127.0.0.1", server.port);
	client_run(&c, &s);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(c.got.len, MUCH);
	for (size_t i = 0; i < MUCH; i++)
		if (c.got.at[i] != pattern(i))
			fail_msg("octet %zu", i);
	assert_true(c.longest <= CONN_IN_MAX);
	client_end(&c);
	server_stop(&server);
}

static void errors_name_host_port_and_address(void **state)
{
	uint16_t port = server_refusing_port();
	static const struct dns_row names[] = { { .name = "pop.example", .addresses = { "127.0.0.1" } }, { .name = "mute.example", .silent_a = true, .silent_aaaa = true } };
	static const struct { const char *host, *shown, *want; } hosts[] = {
		{ "127.0.0.1", "127.0.0.1", "no connection (127.0.0.1: Connection refused); is `port` right, and the server running?" },
		{ "::1", "[::1]", "no connection (::1: Connection refused); is `port` right, and the server running?" },
		{ "[::1]", "[::1]", "no connection (::1: Connection refused); is `port` right, and the server running?" },
		{ "pop.example.", "pop.example.", "no connection (127.0.0.1: Connection refused); is `port` right, and the server running?" },
		{ "unheard.example.", "unheard.example.", "no such host: DNS does not know unheard.example.; check `host`" },
		{ "mute.example.", "mute.example.", "no answer about the name from DNS within 0.1 s" },
	};
	struct dns d;

	(void)state;
	dns_start(&d, names, COUNT(names));
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct conn_settings s = to(hosts[i].host, port);
		char want[300];
		struct client c;

		s.connect_timeout_ms = i == COUNT(hosts) - 1 ? 100 : PATIENCE_MS;
		client_start(&c);
		c.loop->dns = d.servers;
		client_run(&c, &s);
		assert_string_equal(c.story, "closed");
		assert_int_equal(c.why.kind, ERR_NET);
		assert_false(c.technical);
		(void)snprintf(want, sizeof want, "%s:%u: %s", hosts[i].shown, port, hosts[i].want);
		assert_string_equal(c.why.text, want);
		client_end(&c);
	}
	dns_stop(&d);
}

static void a_wrong_source_address_is_told_at_once(void **state)
{
	struct conn_settings s = to("127.0.0.1", 110);
	struct client c;

	(void)state;
	s.source_address = "nonsense";
	client_start(&c);
	client_run(&c, &s);
	assert_string_equal(c.story, "refused");
	assert_int_equal(c.why.kind, ERR_CONFIG);
	client_end(&c);
}

/* See dial_test.c: a listener with a full queue answers nobody. */
static void connecting_has_a_deadline(void **state)
{
	struct server_peer queued[4];
	union address a;
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct conn_settings s;
	struct client c;
	bool hole = false;

	(void)state;
	assert_true(address_parse("127.0.0.1", 0, &a));
	assert_true(fd >= 0 && bind(fd, &a.any, address_size(&a)) == 0 && listen(fd, 0) == 0);
	assert_int_equal(getsockname(fd, &a.any, &size), 0);
	for (size_t i = 0; i < COUNT(queued); i++) {
		struct pollfd p = { .events = POLLOUT };

		queued[i].fd = p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(connect(p.fd, &a.any, address_size(&a)) == 0 || errno == EINPROGRESS);
		hole = hole || poll(&p, 1, 200) == 0;
	}
	if (hole) {
		client_start(&c);
		s = to("127.0.0.1", ntohs(a.v4.sin_port));
		s.connect_timeout_ms = 100;
		client_run(&c, &s);
		assert_int_equal(c.why.kind, ERR_NET);
		assert_non_null(strstr(c.why.text, ": no connection within 0.1 s (127.0.0.1: no answer)"));
		client_end(&c);
	} else {
		print_message("this kernel's listeners answer always: not tried\n");
	}
	for (size_t i = 0; i < COUNT(queued); i++)
		(void)close(queued[i].fd);
	(void)close(fd);
}

/* Pausing */

static bool resumed;

static void go_on(void *user)
{
	struct client *c = user;

	resumed = true;
	conn_pause(c->conn, false);
}

static size_t pause_once(struct client *c, struct span in)
{
	assert_true(buf_add(&c->got, in));
	if (c->got.len == in.len) {
		conn_deadline(c->conn, 50, "data");	/* stands still while paused */
		conn_pause(c->conn, true);
		timer_set(c->user, 300, 0);
	} else {
		assert_true(resumed);		/* nothing came meanwhile */
		conn_deadline(c->conn, 0, NULL);
	}
	return in.len;
}

static void a_pause_stops_octets_and_deadline(void **state)
{
	struct conn_settings s;
	struct server server;
	struct timer *t;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", sends_much, NULL);
	client_start(&c);
	t = timer_new(c.loop, go_on, &c);
	c.user = t;
	c.on_turn = pause_once;
	s = to("127.0.0.1", server.port);
	client_run(&c, &s);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(c.got.len, MUCH);
	timer_free(&t);
	client_end(&c);
	server_stop(&server);
}

/* Ends */

static void close_now(struct client *c)
{
	conn_close(c->conn);
	conn_close(c->conn);
	conn_pause(c->conn, true);
	conn_deadline(c->conn, 1, "nothing");
	assert_false(conn_send(c->conn, SPAN("too late")));
}

static void closing_is_answered_once(void **state)
{
	struct conn_settings s;
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", keeps_silent, NULL);
	client_start(&c);
	s = to("127.0.0.1", server.port);
	c.on_opened = close_now;
	client_run(&c, &s);
	assert_string_equal(c.story, "opened closed");
	assert_int_equal(c.why.kind, ERR_NONE);
	client_open(&c, &s);
	conn_close(c.conn);		/* before it is there */
	assert_string_equal(c.story, "");
	loop_run(c.loop);
	assert_string_equal(c.story, "closed");
	assert_int_equal(c.why.kind, ERR_NONE);
	client_end(&c);
	server_stop(&server);
}

static void a_loop_may_go_before_its_connections(void **state)
{
	struct client dialling, open[3];
	struct conn_settings s;
	struct server server;

	(void)state;
	server_start(&server, "127.0.0.1", greets, NULL);
	s = to("127.0.0.1", server.port);
	client_start(&dialling);
	client_open(&dialling, &s);
	client_end(&dialling);
	assert_string_equal(dialling.story, "");
	client_start(&open[0]);
	open[1] = open[2] = open[0];
	client_open(&open[1], &s);
	client_open(&open[2], &s);
	client_open(&open[0], &s);
	while (!strstr(open[1].story, "turn") && !strstr(open[0].story, "turn") && !strstr(open[2].story, "turn"))
		(void)uv_run(&open[0].loop->uv, UV_RUN_ONCE);
	client_end(&open[0]);
	for (int i = 0; i < 3; i++) {
		assert_null(strstr(open[i].story, "closed"));
		if (i)
			buf_end(&open[i].got);
	}
	server_stop(&server);
}

/* One that never stops talking does not keep the others waiting. */

static void talks_for_ever(struct server_peer *p, void *user)
{
	static char much[256 * 1024];

	(void)user;
	while (peer_send(p, (struct span){ much, sizeof much }))
		;
}

static void widen(struct client *c)
{
	int much = 4 << 20;

	(void)setsockopt(c->conn->fd, SOL_SOCKET, SO_RCVBUF, &much, sizeof much);
	conn_pause(c->conn, true);
}

/* However much is there: so many octets at most, then the loop goes round. */
static void a_turn_has_its_budget(void **state)
{
	enum { BUDGET = 4 * CONN_IN_MAX };
	struct conn_settings s;
	struct server server;
	struct client c;
	size_t most = 0;

	(void)state;
	server_start(&server, "127.0.0.1", sends_much, NULL);
	client_start(&c);
	c.on_opened = widen;
	s = to("127.0.0.1", server.port);
	client_open(&c, &s);
	while (!c.story[0])
		(void)uv_run(&c.loop->uv, UV_RUN_ONCE);
	nap(200);			/* it piles up in the kernel */
	conn_pause(c.conn, false);
	while (c.conn) {
		size_t before = c.got.len;

		(void)uv_run(&c.loop->uv, UV_RUN_ONCE);
		most = c.got.len - before > most ? c.got.len - before : most;
	}
	assert_int_equal(c.got.len, MUCH);
	assert_in_range(most, CONN_IN_MAX, BUDGET);
	client_end(&c);
	server_stop(&server);
}

static size_t swallow(struct client *c, struct span in)
{
	(void)c;
	return in.len;
}

static size_t close_both(struct client *c, struct span in)
{
	struct client *other = c->user;

	conn_close(c->conn);
	conn_close(other->conn);
	return in.len;
}

static void turns_are_shared_out(void **state)
{
	struct client talker, quiet;
	struct conn_settings s;
	struct server noisy, calm;

	(void)state;
	server_start(&noisy, "127.0.0.1", talks_for_ever, NULL);
	server_start(&calm, "127.0.0.1", greets, NULL);
	client_start(&talker);
	quiet = talker;
	talker.on_turn = swallow;
	quiet.on_turn = close_both;
	quiet.user = &talker;
	s = to("127.0.0.1", noisy.port);
	client_open(&talker, &s);
	while (!strstr(talker.story, "turn"))
		(void)uv_run(&talker.loop->uv, UV_RUN_ONCE);
	s = to("127.0.0.1", calm.port);
	client_open(&quiet, &s);
	loop_run(talker.loop);
	assert_string_equal(quiet.story, "opened turn closed");
	assert_string_equal(talker.story, "opened turn closed");
	client_end(&talker);
	server_stop(&noisy);
	server_stop(&calm);
}

static void look_at_options(struct client *c)
{
	static const struct { int level, name; } options[] = { { IPPROTO_TCP, TCP_NODELAY }, { SOL_SOCKET, SO_KEEPALIVE } };

	for (size_t i = 0; i < COUNT(options); i++) {
		socklen_t size = sizeof(int);
		int value = 0;

		assert_int_equal(getsockopt(c->conn->fd, options[i].level, options[i].name, &value, &size), 0);
		assert_int_equal(value, 1);
	}
	assert_false(conn_is_tls(c->conn));
	assert_string_equal(conn_tls_text(c->conn), "");
	assert_int_equal(conn_tls_exporter(c->conn, (char[32]){ 0 }), 0);
	assert_int_equal(conn_tls_unique(c->conn, (char[64]){ 0 }), 0);
}

static void the_socket_has_its_options(void **state)
{
	struct conn_settings s;
	struct server server;
	char want[80];
	struct client c;

	(void)state;
	server_start(&server, "::1", greets, NULL);
	client_start(&c);
	c.on_opened = look_at_options;
	c.close_at = "+OK\r\n";
	s = to("::1", server.port);
	client_run(&c, &s);
	(void)snprintf(want, sizeof want, "[::1]:%u", server.port);
	assert_string_equal(c.peer, want);
	client_end(&c);
	server_stop(&server);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_tells_its_story),
		cmocka_unit_test(much_comes_in_few_turns),
		cmocka_unit_test(errors_name_host_port_and_address),
		cmocka_unit_test(a_wrong_source_address_is_told_at_once),
		cmocka_unit_test(connecting_has_a_deadline),
		cmocka_unit_test(a_pause_stops_octets_and_deadline),
		cmocka_unit_test(closing_is_answered_once),
		cmocka_unit_test(a_loop_may_go_before_its_connections),
		cmocka_unit_test(a_turn_has_its_budget),
		cmocka_unit_test(turns_are_shared_out),
		cmocka_unit_test(the_socket_has_its_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
