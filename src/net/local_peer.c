/* SPDX-License-Identifier: Apache-2.0
 * The talk with one client of a local socket. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/local_inside.h"

enum { OUT_MAX = 8 << 20, PASSED_MAX = 4, FIRST_CAP = LOCAL_PIECE };

static void watch(struct local_peer *p);

/* Its memory goes when libuv has let go. */
static void on_closed(uv_handle_t *h)
{
	struct local_peer *p = h->data;

	h->data = p->server;
	local_handle_closed(h);
	free(p);
}

void local_peer_close(struct local_peer *p)
{
	struct local *s = p->server;

	assert(!p->closed);
	p->closed = true;
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	s->count--;
	uv_close((uv_handle_t *)&p->poll, on_closed);
	(void)close(p->fd);
	if (p->passed >= 0)
		(void)close(p->passed);
	if (p->in)
		wipe(p->in, p->cap);
	free(p->in);
	buf_wipe(&p->out);
	if (p->user)
		s->user.gone(p->user);
}

/* In: Octets come until there is more than a line may have */

/* Growing leaves no copy behind. */
static bool room(struct local_peer *p)
{
	size_t cap = p->cap ? p->cap * 2 : FIRST_CAP;
	char *more;

	if (p->cap - p->len >= LOCAL_PIECE)
		return true;
	while (cap < p->len + LOCAL_PIECE)
		cap *= 2;
	more = malloc(cap);
	if (!more)
		return false;
	if (p->in) {
		memcpy(more, p->in, p->len);
		wipe(p->in, p->cap);
	}
	free(p->in);
	p->in = more;
	p->cap = cap;
	return true;
}

/* The first is kept for the next line, others are nobody's. */
static void take_passed(struct local_peer *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t n = 0; n < count; n++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + n * sizeof fd, sizeof fd);
			if (p->passed < 0)
				p->passed = fd;
			else
				(void)close(fd);
		}
	}
}

/* False: the connection is broken. */
static bool receive(struct local_peer *p)
{
	char control[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	struct iovec piece;
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n;

	if (!room(p))
		return false;
	piece = (struct iovec){ p->in + p->len, LOCAL_PIECE };
	n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	take_passed(p, &m);
	p->over = n == 0;
	if (!n)
		return true;
	p->moved_ms = uv_now(p->poll.loop);
	if (!p->len)
		p->began_ms = p->moved_ms;
	p->len += (size_t)n;
	return true;
}

static void drop(struct local_peer *p, size_t n)
{
	memmove(p->in, p->in + n, p->len - n);
	wipe(p->in + p->len - n, n);
	p->len -= n;
	p->seen = 0;
	p->began_ms = uv_now(p->poll.loop);
	if (p->len)
		return;
	free(p->in);		/* who is silent costs nothing */
	p->in = NULL;
	p->cap = 0;
}

static void eat_octets(struct local_peer *p)
{
	size_t n = p->len < p->expect ? p->len : (size_t)p->expect;

	if (n > LOCAL_PIECE)
		n = LOCAL_PIECE;
	p->expect -= n;
	p->server->user.octets(p->user, (struct span){ p->in, n });
	drop(p, n);
}

/* False: it is not whole yet, or there is too much of it. */
static bool eat_line(struct local_peer *p)
{
	size_t len = p->seen + span_find((struct span){ p->in + p->seen, p->len - p->seen }, '\n'), most = p->server->settings.line_max;
	bool whole = len < p->len, cr = whole && len && p->in[len - 1] == '\r';
	int fd = p->passed;

	p->seen = len;
	if (len - cr > most) {
		if (p->server->settings.overlong)
			local_say(p, span_of(p->server->settings.overlong));
		local_end(p, true);
		return false;
	}
	if (!whole)
		return false;
	p->passed = -1;
	p->server->user.line(p->user, (struct span){ p->in, len - cr }, fd);
	drop(p, len + 1);
	return true;
}

/* It does not listen either: closed, and not only shut down on its side. */
static bool has_left(const struct local_peer *p)
{
	struct pollfd look = { .fd = p->fd };

	return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP);
}

/* One line, or one piece; the rest is for the next turn. */
static void eat(struct local_peer *p)
{
	bool more = true;

	if (p->ending || p->paused)
		return;
	assert(p->user);
	if (p->len && p->expect)
		eat_octets(p);
	else
		more = p->len && eat_line(p);
	if (more && p->len && !p->ending)
		local_again(p->server);
	if (p->ending || p->paused || !p->over || p->told_over || (more && p->len))
		return;
	p->told_over = true;
	if (p->expect || has_left(p))		/* broken off, or nobody is there to be answered */
		local_end(p, false);
	else
		p->server->user.over(p->user);
}

/* Out */

static bool transmit(struct local_peer *p)
{
	ssize_t n;

	if (p->sent == p->out.len)
		return true;
	n = send(p->fd, p->out.at + p->sent, p->out.len - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->moved_ms = uv_now(p->poll.loop);
	p->sent += (size_t)n;
	if (p->sent < p->out.len)
		return true;
	buf_wipe(&p->out);
	p->sent = 0;
	return true;
}

void local_say(struct local_peer *p, struct span octets)
{
	if (p->ending || p->closed)
		return;
	if (local_unsent(p) == 0)
		p->moved_ms = uv_now(p->poll.loop);
	p->said = true;
	if (buf_add(&p->out, octets))
		local_again(p->server);
	else
		local_end(p, false);	/* nobody takes it */
}

size_t local_unsent(const struct local_peer *p)
{
	return p->out.len - p->sent;
}

/* Turns */

void local_peer_turn(struct local_peer *p)
{
	if (p->ending && local_unsent(p) && !transmit(p))
		p->sent = p->out.len;
	if (!p->ending && !transmit(p))
		local_end(p, false);
	if (p->said && !p->ending && !local_unsent(p)) {
		p->said = false;
		p->server->user.drained(p->user);
	}
	eat(p);
	if (p->ending && !local_unsent(p))
		local_peer_close(p);
	else
		watch(p);
}

static void on_event(uv_poll_t *uv, int status, int events)
{
	struct local_peer *p = uv->data;

	if (status < 0 || ((events & UV_READABLE) && !receive(p)))
		local_end(p, false);
	local_peer_turn(p);
}

/* What is paused is not read, and what has buffered a whole line neither. */
static void watch(struct local_peer *p)
{
	bool in = !p->paused && !p->over && !p->ending && p->len <= p->server->settings.line_max + 2;
	int events = (in ? UV_READABLE : 0) | (local_unsent(p) ? UV_WRITABLE : 0);

	if (events)
		(void)uv_poll_start(&p->poll, events, on_event);
	else
		(void)uv_poll_stop(&p->poll);
}

void local_peer_tick(struct local_peer *p, uint64_t now_ms)
{
	const struct local_settings *s = &p->server->settings;
	bool partial = p->len && !p->expect;
	bool late = local_unsent(p) ? now_ms - p->moved_ms > s->idle_ms
		: p->paused || p->busy ? false : partial ? now_ms - p->began_ms > s->line_ms : now_ms - p->moved_ms > s->idle_ms;

	if (!late)
		return;
	local_end(p, false);
	local_peer_turn(p);
}

void local_expect(struct local_peer *p, uint64_t octets)
{
	p->expect = octets;
}

void local_pause(struct local_peer *p, bool on)
{
	if (p->paused && !on)
		p->moved_ms = p->began_ms = uv_now(p->poll.loop);
	p->paused = on;
	local_again(p->server);
}

void local_busy(struct local_peer *p, bool on)
{
	if (p->busy && !on)
		p->moved_ms = p->began_ms = uv_now(p->poll.loop);
	p->busy = on;
}

void local_end(struct local_peer *p, bool say_all)
{
	p->ending = true;
	if (!say_all) {
		buf_wipe(&p->out);
		p->sent = 0;
	}
	local_again(p->server);
}

pid_t local_process(const struct local_peer *p)
{
	return p->process;
}

bool local_peer_new(struct local *s, int fd, pid_t process)
{
	struct local_peer *p = calloc(1, sizeof *p);

	if (!p || uv_poll_init(&s->loop->uv, &p->poll, fd)) {
		free(p);
		return false;
	}
	p->poll.data = p;
	p->server = s;
	p->fd = fd;
	p->passed = -1;
	p->process = process;
	p->moved_ms = p->began_ms = uv_now(p->poll.loop);
	buf_start(&p->out, OUT_MAX);
	p->next = s->peers;
	p->at = &s->peers;
	if (p->next)
		p->next->at = &p->next;
	s->peers = p;
	s->count++;
	s->handles++;
	p->user = s->user.came(s->user.user, p);
	if (!p->user)
		p->ending = true;	/* and `gone` is nobody's */
	local_again(s);
	return true;
}
