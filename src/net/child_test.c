/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/child.h"

enum { PATIENCE_MS = 60000 };

static const struct row {
	const char *name, *command, *out, *error;	/* error NULL = good */
	uint32_t timeout_ms;
} rows[] = {
	{ "its output", "printf 's3cret\\n'", "s3cret\n", NULL, PATIENCE_MS },
	{ "a shell is at work", "A=x; echo $A | tr x y", "y\n", NULL, PATIENCE_MS },
	{ "nothing", "true", "", NULL, PATIENCE_MS },
	{ "standard error does not count", "echo warning >&2; echo secret", "secret\n", NULL, PATIENCE_MS },
	{ "exactly the limit", "printf 0123456789abcdef", "0123456789abcdef", NULL, PATIENCE_MS },
	{ "one more", "printf 0123456789abcdefg", NULL, "printed more than 16 octets", PATIENCE_MS },
	{ "no end of it", "yes", NULL, "printed more than 16 octets", PATIENCE_MS },
	{ "a status", "exit 3", NULL, "exit status 3", PATIENCE_MS },
	{ "the first line of its complaint", "echo 'no such entry' >&2; echo more >&2; exit 1", NULL,
		"exit status 1: it said \"no such entry\"", PATIENCE_MS },
	{ "a complaint without line end", "printf 'no\\033[1mway' >&2; exit 1", NULL, "exit status 1: it said \"no?[1mway\"", PATIENCE_MS },
	{ "a signal", "kill -9 $$", NULL, "killed by signal 9", PATIENCE_MS },
	{ "a long complaint does not block it", "head -c 300000 /dev/zero | tr '\\0' x >&2; echo done", "done\n", NULL, PATIENCE_MS },
	{ "input is empty", "cat", "", NULL, PATIENCE_MS },
	{ "too slow", "exec sleep 1000", NULL, "did not end within 0.05 s", 50 },
	{ "what it leaves in the background is not waited for", "sleep 3 & echo x", "x\n", NULL, PATIENCE_MS },
	{ "signals are as usual", "sh -c 'kill -PIPE $$'; echo $?", "141\n", NULL, PATIENCE_MS },
	{ "its own group", "read -r pid name state parent group rest < /proc/$$/stat; test $group = $$; echo $?", "0\n", NULL, PATIENCE_MS },
};

static void a_command_gives_its_output(void **state)
{
	(void)state;
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };
		struct buf out;
		bool good;

		buf_start(&out, 16);
		good = child_output(r->command, r->timeout_ms, NULL, &out, &e);
		if (good != !r->error || (good && !span_equal(buf_span(&out), span_of(r->out)))
			|| (!good && (e.kind != ERR_CONFIG || strcmp(e.text, r->error))))
			fail_msg("%s: \"%.*s\" %s", r->name, (int)out.len, out.at, e.text);
		buf_end(&out);
	}
}

/* The whole group goes: a pipe that a grandchild holds comes to its end. */
static void a_time_out_kills_the_group(void **state)
{
	char c;
	struct err e;
	struct buf out;
	char path[] = "/tmp/postrider-test.XXXXXX", fifo[40], command[100];
	int held;

	(void)state;
	assert_non_null(mkdtemp(path));
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", path);
	(void)snprintf(command, sizeof command, "exec 7<>%s; sleep 1000 & wait", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	held = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(held >= 0);
	buf_start(&out, 16);
	assert_false(child_output(command, 500, NULL, &out, &e));
	(void)fcntl(held, F_SETFL, 0);
	assert_int_equal(read(held, &c, 1), 0);
	(void)close(held);
	(void)unlink(fifo);
	(void)rmdir(path);
	buf_end(&out);
}

/* Not even those that were opened without O_CLOEXEC; 3 is the directory that the shell reads. */
static void no_descriptor_of_ours_is_there(void **state)
{
	struct err e;
	struct buf out;
	int held[2];

	(void)state;
	assert_int_equal(pipe(held), 0);
	buf_start(&out, 16);
	assert_true(child_output("cd /proc/self/fd && echo *", PATIENCE_MS, NULL, &out, &e));
	assert_true(span_equal(buf_span(&out), SPAN("0 1 2 3\n")));
	(void)close(held[0]);
	(void)close(held[1]);
	buf_end(&out);
}

static void a_lent_buffer_is_filled_behind_what_it_has(void **state)
{
	char memory[8];
	struct err e;
	struct buf out;

	(void)state;
	buf_lend(&out, memory, sizeof memory);
	assert_true(buf_add(&out, SPAN("ab")));
	assert_true(child_output("printf cd", PATIENCE_MS, NULL, &out, &e));
	assert_true(span_equal(buf_span(&out), SPAN("abcd")));
	assert_false(child_output("printf 12345", PATIENCE_MS, NULL, &out, &e));
}

static void a_command_can_be_stopped(void **state)
{
	atomic_bool stop = true;
	struct buf out;
	struct err e;

	(void)state;
	buf_start(&out, 100);
	assert_false(child_output("sleep 1000", 600000, &stop, &out, &e));
	assert_string_equal(e.text, "stopped before it ended");
	buf_end(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_can_be_stopped),
		cmocka_unit_test(a_command_gives_its_output),
		cmocka_unit_test(a_time_out_kills_the_group),
		cmocka_unit_test(no_descriptor_of_ours_is_there),
		cmocka_unit_test(a_lent_buffer_is_filled_behind_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
