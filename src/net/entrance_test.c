/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/entrance.h"
#include "net/inherited.h"
#include "net/test_visitor.h"

enum { LOOPS = 2, CONNECTIONS = 1000, AT_ONCE = 100 };

/* A server that greets and says bye to whatever it is told. */

struct hall {
	struct loops *loops;
	atomic_uint accepted, closed, wrong;
	atomic_uint by_loop[LOOPS];
	struct loop *loop[LOOPS];
};

struct guest {
	struct hall *hall;
	struct conn *conn;
	struct loop *loop;
	unsigned index;
};

static void opened(void *user)
{
	struct guest *g = user;

	assert_true(conn_send(g->conn, SPAN("+OK\r\n")));
}

static size_t turn(void *user, struct span in)
{
	struct guest *g = user;

	assert_true(conn_send(g->conn, SPAN("+OK bye\r\n")));
	conn_close(g->conn);
	return in.len;
}

static void drained([[maybe_unused]] void *user)
{
}

static void closed(void *user, const struct err *why)
{
	struct guest *g = user;

	g->hall->closed++;
	if (why->kind)
		g->hall->wrong++;
	free(g);
}

static void accepted(void *user, struct loop *l, unsigned index, int fd, const union address *from)
{
	struct guest *g = calloc(1, sizeof *g);
	const struct conn_user u = { .opened = opened, .turn = turn, .drained = drained, .closed = closed, .user = g };
	struct hall *h = user;
	struct err e;

	assert_non_null(g);
	*g = (struct guest){ h, NULL, l, index };
	h->accepted++;
	h->by_loop[index]++;
	h->loop[index] = l;
	g->conn = conn_accept(l, fd, &(struct conn_accepted){ .peer = from, .tls = CONN_TLS_NONE, .timeout_ms = 1000 }, &u, &e);
	assert_non_null(g->conn);
}

static bool talk_once(int fd)
{
	char got[32];
	size_t len = 0;
	ssize_t n;

	if (send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL) != 6)
		return false;
	while (len < sizeof got && (n = recv(fd, got + len, sizeof got - len, 0)) > 0)
		len += (size_t)n;
	return len == 14 && !memcmp(got, "+OK\r\n+OK bye\r\n", 14);
}

static void many_visits(uint16_t port, unsigned count)
{
	for (unsigned n = 0; n < count; n += AT_ONCE) {
		int fds[AT_ONCE];

		for (unsigned i = 0; i < AT_ONCE; i++)
			fds[i] = visitor_connect(port);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			assert_true(talk_once(fds[i]));
			(void)close(fds[i]);
		}
	}
}

static void hall_start(struct hall *h)
{
	struct err e;

	*h = (struct hall){ .loops = loops_new(LOOPS, &e) };
	assert_non_null(h->loops);
}

static void hall_end(struct hall *h, unsigned count)
{
	loops_drain(h->loops);
	loops_join(h->loops);
	assert_int_equal(h->accepted, count);
	assert_int_equal(h->closed, count);
	assert_int_equal(h->wrong, 0);
	assert_int_equal(h->by_loop[0] + h->by_loop[1], count);
	loops_free(&h->loops);
}

static void a_thousand_connections(void **state)
{
	struct listen_settings s = { .address = "127.0.0.1" };
	struct entrance *n;
	struct hall h;
	struct err e;

	(void)state;
	hall_start(&h);
	n = entrance_open(h.loops, &s, &(struct entrance_user){ accepted, &h, "test" }, &e);
	assert_non_null(n);
	many_visits(entrance_port(n), CONNECTIONS);
	assert_true(h.by_loop[0] && h.by_loop[1]);	/* 2^-999 that the kernel chooses one alone */
	entrance_close(&n);
	assert_null(n);
	hall_end(&h, CONNECTIONS);
}

/* As systemd hands it over: descriptor 3, and the environment says so. */
static void one_socket_for_all_loops(void **state)
{
	struct inherited all;
	struct entrance *n;
	struct hall h;
	struct err e;
	char pid[20];

	(void)state;
	assert_int_equal(dup2(listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e), INHERITED_FIRST), INHERITED_FIRST);
	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	assert_int_equal(setenv("LISTEN_PID", pid, 1) | setenv("LISTEN_FDS", "1", 1), 0);
	assert_true(inherited_take(&all, &e) && all.count == 1);
	hall_start(&h);
	n = entrance_inherit(h.loops, all.list[0].fd, &(struct entrance_user){ accepted, &h, all.list[0].name }, &e);
	assert_non_null(n);
	many_visits(entrance_port(n), CONNECTIONS);
	assert_int_equal(h.by_loop[0], CONNECTIONS / 2);
	assert_int_equal(h.by_loop[1], CONNECTIONS / 2);
	assert_ptr_not_equal(h.loop[0], h.loop[1]);
	entrance_close(&n);
	hall_end(&h, CONNECTIONS);
}

/* A connection from before goes on when its entrance is closed; who waited is let in. */
static void connections_outlive_their_entrance(void **state)
{
	struct listen_settings s = { .address = "127.0.0.1" };
	struct entrance *n;
	int early, waiting;
	struct hall h;
	struct err e;
	char got[5];

	(void)state;
	hall_start(&h);
	n = entrance_open(h.loops, &s, &(struct entrance_user){ accepted, &h, "test" }, &e);
	assert_non_null(n);
	early = visitor_connect(entrance_port(n));
	assert_int_equal(recv(early, got, 5, MSG_WAITALL), 5);
	entrance_pause(n, true);
	waiting = visitor_connect(entrance_port(n));
	assert_int_equal(h.accepted, 1);
	entrance_close(&n);
	assert_int_equal(h.accepted, 2);
	assert_true(talk_once(waiting));
	assert_int_equal(send(early, "QUIT\r\n", 6, 0), 6);
	assert_int_equal(recv(early, got, 5, MSG_WAITALL), 5);
	(void)close(early);
	(void)close(waiting);
	hall_end(&h, 2);
}

static void a_pause_ends(void **state)
{
	struct listen_settings s = { .address = "::1" };
	struct entrance *n, *other;
	struct hall h;
	struct err e;

	(void)state;
	hall_start(&h);
	s.address = "127.0.0.1";
	n = entrance_open(h.loops, &s, &(struct entrance_user){ accepted, &h, "test" }, &e);
	assert_non_null(n);
	entrance_pause(n, true);
	entrance_pause(n, false);
	many_visits(entrance_port(n), AT_ONCE);
	s.port = entrance_port(n);		/* taken: it is not shared with a stranger */
	other = entrance_open(h.loops, &s, &(struct entrance_user){ accepted, &h, "test" }, &e);
	assert_null(other);
	assert_int_equal(e.kind, ERR_LOCAL);
	s.address = "192.0.2.1";
	other = entrance_open(h.loops, &s, &(struct entrance_user){ accepted, &h, "test" }, &e);
	assert_null(other);
	assert_int_equal(e.kind, ERR_CONFIG);
	entrance_close(&n);
	hall_end(&h, AT_ONCE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_connections),
		cmocka_unit_test(one_socket_for_all_loops),
		cmocka_unit_test(connections_outlive_their_entrance),
		cmocka_unit_test(a_pause_ends),
	};

	if (dup2(STDERR_FILENO, INHERITED_FIRST) < 0)	/* that number is the test's, before anything takes it */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
