/* SPDX-License-Identifier: Apache-2.0 */
#include "main/restrict.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings_pop3.h"

enum {
	FILES_BASE = 256,		/* store, log, control, jobs, spools, passwords of commands */
	FILES_A_LOOP = 16,		/* libuv's own, the resolver's; and its listeners beside */
	FILES_A_CONNECTION = 4		/* a visit: socket, lock, a Maildir's file and folder */
};

/* Each visit holds a socket and a lock: a shell's 1,024 are spent by five hundred.
 * Not more than can be of use, for there are commands that close them all. */
static void allow_open_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= RESTRICT_FILES)
		return;
	files.rlim_cur = files.rlim_max < RESTRICT_FILES ? files.rlim_max : RESTRICT_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

void restrict_process(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	allow_open_files();
}

struct files_fit files_fit(uint32_t max_sessions, uint64_t others, uint64_t limit)
{
	struct files_fit fit = { max_sessions + others, max_sessions };

	if (limit < fit.needed)
		fit.sessions = limit > others ? (uint32_t)(limit - others) : 0;
	return fit;
}

unsigned restrict_workers(const struct settings *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return s->workers ? s->workers : cores > 0 ? (unsigned)cores : 1;
}

uint64_t files_others(const struct settings *s)
{
	uint64_t listeners = s->pop3 ? s->pop3->listener_count : 0;

	return FILES_BASE + restrict_workers(s) * (FILES_A_LOOP + listeners) + FILES_A_CONNECTION * s->connection_count;
}

/* The kernel's own bound, which no root can pass; UINT64_MAX: it does not tell. */
static uint64_t kernel_bound(void)
{
	char text[32];
	int fd = open("/proc/sys/fs/nr_open", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
	uint64_t number = UINT64_MAX;

	if (fd >= 0)
		(void)close(fd);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0 || !span_number((struct span){ text, (size_t)n }, UINT64_MAX, &number))
		return UINT64_MAX;
	return number;
}

/* As far as it goes: what may be open now. */
static uint64_t raise_files(uint64_t needed)
{
	struct rlimit files, more = { needed, needed };

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return needed;
	if (files.rlim_cur >= needed)
		return files.rlim_cur;
	if (files.rlim_max >= needed)
		more.rlim_max = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return needed;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : needed;
}

static void warn(const struct pop3_settings *p, const struct files_fit *fit, uint64_t limit)
{
	uint64_t bound = kernel_bound();
	char what[120];

	if (fit->needed > bound)
		(void)snprintf(what, sizeof what, "sysctl fs.nr_open (now %" PRIu64 ") and LimitNOFILE= in the unit to %" PRIu64, bound, fit->needed);
	else
		(void)snprintf(what, sizeof what, "LimitNOFILE=%" PRIu64 " in the unit (ulimit -n in a shell)", fit->needed);
	log_warn(NULL, "%s:%u: max_sessions: %u sessions need %" PRIu64 " open files, and this process may have %" PRIu64
		": %u sessions fit; set %s, or max_sessions = %u", p->where.file ? p->where.file : "pop3", (unsigned)p->where.line,
		(unsigned)p->max_sessions, fit->needed, limit, (unsigned)fit->sessions, what, (unsigned)fit->sessions);
}

struct files_fit restrict_files(const struct settings *s)
{
	uint32_t sessions = s->pop3 ? s->pop3->max_sessions : 0;
	uint64_t others = files_others(s), limit = raise_files(sessions + others);
	struct files_fit fit = files_fit(sessions, others, limit);

	if (fit.sessions < sessions)
		warn(s->pop3, &fit, limit);
	else
		log_info(NULL, "%" PRIu64 " files may be open, %" PRIu64 " are needed for %u sessions", limit, fit.needed, (unsigned)sessions);
	return fit;
}
