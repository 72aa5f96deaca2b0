/* SPDX-License-Identifier: Apache-2.0 */
#include "store/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/fixture.h"

static const char *lock_in(const char *directory)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/lock", directory);
	return path;
}

static void who_comes_second_is_told_who_was_first(void **state)
{
	const char *directory = fixture_directory(), *path = lock_in(directory);
	char want[128];
	int one = -1, two = -1;

	(void)state;
	must(holder_take(path, "state /x", "postrider collect", &one, &fixture_err));
	assert_false(holder_take(path, "state /x", "postrider run", &two, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	(void)snprintf(want, sizeof want, "state /x is in use by process %ld (postrider collect), since 20", (long)getpid());
	assert_ptr_equal(strstr(fixture_err.text, want), fixture_err.text);
	assert_int_equal(fixture_err.text[strlen(fixture_err.text) - 1], 'Z');
	assert_int_equal(two, -1);
	holder_drop(&one);
	assert_int_equal(one, -1);
	holder_drop(&one);
	must(holder_take(path, "state /x", "postrider run", &two, &fixture_err));
	holder_drop(&two);
	fixture_remove(directory);
}

static void a_lock_goes_with_its_process(void **state)
{
	const char *directory = fixture_directory(), *path = lock_in(directory);
	int fd = -1, ready[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct err e;
		int mine;

		byte = holder_take(path, "it", "a child", &mine, &e) ? 'y' : 'n';
		(void)!write(ready[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_false(holder_take(path, "it", "us", &fd, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "(a child)"));
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	must(holder_take(path, "it", "us", &fd, &fixture_err));
	holder_drop(&fd);
	(void)close(ready[0]);
	(void)close(ready[1]);
	fixture_remove(directory);
}

/* The file's words are only words; they come from who knows where. */
static void a_holder_without_a_line_is_another_process(void **state)
{
	static const char *const lines[] = { "", "\n", "1", "1 2", "1 2 \n", "1 2026 postrider run\n" };
	const char *directory = fixture_directory(), *path = lock_in(directory);

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		int held = -1, fd = -1;

		must(holder_take(path, "it", "us", &held, &fixture_err));
		assert_int_equal(ftruncate(held, 0), 0);
		assert_int_equal(pwrite(held, lines[i], strlen(lines[i]), 0), strlen(lines[i]));
		assert_false(holder_take(path, "it", "us", &fd, &fixture_err));
		assert_string_equal(fixture_err.text, i + 1 < COUNT(lines) ? "it is in use by another process"
			: "it is in use by process 1 (postrider run), since 2026");
		holder_drop(&held);
	}
	fixture_remove(directory);
}

static void a_long_description_is_cut(void **state)
{
	const char *directory = fixture_directory(), *path = lock_in(directory);
	char *what = fixture_octets(5000);
	int fd = -1, other;

	(void)state;
	must(holder_take(path, "it", what, &fd, &fixture_err));
	assert_false(holder_take(path, "it", what, &other, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "in use by process"));
	holder_drop(&fd);
	free(what);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_second_is_told_who_was_first),
		cmocka_unit_test(a_lock_goes_with_its_process),
		cmocka_unit_test(a_holder_without_a_line_is_another_process),
		cmocka_unit_test(a_long_description_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
