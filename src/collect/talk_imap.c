/* SPDX-License-Identifier: Apache-2.0
 *
 * What an IMAP session says, and what a visit does about it. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/sasl_run.h"
#include "collect/trace.h"
#include "collect/visit_imap.h"
#include "wire/header.h"

static const char *const event_names[] = {
	"nothing", "start of TLS", "challenge", "compression", "logged in", "mailbox", "found", "vanished", "message", "message begins",
	"octets", "message ends", "copied", "done", "refused", "idling", "news", "warning", "goodbye", "failed",
};
static_assert(COUNT(event_names) == IMC_FAILED + 1, "a name for each event");

uint32_t imap_validity(const struct visit *v)
{
	return v->imap ? v->imap->validity : 0;
}

void imap_trouble(struct visit *v, const struct err *why)
{
	struct err e = *why;
	char name[256];

	folders_show(v, name, sizeof name);
	secret_hide(v, name);		/* the server named it */
	(void)err_in(&e, "mailbox %s", name);
	if (v->imap->trouble.kind && !v->imap->mild) {
		log_error(&v->tag, "%s", e.text);	/* the first is told by the visit's end */
		return;
	}
	if (v->imap->mild)			/* or the worst */
		log_error(&v->tag, "%s", v->imap->trouble.text);
	v->imap->trouble = e;
	v->imap->mild = false;
}

void imap_refused(struct visit *v, const struct imc_event *ev, const char *what)
{
	struct err e;

	(void)err_set(&e, ev->kind, "%s", what);
	(void)secret_peer(v, &e, ev->text);
	visit_fail(v, &e);
}

bool uids_add(struct uids *u, uint32_t uid)
{
	if (u->count == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 64;
		uint32_t *more = reallocarray(u->at, cap, sizeof *more);

		if (!more)
			return false;
		u->at = more;
		u->cap = cap;
	}
	u->at[u->count++] = uid;
	return true;
}

void uids_end(struct uids *u)
{
	free(u->at);
	*u = (struct uids){ 0 };
}

void imap_forget_uids(struct imap_visit *i)
{
	uids_end(&i->again);
	uids_end(&i->untold);
	uids_end(&i->empty);
	uids_end(&i->expunge);
	uids_end(&i->unseen_told);
	uids_end(&i->matched_told);
}

/* ---- messages */

static void on_begin(struct visit *v, const struct imc_event *ev)
{
	const struct item *item = listing_find(&v->listing, ev->uid);
	struct err e;

	v->head.len = 0;
	if (item && v->phase == VISIT_FETCHING && !message_begin(v, item, &e))
		visit_fail(v, &e);
}

static void on_body(struct visit *v, const struct imc_event *ev)
{
	struct err e;

	if (v->with->newer_than_s) {
		size_t room = v->head.max - v->head.len;

		(void)!buf_add(&v->head, (struct span){ ev->text.at, ev->text.len < room ? ev->text.len : room });
	}
	if (v->current && !message_octets(v, ev->text, &e))
		visit_fail(v, &e);
}

static void judged(struct visit *v, const struct item *item, bool old)
{
	v->plan_answered++;
	if (old)
		selection_skip(v, item, NULL);
	else
		v->plan[v->plan_kept++] = (uint32_t)(item - v->listing.items);
}

static void on_end(struct visit *v, const struct imc_event *ev)
{
	struct item *item = listing_find(&v->listing, ev->uid);

	if (!item)
		return;
	if (v->phase == VISIT_JUDGING) {
		judged(v, item, selection_old(v));
		return;
	}
	v->plan_answered++;
	ask_over(v, item);
	message_complete(v, v->with->newer_than_s && selection_old(v));
}

static void on_not_told(struct visit *v, const struct imc_event *ev)
{
	const struct item *item = listing_find(&v->listing, ev->uid);

	if (v->current && v->current->number == ev->uid)
		message_drop(v, v->current);
	if (!item)
		return;
	if (v->phase == VISIT_JUDGING)		/* no header to be had: let the fetch decide */
		judged(v, item, false);
	else
		untold_add(v, ev);
}

/* ---- answers */

/* The session that watched has answered: all that it saw is looked for now. */
static void on_awake(struct visit *v)
{
	if (v->phase != VISIT_CONNECTING)
		return;
	log_debug(&v->tag, "idle end");
	v->adopts = false;
	v->phase = VISIT_LISTING;
	folders_start(v);
}

static void on_answer(struct visit *v, const struct imc_event *ev)
{
	if (untold_event(v, ev))
		return;
	switch (ev->verb) {
	case IMC_ASK_LIST:
	case IMC_ASK_CREATE:
		folders_event(v, ev);
		return;
	case IMC_ASK_SELECT:
	case IMC_ASK_EXAMINE:
	case IMC_ASK_SEARCH:
	case IMC_ASK_LISTING:
		list_imap_event(v, ev);
		return;
	case IMC_ASK_FETCH:
	case IMC_ASK_HEAD:
		if (ev->what == IMC_REFUSED && ev->uid)
			on_not_told(v, ev);
		return;
	case IMC_ASK_STORE:
	case IMC_ASK_EXPUNGE:
	case IMC_ASK_COPY:
	case IMC_ASK_MOVE:
		dispose_event(v, ev);
		return;
	case IMC_ASK_NONE:
		if (ev->what == IMC_MESSAGE)
			dispose_flags(v, ev);
		return;
	case IMC_ASK_IDLE:
		on_awake(v);
		return;
	case IMC_ASK_NOTIFY:
	case IMC_ASK_CLOSE:
	case IMC_ASK_NOOP:
	case IMC_ASK_LOGOUT:
		return;
	}
}

static void on_ready(struct visit *v)
{
	log_debug(&v->tag, "logged in mechanism=%s tls=\"%s\"", sasl_mech_name(imc_mechanism(v->imap->session)), conn_tls_text(v->conn));
	v->phase = VISIT_LISTING;
	v->token.again = false;
	folders_start(v);
}

static void tell_trouble(struct visit *v)
{
	if (v->why.kind || !v->imap->trouble.kind)
		return;
	v->why = v->imap->trouble;
	v->mild = v->imap->mild;
}

/* What was disposed of was confirmed command by command: nothing hangs on it. */
static void on_bye(struct visit *v)
{
	tell_trouble(v);
	visit_close(v);
}

static void on_failed(struct visit *v)
{
	struct err e = *imc_error(v->imap->session);

	password_missing(v, &e);
	(void)err_in(&e, "%s:%u", v->with->host, v->conn_settings.port);
	visit_fail(v, &e);
}

static void on_warning(struct visit *v, struct span words)
{
	char text[512];

	header_value(words, text, sizeof text);
	secret_hide(v, text);
	log_warn(&v->tag, "server: %s", text);
}

static void on_event(struct visit *v, const struct imc_event *ev)
{
	if (v->imap->step == IMAP_COPIES && ev->what >= IMC_MESSAGE && ev->what <= IMC_REFUSED) {	/* in the folder of copies */
		copies_event(v, ev);
		return;
	}
	if (v->imap->step == IMAP_PARKING && (ev->what == IMC_DONE || ev->what == IMC_REFUSED)) {
		park_event(v, ev);
		return;
	}
	switch (ev->what) {
	case IMC_TLS:
		talk_secure(v);
		return;
	case IMC_SASL:
		sasl_run_step(v, &(struct sasl_ask){ ev->mech, ev->text, ev->first, ev->last_step });
		return;
	case IMC_COMPRESS:
		v->compressing = true;
		return;
	case IMC_READY:
		on_ready(v);
		return;
	case IMC_BEGIN:
		on_begin(v, ev);
		return;
	case IMC_BODY:
		on_body(v, ev);
		return;
	case IMC_END:
		on_end(v, ev);
		return;
	case IMC_MAILBOX:
	case IMC_FOUND:
	case IMC_MESSAGE:
	case IMC_COPIED:
	case IMC_DONE:
	case IMC_REFUSED:
		on_answer(v, ev);
		return;
	case IMC_WARNING:
		on_warning(v, ev->text);
		return;
	case IMC_BYE:
		on_bye(v);
		return;
	case IMC_FAILED:
		on_failed(v);
		return;
	case IMC_NEWS:		/* of the mailbox that is selected, imc_news keeps it */
		v->parks_again |= ev->text.len && ev->flags & IMC_NEWS_MAIL;
		return;
	case IMC_IDLING:
	case IMC_VANISHED:	/* the modseq tells that something changed */
	case IMC_NOTHING:
		return;
	}
}

/* ---- as talk.c drives it */

static bool take_event(struct visit *v)
{
	struct imc_event ev;

	if (imc_next(v->imap->session, &ev) == IMC_NOTHING)
		return false;
	if (ev.what != IMC_BODY && ev.what != IMC_FOUND && ev.what != IMC_MESSAGE)
		trace_event(v, event_names[ev.what], ev.uid);
	if (v->what != VISIT_TEST || !try_imap(v, &ev))
		on_event(v, &ev);
	return true;
}

static void free_session(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (!i)
		return;
	if (i->session)
		imc_end(i->session);
	folders_end(i);
	copies_end(i);
	free(i->session);
	imap_forget_uids(i);
	free(i);
	v->imap = NULL;
}

static bool make(struct visit *v)
{
	v->imap = calloc(1, sizeof *v->imap);
	if (!v->imap)
		return false;
	v->imap->session = calloc(1, imc_size());
	return v->imap->session;
}

static void start(struct visit *v)
{
	const struct connection *with = v->with;

	v->imap->login = (struct imc_login){
		.user = with->user, .password = buf_span(&v->password), .mechs = v->mechs, .mech_count = v->mech_count, .before = v->ladder.before,
		.id = "(\"name\" \"Postrider\" \"version\" \"" POSTRIDER_VERSION "\")",
		.detect_capa = with->detect_capa, .detect_greeting = with->detect_greeting,
		.secure = v->conn_settings.tls == CONN_TLS_IMPLICIT,
		.starttls = with->tls.mode == MODE_EXPLICIT && !v->in_clear, .starttls_required = with->tls.mode == MODE_EXPLICIT && with->tls.required,
		.clear_allowed = with->allow_cleartext, .lockstep = v->lockstep, .channel_binding = v->channel_binding,
		.compress = with->compress && !with->idle,	/* its windows are more than all else of a session that watches */
	};
	imc_start(v->imap->session, &v->imap->login);
}

static void feed(struct visit *v, struct span in)
{
	imc_feed(v->imap->session, in);
}

static size_t unread(const struct visit *v)
{
	return imc_unread(v->imap->session);
}

static size_t outstanding(const struct visit *v)
{
	return imc_outstanding(v->imap->session);
}

static struct span out(const struct visit *v)
{
	return imc_out(v->imap->session);
}

static void sent(struct visit *v, size_t n)
{
	imc_sent(v->imap->session, n);
}

static void secured(struct visit *v)
{
	v->imap->login.channel_binding = v->channel_binding;
	imc_secured(v->imap->session);
}

static void compressed(struct visit *v)
{
	imc_compressed(v->imap->session);
}

static void sasl_answer(struct visit *v, struct span response)
{
	imc_sasl_answer(v->imap->session, response);
}

static void sasl_cancel(struct visit *v, bool proof_failed, const struct err *why)
{
	imc_sasl_cancel(v->imap->session, proof_failed, why);
}

static void eof(struct visit *v)
{
	imc_eof(v->imap->session);
}

static void left(struct visit *v)
{
	if (v->what == VISIT_TEST)
		try_imap_left(v);
	park_lost(v);
	tell_trouble(v);
}

static const struct ladder *ladder(const struct visit *v)
{
	return v->imap && v->imap->session ? imc_ladder(v->imap->session) : NULL;
}

static bool stuck(const struct visit *v)
{
	return imc_outstanding(v->imap->session) > 1 && !v->result.collected && !v->plan_answered;
}

const struct talk_ops talk_imap = {
	.service = "imap", .clear_port = 143, .make = make, .free = free_session, .start = start, .feed = feed, .unread = unread,
	.event = take_event, .ask = ask_imap, .outstanding = outstanding, .out = out, .sent = sent, .secured = secured,
	.compressed = compressed,
	.sasl_answer = sasl_answer, .sasl_cancel = sasl_cancel, .eof = eof, .left = left, .ladder = ladder, .stuck = stuck,
	.listed = list_imap_joined, .settled = gmail_settled, .reached = try_imap_reached, .offers = try_imap_offers, .entered = try_imap_entered,
};
