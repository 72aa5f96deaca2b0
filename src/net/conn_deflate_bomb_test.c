/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/conn_inside.h"
#include "net/test_deflate.h"

enum { BOMB = 64 << 20 };

/* A thousandth of it goes over the line, and then the end, at once. */
static void bombs(struct server_peer *p, struct act *a)
{
	static char nothing[1 << 20];

	(void)a;
	for (size_t at = 0; at < BOMB; at += sizeof nothing)
		if (!peer_send_as(p, (struct span){ nothing, sizeof nothing }, Z_NO_FLUSH))
			return;
	(void)peer_send_as(p, (struct span){ 0 }, Z_SYNC_FLUSH);
}

/* A bomb is told piece by piece, as its user likes it, and takes no memory; TLS's
 * end is there long before. */

struct fuse {
	struct timer *timer;
	struct client *client;
	size_t len, most, now;
	bool paused;
};

static void go_on(void *user)
{
	struct fuse *f = user;

	f->paused = false;
	conn_pause(f->client->conn, false);
}

static size_t bites(struct client *c, struct span in)
{
	struct fuse *f = c->user;
	size_t used, held = conn_deflate_held(c->conn);

	if (act_begin(c, in, &used) || span_starts(in, SPAN("* OK")))
		return used;
	assert_false(f->paused);
	assert_true(held <= 2 * CONN_IN_MAX);
	f->len += in.len;
	f->now += in.len;
	if (f->timer && f->len / CONN_IN_MAX % 8 == 1) {
		f->paused = true;
		conn_pause(c->conn, true);
		timer_set(f->timer, 0, 0);
	}
	return used;
}

static void a_bomb_takes_no_memory(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct act a = { .talk = bombs, .tls = i & 1 };
		struct client c;
		struct fuse f = { .client = &c };

		client_start(&c);
		f.timer = i & 2 ? timer_new(c.loop, go_on, &f) : NULL;
		c.user = &f;
		act_run(&a, &c, bites);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(f.len, BOMB);
		assert_true(c.longest == CONN_IN_MAX);
		timer_free(&f.timer);
		client_end(&c);
	}
}

/* Between two rounds of the loop others have their turn. */
static void a_bomb_does_not_hold_the_loop(void **state)
{
	struct act a = { .talk = bombs };
	struct server server;
	struct client c;
	struct fuse f = { .client = &c };

	(void)state;
	server_start(&server, "127.0.0.1", act_serves, &a);
	client_start(&c);
	c.user = &f;
	act_open_clear(&c, &server, bites);
	while (c.conn) {
		f.now = 0;
		(void)uv_run(&c.loop->uv, UV_RUN_ONCE);
		f.most = f.now > f.most ? f.now : f.most;
	}
	server_stop(&server);
	assert_int_equal(f.len, BOMB);
	assert_in_range(f.most, CONN_IN_MAX, 80 * CONN_IN_MAX);
	client_end(&c);
}

static size_t leaves(struct client *c, struct span in)
{
	size_t used;

	if (!act_begin(c, in, &used) && !span_starts(in, SPAN("* OK")) && ++c->turns > 6)
		conn_close(c->conn);
	return used;
}

static void we_may_leave_in_the_middle(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct act a = { .talk = bombs, .tls = tls };
		struct client c;

		client_start(&c);
		act_run(&a, &c, leaves);
		assert_int_equal(c.why.kind, ERR_NONE);
		client_end(&c);
	}
}

/* A loop that goes away takes what is held with it. */
static size_t stops(struct client *c, struct span in)
{
	size_t used;

	if (!act_begin(c, in, &used) && !span_starts(in, SPAN("* OK"))) {
		conn_pause(c->conn, true);
		loop_stop(c->loop);
	}
	return used;
}

static void the_loop_may_go_first(void **state)
{
	struct act a = { .talk = bombs };
	struct server server;
	struct client c;

	(void)state;
	server_start(&server, "127.0.0.1", act_serves, &a);
	client_start(&c);
	act_open_clear(&c, &server, stops);
	loop_run(c.loop);
	assert_true(c.conn && conn_deflate_held(c.conn));
	client_end(&c);
	server_stop(&server);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bomb_takes_no_memory),
		cmocka_unit_test(a_bomb_does_not_hold_the_loop),
		cmocka_unit_test(we_may_leave_in_the_middle),
		cmocka_unit_test(the_loop_may_go_first),
	};

	return cmocka_run_group_tests(tests, act_set_up, act_tear_down);
}
