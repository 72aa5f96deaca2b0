/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net/conn_inside.h"

enum {
	PIECE = 16 * 1024,		/* a TLS record's worth */
	TRY_PIECES = 2,
};
static_assert(TRY_PIECES * (PIECE + 256) <= CONN_TRY_QUEUE, "records and what TLS adds to them");

/* The queue.  It is of one size but for who has much in it, and the loop keeps a few that are empty:
 * else each record, and each rest that a socket did not take, would be a mapping of its own, made and given back. */

static bool take_spare(struct conn *c)
{
	struct loop *l = c->loop;
	char *at = l->spare_count ? l->spares[--l->spare_count] : malloc(LOOP_SPARE);

	if (!at)
		return false;
	c->out.at = at;
	c->out.cap = LOOP_SPARE;
	return true;
}

bool conn_queue(struct conn *c, struct span out)
{
	return (c->out.at || !out.len || take_spare(c)) && buf_add(&c->out, out);
}

void conn_queue_end(struct conn *c)
{
	struct loop *l = c->loop;

	if (!c->ssl && c->out.len)
		wipe(c->out.at, c->out.len);
	if (c->out.cap == LOOP_SPARE && l->spare_count < LOOP_SPARES) {
		l->spares[l->spare_count++] = c->out.at;
		c->out.at = NULL;
	}
	buf_end(&c->out);
}

/* An error here is not the end: what the peer said before it left may still be
 * unread ("-ERR too many commands"), and reading will find the error too. */
void conn_flush(struct conn *c)
{
	while (c->out.len && !c->deaf) {
		ssize_t n = c->full ? -1 : send(c->fd, c->out.at, c->out.len, MSG_NOSIGNAL | c->more);

		if (n >= 0) {
			buf_drop(&c->out, (size_t)n);
			if (!c->ssl)		/* a password may have been in it; the memory is for others next */
				wipe(c->out.at + c->out.len, (size_t)n);
			if (c->serving)
				conn_rearm(c);
		} else if (c->full || errno == EAGAIN) {
			c->full = true;		/* until the socket says otherwise */
			return;
		} else if (errno != EINTR) {
			c->deaf = errno;
		}
	}
	conn_queue_end(c);	/* an idle connection owns no buffer */
}

bool conn_put(struct conn *c, struct span piece)
{
	return c->ssl ? conn_tls_send(c, piece) : conn_queue(c, piece);
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
			return conn_fail(c, ERR_NET, "the %s does not take what it is sent: %zu octets wait", conn_other(c), c->out.len);
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

/* Records of TLS that leave together; what the socket does not take of them waits. */
static size_t try_sealed(struct conn *c, struct span out)
{
	size_t n = out.len < TRY_PIECES * PIECE ? out.len : TRY_PIECES * PIECE, done = 0;

	while (done < n) {
		size_t len = n - done < PIECE ? n - done : PIECE;

		if (!conn_put(c, (struct span){ out.at + done, len })) {
			(void)conn_fail(c, ERR_LOCAL, "out of memory");
			return 0;
		}
		done += len;
	}
	conn_flush(c);
	return done;
}

static size_t try_straight(struct conn *c, struct span out)
{
	ssize_t n = send(c->fd, out.at, out.len, MSG_NOSIGNAL | c->more);

	if (n >= 0) {
		conn_rearm(c);
		return (size_t)n;
	}
	if (errno == EAGAIN)
		c->full = true;
	else if (errno != EINTR)
		c->deaf = errno;
	return 0;
}

size_t conn_try_send(struct conn *c, struct span out)
{
	size_t done = 0;

	assert(c->state > CONN_HANDSHAKING && !c->tls_wanted && !c->zip);
	if (c->state != CONN_OPEN)
		return 0;
	if (!c->calls)
		c->tried = 0;
	conn_flush(c);			/* what was sent before comes first */
	while (done < out.len && c->state == CONN_OPEN && !c->out.len && !c->full && !c->deaf && c->tried < CONN_TRY_TURN) {
		struct span rest = span_from(out, done);
		size_t n, most = CONN_TRY_TURN - c->tried;

		if (rest.len > most)
			rest.len = most;
		n = c->ssl ? try_sealed(c, rest) : try_straight(c, rest);
		done += n;
		c->tried += n;
	}
	if (c->state != CONN_OPEN)
		return 0;
	if (done < out.len) {
		c->starved = true;
		c->woken = false;
	}
	if (!c->calls && !conn_over(c))
		conn_watch(c);
	return done;
}

size_t conn_unsent(const struct conn *c)
{
	return c->out.len;
}

size_t conn_untaken(const struct conn *c)
{
	int kernel = 0;

	if (c->fd < 0 || ioctl(c->fd, SIOCOUTQ, &kernel) < 0)
		kernel = 0;
	return c->out.len + (size_t)kernel;
}

bool conn_waits(const struct conn *c)
{
	int octets = 0;

	return c->fd >= 0 && ioctl(c->fd, FIONREAD, &octets) == 0 && octets > 0;
}

void conn_more(struct conn *c, bool follows)
{
	c->more = follows ? MSG_MORE : 0;
}
