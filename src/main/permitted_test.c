/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings_pop3.h"
#include "main/permitted.h"

#define SOMEBODY "daemon"

enum { PATH = 128 };

static char folder[] = "/tmp/permitted_test.XXXXXX";
static struct privileges p;

static const char *path(const char *name)
{
	static char all[32][PATH];
	static size_t next;
	char *out = all[next++ % COUNT(all)];

	(void)snprintf(out, PATH, "%s%s%s", folder, name[0] ? "/" : "", name);
	return out;
}

static void make_file(const char *name, mode_t mode, bool theirs)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	if (theirs)
		assert_int_equal(fchown(fd, p.uid, p.gid), 0);
	(void)close(fd);
}

static void give(const char *name)
{
	assert_int_equal(chown(path(name), p.uid, p.gid), 0);
}

static int begin(void **state)
{
	struct err e;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: nobody else to ask for\n");
		return 0;
	}
	memcpy(folder, "/tmp/permitted_test.XXXXXX", sizeof folder);
	return !mkdtemp(folder) || chmod(folder, 0755) != 0 || !privileges_find(SOMEBODY, &p, &e) || p.how != PRIVILEGES_BECOME;
}

static int end(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0)
		return 0;
	child = fork();
	if (child == 0) {
		(void)execlp("rm", "rm", "-rf", folder, NULL);
		_exit(1);
	}
	return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static void wrong(const char *state, const char *at, const char *owner)
{
	char want[600];
	struct err e;

	(void)snprintf(want, sizeof want, "state: %s is %s's, and " SOMEBODY " cannot use it; run: chown -R " SOMEBODY ":" SOMEBODY " %s",
		path(at), owner, path(state));
	assert_false(permitted_state(&p, path(state), &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, want);
}

static void good(const char *state)
{
	struct err e;

	if (!permitted_state(&p, path(state), &e))
		fail_msg("%s", e.text);
	assert_int_equal(geteuid(), 0);
}

static void the_state_directory(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	good("state");			/* made */
	assert_int_equal(stat(path("state"), &st), 0);
	assert_true(st.st_uid == p.uid && st.st_gid == p.gid && (st.st_mode & 07777) == 0700);
	good("state");
	assert_int_equal(mkdir(path("state/lock"), 0700), 0);
	give("state/lock");
	make_file("state/lock/box", 0600, true);
	assert_int_equal(mkdir(path("state/store"), 0700), 0);
	give("state/store");
	make_file("state/store/data.mdb", 0600, true);
	good("state");
	assert_int_equal(symlink("/etc/shadow", path("state/link")), 0);	/* is nobody's business here */
	good("state");
}

static void what_a_root_left_behind(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	good("state");
	assert_int_equal(mkdir(path("state/lock"), 0700), 0);
	give("state/lock");
	make_file("state/lock/box", 0600, false);
	wrong("state", "state/lock/box", "root");
	give("state/lock/box");
	good("state");
	assert_int_equal(mkdir(path("state/store"), 0700), 0);
	give("state/store");
	make_file("state/store/data.mdb", 0444, true);
	wrong("state", "state/store/data.mdb", SOMEBODY);
	assert_int_equal(chmod(path("state/store/data.mdb"), 0644), 0);
	assert_int_equal(chown(path("state"), 0, 0), 0);
	wrong("state", "state", "root");
}

/* What a root makes there and `run` never opens. */
static void backups_are_roots_own(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	good("state");
	assert_int_equal(mkdir(path("state/bk1"), 0700), 0);
	make_file("state/bk1/manifest", 0600, false);
	assert_int_equal(mkdir(path("state/store.before-restore-20261126T040000Z"), 0700), 0);
	make_file("state/store.before-restore-20261126T040000Z/data.mdb", 0600, false);
	make_file("state/notes", 0600, false);
	good("state");
	make_file("state/secret.key", 0600, false);
	wrong("state", "state/secret.key", "root");
}

static void the_way_there(void **state)
{
	char want[600];
	struct err e;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(path("closed"), 0700), 0);
	(void)snprintf(want, sizeof want, "state: %s lies in %s, where " SOMEBODY " may not go; write another, such as /var/lib/postrider",
		path("closed/state"), path("closed"));
	assert_false(permitted_state(&p, path("closed/state"), &e));
	assert_string_equal(e.text, want);
	(void)snprintf(want, sizeof want, "state: %s cannot be made; run: install -d -m 700 -o " SOMEBODY " -g " SOMEBODY " %s: No such file or directory",
		path("no/such"), path("no/such"));
	assert_false(permitted_state(&p, path("no/such"), &e));
	assert_string_equal(e.text, want);
}

static const char *logged(void)
{
	static char text[8192];
	int fd = open(path("log"), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);

	(void)close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void files_to_be_read_again(void **state)
{
	struct pop3_settings pop3 = { .where = { "p.conf", 7 } };
	struct connection box = { .name = "box", .where = { "p.conf", 20 }, .password = { SECRET_FILE, path("closed/password") } };
	struct connection *connections[] = { &box };
	struct settings s = { .pop3 = &pop3, .connections = connections, .connection_count = 1 };
	char want[2000];
	struct err e;

	(void)state;
	if (geteuid() != 0)
		skip();
	s.file = path("p.conf");
	make_file("p.conf", 0644, false);
	pop3.certificate = path("tls.pem");
	make_file("tls.pem", 0644, false);
	pop3.key = path("tls.key");
	make_file("tls.key", 0600, false);
	assert_int_equal(mkdir(path("closed"), 0700), 0);
	make_file("closed/password", 0644, false);
	assert_true(log_start(LOG_INFO, LOG_TEXT, path("log"), &e));
	assert_int_equal(permitted_files(&p, &s), 2);
	(void)snprintf(want, sizeof want,
		"warn p.conf:7: key: %s cannot be read by " SOMEBODY ", and a reload will fail; chgrp " SOMEBODY " it and chmod 640, and let " SOMEBODY
		" through the folders above\n"
		"warn p.conf:20: password: %s cannot be read by " SOMEBODY ", and a reload will fail; chown " SOMEBODY " it and chmod 600, and let " SOMEBODY
		" through the folders above\n", path("tls.key"), path("closed/password"));
	assert_string_equal(logged(), want);
	assert_int_equal(chown(path("tls.key"), 0, p.gid), 0);
	assert_int_equal(chmod(path("tls.key"), 0640), 0);
	assert_int_equal(permitted_files(&p, &s), 1);
	assert_true(log_start(LOG_INFO, LOG_TEXT, NULL, &e));
}

static void nobody_to_become_nothing_to_ask(void **state)
{
	struct privileges me = { .how = PRIVILEGES_USER };
	struct settings s = { .file = "/no/such" };
	struct err e;

	(void)state;
	assert_true(permitted_state(&me, "/no/such/state", &e));
	assert_int_equal(permitted_files(&me, &s), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_state_directory, begin, end),
		cmocka_unit_test_setup_teardown(what_a_root_left_behind, begin, end),
		cmocka_unit_test_setup_teardown(backups_are_roots_own, begin, end),
		cmocka_unit_test_setup_teardown(the_way_there, begin, end),
		cmocka_unit_test_setup_teardown(files_to_be_read_again, begin, end),
		cmocka_unit_test(nobody_to_become_nothing_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
