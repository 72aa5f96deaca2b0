/* SPDX-License-Identifier: Apache-2.0
 *
 * XTND XMIT: a message comes in (submitting.h), goes its way (submissions.h), and +OK says that it is durable at
 * its target or held for it.  A connection that breaks before the end leaves nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"
#include "serve/submitting.h"
#include "store/allowance.h"

/* What the answer needs: the connection may be gone by then, or take no more octets for a while. */
struct session_way {
	union address peer;
	uint64_t octets, recipients;
	char told[DELIVER_WHY_MAX + 1];	/* borrowed by the conversation: it stays until the next message */
};

static void say(const struct session *s, const struct session_way *way, enum says_outcome outcome, const char *reason)
{
	char line[SAYS_MAX];
	const struct says_submitted facts = { .address = &way->peer, .user = span_of(s->account), .octets = way->octets, .recipients = way->recipients,
		.outcome = outcome, .reason = reason };

	session_log(s, LOG_INFO, says_submitted(&facts, line));
}

/* RFC 5321 4.1.3: an address literal. */
static const char *literal(const union address *peer, char out[ADDRESS_TEXT + 8])
{
	union address bare = *peer;
	char text[ADDRESS_TEXT];

	(void)address_unmap(&bare);
	(void)snprintf(out, ADDRESS_TEXT + 8, "[%s%s]", bare.any.sa_family == AF_INET6 ? "IPv6:" : "", address_text(&bare, false, text));
	return out;
}

void session_xmit_free(struct session *s)
{
	submitting_free(&s->xmit);
	free(s->way);
	s->way = NULL;
}

void session_xmit(struct session *s)
{
	const struct rules *r = s->rules;
	char peer[ADDRESS_TEXT + 8];
	const struct submitting_with with = { .state = store_state(s->worker->store), .size_max = r->submission_size, .account = s->account,
		.domain = r->main_domain ? r->main_domain : r->host, .host = r->host, .peer = literal(conn_peer_address(s->conn), peer),
		.final = r->submission && deliver_target_final(r->submission) };
	struct err e;

	if (!r->submission) {
		p3d_xmit_refused(session_p3d(s), P3D_CODE_SYS_PERM, "there is no submission here");
		return;
	}
	if (!allowance_left(s->worker->store, s->account, r->submission_limit, clock_now_s())) {
		const struct session_way way = { .peer = *conn_peer_address(s->conn) };

		say(s, &way, SAYS_OVER_LIMIT, NULL);
		p3d_xmit_refused(session_p3d(s), P3D_CODE_SYS_TEMP, "no more messages are taken today");
		return;
	}
	session_xmit_free(s);
	s->xmit = submitting_new(&with, &e);
	s->receiving = s->xmit;
	if (s->xmit) {
		p3d_xmit_go(session_p3d(s));
		return;
	}
	session_log(s, LOG_ERROR, e.text);
	p3d_xmit_refused(session_p3d(s), P3D_CODE_SYS_TEMP, NULL);
}

void session_xmit_body(struct session *s, struct span octets)
{
	submitting_add(s->xmit, octets);
}

uint64_t session_xmit_size(const struct session *s)
{
	return s->xmit->size;
}

/* ---- the answer */

static enum says_outcome outcome_of(enum submission_said said)
{
	switch (said) {
	case SUBMISSION_DELIVERED:
		return SAYS_DELIVERED;
	case SUBMISSION_HELD:
		return SAYS_HELD;
	case SUBMISSION_OVER_LIMIT:
		return SAYS_OVER_LIMIT;
	case SUBMISSION_REFUSED:
		return SAYS_REFUSED;
	case SUBMISSION_FAILED:
		break;
	}
	return SAYS_FAILED;
}

static void reply(struct session *s, const struct submission_answer *a)
{
	struct p3d *p = session_p3d(s);

	switch (a->said) {
	case SUBMISSION_DELIVERED:
	case SUBMISSION_HELD:
		p3d_xmit_accepted(p);
		return;
	case SUBMISSION_OVER_LIMIT:
		p3d_xmit_refused(p, P3D_CODE_SYS_TEMP, "no more messages are taken today");
		return;
	case SUBMISSION_REFUSED:
		p3d_xmit_refused(p, P3D_CODE_SYS_PERM, *s->way->told ? s->way->told : "the message was refused");
		return;
	case SUBMISSION_FAILED:
		p3d_xmit_refused(p, P3D_CODE_SYS_TEMP, "the message cannot be taken now, try again later");
		return;
	}
}

static void answered(void *user, const struct submission_answer *a)
{
	struct session *s = user;

	say(s, s->way, outcome_of(a->said), a->why);
	(void)snprintf(s->way->told, sizeof s->way->told, "%s", a->told);
	s->commits--;
	if (!s->conn || s->closing) {
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	reply(s, a);
	session_pump(s, (struct span){ 0 });
}

/* ---- the end of the message */

static void turn_down(struct session *s, const struct session_way *way, enum submitting_said said)
{
	static const char *const words = "the message cannot be taken now, try again later";
	struct p3d *p = session_p3d(s);

	switch (said) {
	case SUBMITTING_TOO_LARGE:
		say(s, way, SAYS_TOO_LARGE, s->xmit->why.text);
		p3d_xmit_refused(p, P3D_CODE_SYS_PERM, s->xmit->why.text);
		return;
	case SUBMITTING_BAD:
		say(s, way, SAYS_BAD, s->xmit->why.text);
		p3d_xmit_refused(p, P3D_CODE_SYS_PERM, s->xmit->why.text);
		return;
	case SUBMITTING_GOOD:
	case SUBMITTING_FAILED:
		say(s, way, SAYS_FAILED, s->xmit->why.text);
		p3d_xmit_refused(p, P3D_CODE_SYS_TEMP, words);
		return;
	}
}

/* What was taken in is the submission's now. */
static struct submission *submission_of(struct session *s)
{
	struct submission *m = calloc(1, sizeof *m);
	struct submitting *x = s->xmit;

	if (!m)
		return NULL;
	m->message = x->spool;
	m->recipients = x->recipients;
	m->recipient_count = x->recipient_count;
	x->spool = NULL;
	x->recipients = NULL;
	m->target = deliver_target_keep(s->rules->submission);
	m->limit = s->rules->submission_limit;
	m->index = s->worker->index;
	(void)snprintf(m->account, sizeof m->account, "%s", s->account);
	(void)snprintf(m->sender, sizeof m->sender, "%s", x->sender);
	(void)address_text(conn_peer_address(s->conn), false, m->peer);
	m->answered = answered;
	return m;
}

void session_xmit_end(struct session *s)
{
	enum submitting_said said = submitting_end(s->xmit);
	struct session_way *way = calloc(1, sizeof *way);
	const struct session_way facts = { .peer = *conn_peer_address(s->conn), .octets = s->xmit->size, .recipients = s->xmit->recipient_count };
	struct submission *m = said == SUBMITTING_GOOD && way ? submission_of(s) : NULL;

	s->receiving = false;
	if (!m) {
		turn_down(s, &facts, said);
		free(way);
		return;		/* the words are borrowed: what they are in goes with the next message, or the session */
	}
	submitting_free(&s->xmit);
	*way = facts;
	free(s->way);
	s->way = way;
	m->user = s;
	s->commits++;
	submissions_ask(s->worker->submissions, m);
}
