/* SPDX-License-Identifier: Apache-2.0
 *
 * The talk over one connection: octets in, events handled, messages out as fast as the socket takes them. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/relay_inside.h"
#include "store/trust.h"

enum { PIECE = 16 * 1024 };

static struct mail *mail_of(const struct smc_event *ev)
{
	return ev->mail->user;
}

static void send_out(struct link *k)
{
	struct span out = smc_out(k->s);

	if (!out.len || !k->conn || !conn_send(k->conn, out))
		return;
	smc_sent(k->s, out.len);
	k->since_ms = loop_now_ms(k->relay->loop);
}

/* ---- messages */

static void body_over(struct link *k)
{
	k->body = NULL;
	k->ending = false;
}

static void body_failed(struct link *k, const struct err *e)
{
	body_over(k);
	smc_abort(k->s, e);
}

static bool send_piece(struct link *k, struct span in)
{
	struct span piece;

	while (smtp_body_next(&k->out, &in, &piece))
		if (!conn_send(k->conn, piece))
			return false;
	return true;
}

/* Until the socket takes no more: then drained() goes on. */
static void pump(struct link *k)
{
	char octets[PIECE];
	struct err e;
	size_t n = 1;

	k->since_ms = loop_now_ms(k->relay->loop);
	while (k->body && !k->ending && n && conn_unsent(k->conn) < CONN_OUT_LOW) {
		if (!spool_at(k->body->ask.message, k->body_at, octets, sizeof octets, &n, &e)) {
			body_failed(k, &e);
			return;
		}
		k->body_at += n;
		if (!send_piece(k, (struct span){ octets, n }))
			return;		/* closed() follows */
	}
	k->ending |= k->body && !n;
}

/* The end is what makes it a message: it goes when nothing is left to be heard, and the message before is released. */
static void end_body(struct link *k)
{
	if (!k->ending || !relay_may_end(k))
		return;
	if (conn_waits(k->conn)) {
		wake_send(k->relay->wake);
		return;
	}
	body_over(k);
	k->unanswered = conn_send(k->conn, smtp_body_end(&k->out));
	if (k->unanswered)
		smc_body_sent(k->s);
}

static void body_begins(struct link *k, const struct smc_event *ev)
{
	send_out(k);
	k->body = mail_of(ev);
	k->body->shown = true;
	k->body_at = 0;
	smtp_body_start(&k->out, ev->chunked);
	pump(k);
}

/* ---- results */

/* A kept connection was gone before the server heard of this mail. */
static bool was_too_old(const struct link *k, const struct mail *m, const struct smc_event *ev)
{
	return ev->outcome == SMC_DEFERRED && ev->ours && ev->kind == ERR_NET && k->completed && !m->tried && !m->told;
}

static void on_result(struct link *k, const struct smc_event *ev)
{
	struct mail *m = mail_of(ev);
	struct relay_result *result = &m->results[ev->recipient];

	if (was_too_old(k, m, ev))
		m->again = true;
	else
		m->told = true;
	m->taken |= ev->outcome == SMC_ACCEPTED;
	*result = (struct relay_result){ .outcome = ev->outcome, .kind = ev->kind, .code = ev->code, .ours = ev->ours,
		.down = ev->outcome == SMC_DEFERRED && !m->shown && ((ev->ours && ev->kind == ERR_NET) || ev->code == 421) };
	memcpy(result->status, ev->status, sizeof result->status);
	(void)snprintf(result->text, sizeof result->text, "%.*s", (int)ev->text.len, ev->text.len ? ev->text.at : "");
}

/* Server and client have lost each other: it may have been said of another. */
static void believe_nothing(struct link *k, struct mail *m)
{
	for (size_t n = 0; n < m->ask.recipient_count; n++) {
		struct relay_result *r = &m->results[n];

		if (r->ours || (r->outcome != SMC_ACCEPTED && r->outcome != SMC_REFUSED))
			continue;
		*r = (struct relay_result){ .outcome = r->outcome == SMC_ACCEPTED ? SMC_DOUBT : SMC_DEFERRED, .kind = ERR_PEER, .ours = true };
		(void)snprintf(r->text, sizeof r->text, "%.*s", RELAY_TEXT_MAX, smc_error(k->s)->text);
	}
}

static void on_done(struct link *k, const struct smc_event *ev)
{
	struct mail *m = mail_of(ev);

	k->completed++;
	if (ev->broken)
		believe_nothing(k, m);
	if (k->body == m)
		body_over(k);
	k->unanswered = false;		/* the next one's end is not out yet */
	if (m->taken && m->ask.holds)
		k->unreleased = m->ask.holds;
	if (m->again && !m->told)
		relay_again(k->relay, m);
	else
		relay_done(k->relay, m);
}

/* There is a connection, or one may come to be. */
static bool any_hope(const struct relay *r)
{
	for (const struct link *k = r->links; k; k = k->next)
		if (k->conn && !k->over)
			return true;
	return false;
}

/* Mails that wait need not, if it did not come as far as to take any and no other may. */
static void on_failed(struct link *k)
{
	const struct ladder *l = smc_ladder(k->s);
	struct relay *r = k->relay;
	bool ready = k->ready;

	if (l->count && l->fates[l->now] == LADDER_FALSE_PROOF && !k->judged && r->with->weaker)	/* the session saw it by itself */
		*r->with->weaker = ladder_weaker_than(l->now);
	k->over = true;
	k->ready = k->greeted = false;
	r->lockstep |= smc_pipelining_broken(k->s);
	if (ready)
		return;
	if (any_hope(r))
		back_off_failed(&r->more, loop_now_ms(r->loop), smc_error(k->s)->text);
	else
		relay_down(r, smc_error(k->s));
}

/* Nothing came with the answer that made it ready: else it would be dropped, and the next one at once, without end. */
static void now_ready(struct link *k)
{
	if (!k->greeted)
		return;
	k->greeted = false;
	k->ready = true;
	if (k->relay->with->back_off)
		back_off_good(k->relay->with->back_off);
	if (relay_connections(k->relay) > 1)
		back_off_good(&k->relay->more);
	if (k->relay->with->login.mech_count)
		wake_send(k->relay->wake);	/* others waited for this login */
}

static void on_event(struct link *k, const struct smc_event *ev)
{
	switch (ev->what) {
	case SMC_TLS:
		send_out(k);
		k->securing = true;
		conn_start_tls(k->conn);
		return;
	case SMC_SASL:
		link_sasl(k, ev);
		return;
	case SMC_READY:
		if (k->sasl && k->relay->with->weaker)
			*k->relay->with->weaker = 0;
		sasl_client_free(&k->sasl);	/* with the password that it has */
		buf_wipe(&k->response);
		k->greeted = true;	/* whether it is of any use shows with what is behind that in the same octets */
		return;
	case SMC_BODY:
		body_begins(k, ev);
		return;
	case SMC_RESULT:
		on_result(k, ev);
		return;
	case SMC_DONE:
		on_done(k, ev);
		return;
	case SMC_BYE:
		k->over = true;
		k->ready = false;
		return;
	case SMC_FAILED:
		on_failed(k);
		return;
	case SMC_NOTHING:
		return;
	}
}

/* ---- turns */

static bool give(struct link *k)
{
	struct mail *m = smc_can_send(k->s) ? relay_take(k->relay) : NULL;

	if (!m)
		return false;
	timer_stop(k->idle);
	smc_send(k->s, &m->smc);
	return true;
}

static void take_events(struct link *k)
{
	struct smc_event ev;

	do {
		while (!k->securing && smc_next(k->s, &ev))
			on_event(k, &ev);
		now_ready(k);
		end_body(k);
	} while (!k->securing && give(k));
}

static uint32_t answer_ms(const struct link *k)
{
	uint32_t ms = smc_timeout_ms(k->s), most = k->relay->with->answer_ms;

	return most && ms > most ? most : ms;
}

/* A deadline of the connection is one on silence: this is for a server that is not silent, and says nothing. */
static bool drips(struct link *k)
{
	uint64_t now = loop_now_ms(k->relay->loop), replies = smc_replies(k->s);
	uint32_t ms = answer_ms(k);
	struct err e;

	if (k->body || !ms || replies != k->replies) {
		k->replies = replies;
		k->since_ms = now;
	}
	if (!ms || now - k->since_ms <= ms)
		return false;
	(void)err_set(&e, ERR_NET, "no whole answer within %g s, only parts of one", ms / 1000.0);
	smc_abort(k->s, &e);
	return true;
}

void link_move(struct link *k)
{
	take_events(k);
	if (!k->conn || k->securing)
		return;
	if (drips(k))
		take_events(k);
	send_out(k);
	if (k->over) {
		conn_close(k->conn);
		return;
	}
	conn_deadline(k->conn, k->ending ? 0 : answer_ms(k), k->body ? "progress of the message" : "answer");
	if (smc_idle(k->s))
		timer_set(k->idle, RELAY_IDLE_MS, 0);
}

static void on_idle(void *user)
{
	struct link *k = user;

	if (!smc_idle(k->s) || !k->conn)
		return;
	smc_quit(k->s);
	link_move(k);
}

/* ---- the connection's calls */

static void on_opened(void *user)
{
	struct link *k = user;

	k->since_ms = loop_now_ms(k->relay->loop);
	link_move(k);
}

static size_t on_turn(void *user, struct span in)
{
	struct link *k = user;
	size_t unread = 0;

	if (k->over)
		return in.len;
	smc_feed(k->s, in);
	take_events(k);
	if (k->securing)		/* octets behind the answer to STARTTLS are the driver's to refuse */
		unread = smc_unread(k->s);
	else
		link_move(k);
	return in.len - unread;
}

static void on_secured(void *user)
{
	struct link *k = user;

	k->securing = false;
	k->since_ms = loop_now_ms(k->relay->loop);
	smc_secured(k->s);
	link_move(k);
}

static void on_drained(void *user)
{
	struct link *k = user;

	if (k->over || k->securing)
		return;
	if (k->body)
		pump(k);
	link_move(k);
}

/* Its certificate is not trusted: for `postrider trust`. */
static void keep_offer(const struct link *k, struct err *why)
{
	const struct relay_settings *with = k->relay->with;
	struct conn_offered offered;

	if (!with->store || !conn_tls_offered(k->conn, &offered))
		return;
	trust_note(with->store, with->server.host, with->server.port, offered.chain, offered.reason);
	trust_hint(why, with->server.host, with->server.port);
}

static void on_closed(void *user, const struct err *why)
{
	struct link *k = user;
	struct relay *r = k->relay;
	struct err whole = *why;

	keep_offer(k, &whole);
	k->conn = NULL;
	k->securing = false;
	body_over(k);
	if (why->kind)
		smc_abort(k->s, &whole);
	else
		smc_eof(k->s);
	take_events(k);
	k->ready = false;
	timer_stop(k->idle);
	wake_send(r->wake);
	if (!k->stepping)
		relay_drop_link(k);
}

void link_forget(struct link *k)
{
	struct smc_event ev;
	struct err gone;

	conn_forget(&k->conn);
	(void)err_set(&gone, ERR_LOCAL, "the relay ends");
	smc_abort(k->s, &gone);
	while (smc_next(k->s, &ev))
		if (ev.what == SMC_DONE)
			free(mail_of(&ev));
	relay_drop_link(k);
}

bool link_open(struct relay *r, struct err *e)
{
	static const struct conn_user calls = {
		.opened = on_opened, .turn = on_turn, .secured = on_secured, .drained = on_drained, .closed = on_closed,
	};
	struct link *k = calloc(1, sizeof *k);
	struct conn_user user = calls;

	if (!k)
		return err_set(e, ERR_LOCAL, "out of memory");
	*k = (struct link){ .relay = r, .s = calloc(1, smc_size()), .login = r->with->login, .idle = timer_new(r->loop, on_idle, k) };
	buf_start(&k->challenge, SASL_RESPONSE_MAX);
	buf_start(&k->response, SASL_RESPONSE_MAX);
	k->login.secure = r->with->server.tls == CONN_TLS_IMPLICIT || r->with->server.host[0] == '/';	/* nobody listens in there */
	k->login.lockstep |= r->lockstep;
	k->login.channel_binding = false;
	k->login.before.weaker = r->with->weaker ? *r->with->weaker : 0;
	k->login.no_chunking = true;	/* an answer too many would be taken for the chunk's (smtp/client.h) */
	user.user = k;
	if (!k->s || !k->idle)
		abort();
	smc_start(k->s, &k->login);
	k->conn = conn_open(r->loop, &r->with->server, &user, e);
	if (!k->conn) {
		relay_drop_link(k);
		return false;
	}
	conn_background(k->conn);
	timer_background(k->idle);
	k->next = r->links;
	k->at = &r->links;
	if (k->next)
		k->next->at = &k->next;
	r->links = k;
	return true;
}
