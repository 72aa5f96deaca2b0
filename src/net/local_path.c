/* SPDX-License-Identifier: Apache-2.0 */
#include "net/local_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_MAX_OCTETS = 80 };

static bool through_directory(struct local_path *p, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

	if (!directory)
		return err_set(e, ERR_LOCAL, "out of memory for a path");
	p->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->directory < 0)
		(void)err_errno(e, ERR_LOCAL, "directory %s", directory);
	free(directory);
	if (p->directory < 0)
		return false;
	(void)snprintf(p->at.sun_path, sizeof p->at.sun_path, "/proc/self/fd/%d/%s", p->directory, slash ? slash + 1 : path);
	return true;
}

bool local_path_start(struct local_path *p, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	*p = (struct local_path){ .at = { .sun_family = AF_UNIX }, .directory = -1 };
	if (!*name || strlen(name) > NAME_MAX_OCTETS)
		return err_set(e, ERR_CONFIG, "the name of a socket has 1 to %d octets: %s", NAME_MAX_OCTETS, path);
	if (strlen(path) >= sizeof p->at.sun_path)
		return through_directory(p, path, e);
	memcpy(p->at.sun_path, path, strlen(path) + 1);
	return true;
}

void local_path_end(struct local_path *p)
{
	if (p->directory >= 0)
		(void)close(p->directory);
	p->directory = -1;
}

int local_path_dial(const char *path, bool *full, struct err *e)
{
	struct local_path p;
	int fd;

	*full = false;
	if (!local_path_start(&p, path, e))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		(void)err_errno(e, ERR_LOCAL, "no socket");
	} else if (connect(fd, (const struct sockaddr *)&p.at, sizeof p.at) < 0) {
		*full = errno == EAGAIN;
		(void)err_errno(e, ERR_NET, "no connection");
		(void)close(fd);
		fd = -1;
	}
	local_path_end(&p);
	return fd;
}

bool local_path_trusts(int fd, pid_t *process)
{
	struct ucred who;
	socklen_t size = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	*process = who.pid;
	return who.uid == 0 || who.uid == geteuid();
}
