/* SPDX-License-Identifier: Apache-2.0
 *
 * From the greeting to P3C_READY: capabilities, STLS, and what surrounds the
 * login itself.  Steps follow one another by login_step; each answer leads
 * there again. */
#include <assert.h>

#include "pop3/client_internal.h"

static const struct capability {
	const char *name;
	unsigned bit;
} capability_names[] = {
	{ "TOP", P3C_CAPA_TOP }, { "UIDL", P3C_CAPA_UIDL }, { "USER", P3C_CAPA_USER }, { "STLS", P3C_CAPA_STLS },
	{ "PIPELINING", P3C_CAPA_PIPELINING }, { "RESP-CODES", P3C_CAPA_RESP_CODES }, { "UTF8", P3C_CAPA_UTF8 },
};

static void no_tls(struct p3c *s, const char *why, struct span line)
{
	s->clear_agreed = true;
	if (!s->login->stls_required)
		return;
	s->tls_refused = true;
	p3_client_fail(s, ERR_TLS, why, line);
}

/* STLS, if it is wanted and not yet decided; true when it is under way. */
static bool start_tls(struct p3c *s)
{
	bool known = s->capabilities & P3C_CAPA_ANSWERED;

	if (!s->login->stls || s->secure || s->clear_agreed)
		return false;
	if (known && !(s->capabilities & P3C_CAPA_STLS)) {
		no_tls(s, "the server offers no STLS (or somebody took it away), and tls.required is set; "
			"does it have a port with tls.mode = implicit (995)?", NOTHING);
		return s->failed;
	}
	p3_client_command(s, VERB_STLS, NOTHING, NOTHING);
	return true;
}

/* The capabilities are known, or known not to be had. */
static void after_capabilities(struct p3c *s)
{
	if (s->logged_in) {
		s->ready = true;
		return;
	}
	if (start_tls(s))
		return;
	if (s->login->detect_auth && !(s->capabilities & P3C_CAPA_ANSWERED))
		p3_client_command(s, VERB_MECHS, NOTHING, NOTHING);
	else if (s->capabilities & P3C_CAPA_UTF8)
		p3_client_command(s, VERB_UTF8, NOTHING, NOTHING);
	else
		s->try_next = true;
}

static void ask_capabilities(struct p3c *s)
{
	if (s->login->detect_capa)
		p3_client_command(s, VERB_CAPA, NOTHING, NOTHING);
	else
		after_capabilities(s);
}

static void on_greeting(struct p3c *s, enum reply kind, struct span line)
{
	struct span stamp = reply_timestamp(line);

	p3_client_pop(s);
	if (kind != REPLY_OK) {
		p3_client_fail(s, p3_reply_code(line) == REPLY_CODE_BUSY ? ERR_BUSY : ERR_PEER, "the server turns us away", line);
		return;
	}
	s->greeted = true;
	if (s->login->detect_greeting && stamp.len && stamp.len <= sizeof s->stamp) {
		memcpy(s->stamp, stamp.at, stamp.len);
		s->stamp_len = stamp.len;
		s->stamp_secure = s->secure;
	}
	ask_capabilities(s);
}

static void on_stls(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev)
{
	p3_client_pop(s);
	if (kind == REPLY_OK) {
		s->turn = TURN_TLS;
		ev->what = P3C_TLS;
		return;
	}
	no_tls(s, "the server refuses STLS, and tls.required is set", line);
	if (!s->failed)
		after_capabilities(s);
}

void p3c_secured(struct p3c *s)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_TLS && !s->count);
	if (s->in.len)		/* not TLS's: the next p3c_next says so */
		return;
	s->turn = TURN_SERVER;
	s->secure = true;
	s->capabilities = s->offered = 0;
	ask_capabilities(s);
}

/* After the login a server may have no more CAPA: then what it said before holds. */
static void on_capa(struct p3c *s, enum reply kind)
{
	if (kind == REPLY_OK) {
		s->expect = EXPECT_LISTING;
		s->listed = 0;
		s->capabilities = P3C_CAPA_ANSWERED;
		s->offered = 0;
		return;
	}
	p3_client_pop(s);
	after_capabilities(s);
}

/* The list of mechanisms that AUTH alone gives (before RFC 2449).  A server
 * that takes it for the beginning of an exchange is told that it is none. */
static void on_mechs(struct p3c *s, enum reply kind)
{
	switch (kind) {
	case REPLY_OK:
		s->expect = EXPECT_LISTING;
		s->listed = 0;
		return;
	case REPLY_MORE:
		s->asked[s->head].verb = VERB_CANCEL;
		p3_client_say(s, SPAN("*\r\n"));
		return;
	case REPLY_ERR:
	case REPLY_NONE:
		p3_client_pop(s);
		s->try_next = true;
		return;
	}
}

void p3_login_done(struct p3c *s)
{
	s->logged_in = true;
	ladder_over(&s->ladder, LADDER_WORKED, NOTHING);
	s->pipelining_proved = false;	/* other commands, often another process */
	if (!(s->capabilities & P3C_CAPA_ANSWERED)) {
		after_capabilities(s);
		return;
	}
	p3_client_command(s, VERB_CAPA, NOTHING, NOTHING);
	if (!s->login->ahead || !p3c_pipelined(s))
		return;
	p3_client_command(s, VERB_STAT, NOTHING, NOTHING);
	p3_client_command(s, VERB_UIDL, NOTHING, NOTHING);
	s->ahead = 2;
}

void login_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev)
{
	switch ((enum verb)client_oldest(s)->verb) {
	case VERB_GREETING:
		on_greeting(s, kind, line);
		return;
	case VERB_CAPA:
		on_capa(s, kind);
		return;
	case VERB_STLS:
		on_stls(s, kind, line, ev);
		return;
	case VERB_MECHS:
		on_mechs(s, kind);
		return;
	case VERB_UTF8:		/* refused: then without */
		p3_client_pop(s);
		s->try_next = true;
		return;
	case VERB_USER:
	case VERB_PASS:
	case VERB_APOP:
		auth_reply(s, kind, line);
		return;
	case VERB_AUTH:
	case VERB_CANCEL:
		sasl_reply(s, kind, line, ev);
		return;
	case VERB_NONE:
	case VERB_STAT:
	case VERB_UIDL:
	case VERB_LIST:
	case VERB_RETR:
	case VERB_TOP:
	case VERB_DELE:
	case VERB_QUIT:
	case VERBS:
		break;
	}
	assert(0);
}

/* ---- the lines of CAPA and of AUTH alone */

static void add_mechanisms(struct p3c *s, struct span names)
{
	enum sasl_mech mech;
	struct span name;

	while (span_word(&names, &name))
		if (sasl_mech_parse(name, &mech) && mech != SASL_APOP && mech != SASL_USER)
			s->offered |= 1u << mech;
}

static void add_capability(struct p3c *s, struct span line)
{
	struct span name;

	if (!span_word(&line, &name))
		return;
	if (span_equal_nocase(name, SPAN("SASL")))
		add_mechanisms(s, line);
	for (const struct capability *c = capability_names; c < capability_names + COUNT(capability_names); c++)
		if (span_equal_nocase(name, span_of(c->name)))
			s->capabilities |= c->bit;
}

void login_listing_line(struct p3c *s, struct span line)
{
	bool capa = client_oldest(s)->verb == VERB_CAPA;

	if (span_equal(line, SPAN("."))) {
		p3_client_pop(s);
		if (capa)
			after_capabilities(s);
		else
			s->try_next = true;
		return;
	}
	if (++s->listed > P3C_CAPA_MAX)
		p3_client_fail(s, ERR_PEER, "capabilities without end (more than 512 lines, RFC 2449 section 5)", NOTHING);
	else if (capa)
		add_capability(s, line);
	else
		add_mechanisms(s, line);
}
