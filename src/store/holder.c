/* SPDX-License-Identifier: Apache-2.0 */
#include "store/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

enum { HOLDER_LINE = 256 };

static bool busy(int fd, const char *subject, struct err *e)
{
	char line[HOLDER_LINE];
	ssize_t n = pread(fd, line, sizeof line, 0);
	struct span rest = { line, n > 0 ? (size_t)n : 0 }, pid, since;

	rest.len = span_find(rest, '\n');
	if (!span_word(&rest, &pid) || !span_word(&rest, &since) || !span_trim(rest).len)
		return err_set(e, ERR_BUSY, "%s is in use by another process", subject);
	rest = span_trim(rest);
	return err_set(e, ERR_BUSY, "%s is in use by process %.*s (%.*s), since %.*s", subject, (int)pid.len, pid.at,
		(int)rest.len, rest.at, (int)since.len, since.at);
}

static bool sign(int fd, const char *what)
{
	char line[HOLDER_LINE], since[MOMENT_TEXT];
	int n = snprintf(line, sizeof line, "%ld %s %s\n", (long)getpid(), moment_text(clock_now_s(), since), what);

	if (n >= (int)sizeof line)
		n = (int)sizeof line - 1;
	return ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)n, 0) == n;
}

bool holder_take(const char *path, const char *subject, const char *what, int *fd, struct err *e)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (file < 0)
		return err_errno(e, ERR_LOCAL, "lock %s cannot be opened", path);
	if (flock(file, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			(void)busy(file, subject, e);
		else
			(void)err_errno(e, ERR_LOCAL, "lock %s cannot be taken", path);
	} else if (!sign(file, what)) {
		(void)err_errno(e, ERR_LOCAL, "lock %s cannot be written", path);
	} else {
		*fd = file;
		return true;
	}
	(void)close(file);
	return false;
}

void holder_drop(int *fd)
{
	if (*fd < 0)
		return;
	if (ftruncate(*fd, 0) != 0)
		*fd = *fd;	/* a stale line: it only shows while the next holder signs */
	(void)close(*fd);
	*fd = -1;
}
