/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dial.h"
#include "net/inside.h"
#include "net/test_dns.h"
#include "net/test_server.h"

static const struct dns_row names[] = {
	{ .name = "both.example", .addresses = { "127.0.0.1", "::1" } },
	{ .name = "late.example", .addresses = { "127.0.0.1", "::1" }, .silent_aaaa = true },
	{ .name = "second-six.example", .addresses = { "127.0.0.1", "::1" }, .aaaa_second = true },
	{ .name = "refusing.example", .addresses = { "127.0.0.1", "127.0.0.2" } },
	{ .name = "six.example", .addresses = { "::1" } },
	{ .name = "second.example", .addresses = { "127.0.0.3", "127.0.0.1" } },
};

struct end {			/* of a dial */
	unsigned calls;
	int fd;
	char address[ADDRESS_TEXT], local[ADDRESS_TEXT];
	struct err why;
	struct dial *dial;
};

static void done(void *user, int fd, const union address *at, const struct err *why)
{
	struct end *end = user;
	socklen_t size = sizeof(union address);
	union address local;

	assert_null(end->dial);
	end->calls++;
	end->fd = fd;
	if (why) {
		end->why = *why;
		assert_int_equal(fd, -1);
		return;
	}
	(void)address_text(at, true, end->address);
	assert_int_equal(getsockname(fd, &local.any, &size), 0);
	(void)address_text(&local, false, end->local);
	(void)close(fd);
}

static struct dns dns;

static struct end dial(const char *host, uint16_t port, const char *source)
{
	struct end end = { .fd = -1 };
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	l->dns = dns.servers;
	if (dial_start(l, host, port, source, &(struct dial_user){ done, &end, NULL }, &end.dial, &e)) {
		assert_int_equal(end.calls, 0);
		loop_run(l);
		assert_int_equal(end.calls, 1);
	} else {
		end.why = e;
	}
	loop_free(&l);
	return end;
}

static int listener(const char *address, uint16_t *port, int backlog)
{
	socklen_t size = sizeof(union address);
	union address a;
	int fd, one = 1;

	assert_true(address_parse(address, *port, &a));
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (a.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, &a.any, address_size(&a)) < 0) {
		(void)close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &a.any, &size), 0);
	*port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
	return fd;
}

/* The same port on ::1 and 127.0.0.1. */
static void both_listen(int *six, int *four, uint16_t *port, int backlog_six)
{
	for (;;) {
		*port = 0;
		*six = listener("::1", port, backlog_six);
		assert_true(*six >= 0);
		*four = listener("127.0.0.1", port, 16);
		if (*four >= 0)
			return;
		(void)close(*six);
	}
}

static void ipv6_comes_first(void **state)
{
	int six, four;
	uint16_t port;
	struct end end;

	(void)state;
	both_listen(&six, &four, &port, 16);
	end = dial("both.example.", port, NULL);
	assert_int_equal(strncmp(end.address, "[::1]:", 6), 0);
	end = dial("localhost", port, NULL);
	assert_int_equal(strncmp(end.address, "[::1]:", 6), 0);
	end = dial("late.example.", port, NULL);	/* but is not waited for */
	assert_int_equal(strncmp(end.address, "127.0.0.1:", 10), 0);
	/* though a little: the answers are 50 ms apart only if the machine sleeps between them, then once more */
	for (int i = 0; i < 20; i++) {
		end = dial("second-six.example.", port, NULL);
		if (!strncmp(end.address, "[::1]:", 6))
			break;
	}
	assert_int_equal(strncmp(end.address, "[::1]:", 6), 0);
	(void)close(six);
	end = dial("both.example.", port, NULL);	/* and refusal is no end */
	assert_int_equal(strncmp(end.address, "127.0.0.1:", 10), 0);
	(void)close(four);
	end = dial("both.example.", port, NULL);
	assert_int_equal(end.why.kind, ERR_NET);
	assert_string_equal(end.why.text, "no connection (::1: Connection refused; 127.0.0.1: Connection refused); "
		"is `port` right, and the server running?");
}

/* A listener whose queue is full answers nobody: a black hole on loopback.  Fills it; false = this kernel answers all. */
static bool black_hole(uint16_t port, int fds[], size_t count)
{
	union address a;
	bool hole = false;

	assert_true(address_parse("::1", port, &a));
	for (size_t i = 0; i < count; i++) {
		struct pollfd p = { .events = POLLOUT };

		fds[i] = p.fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		assert_true(connect(fds[i], &a.any, address_size(&a)) == 0 || errno == EINPROGRESS);
		hole = hole || poll(&p, 1, 200) == 0;
	}
	return hole;
}

static void a_black_hole_costs_a_quarter_second(void **state)
{
	int six, four, fds[4];
	uint64_t start;
	uint16_t port;
	struct end end;

	(void)state;
	both_listen(&six, &four, &port, 0);
	if (black_hole(port, fds, COUNT(fds))) {
		start = clock_mono_ms();
		end = dial("both.example.", port, NULL);
		assert_int_equal(strncmp(end.address, "127.0.0.1:", 10), 0);
		assert_true(clock_mono_ms() - start >= DIAL_NEXT_MS - 1);
	} else {
		print_message("this kernel's listeners answer always: not tried\n");
	}
	for (size_t i = 0; i < COUNT(fds); i++)
		(void)close(fds[i]);
	(void)close(six);
	(void)close(four);
}

static void what_cannot_be_reached_is_told(void **state)
{
	uint16_t port = server_refusing_port();
	struct end end = dial("127.0.0.1", port, NULL);

	(void)state;
	assert_string_equal(end.why.text, "no connection (127.0.0.1: Connection refused); is `port` right, and the server running?");
	end = dial("refusing.example.", port, NULL);
	assert_non_null(strstr(end.why.text, "127.0.0.1: Connection refused; 127.0.0.2: Connection refused"));
	end = dial("unheard.example.", port, NULL);
	assert_int_equal(end.why.kind, ERR_NET);
	assert_non_null(strstr(end.why.text, "no such host"));
}

static void the_source_address_is_used_or_refused(void **state)
{
	uint16_t port = 0;
	int fd = listener("127.0.0.1", &port, 16);
	struct end end = dial("127.0.0.1", port, "127.0.0.2");

	(void)state;
	assert_string_equal(end.local, "127.0.0.2");
	end = dial("both.example.", port, "127.0.0.5");	/* chooses the family too */
	assert_int_equal(strncmp(end.address, "127.0.0.1:", 10), 0);
	end = dial("six.example.", port, "127.0.0.5");
	assert_int_equal(end.why.kind, ERR_CONFIG);
	assert_string_equal(end.why.text, "source_address 127.0.0.5 can reach no address of six.example.: it has only such of the other family");
	end = dial("127.0.0.1", port, "eth0");
	assert_int_equal(end.why.kind, ERR_CONFIG);
	assert_string_equal(end.why.text, "source_address: \"eth0\" is not an address");
	end = dial("127.0.0.1", port, "192.0.2.1");
	assert_int_equal(end.why.kind, ERR_CONFIG);
	assert_non_null(strstr(end.why.text, "source_address: 192.0.2.1 cannot be used on this machine"));
	(void)close(fd);
}

static void a_second_address_is_tried(void **state)
{
	uint16_t port = 0;
	int fd = listener("127.0.0.1", &port, 16);
	struct end end = dial("second.example.", port, NULL);

	(void)state;
	assert_int_equal(strncmp(end.address, "127.0.0.1:", 10), 0);
	(void)close(fd);
}

/* Dropped at each stage: before it began, while the name is looked up, while it connects. */
static void nothing_comes_after_a_drop(void **state)
{
	uint16_t port = 0;
	int fd = listener("127.0.0.1", &port, 16);
	struct end end = { .fd = -1 };
	struct err e;
	struct loop *l = loop_new(&e);

	(void)state;
	assert_non_null(l);
	l->dns = dns.servers;
	for (int turns = 0; turns < 4; turns++) {
		assert_true(dial_start(l, turns < 3 ? "both.example." : "127.0.0.1", port, NULL, &(struct dial_user){ done, &end, NULL }, &end.dial, &e));
		for (int i = 0; i < turns && end.dial; i++)
			(void)uv_run(&l->uv, UV_RUN_NOWAIT);
		if (!end.dial)		/* quick enough to be there already */
			continue;
		end.calls = 0;
		dial_drop(&end.dial);
		dial_drop(&end.dial);
		loop_run(l);
		assert_int_equal(end.calls, 0);
	}
	loop_free(&l);
	(void)close(fd);
}

static int set_up(void **state)
{
	(void)state;
	dns_start(&dns, names, COUNT(names));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_stop(&dns);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv6_comes_first),
		cmocka_unit_test(a_black_hole_costs_a_quarter_second),
		cmocka_unit_test(what_cannot_be_reached_is_told),
		cmocka_unit_test(the_source_address_is_used_or_refused),
		cmocka_unit_test(a_second_address_is_tried),
		cmocka_unit_test(nothing_comes_after_a_drop),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
