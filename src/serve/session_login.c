/* SPDX-License-Identifier: Apache-2.0
 *
 * From a client's words to who it is (login.h). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/session.h"
#include "wire/base64.h"

/* What a login borrows of the line until it ends. */
struct session_line {
	char exporter[32], unique[64];
	struct buf certificate;
	char stamp[P3D_GREETING_MAX + 1];
};

/* ---- the login */

static void log_failed(struct session *s, const struct login_answer *a)
{
	char line[SAYS_MAX], version[SESSION_TLS_TEXT];
	const struct says_login facts = { .address = conn_peer_address(s->conn), .mechanism = sasl_mech_name(s->mech),
		.tls = session_tls(s, version), .user = span_of(a->user), .reason = a->why.text };

	worker_count(s->worker, COUNT_FAILED_LOGINS, 1);
	session_log(s, LOG_WARN, says_login_failed(&facts, line));
}

static void log_blocked(struct session *s)
{
	const struct rules *r = s->rules;
	const struct network from = session_network(s);
	char line[SAYS_MAX];

	session_log(s, LOG_WARN, says_blocked(&from, r->failed_limit, r->failed_block_ms, line));
}

static void failed(struct session *s, const struct login_answer *a, enum p3d_code code)
{
	log_failed(s, a);
	p3d_login_refused(session_p3d(s), code, NULL);
}

/* The refusal is the last thing that is said, whatever was pipelined behind: the address is blocked. */
static void refuse_and_end(struct session *s)
{
	log_blocked(s);
	p3d_last(session_p3d(s));
	s->end = SAYS_LOGIN_BLOCKED;
}

/* Who does not wait for the refusal has failed all the same. */
static void end_login(struct session *s)
{
	const struct login_answer *left = s->login ? login_left(s->login) : NULL;

	if (left)
		log_failed(s, left);
	if (left && left->said == LOGIN_SAYS_BLOCKED)
		log_blocked(s);
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
		session_open(s, a);
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
