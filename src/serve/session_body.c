/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way out: from the store's pages to the socket.
 *
 * A small one is copied, when RETR asks for it, so that many leave in one write (and
 * one TLS record), and the store is asked once; of a large one no octet is copied, but
 * by TLS: pieces go out under a short view each, as far as the socket takes them; but
 * where dots are doubled spans can be as short as an octet, and such are gathered.  What
 * is not in memory is fetched in a job first, so that no loop waits for a disk. */
#include <assert.h>
#include <stdlib.h>

#include "serve/session.h"
#include "store/mdir.h"

enum { TOUCH = 1 << 20, GATHERED = 2048 };

static const struct drop_message *current(const struct session *s)
{
	return &maildrop_messages(s->drop)[s->reading.number - 1];
}

static bool small(const struct session *s)
{
	return drop_octets(current(s)) <= WORKER_COPY;
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
	s->fetching = false;
	if (!s->sending)
		session_retr_again(s, true);
	session_pump(s, (struct span){ 0 });
}

/* False: then the loop waits for the disk: slow, but it goes on. */
static bool fetch(struct session *s)
{
	struct err e;

	if (!job_start(s->worker->loop, touch_work, touch_done, s, &e))
		return false;
	s->fetching = true;
	s->jobs++;
	return true;
}

/* ---- RETR, TOP */

static size_t take_none(void *user, struct span octets)
{
	(void)user;
	(void)octets;
	return 0;
}

static size_t take_into_hold(void *user, struct span in)
{
	struct session *s = user;
	struct span rest = in, piece;

	while (stuff_next(&s->stuff, &rest, &piece))
		if (!buf_add(&s->worker->hold, piece))
			assert(false && "the hold has room for a small message with all its dots doubled");
	return in.len;
}

/* A small message goes into the worker's hold at once. */
static enum maildrop_got take_small(struct session *s, bool wait)
{
	struct worker *w = s->worker;
	enum maildrop_got got;

	w->holder = NULL;
	w->hold.len = 0;
	do
		got = maildrop_piece(s->drop, &s->reading, wait, take_into_hold, s);
	while (got == MAILDROP_MORE && !stuff_enough(&s->stuff));
	if (got == MAILDROP_MORE)
		got = MAILDROP_END;
	if (got == MAILDROP_END) {
		(void)!buf_add(&w->hold, stuff_end(&s->stuff));
		w->holder = s;
	}
	return got;
}

static void start(struct session *s)
{
	maildrop_start(s->drop, s->number, &s->reading);
	stuff_start(&s->stuff, s->all, s->lines, drop_flags(current(s)) & DROP_PLAIN);
}

static void refuse_gone(struct session *s)
{
	maildrop_stop(s->drop);
	p3d_message_refused(session_p3d(s), P3D_CODE_NONE, maildrop_is_maildir(s->drop) ?
		"this message was removed or changed by others, or cannot be read" : "this message was removed by another session");
}

void session_retr_again(struct session *s, bool wait)
{
	enum maildrop_got got;

	start(s);
	got = small(s) ? take_small(s, wait) : maildrop_piece(s->drop, &s->reading, wait, take_none, NULL);
	if (got == MAILDROP_ABSENT) {
		start(s);
		if (!fetch(s))
			session_retr_again(s, true);
	} else if (got == MAILDROP_GONE) {
		refuse_gone(s);
	} else {
		p3d_message_begin(session_p3d(s));
	}
}

void session_retr(struct session *s, const struct p3d_event *ev)
{
	s->number = ev->number;
	s->all = ev->all;
	s->lines = ev->lines;
	if (maildrop_there(s->drop, s->number))
		session_retr_again(s, false);
	else
		refuse_gone(s);
}

void session_body(struct session *s, const struct p3d_event *ev)
{
	assert(s->number == ev->number);
	worker_count(s->worker, s->all ? COUNT_MESSAGES : COUNT_TOPS, 1);
	if (s->all)
		s->messages++;
	else
		s->tops++;
	s->sending = true;
}

/* ---- out */

static bool end_body(struct session *s)
{
	s->sending = false;
	s->worker->holder = NULL;
	maildrop_stop(s->drop);
	p3d_message_end(session_p3d(s));
	return true;
}

/* How much of `in` the socket took; what it took of a span is stepped over again. */
static size_t use_sent(void *user, struct span in)
{
	struct session *s = user;
	struct buf *out = &s->worker->out;
	struct span rest = in, piece;

	for (;;) {
		struct stuff before = s->stuff;
		struct span at = rest;
		size_t n;

		if (!stuff_next(&s->stuff, &rest, &piece))
			return in.len;
		if (piece.len <= GATHERED && buf_add(out, piece))
			continue;
		n = session_flush(s) ? conn_try_send(s->conn, piece) : 0;
		session_sent(s, n);
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

static bool went_away(struct session *s)
{
	session_log(s, LOG_WARN, "a message went away while it was sent");
	session_over(s, SAYS_STORE_FAILED);
	return false;
}

static bool send_held(struct session *s)
{
	struct worker *w = s->worker;

	if (w->holder != s) {		/* another one had the hold meanwhile */
		start(s);
		if (take_small(s, true) != MAILDROP_END)
			return went_away(s);
	}
	if (w->out.cap - w->out.len < w->hold.len && !session_flush(s))
		return false;
	if (!buf_add(&w->out, buf_span(&w->hold)))
		assert(false && "an empty buffer has room for a message that is held");
	return end_body(s);
}

static bool end_pieces(struct session *s)
{
	struct span end = stuff_end(&s->stuff);

	if (!buf_add(&s->worker->out, end)) {
		(void)session_flush(s);
		if (!buf_add(&s->worker->out, end))
			assert(false && "the buffer is empty");
	}
	return end_body(s);
}

static bool send_pieces(struct session *s)
{
	bool wait = false;

	while (session_flush(s)) {
		enum maildrop_got got = maildrop_piece(s->drop, &s->reading, wait, use_sent, s);

		if (got == MAILDROP_GONE)
			return went_away(s);	/* in the middle: never a false end */
		if (got == MAILDROP_ABSENT) {
			if (fetch(s))
				return false;
			wait = true;
		} else if (got == MAILDROP_END || stuff_enough(&s->stuff)) {
			return end_pieces(s);
		}
	}
	return false;
}

bool session_send_body(struct session *s)
{
	bool ended;

	if (s->fetching)
		return false;
	if (small(s))
		return send_held(s);
	conn_more(s->conn, true);
	ended = send_pieces(s);
	if (s->conn)
		conn_more(s->conn, false);
	return ended;
}
