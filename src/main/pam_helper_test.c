/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/pam_helper.h"

#define PASSWORD "geheim&Pam"

enum { LONG_MS = 30 * 1000, SHORT_MS = 400, WAIT_MS = 20 * 1000 };

static char confdir[] = "/tmp/pam_helper_test.XXXXXX";
static int ours = -1;
static pid_t helper;

/* ---- its services, and the process */

static void path_of(const char *service, char path[128])
{
	(void)snprintf(path, 128, "%s/%s", confdir, service);
}

static void write_service(const char *service, const char *text)
{
	char path[128];
	FILE *f;

	path_of(service, path);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void start(uint32_t timeout_ms)
{
	const struct pam_helper_with with = { confdir, timeout_ms };
	struct pam_reply hello;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	helper = fork();
	if (helper == 0) {
		(void)close(pair[0]);
		_exit(pam_helper_run(pair[1], &with));
	}
	assert_true(helper > 0);
	(void)close(pair[1]);
	ours = pair[0];
	assert_int_equal(recv(ours, &hello, sizeof hello, 0), sizeof hello);
	assert_int_equal(hello.id, 0);
}

static void assert_ends(void)
{
	int status;

	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void stop(void)
{
	(void)close(ours);
	assert_ends();
}

static void ask(uint64_t id, const char *service, const char *user, const char *secret)
{
	struct pam_request r = { .id = id, .rhost = "127.0.0.1" };

	(void)snprintf(r.service, sizeof r.service, "%s", service);
	(void)snprintf(r.user, sizeof r.user, "%s", user);
	(void)snprintf(r.secret, sizeof r.secret, "%s", secret);
	assert_int_equal(send(ours, &r, sizeof r, 0), sizeof r);
}

static struct pam_reply hear(void)
{
	struct pollfd fd = { ours, POLLIN, 0 };
	struct pam_reply r;

	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	assert_int_equal(recv(ours, &r, sizeof r, 0), sizeof r);
	return r;
}

/* ---- */

static const struct row {
	const char *service, *user, *secret;
	enum elsewhere_said said;
	const char *why;
} rows[] = {
	{ "own", "anna", PASSWORD, ELSEWHERE_RIGHT, "" },
	{ "own", "anna", "falsch", ELSEWHERE_WRONG, "PAM: Authentication failure" },
	{ "own", "anna", "", ELSEWHERE_WRONG, "PAM: Authentication failure" },
	{ "own", "local", PASSWORD, ELSEWHERE_RIGHT, "" },
	{ "own", "chatty", PASSWORD, ELSEWHERE_RIGHT, "" },
	{ "own", "leaves", PASSWORD, ELSEWHERE_RIGHT, "" },
	{ "own", "louder", PASSWORD, ELSEWHERE_RIGHT, "" },
	{ "own", "becomes", PASSWORD, ELSEWHERE_WRONG, "PAM: the service own made another user of it" },
	{ "own", "visible", PASSWORD, ELSEWHERE_WRONG, "PAM: Conversation error" },
	{ "own", "expired", PASSWORD, ELSEWHERE_WRONG, "PAM: User account has expired" },
	{ "own", "unavailable", PASSWORD, ELSEWHERE_BUSY, "PAM: Authentication service cannot retrieve authentication info" },
	{ "own", "crashes", PASSWORD, ELSEWHERE_BUSY, "PAM: a module was killed by signal 9" },
	{ "own", "exits", PASSWORD, ELSEWHERE_BUSY, "PAM: a module ended the process, exit status 0" },
	{ "own", "closes", PASSWORD, ELSEWHERE_BUSY, "PAM: a module was killed by signal 9" },
	{ "permits", "whoever", "x", ELSEWHERE_RIGHT, "" },
	{ "denies", "anna", PASSWORD, ELSEWHERE_WRONG, "PAM: Authentication failure" },
	{ "closed", "anna", PASSWORD, ELSEWHERE_WRONG, "PAM: Authentication failure" },
	{ "false", "anna", PASSWORD, ELSEWHERE_WRONG, "PAM: System error" },
	{ "nowhere", "anna", PASSWORD, ELSEWHERE_WRONG, "PAM: Authentication failure" },
	{ "lost", "anna", PASSWORD, ELSEWHERE_BUSY, "PAM: Module is unknown" },
	{ "../own", "anna", PASSWORD, ELSEWHERE_BUSY, "PAM: the question has not the form of one" },
	{ ".own", "anna", PASSWORD, ELSEWHERE_BUSY, "PAM: the question has not the form of one" },
	{ "", "anna", PASSWORD, ELSEWHERE_BUSY, "PAM: the question has not the form of one" },
	{ "own", "", PASSWORD, ELSEWHERE_BUSY, "PAM: the question has not the form of one" },
};

static void what_the_stack_says(void **state)
{
	(void)state;
	start(LONG_MS);
	for (size_t n = 0; n < COUNT(rows); n++) {
		uint64_t before = clock_mono_ms();
		struct pam_reply r;

		ask(n + 1, rows[n].service, rows[n].user, rows[n].secret);
		r = hear();
		if (r.id != n + 1 || r.said != rows[n].said || strcmp(r.why, rows[n].why) != 0)
			fail_msg("%s %s: id %u said %u: %s", rows[n].service, rows[n].user, (unsigned)r.id, (unsigned)r.said, r.why);
		assert_true(clock_mono_ms() - before < WAIT_MS / 2);	/* no pam_fail_delay, nobody hangs */
	}
	stop();
}

/* Also a text without an end, and a packet of another size. */
static void what_is_no_question(void **state)
{
	struct pam_request r;
	struct pam_reply answer;

	(void)state;
	start(LONG_MS);
	memset(&r, 'a', sizeof r);
	r.id = 5;
	assert_int_equal(send(ours, &r, sizeof r, 0), sizeof r);
	answer = hear();
	assert_int_equal(answer.id, 5);
	assert_int_equal(answer.said, ELSEWHERE_BUSY);
	assert_int_equal(send(ours, &r, sizeof r - 1, 0), sizeof r - 1);
	assert_ends();
	(void)close(ours);
}

/* All places are taken by who hangs: he is killed in time, and who waits behind has an answer as well. */
static void who_hangs_is_killed(void **state)
{
	unsigned in_time = 0, right = 0;

	(void)state;
	start(SHORT_MS);
	for (uint64_t n = 1; n <= PAM_AT_ONCE; n++)
		ask(n, "own", "hangs", PASSWORD);
	for (unsigned n = 0; n < PAM_AT_ONCE; n++)
		in_time += strcmp(hear().why, "PAM: no answer in time") == 0;
	assert_int_equal(in_time, PAM_AT_ONCE);
	for (uint64_t n = 1; n <= 20; n++)
		ask(n, "permits", "anna", PASSWORD);
	for (unsigned n = 0; n < 20; n++) {
		struct pam_reply r = hear();

		right += r.said == ELSEWHERE_RIGHT || strstr(r.why, "slow");	/* a slow machine is not wrong */
	}
	assert_int_equal(right, 20);
	stop();
}

/* One hangs, the others go on beside him; and with the socket's end he is gone. */
static void nobody_waits_for_who_hangs(void **state)
{
	(void)state;
	start(LONG_MS);
	ask(1, "own", "hangs", PASSWORD);
	for (uint64_t n = 2; n < 12; n++) {
		struct pam_reply r;

		ask(n, "own", "anna", PASSWORD);
		r = hear();
		assert_int_equal(r.id, n);
		assert_int_equal(r.said, ELSEWHERE_RIGHT);
	}
	stop();
}

static void what_is_too_much_is_refused(void **state)
{
	unsigned full = 0;

	(void)state;
	start(LONG_MS);
	for (uint64_t n = 1; n <= PAM_AT_ONCE; n++)
		ask(n, "own", "hangs", PASSWORD);
	for (uint64_t n = 1; n <= PAM_QUEUE + 3; n++)
		ask(100 + n, "own", "anna", PASSWORD);
	for (unsigned n = 0; n < 3; n++) {
		struct pam_reply r = hear();

		full += r.id > 100 + PAM_QUEUE && r.said == ELSEWHERE_BUSY && strcmp(r.why, "PAM: too many logins") == 0;
	}
	assert_int_equal(full, 3);
	stop();
}

static void who_waits_too_long_is_told(void **state)
{
	unsigned slow = 0;

	(void)state;
	start(SHORT_MS);
	for (uint64_t n = 1; n <= 3 * PAM_AT_ONCE; n++)
		ask(n, "own", "hangs", PASSWORD);
	for (unsigned n = 0; n < 3 * PAM_AT_ONCE; n++) {
		struct pam_reply r = hear();

		assert_int_equal(r.said, ELSEWHERE_BUSY);
		slow += strcmp(r.why, "PAM: too many logins, and those before are slow") == 0;
	}
	assert_true(slow >= PAM_AT_ONCE);
	stop();
}

/* /dev/null and the pipe of its answer; a program that the stack runs has not even that one. */
static void a_conversation_has_nothing_of_ours(void **state)
{
	char path[128], text[512], out[160];
	size_t n;
	FILE *f;

	(void)state;
	path_of("sees", path);
	(void)snprintf(out, sizeof out, "%s.out", path);
	(void)snprintf(text, sizeof text, "#!/bin/sh\nls /proc/$PPID/fd > %s\nreadlink /proc/$$/fd/3 >> %s\nexit 0\n", out, out);
	write_service("sees", text);
	assert_int_equal(chmod(path, 0755), 0);
	(void)snprintf(text, sizeof text, "auth required pam_exec.so quiet %s\naccount required pam_permit.so\n", path);
	write_service("runs", text);
	start(LONG_MS);
	ask(1, "runs", "anna", PASSWORD);
	assert_int_equal(hear().said, ELSEWHERE_RIGHT);
	stop();
	f = fopen(out, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	(void)unlink(out);
	assert_string_equal(text, "0\n1\n2\n3\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_stack_says), cmocka_unit_test(what_is_no_question), cmocka_unit_test(who_hangs_is_killed),
		cmocka_unit_test(nobody_waits_for_who_hangs), cmocka_unit_test(what_is_too_much_is_refused), cmocka_unit_test(who_waits_too_long_is_told),
		cmocka_unit_test(a_conversation_has_nothing_of_ours),
	};
	static const char *const names[] = { "own", "permits", "denies", "closed", "other", "false", "lost", "sees", "runs" };
	int failed;

	if (!mkdtemp(confdir))
		return 1;
	write_service("own", "auth required " PAM_TEST_MODULE "\naccount required " PAM_TEST_MODULE "\n");
	write_service("permits", "auth required pam_permit.so\naccount required pam_permit.so\n");
	write_service("denies", "auth required pam_deny.so\naccount required pam_permit.so\n");
	write_service("closed", "auth required " PAM_TEST_MODULE "\naccount required pam_deny.so\n");
	write_service("other", "auth required pam_deny.so\naccount required pam_deny.so\n");
	write_service("false", "auth required pam_exec.so quiet /bin/false\naccount required pam_permit.so\n");
	write_service("lost", "auth required pam_that_is_not_there.so\naccount required pam_permit.so\n");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t n = 0; n < COUNT(names); n++) {
		char path[128];

		path_of(names[n], path);
		(void)unlink(path);
	}
	(void)rmdir(confdir);
	return failed;
}
