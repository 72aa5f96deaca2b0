/* SPDX-License-Identifier: Apache-2.0
 *
 * A mail on its way: what is said of it, in which order, and what has to be
 * waited for before. */
#include <assert.h>
#include <stdio.h>

#include "smtp/client_internal.h"
#include "wire/utf8.h"

/* ---- addresses */

/* What cannot stand in <…>: controls, and outside of quotes what ends or parts it. */
bool smtp_address_sendable(const char *address, bool *utf8)
{
	struct span rest = span_of(address);
	bool quoted = false, escaped = false;
	uint32_t c;

	if (rest.len > SMC_ADDRESS_MAX)
		return false;
	*utf8 = false;
	while (rest.len) {
		if (!utf8_take(&rest, &c) || c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0))
			return false;
		*utf8 |= c >= 0x80;
		if (!quoted && (c == ' ' || c == '<' || c == '>' || c == '\\'))
			return false;
		if (escaped)
			escaped = false;
		else if (c == '\\')
			escaped = true;
		else if (c == '"')
			quoted = !quoted;
	}
	return !quoted;
}

/* ---- giving a mail */

struct slot *smtp_slot_last(struct smc *s)
{
	return s->slot_count ? &s->slots[(s->slot_first + s->slot_count - 1) % SLOTS] : NULL;
}

bool smc_idle(const struct smc *s)
{
	return s->phase == PHASE_READY && !s->failed && !s->slot_count && !s->count;
}

bool smc_can_send(const struct smc *s)
{
	const struct slot *before = &s->slots[s->slot_first];

	if (s->phase != PHASE_READY || s->failed || s->slot_count == SLOTS)
		return false;
	return !s->slot_count || (smc_pipelined(s) && before->whole && !before->several);
}

static enum rcpt judge_recipient(const struct smc *s, struct slot *t, const char *address)
{
	bool utf8;

	if (!*address || !smtp_address_sendable(address, &utf8))
		return RCPT_BAD;
	if (utf8 && !(s->capabilities & SMC_CAPA_SMTPUTF8))
		return RCPT_FOREIGN;
	t->utf8 |= utf8;
	t->sendable++;
	return RCPT_OPEN;
}

/* What no server needs to be asked: then all recipients have their result. */
static bool judge_mail(const struct smc *s, struct slot *t)
{
	bool utf8;

	if (!smtp_address_sendable(t->mail->sender, &utf8)) {
		smtp_verdict_ours(t, SMC_REFUSED, ERR_CONFIG, SPAN("the sender's address cannot be sent in a command"));
		return false;
	}
	if (utf8 && !(s->capabilities & SMC_CAPA_SMTPUTF8)) {
		smtp_verdict_ours(t, SMC_REFUSED, ERR_PEER, SPAN("the sender's address needs SMTPUTF8, which the server does not offer"));
		return false;
	}
	t->utf8 = utf8;
	if (s->size_max && t->mail->octets > s->size_max) {
		smtp_verdict_ours(t, SMC_REFUSED, ERR_PEER, SPAN("the message is larger than the server says it takes (SIZE)"));
		return false;
	}
	return true;
}

void smc_send(struct smc *s, const struct smc_mail *mail)
{
	struct slot *t = &s->slots[(s->slot_first + s->slot_count) % SLOTS];
	bool behind = s->slot_count > 0, before_chunked = behind && s->slots[s->slot_first].chunked;

	assert(smc_can_send(s) && mail->recipient_count && mail->recipient_count <= SMC_RECIPIENTS_MAX);
	s->slot_count++;
	memset(t, 0, offsetof(struct slot, rcpt));
	t->mail = mail;
	t->step = STEP_CLOSED;
	for (size_t i = 0; i < mail->recipient_count; i++)
		t->rcpt[i] = RCPT_OPEN;
	if (!judge_mail(s, t))
		return;
	for (size_t i = 0; i < mail->recipient_count; i++)
		t->rcpt[i] = (uint8_t)judge_recipient(s, t, mail->recipients[i]);
	if (!t->sendable)
		return;
	t->chunked = (s->capabilities & SMC_CAPA_CHUNKING) && !s->login->no_chunking;
	/* A BDAT that fails leaves the transaction open (RFC 3030 section 2). */
	t->step = s->reset || before_chunked ? STEP_RSET : STEP_MAIL;
	s->reset = false;
	smtp_fill(s);
}

/* ---- saying it */

void smtp_mail_say(struct smc *s, struct slot *t, enum verb verb, const char *text, uint32_t recipient)
{
	struct asked *a = smtp_push(s, verb);

	a->slot = (uint8_t)(t - s->slots);
	a->recipient = (uint16_t)recipient;
	t->waiting++;
	smtp_say(s, span_of(text));
}

static void say_mail(struct smc *s, struct slot *t)
{
	char text[COMMAND_MAX], size[32] = "";
	bool mime = t->mail->eight_bit && (s->capabilities & SMC_CAPA_8BITMIME);
	int n;

	if (s->capabilities & SMC_CAPA_SIZE)
		(void)snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)t->mail->octets);
	n = snprintf(text, sizeof text, "MAIL FROM:<%s>%s%s%s\r\n", t->mail->sender, size, mime ? " BODY=8BITMIME" : "",
		t->utf8 ? " SMTPUTF8" : "");
	assert(n > 0 && n < COMMAND_MAX);
	smtp_mail_say(s, t, VERB_MAIL, text, 0);
	t->step = STEP_RCPT;
}

static void say_recipient(struct smc *s, struct slot *t)
{
	char text[COMMAND_MAX];
	int n;

	while (t->next < t->mail->recipient_count && t->rcpt[t->next] != RCPT_OPEN)
		t->next++;
	if (t->next == t->mail->recipient_count) {
		t->step = STEP_DATA;
		return;
	}
	n = snprintf(text, sizeof text, "RCPT TO:<%s>\r\n", t->mail->recipients[t->next]);
	assert(n > 0 && n < COMMAND_MAX);
	smtp_mail_say(s, t, VERB_RCPT, text, t->next);
	t->next++;
}

static void body_begins(struct smc *s, struct slot *t)
{
	t->step = STEP_BODY;
	s->body = true;
}

/* DATA, or the one chunk.  The chunk waits for the answers to RCPT, since nobody
 * can take it back. */
static bool say_data(struct smc *s, struct slot *t)
{
	char text[64];

	if (!t->waiting && !t->taken) {
		t->step = STEP_CLOSED;
		return false;
	}
	if (!t->chunked) {
		smtp_mail_say(s, t, VERB_DATA, "DATA\r\n", 0);
		t->step = STEP_GO;
		return true;
	}
	if (t->waiting)
		return false;
	(void)snprintf(text, sizeof text, "BDAT %llu LAST\r\n", (unsigned long long)t->mail->octets);
	smtp_say(s, span_of(text));
	body_begins(s, t);
	return true;
}

/* The next command of the mail, if there is one that need not wait. */
static bool say_next(struct smc *s, struct slot *t)
{
	if (t->fan && t->step <= STEP_DATA) {	/* MAIL was refused: the rest need not be said */
		t->step = STEP_CLOSED;
		return false;
	}
	switch (t->step) {
	case STEP_RSET:
		smtp_mail_say(s, t, VERB_RSET, "RSET\r\n", 0);
		t->step = STEP_MAIL;
		return true;
	case STEP_MAIL:
		say_mail(s, t);
		return true;
	case STEP_RCPT:
		say_recipient(s, t);
		return true;
	case STEP_DATA:
		return say_data(s, t);
	case STEP_GO:
	case STEP_BODY:
	case STEP_SENT:
	case STEP_CLOSED:
		break;
	}
	return false;
}

/* All that may go when the server pipelines, else one at a time; what finds no
 * room waits for smc_sent.  One place stays free for the message's answer. */
void smtp_fill(struct smc *s)
{
	struct slot *t = smtp_slot_last(s);

	while (t && !s->failed && s->phase == PHASE_READY && (!s->count || smc_pipelined(s))) {
		if (s->count >= SMC_WINDOW - 1 || !smtp_room(s, COMMAND_MAX) || !say_next(s, t))
			return;
	}
}

void smc_body_sent(struct smc *s)
{
	struct slot *t = smtp_slot_last(s);

	if (s->phase == PHASE_OVER || s->failed)
		return;
	assert(t && t->step == STEP_BODY && !s->body);
	t->step = STEP_SENT;
	t->whole = true;
	t->several = s->login->lmtp && t->taken > 1;
	s->said++;
	s->sent++;
	smtp_mail_say(s, t, VERB_MESSAGE, "", 0);
}

void smc_quit(struct smc *s)
{
	assert(smc_idle(s));
	smtp_command(s, VERB_QUIT, NOTHING, NOTHING);
	s->phase = PHASE_QUITTING;
}
