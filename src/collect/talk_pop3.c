/* SPDX-License-Identifier: Apache-2.0
 *
 * What a POP3 session says, and what a visit does about it. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/sasl_run.h"
#include "collect/trace.h"
#include "collect/visit.h"

static const char *const event_names[] = {
	"nothing", "start of TLS", "challenge", "logged in", "maildrop", "unique-id", "size", "listing ends",
	"message begins", "octets", "message ends", "deleted", "refused", "goodbye", "failed",
};
static_assert(COUNT(event_names) == P3C_FAILED + 1, "a name for each event");

static void on_ready(struct visit *v)
{
	struct err e;

	if (v->with->use_top && !(p3c_capabilities(v->pop) & P3C_CAPA_TOP)) {
		(void)err_set(&e, ERR_CONFIG, "use_top is set, but the server has no TOP; remove use_top");
		visit_fail(v, &e);
		return;
	}
	log_debug(&v->tag, "logged in mechanism=%s tls=\"%s\" pipelining=%s", sasl_mech_name(p3c_mechanism(v->pop)),
		conn_tls_text(v->conn), p3c_pipelined(v->pop) ? "yes" : "no");
	v->phase = VISIT_LISTING;
	v->token.again = false;
	p3c_stat(v->pop);
	p3c_uidl(v->pop);
}

static void on_listed(struct visit *v, const struct p3c_event *ev)
{
	bool refused = ev->what == P3C_REFUSED;
	struct err e;

	switch (ev->verb) {
	case P3C_ASK_UIDL:
		if (refused && ev->kind == ERR_BUSY) {
			(void)err_set(&e, ERR_BUSY, "UIDL was refused for now");
			(void)secret_peer(v, &e, ev->text);
			visit_fail(v, &e);
			return;
		}
		if (refused && p3c_capabilities(v->pop) & P3C_CAPA_UIDL) {
			(void)err_set(&e, ERR_PEER, "UIDL is offered and was refused");
			(void)secret_peer(v, &e, ev->text);
			visit_fail(v, &e);
			return;
		}
		v->no_ids = refused;
		listing_over(v);
		return;
	case P3C_ASK_LIST:
		if (refused && v->with->max_size) {
			(void)err_set(&e, ERR_PEER, "LIST was refused, so max_size cannot be kept");
			(void)secret_peer(v, &e, ev->text);
			visit_fail(v, &e);
			return;
		}
		if (v->phase == VISIT_LISTING && !listing_plan(v, &e))
			visit_fail(v, &e);
		listing_sizes_known(v);
		return;
	case P3C_ASK_DELE:
		(void)err_set(&e, ERR_PEER, "message %u could not be deleted, the next visit tries again", ev->number);
		(void)secret_peer(v, &e, ev->text);
		log_warn(&v->tag, "%s", e.text);
		delivery_not_disposed(v, ev->number);
		return;
	case P3C_ASK_STAT:	/* UIDL alone counts, if there is one */
		v->stat_refused = true;
		return;
	case P3C_ASK_NONE:
	case P3C_ASK_RETR:
	case P3C_ASK_TOP:
	case P3C_ASK_QUIT:
		return;
	}
}

static struct item *answered_item(struct visit *v)
{
	assert(v->plan_answered < v->plan_asked);
	return &v->listing.items[v->plan[v->plan_answered]];
}

static void on_refused(struct visit *v, const struct p3c_event *ev)
{
	struct item *i;

	if (ev->verb != P3C_ASK_RETR && ev->verb != P3C_ASK_TOP) {
		on_listed(v, ev);
		return;
	}
	i = answered_item(v);
	if (v->phase == VISIT_JUDGING) {	/* no header to be had: let the fetch decide */
		v->plan[v->plan_kept++] = v->plan[v->plan_answered++];
		return;
	}
	v->plan_answered++;
	ask_over(v, i);
	message_refused(v, i, ev->text);
}

static void on_begin(struct visit *v)
{
	struct err e;

	v->head.len = 0;
	if (v->phase == VISIT_FETCHING && !message_begin(v, answered_item(v), &e))
		visit_fail(v, &e);
}

static void on_body(struct visit *v, struct span octets)
{
	struct err e;

	if (v->with->newer_than_s) {
		size_t room = HEAD_MAX - v->head.len;

		(void)!buf_add(&v->head, (struct span){ octets.at, octets.len < room ? octets.len : room });
	}
	if (v->current && !message_octets(v, octets, &e))
		visit_fail(v, &e);
}

static void on_end(struct visit *v)
{
	struct item *i = answered_item(v);

	if (v->phase == VISIT_JUDGING) {
		if (selection_old(v))
			selection_skip(v, i, NULL);
		else
			v->plan[v->plan_kept++] = v->plan[v->plan_answered];
		v->plan_answered++;
		return;
	}
	v->plan_answered++;
	ask_over(v, i);
	message_complete(v, v->with->newer_than_s && selection_old(v));
}

/* `+OK` means that what was marked is gone; without it the messages stay
 * `disposing` and the next listing decides.  So it does where a message could
 * not be compared: it may be one that is `disposing` and was not marked now. */
static void on_bye(struct visit *v, const struct p3c_event *ev)
{
	v->bye = ev->good;
	if (ev->good && !v->uncompared && !v->listing.incomplete)
		delivery_confirmed(v->ledger);
	if (!ev->good)
		log_warn(&v->tag, "QUIT was refused");
	visit_close(v);
}

/* The connection ended after QUIT was sent, and nobody said +OK. */
static void no_bye(struct visit *v)
{
	if (v->what == VISIT_TEST)
		try_pop3_left(v);
	if (v->what == VISIT_TEST || v->bye || v->why.kind)
		return;
	if (v->deletes_ever || v->found.dispose)
		(void)err_set(&v->why, ERR_PEER, "QUIT was not answered with +OK; deleted messages may still be there, "
			"the next visit looks");
	else
		log_warn(&v->tag, "QUIT was not answered");
}

static void on_event(struct visit *v, const struct p3c_event *ev)
{
	struct err e;

	switch (ev->what) {
	case P3C_SASL:
		sasl_run_step(v, &(struct sasl_ask){ ev->mech, ev->text, ev->first, ev->last });
		return;
	case P3C_READY:
		on_ready(v);
		return;
	case P3C_STAT:
		v->stat_count = ev->number;
		return;
	case P3C_UID:
		if (!listing_take(v, ev->number, ev->text, &e))
			visit_fail(v, &e);
		return;
	case P3C_SIZE:
		if (v->listed)
			listing_size(&v->listing, ev->number, ev->size);
		return;
	case P3C_LISTED:
		on_listed(v, ev);
		return;
	case P3C_BEGIN:
		on_begin(v);
		return;
	case P3C_BODY:
		on_body(v, ev->text);
		return;
	case P3C_END:
		on_end(v);
		return;
	case P3C_REFUSED:
		on_refused(v, ev);
		return;
	case P3C_BYE:
		on_bye(v, ev);
		return;
	case P3C_FAILED:
		e = *p3c_error(v->pop);
		password_missing(v, &e);
		(void)err_in(&e, "%s:%u", v->with->host, v->conn_settings.port);
		visit_fail(v, &e);
		return;
	case P3C_TLS:
		talk_secure(v);
		return;
	case P3C_DELETED:
	case P3C_NOTHING:
		return;
	}
}

/* ---- as talk.c drives it */

static bool take_event(struct visit *v)
{
	struct p3c_event ev;

	if (p3c_next(v->pop, &ev) == P3C_NOTHING)
		return false;
	if (ev.what != P3C_BODY && ev.what != P3C_UID && ev.what != P3C_SIZE)
		trace_event(v, event_names[ev.what], ev.number);
	if (v->what != VISIT_TEST || !try_pop3(v, &ev))
		on_event(v, &ev);
	return true;
}

static bool make(struct visit *v)
{
	v->pop = calloc(1, p3c_size());
	return v->pop;
}

static void free_session(struct visit *v)
{
	if (v->pop)
		p3c_end(v->pop);
	free(v->pop);
	v->pop = NULL;
}

static void start(struct visit *v)
{
	const struct connection *with = v->with;

	v->pop_login = (struct p3c_login){
		.user = with->user, .password = buf_span(&v->password), .mechs = v->mechs, .mech_count = v->mech_count, .before = v->ladder.before,
		.detect_capa = with->detect_capa, .detect_auth = with->detect_auth, .detect_greeting = with->detect_greeting,
		.secure = v->conn_settings.tls == CONN_TLS_IMPLICIT,
		.stls = with->tls.mode == MODE_EXPLICIT && !v->in_clear, .stls_required = with->tls.required,
		.clear_allowed = with->allow_cleartext, .lockstep = v->lockstep, .ahead = v->what != VISIT_TEST, .listed = !with->auth_auto,
		.channel_binding = v->channel_binding,
	};
	p3c_start(v->pop, &v->pop_login);
}

static void feed(struct visit *v, struct span in)
{
	p3c_feed(v->pop, in);
}

static size_t unread(const struct visit *v)
{
	return p3c_unread(v->pop);
}

static size_t outstanding(const struct visit *v)
{
	return p3c_outstanding(v->pop);
}

static struct span out(const struct visit *v)
{
	return p3c_out(v->pop);
}

static void sent(struct visit *v, size_t n)
{
	p3c_sent(v->pop, n);
}

static void secured(struct visit *v)
{
	v->pop_login.channel_binding = v->channel_binding;
	p3c_secured(v->pop);
}

static void sasl_answer(struct visit *v, struct span response)
{
	p3c_sasl_answer(v->pop, response);
}

static void sasl_cancel(struct visit *v, bool proof_failed, const struct err *why)
{
	p3c_sasl_cancel(v->pop, proof_failed, why);
}

static void eof(struct visit *v)
{
	p3c_eof(v->pop);
}

static const struct ladder *ladder(const struct visit *v)
{
	return v->pop ? p3c_ladder(v->pop) : NULL;
}

static bool stuck(const struct visit *v)
{
	return p3c_pipelining_broken(v->pop) ||
	       (p3c_pipelined(v->pop) && p3c_outstanding(v->pop) > 1 && v->plan_answered <= 1);
}

/* An answer came that belongs to no command: those before it may have been
 * another's too. */
static bool shifted(const struct visit *v)
{
	return v->why.kind == ERR_PEER && p3c_pipelined(v->pop) && p3c_pipelining_broken(v->pop);
}

const struct talk_ops talk_pop3 = {
	.service = "pop", .clear_port = 110, .make = make, .free = free_session, .start = start, .feed = feed, .unread = unread,
	.event = take_event, .ask = ask_pop3, .outstanding = outstanding, .out = out, .sent = sent, .secured = secured,
	.sasl_answer = sasl_answer, .sasl_cancel = sasl_cancel, .eof = eof, .left = no_bye, .ladder = ladder, .stuck = stuck,
	.shifted = shifted,
	.listed = listing_settled, .reached = try_pop3_reached, .offers = try_pop3_offers, .entered = try_pop3_entered,
};
