/* SPDX-License-Identifier: Apache-2.0
 *
 * One AUTHENTICATE exchange (RFC 3501 section 6.2.2, RFC 4959).  The caller
 * computes; here is the framing: initial responses, base64, `*`, and who may
 * speak when.
 *
 * The response that a mechanism begins with goes with AUTHENTICATE where the
 * server has SASL-IR.  Else the caller is asked to begin when the server says
 * "+": so no secret is kept here while we wait. */
#include <assert.h>

#include "imap/client_internal.h"
#include "wire/base64.h"

enum { ROUNDS_MAX = 16 };

static void ask_caller(struct imc *s, bool first, struct span challenge, struct imc_event *ev)
{
	s->turn = TURN_SASL;
	*ev = (struct imc_event){ .what = IMC_SASL, .mech = s->ladder.now, .first = first, .text = challenge };
}

void sasl_begin(struct imc *s, struct imc_event *ev)
{
	memset(&s->sasl, 0, sizeof s->sasl);
	s->sasl.initial = sasl_mech_first(s->ladder.now) && !sasl_mech_apart(s->ladder.now) && (s->capabilities & IMC_CAPA_SASL_IR);
	if (s->sasl.initial)
		ask_caller(s, true, NOTHING, ev);
	else
		client_command(s, VERB_AUTHENTICATE, span_of(sasl_mech_name(s->ladder.now)));
}

/* ---- the caller's side */

static void say_base64(struct imc *s, struct span response)
{
	if (s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (base64_encode(response, &s->out))
		client_say(s, SPAN("\r\n"));
	else
		client_fail(s, ERR_LOCAL, "a SASL response is too long to be sent", NOTHING);
}

static void say_initial(struct imc *s, struct span response)
{
	s->sasl.initial = false;
	s->sasl.spoke = true;
	s->sasl.responses++;
	(void)client_begin(s, VERB_AUTHENTICATE);
	client_say(s, SPAN("AUTHENTICATE "));
	client_say(s, span_of(sasl_mech_name(s->ladder.now)));
	client_say(s, response.len ? SPAN(" ") : SPAN(" ="));
	say_base64(s, response);
	s->ladder.shown = ladder_shown(s->ladder.now, 0, true);
}

void imc_sasl_answer(struct imc *s, struct span response)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_SASL);
	s->turn = TURN_SERVER;
	if (s->sasl.last) {
		login_done(s);
	} else if (s->sasl.initial) {
		say_initial(s, response);
	} else {
		s->ladder.shown = s->sasl.spoke || ladder_shown(s->ladder.now, !sasl_mech_first(s->ladder.now), true);
		s->sasl.spoke = true;
		s->sasl.responses++;
		say_base64(s, response);
	}
}

/* Where our proof is out, what makes no sense is in the place of the server's, or behind a failure that it has counted. */
static void cancel(struct imc *s)
{
	s->sasl.ends = !s->sasl.proof_failed && s->error.kind == ERR_PEER && ladder_proof_out(s->ladder.now, s->sasl.responses);
	if (s->sasl.ends)
		ladder_over(&s->ladder, LADDER_WRONG, span_of(s->error.text));
	client_find(s, VERB_AUTHENTICATE)->verb = VERB_CANCEL;
	client_say(s, SPAN("*\r\n"));
}

/* The place of the server's proof is taken by what is none. */
static void no_proof(struct imc *s)
{
	s->sasl.proof_failed = sasl_mech_mutual(s->ladder.now) && ladder_proof_out(s->ladder.now, s->sasl.responses);
	if (!s->sasl.proof_failed)
		return;
	(void)err_in(&s->error, "the server did not prove who it is");
	s->error.kind = ERR_AUTH;
	ladder_over(&s->ladder, LADDER_FALSE_PROOF, span_of(s->error.text));
}

/* What was said so far decides how to get out of it: nothing, an exchange, or
 * a login that the server holds for done. */
void imc_sasl_cancel(struct imc *s, bool proof_failed, const struct err *why)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_SASL && why->kind);
	s->turn = TURN_SERVER;
	s->error = *why;
	s->sasl.proof_failed = proof_failed;
	if (proof_failed)
		ladder_over(&s->ladder, LADDER_FALSE_PROOF, span_of(why->text));
	if (s->sasl.last)
		s->failed = true;
	else if (s->sasl.initial)
		auth_unable(s);
	else
		cancel(s);
}

/* ---- the server's side */

void sasl_more(struct imc *s, struct asked *a, struct imc_event *ev)
{
	struct span text = span_trim(buf_span(&s->text));
	bool ours_first = sasl_mech_first(s->ladder.now);
	struct buf challenge;

	assert(a->verb == VERB_AUTHENTICATE);
	if (++s->sasl.rounds > ROUNDS_MAX) {
		client_fail(s, ERR_PEER, "an AUTHENTICATE exchange without end (more than 16 challenges)", NOTHING);
		return;
	}
	/* The first "+" asks for what we begin with: without SASL-IR, or where
	 * the server does not read it there though it says so. */
	if (ours_first && s->sasl.rounds == 1 && (!s->sasl.spoke || !text.len)) {
		ask_caller(s, true, NOTHING, ev);
		return;
	}
	buf_lend(&challenge, s->challenge, sizeof s->challenge);
	if (s->r.cut || !base64_decode(text, &challenge)) {
		(void)err_set(&s->error, ERR_PEER, "the challenge of %s is not base64, or too long (RFC 3501 section 6.2.2)",
			sasl_mech_name(s->ladder.now));
		(void)err_peer(&s->error, text);
		no_proof(s);
		cancel(s);
		return;
	}
	ask_caller(s, !ours_first && s->sasl.rounds == 1, buf_span(&challenge), ev);
}

static void on_cancelled(struct imc *s)
{
	if (s->sasl.proof_failed || s->sasl.ends)
		s->failed = true;
	else if (s->r.status == STATUS_OK)
		client_fail(s, ERR_PEER, "the server accepts an AUTHENTICATE that we cancelled (RFC 3501 section 6.2.2)", buf_span(&s->text));
	else if (s->error.kind == ERR_CONFIG || s->error.kind == ERR_LOCAL)
		auth_unable(s);
	else
		auth_pass_over(s);
}

void sasl_answered(struct imc *s, struct asked *a, struct imc_event *ev)
{
	bool cancelled = a->verb == VERB_CANCEL;

	client_pop(s, a);
	if (cancelled) {
		on_cancelled(s);
	} else if (s->r.status != STATUS_OK) {
		auth_refused(s, s->r.status == STATUS_BYE || s->sasl.rounds || (s->r.status == STATUS_NO && ladder_shown(s->ladder.now, 0, s->sasl.spoke)));
	} else if (!s->sasl.spoke) {
		client_fail(s, ERR_PEER, "the server accepts an AUTHENTICATE without any response of ours", buf_span(&s->text));
	} else {
		s->sasl.last = true;
		ask_caller(s, false, NOTHING, ev);
		ev->last_step = true;
	}
}
