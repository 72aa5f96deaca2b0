/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings_pop3.h"
#include "main/restrict.h"

static const struct row {
	uint32_t sessions;
	uint64_t others, limit, needed;
	uint32_t fit;
} rows[] = {
	{ 10000, 500, 65536, 10500, 10000 },
	{ 10000, 500, 10500, 10500, 10000 },
	{ 10000, 500, 10499, 10500, 9999 },
	{ 10000, 500, 1024, 10500, 524 },
	{ 10000, 500, 501, 10500, 1 },
	{ 10000, 500, 500, 10500, 0 },
	{ 10000, 500, 0, 10500, 0 },
	{ 0, 500, 100, 500, 0 },
	{ UINT32_MAX, UINT32_MAX, UINT64_MAX, 2ull * UINT32_MAX, UINT32_MAX },
	{ UINT32_MAX, 1, UINT32_MAX, 1ull + UINT32_MAX, UINT32_MAX - 1 },
};

static void sessions_that_fit(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct files_fit fit = files_fit(r->sessions, r->others, r->limit);

		assert_int_equal(fit.needed, r->needed);
		assert_int_equal(fit.sessions, r->fit);
	}
}

/* --- in a child, since limits do not go up again --- */

static char log_path[] = "/tmp/restrict_test.XXXXXX";

/* `inside` exits 0, or with the number of what was not so; what it logged is left in log_path. */
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

static struct settings settings;
static struct pop3_settings pop3 = { .where = { "/etc/p.conf", 7 }, .listener_count = 2 };

static bool limit(rlim_t soft, rlim_t hard)
{
	return setrlimit(RLIMIT_NOFILE, &(struct rlimit){ soft, hard }) == 0;
}

static bool limits_are(rlim_t soft, rlim_t hard)
{
	struct rlimit files;

	return getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == soft && files.rlim_max == hard;
}

static int raise_soft(void)
{
	struct files_fit fit;

	if (!limit(256, 4096))
		return 1;
	pop3.max_sessions = 1000;
	fit = restrict_files(&settings);
	if (fit.sessions != 1000 || fit.needed != 1000 + files_others(&settings))
		return 2;
	if (!limits_are(fit.needed, 4096))
		return 3;
	pop3.max_sessions = 10;
	(void)restrict_files(&settings);		/* never lowered */
	return limits_are(fit.needed, 4096) ? 0 : 4;
}

static int hard_is_too_low(void)
{
	uint32_t others = (uint32_t)files_others(&settings);
	struct files_fit fit;

	if (!limit(256, 900) || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
		return 1;
	pop3.max_sessions = 1000;
	fit = restrict_files(&settings);
	if (fit.sessions != 900 - others)
		return 2;
	return limits_are(900, 900) ? 0 : 3;
}

/* A root in a container may not (CAP_SYS_RESOURCE). */
static bool can_raise(void)
{
	struct rlimit files;
	bool can;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return false;
	can = limit(files.rlim_cur, files.rlim_max + 1);
	if (can && !limit(files.rlim_cur, files.rlim_max))
		return false;
	return can;
}

static int root_raises_both(void)
{
	if (!limit(256, 900))
		return 1;
	pop3.max_sessions = 1000;
	return restrict_files(&settings).sessions == 1000 && limits_are(1000 + files_others(&settings), 1000 + files_others(&settings)) ? 0 : 2;
}

static void the_limit_is_raised(void **state)
{
	uint64_t others;
	char want[400];

	(void)state;
	settings.pop3 = &pop3;
	settings.connection_count = 10;
	assert_int_equal(files_others(&settings), 256 + (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) * (16 + 2) + 4 * 10);	/* a loop a core */
	settings.workers = 2;
	others = files_others(&settings);
	assert_int_equal(others, 256 + 2 * (16 + 2) + 4 * 10);
	in_child(raise_soft);
	(void)snprintf(want, sizeof want, "info %u files may be open, %u are needed for 1000 sessions\n", 1000 + (unsigned)others, 1000 + (unsigned)others);
	assert_memory_equal(logged(), want, strlen(want));
	in_child(hard_is_too_low);
	(void)snprintf(want, sizeof want, "warn /etc/p.conf:7: max_sessions: 1000 sessions need %u open files, and this process may have 900: "
		"%u sessions fit; set LimitNOFILE=%u in the unit (ulimit -n in a shell), or max_sessions = %u\n",
		1000 + (unsigned)others, 900 - (unsigned)others, 1000 + (unsigned)others, 900 - (unsigned)others);
	assert_string_equal(logged(), want);
	if (can_raise())
		in_child(root_raises_both);
}

static int process(void)
{
	struct rlimit core;

	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || !limit(256, files.rlim_max))
		return 1;
	restrict_process();
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur || core.rlim_max)
		return 2;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 3;
	return limits_are(files.rlim_max < RESTRICT_FILES ? files.rlim_max : RESTRICT_FILES, files.rlim_max) ? 0 : 4;
}

static void nothing_of_us_is_dumped(void **state)
{
	(void)state;
	in_child(process);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_that_fit),
		cmocka_unit_test(the_limit_is_raised),
		cmocka_unit_test(nothing_of_us_is_dumped),
	};
	int fd = mkstemp(log_path), failed;

	if (fd < 0 || fchmod(fd, 0666) != 0)
		return 1;
	(void)close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(log_path);
	return failed;
}
