/* SPDX-License-Identifier: Apache-2.0
 *
 * From the greeting to SMC_READY: EHLO and its capabilities, STARTTLS, and what
 * surrounds the login itself. */
#include <assert.h>

#include "smtp/client_internal.h"

static const struct capability {
	const char *name;
	unsigned bit;
} capability_names[] = {
	{ "PIPELINING", SMC_CAPA_PIPELINING }, { "CHUNKING", SMC_CAPA_CHUNKING }, { "SIZE", SMC_CAPA_SIZE },
	{ "8BITMIME", SMC_CAPA_8BITMIME }, { "SMTPUTF8", SMC_CAPA_SMTPUTF8 }, { "STARTTLS", SMC_CAPA_STARTTLS },
	{ "AUTH", SMC_CAPA_AUTH }, { "ENHANCEDSTATUSCODES", SMC_CAPA_STATUS },
};

static void no_tls(struct smc *s, const char *why, struct span words)
{
	s->clear_agreed = true;
	if (!s->login->starttls_required)
		return;
	s->tls_refused = true;
	smtp_fail(s, ERR_TLS, why, words);
}

/* STARTTLS, if it is wanted and not yet decided; true when nothing else is to be done now. */
static bool start_tls(struct smc *s)
{
	if (!s->login->starttls || s->secure || s->clear_agreed)
		return false;
	if (!(s->capabilities & SMC_CAPA_STARTTLS)) {
		no_tls(s, "the server offers no STARTTLS (or somebody took it away), and tls.required is set; "
			"does it have a port with tls.mode = implicit (465)?", NOTHING);
		return s->failed;
	}
	smtp_command(s, VERB_STARTTLS, NOTHING, NOTHING);
	return true;
}

/* The capabilities are known, or known not to be had. */
static void after_ehlo(struct smc *s)
{
	if (start_tls(s))
		return;
	if (s->login->mech_count)
		s->try_next = true;
	else
		s->ready = true;
}

static bool name_sendable(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] > '~')
			return false;
	return name.len && name.len <= SMC_NAME_MAX;
}

static void hello(struct smc *s, enum verb verb)
{
	struct span name = span_of(s->login->name);

	s->capabilities = s->offered = 0;
	s->size_max = 0;
	if (name_sendable(name))
		smtp_command(s, verb, name, NOTHING);
	else
		smtp_fail(s, ERR_CONFIG, "the name that we are to call ourselves by in EHLO is no host's name", NOTHING);
}

static void on_greeting(struct smc *s)
{
	unsigned class = s->reply.code / 100;

	smtp_pop(s);
	if (class != 2) {
		smtp_fail(s, class == 4 ? ERR_BUSY : ERR_PEER, "the server turns us away", smtp_words(s));
		return;
	}
	s->greeted = true;
	hello(s, VERB_EHLO);
}

/* ---- EHLO */

void smtp_ehlo_line(struct smc *s)
{
	struct span rest = s->reply.line, word;

	if (s->reply.code / 100 != 2)
		return;
	if (s->reply.lines == 1) {	/* the server's name */
		s->capabilities |= SMC_CAPA_ANSWERED;
		return;
	}
	if (!span_word(&rest, &word))
		return;
	if (span_starts_nocase(word, SPAN("AUTH="))) {	/* of before RFC 2554 */
		s->capabilities |= SMC_CAPA_AUTH;
		smtp_auth_offer(s, span_from(word, strlen("AUTH=")));
		smtp_auth_offer(s, rest);
		return;
	}
	for (const struct capability *c = capability_names; c < capability_names + COUNT(capability_names); c++) {
		if (!span_equal_nocase(word, span_of(c->name)))
			continue;
		s->capabilities |= c->bit;
		if (c->bit == SMC_CAPA_AUTH)
			smtp_auth_offer(s, rest);
		else if (c->bit == SMC_CAPA_SIZE && span_word(&rest, &word) && !span_number(word, UINT64_MAX, &s->size_max))
			s->size_max = 0;
	}
}

/* HELO is for servers of before 1995, which have no LMTP either. */
static void on_ehlo(struct smc *s, enum verb verb)
{
	unsigned class = s->reply.code / 100;

	smtp_pop(s);
	if (class == 2)
		after_ehlo(s);
	else if (class == 4)
		smtp_fail(s, ERR_BUSY, "the server does not talk to us for now", smtp_words(s));
	else if (verb == VERB_HELO || s->login->lmtp)
		smtp_fail(s, ERR_PEER, s->login->lmtp ? "the server refuses LHLO; is it an SMTP server?" :
			"the server refuses EHLO and HELO", smtp_words(s));
	else
		hello(s, VERB_HELO);
}

static void on_starttls(struct smc *s, struct smc_event *ev)
{
	smtp_pop(s);
	if (s->reply.code / 100 == 2) {
		s->turn = TURN_TLS;
		ev->what = SMC_TLS;
		return;
	}
	no_tls(s, "the server refuses STARTTLS, and tls.required is set", smtp_words(s));
	if (!s->failed)
		after_ehlo(s);
}

void smc_secured(struct smc *s)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_TLS && !s->count);
	if (s->in.len)		/* not TLS's: the next smc_next says so */
		return;
	s->turn = TURN_SERVER;
	s->secure = true;
	hello(s, VERB_EHLO);
}

void smtp_login_done(struct smc *s)
{
	ladder_over(&s->ladder, LADDER_WORKED, NOTHING);
	s->logged_in = true;
	s->ready = true;
}

void smtp_login_reply(struct smc *s, enum verb verb, struct smc_event *ev)
{
	if (verb == VERB_GREETING)
		on_greeting(s);
	else if (verb == VERB_STARTTLS)
		on_starttls(s, ev);
	else
		on_ehlo(s, verb);
}
