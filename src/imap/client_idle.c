/* SPDX-License-Identifier: Apache-2.0
 *
 * IDLE (RFC 2177), and what counts as news of the selected mailbox. */
#include <assert.h>

#include "imap/client_internal.h"

/* ---- IDLE */

uint32_t imc_idle(struct imc *s)
{
	assert(imc_can_ask(s) && !imc_outstanding(s) && s->open && (s->capabilities & IMC_CAPA_IDLE));
	client_command(s, VERB_IDLE, NOTHING);
	s->idle = IDLE_SAID;
	s->idle_tag = s->tag;
	s->unanswering = 0;
	return s->tag;
}

static void say_done(struct imc *s)
{
	client_say(s, SPAN("DONE\r\n"));
	s->idle = IDLE_ENDS;
	s->stray = true;
}

void imc_idle_done(struct imc *s)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->idle);
	if (s->idle == IDLE_SAID)
		s->idle = IDLE_TO_END;
	else if (s->idle == IDLE_ON)
		say_done(s);
}

/* A second "+" is a sign of life, as any word. */
void idle_more(struct imc *s, struct imc_event *ev)
{
	if (s->idle == IDLE_SAID) {
		s->idle = IDLE_ON;
		*ev = (struct imc_event){ .what = IMC_IDLING, .verb = IMC_ASK_IDLE, .id = s->idle_tag };
	} else if (s->idle == IDLE_TO_END) {
		say_done(s);
	} else if (++s->unanswering > IMC_UNANSWERING_MAX) {
		client_fail(s, ERR_PEER, "continuations without end, and nobody waits for them", NOTHING);
	}
}

void idle_answered(struct imc *s)
{
	s->idle = IDLE_NOT;
}

/* Both ends end IDLE at the same time: our DONE is then a line of its own, and is
 * refused, by this tag.  Once for each DONE. */
bool idle_is_stray(struct imc *s, struct span tag)
{
	bool stray = s->stray && span_equal_nocase(tag, SPAN("DONE"));

	if (stray)
		s->stray = false;
	return stray;
}

bool imc_idling(const struct imc *s)
{
	return s->idle && s->phase == PHASE_READY;
}

/* ---- news */

unsigned imc_news(const struct imc *s)
{
	return s->news;
}

void imc_news_clear(struct imc *s)
{
	s->news = 0;
}

/* More is outstanding than what only waits: who asked for it looks when that is answered. */
static bool busy(const struct imc *s)
{
	for (const struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag && a->verb < VERB_NOOP)
			return true;
	return false;
}

void news_add(struct imc *s, unsigned news)
{
	if (s->phase != PHASE_READY)
		return;
	s->news |= news;
	if (!busy(s) || (news & IMC_NEWS_OVERFLOW))
		s->news_due |= news;
}

void news_exists(struct imc *s)
{
	if (!s->open)
		return;
	if (s->r.number > s->mailbox.exists)
		news_add(s, IMC_NEWS_MAIL);
	else if (s->r.number < s->mailbox.exists)
		news_add(s, IMC_NEWS_GONE);
}

void news_recent(struct imc *s)
{
	if (s->open && s->r.number > s->recent)
		news_add(s, IMC_NEWS_MAIL);
	s->recent = s->r.number;
}

void news_expunged(struct imc *s)
{
	if (s->open && !client_find(s, VERB_EXPUNGE) && !client_find(s, VERB_MOVE))
		news_add(s, IMC_NEWS_GONE);
}

/* What we ask of messages is answered by the same words. */
void news_flags(struct imc *s)
{
	static const enum verb ours[] = { VERB_LISTING, VERB_FETCH, VERB_HEAD, VERB_STORE };

	for (size_t i = 0; i < COUNT(ours); i++)
		if (client_find(s, ours[i]))
			return;
	if (s->open)
		news_add(s, IMC_NEWS_FLAGS);
}
