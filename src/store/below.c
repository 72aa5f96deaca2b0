/* SPDX-License-Identifier: Apache-2.0 */
#include "store/below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/disk.h"

enum { SHOWN_MAX = PATH_MAX + NAME_MAX + 8 };

static size_t account_len(const struct below *b)
{
	return b->account_len ? b->account_len : strlen(b->path);
}

bool below_is_folder(const struct below *b)
{
	return b->path[account_len(b)];
}

static int open2(int at, const char *name, int flags, uint64_t resolve)
{
	const struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC), .resolve = resolve };

	return (int)syscall(SYS_openat2, at, name, &how, sizeof how);
}

static void close_as_was(int fd)
{
	int why = errno;

	(void)close(fd);
	errno = why;
}

int below_step(int at, const char *name, int flags, bool cached)
{
	flags |= O_NOFOLLOW;
	return cached ? open2(at, name, flags, RESOLVE_CACHED) : openat(at, name, flags | O_CLOEXEC);
}

/* "FOLDER/cur/NAME", where there is no openat2. */
static int walk(int at, const char *rest, int flags)
{
	const char *slash = strchr(rest, '/');
	int step = at, next;

	for (; slash; slash = strchr(rest, '/')) {
		char name[NAME_MAX + 1];

		next = -1;
		if (snprintf(name, sizeof name, "%.*s", (int)(slash - rest), rest) < (int)sizeof name)
			next = below_step(step, name, O_PATH | O_DIRECTORY, false);
		else
			errno = ENAMETOOLONG;
		if (step != at)
			close_as_was(step);
		if (next < 0)
			return -1;
		step = next;
		rest = slash + 1;
	}
	next = below_step(step, rest, flags, false);
	if (step != at)
		close_as_was(step);
	return next;
}

static int beneath(int at, const char *rest, int flags, bool cached)
{
	const uint64_t resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
	int fd = open2(at, rest, flags | O_NOFOLLOW, cached ? resolve | RESOLVE_CACHED : resolve);

	/* A sandbox that does not know the call says EPERM; one that wants to be asked again, as a rename was under way, EAGAIN. */
	if (fd < 0 && !cached && (errno == ENOSYS || errno == EPERM || errno == EINVAL || errno == EAGAIN))
		fd = walk(at, rest, flags);
	return fd;
}

/* What is behind the account's path: "", ".FOLDER", "cur/NAME", ".FOLDER/cur/NAME". */
static bool rest_of(const struct below *b, const char *part, char rest[PATH_MAX])
{
	const char *folder = b->path + account_len(b);

	folder += *folder == '/';
	if (snprintf(rest, PATH_MAX, "%s%s%s", folder, *folder && *part ? "/" : "", part) < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int below_open(const struct below *b, const char *part, int flags, bool cached)
{
	char rest[PATH_MAX], path[PATH_MAX];
	int at, fd;

	if (!rest_of(b, part, rest))
		return -1;
	if (!strchr(rest, '/')) {
		/* The account's Maildir may be a link, what is in it may not. */
		if (snprintf(path, sizeof path, "%s%s%s", b->path, *part ? "/" : "", part) >= (int)sizeof path)
			return errno = ENAMETOOLONG, -1;
		flags |= *rest ? O_NOFOLLOW : 0;
		return cached ? open2(AT_FDCWD, path, flags, RESOLVE_CACHED) : open(path, flags | O_CLOEXEC);
	}
	if (snprintf(path, sizeof path, "%.*s", (int)account_len(b), b->path) >= (int)sizeof path)
		return errno = ENAMETOOLONG, -1;
	at = cached ? open2(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_CACHED) : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -1;
	fd = beneath(at, rest, flags, cached);
	close_as_was(at);
	return fd;
}

/* Cuts the path behind the first link below the account's Maildir. */
static bool find_link(const struct below *b, char *path)
{
	struct stat st;

	for (char *end = path + account_len(b); *end;) {
		char was;

		end += 1 + strcspn(end + 1, "/");
		was = *end;
		*end = '\0';
		if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
			return true;
		*end = was;
	}
	return false;
}

bool below_failed(const struct below *b, const char *part, enum err_kind kind, struct err *e)
{
	char path[SHOWN_MAX];
	int why = errno;

	(void)snprintf(path, sizeof path, "%s%s%s", b->path, *part ? "/" : "", part);
	if ((why == ELOOP || why == ENOTDIR) && find_link(b, path))
		return err_set(e, ERR_CONFIG, "%s is a symbolic link, and none is followed inside of a Maildir", path);
	errno = why;
	return err_errno(e, kind, "%s cannot be opened", path);
}

/* The directory `name` in `at`, made if it must be. */
static int made(int at, const char *name, int flags)
{
	int fd = below_step(at, name, flags | O_DIRECTORY, false), names;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return -1;
	names = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (names < 0 || fsync(names) != 0) {
		if (names >= 0)
			close_as_was(names);
		return -1;
	}
	(void)close(names);
	return below_step(at, name, flags | O_DIRECTORY, false);
}

int below_make(const struct below *b, struct err *e)
{
	char account[PATH_MAX];
	int at, fd;

	if (snprintf(account, sizeof account, "%.*s", (int)account_len(b), b->path) >= (int)sizeof account)
		return (void)err_set(e, ERR_CONFIG, "the path of a Maildir is too long"), -1;
	if (!disk_directory(account, e))
		return -1;
	at = open(account, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return (void)err_errno(e, ERR_LOCAL, "Maildir %s cannot be opened", account), -1;
	if (!below_is_folder(b))
		return at;
	fd = made(at, b->path + account_len(b) + 1, O_PATH);
	close_as_was(at);
	if (fd < 0)
		(void)below_failed(b, "", ERR_LOCAL, e);
	return fd;
}

int below_make_part(const struct below *b, int at, const char *name, struct err *e)
{
	int fd = made(at, name, O_RDONLY);

	if (fd < 0)
		(void)below_failed(b, name, ERR_LOCAL, e);
	return fd;
}
