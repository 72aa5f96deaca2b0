/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "net/conn_inside.h"
#include "net/test_visitor.h"

enum { PATIENCE_MS = 60000, QUEUE = 900 * 1000 };

static void nap(uint32_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

struct reader {
	size_t got;
	atomic_bool over;
};

static void little_room(struct server_peer *p)
{
	int little = 32 * 1024;

	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	(void)peer_say(p, "RETR 1\r\n");
}

static void takes_nothing(struct server_peer *p, void *user)
{
	struct reader *r = user;

	little_room(p);
	while (!r->over)
		nap(1);
}

/* Longer than the deadline all in all, never so long without taking anything. */
static void takes_slowly(struct server_peer *p, void *user)
{
	static char piece[200 * 1000];
	struct reader *r = user;
	size_t n = 1;

	little_room(p);
	while (n && r->got < QUEUE) {
		nap(300);
		for (size_t len = 0; n && len < sizeof piece && r->got < QUEUE; len += n) {
			n = peer_read(p, piece, sizeof piece - len);
			r->got += n;
		}
	}
}

static size_t sends_a_queue_in_a_pause(struct client *c, struct span in)
{
	static char all[QUEUE];

	conn_pause(c->conn, true);
	assert_true(conn_send(c->conn, (struct span){ all, sizeof all }));
	return in.len;
}

static void go_on(struct client *c)
{
	conn_pause(c->conn, false);
}

static void over(struct client *c)
{
	struct reader *r = c->user;

	r->over = true;
}

/* Working for long on a client's command is not its silence; not taking the answer is. */
static void a_pause_ends_no_deadline_for_taking(void **state)
{
	static const struct row {
		void (*talk)(struct server_peer *p, void *user);
		uint32_t deadline_ms;
		enum err_kind kind;
		const char *why;
		size_t got;
	} rows[] = {
		{ takes_nothing, 50, ERR_NET, ": the client took nothing of what it is sent for 0.05 s", 0 },
		{ takes_slowly, 1000, ERR_NONE, "", QUEUE },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct reader reader = { 0 };
		struct client c;

		client_start(&c);
		c.deadline_ms = r->deadline_ms;
		c.on_turn = sends_a_queue_in_a_pause;
		c.on_drained = go_on;
		c.on_closed = over;
		visit(&c, &(struct conn_accepted){ .tls = CONN_TLS_NONE, .timeout_ms = PATIENCE_MS }, r->talk, &reader);
		if (c.why.kind != r->kind || !strstr(c.why.text, r->why))
			fail_msg("%s", c.why.text);
		assert_int_equal(reader.got, r->got);
		client_end(&c);
	}
}

/* In a pause with nothing to take, the deadline stands still. */

static struct timer *timer;

static void on_timer(void *user)
{
	struct client *c = user;

	conn_close(c->conn);
	timer_free(&timer);
}

static size_t pauses(struct client *c, struct span in)
{
	conn_pause(c->conn, true);
	timer = timer_new(c->loop, on_timer, c);
	assert_non_null(timer);
	timer_set(timer, 200, 0);
	return in.len;
}

static void asks(struct server_peer *p, void *user)
{
	(void)user;
	(void)peer_say(p, "PASS x\r\n");
	peer_wait_end(p);
}

static void a_pause_is_no_silence(void **state)
{
	struct client c;

	(void)state;
	client_start(&c);
	c.deadline_ms = 50;
	c.on_turn = pauses;
	visit(&c, &(struct conn_accepted){ .tls = CONN_TLS_NONE, .timeout_ms = PATIENCE_MS }, asks, NULL);
	assert_string_equal(c.why.text, "");
	assert_int_equal(c.why.kind, ERR_NONE);
	client_end(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pause_ends_no_deadline_for_taking),
		cmocka_unit_test(a_pause_is_no_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
