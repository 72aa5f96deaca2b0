/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to Unix sockets; and such as do not keep a loop, or are forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/local_path.h"
#include "net/test_client.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, DEEP = 200 };

static char directory[64], path[400];

static int make_path(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "/tmp/postrider-socket.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof path, "%s/s", directory);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(directory);
}

static void echo(struct server_peer *p, void *user)
{
	char line[64];

	(void)user;
	while (peer_line(p, line, sizeof line))
		if (!peer_say(p, line) || !peer_say(p, "!\r\n"))
			return;
}

static struct conn_settings to(const char *where)
{
	return (struct conn_settings){ .host = where, .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS };
}

static void a_talk(void **state)
{
	struct conn_settings s;
	struct server server;
	char deep[300];

	(void)state;
	(void)snprintf(deep, sizeof deep, "%s/%0*d", directory, DEEP, 7);
	assert_int_equal(mkdir(deep, 0700), 0);
	for (int turn = 0; turn < 2; turn++) {
		struct client c;

		if (turn)
			(void)snprintf(path, sizeof path, "%s/s", deep);	/* longer than an address can be */
		server_start(&server, path, echo, NULL);
		s = to(path);
		client_start(&c);
		c.say = "hello\r\n";
		c.close_at = "hello!\r\n";
		client_run(&c, &s);
		assert_string_equal(c.story, "opened turn closed");
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_string_equal(c.peer, "");
		client_end(&c);
		server_stop(&server);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(deep), 0);
	(void)snprintf(path, sizeof path, "%s/s", directory);
}

static void nobody_listens(void **state)
{
	struct conn_settings s = to(path);
	struct client c;

	(void)state;
	client_start(&c);
	client_run(&c, &s);
	assert_string_equal(c.story, "closed");
	assert_int_equal(c.why.kind, ERR_NET);
	assert_non_null(strstr(c.why.text, "No such file"));
	assert_int_equal(strncmp(c.why.text, path, strlen(path)), 0);
	client_end(&c);
}

/* A server that accepts nobody: its queue fills up, and who comes then waits, no longer than the time-out. */
static void a_queue_that_is_full(void **state)
{
	struct conn_settings s = to(path);
	struct local_path at;
	int in_line[16], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client c;
	bool full = false;
	unsigned count = 0;
	struct err e;

	(void)state;
	assert_true(local_path_start(&at, path, &e));
	assert_int_equal(bind(fd, (const struct sockaddr *)&at.at, sizeof at.at), 0);
	assert_int_equal(listen(fd, 1), 0);
	while (!full && count < 16)
		in_line[count++] = local_path_dial(path, &full, &e);
	assert_true(full);
	s.connect_timeout_ms = 100;
	client_start(&c);
	client_run(&c, &s);
	assert_non_null(strstr(c.why.text, "no connection within 0.1 s (it takes no more"));
	client_end(&c);
	while (count--)
		if (in_line[count] >= 0)
			(void)close(in_line[count]);
	(void)close(fd);
	local_path_end(&at);
	assert_int_equal(unlink(path), 0);
}

static void to_background(struct client *c)
{
	conn_background(c->conn);
	conn_deadline(c->conn, PATIENCE_MS, "answer");
}

/* The loop ends although it is open and has a deadline; and then it is forgotten, without a word. */
static void in_the_background(void **state)
{
	struct server server;
	struct conn_settings s = to(path);
	uint64_t began = clock_mono_ms();

	(void)state;
	server_start(&server, path, echo, NULL);
	for (int before = 0; before < 2; before++) {
		struct client c;

		client_start(&c);
		if (!before)
			c.on_opened = to_background;
		client_open(&c, &s);
		if (before)
			conn_background(c.conn);
		loop_run(c.loop);
		assert_string_equal(c.story, "opened");
		assert_true(clock_mono_ms() - began < PATIENCE_MS / 2);
		conn_forget(&c.conn);
		assert_null(c.conn);
		conn_forget(&c.conn);
		loop_run(c.loop);
		assert_string_equal(c.story, "opened");
		client_end(&c);
	}
	server_stop(&server);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_talk),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_queue_that_is_full),
		cmocka_unit_test(in_the_background),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
