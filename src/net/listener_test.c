/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/inside.h"
#include "net/listener.h"
#include "net/test_visitor.h"

enum { MANY = 100, SPARE = 3 };

struct count {
	struct loop *loop;
	struct listener *listener;
	unsigned accepted, stop_at;
	int fds[MANY];
	bool pauses;
	union address from;
};

/* It has them from the listening socket. */
static void look_at_options(int fd)
{
	static const struct { int level, name, value; } options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 120 }, { IPPROTO_TCP, TCP_KEEPINTVL, 30 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};

	for (size_t i = 0; i < COUNT(options); i++) {
		socklen_t size = sizeof(int);
		int value = 0;

		assert_int_equal(getsockopt(fd, options[i].level, options[i].name, &value, &size), 0);
		assert_int_equal(value, options[i].value);
	}
}

static void accepted(void *user, int fd, const union address *from)
{
	struct count *c = user;

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC && fcntl(fd, F_GETFL) & O_NONBLOCK);
	look_at_options(fd);
	c->fds[c->accepted++] = fd;
	c->from = *from;
	if (c->pauses)
		listener_pause(c->listener, true);
	if (c->accepted == c->stop_at)
		loop_stop(c->loop);
}

static uint16_t start(struct count *c, const char *address)
{
	struct err e;
	int fd = listen_socket(&(struct listen_settings){ .address = address }, &e);
	uint16_t port = listen_port(fd);

	if (fd < 0)
		fail_msg("%s", e.text);
	c->loop = loop_new(&e);
	assert_non_null(c->loop);
	c->listener = listener_new(c->loop, fd, &(struct listener_user){ accepted, c, "test" }, &e);
	assert_non_null(c->listener);
	return port;
}

static void end(struct count *c)
{
	listener_free(&c->listener);
	for (unsigned i = 0; i < c->accepted; i++)
		(void)close(c->fds[i]);
	loop_free(&c->loop);
}

static void visitors(uint16_t port, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fds[i] = visitor_connect(port);
}

static void leave(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)close(fds[i]);
}

static void more_than_a_turn_takes(void **state)
{
	struct count c = { .stop_at = MANY };
	uint16_t port = start(&c, "127.0.0.1");
	int fds[MANY];

	(void)state;
	visitors(port, fds, MANY);
	(void)uv_run(&c.loop->uv, UV_RUN_ONCE);
	assert_in_range(c.accepted, 1, LISTEN_A_TURN);
	loop_run(c.loop);
	assert_int_equal(c.accepted, MANY);
	leave(fds, MANY);
	end(&c);
}

/* "::" is both families, and IPv4 looks like IPv4. */
static void both_families(void **state)
{
	struct count c = { .stop_at = 1 };
	uint16_t port = start(&c, "::");
	int fd = visitor_connect(port);
	char text[ADDRESS_TEXT];

	(void)state;
	loop_run(c.loop);
	assert_string_equal(address_text(&c.from, false, text), "127.0.0.1");
	(void)close(fd);
	end(&c);
}

/* The kernel chose the port for six; somebody else may have it for four: then another one is tried. */
static void six_alone_leaves_the_port_to_four(void **state)
{
	struct err e;
	int six = -1, four = -1;

	(void)state;
	for (int tries = 0; four < 0 && tries < 100; tries++) {
		if (six >= 0)
			(void)close(six);
		six = listen_socket(&(struct listen_settings){ .address = "::", .v6only = true }, &e);
		assert_true(six >= 0);
		four = listen_socket(&(struct listen_settings){ .address = "0.0.0.0", .port = listen_port(six) }, &e);
	}
	assert_true(four >= 0);
	assert_int_equal(listen_port(six), listen_port(four));
	(void)close(six);
	(void)close(four);
}

static void what_cannot_be_listened_on(void **state)
{
	struct err e;
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e), other;

	(void)state;
	other = listen_socket(&(struct listen_settings){ .address = "127.0.0.1", .port = listen_port(fd) }, &e);
	assert_int_equal(other, -1);
	assert_int_equal(e.kind, ERR_LOCAL);
	assert_non_null(strstr(e.text, ": Address already in use; does another server run there?"));
	assert_int_equal(listen_socket(&(struct listen_settings){ .address = "example.org" }, &e), -1);
	assert_string_equal(e.text, "cannot listen on \"example.org\": it is no internet address");
	assert_int_equal(listen_socket(&(struct listen_settings){ .address = "192.0.2.1", .port = 9 }, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	(void)close(fd);
}

/* Only who knows of the others joins them. */
static void shared_sockets_have_one_port(void **state)
{
	struct listen_settings s = { .address = "127.0.0.1", .shared = true };
	struct err e;
	int one = listen_socket(&s, &e), two, three;

	(void)state;
	s.port = listen_port(one);
	assert_int_equal(listen_socket(&s, &e), -1);
	assert_non_null(strstr(e.text, ": Address already in use"));
	s.joins = true;
	two = listen_socket(&s, &e);
	three = listen_socket(&s, &e);
	assert_true(one >= 0 && two >= 0 && three >= 0);
	(void)close(one);
	(void)close(two);
	(void)close(three);
}

/* A pause lets them wait; the end hands over those that do. */
static void nobody_is_lost_in_a_pause_or_at_the_end(void **state)
{
	struct count c = { .pauses = true };
	uint16_t port = start(&c, "127.0.0.1");
	int fds[4];

	(void)state;
	visitors(port, fds, 4);
	loop_run(c.loop);			/* nothing is active in a pause */
	assert_int_equal(c.accepted, 1);
	listener_pause(c.listener, false);
	loop_run(c.loop);
	assert_int_equal(c.accepted, 2);
	c.pauses = false;
	listener_free(&c.listener);
	assert_int_equal(c.accepted, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(send(c.fds[i], "+", 1, 0), 1);
	for (unsigned i = 0; i < 4; i++) {
		char got;

		assert_int_equal(recv(fds[i], &got, 1, 0), 1);
	}
	leave(fds, 4);
	end(&c);
}

/* Without descriptors it rests, and goes on when there are some again. */

static struct rlimit limit;
static unsigned wakes;

static void on_tick(uv_timer_t *t)
{
	struct count *c = t->data;

	assert_int_equal(c->accepted, SPARE);
	limit.rlim_cur += MANY;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	uv_close((uv_handle_t *)t, NULL);
}

static void on_check([[maybe_unused]] uv_check_t *h)
{
	wakes++;
}

static void it_rests_when_descriptors_are_out(void **state)
{
	struct count c = { .stop_at = 10 };
	uint16_t port = start(&c, "127.0.0.1");
	rlim_t before;
	uv_timer_t timer;
	uv_check_t check;
	int fds[10], probe;

	(void)state;
	visitors(port, fds, 10);
	probe = dup(fds[0]);
	(void)close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)probe + SPARE;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	(void)uv_timer_init(&c.loop->uv, &timer);
	timer.data = &c;
	(void)uv_timer_start(&timer, on_tick, LISTEN_REST_MS / 2, 0);
	(void)uv_check_init(&c.loop->uv, &check);
	(void)uv_check_start(&check, on_check);
	loop_run(c.loop);
	assert_int_equal(c.accepted, 10);
	assert_true(wakes < 10);		/* of the loop: it was not kept busy */
	limit.rlim_cur = before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	uv_close((uv_handle_t *)&check, NULL);
	leave(fds, 10);
	end(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_a_turn_takes),
		cmocka_unit_test(both_families),
		cmocka_unit_test(six_alone_leaves_the_port_to_four),
		cmocka_unit_test(what_cannot_be_listened_on),
		cmocka_unit_test(shared_sockets_have_one_port),
		cmocka_unit_test(nobody_is_lost_in_a_pause_or_at_the_end),
		cmocka_unit_test(it_rests_when_descriptors_are_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
