/* SPDX-License-Identifier: Apache-2.0
 *
 * The login (RFC 4954): which mechanism is tried next, one AUTH exchange, and
 * what a refusal means.  The caller computes; here is the framing.
 *
 * The response that a mechanism begins with goes with AUTH itself where the line
 * keeps within 512 octets.  Else AUTH goes alone and the caller is asked to begin
 * anew when the server says 334: so no secret is kept here while we wait. */
#include <assert.h>
#include <stdio.h>

#include "smtp/client_internal.h"
#include "wire/base64.h"

enum { ROUNDS_MAX = 16, AUTH_LINE_MAX = 512, MECHS_TEXT = 200, NOTHING_TEXT = 400 };

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

void smtp_auth_offer(struct smc *s, struct span names)
{
	struct span name;
	enum sasl_mech mech;

	while (span_word(&names, &name))
		if (sasl_mech_parse(name, &mech) && mech != SASL_USER && mech != SASL_APOP)
			s->offered |= bit(mech);
}

/* ---- the ladder */

static void ask_caller(struct smc *s, bool first, struct span challenge, struct smc_event *ev)
{
	s->turn = TURN_SASL;
	ev->what = SMC_SASL;
	ev->mech = s->ladder.now;
	ev->first = first;
	ev->text = challenge;
}

static void begin(struct smc *s, struct smc_event *ev)
{
	enum sasl_mech mech = s->ladder.now;

	memset(&s->sasl, 0, sizeof s->sasl);
	s->sasl.initial = sasl_mech_first(mech) && !sasl_mech_apart(mech);
	if (s->sasl.initial)
		ask_caller(s, true, NOTHING, ev);
	else
		smtp_command(s, VERB_AUTH, span_of(sasl_mech_name(mech)), NOTHING);
}

static void nothing_left(struct smc *s)
{
	char why[NOTHING_TEXT], mechs[MECHS_TEXT];

	if (s->error.kind) {	/* the last refusal says it best */
		s->failed = true;
		return;
	}
	sasl_mechs_text(s->offered, mechs, sizeof mechs);
	(void)snprintf(why, sizeof why, "%s; it offers %s", ladder_nothing(&s->ladder), mechs);
	if (s->ladder.weaker_skipped)
		smtp_fail(s, ERR_AUTH, why, NOTHING);
	else if (s->ladder.clear_skipped)
		smtp_fail(s, ERR_CONFIG, "the server takes only clear-text passwords and the line is not protected; "
			"set tls { mode = explicit } (STARTTLS) or tls { mode = implicit } for the target, or give it no user", NOTHING);
	else
		smtp_fail(s, ERR_CONFIG, why, NOTHING);
}

void smtp_auth_next(struct smc *s, struct smc_event *ev)
{
	const struct ladder_offer offer = { .offered = s->offered, .secure = s->secure, .clear_allowed = s->login->clear_allowed,
		.channel_binding = s->login->channel_binding };

	s->try_next = false;
	if (ladder_next(&s->ladder, &offer))
		begin(s, ev);
	else
		nothing_left(s);
}

static void pass_over(struct smc *s, enum ladder_fate fate)
{
	ladder_over(&s->ladder, fate, NOTHING);
	s->try_next = true;
}

/* The server did not read as far as the credentials, whatever went with AUTH: no such command, mechanism, parameter, or
 * not on this line (RFC 4954 sections 4 and 6).  534 is not among them: some say it of a password that they have seen. */
static bool unread(unsigned code)
{
	return code == 500 || code == 501 || code == 502 || code == 504 || code == 538;
}

/* 535 is about the password, and 4xx about now.  Any other is about the mechanism, unless the password, or a proof of
 * it, was out already. */
static void on_refused(struct smc *s)
{
	enum sasl_mech mech = s->ladder.now;
	unsigned code = s->reply.code;
	bool busy = code / 100 == 4, shown = s->sasl.rounds || (!unread(code) && ladder_shown(mech, 0, s->sasl.spoke));
	struct span words = smtp_words(s);

	smtp_pop(s);
	(void)err_set(&s->error, busy ? ERR_BUSY : ERR_AUTH, "login by %s was refused%s%s", sasl_mech_name(mech),
		busy ? " for now; try again later" : "; check ", busy ? "" : sasl_mech_check(mech));
	if (words.len)
		(void)err_peer(&s->error, words);
	s->failed = busy || code == 535 || shown;
	if (s->failed)
		ladder_over(&s->ladder, LADDER_WRONG, NOTHING);
	else
		pass_over(s, LADDER_REFUSED);
}

/* ---- the caller's side of an exchange */

static void say_base64(struct smc *s, struct span response)
{
	if (s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (base64_encode(response, &s->out))
		smtp_say(s, SPAN("\r\n"));
	else
		smtp_fail(s, ERR_LOCAL, "a SASL response is too long to be sent", NOTHING);
}

static void say_initial(struct smc *s, struct span response)
{
	char memory[AUTH_LINE_MAX];
	struct buf text;
	size_t room = AUTH_LINE_MAX - strlen("AUTH  \r\n") - strlen(sasl_mech_name(s->ladder.now));

	buf_lend(&text, memory, room);
	s->sasl.spoke = response.len ? base64_encode(response, &text) : buf_add(&text, SPAN("="));
	s->sasl.responses += s->sasl.spoke;
	smtp_command(s, VERB_AUTH, span_of(sasl_mech_name(s->ladder.now)), buf_span(&text));
	wipe(memory, sizeof memory);
}

void smc_sasl_answer(struct smc *s, struct span response)
{
	if (s->phase == PHASE_OVER || s->failed)
		return;
	assert(s->turn == TURN_SASL);
	s->turn = TURN_SERVER;
	if (s->sasl.last) {
		smtp_login_done(s);
	} else if (s->sasl.initial) {
		s->sasl.initial = false;
		say_initial(s, response);
	} else {
		s->sasl.spoke = true;
		s->sasl.responses++;
		say_base64(s, response);
	}
}

/* Where our proof is out, what makes no sense is in the place of the server's, or behind a failure that it has counted. */
static void cancel(struct smc *s)
{
	s->sasl.ends = !s->sasl.proof_failed && s->error.kind == ERR_PEER && ladder_proof_out(s->ladder.now, s->sasl.responses);
	if (s->sasl.ends)
		ladder_over(&s->ladder, LADDER_WRONG, NOTHING);
	s->asked[s->head].verb = VERB_CANCEL;
	smtp_say(s, SPAN("*\r\n"));
}

/* The place of the server's proof is taken by what is none. */
static void no_proof(struct smc *s)
{
	s->sasl.proof_failed = sasl_mech_mutual(s->ladder.now) && ladder_proof_out(s->ladder.now, s->sasl.responses);
	if (!s->sasl.proof_failed)
		return;
	(void)err_in(&s->error, "the server did not prove who it is");
	s->error.kind = ERR_AUTH;
	ladder_over(&s->ladder, LADDER_FALSE_PROOF, NOTHING);
}

/* What was said so far decides how to get out of it: nothing, an exchange, or
 * a login that the server holds for done. */
void smc_sasl_cancel(struct smc *s, bool proof_failed, const struct err *why)
{
	if (s->phase == PHASE_OVER || s->failed)
		return;
	assert(s->turn == TURN_SASL && why->kind);
	s->turn = TURN_SERVER;
	s->error = *why;
	s->sasl.proof_failed = proof_failed;
	if (proof_failed)
		ladder_over(&s->ladder, LADDER_FALSE_PROOF, NOTHING);
	if (s->sasl.last || (proof_failed && s->sasl.initial))
		s->failed = true;
	else if (s->sasl.initial)
		pass_over(s, LADDER_UNABLE);
	else
		cancel(s);
}

/* ---- the server's side of an exchange */

static void on_challenge(struct smc *s, struct smc_event *ev)
{
	bool ours_first = sasl_mech_first(s->ladder.now);
	struct span text = span_trim(s->reply.line);
	struct buf challenge;

	if (++s->sasl.rounds > ROUNDS_MAX) {
		smtp_fail(s, ERR_PEER, "an AUTH exchange without end (more than 16 challenges)", NOTHING);
		return;
	}
	/* The first 334 asks for what we begin with: it was too long for AUTH,
	 * the server does not take it there, or reads it only when asked. */
	if (ours_first && s->sasl.rounds == 1 && (!s->sasl.spoke || !text.len)) {
		ask_caller(s, true, NOTHING, ev);
		return;
	}
	buf_lend(&challenge, s->challenge, sizeof s->challenge);
	if (!base64_decode(text, &challenge)) {
		(void)err_set(&s->error, ERR_PEER, "the challenge of %s is not base64 (RFC 4954 section 4)", sasl_mech_name(s->ladder.now));
		(void)err_peer(&s->error, smtp_words(s));
		no_proof(s);
		cancel(s);
		return;
	}
	ask_caller(s, !ours_first && s->sasl.rounds == 1, buf_span(&challenge), ev);
}

static void on_cancelled(struct smc *s)
{
	smtp_pop(s);
	if (s->sasl.proof_failed || s->sasl.ends)
		s->failed = true;
	else if (s->reply.code / 100 == 2)
		smtp_fail(s, ERR_PEER, "the server accepts an AUTH that we cancelled (RFC 4954 section 4)", smtp_words(s));
	else
		pass_over(s, s->error.kind == ERR_CONFIG || s->error.kind == ERR_LOCAL ? LADDER_UNABLE : LADDER_REFUSED);
}

static void on_accepted(struct smc *s, struct smc_event *ev)
{
	smtp_pop(s);
	if (!s->sasl.spoke) {
		smtp_fail(s, ERR_PEER, "the server accepts an AUTH without any response of ours", smtp_words(s));
		return;
	}
	s->sasl.last = true;
	ask_caller(s, false, NOTHING, ev);
	ev->last = true;
}

void smtp_auth_reply(struct smc *s, struct smc_event *ev)
{
	unsigned class = s->reply.code / 100;

	if (smtp_oldest(s)->verb == VERB_CANCEL)
		on_cancelled(s);
	else if (class == 3)
		on_challenge(s, ev);
	else if (class == 2)
		on_accepted(s, ev);
	else
		on_refused(s);
}
