/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { STAMP_RANDOM = 12, KEPT_MAX = 1 << 20, REFUSED_LINES = 10 };

/* ---- octets out */

bool session_flush(struct session *s)
{
	struct buf *out = &s->worker->out;
	size_t n;

	if (!out->len || !s->conn)
		return !s->full;
	n = s->full ? 0 : conn_try_send(s->conn, buf_span(out));
	if (n < out->len) {
		s->full = true;		/* drained() ends it */
		(void)conn_send(s->conn, span_from(buf_span(out), n));
	}
	session_sent(s, out->len);
	out->len = 0;
	return !s->full;
}

void session_over(struct session *s, enum says_end why)
{
	if (s->closing)
		return;
	s->closing = true;
	if (s->end == SESSION_GOES_ON)
		s->end = (uint8_t)why;
	(void)session_flush(s);
	if (s->conn)
		conn_close(s->conn);
}

/* ---- a turn */

static void overlong(struct session *s)
{
	const struct network from = session_network(s);
	char line[SAYS_MAX];

	if (admission_overlong(s->worker->admission, conn_peer_address(s->conn)))
		session_log(s, LOG_WARN, says_denied(&from, line));
}

static void start_tls(struct session *s)
{
	(void)session_flush(s);
	if (p3d_turn_end(session_p3d(s))) {	/* what came in clear behind STLS is nobody's */
		session_over(s, SAYS_TLS_INJECTED);
		return;
	}
	s->upgrading = true;
	conn_start_tls(s->conn);
}

/* Does what an event asks for; false: the turn is over. */
static bool do_event(struct session *s, const struct p3d_event *ev)
{
	switch (ev->what) {
	case P3D_NOTHING:
		return false;
	case P3D_SEND:
		return session_flush(s);
	case P3D_REST:
		return !worker_rest(s->worker, s);
	case P3D_TLS:
		start_tls(s);
		return false;
	case P3D_LOGIN:
		session_login(s, ev);
		return true;
	case P3D_SASL:
		session_sasl(s, ev);
		return true;
	case P3D_SASL_OVER:
		session_login_end(s);
		return true;
	case P3D_RETR:
		session_retr(s, ev);
		return true;
	case P3D_BODY:
		session_body(s, ev);
		return true;
	case P3D_COMMIT:
		session_commit(s);
		return true;
	case P3D_XMIT:
		session_xmit(s);
		return true;
	case P3D_XMIT_BODY:
		session_xmit_body(s, ev->text);
		return true;
	case P3D_XMIT_END:
		session_xmit_end(s);
		return true;
	case P3D_BYE:
		admission_user_leave(s->worker->admission, &s->seat);	/* before the client knows: it may be back at once */
		if (ev->good)
			s->end = SAYS_QUIT;
		session_over(s, s->quit_failed ? SAYS_QUIT_FAILED : SAYS_NONSENSE);
		return false;
	case P3D_GONE:
		session_over(s, SAYS_CLOSED);
		return false;
	case P3D_OVERLONG:
		overlong(s);
		session_over(s, SAYS_OVERLONG);
		return false;
	case P3D_TLS_HELLO:
		session_over(s, SAYS_TLS_HELLO);
		return false;
	}
	return false;
}

/* What the turn left unread is kept, and nothing else: an idle session has no buffer. */
static void keep(struct session *s, struct span fed, bool fed_is_kept)
{
	size_t left = p3d_turn_end(session_p3d(s));

	assert(left <= fed.len);
	if (!left || s->closing)
		buf_wipe(&s->kept);
	else if (fed_is_kept)
		buf_drop(&s->kept, fed.len - left);
	else if (!buf_add(&s->kept, span_from(fed, fed.len - left)))
		session_over(s, SAYS_MEMORY);
}

bool session_busy(const struct session *s)
{
	return s->jobs || s->commits || s->sending || s->full || s->receiving;
}

void session_pump(struct session *s, struct span in)
{
	struct p3d *p = session_p3d(s);
	bool kept = s->kept.len;
	struct p3d_event ev;

	if (s->closing || !s->conn)
		return;
	if (kept && !buf_add(&s->kept, in)) {
		session_over(s, SAYS_MEMORY);
		return;
	}
	if (kept)
		in = buf_span(&s->kept);
	s->worker->out.len = 0;
	p3d_feed(p, in);
	while (!s->closing && !s->full) {
		if (s->sending && !session_send_body(s))
			break;
		(void)p3d_next(p, &s->worker->out, &ev);
		if (!do_event(s, &ev))
			break;
	}
	(void)session_flush(s);
	keep(s, in, kept);
	if (s->end == SAYS_STOPPED && !session_busy(s))
		session_over(s, SAYS_STOPPED);
	if (s->conn && !s->closing)
		conn_pause(s->conn, p3d_waiting(p) || s->full || s->sending || s->resting);
}

/* ---- the connection's calls */

static size_t on_turn(void *user, struct span in)
{
	struct session *s = user;

	session_pump(s, in);
	return in.len;
}

static void on_drained(void *user)
{
	struct session *s = user;

	s->full = false;
	session_pump(s, (struct span){ 0 });
}

/* Old TLS without an extended master secret has nothing to bind to. */
static bool can_bind(const struct conn *c)
{
	char exporter[32], unique[64];

	return conn_tls_exporter(c, exporter) || conn_tls_unique(c, unique);
}

static void offer(struct session *s, struct p3d_settings *settings)
{
	const struct rules *r = s->rules;
	bool tls = conn_is_tls(s->conn);

	*settings = (struct p3d_settings){
		.greeting = s->greeting ? s->greeting : r->greeting, .mechs = (tls ? s->door->mechs_tls : s->door->mechs) & login_mechs(s->worker->logins),
		.secure = tls, .stls = !tls && s->door->tls == POP3_TLS_STARTTLS && r->tls, .utf8_user = true,
		.login_delay_s = r->login_delay_s, .expire_days = P3D_EXPIRE_NEVER, .implementation = r->implementation,
		.submission = r->submission,
	};
	if (!s->greeting)
		settings->mechs &= ~(1U << SASL_APOP);
	if (tls && !can_bind(s->conn))
		settings->mechs &= ~(1U << SASL_SCRAM_SHA_256_PLUS | 1U << SASL_SCRAM_SHA_1_PLUS);
	if (tls && settings->mechs & 1U << SASL_EXTERNAL) {
		struct buf pem;

		buf_start(&pem, CONN_OFFERED_MAX);
		if (!conn_tls_client_certificate(s->conn, &pem))
			settings->mechs &= ~(1U << SASL_EXTERNAL);
		buf_end(&pem);
	}
}

static void on_secured(void *user)
{
	struct session *s = user;

	s->upgrading = false;
	offer(s, &s->secured);
	p3d_secured(session_p3d(s), &s->secured);
	session_pump(s, (struct span){ 0 });
}

/* RFC 1939 section 7: a stamp that was never there before, only where APOP is offered. */
static void greet(struct session *s)
{
	const struct rules *r = s->rules;
	char random[STAMP_RANDOM], hex[2 * STAMP_RANDOM + 1], stamp[P3D_GREETING_MAX / 2];
	int n;

	if (!((s->door->mechs | s->door->mechs_tls) & login_mechs(s->worker->logins) & 1U << SASL_APOP))
		return;
	random_fill(random, sizeof random);
	for (size_t i = 0; i < sizeof hex - 1; i++)
		hex[i] = "0123456789abcdef"[(unsigned char)random[i / 2] >> (i % 2 ? 0 : 4) & 15];
	hex[sizeof hex - 1] = '\0';
	n = snprintf(stamp, sizeof stamp, "<%s.%llx@%s>", hex, (unsigned long long)clock_now_s(), r->host);
	if (n < 0 || (size_t)n >= sizeof stamp || asprintf(&s->greeting, "%.*s %s", P3D_GREETING_MAX - n - 1, r->greeting, stamp) < 0)
		s->greeting = NULL;
}

static enum says_door door_of(enum admission_said said)
{
	switch (said) {
	case ADMISSION_ACCESS:
		return SAYS_ACCESS;
	case ADMISSION_DENIED:
		return SAYS_DENIED;
	case ADMISSION_BLOCKED:
		return SAYS_BLOCKED;
	case ADMISSION_ADDRESS_FULL:
		return SAYS_ADDRESS_FULL;
	case ADMISSION_GOOD: case ADMISSION_FULL: case ADMISSION_SAID:
		break;
	}
	return SAYS_FULL;
}

/* What is said to whom there is no room for; the others are not worth a word. */
static struct span words_for(enum admission_said said)
{
	bool full = said == ADMISSION_FULL || said == ADMISSION_ADDRESS_FULL;

	return full ? SPAN("-ERR [SYS/TEMP] too many sessions, try again later\r\n") : (struct span){ 0 };
}

/* A flood of strangers does not become one of lines: so many a second are told, the others counted. */
static void tell_refused(struct worker *w, const char *line)
{
	uint64_t now = clock_mono_ms();

	if (now - w->refused_since_ms >= 1000) {
		if (w->refused > REFUSED_LINES)
			log_info(&says_pop, "refused as many more: %u", w->refused - REFUSED_LINES);
		w->refused_since_ms = now;
		w->refused = 0;
	}
	if (w->refused++ < REFUSED_LINES)
		log_info(&says_pop, "%s", line);
}

static void count_refused(struct worker *w, const union address *from, enum admission_said said)
{
	char line[SAYS_MAX];

	worker_count(w, COUNT_REFUSED, 1);
	tell_refused(w, says_refused(from, door_of(said), line));
}

static void on_opened(void *user)
{
	struct session *s = user;

	if (s->door->proxy) {
		enum admission_said said = admission_address(s->worker->admission, conn_peer_address(s->conn), clock_mono_ms(), &s->seat);

		if (said != ADMISSION_GOOD) {
			s->refused = true;
			count_refused(s->worker, conn_peer_address(s->conn), said);
			(void)conn_send(s->conn, words_for(said));
			session_over(s, SAYS_STOPPED);
			return;
		}
	}
	s->opened = true;
	greet(s);
	offer(s, &s->settings);
	p3d_start(session_p3d(s), &s->settings);
	conn_deadline(s->conn, s->rules->login_timeout_ms, "login");
	session_pump(s, (struct span){ 0 });
}

static void on_closed(void *user, const struct err *why)
{
	session_closed(user, why);
}

static enum admission_said enter(struct worker *w, const struct rules_door *door, const union address *from, struct session *s)
{
	if (door->proxy)
		return admission_enter_proxied(w->admission, &s->seat);
	return admission_enter(w->admission, from, clock_mono_ms(), &s->seat);
}

void session_accept(struct worker *w, const struct rules_door *door, int fd, const union address *from)
{
	const struct conn_accepted how = {
		.peer = from, .tls = door->tls == POP3_TLS_IMPLICIT ? CONN_TLS_IMPLICIT : CONN_TLS_NONE, .tls_server = door->rules->tls,
		.timeout_ms = door->rules->login_timeout_ms, .proxy = door->proxy, .trusted = door->trusted, .trusted_count = door->trusted_count,
	};
	struct session *s = calloc(1, sizeof *s + p3d_size());
	struct conn_user user = { .opened = on_opened, .turn = on_turn, .secured = on_secured, .drained = on_drained, .closed = on_closed, .user = s };
	enum admission_said said;
	struct err e;

	worker_count(w, COUNT_CONNECTIONS, 1);
	if (!s) {
		listener_refuse(fd, (struct span){ 0 });
		return;
	}
	said = enter(w, door, from, s);
	if (said == ADMISSION_FULL && worker_evict(w))
		said = enter(w, door, from, s);
	if (said != ADMISSION_GOOD) {
		count_refused(w, from, said);
		listener_refuse(fd, how.tls == CONN_TLS_NONE ? words_for(said) : (struct span){ 0 });
		free(s);
		return;
	}
	s->end = SESSION_GOES_ON;
	s->worker = w;
	s->door = door;
	s->rules = rules_keep(door->rules);
	s->began_ms = clock_mono_ms();
	buf_start(&s->kept, KEPT_MAX);
	worker_add(w, s);
	s->conn = conn_accept(w->loop, fd, &how, &user, &e);
	if (!s->conn) {
		tell_refused(w, e.text);
		session_release(s);
	}
}
