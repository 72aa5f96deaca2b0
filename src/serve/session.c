/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { STAMP_RANDOM = 12, KEPT_MAX = 1 << 20 };

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
	s->octets += out->len;
	out->len = 0;
	return !s->full;
}

void session_over(struct session *s, enum session_end why)
{
	if (s->closing)
		return;
	s->closing = true;
	if (s->end == END_NONE)
		s->end = (uint8_t)why;
	(void)session_flush(s);
	if (s->conn)
		conn_close(s->conn);
}

/* ---- a turn */

static void start_tls(struct session *s)
{
	(void)session_flush(s);
	if (p3d_turn_end(session_p3d(s))) {	/* what came in clear behind STLS is nobody's */
		session_over(s, END_INJECTED);
		return;
	}
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
		p3d_xmit_refused(session_p3d(s), P3D_CODE_SYS_PERM, "there is no submission here");
		return true;
	case P3D_XMIT_BODY: case P3D_XMIT_END:
		return true;
	case P3D_BYE:
		if (ev->good)
			s->end = END_QUIT;
		session_over(s, END_BAD);
		return false;
	case P3D_GONE:
		session_over(s, END_CLIENT);
		return false;
	case P3D_OVERLONG:
		(void)admission_overlong(s->worker->admission, conn_peer_address(s->conn));
		session_over(s, END_OVERLONG);
		return false;
	case P3D_TLS_HELLO:
		session_over(s, END_TLS_HELLO);
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
		session_over(s, END_MEMORY);
}

bool session_busy(const struct session *s)
{
	return s->jobs || s->commits || s->sending || s->full;
}

void session_pump(struct session *s, struct span in)
{
	struct p3d *p = session_p3d(s);
	bool kept = s->kept.len;
	struct p3d_event ev;

	if (s->closing || !s->conn)
		return;
	if (kept && !buf_add(&s->kept, in)) {
		session_over(s, END_MEMORY);
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
	if (s->end == END_STOPPED && !session_busy(s))
		session_over(s, END_STOPPED);
	if (s->conn && !s->closing)
		conn_pause(s->conn, p3d_waiting(p) || s->full || s->sending);
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

static void offer(struct session *s)
{
	const struct rules *r = s->rules;
	bool tls = conn_is_tls(s->conn);

	s->settings = (struct p3d_settings){
		.greeting = s->greeting ? s->greeting : r->greeting, .mechs = tls ? s->door->mechs_tls : s->door->mechs,
		.secure = tls, .stls = !tls && s->door->tls == POP3_TLS_STARTTLS && r->tls, .utf8_user = true,
		.login_delay_s = r->login_delay_s, .expire_days = P3D_EXPIRE_NEVER, .implementation = r->implementation,
	};
	s->was_tls |= tls;
	if (!s->greeting)
		s->settings.mechs &= ~(1U << SASL_APOP);
	if (tls && s->settings.mechs & 1U << SASL_EXTERNAL) {
		struct buf pem;

		buf_start(&pem, CONN_OFFERED_MAX);
		if (!conn_tls_client_certificate(s->conn, &pem))
			s->settings.mechs &= ~(1U << SASL_EXTERNAL);
		buf_end(&pem);
	}
}

static void on_secured(void *user)
{
	struct session *s = user;

	offer(s);
	p3d_secured(session_p3d(s), &s->settings);
	session_pump(s, (struct span){ 0 });
}

/* RFC 1939 section 7: a stamp that was never there before, only where APOP is offered. */
static void greet(struct session *s)
{
	const struct rules *r = s->rules;
	char random[STAMP_RANDOM], hex[2 * STAMP_RANDOM + 1], stamp[P3D_GREETING_MAX / 2];
	int n;

	if (!((s->door->mechs | s->door->mechs_tls) & 1U << SASL_APOP))
		return;
	random_fill(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)random[i]);
	n = snprintf(stamp, sizeof stamp, "<%s.%llx@%s>", hex, (unsigned long long)clock_now_s(), r->host);
	if (n < 0 || (size_t)n >= sizeof stamp || asprintf(&s->greeting, "%.*s %s", P3D_GREETING_MAX - n - 1, r->greeting, stamp) < 0)
		s->greeting = NULL;
}

static void refuse(struct session *s, enum admission_said said)
{
	log_debug(NULL, "service=POP refused address=%s reason=\"%s\"", conn_peer(s->conn), admission_said_name(said));
	worker_count(s->worker, COUNT_REFUSED, 1);
	if (said == ADMISSION_FULL || said == ADMISSION_ADDRESS_FULL)
		(void)conn_send(s->conn, SPAN("-ERR [SYS/TEMP] too many sessions, try again later\r\n"));
	session_over(s, END_REFUSED);
}

static void on_opened(void *user)
{
	struct session *s = user;

	if (s->door->proxy) {
		enum admission_said said = admission_address(s->worker->admission, conn_peer_address(s->conn), clock_mono_ms(), &s->seat);

		if (said != ADMISSION_GOOD) {
			refuse(s, said);
			return;
		}
	}
	greet(s);
	offer(s);
	p3d_start(session_p3d(s), &s->settings);
	conn_deadline(s->conn, s->rules->login_timeout_ms, "login");
	session_pump(s, (struct span){ 0 });
}

static void on_closed(void *user, const struct err *why)
{
	session_closed(user, why);
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
	said = door->proxy ? admission_enter_proxied(w->admission, &s->seat) : admission_enter(w->admission, from, clock_mono_ms(), &s->seat);
	if (said == ADMISSION_FULL && worker_evict(w))
		said = door->proxy ? admission_enter_proxied(w->admission, &s->seat) : admission_enter(w->admission, from, clock_mono_ms(), &s->seat);
	if (said != ADMISSION_GOOD) {
		bool full = said == ADMISSION_FULL || said == ADMISSION_ADDRESS_FULL;

		worker_count(w, COUNT_REFUSED, 1);
		listener_refuse(fd, full && how.tls == CONN_TLS_NONE ? SPAN("-ERR [SYS/TEMP] too many sessions, try again later\r\n") : (struct span){ 0 });
		free(s);
		return;
	}
	s->worker = w;
	s->door = door;
	s->rules = rules_keep(door->rules);
	s->began_ms = clock_mono_ms();
	buf_start(&s->kept, KEPT_MAX);
	worker_add(w, s);
	s->conn = conn_accept(w->loop, fd, &how, &user, &e);
	if (!s->conn) {
		log_debug(NULL, "service=POP refused reason=\"%s\"", e.text);
		s->end = END_LOST;
		session_release(s);
	}
}
