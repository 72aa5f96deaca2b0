/* SPDX-License-Identifier: Apache-2.0
 *
 * From a client's words to a maildrop: login (login.h), the account's share of sessions, the snapshot. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"
#include "wire/base64.h"

enum { OPEN_ON_LOOP = 1000 };		/* messages; more are listed in a job */

/* What a login borrows of the line until it ends. */
struct session_line {
	char exporter[32], unique[64];
	struct buf certificate;
	char stamp[P3D_GREETING_MAX + 1];
};

/* ---- the maildrop */

static void refuse(struct session *s, enum p3d_code code, const char *words)
{
	char line[ACCOUNT_NAME_MAX + 100];

	(void)snprintf(line, sizeof line, "login refused user=\"%s\" reason=\"%s\"", s->account, words ? words : "out of memory");
	session_log(s, LOG_INFO, line);
	admission_user_leave(s->worker->admission, &s->seat);
	free(s->account);
	s->account = NULL;
	p3d_login_refused(session_p3d(s), code, words);
}

static void let_in(struct session *s)
{
	s->lent = (struct p3d_drop){ .messages = maildrop_messages(s->drop), .count = maildrop_count(s->drop) };
	s->settings.greeting = s->rules->greeting;
	free(s->greeting);
	s->greeting = NULL;
	worker_known(s->worker, s);
	worker_count(s->worker, COUNT_LOGINS, 1);
	worker_count(s->worker, COUNT_LOGGED_IN, 1);
	conn_deadline(s->conn, s->rules->idle_timeout_ms, "command");
	p3d_login_ok(session_p3d(s), &s->lent);
}

struct opening {		/* a large maildrop's, in a job */
	struct session *session;
	struct maildrop *drop;
	bool good;
	struct err why;
	struct store *store;
	char box[MAILBOX_NAME_MAX + 1];
};

static void open_failed(struct session *s, const struct err *why)
{
	session_log(s, LOG_ERROR, why->text);
	refuse(s, P3D_CODE_SYS_TEMP, "the mailbox cannot be opened now");
}

static void open_work(void *user)
{
	struct opening *o = user;

	o->good = maildrop_open(o->store, o->box, &o->drop, &o->why);
}

static void open_done(void *user)
{
	struct opening *o = user;
	struct session *s = o->session;

	s->jobs--;
	if (!s->conn || s->closing) {
		if (o->good)
			maildrop_close(&o->drop);
		free(o);
		session_release(s);
		return;
	}
	if (o->good) {
		s->drop = o->drop;
		let_in(s);
	} else {
		open_failed(s, &o->why);
	}
	free(o);
	session_pump(s, (struct span){ 0 });
}

static void open_later(struct session *s, const char *box)
{
	struct opening *o = calloc(1, sizeof *o);
	struct err e;

	if (!o) {
		refuse(s, P3D_CODE_SYS_TEMP, NULL);
		return;
	}
	o->session = s;
	o->store = s->worker->store;
	(void)snprintf(o->box, sizeof o->box, "%s", box);
	if (!job_start(s->worker->loop, open_work, open_done, o, &e)) {
		free(o);
		open_failed(s, &e);
		return;
	}
	s->jobs++;
}

static void open_maildrop(struct session *s)
{
	char box[MAILBOX_NAME_MAX + 1];
	uint64_t messages, octets;
	struct err e;

	(void)snprintf(box, sizeof box, "%s/INBOX", s->account);
	if (!maildrop_peek(s->worker->store, box, &messages, &octets, &e)) {
		open_failed(s, &e);
	} else if (messages > OPEN_ON_LOOP) {
		open_later(s, box);
	} else if (!maildrop_open(s->worker->store, box, &s->drop, &e)) {
		open_failed(s, &e);
	} else {
		let_in(s);
	}
}

/* ---- the login */

static void enter(struct session *s, const struct login_answer *a)
{
	uint32_t wait_s;

	s->account = strdup(a->account);
	if (!s->account) {
		p3d_login_refused(session_p3d(s), P3D_CODE_SYS_TEMP, NULL);
		return;
	}
	switch (admission_user_enter(s->worker->admission, &s->seat, span_of(a->account), a->limits.max_sessions, s->rules->exclusive,
			clock_mono_ms(), &wait_s)) {
	case ADMISSION_USER_GOOD:
		open_maildrop(s);
		return;
	case ADMISSION_USER_FULL:
		refuse(s, P3D_CODE_SYS_TEMP, "this account has too many sessions");
		return;
	case ADMISSION_USER_IN_USE:
		refuse(s, P3D_CODE_IN_USE, "the mailbox is in use");
		return;
	case ADMISSION_USER_TOO_SOON:
		refuse(s, P3D_CODE_LOGIN_DELAY, "too soon after the last login");
		return;
	}
}

static void failed(struct session *s, const struct login_answer *a, enum p3d_code code)
{
	char line[SAYS_MAX], version[SESSION_TLS_TEXT];
	const struct says_login facts = { .address = conn_peer_address(s->conn), .mechanism = sasl_mech_name(s->mech),
		.tls = session_tls(s, version), .user = span_of(a->user), .reason = a->why.text };

	worker_count(s->worker, COUNT_FAILED_LOGINS, 1);
	session_log(s, LOG_WARN, says_login_failed(&facts, line));
	p3d_login_refused(session_p3d(s), code, NULL);
}

/* The refusal is the last thing that is said, whatever was pipelined behind: the address is blocked. */
static void refuse_and_end(struct session *s)
{
	const struct rules *r = s->rules;
	const struct network from = session_network(s);
	char line[SAYS_MAX];

	session_log(s, LOG_WARN, says_blocked(&from, r->failed_limit, r->failed_block_ms, line));
	p3d_last(session_p3d(s));
	s->end = SAYS_LOGIN_BLOCKED;
}

static void end_login(struct session *s)
{
	login_end(&s->login);
	if (s->line) {
		buf_end(&s->line->certificate);
		wipe(s->line, sizeof *s->line);
		free(s->line);
		s->line = NULL;
	}
}

static void answered(struct session *s, const struct login_answer *a)
{
	struct p3d *p = session_p3d(s);

	switch (a->said) {
	case LOGIN_SAYS_MORE:
		p3d_sasl_challenge(p, a->challenge);
		return;		/* the login goes on; the words are borrowed from it */
	case LOGIN_SAYS_GOOD:
		enter(s, a);
		break;
	case LOGIN_SAYS_WRONG:
		failed(s, a, P3D_CODE_AUTH);
		break;
	case LOGIN_SAYS_MALFORMED:
		p3d_login_refused(p, P3D_CODE_NONE, "not as the mechanism has it");
		break;
	case LOGIN_SAYS_BUSY:
		p3d_login_refused(p, P3D_CODE_SYS_TEMP, "too busy, try again later");
		break;
	case LOGIN_SAYS_BLOCKED:
		failed(s, a, P3D_CODE_AUTH);
		refuse_and_end(s);
		break;
	}
	end_login(s);
}

static void on_answer(void *user, const struct login_answer *a)
{
	struct session *s = user;

	if (s->closing) {	/* it came too late */
		end_login(s);
		return;
	}
	s->worker->out.len = 0;
	answered(s, a);
	session_pump(s, (struct span){ 0 });
}

/* A client that can bind, and believes that here one cannot, is right where -PLUS is not offered. */
static bool binds(const struct session *s, enum sasl_mech mech)
{
	enum sasl_mech plus = mech == SASL_SCRAM_SHA_256 ? SASL_SCRAM_SHA_256_PLUS : mech == SASL_SCRAM_SHA_1 ? SASL_SCRAM_SHA_1_PLUS : mech;

	return sasl_mech_plus(plus) && s->door->mechs_tls & 1U << plus;
}

static struct login *begin(struct session *s, enum sasl_mech mech)
{
	struct session_line *line = calloc(1, sizeof *line);
	struct login_who who = {
		.loop = s->worker->loop, .peer = conn_peer_address(s->conn), .local = conn_local_address(s->conn),
		.tls = conn_is_tls(s->conn), .host = s->rules->host, .main_domain = s->rules->main_domain, .answer = on_answer, .user = s,
	};
	const char *stamp = s->greeting ? strrchr(s->greeting, '<') : NULL;
	struct err e;

	if (!line)
		return NULL;
	s->line = line;
	s->mech = mech;
	buf_start(&line->certificate, CONN_OFFERED_MAX);
	if (who.tls && binds(s, mech)) {
		who.tls_exporter = (struct span){ line->exporter, conn_tls_exporter(s->conn, line->exporter) };
		who.tls_unique = (struct span){ line->unique, conn_tls_unique(s->conn, line->unique) };
	}
	if (who.tls && mech == SASL_EXTERNAL && conn_tls_client_certificate(s->conn, &line->certificate))
		who.client_certificate = buf_span(&line->certificate);
	(void)snprintf(line->stamp, sizeof line->stamp, "%s", stamp ? stamp : "");
	who.apop_stamp = line->stamp;
	s->login = login_begin(s->worker->logins, &who, mech, &e);
	if (!s->login)
		session_log(s, LOG_ERROR, e.text);
	return s->login;
}

void session_login(struct session *s, const struct p3d_event *ev)
{
	const struct login_answer *a;

	if (!begin(s, ev->mech)) {
		end_login(s);
		p3d_login_refused(session_p3d(s), P3D_CODE_SYS_TEMP, NULL);
		return;
	}
	a = login_words(s->login, ev->name, ev->text);
	if (a)
		answered(s, a);
}

void session_sasl(struct session *s, const struct p3d_event *ev)
{
	struct worker *w = s->worker;
	const struct login_answer *a;
	struct buf response;

	if (ev->first && !begin(s, ev->mech)) {
		end_login(s);
		p3d_login_refused(session_p3d(s), P3D_CODE_SYS_TEMP, NULL);
		return;
	}
	buf_lend(&response, w->scratch, sizeof w->scratch);
	if (ev->given && !base64_decode(ev->text, &response))
		assert(false && "the session lets only base64 through, and not more than fits");
	a = login_step(s->login, ev->given, buf_span(&response));
	buf_wipe(&response);
	if (a)
		answered(s, a);
}

void session_login_end(struct session *s)
{
	end_login(s);
}
