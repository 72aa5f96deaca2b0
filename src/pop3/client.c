/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client.h"

#include <assert.h>
#include <stdio.h>

#include "pop3/client_internal.h"

static const char *const verb_names[] = {
	"", "STAT", "UIDL", "LIST", "RETR", "TOP", "DELE", "QUIT",
	"at all", "CAPA", "STLS", "AUTH", "UTF8", "USER", "PASS", "APOP", "AUTH", "the cancelled AUTH",
};
static_assert(COUNT(verb_names) == VERBS, "a name for each verb");

const char *p3_client_verb(enum verb verb)
{
	assert(verb < VERBS);
	return verb_names[verb];
}

size_t p3c_size(void)
{
	return sizeof(struct p3c);
}

void p3c_start(struct p3c *s, const struct p3c_login *login)
{
	memset(s, 0, offsetof(struct p3c, stamp));
	s->login = login;
	s->secure = login->secure;
	ladder_start(&s->ladder, login->mechs, login->mech_count, &login->before, s->words);
	lines_start(&s->lines, s->line_memory, sizeof s->line_memory);
	buf_lend(&s->out, s->out_memory, sizeof s->out_memory);
	(void)client_push(s, VERB_GREETING);
	s->sent = 1;
}

void p3c_end(struct p3c *s)
{
	wipe(s, sizeof *s);
	s->phase = PHASE_OVER;
}

/* ---- failing */

void p3_client_fail(struct p3c *s, enum err_kind kind, const char *why, struct span words)
{
	if (s->failed)
		return;
	s->failed = true;
	(void)err_set(&s->error, kind, "%s", why);
	if (words.len)
		(void)err_peer(&s->error, words);
}

void client_broken(struct p3c *s, const char *why, struct span words)
{
	s->pipelining_broken = s->pipelining_used;
	p3_client_fail(s, ERR_PEER, why, words);
}

/* ---- the queue of what is unanswered */

const struct asked *client_oldest(const struct p3c *s)
{
	return s->sent ? &s->asked[s->head] : NULL;
}

struct asked *client_push(struct p3c *s, enum verb verb)
{
	struct asked *a = &s->asked[(s->head + s->count) % P3C_WINDOW];

	assert(s->count < P3C_WINDOW);
	*a = (struct asked){ .verb = (uint8_t)verb };
	s->count++;
	return a;
}

void p3_client_pop(struct p3c *s)
{
	assert(s->sent && s->sent <= s->count);
	s->pipelining_proved |= s->asked[s->head].behind;
	s->head = (s->head + 1) % P3C_WINDOW;
	s->count--;
	s->sent--;
	s->expect = EXPECT_REPLY;
	ask_fill(s);
}

/* ---- out */

void p3_client_say(struct p3c *s, struct span text)
{
	if (text.len > s->out.max - s->out.len && s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (!buf_add(&s->out, text))
		p3_client_fail(s, ERR_LOCAL, "a command is too long to be sent", NOTHING);
}

void p3_client_command(struct p3c *s, enum verb verb, struct span a, struct span b)
{
	struct asked *said = client_push(s, verb);

	assert(s->sent + 1 == s->count);	/* login commands never wait */
	said->behind = s->sent > 0;
	s->pipelining_used |= said->behind;
	s->sent++;
	p3_client_say(s, span_of(p3_client_verb(verb)));
	for (int n = 0; n < 2; n++, a = b) {
		if (!a.len)
			break;
		p3_client_say(s, SPAN(" "));
		p3_client_say(s, a);
	}
	p3_client_say(s, SPAN("\r\n"));
}

struct span p3c_out(const struct p3c *s)
{
	return span_from(buf_span(&s->out), s->out_sent);
}

void p3c_sent(struct p3c *s, size_t n)
{
	assert(n <= s->out.len - s->out_sent);
	s->out_sent += n;
	if (s->out_sent < s->out.len)
		return;
	wipe(s->out.at, s->out.len);	/* it may have been the password */
	s->out.len = s->out_sent = 0;
	ask_fill(s);
}

/* ---- in */

void p3c_feed(struct p3c *s, struct span in)
{
	assert(s->in.len == 0);
	if (s->phase != PHASE_OVER)
		s->in = in;
}

size_t p3c_unread(const struct p3c *s)
{
	return s->in.len;
}

void p3c_eof(struct p3c *s)
{
	s->eof = true;
}

static void on_reply(struct p3c *s, struct span line, struct p3c_event *ev)
{
	const struct asked *a = client_oldest(s);
	enum reply kind = p3_reply_kind(line);

	if (!a && kind == REPLY_ERR)
		p3_client_fail(s, p3_reply_code(line) == REPLY_CODE_BUSY ? ERR_BUSY : ERR_PEER, "the server ended the session", line);
	else if (!a)
		client_broken(s, "a reply that nobody asked for", line);
	else if (kind == REPLY_NONE)
		client_broken(s, "a reply is neither +OK nor -ERR (RFC 1939 section 3)", line);
	else if (kind == REPLY_MORE && a->verb != VERB_AUTH && a->verb != VERB_MECHS)
		client_broken(s, "a challenge that belongs to no AUTH (RFC 5034)", line);
	else if (a->verb > VERB_QUIT)
		login_reply(s, kind, line, ev);
	else
		ask_reply(s, kind, line, ev);
}

static void on_line(struct p3c *s, struct p3c_event *ev)
{
	struct span line;

	switch (lines_next(&s->lines, &s->in, &line)) {
	case LINE_MORE:
		return;
	case LINE_LONG:
		client_broken(s, "a reply of more than 4096 octets (RFC 1939 section 3 allows 512)", NOTHING);
		return;
	case LINE_WHOLE:
		break;
	}
	if (s->expect == EXPECT_REPLY)
		on_reply(s, line, ev);
	else if (client_oldest(s)->verb > VERB_QUIT)
		login_listing_line(s, line);
	else
		ask_listing_line(s, line, ev);
}

static void on_bytes(struct p3c *s, struct p3c_event *ev)
{
	switch (s->turn) {
	case TURN_TLS:
		p3_client_fail(s, ERR_PEER, "data before TLS: octets between the answer to STLS and the handshake, as an attacker "
			"would insert them (RFC 2595 section 4)", NOTHING);
		return;
	case TURN_SASL:
		p3_client_fail(s, ERR_PEER, "the server spoke while it had to wait for our response (RFC 5034)", NOTHING);
		return;
	case TURN_SERVER:
		break;
	}
	if (s->expect == EXPECT_BODY)
		ask_body(s, ev);
	else
		on_line(s, ev);
}

static void on_eof(struct p3c *s, struct p3c_event *ev)
{
	const struct asked *a = client_oldest(s);
	char why[128];

	if (a && a->verb == VERB_QUIT && !s->failed) {
		*ev = (struct p3c_event){ .what = P3C_BYE };
		s->phase = PHASE_OVER;
		return;
	}
	if (s->sasl.proof_failed) {	/* that is the news, not the end */
		s->failed = true;
		return;
	}
	if (!a)
		(void)snprintf(why, sizeof why, "the server closed the connection");
	else if (a->number)
		(void)snprintf(why, sizeof why, "the server closed the connection %s %s %u",
			s->expect == EXPECT_BODY ? "inside the answer to" : "before it answered", p3_client_verb(a->verb), a->number);
	else
		(void)snprintf(why, sizeof why, "the server closed the connection %s %s",
			s->expect == EXPECT_REPLY ? "before it answered" : "inside the answer to", p3_client_verb(a->verb));
	p3_client_fail(s, ERR_NET, why, NOTHING);
}

/* What is due is told before more is read; a failure comes once. */
enum p3c_what p3c_next(struct p3c *s, struct p3c_event *ev)
{
	*ev = (struct p3c_event){ 0 };
	while (!ev->what && s->phase != PHASE_OVER) {
		if (s->failed) {
			ev->what = P3C_FAILED;
			s->phase = PHASE_OVER;
		} else if (s->try_next) {
			p3_auth_next(s, ev);
		} else if (s->ready) {
			s->ready = false;
			s->phase = PHASE_READY;
			ev->what = P3C_READY;
		} else if (s->in.len) {
			on_bytes(s, ev);
		} else if (s->eof) {
			on_eof(s, ev);
		} else {
			break;
		}
	}
	if (s->phase == PHASE_OVER)
		s->in.len = 0;		/* after the end nothing counts */
	return ev->what;
}

/* ---- what may be asked about a session */

const struct err *p3c_error(const struct p3c *s)
{
	return &s->error;
}

unsigned p3c_capabilities(const struct p3c *s)
{
	return s->capabilities;
}

enum sasl_mech p3c_mechanism(const struct p3c *s)
{
	return s->ladder.now;
}

unsigned p3c_offered(const struct p3c *s)
{
	return s->offered;
}

bool p3c_greeted(const struct p3c *s)
{
	return s->greeted;
}

bool p3c_trying(const struct p3c *s)
{
	return s->trying;
}

const struct ladder *p3c_ladder(const struct p3c *s)
{
	return &s->ladder;
}

bool p3c_pipelined(const struct p3c *s)
{
	return (s->capabilities & P3C_CAPA_PIPELINING) && !s->login->lockstep;
}

bool p3c_pipelining_broken(const struct p3c *s)
{
	const struct asked *a = client_oldest(s);

	return s->pipelining_broken || (a && a->behind && !s->pipelining_proved);
}

bool p3c_tls_refused(const struct p3c *s)
{
	return s->tls_refused;
}

size_t p3c_outstanding(const struct p3c *s)
{
	return s->count;
}
