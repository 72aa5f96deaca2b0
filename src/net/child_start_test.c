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
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/child.h"
#include "net/loop.h"

enum { PATIENCE_MS = 60000, LARGE = 2000000, FAILS = -1 };

static long input_len;

/* Octet n is a letter by its place. */
static bool input([[maybe_unused]] void *user, uint64_t at, char *out, size_t room, size_t *n, struct err *e)
{
	uint64_t left = (uint64_t)input_len - at;

	if (input_len == FAILS)
		return err_set(e, ERR_LOCAL, "no input to be had");
	*n = left < room ? (size_t)left : room;
	if (*n > 7)
		*n -= 3;	/* pieces of odd sizes */
	for (size_t i = 0; i < *n; i++)
		out[i] = (char)('a' + (at + i) % 26);
	return true;
}

static const char *const environment[] = { "PATH=/usr/bin:/bin", "POSTRIDER_SENDER=anna@example.org", NULL };

static const struct row {
	const char *name, *script;
	long input;
	uint32_t timeout_ms;
	enum child_how how;
	int status;
	const char *said, *why;
} rows[] = {
	{ "good", "exit 0", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "its status", "exit 75", 0, PATIENCE_MS, CHILD_EXITED, 75, "", NULL },
	{ "its first words of complaint", "echo \"no\033[m way\" >&2; echo more >&2; exit 100", 0, PATIENCE_MS, CHILD_EXITED, 100, "no?[m way", NULL },
	{ "all of the input", "test $(wc -c) = 2000000", LARGE, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "the octets themselves", "test $(cat) = abcdefghijklmnopqrstuvwxyzabcd", 30, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "empty input", "test -z \"$(cat)\"", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "input that nobody reads", "exit 3", LARGE, PATIENCE_MS, CHILD_EXITED, 3, "", NULL },
	{ "input that is closed", "exec 0<&-; sleep 0.2; exit 4", LARGE, PATIENCE_MS, CHILD_EXITED, 4, "", NULL },
	{ "output is forgotten", "head -c 300000 /dev/zero; exit 0", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "input and output at once", "cat; exit 9", LARGE, PATIENCE_MS, CHILD_EXITED, 9, "", NULL },
	{ "input that cannot be had", "cat; exit 0", FAILS, PATIENCE_MS, CHILD_FAILED, 0, "", "no input to be had" },
	{ "the environment, and nothing else", "test \"$POSTRIDER_SENDER$SECRET$HOME\" = anna@example.org", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "a signal", "kill -9 $$", 0, PATIENCE_MS, CHILD_KILLED, 9, "", "killed by signal 9" },
	{ "too slow", "exec sleep 1000", 0, 50, CHILD_TIMED_OUT, 0, "", "did not end within 0.05 s" },
	{ "too slow a reader", "sleep 1000", LARGE, 50, CHILD_TIMED_OUT, 0, "", "did not end within 0.05 s" },
	{ "signals are as usual", "sh -c 'kill -PIPE $$'; test $? = 141", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
	{ "no descriptors", "cd /proc/self/fd; set -- *; test \"$*\" = '0 1 2 3'", 0, PATIENCE_MS, CHILD_EXITED, 0, "", NULL },
};

static struct child_task task_of(const struct row *r, const char *argv[4])
{
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = r->script;
	argv[3] = NULL;
	input_len = r->input;
	return (struct child_task){ .argv = argv, .environment = environment, .input = input, .timeout_ms = r->timeout_ms };
}

static void check(const struct row *r, const struct child_end *end)
{
	if (end->how != r->how || (r->how == CHILD_EXITED && end->status != r->status) || strcmp(end->said, r->said) != 0 ||
	    (r->why && strcmp(end->why.text, r->why) != 0))
		fail_msg("%s: how %d status %d said \"%s\" why %s", r->name, (int)end->how, end->status, end->said, end->why.text);
}

static int begin([[maybe_unused]] void **state)
{
	(void)setenv("SECRET", "of ours", 1);
	return sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}

static void a_program_gets_a_message_and_says_what_it_did([[maybe_unused]] void **state)
{
	int held[2];

	assert_int_equal(pipe(held), 0);	/* not to be seen in there */
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		const char *argv[4];
		struct child_task task = task_of(r, argv);
		struct child_end end;

		child_run(&task, NULL, &end);
		check(r, &end);
	}
	(void)close(held[0]);
	(void)close(held[1]);
}

/* The whole group goes: a pipe that a grandchild holds comes to its end. */
static void a_time_out_kills_the_group([[maybe_unused]] void **state)
{
	char c, path[] = "/tmp/postrider-test.XXXXXX", fifo[40], script[100];
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct child_task task = { .argv = argv, .environment = environment, .input = input, .timeout_ms = 500 };
	struct child_end end;
	int held;

	input_len = 0;
	assert_non_null(mkdtemp(path));
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", path);
	(void)snprintf(script, sizeof script, "exec 7<>%s; sleep 1000 & wait", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	held = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(held >= 0);
	child_run(&task, NULL, &end);
	assert_int_equal(end.how, CHILD_TIMED_OUT);
	(void)fcntl(held, F_SETFL, 0);
	assert_int_equal(read(held, &c, 1), 0);
	(void)close(held);
	(void)unlink(fifo);
	(void)rmdir(path);
}

static int input_file(void *user, struct err *e)
{
	char path[] = "/tmp/postrider-test.XXXXXX", piece[4096];
	int fd = mkostemp(path, O_CLOEXEC);
	uint64_t at = 0;
	size_t n;

	assert_true(fd >= 0 && unlink(path) == 0);
	while (input(user, at, piece, sizeof piece, &n, e) && n) {
		assert_int_equal(write(fd, piece, n), n);
		at += n;
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* The program says that it is there; then we are killed; then it reads. */
static void who_is_killed_has_given_all([[maybe_unused]] void **state)
{
	static const long sizes[] = { 1, 5000, 60000, LARGE };

	for (const long *size = sizes; size < sizes + COUNT(sizes); size++) {
		char c, count[20] = "", want[20], script[200];
		const char *const argv[] = { "sh", "-c", script, NULL };
		struct child_task task = { .argv = argv, .environment = environment, .input = input, .input_file = input_file, .timeout_ms = PATIENCE_MS };
		char path[] = "/tmp/postrider-test.XXXXXX", go[40], told[40];
		int told_fd;
		pid_t pid;

		assert_non_null(mkdtemp(path));
		(void)snprintf(go, sizeof go, "%s/go", path);
		(void)snprintf(told, sizeof told, "%s/told", path);
		assert_int_equal(mkfifo(go, 0600) | mkfifo(told, 0600), 0);
		(void)snprintf(script, sizeof script, "echo >%s; read x <%s; wc -c >%s", told, go, told);
		input_len = *size;
		pid = fork();
		if (!pid) {
			struct child_end end;

			child_run(&task, NULL, &end);
			_exit(0);
		}
		told_fd = open(told, O_RDWR | O_CLOEXEC);
		assert_int_equal(read(told_fd, &c, 1), 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		FILE *f = fopen(go, "w");
		assert_non_null(f);
		assert_true(fputs("go\n", f) >= 0 && fclose(f) == 0);
		assert_true(read(told_fd, count, sizeof count - 1) > 0);
		(void)snprintf(want, sizeof want, "%ld\n", *size);
		assert_string_equal(count, want);
		(void)close(told_fd);
		(void)unlink(go);
		(void)unlink(told);
		(void)rmdir(path);
	}
}

static void there_may_be_no_such_program([[maybe_unused]] void **state)
{
	const char *const argv[] = { "/no/such/program", NULL };
	struct child_task task = { .argv = argv, .environment = environment, .input = input, .timeout_ms = PATIENCE_MS };
	struct child_end end;

	input_len = 0;
	child_run(&task, NULL, &end);
	assert_int_equal(end.how, CHILD_FAILED);
	assert_string_equal(end.why.text, "/no/such/program cannot be started: No such file or directory");
}

/* An argument is one argument, whatever is in it. */
static void there_is_no_shell([[maybe_unused]] void **state)
{
	const char *const argv[] = { "test", "$(echo x); a'b", "=", "$(echo x); a'b", NULL };
	struct child_task task = { .argv = argv, .environment = environment, .input = input, .timeout_ms = PATIENCE_MS };
	struct child_end end;

	input_len = 0;
	child_run(&task, NULL, &end);
	assert_int_equal(end.how, CHILD_EXITED);
	assert_int_equal(end.status, 0);
}

/* ---- on a loop */

struct world {
	struct loop *loop;
	struct timer *alive;
	unsigned done;
	struct child_end end;
};

static void nothing([[maybe_unused]] void *user)
{
}

static void world_new(struct world *w)
{
	struct err e;

	*w = (struct world){ .loop = loop_new(&e) };
	assert_non_null(w->loop);
	w->alive = timer_new(w->loop, nothing, NULL);
	assert_non_null(w->alive);
	timer_set(w->alive, 1000, 1000);
}

static void world_end(struct world *w)
{
	timer_free(&w->alive);
	loop_free(&w->loop);
}

static void on_done(void *user, const struct child_end *end)
{
	struct world *w = user;

	w->end = *end;
	w->done++;
	loop_stop(w->loop);
}

static void the_answer_comes_on_the_loop([[maybe_unused]] void **state)
{
	const char *argv[4];
	struct child_task task = task_of(&(struct row){ .script = "exit 75", .timeout_ms = PATIENCE_MS }, argv);
	struct world w;
	struct err e;

	world_new(&w);
	assert_non_null(child_start(w.loop, &task, on_done, &w, &e));
	loop_run(w.loop);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.end.status, 75);
	world_end(&w);
}

static void one_can_be_stopped_or_forgotten([[maybe_unused]] void **state)
{
	const char *argv[4];
	struct child_task task = task_of(&(struct row){ .script = "sleep 1000 & wait", .timeout_ms = 1000000 }, argv);
	struct child_start *c;
	struct world w;
	struct err e;

	world_new(&w);
	c = child_start(w.loop, &task, on_done, &w, &e);
	assert_non_null(c);
	child_stop(c);
	loop_run(w.loop);
	assert_int_equal(w.end.how, CHILD_STOPPED);
	c = child_start(w.loop, &task, on_done, &w, &e);
	assert_non_null(c);
	child_forget(&c);
	assert_null(c);
	assert_int_equal(w.done, 1);
	world_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_gets_a_message_and_says_what_it_did),
		cmocka_unit_test(a_time_out_kills_the_group),
		cmocka_unit_test(who_is_killed_has_given_all),
		cmocka_unit_test(there_may_be_no_such_program),
		cmocka_unit_test(there_is_no_shell),
		cmocka_unit_test(the_answer_comes_on_the_loop),
		cmocka_unit_test(one_can_be_stopped_or_forgotten),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
