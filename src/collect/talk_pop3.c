/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the connection and the POP3 session: bytes in, events handled, and
 * after every turn what to ask next. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/sasl_run.h"
#include "collect/trace.h"
#include "collect/visit.h"

/* ---- turns */

static const char *waited_for(const struct visit *v)
{
	if (v->phase != VISIT_CONNECTING)
		return v->current ? "data" : "answer";
	return v->greeted ? "answer" : "greeting";
}

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
			(void)err_peer(&e, ev->text);
			visit_fail(v, &e);
			return;
		}
		if (refused && p3c_capabilities(v->pop) & P3C_CAPA_UIDL) {
			(void)err_set(&e, ERR_PEER, "UIDL is offered and was refused");
			(void)err_peer(&e, ev->text);
			visit_fail(v, &e);
			return;
		}
		v->no_ids = refused;
		listing_over(v);
		return;
	case P3C_ASK_LIST:
		if (refused && v->with->max_size) {
			(void)err_set(&e, ERR_PEER, "LIST was refused, so max_size cannot be kept");
			(void)err_peer(&e, ev->text);
			visit_fail(v, &e);
			return;
		}
		if (v->phase == VISIT_LISTING && !listing_plan(v, &e))
			visit_fail(v, &e);
		listing_sizes_known(v);
		return;
	case P3C_ASK_DELE:
		(void)err_set(&e, ERR_PEER, "message %u could not be deleted, the next visit tries again", ev->number);
		(void)err_peer(&e, ev->text);
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

static const struct item *answered_item(struct visit *v)
{
	assert(v->plan_answered < v->plan_asked);
	return &v->listing.items[v->plan[v->plan_answered]];
}

static void on_refused(struct visit *v, const struct p3c_event *ev)
{
	const struct item *i;

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
	ask_answered(v, v->plan[v->plan_answered - 1]);
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
	const struct item *i = answered_item(v);

	if (v->phase == VISIT_JUDGING) {
		if (selection_old(v))
			selection_skip(v, i, NULL);
		else
			v->plan[v->plan_kept++] = v->plan[v->plan_answered];
		v->plan_answered++;
		return;
	}
	v->plan_answered++;
	ask_answered(v, v->plan[v->plan_answered - 1]);
	message_complete(v, v->with->newer_than_s && selection_old(v));
}

/* `+OK` means that what was marked is gone; without it the messages stay
 * `disposing` and the next listing decides. */
static void on_bye(struct visit *v, const struct p3c_event *ev)
{
	v->bye = ev->good;
	if (ev->good)
		ledger_note(v->ledger, LEDGER_NOTE_DISPOSED, clock_now_s(), 0);
	else
		log_warn(&v->tag, "QUIT was refused");
	visit_close(v);
}

/* The connection ended after QUIT was sent, and nobody said +OK. */
static void no_bye(struct visit *v)
{
	if (v->bye || v->why.kind)
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
		sasl_run_step(v, ev);
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
		(void)err_in(&e, "%s:%u", v->with->host, v->conn_settings.port);
		visit_fail(v, &e);
		return;
	case P3C_TLS:
		v->securing = true;
		conn_start_tls(v->conn);
		return;
	case P3C_DELETED:
	case P3C_NOTHING:
		return;
	}
}

/* What the session has to say: after input, and after each answer of ours. */
static void take_events(struct visit *v)
{
	struct p3c_event ev;

	while (!v->why.kind && !v->securing && p3c_next(v->pop, &ev) != P3C_NOTHING) {
		trace_event(v, &ev);
		on_event(v, &ev);
	}
}

void talk_move(struct visit *v)
{
	struct span out;

	if (!v->conn || !v->pop || v->closing)
		return;
	take_events(v);
	if (v->closing)
		return;
	ask_pop3(v);
	out = p3c_out(v->pop);
	trace_out(v, out);
	if (out.len && !conn_send(v->conn, out))
		return;
	p3c_sent(v->pop, out.len);
	collector_throttle(v->collector, v, delivery_full(v));
	conn_pause(v->conn, v->throttled);
	v->idle = v->phase != VISIT_CONNECTING && (v->throttled || !p3c_outstanding(v->pop));
	if (!v->idle)
		conn_deadline(v->conn, v->sasl_busy ? 0 : v->with->timeout_ms, waited_for(v));
	else
		conn_deadline(v->conn, 0, NULL);	/* it is us who keep the server waiting */
	ledger_flush(v->ledger);
}

/* ---- the connection's calls */

/* A time-out ends silence; this ends a server that drips. */
static bool drips(struct visit *v, size_t octets)
{
	uint64_t now = loop_now_ms(collector_loop(v->collector));
	uint64_t window = (uint64_t)v->with->timeout_ms * SLOW_FACTOR;
	struct err e;

	v->slow_octets += octets;
	if (v->slow_octets >= SLOW_OCTETS || v->idle) {
		v->slow_since_ms = now;
		v->slow_octets = 0;
	}
	if (now - v->slow_since_ms <= window)
		return false;
	(void)err_set(&e, ERR_NET, "%s:%u: less than %d octets came in %llu s", v->with->host, v->conn_settings.port, SLOW_OCTETS,
		(unsigned long long)(window / 1000));
	visit_fail(v, &e);
	return true;
}

static size_t on_turn(void *user, struct span in)
{
	struct visit *v = user;

	if (drips(v, in.len))
		return in.len;
	v->greeted = true;
	trace_in(v, in);
	p3c_feed(v->pop, in);
	take_events(v);
	if (v->securing)	/* octets behind the answer to STLS are the driver's to refuse */
		return in.len - p3c_unread(v->pop);
	talk_move(v);
	return in.len;
}

static void on_opened(void *user)
{
	struct visit *v = user;
	char binding[64];

	v->login.channel_binding = conn_tls_exporter(v->conn, binding) || conn_tls_unique(v->conn, binding);
	p3c_start(v->pop, &v->login);
	talk_move(v);
}

static void on_secured(void *user)
{
	struct visit *v = user;
	char binding[64];

	v->securing = false;
	v->login.channel_binding = conn_tls_exporter(v->conn, binding) || conn_tls_unique(v->conn, binding);
	p3c_secured(v->pop);
	talk_move(v);
}

static void on_drained(void *user)
{
	collector_dirty(((struct visit *)user)->collector, user);
}

static void on_closed(void *user, const struct err *why)
{
	struct visit *v = user;

	v->closing = true;
	v->tls_technical = conn_tls_technical(v->conn);
	if (!v->why.kind && why->kind && v->phase != VISIT_LEAVING)
		v->why = *why;
	offered_keep(v);
	if (v->phase == VISIT_LEAVING) {
		no_bye(v);
	} else if (!v->why.kind) {
		p3c_eof(v->pop);
		take_events(v);
		if (!v->why.kind)
			(void)err_set(&v->why, ERR_NET, "%s:%u: the server closed the connection", v->with->host,
				v->conn_settings.port);
	}
	v->pipeline_stuck = p3c_pipelining_broken(v->pop) ||
		(p3c_pipelined(v->pop) && p3c_outstanding(v->pop) > 1 && v->plan_answered <= 1);
	v->mechs_new = p3c_mechs_refused(v->pop) & ~v->mechs_out;
	v->mechs_out |= v->mechs_new;
	v->conn = NULL;
	v->phase = VISIT_CLOSED;
	collector_throttle(v->collector, v, false);
	if (v->current)
		message_drop(v, v->current);	/* a cut download is never delivered */
	sasl_run_end(v);
	collector_dirty(v->collector, v);
}

static bool settle_connection(struct visit *v, struct err *e)
{
	const struct connection *with = v->with;
	bool tls = with->tls.mode != MODE_NONE && !v->in_clear;
	struct tls_settings s = {
		.legacy = with->tls.legacy, .versions = with->tls.versions, .ciphers = with->tls.ciphers,
		.ciphersuites = with->tls.ciphersuites, .certificate = with->tls.certificate, .key = with->tls.key,
		.ca_certificates = with->tls.ca_certificates, .crl = with->tls.crl,
		.verify_server = with->tls.verify_server, .verify_host = with->tls.verify_host && with->tls.required,
		.verify_depth = with->tls.verify_depth, .pin = with->tls.pin,
	};

	v->conn_settings = (struct conn_settings){
		.host = with->host, .port = with->port, .source_address = with->source_address,
		.tls = tls && with->tls.mode == MODE_IMPLICIT ? CONN_TLS_IMPLICIT : CONN_TLS_NONE,
		.connect_timeout_ms = with->connect_timeout_ms, .timeout_ms = with->timeout_ms,
	};
	if (v->in_clear && with->tls.mode == MODE_IMPLICIT && !with->port_set)
		v->conn_settings.port = 110;
	if (!tls)
		return true;
	v->conn_settings.tls_client = tls_client_get(collector_contexts(v->collector), &s, e);
	return v->conn_settings.tls_client;
}

static_assert(SASL_EXTERNAL == (int)MECHANISM_EXTERNAL && SASL_APOP == (int)MECHANISM_APOP && SASL_MECHS == (int)MECHANISMS,
	"config names the mechanisms in the order of sasl");
static_assert(TLS_1_0 == (int)VERSION_TLS_1_0 && TLS_1_3 == (int)VERSION_TLS_1_3, "config names the versions as net does");

static void settle_login(struct visit *v)
{
	const struct connection *with = v->with;

	size_t count = 0;

	for (size_t n = 0; n < with->auth_count; n++) {
		bool hopeless = with->auth[n] == SASL_EXTERNAL && with->auth_auto && !with->tls.certificate;

		if (!hopeless && !(v->mechs_out & 1u << with->auth[n]))
			v->mechs[count++] = (enum sasl_mech)with->auth[n];
	}
	v->login = (struct p3c_login){
		.user = with->user, .password = buf_span(&v->password), .mechs = v->mechs, .mech_count = count,
		.detect_capa = with->detect_capa, .detect_auth = with->detect_auth, .detect_greeting = with->detect_greeting,
		.secure = v->conn_settings.tls == CONN_TLS_IMPLICIT,
		.stls = with->tls.mode == MODE_EXPLICIT && !v->in_clear, .stls_required = with->tls.required,
		.clear_allowed = with->allow_cleartext, .lockstep = v->lockstep, .listed = !with->auth_auto,
	};
}

void talk_connect(struct visit *v)
{
	const struct conn_user user = {
		.opened = on_opened, .turn = on_turn, .secured = on_secured, .drained = on_drained, .closed = on_closed, .user = v,
	};
	struct err e;

	v->phase = VISIT_CONNECTING;
	v->slow_since_ms = loop_now_ms(collector_loop(v->collector));
	v->slow_octets = 0;
	v->greeted = v->tls_technical = v->securing = v->closing = v->bye = false;
	v->pop = calloc(1, p3c_size());
	if (!v->pop) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		visit_fail(v, &e);
		return;
	}
	if (settle_connection(v, &e)) {
		settle_login(v);
		v->conn = conn_open(collector_loop(v->collector), &v->conn_settings, &user, &e);
	}
	if (!v->conn)
		visit_fail(v, &e);
}
