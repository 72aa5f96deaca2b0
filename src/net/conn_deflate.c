/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression as a filter between the user's octets and TLS's, or the socket's
 * in clear: raw deflate in both directions (RFC 4978).
 *
 * A few octets may become a thousand times as many.  They are inflated into
 * the loop's buffer and told from there, some turns at a time; what is not
 * inflated yet is held, and nothing is read meanwhile.  So a paused user gets
 * nothing more, another connection has its turn, and the memory is bounded by
 * what one reading brings. */
#define ZLIB_CONST
#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "net/conn_inside.h"

enum {
	TURNS_AT_ONCE = 16,		/* then it is another connection's turn */
	IN_WINDOW = 15,			/* any server may use it all: 32 KiB */
	OUT_WINDOW = 13, OUT_MEMORY = 6,	/* commands are short: 64 KiB do */
	HELD_MAX = 2 * CONN_IN_MAX,	/* one reading, and what TLS kept of the one before */
	PIECE_OUT = 8192,
};

struct zip {
	z_stream in, out;
	uv_idle_t idle;			/* goes on with what is held */
	struct buf held;		/* came in, and is not inflated yet */
	bool more;			/* the inflater has more than fitted into a turn */
	bool begun;			/* the turn that started it is over */
	bool unsent;			/* the deflater keeps octets of the user's */
	bool resting;			/* there is no deflater: one is made when something is to be sent */
	bool over;			/* the server ended its stream */
	bool parting;			/* the end came behind what is held: */
	struct err why;			/* this one */
};

static bool make_deflater(z_stream *z)
{
	*z = (z_stream){ 0 };
	return deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -OUT_WINDOW, OUT_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
}

bool conn_start_deflate(struct conn *c, struct err *e)
{
	struct zip *z = calloc(1, sizeof *z);
	char *plain = c->loop->plain ? c->loop->plain : malloc(CONN_IN_MAX);

	assert(c->state == CONN_OPEN && c->calls && !c->zip && !c->tls_wanted);
	c->loop->plain = plain;
	if (!z || !plain || inflateInit2(&z->in, -IN_WINDOW) != Z_OK) {
		free(z);
		return err_set(e, ERR_LOCAL, "out of memory");
	}
	if (!make_deflater(&z->out)) {
		(void)inflateEnd(&z->in);
		free(z);
		return err_set(e, ERR_LOCAL, "out of memory");
	}
	buf_start(&z->held, HELD_MAX);
	(void)uv_idle_init(&c->loop->uv, &z->idle);
	z->idle.data = c;
	c->handles++;
	c->zip = z;
	return true;
}

void conn_deflate_end(struct conn *c, uv_close_cb closed)
{
	if (c->zip)
		uv_close((uv_handle_t *)&c->zip->idle, closed);
}

void conn_deflate_free(struct conn *c)
{
	if (!c->zip)
		return;
	(void)inflateEnd(&c->zip->in);
	if (!c->zip->resting)
		(void)deflateEnd(&c->zip->out);
	buf_wipe(&c->zip->held);
	free(c->zip);
	c->zip = NULL;
}

/* In */

size_t conn_deflate_held(const struct conn *c)
{
	return c->zip ? c->zip->held.len + c->zip->more : 0;
}

static bool may_tell(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->paused;
}

/* One turn's worth.  What was good in front of what is broken is told. */
static void inflate_some(struct conn *c, struct span *in)
{
	struct zip *z = c->zip;
	char *plain = c->loop->plain;
	size_t len;
	int result;

	if (z->over && in->len) {
		(void)conn_fail(c, ERR_PEER, "%zu octets came behind the end of the server's deflate stream (RFC 4978)", in->len);
		return;
	}
	z->in.next_in = (const Bytef *)in->at;
	z->in.avail_in = (uInt)in->len;
	z->in.next_out = (Bytef *)plain;
	z->in.avail_out = CONN_IN_MAX;
	result = inflate(&z->in, Z_SYNC_FLUSH);
	len = CONN_IN_MAX - z->in.avail_out;
	*in = span_from(*in, in->len - z->in.avail_in);
	z->over = result == Z_STREAM_END;
	z->more = !z->in.avail_out && !z->over;
	if (len)
		conn_turn(c, (struct span){ plain, len });
	wipe(plain, len);
	if (result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END || c->state != CONN_OPEN)
		return;
	if (result == Z_MEM_ERROR)
		(void)conn_fail(c, ERR_LOCAL, "out of memory");
	else
		(void)conn_fail(c, ERR_PEER, "what the server compressed cannot be inflated (%s): no raw deflate, as COMPRESS=DEFLATE demands "
			"(RFC 4978), or somebody is interfering", z->in.msg ? z->in.msg : "broken data");
}

/* Returns what is left of it. */
static struct span tell(struct conn *c, struct span in)
{
	for (unsigned n = 0; n < TURNS_AT_ONCE && may_tell(c) && (in.len || c->zip->more); n++)
		inflate_some(c, &in);
	return in;
}

/* TLS's end was read behind what is held. */
static void part(struct conn *c)
{
	if (c->zip->why.kind) {
		conn_fail_as(c, &c->zip->why);
	} else {
		conn_tls_bye(c);
		conn_end(c, NULL);
	}
}

static void on_idle(uv_idle_t *uv)
{
	struct conn *c = uv->data;
	struct zip *z = c->zip;
	struct span rest;

	(void)uv_idle_stop(uv);
	if (!may_tell(c))
		return;
	conn_rearm(c);
	c->calls++;
	rest = tell(c, buf_span(&z->held));
	buf_drop(&z->held, z->held.len - rest.len);
	if (!z->held.len)
		buf_end(&z->held);
	conn_deflate_resume(c);
	if (z->parting && !conn_deflate_held(c) && c->state == CONN_OPEN)
		part(c);
	conn_settle(c);
	c->calls--;
}

void conn_deflate_resume(struct conn *c)
{
	if (conn_deflate_held(c) && may_tell(c))
		(void)uv_idle_start(&c->zip->idle, on_idle);
}

void conn_input(struct conn *c, struct span in)
{
	if (!c->zip) {
		conn_turn(c, in);
		return;
	}
	if (!conn_deflate_held(c))
		in = tell(c, in);
	if (c->state != CONN_OPEN)
		return;
	if (!buf_add(&c->zip->held, in)) {
		(void)conn_fail(c, ERR_LOCAL, "out of memory");
		return;
	}
	conn_deflate_resume(c);
}

bool conn_deflate_begins(struct conn *c)
{
	bool begins = c->zip && !c->zip->begun;

	if (begins)
		c->zip->begun = true;
	return begins;
}

bool conn_deflate_parts(struct conn *c, const struct err *why)
{
	if (!conn_deflate_held(c) || c->state != CONN_OPEN)
		return false;
	c->zip->parting = true;
	c->zip->why = why ? *why : (struct err){ 0 };
	return true;
}

/* Out */

static bool deflate_all(struct conn *c, struct span out, int flush)
{
	z_stream *z = &c->zip->out;
	char piece[PIECE_OUT];

	z->next_in = (const Bytef *)out.at;
	z->avail_in = (uInt)out.len;
	do {
		z->next_out = (Bytef *)piece;
		z->avail_out = PIECE_OUT;
		(void)deflate(z, flush);
		if (z->avail_out < PIECE_OUT && !conn_put(c, (struct span){ piece, PIECE_OUT - z->avail_out }))
			return false;
	} while (!z->avail_out);
	assert(!z->avail_in);
	return true;
}

bool conn_deflate_send(struct conn *c, struct span out)
{
	if (c->zip->resting && !make_deflater(&c->zip->out))
		return false;
	c->zip->resting = false;
	c->zip->unsent = true;
	return deflate_all(c, out, Z_NO_FLUSH);
}

void conn_deflate_flush(struct conn *c)
{
	if (!c->zip || !c->zip->unsent || c->state != CONN_OPEN || c->deaf)
		return;
	c->zip->unsent = false;
	if (!deflate_all(c, (struct span){ 0 }, Z_SYNC_FLUSH))
		(void)conn_fail(c, ERR_LOCAL, "out of memory");
}

/* Behind a flush the stream is at the beginning of a block and of an octet: a deflater without memories may go on. */
void conn_deflate_rest(struct conn *c)
{
	conn_deflate_flush(c);
	if (!c->zip || c->zip->unsent || c->zip->resting)
		return;
	(void)deflateEnd(&c->zip->out);
	c->zip->resting = true;
}
