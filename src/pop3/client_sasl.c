/* SPDX-License-Identifier: Apache-2.0
 *
 * One AUTH exchange (RFC 5034).  The caller computes; here is the framing:
 * initial responses, base64, `*`, and who may speak when.
 *
 * The response that a mechanism begins with goes with AUTH itself when CAPA was
 * answered (older servers do not know that form) and the line keeps within 255
 * octets.  Else AUTH goes alone and the caller is asked to begin anew when the
 * server says "+": so no secret is kept here while we wait. */
#include <assert.h>

#include "pop3/client_internal.h"
#include "wire/base64.h"

enum { ROUNDS_MAX = 16 };

static void ask_caller(struct p3c *s, bool first, struct span challenge, struct p3c_event *ev)
{
	s->turn = TURN_SASL;
	ev->what = P3C_SASL;
	ev->mech = s->ladder.now;
	ev->first = first;
	ev->text = challenge;
}

void p3_sasl_begin(struct p3c *s, struct p3c_event *ev)
{
	memset(&s->sasl, 0, sizeof s->sasl);
	s->sasl.initial = sasl_mech_first(s->ladder.now) && !sasl_mech_apart(s->ladder.now) && (s->capabilities & P3C_CAPA_ANSWERED);
	if (s->sasl.initial)
		ask_caller(s, true, NOTHING, ev);
	else
		p3_client_command(s, VERB_AUTH, span_of(sasl_mech_name(s->ladder.now)), NOTHING);
}

/* ---- the caller's side */

static void say_base64(struct p3c *s, struct span response)
{
	if (s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (base64_encode(response, &s->out))
		p3_client_say(s, SPAN("\r\n"));
	else
		p3_client_fail(s, ERR_LOCAL, "a SASL response is too long to be sent", NOTHING);
}

static void say_initial(struct p3c *s, struct span response)
{
	char memory[COMMAND_MAX];
	struct buf text;
	size_t room = COMMAND_MAX - strlen("AUTH  \r\n") - strlen(sasl_mech_name(s->ladder.now));

	buf_lend(&text, memory, room);
	s->sasl.spoke = response.len ? base64_encode(response, &text) : buf_add(&text, SPAN("="));
	s->sasl.responses += s->sasl.spoke;
	p3_client_command(s, VERB_AUTH, span_of(sasl_mech_name(s->ladder.now)), buf_span(&text));
	s->ladder.shown = ladder_shown(s->ladder.now, 0, s->sasl.spoke);
	wipe(memory, sizeof memory);
}

void p3c_sasl_answer(struct p3c *s, struct span response)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_SASL);
	s->turn = TURN_SERVER;
	if (s->sasl.last) {
		p3_login_done(s);
	} else if (s->sasl.initial) {
		s->sasl.initial = false;
		say_initial(s, response);
	} else {
		s->ladder.shown = s->sasl.spoke || ladder_shown(s->ladder.now, !sasl_mech_first(s->ladder.now), true);
		s->sasl.spoke = true;
		s->sasl.responses++;
		say_base64(s, response);
	}
}

/* Where our proof is out, what makes no sense is in the place of the server's, or behind a failure that it has counted. */
static void cancel(struct p3c *s)
{
	s->sasl.ends = !s->sasl.proof_failed && s->error.kind == ERR_PEER && ladder_proof_out(s->ladder.now, s->sasl.responses);
	if (s->sasl.ends)
		ladder_over(&s->ladder, LADDER_WRONG, span_of(s->error.text));
	s->asked[s->head].verb = VERB_CANCEL;
	p3_client_say(s, SPAN("*\r\n"));
}

/* The place of the server's proof is taken by what is none. */
static void no_proof(struct p3c *s)
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
void p3c_sasl_cancel(struct p3c *s, bool proof_failed, const struct err *why)
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
		p3_auth_unable(s);
	else
		cancel(s);
}

/* ---- the server's side */

static void on_challenge(struct p3c *s, struct span text, struct p3c_event *ev)
{
	bool ours_first = sasl_mech_first(s->ladder.now);
	struct buf challenge;

	if (++s->sasl.rounds > ROUNDS_MAX) {
		p3_client_fail(s, ERR_PEER, "an AUTH exchange without end (more than 16 challenges)", NOTHING);
		return;
	}
	/* The first "+" asks for what we begin with: it was too long for AUTH,
	 * the server does not take it there, or reads it only when asked. */
	if (ours_first && s->sasl.rounds == 1 && (!s->sasl.spoke || !text.len)) {
		ask_caller(s, true, NOTHING, ev);
		return;
	}
	buf_lend(&challenge, s->challenge, sizeof s->challenge);
	if (!base64_decode(text, &challenge)) {
		(void)err_set(&s->error, ERR_PEER, "the challenge of %s is not base64 (RFC 5034 section 4)", sasl_mech_name(s->ladder.now));
		(void)err_peer(&s->error, text);
		no_proof(s);
		cancel(s);
		return;
	}
	ask_caller(s, !ours_first && s->sasl.rounds == 1, buf_span(&challenge), ev);
}

static void on_cancelled(struct p3c *s, enum reply kind, struct span line)
{
	p3_client_pop(s);
	if (s->sasl.proof_failed || s->sasl.ends)
		s->failed = true;
	else if (kind == REPLY_OK && s->trying)
		p3_client_fail(s, ERR_PEER, "the server accepts an AUTH that we cancelled (RFC 5034 section 4)", line);
	else if (s->trying && (s->error.kind == ERR_CONFIG || s->error.kind == ERR_LOCAL))
		p3_auth_unable(s);
	else if (s->trying)
		p3_auth_pass_over(s);
	else			/* it was AUTH alone, to see the mechanisms */
		s->try_next = true;
}

static void on_accepted(struct p3c *s, struct span line, struct p3c_event *ev)
{
	p3_client_pop(s);
	if (!s->sasl.spoke) {
		p3_client_fail(s, ERR_PEER, "the server accepts an AUTH without any response of ours", line);
		return;
	}
	s->sasl.last = true;
	ask_caller(s, false, NOTHING, ev);
	ev->last = true;
}

void sasl_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev)
{
	if (client_oldest(s)->verb == VERB_CANCEL) {
		on_cancelled(s, kind, line);
	} else if (kind == REPLY_MORE) {
		on_challenge(s, reply_text(line), ev);
	} else if (kind == REPLY_OK) {
		on_accepted(s, line, ev);
	} else {
		p3_client_pop(s);
		p3_auth_refused(s, line, ladder_shown(s->ladder.now, s->sasl.rounds, s->sasl.spoke));
	}
}
