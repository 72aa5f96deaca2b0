/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server.h"

#include <assert.h>

#include "pop3/server_internal.h"

size_t p3d_size(void)
{
	return sizeof(struct p3d);
}

void p3d_start(struct p3d *s, const struct p3d_settings *settings)
{
	assert(strlen(settings->greeting) <= P3D_GREETING_MAX);
	*s = (struct p3d){ .settings = settings, .phase = PHASE_AUTH, .answer = ANSWER_GREETING };
}

void p3d_end(struct p3d *s)
{
	wipe(s, sizeof *s);
	s->phase = PHASE_OVER;
}

/* ---- turns */

void p3d_feed(struct p3d *s, struct span in)
{
	assert(!s->turn);
	assert(in.len >= s->held);	/* what was left unread comes again, in front */
	if (s->phase == PHASE_OVER)
		return;
	s->turn = true;
	s->work = 0;
	s->in = in;
}

size_t p3d_turn_end(struct p3d *s)
{
	if (s->turn)
		s->held = s->in.len;
	s->turn = false;
	s->in = (struct span){ 0 };
	return s->held;
}

void p3d_eof(struct p3d *s)
{
	s->eof = true;
}

void p3d_stop(struct p3d *s, const char *words)
{
	assert(words);
	s->stop = words;
}

void p3d_last(struct p3d *s)
{
	assert(s->answer != ANSWER_NONE);
	s->last = true;
}

bool p3d_waiting(const struct p3d *s)
{
	return s->wait != WAIT_CLIENT;
}

bool p3d_logged_in(const struct p3d *s)
{
	return s->phase == PHASE_TRANS;
}

void server_over(struct p3d *s, struct p3d_event *ev, enum p3d_what what)
{
	s->phase = PHASE_OVER;
	s->in = (struct span){ 0 };	/* after the end nothing counts */
	s->held = 0;
	ev->what = what;
}

/* ---- waiting for the caller */

void server_wait(struct p3d *s, struct p3d_event *ev, enum wait wait, enum p3d_what what)
{
	assert(s->wait == WAIT_CLIENT && s->answer == ANSWER_NONE);
	s->wait = wait;
	ev->what = what;
}

void server_answer(struct p3d *s, enum wait wait, enum answer answer)
{
	assert(s->wait == wait && s->answer == ANSWER_NONE);
	s->wait = WAIT_CLIENT;
	s->answer = answer;
}

void server_turn_down(struct p3d *s, enum wait wait, enum p3d_code code, const char *words, const char *ours)
{
	server_answer(s, wait, ANSWER_REFUSED);
	s->code = code;
	s->words = span_of(words);
	s->ours = ours;
}

static void say_answer(struct p3d *s, struct p3d_event *ev)
{
	enum answer answer = s->answer;

	s->answer = ANSWER_NONE;
	switch (answer) {
	case ANSWER_NONE:
		break;
	case ANSWER_GREETING:
		server_say_words(s, SPAN("+OK "), span_of(s->settings->greeting));
		break;
	case ANSWER_CHALLENGE:
		server_say_challenge(s);
		break;
	case ANSWER_LOGIN_OK:
		server_sayf(s, "+OK %u messages", s->left);
		break;
	case ANSWER_REFUSED:
		server_say_refusal(s);
		break;
	case ANSWER_BEGIN:
		server_begin(s, ev);
		break;
	case ANSWER_COMMITTED:
		server_say_committed(s, ev);
		break;
	case ANSWER_XMIT_GO:
		server_say(s, "+OK send the message, and a line with a dot alone");
		break;
	case ANSWER_XMIT_OK:
		server_say(s, "+OK submitted");
		break;
	}
}

/* ---- octets in */

bool server_line(struct p3d *s, size_t max, struct span *line, size_t *size, struct p3d_event *ev)
{
	size_t lf = s->scanned + span_find(span_from(s->in, s->scanned), '\n');

	assert(s->scanned <= s->in.len && max >= P3D_LINE_MAX);
	if (lf >= max) {	/* its line end, here or to come, is beyond */
		server_say(s, "-ERR the line is too long");
		server_over(s, ev, P3D_OVERLONG);
		return false;
	}
	if (lf == s->in.len) {
		s->scanned = lf;
		return false;
	}
	*size = lf + 1;
	*line = (struct span){ s->in.at, lf };
	if (lf && line->at[lf - 1] == '\r')
		line->len--;
	s->in = span_from(s->in, *size);
	s->scanned = 0;
	return true;
}

/* A TLS hello instead of POP3?  False: one octet is too few to say. */
static bool first_octets(struct p3d *s, struct p3d_event *ev)
{
	bool hello = s->in.at[0] == 0x16 && !s->settings->secure;

	if (hello && s->in.len == 1 && !s->eof)
		return false;
	s->begun = true;
	if (!hello || s->in.len < 2 || s->in.at[1] != 0x03)
		return true;
	server_say(s, "-ERR this port speaks POP3 first, not TLS: use STLS, or the port for POP3 over TLS");
	server_over(s, ev, P3D_TLS_HELLO);
	return true;
}

/* False: there is nothing that could be eaten yet. */
static bool eat(struct p3d *s, struct p3d_event *ev)
{
	size_t before = s->in.len;

	if (!before || (!s->begun && !first_octets(s, ev)))
		return false;
	s->work += P3D_LINE_WORK;
	if (ev->what)
		return true;
	switch (s->reading) {
	case READ_COMMAND:
		server_command(s, ev);
		break;
	case READ_RESPONSE:
		server_response(s, ev);
		break;
	case READ_XMIT:
		server_xmit_body(s, ev);
		break;
	}
	return ev->what || s->in.len < before;
}

/* ---- the turn */

/* A challenge needs more room than a reply, an empty out always has it. */
static bool room(const struct p3d *s)
{
	size_t need = s->answer == ANSWER_CHALLENGE ? SPAN("+ \r\n").len + (s->words.len + 2) / 3 * 4 : P3D_REPLY_MAX;

	return s->out->max - s->out->len >= need;
}

static bool step(struct p3d *s, struct p3d_event *ev)
{
	if (!room(s)) {
		assert(s->out->len);
		ev->what = P3D_SEND;
	} else if (s->answer != ANSWER_NONE) {
		say_answer(s, ev);
		if (s->last)
			server_over(s, ev, P3D_BYE);
	} else if (s->wait != WAIT_CLIENT) {
		return false;
	} else if (s->work >= P3D_WORK) {
		s->work = 0;
		ev->what = P3D_REST;
	} else if (s->listing != LISTING_NONE) {
		s->work++;
		server_list_line(s);
	} else if (!eat(s, ev)) {
		if (s->eof)
			server_over(s, ev, P3D_GONE);
		return s->eof;
	}
	return true;
}

enum p3d_what p3d_next(struct p3d *s, struct buf *out, struct p3d_event *ev)
{
	assert(out->lent && out->max >= P3D_OUT_MIN);
	assert(s->turn || !s->held || s->phase == PHASE_OVER);	/* p3d_feed what is unread */
	*ev = (struct p3d_event){ 0 };
	s->out = out;
	while (s->phase != PHASE_OVER && !ev->what && step(s, ev))
		;
	s->out = NULL;
	return ev->what;
}
