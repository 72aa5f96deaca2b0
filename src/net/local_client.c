/* SPDX-License-Identifier: Apache-2.0 */
#include "net/local_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/local_path.h"

enum { PIECE = 64 * 1024 };

struct local_client {
	int fd;
	char *in;
	size_t at, len, cap;	/* what came and was not handed out: [at, len) */
};

static bool set_patience(int fd, uint32_t timeout_ms)
{
	struct timeval wait = { timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000 * 1000) };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0;
}

void local_patience(struct local_client *c, uint32_t timeout_ms)
{
	(void)set_patience(c->fd, timeout_ms);
}

static bool start(int fd, const char *path, uint32_t timeout_ms, bool *gone, struct err *e)
{
	struct local_path at;
	pid_t process;
	bool good;

	if (!set_patience(fd, timeout_ms))
		return err_errno(e, ERR_LOCAL, "socket %s", path);
	if (!local_path_start(&at, path, e)) {
		*gone = true;
		return false;
	}
	good = connect(fd, (const struct sockaddr *)&at.at, sizeof at.at) == 0;
	*gone = !good && (errno == ENOENT || errno == ECONNREFUSED);
	if (!good)
		(void)err_errno(e, ERR_NET, "socket %s", path);
	local_path_end(&at);
	if (good && !local_path_trusts(fd, &process) && geteuid() != 0)
		return err_set(e, ERR_NET, "socket %s: process %ld of another user listens there", path, (long)process);
	return good;
}

struct local_client *local_connect(const char *path, uint32_t timeout_ms, bool *gone, struct err *e)
{
	struct local_client *c = calloc(1, sizeof *c);

	*gone = false;
	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		(void)err_errno(e, ERR_LOCAL, "socket %s", path);
	else if (start(c->fd, path, timeout_ms, gone, e))
		return c;
	local_leave(&c);
	return NULL;
}

void local_break(struct local_client *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
}

void local_leave(struct local_client **out)
{
	struct local_client *c = *out;

	if (!c)
		return;
	*out = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	if (c->in)
		wipe(c->in, c->cap);
	free(c->in);
	free(c);
}

static bool failed(ssize_t n, const char *what, struct err *e)
{
	if (n == 0)
		return err_set(e, ERR_NET, "the connection was closed");
	if (errno == EAGAIN || errno == ETIMEDOUT)
		return err_set(e, ERR_NET, "no answer in time");
	return err_errno(e, ERR_NET, "%s", what);
}

static ssize_t send_some(int fd, struct span octets, int passed)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { .room = { 0 } };
	struct iovec piece = { (void *)(uintptr_t)octets.at, octets.len };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (passed >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof passed), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &passed, sizeof passed);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

bool local_tell(struct local_client *c, struct span octets, int fd, struct err *e)
{
	while (octets.len) {
		ssize_t n = send_some(c->fd, octets, fd);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(n, "sending", e);
		fd = -1;
		octets = span_from(octets, (size_t)n);
	}
	return true;
}

/* More than is there, behind it. */
static bool receive(struct local_client *c, struct err *e)
{
	ssize_t n;

	if (c->at) {
		memmove(c->in, c->in + c->at, c->len - c->at);
		wipe(c->in + c->len - c->at, c->at);
		c->len -= c->at;
		c->at = 0;
	}
	if (c->cap - c->len < PIECE) {
		size_t cap = c->cap ? 2 * c->cap : 2 * PIECE;
		char *more = malloc(cap);

		if (!more)
			return err_set(e, ERR_LOCAL, "out of memory for an answer");
		if (c->in) {
			memcpy(more, c->in, c->len);
			wipe(c->in, c->cap);
		}
		free(c->in);
		c->in = more;
		c->cap = cap;
	}
	do
		n = recv(c->fd, c->in + c->len, PIECE, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return failed(n, "receiving", e);
	c->len += (size_t)n;
	return true;
}

bool local_hear(struct local_client *c, size_t most, struct span *line, struct err *e)
{
	size_t seen = 0;

	for (;;) {
		struct span there = { c->in ? c->in + c->at : "", c->len - c->at };
		size_t n = seen + span_find(span_from(there, seen), '\n');

		if (n > most)
			return err_set(e, ERR_PEER, "a line of more than %zu octets came", most);
		if (n < there.len) {
			*line = (struct span){ there.at, n };
			c->at += n + 1;
			return true;
		}
		seen = there.len;
		if (!receive(c, e))
			return false;
	}
}

bool local_take(struct local_client *c, uint64_t octets, bool (*use)(void *user, struct span piece), void *user, struct err *e)
{
	bool wanted = true;

	while (octets) {
		size_t n = c->len - c->at;

		if (n > octets)
			n = (size_t)octets;
		if (!n && !receive(c, e))
			return false;
		wanted = wanted && (!n || use(user, (struct span){ c->in + c->at, n }));
		c->at += n;
		octets -= n;
	}
	return wanted || err_set(e, ERR_LOCAL, "what came cannot be kept");
}
