/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/local_client.h"
#include "net/local_path.h"
#include "net/test_local.h"

/* A directory so deep that no address can name a socket in it. */
static void a_path_of_any_length(void **state)
{
	char path[64] = "/tmp/postrider-local.XXXXXX", deep[300], whole[400];
	struct local_server s;
	struct local_client *c;
	struct span line;
	struct err e;
	bool gone;

	(void)state;
	assert_non_null(mkdtemp(path));
	(void)snprintf(deep, sizeof deep, "%s/%0200d", path, 7);
	assert_int_equal(mkdir(deep, 0700), 0);
	(void)snprintf(whole, sizeof whole, "%s/control", deep);
	local_server_start(&s, whole, &local_server_usual);
	c = local_connect(whole, 20000, &gone, &e);
	assert_non_null(c);
	assert_true(local_tell(c, SPAN("deep\n"), -1, &e));
	assert_true(local_hear(c, 100, &line, &e));
	assert_true(span_equal(line, SPAN("got 4 deep")));
	local_leave(&c);
	local_server_stop(&s);
	assert_int_equal(rmdir(deep), 0);
	assert_int_equal(rmdir(path), 0);
}

static void the_limit_itself(void **state)
{
	char path[120];
	struct local_path at;
	struct err e;

	(void)state;
	memset(path, 'd', sizeof path);
	memcpy(path, "/", 1);
	path[60] = '/';
	path[107] = '\0';
	assert_true(local_path_start(&at, path, &e));
	assert_string_equal(at.at.sun_path, path);
	assert_int_equal(at.directory, -1);
	path[107] = 'd';
	path[108] = '\0';
	assert_false(local_path_start(&at, path, &e));	/* there is no such directory */
	assert_non_null(strstr(e.text, "No such file"));
	local_path_end(&at);
}

static void names_that_are_none(void **state)
{
	char path[200];
	struct local_path at;
	struct err e;

	(void)state;
	assert_false(local_path_start(&at, "/tmp/", &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	(void)snprintf(path, sizeof path, "/tmp/%0100d", 1);
	assert_false(local_path_start(&at, path, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_of_any_length), cmocka_unit_test(the_limit_itself), cmocka_unit_test(names_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
