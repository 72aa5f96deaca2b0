/* SPDX-License-Identifier: Apache-2.0
 *
 * What the answers mean for a mail's recipients: one result each, then the mail
 * is done. */
#include <assert.h>

#include "smtp/client_internal.h"

/* ---- verdicts */

/* RFC 5321 section 4.5.3.1.10: 552 to RCPT may mean too many of them; 5.2.2 and
 * the like say that it does not. */
static bool too_many(const struct reply *r, enum verb verb)
{
	return verb == VERB_RCPT && r->code == 552 && (!r->status[0] || r->status[1] == 5);
}

static bool names(struct span words, struct span what)
{
	for (; words.len >= what.len; words = span_from(words, 1))
		if (span_starts_nocase(words, what))
			return true;
	return false;
}

/* The mailbox is full: it may have room again.  5.2.2 with any code; 552 where nothing says that it means the message's size. */
static bool over_quota(const struct reply *r, struct span words)
{
	if (r->status[0])
		return r->status[1] == 2 && (r->status[2] == 2 || (r->status[2] == 0 && names(words, SPAN("quota"))));
	return r->code == 552 && (names(words, SPAN("quota")) || names(words, SPAN("mailbox full")) || names(words, SPAN("mailbox is full")));
}

/* About who we are, or in which order we speak: no fault of this mail. */
static bool about_us(unsigned code)
{
	return code == 530 || code == 534 || code == 535 || code == 538;
}

static struct verdict judge(const struct smc *s, enum verb verb)
{
	const struct reply *r = &s->reply;
	struct verdict v = { .verb = smtp_verb(verb), .code = r->code, .text = smtp_words(s) };

	memcpy(v.status, r->status, sizeof v.status);
	v.outcome = SMC_DEFERRED;
	if (r->code / 100 == 2) {
		v.outcome = SMC_ACCEPTED;
	} else if (about_us(r->code)) {
		v.kind = ERR_CONFIG;
	} else if (r->code == 502 || r->code == 503) {
		v.kind = ERR_PEER;
	} else if (r->code / 100 == 4 || too_many(r, verb) || over_quota(r, v.text)) {
		v.kind = ERR_BUSY;
	} else {
		v.outcome = SMC_REFUSED;
		v.kind = ERR_PEER;
	}
	return v;
}

/* Of all recipients that have no result yet; the first verdict stays. */
static void judge_all(struct slot *t, struct verdict v)
{
	if (t->fan)
		return;
	t->fan = true;
	t->fan_at = 0;
	t->verdict = v;
}

void smtp_verdict_ours(struct slot *t, enum smc_outcome outcome, enum err_kind kind, struct span text)
{
	judge_all(t, (struct verdict){ .outcome = outcome, .kind = kind, .verb = "", .ours = true, .text = text });
}

/* ---- telling */

static void tell(struct slot *t, uint32_t recipient, const struct verdict *v, struct smc_event *ev)
{
	assert(t->rcpt[recipient] != RCPT_TOLD);
	t->taken -= t->rcpt[recipient] == RCPT_TAKEN;
	t->rcpt[recipient] = RCPT_TOLD;
	*ev = (struct smc_event){
		.what = SMC_RESULT, .mail = t->mail, .recipient = recipient, .outcome = v->outcome, .kind = v->kind, .verb = v->verb,
		.code = v->code, .ours = v->ours, .text = v->text,
	};
	memcpy(ev->status, v->status, sizeof ev->status);
}

static const struct verdict bad = {
	.outcome = SMC_REFUSED, .kind = ERR_CONFIG, .verb = "", .ours = true, .text = SPAN("the address cannot be sent in a command"),
}, foreign = {
	.outcome = SMC_REFUSED, .kind = ERR_PEER, .verb = "", .ours = true,
	.text = SPAN("the address needs SMTPUTF8, which the server does not offer"),
};

/* From fan_at on, in order: what no server was asked about, and all if there is a
 * verdict on all. */
static bool tell_next(struct slot *t, struct smc_event *ev)
{
	for (; t->fan_at < t->mail->recipient_count; t->fan_at++) {
		switch ((enum rcpt)t->rcpt[t->fan_at]) {
		case RCPT_BAD:
			tell(t, t->fan_at, &bad, ev);
			return true;
		case RCPT_FOREIGN:
			tell(t, t->fan_at, &foreign, ev);
			return true;
		case RCPT_OPEN:
		case RCPT_TAKEN:
			if (!t->fan)
				break;
			tell(t, t->fan_at, &t->verdict, ev);
			return true;
		case RCPT_TOLD:
			break;
		}
	}
	return false;
}

static void free_first(struct smc *s)
{
	struct slot *t = &s->slots[s->slot_first];

	s->reset |= t->opened && !t->cleared;
	t->mail = NULL;
	s->slot_first = (s->slot_first + 1) % SLOTS;
	s->slot_count--;
}

static bool done(const struct slot *t)
{
	return (t->step == STEP_SENT || t->step == STEP_CLOSED) && !t->waiting;
}

/* The session failed: nothing more comes. */
static void judge_lost(struct smc *s, struct slot *t)
{
	enum smc_outcome outcome = t->whole ? SMC_DOUBT : SMC_DEFERRED;

	smtp_verdict_ours(t, outcome, s->error.kind, span_of(s->error.text));
}

bool smtp_due(struct smc *s, struct smc_event *ev)
{
	struct slot *t;

	for (uint32_t i = 0; i < s->slot_count; i++) {
		t = &s->slots[(s->slot_first + i) % SLOTS];
		if (s->failed && i == 0)	/* the younger one's turn comes */
			judge_lost(s, t);
		if (tell_next(t, ev))
			return true;
	}
	t = &s->slots[s->slot_first];
	if (!s->slot_count || !(s->failed || done(t)))
		return false;
	/* LMTP's answers to a message are many: what came with them may say that one was too many. */
	if (t->several && s->in.len && !s->failed)
		return false;
	*ev = (struct smc_event){ .what = SMC_DONE, .mail = t->mail, .broken = s->broken };
	free_first(s);
	smtp_fill(s);
	return true;
}

/* ---- answers */

static void on_mail(struct smc *s, struct slot *t)
{
	if (s->reply.code / 100 == 2)
		t->opened = true;
	else
		judge_all(t, judge(s, VERB_MAIL));
}

static void on_rcpt(struct smc *s, struct slot *t, uint32_t recipient, struct smc_event *ev)
{
	struct verdict v = judge(s, VERB_RCPT);

	if (t->fan)		/* MAIL was refused: it was said before we knew */
		return;
	if (v.outcome != SMC_ACCEPTED) {
		tell(t, recipient, &v, ev);
		return;
	}
	t->rcpt[recipient] = RCPT_TAKEN;
	t->taken++;
}

/* 354 though it takes nobody: the empty message ends it (RFC 2920 section 3.1). */
static void on_void_data(struct smc *s, struct slot *t)
{
	if (s->login->lmtp) {
		smtp_broken(s, "DATA is accepted though no recipient was (RFC 2033 section 4.2)", smtp_words(s));
		return;
	}
	smtp_mail_say(s, t, VERB_MESSAGE, ".\r\n", 0);
	t->step = STEP_CLOSED;
}

/* It may have been the answer to a RCPT: then this one's is not what it has to be. */
static void say_reset(struct smc *s, struct slot *t)
{
	if (s->reply.code == 421)
		return;
	smtp_mail_say(s, t, VERB_RSET, "RSET\r\n", 0);
	t->cleared = true;
}

static void on_data(struct smc *s, struct slot *t)
{
	unsigned class = s->reply.code / 100;

	if (class == 2) {
		smtp_broken(s, "DATA is answered as if the message had come (RFC 5321 section 4.1.1.4)", smtp_words(s));
	} else if (class != 3) {
		judge_all(t, judge(s, VERB_DATA));
		t->step = STEP_CLOSED;
		say_reset(s, t);
	} else if (t->fan || !t->taken) {
		on_void_data(s, t);
	} else {
		t->step = STEP_BODY;
		s->body = true;
	}
}

static uint32_t first_taken(const struct slot *t)
{
	uint32_t n = 0;

	while (t->rcpt[n] != RCPT_TAKEN)
		n++;
	return n;
}

/* True when it was the last of its answers: LMTP has one for each recipient. */
static bool on_message(struct smc *s, struct slot *t, struct smc_event *ev)
{
	struct verdict v = judge(s, VERB_MESSAGE);

	t->cleared = !t->chunked || v.outcome == SMC_ACCEPTED;
	if (!s->login->lmtp || !t->taken) {
		judge_all(t, v);
		return true;
	}
	tell(t, first_taken(t), &v, ev);
	return !t->taken;
}

void smtp_mail_reply(struct smc *s, const struct asked *a, struct smc_event *ev)
{
	struct slot *t = &s->slots[a->slot];
	enum verb verb = (enum verb)a->verb;
	uint32_t recipient = a->recipient;

	s->answered += !t->answered;
	t->answered = true;
	if (verb == VERB_MESSAGE && !on_message(s, t, ev))
		return;
	smtp_pop(s);
	t->waiting--;
	if (verb == VERB_RSET && s->reply.code / 100 != 2 && s->reply.code != 421)
		smtp_broken(s, "RSET is refused (RFC 5321 section 4.1.1.5)", smtp_words(s));
	else if (verb == VERB_MAIL)
		on_mail(s, t);
	else if (verb == VERB_RCPT)
		on_rcpt(s, t, recipient, ev);
	else if (verb == VERB_DATA)
		on_data(s, t);
}
