/* SPDX-License-Identifier: Apache-2.0 */
#include "store/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

enum { HOLDER_LINE = 256 };

struct line {
	char text[HOLDER_LINE];
	struct span pid, since, what;	/* of text */
};

static bool read_line(int fd, struct line *l)
{
	ssize_t n = pread(fd, l->text, sizeof l->text, 0);
	struct span rest = { l->text, n > 0 ? (size_t)n : 0 };

	rest.len = span_find(rest, '\n');
	if (!span_word(&rest, &l->pid) || !span_word(&rest, &l->since))
		return false;
	l->what = span_trim(rest);
	return l->what.len;
}

static bool busy(int fd, const char *subject, struct err *e)
{
	struct line l;

	if (!read_line(fd, &l))
		return err_set(e, ERR_BUSY, "%s is in use by another process", subject);
	return err_set(e, ERR_BUSY, "%s is in use by process %.*s (%.*s), since %.*s", subject, (int)l.pid.len, l.pid.at,
		(int)l.what.len, l.what.at, (int)l.since.len, l.since.at);
}

bool holder_what(const char *path, char what[HOLDER_WHAT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct line l;
	bool there = fd >= 0 && read_line(fd, &l) && l.what.len < HOLDER_WHAT;

	if (there) {
		memcpy(what, l.what.at, l.what.len);
		what[l.what.len] = '\0';
	}
	if (fd >= 0)
		(void)close(fd);
	return there;
}

static bool sign(int fd, const char *what)
{
	char line[HOLDER_LINE], since[MOMENT_TEXT];
	int n = snprintf(line, sizeof line, "%ld %s %s\n", (long)getpid(), moment_text(clock_now_s(), since), what);

	if (n >= (int)sizeof line)
		n = (int)sizeof line - 1;
	return ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)n, 0) == n;
}

static bool open_locked(const char *path, const char *subject, int flags, int how, int *fd, struct err *e)
{
	int file = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (file < 0)
		return err_errno(e, ERR_LOCAL, "lock %s cannot be opened", path);
	if (flock(file, how | LOCK_NB) == 0) {
		*fd = file;
		return true;
	}
	if (errno == EWOULDBLOCK)
		(void)busy(file, subject, e);
	else
		(void)err_errno(e, ERR_LOCAL, "lock %s cannot be taken", path);
	(void)close(file);
	return false;
}

bool holder_take(const char *path, const char *subject, const char *what, int *fd, struct err *e)
{
	int file = -1;

	if (!open_locked(path, subject, O_RDWR | O_CREAT, LOCK_EX, &file, e))
		return false;
	if (!sign(file, what)) {
		(void)err_errno(e, ERR_LOCAL, "lock %s cannot be written", path);
		(void)close(file);
		return false;
	}
	*fd = file;
	return true;
}

bool holder_look(const char *path, const char *subject, int *fd, struct err *e)
{
	return open_locked(path, subject, O_RDONLY, LOCK_SH, fd, e);
}

void holder_drop(int *fd)
{
	if (*fd < 0)
		return;
	if (ftruncate(*fd, 0) != 0)	/* nor is it done by who only looked */
		*fd = *fd;	/* a stale line: it only shows while the next holder signs */
	(void)close(*fd);
	*fd = -1;
}
