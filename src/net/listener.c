/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/conn_inside.h"

enum {
	LINE_EVERY_MS = 60000, QUEUE_MAX = 65536,
	UNSENT_MAX = 128 * 1024,	/* what a slow client does not fetch stays where it lies */
};

struct listener {
	uv_poll_t poll;
	uv_timer_t timer;		/* while it rests */
	struct listener_user user;
	int fd;
	unsigned handles;		/* not closed yet */
	bool paused, resting, told;
	uint64_t told_ms;		/* the last line about a rest */
};

/* The socket */

/* The first of several asks for the port as if it were alone, so that another
 * process that shares it does not go unseen, and opens it to the others then. */
static bool bind_to(int fd, const struct listen_settings *s, const union address *a)
{
	int one = 1, v6only = s->v6only;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0
		&& (!s->joins || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0)
		&& (a->any.sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) == 0)
		&& bind(fd, &a->any, address_size(a)) == 0
		&& (!s->shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0);
}

static bool fail(int error, const union address *a, struct err *e)
{
	const char *hint = error == EADDRINUSE ? "; does another server run there?"
		: error == EACCES ? "; ports below 1024 need CAP_NET_BIND_SERVICE" : "";
	bool theirs = error == EADDRNOTAVAIL || error == EACCES || error == EAFNOSUPPORT;
	char text[ADDRESS_TEXT];

	return err_set(e, theirs ? ERR_CONFIG : ERR_LOCAL, "cannot listen on %s: %s%s", address_text(a, true, text), strerror(error), hint);
}

int listen_socket(const struct listen_settings *s, struct err *e)
{
	union address a;
	int fd, error;

	if (!address_parse(s->address, s->port, &a)) {
		(void)err_set(e, ERR_CONFIG, "cannot listen on \"%s\": it is no internet address", s->address);
		return -1;
	}
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind_to(fd, s, &a) && listen(fd, s->backlog ? s->backlog : LISTEN_BACKLOG) == 0)
		return fd;
	error = errno;
	if (fd >= 0)
		(void)close(fd);
	(void)fail(error, &a, e);
	return -1;
}

uint16_t listen_port(int fd)
{
	union address a;
	socklen_t size = sizeof a;

	if (getsockname(fd, &a.any, &size) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.any.sa_family == AF_INET ? a.v4.sin_port : 0);
}

/* Accepting */

static void on_event(uv_poll_t *uv, int status, int events);

static void watch(struct listener *l)
{
	if (l->paused || l->resting)
		(void)uv_poll_stop(&l->poll);
	else
		(void)uv_poll_start(&l->poll, UV_READABLE, on_event);
}

static void on_timer(uv_timer_t *uv)
{
	struct listener *l = uv->data;

	l->resting = false;
	watch(l);
}

/* The socket stays readable: whoever only tried again would keep the loop busy. */
static void rest(struct listener *l, int error)
{
	struct tag tag = { NULL, "listen", l->user.name };
	uint64_t now = uv_now(l->poll.loop);

	if (!l->told || now - l->told_ms > LINE_EVERY_MS)
		log_warn(&tag, "no connection can be accepted: %s; tried again every %d ms", strerror(error), LISTEN_REST_MS);
	l->told = true;
	l->told_ms = now;
	l->resting = true;
	loop_timer(l->poll.loop->data, &l->timer, on_timer, LISTEN_REST_MS);
	watch(l);
}

/* False: there is none, or there can be none now. */
static bool accept_one(struct listener *l, int *error)
{
	union address from = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t size = sizeof from;
	int fd = accept4(l->fd, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	*error = fd < 0 ? errno : 0;
	if (fd >= 0) {
		(void)address_unmap(&from);
		l->user.accepted(l->user.user, fd, &from);
		return true;
	}
	/* All else was that one connection's trouble (accept(2): treat them like EAGAIN and try again). */
	return *error != EAGAIN && *error != EMFILE && *error != ENFILE && *error != ENOBUFS && *error != ENOMEM && *error != EBADF
		&& *error != EINVAL && *error != ENOTSOCK && *error != EOPNOTSUPP;
}

static void on_event(uv_poll_t *uv, int status, [[maybe_unused]] int events)
{
	struct listener *l = uv->data;
	int error = 0;

	if (status < 0)
		watch(l);		/* libuv has stopped; what is wrong, accepting tells */
	for (unsigned n = 0; n < LISTEN_A_TURN && !l->paused; n++)
		if (!accept_one(l, &error))
			break;
	if (error && error != EAGAIN)
		rest(l, error);
}

void listener_pause(struct listener *l, bool on)
{
	l->paused = on;
	watch(l);
}

/* Beginning and end */

static void on_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	if (--l->handles == 0)
		free(l);
}

/* What the listening socket has, each that it accepts has from the beginning: six system calls less a connection. */
static void give_options(int fd)
{
	int unsent = UNSENT_MAX;

	conn_listener_options(fd);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

struct listener *listener_new(struct loop *loop, int fd, const struct listener_user *u, struct err *e)
{
	struct listener *l = calloc(1, sizeof *l);

	assert(fd >= 0 && u->accepted && u->name);
	if (!l || uv_poll_init(&loop->uv, &l->poll, fd)) {
		(void)err_set(e, ERR_LOCAL, l ? "%s: the socket cannot be watched" : "%s: out of memory", u->name);
		free(l);
		(void)close(fd);
		return NULL;
	}
	(void)uv_timer_init(&loop->uv, &l->timer);
	l->poll.data = l->timer.data = l;
	l->handles = 2;
	l->user = *u;
	l->fd = fd;
	give_options(fd);
	watch(l);
	return l;
}

void listener_free(struct listener **out)
{
	struct listener *l = *out;
	int error;

	if (!l)
		return;
	*out = NULL;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	uv_close((uv_handle_t *)&l->timer, on_closed);
	l->paused = true;
	for (unsigned n = 0; n < QUEUE_MAX && accept_one(l, &error); n++)
		;
	(void)close(l->fd);
}

void listener_refuse(int fd, struct span words)
{
	if (words.len)
		(void)!send(fd, words.at, words.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}
