/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "net/conn_inside.h"

enum { PIECE = 16 * 1024 };	/* a TLS record's worth */

/* An error here is not the end: what the peer said before it left may still be
 * unread ("-ERR too many commands"), and reading will find the error too. */
void conn_flush(struct conn *c)
{
	while (c->out.len && !c->deaf) {
		ssize_t n = c->full ? -1 : send(c->fd, c->out.at, c->out.len, MSG_NOSIGNAL);

		if (n >= 0) {
			buf_drop(&c->out, (size_t)n);
		} else if (c->full || errno == EAGAIN) {
			c->full = true;		/* until the socket says otherwise */
			return;
		} else if (errno != EINTR) {
			c->deaf = errno;
		}
	}
	buf_end(&c->out);	/* an idle connection owns no buffer */
}

bool conn_put(struct conn *c, struct span piece)
{
	return c->ssl ? conn_tls_send(c, piece) : buf_add(&c->out, piece);
}

void conn_gathered(struct conn *c)
{
	conn_deflate_flush(c);
	if (c->state != CONN_ENDED)
		conn_flush(c);
}

bool conn_send(struct conn *c, struct span out)
{
	assert(c->state != CONN_DIALLING && c->state != CONN_HANDSHAKING && !c->tls_wanted);
	if (c->state != CONN_OPEN)
		return false;
	while (out.len && !c->deaf) {
		size_t n = out.len < PIECE ? out.len : PIECE;

		struct span piece = { out.at, n };

		if (!(c->zip ? conn_deflate_send(c, piece) : conn_put(c, piece)))
			return conn_fail(c, ERR_LOCAL, "out of memory");
		out = span_from(out, n);
		if (c->out.len >= CONN_OUT_LOW)
			conn_flush(c);
		if (c->out.len > CONN_OUT_MAX)
			return conn_fail(c, ERR_NET, "the server does not take what it is sent: %zu octets wait", c->out.len);
	}
	if (!c->calls)
		conn_gathered(c);
	if (c->state != CONN_OPEN)
		return false;
	if (c->out.len >= CONN_OUT_LOW)
		c->high = true;
	if (!c->calls)
		conn_watch(c);
	return true;
}

size_t conn_unsent(const struct conn *c)
{
	return c->out.len;
}
