/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the connection and the session of a protocol: octets in, events
 * handled, and after every turn what to ask next. */
#include <assert.h>

#include "base/clock.h"
#include "collect/sasl_run.h"
#include "collect/trace.h"
#include "collect/visit.h"
#include "collect/watch.h"

/* ---- turns */

static const char *waited_for(const struct visit *v)
{
	if (v->phase != VISIT_CONNECTING)
		return v->current ? "data" : "answer";
	return v->greeted ? "answer" : "greeting";
}

/* What the session has to say: after input, and after each answer of ours. */
static void take_events(struct visit *v)
{
	while (!v->why.kind && !v->securing && !v->compressing && v->talk->event(v))
		continue;
	mechs_look(v);
	steps_move(v);
}

/* Whoever reads this error has found a mistake of ours; the visit must not hang for it. */
static bool forgotten(struct visit *v)
{
	bool works = v->phase == VISIT_LISTING || v->phase == VISIT_JUDGING || v->phase == VISIT_FETCHING;
	struct err e;

	if (!works || v->why.kind || v->what == VISIT_TEST || v->talk->outstanding(v) || v->talk->out(v).len || v->waiting || v->under_way ||
	    v->slices || v->dirty || v->sasl_busy || v->compressing || v->securing || v->current)
		return false;
	(void)err_set(&e, ERR_LOCAL, "nothing is asked of the server and nothing is waited for: a mistake in Postrider; please report it");
	visit_fail(v, &e);
	return true;
}

void talk_move(struct visit *v)
{
	struct span out;

	if (!v->conn || v->closing || !v->opened || v->securing)	/* messages tried again move the visit at any time */
		return;
	take_events(v);
	if (v->closing)
		return;
	v->talk->ask(v);
	if (forgotten(v))
		return;
	out = v->talk->out(v);
	trace_out(v, out);
	if (out.len && !conn_send(v->conn, out))
		return;
	v->talk->sent(v, out.len);
	collector_throttle(v->collector, v, delivery_full(v));
	conn_pause(v->conn, v->throttled);
	v->idle = v->phase != VISIT_CONNECTING && (v->throttled || !v->talk->outstanding(v));
	if (!v->idle)
		conn_deadline(v->conn, v->sasl_busy ? 0 : v->with->timeout_ms, waited_for(v));
	else
		conn_deadline(v->conn, 0, NULL);	/* it is us who keep the server waiting */
	if (v->ledger)
		ledger_flush(v->ledger);
	if (v->own != v->ledger)
		ledger_flush(v->own);
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

static void begin_compression(struct visit *v)
{
	struct span out = v->talk->out(v);
	struct err e;

	v->compressing = false;
	trace_out(v, out);
	if (out.len && !conn_send(v->conn, out))
		return;
	v->talk->sent(v, out.len);
	if (!conn_start_deflate(v->conn, &e)) {
		visit_fail(v, &e);
		return;
	}
	v->talk->compressed(v);
}

static size_t on_turn(void *user, struct span in)
{
	struct visit *v = user;
	size_t unread, outstanding;

	v->heard_ms = loop_now_ms(collector_loop(v->collector));
	if (drips(v, in.len))
		return in.len;
	trace_in(v, in);
	v->result.answered |= in.len > 0;
	if (!v->greeted) {
		v->greeted = true;
		steps_heard(v, in);
		if (stranger_speaks(v, in))
			return in.len;
	}
	v->talk->feed(v, in);
	outstanding = v->talk->outstanding(v);
	take_events(v);
	if (v->talk->outstanding(v) < outstanding)	/* short answers are answers too */
		v->slow_octets = SLOW_OCTETS;
	unread = v->talk->unread(v);
	if (v->securing)	/* octets behind the answer to STLS are the driver's to refuse */
		return in.len - unread;
	if (v->compressing && !v->why.kind) {	/* and those behind the answer to COMPRESS its to inflate */
		begin_compression(v);
		talk_move(v);
		return in.len - unread;
	}
	talk_move(v);
	return in.len;
}

static void settle_binding(struct visit *v)
{
	char binding[64];

	v->channel_binding = conn_tls_exporter(v->conn, binding) || conn_tls_unique(v->conn, binding);
}

static void on_connected(void *user)
{
	steps_connected(user);
}

static void on_opened(void *user)
{
	struct visit *v = user;

	steps_secured(v);
	settle_binding(v);
	v->talk->start(v);
	v->opened = true;
	talk_move(v);
}

static void on_secured(void *user)
{
	struct visit *v = user;

	v->securing = false;
	steps_secured(v);
	settle_binding(v);
	v->talk->secured(v);
	talk_move(v);
}

static void on_drained(void *user)
{
	collector_dirty(((struct visit *)user)->collector, user);
}

/* The connection is gone, or watches. */
static void left(struct visit *v)
{
	v->phase = VISIT_CLOSED;
	collector_left_host(v->collector, v);
	collector_throttle(v->collector, v, false);
	sasl_run_end(v);
	collector_dirty(v->collector, v);
}

static void on_closed(void *user, const struct err *why)
{
	struct visit *v = user;

	v->closing = true;
	v->tls_technical = conn_tls_technical(v->conn);
	if (!v->why.kind && why->kind && v->phase != VISIT_LEAVING)
		v->why = *why;
	secret_hide_said(v, v->why.text);
	offered_keep(v);
	if (v->phase == VISIT_LEAVING) {
		v->talk->left(v);
	} else if (!v->why.kind) {
		v->talk->eof(v);
		take_events(v);
		if (!v->why.kind)
			(void)err_set(&v->why, ERR_NET, "%s:%u: the server closed the connection", v->with->host,
				v->conn_settings.port);
	}
	v->pipeline_stuck = v->talk->stuck(v);
	v->shifted = v->talk->shifted && v->talk->shifted(v);
	mechs_over(v);
	v->conn = NULL;
	if (v->current)
		message_drop(v, v->current);	/* a cut download is never delivered */
	left(v);
}

void talk_park(struct visit *v)
{
	v->parks = false;
	if (!v->conn || v->closing)
		return;
	if (v->stopping) {
		visit_close(v);
		return;
	}
	watch_begin(v, v->parks_again);
	if (v->conn)
		return;			/* it is closed instead */
	v->pipeline_stuck = v->shifted = false;
	v->ladder.fresh = 0;
	v->talk->left(v);
	left(v);
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
		v->conn_settings.port = v->talk->clear_port;
	if (!tls)
		return true;
	v->conn_settings.tls_client = tls_client_get(v->contexts, &s, e);
	return v->conn_settings.tls_client;
}

static_assert(SASL_EXTERNAL == (int)MECHANISM_EXTERNAL && SASL_APOP == (int)MECHANISM_APOP && SASL_MECHS == (int)MECHANISMS,
	"config names the mechanisms in the order of sasl");
static_assert(TLS_1_0 == (int)VERSION_TLS_1_0 && TLS_1_3 == (int)VERSION_TLS_1_3, "config names the versions as net does");

void talk_secure(struct visit *v)
{
	v->securing = true;
	conn_start_tls(v->conn);
}

/* The session that watched goes on where it is, and says what it has to say in its turn; if it has gone since, there is another. */
static void take_watch(struct visit *v, const struct conn_user *user)
{
	struct err e;

	if (settle_connection(v, &e) && watch_take(v, user)) {
		v->opened = v->greeted = true;
		collector_dirty(v->collector, v);
		return;
	}
	v->adopts = false;
	v->phase = VISIT_PREPARING;
	v->password_known = false;
	password_get(v);
}

void talk_connect(struct visit *v)
{
	const struct conn_user user = {
		.connected = on_connected, .opened = on_opened, .turn = on_turn, .secured = on_secured, .drained = on_drained, .closed = on_closed, .user = v,
	};
	struct err e;

	v->began_s = clock_now_s();
	v->phase = VISIT_CONNECTING;
	v->slow_since_ms = loop_now_ms(collector_loop(v->collector));
	v->slow_octets = 0;
	v->opened = v->greeted = v->tls_technical = v->securing = v->compressing = v->closing = v->bye = false;
	if (v->adopts) {
		take_watch(v, &user);
		return;
	}
	steps_now(v, STEP_SETTINGS);
	mechs_settle(v);
	if (!v->talk->make(v)) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		visit_fail(v, &e);
		return;
	}
	if (settle_connection(v, &e))
		v->conn = conn_open(collector_loop(v->collector), &v->conn_settings, &user, &e);
	if (v->conn)
		steps_now(v, STEP_CONNECT);
	else
		visit_fail(v, &e);
}
