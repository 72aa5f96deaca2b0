/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that are idle for long: what tells us that the other side is gone,
 * and how they change hands. */
#include <assert.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/conn_inside.h"

enum {
	SERVER_KEEP_IDLE_S = 120, SERVER_KEEP_EVERY_S = 30,
	CLIENT_KEEP_IDLE_S = 60, CLIENT_KEEP_EVERY_S = 15, KEEP_PROBES = 4,
	UNTAKEN_MS = 180 * 1000,	/* as long as RFC 5321 gives a server for a block of data */
};

struct option { int level, name, value; };

/* Options that cannot be set do no harm. */
static void set_options(int fd, const struct option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

/* A server that went without a word, or a path that swallows everything, is noticed within three minutes, whether
 * something waits for an acknowledgement (the kernel would try for 15 minutes) or not.  TCP_USER_TIMEOUT decides when
 * to give up in both cases, whatever the number of probes; it holds for a server that takes nothing as well. */
void conn_client_options(int fd)
{
	static const struct option options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, CLIENT_KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, CLIENT_KEEP_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, UNTAKEN_MS },
	};

	set_options(fd, options, COUNT(options));
}

void conn_listener_options(int fd)
{
	static const struct option options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, SERVER_KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, SERVER_KEEP_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES },
	};

	set_options(fd, options, COUNT(options));
}

void conn_adopt(struct conn *c, const struct conn_user *u)
{
	assert(u->turn && u->drained && u->closed);
	assert(c->user.closed);		/* else it is being told, or has been */
	assert(c->opened && c->state != CONN_HANDSHAKING && (!c->tls_wanted || u->secured));
	c->user = *u;
}

void conn_rest(struct conn *c)
{
	if (!conn_is_open(c))
		return;
	conn_deflate_rest(c);
	if (c->calls)
		return;			/* the call's end sends it */
	conn_gathered(c);
	if (c->state == CONN_OPEN)
		conn_watch(c);
}

bool conn_is_open(const struct conn *c)
{
	return c->opened && c->state <= CONN_OPEN;
}
