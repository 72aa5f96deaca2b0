/* SPDX-License-Identifier: Apache-2.0
 *
 * How sessions end: QUIT and its commit, time that ran out, the service that stops; and the one
 * line that the log has of each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"
#include "store/acl.h"
#include "store/mdir.h"

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

/* What was asked for is done, or is not: in the store, or in a Maildir. */
static void settled(struct session *s, bool good, const struct err *why)
{
	s->left |= good;
	if (good) {
		s->deleted = s->deleting;
		worker_count(s->worker, COUNT_DELETED, s->deleted);
	} else {
		session_log(s, LOG_ERROR, why->text);
		s->quit_failed = s->deleting;
	}
	if (!s->conn || s->closing) {
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	p3d_committed(session_p3d(s), good || !s->deleting);	/* that \Seen was lost is no business of QUIT's */
	session_pump(s, (struct span){ 0 });
}

static void committed(void *user, bool good, const struct err *why)
{
	struct session *s = user;

	s->commits--;
	settled(s, good, why);
}

struct applying {		/* to a Maildir's files, in a job */
	struct session *session;
	struct maildrop *drop;
	bool deletions, seen, good;
	struct err why;
};

static void apply_work(void *user)
{
	struct applying *a = user;

	a->good = maildrop_apply(a->drop, a->deletions, a->seen, &a->why);
}

static void apply_done(void *user)
{
	struct applying *a = user;
	struct session *s = a->session;

	s->jobs--;
	if (s->worker)
		settled(s, a->good, &a->why);
	else
		session_release(s);
	free(a);
}

static bool start_applying(struct session *s, const struct applying *what)
{
	struct applying *a = malloc(sizeof *a);
	struct err e;

	if (!a)
		return false;
	*a = *what;
	if (!job_start(s->worker->loop, apply_work, apply_done, a, &e)) {
		session_log(s, LOG_ERROR, e.text);
		free(a);
		return false;
	}
	s->jobs++;
	return true;
}

/* What may be done in the box now: rights may have gone since it was opened. */
static unsigned rights_now(const struct session *s)
{
	return s->box ? acl_rights(s->worker->store, s->box, s->account) & s->rights : s->rights;
}

/* False: nothing can be asked.  *asked: an answer will come; there may be nothing to be asked. */
static bool ask_commit(struct session *s, bool deletions, bool *asked)
{
	const unsigned rights = rights_now(s);
	const bool seen = s->rules->after_retr_seen && rights & ACL_SEEN;
	struct commit *m = calloc(1, sizeof *m);

	*asked = false;
	if (!m)
		return false;
	(void)session_box(s, m->box);
	if (deletions)
		m->gone_count = maildrop_marked(s->drop, DROP_DELETED, 0, &m->gone);
	if (seen)
		m->seen_count = maildrop_marked(s->drop, DROP_READ, (deletions ? DROP_DELETED : 0) | DROP_SEEN, &m->seen);
	s->deleting = (uint32_t)m->gone_count;
	if (m->gone_count && !(rights & ACL_DELETE)) {
		session_log(s, LOG_WARN, "nothing is deleted: the right to do so was taken away");
		commit_free(m);
		return false;
	}
	if (!m->gone_count && !m->seen_count) {
		commit_free(m);
		return true;
	}
	if (maildrop_is_maildir(s->drop)) {
		commit_free(m);
		return *asked = start_applying(s, &(struct applying){ .session = s, .drop = s->drop, .deletions = deletions, .seen = seen });
	}
	m->index = s->worker->index;
	m->answered = committed;
	m->user = s;
	s->commits++;
	*asked = true;
	commits_ask(s->worker->commits, m);
	return true;
}

const char *session_box(const struct session *s, char own[MAILBOX_NAME_MAX + 1])
{
	if (s->box)
		(void)snprintf(own, MAILBOX_NAME_MAX + 1, "%s", s->box);
	else
		(void)snprintf(own, MAILBOX_NAME_MAX + 1, "%s/INBOX", s->account);	/* one that is cut is no name */
	return own;
}

void session_commit(struct session *s)
{
	bool asked, good = ask_commit(s, true, &asked);

	if (!asked)
		p3d_committed(session_p3d(s), good);
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

	if (!s->refused && log_wants(LOG_INFO))
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
	session_release(s);
}

/* The last of it. */
static void bury(struct session *s)
{
	if (s->drop)
		maildrop_close(&s->drop);
	free(s->account);
	free(s->box);
	free(s->words);
	free(s->opening);
	free(s);
}

void session_free(struct session *s)
{
	session_login_end(s);
	admission_leave(s->worker->admission, &s->seat);
	buf_wipe(&s->kept);
	session_xmit_free(s);
	p3d_end(session_p3d(s));
	if (s->drop)
		worker_count(s->worker, COUNT_LOGGED_IN, -1);
	worker_drop(s->worker, s);
	rules_put(&s->rules);
	free(s->greeting);
	s->worker = NULL;
	s->conn = NULL;
	if (!s->jobs)
		bury(s);
}

/* Frees what has neither a connection nor anything under way.  RETR made messages \Seen,
 * however the session ended: that is its last wish. */
void session_release(struct session *s)
{
	bool asked = false;

	if (s->conn || s->jobs || (s->worker && s->commits))
		return;
	if (!s->worker) {
		bury(s);
		return;
	}
	if (s->drop && !s->left) {
		s->left = true;
		(void)ask_commit(s, false, &asked);
	}
	if (!asked)
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
	bool waited_for = s->full || (s->receiving && s->end == SAYS_STOPPED);	/* a service that stops waits for no trickle */
	int64_t taken;

	if (!s->conn || s->closing)
		return;
	if (!s->account && now_ms - s->began_ms > s->rules->login_timeout_ms) {
		end_now(s, SAYS_LOGIN_TIMEOUT);
		return;
	}
	taken = s->receiving ? (int64_t)session_xmit_size(s) : (int64_t)s->octets - (int64_t)conn_untaken(s->conn);
	if (!waited_for || taken - s->slow_taken >= SLOW_OCTETS) {
		s->slow_taken = taken;
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
	if (!session_busy(s))
		session_over(s, SAYS_STOPPED);
}

/* At once: its seat is another's, and so must its descriptor be. */
void session_evict(struct session *s)
{
	admission_leave(s->worker->admission, &s->seat);
	if (!s->closing)
		s->end = SAYS_EVICTED;
	s->closing = true;
	if (s->conn)
		conn_drop(s->conn);
}
