/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/test_plan.h"
#include "net/tls_inside.h"

/* Resumption: as long as its key is kept, and not into another context. */

static bool resumes(struct tls_server *t, int version, SSL_SESSION **session)
{
	struct plan p = { .version = version, .session = *session };
	struct client c;

	plan_visit(&c, t, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, plan_converses, &p);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(p.binding_len, p.ours_len);
	assert_memory_equal(p.binding, p.ours, p.ours_len);
	client_end(&c);
	if (p.resumed && version == TLS1_3_VERSION)	/* clients use a ticket once: there must be another one */
		assert_ptr_not_equal(p.got, *session);
	SSL_SESSION_free(*session);
	*session = p.got;
	return p.resumed;
}

static void sessions_are_resumed_while_their_key_is_kept(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct tls_server *t = plan_server(NULL), *asked = plan_server(plan_ca);
		SSL_SESSION *session = NULL;

		assert_ptr_not_equal(t, asked);
		assert_false(resumes(t, versions[i], &session));
		assert_true(resumes(t, versions[i], &session));
		tls_tickets_rotate(tls_server_tickets(t));
		assert_true(resumes(t, versions[i], &session));		/* with the key before; sealed anew */
		tls_tickets_rotate(tls_server_tickets(t));
		assert_true(resumes(t, versions[i], &session));
		tls_tickets_rotate(tls_server_tickets(t));
		tls_tickets_rotate(tls_server_tickets(t));
		assert_false(resumes(t, versions[i], &session));
		assert_false(resumes(asked, versions[i], &session));
		SSL_SESSION_free(session);
		tls_server_put(&t);
		tls_server_put(&asked);
	}
}

/* A reload while a session lives */

struct reload {
	struct plan plan;
	struct tls_server *before, *after;
	bool same;
};

static size_t reloads(struct client *c, struct span in)
{
	struct reload *r = c->user;

	if (!r->after) {
		struct tls_server *again = plan_server(NULL);

		r->same = again == r->before;
		tls_server_put(&again);
		plan_write(&plan_other);
		r->after = plan_server(NULL);
		tls_server_put(&r->before);
		assert_true(conn_send(c->conn, SPAN("+OK\r\n")));
		return in.len;
	}
	assert_true(conn_send(c->conn, SPAN("+OK bye\r\n")));
	conn_close(c->conn);
	return in.len;
}

static void asks_twice(struct server_peer *peer, void *user)
{
	SSL_CTX *ctx = plan_context(NULL);
	char line[PLAN_LINE];

	(void)user;
	if (visitor_tls(peer, ctx, NULL) && peer_line(peer, line, sizeof line) && peer_say(peer, "one\r\n")
		&& peer_line(peer, line, sizeof line) && peer_say(peer, "two\r\n"))
		(void)peer_line(peer, line, sizeof line);
	peer_wait_end(peer);
	SSL_CTX_free(ctx);
}

static void looks_at_our_certificate(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = plan_context(NULL);

	if (visitor_tls(peer, ctx, NULL)) {
		p->wrong = X509_cmp(SSL_get0_peer_certificate(peer->ssl), plan_other.cert) != 0;
		plan_talk(peer, p);
	}
	SSL_CTX_free(ctx);
}

static void sessions_outlive_a_reload(void **state)
{
	struct reload r = { .before = plan_server(NULL) };
	struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = r.before, .timeout_ms = PLAN_PATIENCE_MS };
	struct client c;

	(void)state;
	client_start(&c);
	c.say = "+OK\r\n";
	c.on_turn = reloads;
	visit(&c, &s, asks_twice, &r);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(c.turns, 2);
	assert_true(r.same);		/* nothing had changed then */
	client_end(&c);
	plan_visit(&c, r.after, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, looks_at_our_certificate, &r.plan);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_false(r.plan.wrong);
	SSL_SESSION_free(r.plan.got);
	client_end(&c);
	tls_server_put(&r.after);
	plan_write(&plan_self);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_resumed_while_their_key_is_kept),
		cmocka_unit_test(sessions_outlive_a_reload),
	};

	return cmocka_run_group_tests(tests, plans_set_up, plans_tear_down);
}
