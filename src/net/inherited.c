/* SPDX-License-Identifier: Apache-2.0 */
#include "net/inherited.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

enum { SHOWN_MAX = 40 };

bool inherited_parse(const char *pid, const char *count, const char *names, uint32_t self, struct inherited *all, struct err *e)
{
	struct span rest = span_of(names);
	uint64_t number;

	all->count = 0;
	if (!pid || !count || !span_number(span_of(pid), UINT32_MAX, &number) || number != self)
		return true;
	if (!span_number(span_of(count), INHERITED_MAX, &number))
		return err_set(e, ERR_CONFIG, "LISTEN_FDS: \"%.*s\" is no number of at most %d", SHOWN_MAX, count, INHERITED_MAX);
	for (size_t i = 0; i < number; i++) {
		struct span name = { rest.at, span_find(rest, ':') };

		if (name.len >= INHERITED_NAME)
			return err_set(e, ERR_CONFIG, "LISTEN_FDNAMES: a name of more than %d octets", INHERITED_NAME - 1);
		if (!name.len)
			name = SPAN("unknown");
		all->list[i].fd = INHERITED_FIRST + (int)i;
		memcpy(all->list[i].name, name.at, name.len);
		all->list[i].name[name.len] = '\0';
		rest = span_from(rest, span_find(rest, ':') + 1);
	}
	all->count = number;
	return true;
}

static bool fits(int fd, const char *name, struct err *e)
{
	int listens = 0, type = 0;
	socklen_t size = sizeof listens;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(e, ERR_CONFIG, "descriptor %d (%s), which LISTEN_FDS names", fd, name);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens
		|| getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM || !listen_port(fd))
		return err_set(e, ERR_CONFIG, "descriptor %d (%s), which LISTEN_FDS names, is no listening TCP socket: see ListenStream= in its unit",
			fd, name);
	return true;
}

bool inherited_take(struct inherited *all, struct err *e)
{
	bool good = inherited_parse(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), (uint32_t)getpid(), all, e);

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	for (size_t i = 0; good && i < all->count; i++)
		good = fits(all->list[i].fd, all->list[i].name, e);
	return good;
}
