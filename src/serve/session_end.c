/* SPDX-License-Identifier: Apache-2.0
 *
 * How sessions end: QUIT and its commit, time that ran out, the service that stops; and the one
 * line that the log has of each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"

/* A client that takes fewer octets than this in a minute, while it is owed some, is no reader. */
enum { SLOW_OCTETS = 4096, SLOW_ROUNDS = 60 };

/* ---- the log */

void session_log(const struct session *s, enum log_level level, const char *line)
{
	char id[24];
	const struct tag tag = { &says_pop, "session", id };

	(void)snprintf(id, sizeof id, "%llu", (unsigned long long)s->id);
	log_at(level, &tag, "%s", line);
}

const char *session_tls(const struct session *s, char out[SESSION_TLS_TEXT])
{
	struct span all = span_of(conn_tls_text(s->conn)), first;

	if (!span_word(&all, &first))
		return NULL;
	(void)snprintf(out, SESSION_TLS_TEXT, "%.*s", (int)first.len, first.at);
	return out;
}

struct network session_network(const struct session *s)
{
	struct network n = { .base = *conn_peer_address(s->conn), .bits = 32 };

	if (n.base.any.sa_family != AF_INET6)
		return n;
	n.bits = 64;
	memset(n.base.v6.sin6_addr.s6_addr + 8, 0, 8);
	return n;
}

/* ---- what is left behind */

static void committed(void *user, bool good, const struct err *why)
{
	struct session *s = user;

	s->jobs--;
	s->quit_failed = !good;
	if (!good)
		session_log(s, LOG_ERROR, why->text);
	if (good)
		worker_count(s->worker, COUNT_DELETED, s->deleted);
	else
		s->deleted = 0;
	if (!s->conn || s->closing) {
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	p3d_committed(session_p3d(s), good);
	session_pump(s, (struct span){ 0 });
}

/* False: nothing was asked. */
static bool ask_commit(struct session *s, bool deletions)
{
	struct commit *m = calloc(1, sizeof *m);

	if (!m)
		return false;
	(void)snprintf(m->box, sizeof m->box, "%s/INBOX", s->account);
	if (deletions)
		m->gone_count = maildrop_marked(s->drop, DROP_DELETED, 0, &m->gone);
	if (s->rules->after_retr_seen)
		m->seen_count = maildrop_marked(s->drop, DROP_READ, (deletions ? DROP_DELETED : 0) | DROP_SEEN, &m->seen);
	if (!m->gone_count && !m->seen_count) {
		free(m);
		return false;
	}
	s->deleted = (uint32_t)m->gone_count;
	m->index = s->worker->index;
	m->answered = committed;
	m->user = s;
	s->jobs++;
	commits_ask(s->worker->commits, m);
	return true;
}

void session_commit(struct session *s)
{
	if (!ask_commit(s, true))
		p3d_committed(session_p3d(s), true);
}

/* ---- the end */

/* Why, when it was not we who ended it. */
static enum says_end end_of(const struct session *s, const struct err *why)
{
	if (s->end != SESSION_GOES_ON)
		return s->end;
	if (!s->opened)
		return s->door->proxy && !conn_is_tls(s->conn) ? SAYS_PROXY_FAILED : SAYS_TLS_FAILED;
	if (why->kind == ERR_NONE)
		return SAYS_CLOSED;
	if (conn_timed_out(s->conn))
		return s->full ? SAYS_SEND_TIMEOUT : s->account ? SAYS_IDLE : SAYS_LOGIN_TIMEOUT;
	if (s->upgrading)
		return why->kind == ERR_PEER ? SAYS_TLS_INJECTED : SAYS_TLS_FAILED;
	return SAYS_BROKEN;
}

static void say_end(struct session *s, const struct err *why)
{
	uint64_t count = s->drop ? maildrop_count(s->drop) : 0;
	char line[SAYS_MAX], version[SESSION_TLS_TEXT];
	const struct says_session facts = {
		.address = conn_peer_address(s->conn), .mechanism = s->account ? sasl_mech_name(s->mech) : NULL, .tls = session_tls(s, version),
		.user = span_of(s->account), .messages = s->messages, .octets = s->octets, .deleted = s->deleted, .left = count - s->deleted,
		.lasted_ms = clock_mono_ms() - s->began_ms, .end = end_of(s, why),
	};

	if (log_wants(LOG_INFO))
		session_log(s, LOG_INFO, says_session_over(&facts, line));
	if (why->kind != ERR_NONE)
		session_log(s, LOG_DEBUG, why->text);
}

void session_closed(struct session *s, const struct err *why)
{
	session_login_end(s);
	say_end(s, why);
	worker_known(s->worker, s);
	admission_leave(s->worker->admission, &s->seat);
	s->conn = NULL;
	/* RETR made it \Seen, however the session ended; what was sent half was not read. */
	if (s->drop && s->end != SAYS_QUIT && !s->jobs) {
		if (s->sending)
			drop_unmark(&maildrop_messages(s->drop)[s->number - 1], DROP_READ);
		(void)ask_commit(s, false);
	}
	session_release(s);
}

void session_free(struct session *s)
{
	session_login_end(s);
	admission_leave(s->worker->admission, &s->seat);
	if (s->drop)
		maildrop_close(&s->drop);
	buf_wipe(&s->kept);
	p3d_end(session_p3d(s));
	if (s->account)
		worker_count(s->worker, COUNT_LOGGED_IN, -1);
	worker_count(s->worker, COUNT_OCTETS, (int64_t)s->octets);
	worker_drop(s->worker, s);
	rules_put(&s->rules);
	free(s->greeting);
	free(s->account);
	free(s);
}

/* Frees what has neither a connection nor anything under way. */
void session_release(struct session *s)
{
	if (!s->conn && !s->jobs)
		session_free(s);
}

/* ---- time */

static void end_now(struct session *s, enum says_end why)
{
	if (s->end == SESSION_GOES_ON)
		s->end = (uint8_t)why;
	session_over(s, why);
}

void session_sweep(struct session *s, uint64_t now_ms)
{
	if (!s->conn || s->closing)
		return;
	if (!s->account && now_ms - s->began_ms > s->rules->login_timeout_ms) {
		end_now(s, SAYS_LOGIN_TIMEOUT);
		return;
	}
	if (!s->full || s->octets - s->slow_octets >= SLOW_OCTETS) {
		s->slow_octets = s->octets;
		s->slow_rounds = 0;
	} else if (++s->slow_rounds >= SLOW_ROUNDS) {
		end_now(s, SAYS_SEND_TIMEOUT);
	}
}

void session_stop(struct session *s)
{
	if (!s->conn || s->closing)
		return;
	s->end = SAYS_STOPPED;
	p3d_stop(session_p3d(s), "[SYS/TEMP] the service stops, try again later");
	if (!s->jobs && !s->sending && !s->full)
		session_over(s, SAYS_STOPPED);
}

void session_evict(struct session *s)
{
	admission_leave(s->worker->admission, &s->seat);
	end_now(s, SAYS_EVICTED);
}
