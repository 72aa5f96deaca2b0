/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/local_client.h"
#include "net/test_local.h"

enum { MUCH = 1000000 };

static char directory[64], path[96];
static struct local_server server;

static int start(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "%s", "/tmp/postrider-local.XXXXXX");
	(void)snprintf(path, sizeof path, "%s/control", mkdtemp(directory));
	local_server_start(&server, path, &local_server_usual);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	local_server_stop(&server);
	return rmdir(directory);
}

static struct local_client *client(uint32_t timeout_ms)
{
	struct err e;
	bool gone;
	struct local_client *c = local_connect(path, timeout_ms, &gone, &e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

static void nobody_there(void **state)
{
	char away[120];
	struct err e;
	bool gone;

	(void)state;
	(void)snprintf(away, sizeof away, "%s/other", directory);
	assert_null(local_connect(away, 1000, &gone, &e));
	assert_true(gone);
	assert_int_equal(e.kind, ERR_NET);
	assert_non_null(strstr(e.text, away));
}

static bool count(void *user, struct span piece)
{
	*(size_t *)user += piece.len;
	return true;
}

static bool refuse(void *user, struct span piece)
{
	(void)piece;
	++*(size_t *)user;
	return false;
}

/* Octets that nobody wants are passed over, and the next line is where it should be. */
static void octets_between_lines(void **state)
{
	struct local_client *c = client(20000);
	struct span line;
	size_t n = 0, calls = 0;
	struct err e;

	(void)state;
	assert_true(local_tell(c, SPAN("much 1000000\n"), -1, &e));
	assert_true(local_take(c, MUCH, count, &n, &e));
	assert_int_equal(n, MUCH);
	assert_true(local_tell(c, SPAN("much 1000000\n"), -1, &e));
	assert_false(local_take(c, MUCH, refuse, &calls, &e));
	assert_int_equal(calls, 1);
	assert_true(local_tell(c, SPAN("a\nb\n"), -1, &e));
	assert_true(local_hear(c, 100, &line, &e) && span_equal(line, SPAN("got 1 a")));
	assert_true(local_hear(c, 100, &line, &e) && span_equal(line, SPAN("got 1 b")));
	local_leave(&c);
	assert_null(c);
}

static void a_silent_server_is_waited_for_so_long(void **state)
{
	struct local_client *c = client(50);
	struct span line;
	struct err e;

	(void)state;
	assert_false(local_hear(c, 100, &line, &e));
	assert_int_equal(e.kind, ERR_NET);
	assert_non_null(strstr(e.text, "in time"));
	local_patience(c, 20000);
	assert_true(local_tell(c, SPAN("x\n"), -1, &e));
	assert_true(local_hear(c, 100, &line, &e));
	local_leave(&c);
}

static void a_line_too_long(void **state)
{
	struct local_client *c = client(20000);
	struct span line;
	struct err e;

	(void)state;
	assert_true(local_tell(c, SPAN("much 100000\n"), -1, &e));
	assert_false(local_hear(c, 1000, &line, &e));
	assert_int_equal(e.kind, ERR_PEER);
	local_leave(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_there, start, stop),
		cmocka_unit_test_setup_teardown(octets_between_lines, start, stop),
		cmocka_unit_test_setup_teardown(a_silent_server_is_waited_for_so_long, start, stop),
		cmocka_unit_test_setup_teardown(a_line_too_long, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
