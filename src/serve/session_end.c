/* SPDX-License-Identifier: Apache-2.0
 *
 * How sessions end: QUIT and its commit, time that ran out, the service that stops; and the one
 * line that the log has of each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/session.h"

/* A client that takes fewer octets than this in a minute, while it is owed some, is no reader. */
enum { SLOW_OCTETS = 4096, SLOW_ROUNDS = 60 };

static const char *const reasons[END_REASONS] = {
	[END_NONE] = "none", [END_QUIT] = "quit", [END_CLIENT] = "client closed", [END_LOST] = "connection lost",
	[END_LOGIN_TIME] = "login took too long", [END_SLOW] = "client reads too slowly", [END_OVERLONG] = "overlong command",
	[END_TLS_HELLO] = "TLS on a clear port", [END_BAD] = "too many bad commands", [END_BLOCKED] = "address blocked",
	[END_EVICTED] = "made room", [END_STOPPED] = "service stops", [END_STORE] = "store failed", [END_INJECTED] = "data before TLS",
	[END_MEMORY] = "out of memory", [END_REFUSED] = "refused",
};

/* ---- what is left behind */

static void committed(void *user, bool good, const struct err *why)
{
	struct session *s = user;

	s->commits--;
	s->left |= good;
	if (good) {
		worker_count(s->worker, COUNT_DELETED, s->deleted);
	} else {
		log_error(NULL, "service=POP user=%s deletions failed: %s", s->account, why->text);
		s->deleted = 0;
		if (s->end == END_NONE)
			s->end = END_STORE;
	}
	if (!s->conn || s->closing) {
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	p3d_committed(session_p3d(s), good);
	session_pump(s, (struct span){ 0 });
}

/* False: out of memory.  *asked: an answer will come; there may be nothing to be asked. */
static bool ask_commit(struct session *s, bool deletions, bool *asked)
{
	struct commit *m = calloc(1, sizeof *m);

	*asked = false;
	if (!m)
		return false;
	(void)snprintf(m->box, sizeof m->box, "%s/INBOX", s->account);
	if (deletions)
		m->gone_count = maildrop_marked(s->drop, DROP_DELETED, 0, &m->gone);
	if (s->rules->after_retr_seen)
		m->seen_count = maildrop_marked(s->drop, DROP_READ, (deletions ? DROP_DELETED : 0) | DROP_SEEN, &m->seen);
	if (!m->gone_count && !m->seen_count) {
		free(m);
		return true;
	}
	s->deleted = (uint32_t)m->gone_count;
	m->index = s->worker->index;
	m->answered = committed;
	m->user = s;
	s->commits++;
	*asked = true;
	commits_ask(s->worker->commits, m);
	return true;
}

void session_commit(struct session *s)
{
	bool asked, good = ask_commit(s, true, &asked);

	if (!asked)
		p3d_committed(session_p3d(s), good);
}

/* ---- the end */

static const char *reason_of(struct session *s, const struct err *why)
{
	if (s->end == END_NONE)
		s->end = why->kind == ERR_NONE ? END_CLIENT : END_LOST;
	return s->end == END_LOST && why->kind != ERR_NONE ? why->text : reasons[s->end];
}

static void say_end(struct session *s, const struct err *why)
{
	log_info(NULL, "service=POP session end address=%s user=\"%s\" tls=%s mechanism=%s messages=%u tops=%u octets=%llu deleted=%u seconds=%llu "
		"reason=\"%s\"", conn_peer(s->conn), s->account ? s->account : "", s->was_tls ? "yes" : "no",
		s->account ? sasl_mech_name(s->mech) : "none", s->messages, s->tops, (unsigned long long)s->octets, s->deleted,
		(unsigned long long)(clock_mono_ms() - s->began_ms) / 1000, reason_of(s, why));
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
	free(s);
}

void session_free(struct session *s)
{
	session_login_end(s);
	admission_leave(s->worker->admission, &s->seat);
	buf_wipe(&s->kept);
	p3d_end(session_p3d(s));
	if (s->drop)
		worker_count(s->worker, COUNT_LOGGED_IN, -1);
	worker_count(s->worker, COUNT_OCTETS, (int64_t)s->octets);
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

static void end_now(struct session *s, enum session_end why)
{
	if (s->end == END_NONE)
		s->end = (uint8_t)why;
	session_over(s, why);
}

void session_sweep(struct session *s, uint64_t now_ms)
{
	int64_t taken;

	if (!s->conn || s->closing)
		return;
	if (!s->account && now_ms - s->began_ms > s->rules->login_timeout_ms) {
		end_now(s, END_LOGIN_TIME);
		return;
	}
	taken = (int64_t)s->octets - (int64_t)conn_untaken(s->conn);
	if (!s->full || taken - s->slow_taken >= SLOW_OCTETS) {
		s->slow_taken = taken;
		s->slow_rounds = 0;
	} else if (++s->slow_rounds >= SLOW_ROUNDS) {
		end_now(s, END_SLOW);
	}
}

void session_stop(struct session *s)
{
	if (!s->conn || s->closing)
		return;
	s->end = END_STOPPED;
	p3d_stop(session_p3d(s), "[SYS/TEMP] the service stops, try again later");
	if (!session_busy(s))
		session_over(s, END_STOPPED);
}

void session_evict(struct session *s)
{
	admission_leave(s->worker->admission, &s->seat);
	end_now(s, END_EVICTED);
}
