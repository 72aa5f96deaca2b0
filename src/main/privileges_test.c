/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "main/privileges.h"
#include "net/listener.h"

/* A user that every system has. */
#define SOMEBODY "daemon"

static char log_path[] = "/tmp/privileges_test.XXXXXX";

/* Rights do not come back, so each case has a child; 0, or the number of what was not so. */
static void in_child(int (*inside)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct err e;

		_exit(truncate(log_path, 0) == 0 && log_start(LOG_INFO, LOG_TEXT, log_path, &e) ? inside() : 99);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const char *logged(void)
{
	static char text[4096];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);

	(void)close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("not root: nothing to drop\n");
		skip();
	}
}

static bool caps(uint32_t effective[2], uint32_t permitted[2], uint32_t inheritable[2])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct c[2];

	if (syscall(SYS_capget, &head, c) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		effective[i] = c[i].effective;
		permitted[i] = c[i].permitted;
		inheritable[i] = c[i].inheritable;
	}
	return true;
}

/* Just the one capability, on the thread that asks. */
static bool is_just_bind(void)
{
	const uint32_t bind_service = 1u << CAP_NET_BIND_SERVICE;
	uint32_t e[2], p[2], i[2];

	return caps(e, p, i) && e[0] == bind_service && p[0] == bind_service && !e[1] && !p[1] && !i[0] && !i[1];
}

static void *on_a_thread(void *user)
{
	*(bool *)user = is_just_bind() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && setresuid(0, 0, 0) != 0;
	return NULL;
}

static bool low_port_opens(void)
{
	struct listen_settings s = { .address = "127.0.0.1" };
	struct err e;

	for (s.port = 1; s.port < 1024; s.port++) {	/* whichever is free */
		int fd = listen_socket(&s, &e);

		if (fd >= 0)
			return close(fd) == 0;
	}
	return false;
}

/* What a program that we run has: "CapEff" of its own. */
static bool program_has_nothing(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		(void)execlp("grep", "grep", "-Eq", "^Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]", "/proc/self/status", NULL);
		_exit(99);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;	/* no such line */
}

static int become_somebody(void)
{
	struct privileges p;
	struct err e;
	pthread_t thread;
	gid_t groups[PRIVILEGES_GROUPS];
	bool good = false;
	int count;

	if (!privileges_find(SOMEBODY, &p, &e) || p.how != PRIVILEGES_BECOME)
		return 1;
	if (!privileges_drop(&p, &e)) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	if (getuid() != p.uid || geteuid() != p.uid || getgid() != p.gid || getegid() != p.gid)
		return 3;
	count = getgroups(PRIVILEGES_GROUPS, groups);
	if (count != p.group_count)
		return 4;
	for (int i = 0; i < count; i++)
		if (groups[i] == 0)
			return 5;
	if (!is_just_bind() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 6;
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || setgroups(0, NULL) == 0)
		return 7;
	if (pthread_create(&thread, NULL, on_a_thread, &good) != 0 || pthread_join(thread, NULL) != 0 || !good)
		return 8;
	if (access("/etc/shadow", R_OK) == 0 || strcmp(getenv("USER"), SOMEBODY) != 0 || strcmp(getenv("HOME"), p.home) != 0)
		return 9;
	if (!low_port_opens())
		return 10;
	return program_has_nothing() ? 0 : 11;
}

static void root_becomes_somebody(void **state)
{
	(void)state;
	need_root();
	in_child(become_somebody);
	assert_non_null(strstr(logged(), "info running as " SOMEBODY ":"));
	assert_non_null(strstr(logged(), ", with the right to open ports below 1024\n"));
}

static sem_t over;

static void *wait_for_the_end(void *user)
{
	while (sem_wait(&over) != 0)
		;
	return user;
}

static int drop_beside_a_thread(void)
{
	struct privileges p;
	pthread_t thread;
	struct err e;

	if (sem_init(&over, 0, 0) != 0 || pthread_create(&thread, NULL, wait_for_the_end, NULL) != 0)
		return 1;
	if (!privileges_find(SOMEBODY, &p, &e) || privileges_drop(&p, &e))
		return 2;
	if (strcmp(e.text, "privileges: threads run already") != 0 || geteuid() != 0)
		return 3;
	(void)sem_post(&over);
	return pthread_join(thread, NULL);
}

static void a_drop_with_threads_is_refused(void **state)
{
	(void)state;
	need_root();
	in_child(drop_beside_a_thread);
}

/* As systemd starts it with User= and AmbientCapabilities=. */
static int ambient(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	uint32_t mask = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_SYS_NICE;
	struct __user_cap_data_struct c[2] = { { mask, mask, mask }, { 0 } };
	struct privileges p;
	struct err e;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 || setresgid(1, 1, 1) != 0 || setresuid(1, 1, 1) != 0
		|| syscall(SYS_capset, &head, c) != 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) != 0)
		return 1;
	if (!privileges_find(NULL, &p, &e) || p.how != PRIVILEGES_USER || !privileges_drop(&p, &e))
		return 2;
	if (!is_just_bind() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
	return low_port_opens() && program_has_nothing() ? 0 : 4;
}

static void a_service_managers_gift_is_not_passed_on(void **state)
{
	(void)state;
	need_root();
	in_child(ambient);
}

static int plain_user(void)
{
	struct privileges p;
	uint32_t has[2], may[2], gives[2];
	struct err e;

	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
		return 1;
	if (!privileges_find(NULL, &p, &e) || p.how != PRIVILEGES_USER || !privileges_drop(&p, &e))
		return 2;
	if (!caps(has, may, gives) || has[0] || may[0] || gives[0])
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)	/* such a person's sudo goes on working */
		return 4;
	if (privileges_find("root", &p, &e) || strcmp(e.text, "run_as: root is root; write a user that has no other rights") != 0)
		return 5;
	if (privileges_find(SOMEBODY, &p, &e) || strcmp(e.text, "run_as: only root can become " SOMEBODY "; start as root or as " SOMEBODY) != 0)
		return 6;
	return logged()[0] ? 7 : 0;
}

static void who_has_nothing_loses_nothing(void **state)
{
	struct privileges p;
	struct err e;

	(void)state;
	in_child(plain_user);
	assert_false(privileges_find("no-such-user-7Q2x", &p, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "run_as: there is no user no-such-user-7Q2x on this machine; make it (systemd-sysusers, useradd -r), or write another");
}

static int stay_root(void)
{
	struct privileges p;
	struct err e;

	return privileges_find(NULL, &p, &e) && p.how == PRIVILEGES_ROOT && privileges_drop(&p, &e) && geteuid() == 0 ? 0 : 1;
}

static void root_without_run_as_is_warned(void **state)
{
	(void)state;
	need_root();
	in_child(stay_root);
	assert_string_equal(logged(), "warn running as root: whoever breaks in here is root; write run_as = \"postrider\", "
		"and give that user the state directory\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_becomes_somebody),
		cmocka_unit_test(a_drop_with_threads_is_refused),
		cmocka_unit_test(a_service_managers_gift_is_not_passed_on),
		cmocka_unit_test(who_has_nothing_loses_nothing),
		cmocka_unit_test(root_without_run_as_is_warned),
	};
	int fd = mkstemp(log_path), failed;

	if (fd < 0 || fchmod(fd, 0666) != 0)
		return 1;
	(void)close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(log_path);
	return failed;
}
