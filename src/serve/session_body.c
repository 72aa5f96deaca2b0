/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way out: from the store's pages to the socket.
 *
 * A small one is copied into the worker's buffer, so that many leave in one write
 * (and one TLS record); of a large one no octet is copied, but by TLS: pieces
 * go out under a short view each, as far as the socket takes them.  What is not in
 * memory is fetched in a job first, so that no loop waits for a disk. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "serve/session.h"

enum { COPY_MAX = 16 * 1024, TOUCH = 1 << 20 };

static const struct drop_message *current(const struct session *s)
{
	return &maildrop_messages(s->drop)[s->reading.number - 1];
}

/* ---- from the disk */

static void touch_work(void *user)
{
	struct session *s = user;

	maildrop_touch(s->drop, &s->reading, TOUCH);
}

static void touch_done(void *user)
{
	struct session *s = user;

	s->jobs--;
	if (!s->conn || s->closing) {
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	if (!s->sending)
		session_retr_ready(s);
	session_pump(s, (struct span){ 0 });
}

/* False: a job fetches it. */
static bool at_hand(struct session *s)
{
	struct err e;

	if (maildrop_in_memory(s->drop, &s->reading))
		return true;
	if (!job_start(s->worker->loop, touch_work, touch_done, s, &e))
		return true;	/* then the loop waits for the disk: slow, but it goes on */
	s->jobs++;
	return false;
}

/* ---- RETR, TOP */

static size_t take_none(void *user, struct span octets)
{
	(void)user;
	(void)octets;
	return 0;
}

void session_retr_ready(struct session *s)
{
	if (maildrop_piece(s->drop, &s->reading, take_none, NULL) == MAILDROP_GONE)
		p3d_message_refused(session_p3d(s), P3D_CODE_NONE, "this message was removed by another session");
	else
		p3d_message_begin(session_p3d(s));
}

void session_retr(struct session *s, const struct p3d_event *ev)
{
	maildrop_start(s->drop, ev->number, &s->reading);
	if (at_hand(s))
		session_retr_ready(s);
}

void session_body(struct session *s, const struct p3d_event *ev)
{
	bool plain = drop_flags(current(s)) & DROP_PLAIN;

	assert(s->reading.number == ev->number);
	stuff_start(&s->stuff, ev->all, ev->lines, plain);
	s->sending = true;
	worker_count(s->worker, ev->all ? COUNT_MESSAGES : COUNT_TOPS, 1);
	if (ev->all)
		s->messages++;
	else
		s->tops++;
}

/* How much of `in` went out by copying; less than all: the buffer is full. */
static size_t use_copied(void *user, struct span in)
{
	struct session *s = user;
	struct buf *out = &s->worker->out;
	struct span rest = in, piece;

	for (;;) {
		struct stuff before = s->stuff;
		struct span at = rest;

		if (!stuff_next(&s->stuff, &rest, &piece))
			return in.len;
		if (buf_add(out, piece))
			continue;
		s->stuff = before;
		return in.len - at.len;
	}
}

/* The same by the socket; what it took of a span is stepped over again. */
static size_t use_sent(void *user, struct span in)
{
	struct session *s = user;
	struct span rest = in, piece;

	for (;;) {
		struct stuff before = s->stuff;
		struct span at = rest;
		size_t n;

		if (!stuff_next(&s->stuff, &rest, &piece))
			return in.len;
		n = piece.len ? conn_try_send(s->conn, piece) : 0;
		s->octets += n;
		if (n == piece.len)
			continue;
		s->full = true;
		s->stuff = before;
		if (n) {
			at.len = n;
			(void)stuff_next(&s->stuff, &at, &piece);
			assert(piece.len == n);
			return (size_t)(at.at - in.at);
		}
		return in.len - at.len;
	}
}

static bool end_body(struct session *s)
{
	struct span end = stuff_end(&s->stuff);

	if (s->worker->out.cap - s->worker->out.len < end.len)
		(void)session_flush(s);
	if (!buf_add(&s->worker->out, end))
		assert(!"a flushed buffer has room");
	s->sending = false;
	p3d_message_end(session_p3d(s));
	return true;
}

bool session_send_body(struct session *s)
{
	bool copy = drop_octets(current(s)) <= COPY_MAX;

	if (!copy && !session_flush(s))
		return false;
	for (;;) {
		if (!at_hand(s))
			return false;
		switch (maildrop_piece(s->drop, &s->reading, copy ? use_copied : use_sent, s)) {
		case MAILDROP_END:
			return end_body(s);
		case MAILDROP_GONE:	/* in the middle: never a false end */
			log_warn(NULL, "service=POP user=%s message %u went away while it was sent", s->account, s->reading.number);
			session_over(s, END_STORE);
			return false;
		case MAILDROP_MORE:
			break;
		}
		if (stuff_enough(&s->stuff))
			return end_body(s);
		if (copy && !session_flush(s))
			return false;
		if (s->full)
			return false;
	}
}
