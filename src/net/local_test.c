/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/local_client.h"
#include "net/local_path.h"
#include "net/test_local.h"

enum { PATIENCE_MS = 20000, NOBODY = 65534 };

static char directory[64], path[96];

static int make_directory(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "%s", "/tmp/postrider-local.XXXXXX");
	(void)snprintf(path, sizeof path, "%s/control", mkdtemp(directory));
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(directory);
}

static struct local_client *client(void)
{
	struct err e;
	bool gone;
	struct local_client *c = local_connect(path, PATIENCE_MS, &gone, &e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

static void hears(struct local_client *c, const char *want)
{
	struct span line;
	struct err e;

	if (!local_hear(c, 1000, &line, &e))
		fail_msg("%s instead of %s", e.text, want);
	assert_int_equal(line.len, strlen(want));
	assert_memory_equal(line.at, want, line.len);
}

static void says(struct local_client *c, const char *text)
{
	struct err e;

	if (!local_tell(c, span_of(text), -1, &e))
		fail_msg("%s", e.text);
}

static bool ended(struct local_client *c)
{
	struct span line;
	struct err e;

	return !local_hear(c, 1000, &line, &e) && e.kind == ERR_NET && strstr(e.text, "closed");
}

/* Whatever the umask, and from the first moment: nobody else may connect. */
static void the_file_is_for_its_owner(void **state)
{
	static const mode_t masks[] = { 0, 022, 0777 };
	struct local_server s;
	struct stat st;

	(void)state;
	for (size_t n = 0; n < COUNT(masks); n++) {
		mode_t old = umask(masks[n]);

		local_server_start(&s, path, &local_server_usual);
		(void)umask(old);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0600);
		local_server_stop(&s);
		assert_int_equal(lstat(path, &st), -1);
	}
}

/* A socket whose process died: bound and closed, its file is left. */
static void leave_a_dead_one(void)
{
	struct local_path at;
	struct err e;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(local_path_start(&at, path, &e));
	assert_int_equal(bind(fd, (struct sockaddr *)&at.at, sizeof at.at), 0);
	local_path_end(&at);
	(void)close(fd);
}

static void a_dead_socket_is_replaced_a_live_one_never(void **state)
{
	struct local_server s, second;
	struct local_client *c;

	(void)state;
	leave_a_dead_one();
	local_server_start(&s, path, &local_server_usual);
	assert_false(local_server_try(&second, path, &local_server_usual));
	assert_int_equal(second.why.kind, ERR_BUSY);
	assert_non_null(strstr(second.why.text, path));
	c = client();
	says(c, "still there\n");
	hears(c, "got 11 still there");
	local_leave(&c);
	local_server_stop(&s);
}

static void what_is_no_socket_stays(void **state)
{
	struct local_server s;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct stat st;

	(void)state;
	(void)close(fd);
	assert_false(local_server_try(&s, path, &local_server_usual));
	assert_int_equal(s.why.kind, ERR_LOCAL);
	assert_non_null(strstr(s.why.text, "in the way"));
	assert_int_equal(lstat(path, &st), 0);
}

/* Somebody has put another file there meanwhile: that one is not ours to remove. */
static void at_the_end_only_our_own_file_goes(void **state)
{
	struct local_server s;
	struct stat st;

	(void)state;
	local_server_start(&s, path, &local_server_usual);
	assert_int_equal(unlink(path), 0);
	leave_a_dead_one();
	local_server_stop(&s);
	assert_int_equal(lstat(path, &st), 0);
}

static void one_too_many_is_told(void **state)
{
	struct local_settings two = local_server_usual;
	struct local_server s;
	struct local_client *c[3];

	(void)state;
	two.most = 2;
	local_server_start(&s, path, &two);
	for (size_t n = 0; n < 2; n++) {
		c[n] = client();
		says(c[n], "a\n");
		hears(c[n], "got 1 a");
	}
	c[2] = client();
	hears(c[2], "full");
	assert_true(ended(c[2]));
	local_leave(&c[2]);
	local_leave(&c[0]);
	while (s.gone < 1)
		(void)poll(NULL, 0, 5);
	c[0] = client();
	says(c[0], "b\n");
	hears(c[0], "got 1 b");
	local_leave(&c[0]);
	local_leave(&c[1]);
	local_server_stop(&s);
}

/* Root lets the file be open to all, to see that it is not the mode alone that keeps others out. */
static void others_are_turned_away(void **state)
{
	struct local_server s;
	int status = 0;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	local_server_start(&s, path, &local_server_usual);
	assert_int_equal(chmod(directory, 0711), 0);
	assert_int_equal(chmod(path, 0666), 0);
	child = fork();
	if (!child) {
		struct local_path at;
		struct err e;
		char c;
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0 || !local_path_start(&at, path, &e))
			_exit(1);
		if (connect(fd, (struct sockaddr *)&at.at, sizeof at.at) != 0)
			_exit(2);
		(void)!write(fd, "hello\n", 6);
		_exit(read(fd, &c, 1) > 0 ? 3 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(s.came, 0);
	local_server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_file_is_for_its_owner, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced_a_live_one_never, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(what_is_no_socket_stays, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(at_the_end_only_our_own_file_goes, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(one_too_many_is_told, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(others_are_turned_away, make_directory, remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
