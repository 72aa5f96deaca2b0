/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's connection to us: how it begins, and how it ends. */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_inside.h"

/* The beginning */

static void begin(struct conn *c)
{
	c->calls++;
	if (c->tls == CONN_TLS_IMPLICIT) {
		conn_tls_begin(c);
	} else {
		c->state = CONN_OPEN;
		conn_set_deadline(c, 0, NULL, false);
		conn_opened(c);
	}
	c->calls--;
}

/* We speak first, or the client does. */
bool conn_begins(const struct conn *c)
{
	return c->state == CONN_ARRIVING && !c->proxy && c->tls == CONN_TLS_NONE;
}

void conn_arrive(struct conn *c)
{
	if (!c->proxy)
		begin(c);
}

static void set_address(union address *a, const struct proxy *p, const struct proxy_address *from)
{
	bool four = p->family == PROXY_IPV4;

	*a = four ? (union address){ .v4 = { .sin_family = AF_INET, .sin_port = htons(from->port) } }
		: (union address){ .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(from->port) } };
	memcpy(four ? (void *)&a->v4.sin_addr : (void *)&a->v6.sin6_addr, from->octets, four ? 4 : 16);
	(void)address_unmap(a);
}

void conn_proxy_input(struct conn *c, struct span in)
{
	struct proxy *p = c->proxy;

	c->heard = true;
	switch (proxy_feed(p, &in)) {
	case PROXY_MORE:
		return;
	case PROXY_BAD:
		(void)conn_fail(c, ERR_PEER, "the proxy's header cannot be used: %s", p->why);
		return;
	case PROXY_DONE:
		break;
	}
	if (p->family != PROXY_SAME) {
		set_address(&c->peer_address, p, &p->client);
		set_address(&c->local_address, p, &p->server);
		(void)address_text(&c->peer_address, true, c->address);
	}
	c->proxy = NULL;
	free(p);
	c->heard = false;
	begin(c);
	if (in.len && c->state < CONN_LEAVING)
		conn_take(c, in);
}

static void ask_socket(int fd, int (*ask)(int fd, struct sockaddr *a, socklen_t *size), union address *a)
{
	socklen_t size = sizeof *a;

	if (ask(fd, &a->any, &size) < 0 || (a->any.sa_family != AF_INET && a->any.sa_family != AF_INET6))
		*a = (union address){ .any = { .sa_family = AF_UNSPEC } };
	(void)address_unmap(a);
}

struct conn *conn_accept(struct loop *l, int fd, const struct conn_accepted *s, const struct conn_user *u, struct err *e)
{
	struct proxy *proxy = s->proxy ? malloc(sizeof *proxy) : NULL;
	struct conn *c = NULL;

	assert(fd >= 0 && (s->tls == CONN_TLS_NONE || s->tls_server));
	if (!s->proxy || proxy)
		c = conn_new(l, "", u);
	if (!c) {
		free(proxy);
		(void)close(fd);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->serving = true;
	c->state = CONN_ARRIVING;
	c->tls = s->tls;
	c->timeout_ms = s->timeout_ms;
	c->proxy = proxy;
	if (s->peer)
		c->peer_address = *s->peer;
	else
		ask_socket(fd, getpeername, &c->peer_address);
	(void)address_unmap(&c->peer_address);
	ask_socket(fd, getsockname, &c->local_address);
	(void)address_text(&c->peer_address, true, c->address);
	if (proxy && !networks_have(s->trusted, s->trusted_count, &c->peer_address)) {
		(void)err_set(e, ERR_PEER, "%s: refused: only proxies that are trusted may connect here", c->address);
		(void)close(fd);
	} else if (!conn_take_socket(c, fd)) {
		(void)err_set(e, ERR_LOCAL, "%s: the socket cannot be watched", c->address);
	} else {
		if (proxy)
			proxy_start(proxy, s->proxy);
		c->tls_server = tls_server_keep(s->tls_server);
		if (proxy || s->tls == CONN_TLS_IMPLICIT)
			conn_set_deadline(c, s->timeout_ms, proxy ? "PROXY header" : "TLS handshake", true);
		conn_watch(c);
		return c;
	}
	conn_abandon(c);
	return NULL;
}

/* The end */

bool conn_blocked(const struct conn *c)
{
	return c->serving && (c->out.len || c->starved);
}

/* Its FIN, or TLS's close_notify: conn_over looks whether anything is still owed to it. */
void conn_half_closed(struct conn *c)
{
	c->ended = true;
	if (c->state == CONN_ARRIVING && c->heard)
		(void)conn_fail(c, ERR_PEER, "the proxy closed the connection inside of its header");
	else if (c->state == CONN_ARRIVING)
		conn_end(c, NULL);
	else if (c->state == CONN_HANDSHAKING)
		conn_tls_eof(c);
}

/* Who breaks off a message must not have pipelined commands behind it obeyed. */
bool conn_over(struct conn *c)
{
	if (!c->serving || c->state != CONN_OPEN)
		return false;
	if (c->deaf && (c->paused || c->starved || c->high || c->ended)) {
		(void)conn_fail(c, ERR_NET, "the client is gone, and was still to be sent something");
		return true;
	}
	if (c->ended && !c->paused && !c->out.len && !c->starved) {
		conn_tls_bye(c);
		conn_end(c, NULL);
		return true;
	}
	return false;
}

/* Octets of the client that are unread when a socket is closed make the kernel
 * reset the connection, and the client lose what we said last: so we say that we
 * are at the end, and wait for its end, within the deadline of conn_close. */
void conn_last_said(struct conn *c)
{
	if (!c->serving || c->ended || c->deaf) {
		conn_end(c, NULL);
	} else if (!c->said) {
		c->said = true;
		(void)shutdown(c->fd, SHUT_WR);
	}
}

const union address *conn_peer_address(const struct conn *c)
{
	return &c->peer_address;
}

const union address *conn_local_address(const struct conn *c)
{
	return &c->local_address;
}
