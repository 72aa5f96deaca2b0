/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_inside.h"

enum {
	READS_A_TURN = 4,		/* then it is another connection's turn */
	LEAVING_MS = 5000,		/* for the last octets to go out */
};

static void on_event(uv_poll_t *uv, int status, int events);

/* The end */

static void forget(struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->loop->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

static void on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	if (--c->handles)
		return;
	if (c->user.closed) {
		struct conn_user last = c->user;

		forget(c);
		c->user.closed = NULL;
		last.closed(last.user, &c->why);
	}
	SSL_free(c->ssl);
	tls_client_put(&c->tls_client);
	tls_server_put(&c->tls_server);
	free(c->proxy);
	free(c->offered);
	conn_deflate_free(c);
	free(c);
}

void conn_end(struct conn *c, const struct err *why)
{
	if (c->state == CONN_ENDED)
		return;
	c->state = CONN_ENDED;
	c->why = why ? *why : (struct err){ 0 };
	dial_drop(&c->dial);
	if (c->fd >= 0) {
		conn_flush(c);	/* an alert or a close_notify, if there is room for it */
		uv_close((uv_handle_t *)&c->poll, on_closed);
		(void)close(c->fd);
		c->fd = -1;
	}
	conn_queue_end(c);
	conn_deflate_end(c, on_closed);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

void conn_abandon(struct conn *c)	/* it may have ended already, and closed() be due */
{
	forget(c);
	c->user.closed = NULL;
	conn_end(c, NULL);
}

/* "pop.example.org:995 (192.0.2.1): " in front. */
void conn_fail_as(struct conn *c, const struct err *why)
{
	bool six = strchr(c->host, ':') && c->host[0] != '[';
	char bare[ADDRESS_TEXT] = "";
	struct err e = *why;

	if (c->address[0] && !address_literal(c->host))
		(void)snprintf(bare, sizeof bare, " (%.*s)", (int)(strrchr(c->address, ':') - c->address), c->address);
	if (c->serving)
		(void)err_in(&e, "%s", c->address);
	else if (c->host[0] == '/')
		(void)err_in(&e, "%s", c->host);
	else
		(void)err_in(&e, six ? "[%s]:%u%s" : "%s:%u%s", c->host, c->port, bare);
	if (c->state == CONN_LEAVING)	/* the user has had enough already */
		conn_end(c, NULL);
	else
		conn_end(c, &e);
}

bool conn_fail(struct conn *c, enum err_kind kind, const char *format, ...)
{
	char text[sizeof c->why.text];
	struct err e;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)err_set(&e, kind, "%s", text);
	conn_fail_as(c, &e);
	return false;
}

void conn_close(struct conn *c)
{
	if (c->state >= CONN_LEAVING)
		return;
	if (c->state != CONN_OPEN) {
		conn_end(c, NULL);
		return;
	}
	conn_deflate_flush(c);
	if (c->state != CONN_OPEN)
		return;
	conn_tls_bye(c);
	c->state = CONN_LEAVING;
	conn_set_deadline(c, LEAVING_MS, "end", true);
	conn_flush(c);
	if (!c->out.len)
		conn_last_said(c);
	if (!c->calls)
		conn_watch(c);
}

void conn_drop(struct conn *c)
{
	conn_end(c, NULL);
}

void conn_forget(struct conn **out)
{
	struct conn *c = *out;

	*out = NULL;
	if (!c)
		return;
	assert(!c->calls);
	conn_abandon(c);
}

void conn_background(struct conn *c)
{
	c->background = true;
	uv_unref((uv_handle_t *)&c->timer);
	if (c->fd >= 0)
		uv_unref((uv_handle_t *)&c->poll);
}

/* Reading */

void conn_opened(struct conn *c)
{
	void (*call)(void *user) = c->opened ? c->user.secured : c->user.opened;

	c->opened = true;
	call(c->user.user);
}

void conn_turn(struct conn *c, struct span in)
{
	size_t used;

	assert(c->state == CONN_OPEN && in.len && in.len <= CONN_IN_MAX);
	c->told = true;
	used = c->user.turn(c->user.user, in);
	if (c->state != CONN_OPEN)
		return;
	assert(used <= in.len);
	if (conn_deflate_begins(c)) {
		conn_input(c, span_from(in, used));
		return;
	}
	if (!c->tls_wanted) {
		assert(used == in.len);
		return;
	}
	c->tls_wanted = false;
	if (used == in.len)
		conn_tls_begin(c);
	else
		(void)conn_fail(c, ERR_PEER, "data before TLS: %zu octets in clear came behind the answer to the TLS start; "
			"the server is broken, or somebody is interfering", in.len - used);
}

void conn_take(struct conn *c, struct span in)
{
	if (c->state == CONN_LEAVING)
		return;			/* nobody wants it any more */
	conn_rearm(c);
	if (c->proxy) {
		conn_proxy_input(c, in);
	} else if (c->ssl) {
		conn_tls_input(c, in);
	} else {
		c->heard = true;
		conn_input(c, in);
	}
}

static void broken(struct conn *c, int error)
{
	c->technical = c->state == CONN_HANDSHAKING;
	errno = error;
	if (error == ECONNRESET)
		(void)conn_fail(c, ERR_NET, "the %s reset the connection%s", conn_other(c),
			c->state == CONN_HANDSHAKING ? " during the TLS handshake" : "");
	else
		(void)conn_fail(c, ERR_NET, "the connection broke: %s", strerror(error));
}

static void eof(struct conn *c)
{
	if (c->deaf == ECONNRESET)	/* sending found it first */
		broken(c, ECONNRESET);
	else if (c->ssl && c->state != CONN_LEAVING)
		conn_tls_eof(c);
	else if (c->serving)
		conn_half_closed(c);
	else
		conn_end(c, NULL);
}

/* What is there already comes first, or nothing is wanted. */
static bool must_wait(const struct conn *c)
{
	return c->state == CONN_OPEN && (c->paused || conn_deflate_held(c));
}

/* At most `times`; a read that does not fill the buffer was the last. */
static void read_some(struct conn *c, unsigned times)
{
	while (times-- && c->state < CONN_ENDED && !c->ended && !must_wait(c)) {
		ssize_t n = recv(c->fd, c->loop->in, CONN_IN_MAX, 0);
		bool clear = !c->ssl;

		if (n > 0)
			conn_take(c, (struct span){ c->loop->in, (size_t)n });
		if (n > 0 && clear)
			wipe(c->loop->in, (size_t)n);	/* a password may have been in it */
		if (n == 0)
			eof(c);
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			broken(c, errno);
		if (n < CONN_IN_MAX)
			return;
	}
}

/* Waits for what is wanted now.  A paused connection goes on waiting until
 * something comes in: most pauses are over before. */
void conn_watch(struct conn *c)
{
	int wanted = conn_begins(c) || ((c->out.len || (c->starved && c->state == CONN_OPEN)) && !c->deaf) ? UV_WRITABLE : 0;

	if (c->fd < 0)
		return;
	if (!c->ended && (!must_wait(c) || !(c->ready || conn_deflate_held(c))))
		wanted |= UV_READABLE;
	if (c->paused && c->deadline_name && conn_blocked(c) && !uv_is_active((uv_handle_t *)&c->timer))
		conn_set_deadline(c, c->deadline_ms, c->deadline_name, c->deadline_fixed);
	if (wanted == c->events)
		return;
	c->events = wanted;
	if (wanted)
		(void)uv_poll_start(&c->poll, wanted, on_event);
	else
		(void)uv_poll_stop(&c->poll);
}

static bool drains(const struct conn *c)
{
	return c->state == CONN_OPEN && ((c->high && c->out.len < CONN_OUT_LOW) || (c->starved && c->woken && !c->out.len));
}

/* The end of an event: what was gathered goes out. */
void conn_settle(struct conn *c)
{
	if (c->state == CONN_ENDED)
		return;
	conn_gathered(c);
	if (c->state == CONN_ENDED)
		return;
	if (drains(c)) {
		c->high = c->starved = false;
		c->user.drained(c->user.user);
		if (c->state == CONN_ENDED)
			return;
		if (c->tls_wanted) {	/* it answered a TLS start that had to wait */
			c->tls_wanted = false;
			conn_tls_begin(c);
		}
		conn_gathered(c);
		if (c->state == CONN_ENDED)
			return;
	}
	if (conn_over(c))
		return;
	if (c->state == CONN_LEAVING && (!c->out.len || c->deaf))
		conn_last_said(c);
	conn_watch(c);
}

static void on_event(uv_poll_t *uv, int status, int events)
{
	struct conn *c = uv->data;

	if (status < 0) {		/* an error waits behind what is still to be read; libuv stopped watching */
		c->events = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	c->calls++;
	c->tried = 0;
	if (c->state == CONN_ARRIVING)
		conn_arrive(c);
	if (events & UV_WRITABLE) {
		c->full = false;
		c->woken = true;
	}
	if (events & UV_READABLE) {
		c->ready = true;
		read_some(c, READS_A_TURN);
	}
	conn_settle(c);
	c->woken = false;
	c->calls--;
}

void conn_pause(struct conn *c, bool on)
{
	if (c->paused == on || c->state >= CONN_LEAVING)
		return;
	c->paused = on;
	c->ready = false;
	if (on)
		return;
	conn_deflate_resume(c);
	if (c->deadline_name && !c->deadline_fixed)
		conn_set_deadline(c, c->deadline_ms, c->deadline_name, false);
	if (!c->calls && !conn_over(c))
		conn_watch(c);
}

void conn_start_tls(struct conn *c)
{
	assert(c->state > CONN_HANDSHAKING && !c->ssl && !c->zip && (c->tls_client || c->tls_server));
	if (c->state != CONN_OPEN)
		return;
	c->upgraded = true;
	if (c->calls)
		c->tls_wanted = true;
	else
		conn_tls_begin(c);
}

/* Opening */

bool conn_take_socket(struct conn *c, int fd)
{
	if (uv_poll_init(&c->loop->uv, &c->poll, fd)) {
		(void)close(fd);
		return false;
	}
	c->fd = fd;
	c->poll.data = c;
	if (c->background)
		uv_unref((uv_handle_t *)&c->poll);
	c->handles++;
	return true;
}

static void dialled(void *user, int fd, const union address *at, const struct err *why)
{
	struct conn *c = user;

	if (why) {
		c->technical = c->refused && c->tls == CONN_TLS_IMPLICIT;
		conn_fail_as(c, why);
		return;
	}
	if (at->any.sa_family != AF_UNSPEC) {
		(void)address_text(at, true, c->address);
		conn_client_options(fd);
	}
	c->peer_address = *at;
	if (!conn_take_socket(c, fd)) {
		(void)conn_fail(c, ERR_LOCAL, "the socket cannot be watched");
		return;
	}
	c->state = CONN_OPEN;
	c->calls++;
	if (c->user.connected)
		c->user.connected(c->user.user);
	if (c->tls == CONN_TLS_IMPLICIT) {
		conn_tls_begin(c);
	} else {
		conn_set_deadline(c, 0, NULL, false);
		conn_opened(c);
	}
	conn_settle(c);
	c->calls--;
}

struct conn *conn_new(struct loop *l, const char *host, const struct conn_user *u)
{
	size_t len = strlen(host);
	struct conn *c = calloc(1, sizeof *c + 2 * (len + 1));

	assert(u->opened && u->turn && u->drained && u->closed);
	if (!c)
		return NULL;
	c->loop = l;
	c->user = *u;
	c->fd = -1;
	buf_start(&c->out, CONN_OUT_MAX + CONN_TLS_SLACK);
	memcpy(c->host, host, len);
	c->name = c->host + len + 1;
	memcpy(c->host + len + 1, host, len && host[len - 1] == '.' ? len - 1 : len);
	(void)uv_timer_init(&l->uv, &c->timer);
	c->timer.data = c;
	c->handles = 1;
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
	uv_update_time(&l->uv);		/* the loop may not have run for long */
	return c;
}

struct conn *conn_open(struct loop *l, const struct conn_settings *s, const struct conn_user *u, struct err *e)
{
	struct conn *c;

	assert(s->tls == CONN_TLS_NONE || s->tls_client);
	c = conn_new(l, s->host, u);
	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->port = s->port;
	c->tls = s->tls;
	c->tls_client = tls_client_keep(s->tls_client);
	c->timeout_ms = s->timeout_ms;
	if (!dial_start(l, c->host, c->port, s->source_address, &(struct dial_user){ dialled, c, &c->refused }, &c->dial, e)) {
		conn_abandon(c);
		return NULL;
	}
	conn_set_deadline(c, s->connect_timeout_ms, "connection", true);
	return c;
}

const char *conn_peer(const struct conn *c)
{
	return c->address;
}
