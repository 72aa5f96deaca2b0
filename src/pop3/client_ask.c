/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller's commands, from the queue to the event that answers each. */
#include <assert.h>
#include <stdio.h>

#include "pop3/client_internal.h"

enum { ASK_TEXT_MAX = 32 };	/* "TOP 4294967295 4294967295\r\n" and more */

/* ---- asking */

bool p3c_can_ask(const struct p3c *s)
{
	return s->phase == PHASE_READY && !s->failed && s->count < P3C_WINDOW;
}

static void say_ask(struct p3c *s, const struct asked *a)
{
	char text[ASK_TEXT_MAX];
	int n;

	if (a->verb == VERB_TOP)
		n = snprintf(text, sizeof text, "TOP %u %u\r\n", a->number, a->lines);
	else if (a->number)
		n = snprintf(text, sizeof text, "%s %u\r\n", p3_client_verb(a->verb), a->number);
	else
		n = snprintf(text, sizeof text, "%s\r\n", p3_client_verb(a->verb));
	assert(n > 0 && n < ASK_TEXT_MAX);
	p3_client_say(s, (struct span){ text, (size_t)n });
}

/* All that is queued when the server pipelines, else one at a time; what finds
 * no room waits for p3c_sent. */
void ask_fill(struct p3c *s)
{
	if (s->phase == PHASE_LOGIN || s->phase == PHASE_OVER)
		return;
	while (s->sent < s->count && (!s->sent || p3c_pipelined(s))) {
		struct asked *a = &s->asked[(s->head + s->sent) % P3C_WINDOW];

		if (s->out.max - (s->out.len - s->out_sent) < ASK_TEXT_MAX)
			return;
		say_ask(s, a);
		a->behind = s->sent > 0;
		s->pipelining_used |= a->behind;
		s->sent++;
	}
}

/* It is out already (login.ahead). */
static bool was_said(struct p3c *s, enum verb verb)
{
	if (!s->ahead)
		return false;
	assert(verb == (s->ahead == 2 ? VERB_STAT : VERB_UIDL));
	s->ahead--;
	return true;
}

static void ask(struct p3c *s, enum verb verb, uint32_t number, uint32_t lines)
{
	struct asked *a;

	assert(p3c_can_ask(s));
	if (was_said(s, verb))
		return;
	a = client_push(s, verb);
	a->number = number;
	a->lines = lines;
	ask_fill(s);
}

void p3c_stat(struct p3c *s)
{
	ask(s, VERB_STAT, 0, 0);
}

void p3c_uidl(struct p3c *s)
{
	ask(s, VERB_UIDL, 0, 0);
}

void p3c_list(struct p3c *s)
{
	ask(s, VERB_LIST, 0, 0);
}

void p3c_retr(struct p3c *s, uint32_t number)
{
	assert(number);
	ask(s, VERB_RETR, number, 0);
}

void p3c_top(struct p3c *s, uint32_t number, uint32_t lines)
{
	assert(number);
	ask(s, VERB_TOP, number, lines);
}

void p3c_dele(struct p3c *s, uint32_t number)
{
	assert(number);
	ask(s, VERB_DELE, number, 0);
}

void p3c_quit(struct p3c *s)
{
	ask(s, VERB_QUIT, 0, 0);
	s->phase = PHASE_QUITTING;
}

/* ---- answers */

static void tell(const struct asked *a, enum p3c_what what, struct p3c_event *ev)
{
	ev->what = what;
	ev->verb = (enum p3c_verb)a->verb;
	ev->number = a->number;
}

static void on_bye(struct p3c *s, bool good, struct span line, struct p3c_event *ev)
{
	ev->what = P3C_BYE;
	ev->verb = P3C_ASK_QUIT;
	ev->good = good;
	ev->text = line;
	p3_client_pop(s);
	s->phase = PHASE_OVER;
}

static void on_refused(struct p3c *s, struct span line, struct p3c_event *ev)
{
	tell(client_oldest(s), P3C_REFUSED, ev);
	ev->text = line;
	ev->kind = p3_reply_code(line) == REPLY_CODE_BUSY ? ERR_BUSY : ERR_PEER;
	p3_client_pop(s);
}

void ask_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev)
{
	const struct asked *a = client_oldest(s);

	if (a->verb == VERB_QUIT) {
		on_bye(s, kind == REPLY_OK, line, ev);
		return;
	}
	if (kind == REPLY_ERR) {
		on_refused(s, line, ev);
		return;
	}
	switch (a->verb) {
	case VERB_UIDL:
	case VERB_LIST:
		s->expect = EXPECT_LISTING;
		s->listed = 0;
		return;
	case VERB_RETR:
	case VERB_TOP:
		s->expect = EXPECT_BODY;
		s->dot = (struct dot_in){ 0 };
		tell(a, P3C_BEGIN, ev);
		return;
	case VERB_STAT:
		tell(a, P3C_STAT, ev);
		if (reply_stat(line, P3C_LIST_MAX, &ev->number, &ev->size)) {
			p3_client_pop(s);
			return;
		}
		ev->what = P3C_NOTHING;
		client_broken(s, "STAT is answered without a message count up to 16777216 (RFC 1939 section 5)", line);
		return;
	}
	assert(a->verb == VERB_DELE);
	tell(a, P3C_DELETED, ev);
	p3_client_pop(s);
}

void ask_listing_line(struct p3c *s, struct span line, struct p3c_event *ev)
{
	const struct asked *a = client_oldest(s);
	bool uids = a->verb == VERB_UIDL;
	bool good;

	if (span_equal(line, SPAN("."))) {
		tell(a, P3C_LISTED, ev);
		p3_client_pop(s);
		return;
	}
	if (span_starts(line, SPAN(".")))	/* stuffed, though nothing begins with a dot here */
		line = span_from(line, 1);
	if (++s->listed > P3C_LIST_MAX) {
		p3_client_fail(s, ERR_PEER, "a listing without end (more than 16777216 lines)", NOTHING);
		return;
	}
	ev->verb = (enum p3c_verb)a->verb;
	good = uids ? reply_uid(line, &ev->number, &ev->text) : reply_size(line, &ev->number, &ev->size);
	if (good)
		ev->what = uids ? P3C_UID : P3C_SIZE;
	else
		client_broken(s, uids ? "a line of UIDL does not begin with a message number (RFC 1939 section 7)" :
			"a line of LIST does not begin with a message number (RFC 1939 section 5)", line);
}

/* After the final dot only the next reply may come.  Anything else is the rest
 * of a message that holds a line with a single dot, sent by a server that does
 * not stuff: what we have of it must not pass for the whole. */
static bool end_is_in_doubt(const struct p3c *s)
{
	bool more_asked = s->sent > 1;

	return s->in.len && (!more_asked || (s->in.at[0] != '+' && s->in.at[0] != '-'));
}

void ask_body(struct p3c *s, struct p3c_event *ev)
{
	const struct asked *a = client_oldest(s);

	switch (dot_next(&s->dot, &s->in, &ev->text)) {
	case DOT_MORE:
		return;
	case DOT_BODY:
		tell(a, P3C_BODY, ev);
		return;
	case DOT_END:
		break;
	}
	ev->text = NOTHING;
	if (end_is_in_doubt(s)) {
		client_broken(s, "octets behind the final dot of a message that are no reply; the server may not stuff dots "
			"(RFC 1939 section 3)", NOTHING);
		return;
	}
	tell(a, P3C_END, ev);
	p3_client_pop(s);
}
