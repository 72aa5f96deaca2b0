/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/local_path.h"
#include "net/test_local.h"

enum { SOON_MS = 100, PATIENCE_MS = 20000, MUCH = 4 << 20 };

static char directory[64], path[96];
static struct local_server server;

static int start_with(const struct local_settings *settings)
{
	(void)snprintf(directory, sizeof directory, "%s", "/tmp/postrider-local.XXXXXX");
	(void)snprintf(path, sizeof path, "%s/control", mkdtemp(directory));
	local_server_start(&server, path, settings);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(&local_server_usual);
}

static int start_hasty(void **state)
{
	struct local_settings hasty = local_server_usual;

	(void)state;
	hasty.line_ms = hasty.idle_ms = SOON_MS;
	return start_with(&hasty);
}

static int stop(void **state)
{
	(void)state;
	local_server_stop(&server);
	assert_int_equal(server.came, server.gone + 0u);
	return rmdir(directory);
}

static int visitor(void)
{
	struct local_path at;
	struct err e;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(local_path_start(&at, path, &e));
	assert_int_equal(connect(fd, (struct sockaddr *)&at.at, sizeof at.at), 0);
	local_path_end(&at);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* The text comes, and no octet more with it; "" is the end. */
static void hear(int fd, const char *want)
{
	char got[2048];
	size_t len = strlen(want), n = 0;

	while (n < len || !len) {
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t more;

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		more = recv(fd, got + n, len ? len - n : 1, 0);
		if (!len) {
			assert_true(more <= 0);
			return;
		}
		assert_true(more > 0);
		n += (size_t)more;
	}
	assert_memory_equal(got, want, len);
}

static void leave(int fd)
{
	unsigned gone = server.gone;

	(void)close(fd);
	while (server.gone == gone)
		(void)poll(NULL, 0, 2);
}

/* The same talk, cut at every octet, and all at once. */
static void lines_and_octets_at_any_split(void **state)
{
	static const char talk[] = "one\ntwo\r\nexpect 5\nab\ncd\n\nexpect 0\nend\n";
	static const char want[] = "got 3 one\ngot 3 two\ntook 5 404\ngot 0 \ngot 0 \ngot 3 end\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof talk; cut++) {
		char first[sizeof talk];
		int fd = visitor();

		memcpy(first, talk, cut);
		first[cut] = '\0';
		if (cut)
			say(fd, first);
		(void)poll(NULL, 0, 1);
		say(fd, talk + cut);
		hear(fd, want);
		leave(fd);
	}
}

static void octet_by_octet(void **state)
{
	int fd = visitor();

	(void)state;
	for (const char *p = "expect 3\nxyzhello\n"; *p; p++)
		say(fd, (char[]){ *p, '\0' });
	hear(fd, "took 3 363\ngot 5 hello\n");
	leave(fd);
}

static void send_with(int fd, const char *text, const int *passed, size_t count)
{
	union {
		char room[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { .room = { 0 } };
	struct iovec piece = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), passed, count * sizeof(int));
	assert_true(sendmsg(fd, &m, MSG_NOSIGNAL) > 0);
}

static size_t open_files(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void a_descriptor_comes_with_its_line_and_none_leaks(void **state)
{
	int fd = visitor(), file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), many[8];
	char text[6] = "";
	size_t before;

	(void)state;
	say(fd, "fd\n");
	hear(fd, "no fd\n");
	before = open_files();
	send_with(fd, "fd\n", &file, 1);
	hear(fd, "fd\n");
	assert_int_equal(pread(file, text, 5, 0), 5);
	assert_string_equal(text, "hello");
	say(fd, "fd\n");
	hear(fd, "no fd\n");		/* it was for one line */
	for (size_t n = 0; n < COUNT(many); n++)
		many[n] = file;
	send_with(fd, "a\n", many, COUNT(many));
	hear(fd, "got 1 a\n");
	assert_int_equal(open_files(), before);
	send_with(fd, "half a line", &file, 1);	/* and then it ends */
	(void)poll(NULL, 0, 20);
	leave(fd);
	assert_int_equal(open_files(), before - 2);	/* both ends of the connection */
	(void)close(file);
}

static void a_line_too_long_is_told_and_ends(void **state)
{
	char text[3000];
	int fd = visitor();

	(void)state;
	memset(text, 'a', sizeof text);
	text[1000] = '\n';
	text[1001] = '\0';
	say(fd, text);			/* as long as may be */
	hear(fd, "got 1000 ");
	leave(fd);
	fd = visitor();
	text[1000] = 'a';
	text[1001] = '\0';
	say(fd, text);			/* no end of it is needed to know */
	hear(fd, "overlong\n");
	hear(fd, "");
	(void)close(fd);
	while (server.gone < server.came)
		(void)poll(NULL, 0, 2);
}

/* One says half a line, one takes nothing of what it asked for; the third is served at once. */
static void who_is_slow_waits_alone(void **state)
{
	int half = visitor(), greedy = visitor(), fd = visitor();
	uint64_t began = clock_mono_ms();

	(void)state;
	say(half, "never ending");
	say(greedy, "much 400000000\n");
	for (unsigned n = 0; n < 100; n++) {
		say(fd, "ping\n");
		hear(fd, "got 4 ping\n");
	}
	assert_true(clock_mono_ms() - began < PATIENCE_MS);
	leave(fd);
	leave(greedy);
	leave(half);
}

static void much_is_said_as_it_is_taken(void **state)
{
	static char got[65536];
	int fd = visitor();
	size_t all = 0;
	ssize_t n;

	(void)state;
	say(fd, "much 4194304\n");
	while (all < MUCH && (n = recv(fd, got, sizeof got, 0)) > 0)
		all += (size_t)n;
	assert_int_equal(all, MUCH);
	say(fd, "then\n");
	hear(fd, "got 4 then\n");
	leave(fd);
}

static void a_pause_holds_what_is_behind(void **state)
{
	int fd = visitor();
	uint64_t began = clock_mono_ms();

	(void)state;
	say(fd, "hold\nbehind\n");
	hear(fd, "got 4 hold\n");
	assert_true(clock_mono_ms() - began < PATIENCE_MS);
	hear(fd, "got 6 behind\n");
	assert_true(clock_mono_ms() - began >= HOLD_MS / 2);
	leave(fd);
}

static void what_was_asked_is_answered_after_the_last_word(void **state)
{
	int fd = visitor();

	(void)state;
	say(fd, "a\nb\nhalf");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	hear(fd, "got 1 a\ngot 1 b\n");
	hear(fd, "");
	(void)close(fd);
	fd = visitor();
	say(fd, "bye\nmore\n");
	hear(fd, "bye\n");
	hear(fd, "");
	(void)close(fd);
	while (server.gone < server.came)
		(void)poll(NULL, 0, 2);
	assert_int_equal(server.over, 1);
}

static void octets_broken_off(void **state)
{
	int fd = visitor();

	(void)state;
	say(fd, "expect 100\nonly some");
	(void)poll(NULL, 0, 20);
	leave(fd);
	assert_int_equal(server.over, 0);
}

/* Nothing said, half a line, octets that do not come, an answer that is not taken. */
static void who_keeps_us_waiting_is_sent_away(void **state)
{
	static const char *const first[] = { "", "half", "expect 10\nabc", "much 400000000\n" };

	(void)state;
	for (size_t n = 0; n < COUNT(first); n++) {
		int fd = visitor();

		say(fd, first[n]);
		while (server.gone == n)
			(void)poll(NULL, 0, 5);
		(void)close(fd);
	}
}

/* As long as its answer is being made, nobody is sent away for silence; but who leaves is gone at once. */
static void who_waits_for_us_may_wait(void **state)
{
	int fd = visitor();

	(void)state;
	say(fd, "busy\n");
	hear(fd, "got 4 busy\n");
	(void)poll(NULL, 0, 4 * SOON_MS);
	assert_int_equal(server.gone, 0);
	say(fd, "a\n");
	hear(fd, "got 1 a\n");
	(void)poll(NULL, 0, 4 * SOON_MS);
	leave(fd);
	assert_int_equal(server.over, 0);
	fd = visitor();
	say(fd, "busy\nidle\n");
	hear(fd, "got 4 busy\ngot 4 idle\n");
	while (server.gone < 2)
		(void)poll(NULL, 0, 5);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_and_octets_at_any_split, start, stop),
		cmocka_unit_test_setup_teardown(octet_by_octet, start, stop),
		cmocka_unit_test_setup_teardown(a_descriptor_comes_with_its_line_and_none_leaks, start, stop),
		cmocka_unit_test_setup_teardown(a_line_too_long_is_told_and_ends, start, stop),
		cmocka_unit_test_setup_teardown(who_is_slow_waits_alone, start, stop),
		cmocka_unit_test_setup_teardown(much_is_said_as_it_is_taken, start, stop),
		cmocka_unit_test_setup_teardown(a_pause_holds_what_is_behind, start, stop),
		cmocka_unit_test_setup_teardown(what_was_asked_is_answered_after_the_last_word, start, stop),
		cmocka_unit_test_setup_teardown(octets_broken_off, start, stop),
		cmocka_unit_test_setup_teardown(who_keeps_us_waiting_is_sent_away, start_hasty, stop),
		cmocka_unit_test_setup_teardown(who_waits_for_us_may_wait, start_hasty, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
