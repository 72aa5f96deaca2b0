/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client.h"

#include <assert.h>
#include <stdio.h>

#include "smtp/client_internal.h"
#include "wire/blot.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, BLOCK_MS = 3 * MINUTE_MS };

/* How long an answer may take: RFC 5321 section 4.5.3.2; of QUIT's nothing depends. */
static const struct verb_row {
	const char *name;
	uint32_t timeout_ms;
} verbs[] = {
	{ "at all", 5 * MINUTE_MS }, { "EHLO", 5 * MINUTE_MS }, { "HELO", 5 * MINUTE_MS }, { "STARTTLS", 5 * MINUTE_MS },
	{ "AUTH", 5 * MINUTE_MS }, { "the cancelled AUTH", 5 * MINUTE_MS }, { "RSET", 5 * MINUTE_MS }, { "MAIL", 5 * MINUTE_MS },
	{ "RCPT", 5 * MINUTE_MS }, { "DATA", 2 * MINUTE_MS }, { "the message", 10 * MINUTE_MS }, { "QUIT", 10 * SECOND_MS },
};
static_assert(COUNT(verbs) == VERBS, "a name for each verb");

const char *smtp_verb(enum verb verb)
{
	assert(verb < VERBS);
	return verbs[verb].name;
}

size_t smc_size(void)
{
	return sizeof(struct smc);
}

void smc_start(struct smc *s, const struct smc_login *login)
{
	memset(s, 0, offsetof(struct smc, text));
	for (struct slot *t = s->slots; t < s->slots + SLOTS; t++)
		t->mail = NULL;
	s->login = login;
	s->secure = login->secure;
	ladder_start(&s->ladder, login->mechs, login->mech_count, &login->before, NULL);
	lines_start(&s->lines, s->line_memory, sizeof s->line_memory);
	smtp_reply_start(&s->reply, s->text, sizeof s->text);
	buf_lend(&s->out, s->out_memory, sizeof s->out_memory);
	(void)smtp_push(s, VERB_GREETING);
}

void smc_end(struct smc *s)
{
	wipe(s, sizeof *s);
	s->phase = PHASE_OVER;
}

/* ---- failing */

/* The server's words, unless it repeats the password in them. */
static struct span shown(const struct smc *s, struct span words)
{
	struct span where;

	if (blot_find(words, s->login->password, &where))
		return SPAN("(not shown: the password is in it)");
	return words;
}

struct span smtp_words(const struct smc *s)
{
	return shown(s, buf_span(&s->reply.text));
}

void smtp_fail(struct smc *s, enum err_kind kind, const char *why, struct span words)
{
	if (s->failed)
		return;
	s->failed = true;
	(void)err_set(&s->error, kind, "%s", why);
	if (words.len)
		(void)err_peer(&s->error, shown(s, words));
}

void smtp_broken(struct smc *s, const char *why, struct span words)
{
	s->pipelining_broken = s->pipelining_used;
	s->broken = true;
	smtp_fail(s, ERR_PEER, why, words);
}

/* ---- the queue of what is unanswered */

const struct asked *smtp_oldest(const struct smc *s)
{
	return s->count ? &s->asked[s->head] : NULL;
}

struct asked *smtp_push(struct smc *s, enum verb verb)
{
	struct asked *a = &s->asked[(s->head + s->count) % SMC_WINDOW];

	assert(s->count < SMC_WINDOW);
	*a = (struct asked){ .verb = (uint8_t)verb, .behind = s->count > 0, .end = s->said };
	s->pipelining_used |= a->behind;
	s->count++;
	return a;
}

void smtp_pop(struct smc *s)
{
	assert(s->count);
	s->pipelining_proved |= s->asked[s->head].behind;
	s->head = (s->head + 1) % SMC_WINDOW;
	s->count--;
}

/* ---- out */

bool smtp_room(const struct smc *s, size_t n)
{
	return s->out.max - (s->out.len - s->out_sent) >= n;
}

void smtp_say(struct smc *s, struct span text)
{
	if (text.len > s->out.max - s->out.len && s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (!buf_add(&s->out, text)) {
		smtp_fail(s, ERR_LOCAL, "a command is too long to be sent", NOTHING);
		return;
	}
	s->said += text.len;
	if (s->count)
		s->asked[(s->head + s->count - 1) % SMC_WINDOW].end = s->said;
}

void smtp_command(struct smc *s, enum verb verb, struct span a, struct span b)
{
	(void)smtp_push(s, verb);
	smtp_say(s, span_of(verb == VERB_EHLO && s->login->lmtp ? "LHLO" : smtp_verb(verb)));
	for (int n = 0; n < 2; n++, a = b) {
		if (!a.len)
			break;
		smtp_say(s, SPAN(" "));
		smtp_say(s, a);
	}
	smtp_say(s, SPAN("\r\n"));
}

struct span smc_out(const struct smc *s)
{
	return span_from(buf_span(&s->out), s->out_sent);
}

void smc_sent(struct smc *s, size_t n)
{
	assert(n <= s->out.len - s->out_sent);
	s->out_sent += n;
	s->sent += n;
	if (s->out_sent < s->out.len)
		return;
	wipe(s->out.at, s->out.len);	/* it may have been the password */
	s->out.len = s->out_sent = 0;
	smtp_fill(s);
}

/* ---- in */

void smc_feed(struct smc *s, struct span in)
{
	assert(s->in.len == 0);
	s->heard = s->sent;
	if (s->phase != PHASE_OVER)
		s->in = in;
}

size_t smc_unread(const struct smc *s)
{
	return s->in.len;
}

void smc_eof(struct smc *s)
{
	s->eof = true;
}

void smc_abort(struct smc *s, const struct err *why)
{
	assert(why->kind);
	if (s->failed || s->phase == PHASE_OVER)
		return;
	if (!s->sasl.proof_failed)	/* that is the news, not the end */
		s->error = *why;
	s->failed = true;
}

static void closing(struct smc *s)
{
	smtp_fail(s, ERR_BUSY, "the server ends the session", smtp_words(s));
}

static void on_bye(struct smc *s, struct smc_event *ev)
{
	smtp_pop(s);
	s->phase = PHASE_OVER;
	*ev = (struct smc_event){
		.what = SMC_BYE, .good = s->reply.code / 100 == 2, .code = s->reply.code, .text = smtp_words(s),
	};
}

/* Nothing is unanswered, but the server has spoken. */
static void on_unasked(struct smc *s)
{
	const struct slot *t = smtp_slot_last(s);

	if (s->reply.code == 421)
		closing(s);
	else if (t && t->step == STEP_BODY)
		smtp_broken(s, "the message is answered before it was whole (RFC 5321 section 4.3)", smtp_words(s));
	else
		smtp_broken(s, "a reply that nobody asked for (RFC 5321 section 4.3)", smtp_words(s));
}

static bool expects(enum verb verb, unsigned class)
{
	if (class != 3)
		return true;
	return verb == VERB_AUTH || verb == VERB_DATA;
}

static void on_reply(struct smc *s, struct smc_event *ev)
{
	const struct asked *a = smtp_oldest(s);
	enum verb verb;

	if (!a) {
		on_unasked(s);
		return;
	}
	verb = (enum verb)a->verb;
	if (a->end > s->began && s->reply.code != 421)
		smtp_broken(s, "a reply that came before the command that it would answer was sent (RFC 5321 section 4.3, RFC 2920 section 3.1)",
			smtp_words(s));
	else if (verb == VERB_QUIT)
		on_bye(s, ev);
	else if (!expects(verb, s->reply.code / 100))
		smtp_broken(s, "a reply asks for more where there is no more (RFC 5321 section 4.2.1)", smtp_words(s));
	else if (verb == VERB_AUTH || verb == VERB_CANCEL)
		smtp_auth_reply(s, ev);
	else if (verb < VERB_RSET)
		smtp_login_reply(s, verb, ev);
	else
		smtp_mail_reply(s, a, ev);
	if (s->reply.code == 421 && s->phase != PHASE_OVER)
		closing(s);
	if (!s->failed)
		smtp_fill(s);
}

static void on_line(struct smc *s, struct smc_event *ev)
{
	const struct asked *a;
	const char *why = "";
	struct span line;

	if (!s->inside)
		s->began = s->heard;
	s->inside = true;
	switch (lines_next(&s->lines, &s->in, &line)) {
	case LINE_MORE:
		return;
	case LINE_LONG:
		smtp_broken(s, "a reply line of more than 12288 octets (RFC 5321 section 4.5.3.1.5 allows 512)", NOTHING);
		return;
	case LINE_WHOLE:
		break;
	}
	switch (smtp_reply_line(&s->reply, line, &why)) {
	case REPLY_BROKEN:
		smtp_broken(s, why, line);
		return;
	case REPLY_MORE:
	case REPLY_WHOLE:
		break;
	}
	a = smtp_oldest(s);
	if (a && a->verb == VERB_EHLO)
		smtp_ehlo_line(s);
	if (!s->reply.whole)
		return;
	s->replies++;
	s->inside = false;
	on_reply(s, ev);
}

static void on_bytes(struct smc *s, struct smc_event *ev)
{
	switch (s->turn) {
	case TURN_TLS:
		smtp_fail(s, ERR_PEER, "data before TLS: octets between the answer to STARTTLS and the handshake, as an attacker "
			"would insert them (RFC 3207 section 6)", NOTHING);
		return;
	case TURN_SASL:
		smtp_fail(s, ERR_PEER, "the server spoke while it had to wait for our response (RFC 4954)", NOTHING);
		return;
	case TURN_SERVER:
		break;
	}
	on_line(s, ev);
}

static void on_eof(struct smc *s, struct smc_event *ev)
{
	const struct asked *a = smtp_oldest(s);
	char why[128];

	if (a && a->verb == VERB_QUIT) {
		*ev = (struct smc_event){ .what = SMC_BYE };
		s->phase = PHASE_OVER;
		return;
	}
	if (s->sasl.proof_failed) {	/* that is the news, not the end */
		s->failed = true;
		return;
	}
	(void)snprintf(why, sizeof why, "the server closed the connection%s%s", a ? " before it answered " : "",
		a ? smtp_verb((enum verb)a->verb) : "");
	smtp_fail(s, ERR_NET, why, NOTHING);
}

static void tell_body(struct smc *s, struct smc_event *ev)
{
	const struct slot *t = smtp_slot_last(s);

	s->body = false;
	*ev = (struct smc_event){ .what = SMC_BODY, .mail = t->mail, .chunked = t->chunked };
}

/* What is due is told before more is read; a failure comes once, and after all
 * that it means for the mails. */
enum smc_what smc_next(struct smc *s, struct smc_event *ev)
{
	*ev = (struct smc_event){ 0 };
	while (!ev->what && s->phase != PHASE_OVER) {
		if (smtp_due(s, ev)) {
			continue;
		} else if (s->failed) {
			ev->what = SMC_FAILED;
			s->phase = PHASE_OVER;
		} else if (s->body) {
			tell_body(s, ev);
		} else if (s->try_next) {
			smtp_auth_next(s, ev);
		} else if (s->ready) {
			s->ready = false;
			s->phase = PHASE_READY;
			ev->what = SMC_READY;
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

uint32_t smc_timeout_ms(const struct smc *s)
{
	const struct asked *a = smtp_oldest(s);

	if (s->phase == PHASE_OVER || s->failed || s->turn != TURN_SERVER)
		return 0;
	for (uint32_t i = 0; i < SLOTS; i++)
		if (s->slots[i].mail && s->slots[i].step == STEP_BODY)
			return BLOCK_MS;
	return a ? verbs[a->verb].timeout_ms : 0;
}

const struct err *smc_error(const struct smc *s)
{
	return &s->error;
}

unsigned smc_capabilities(const struct smc *s)
{
	return s->capabilities;
}

uint64_t smc_size_max(const struct smc *s)
{
	return s->size_max;
}

enum sasl_mech smc_mechanism(const struct smc *s)
{
	return s->ladder.now;
}

const struct ladder *smc_ladder(const struct smc *s)
{
	return &s->ladder;
}

unsigned smc_offered(const struct smc *s)
{
	return s->offered;
}

bool smc_greeted(const struct smc *s)
{
	return s->greeted;
}

bool smc_ready(const struct smc *s)
{
	return s->phase == PHASE_READY || s->phase == PHASE_QUITTING;
}

uint64_t smc_replies(const struct smc *s)
{
	return s->replies;
}

uint64_t smc_answered(const struct smc *s)
{
	return s->answered;
}

bool smc_pipelined(const struct smc *s)
{
	return (s->capabilities & SMC_CAPA_PIPELINING) && !s->login->lockstep;
}

bool smc_pipelining_broken(const struct smc *s)
{
	const struct asked *a = smtp_oldest(s);

	return s->pipelining_broken || (a && a->behind && !s->pipelining_proved);
}

bool smc_tls_refused(const struct smc *s)
{
	return s->tls_refused;
}
