/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/certificate.h"
#include "net/conn_inside.h"
#include "net/test_pki.h"
#include "net/test_visitor.h"

enum { PATIENCE_MS = 60000, LINE = 200, MUCH = 16 << 20 };

static struct tls_contexts *contexts;
static struct pki authority, self, other, anna, stranger;
static char folder[] = "/tmp/postrider-accept-XXXXXX", cert_path[64], ca_path[64];

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

/* What a visitor does, and what it saw. */
struct plan {
	int version;			/* the newest it speaks; 0 = any */
	const struct pki *certificate;	/* its own */
	bool verifies;
	const char *alpn;		/* as lengths and names */
	SSL_SESSION *session, *got;
	bool resumed, wrong;
	char binding[64], ours[64];	/* the visitor's, and what our side says */
	size_t binding_len, ours_len;
	size_t taken, sent, queued;
	atomic_bool starved;
};

static SSL_CTX *context(const struct plan *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	if (p && p->version) {
		SSL_CTX_set_security_level(ctx, p->version < TLS1_2_VERSION ? 0 : 1);
		(void)SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		assert_int_equal(SSL_CTX_set_max_proto_version(ctx, p->version), 1);
	}
	if (p && p->certificate)
		assert_true(SSL_CTX_use_certificate(ctx, p->certificate->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, p->certificate->key) == 1);
	if (p && p->verifies)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (p && p->alpn)
		assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)p->alpn, (unsigned)strlen(p->alpn)), 0);
	return ctx;
}

/* Visitors */

static void bind_to(struct plan *p, SSL *ssl)
{
	if (SSL_version(ssl) >= TLS1_3_VERSION) {
		p->binding_len = 32;
		assert_int_equal(SSL_export_keying_material(ssl, (unsigned char *)p->binding, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0), 1);
	} else {
		p->binding_len = SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, p->binding, 64) : SSL_get_finished(ssl, p->binding, 64);
	}
}

static void talk(struct server_peer *peer, struct plan *p)
{
	char line[LINE];

	(void)peer_line(peer, line, sizeof line);
	if (peer->ssl && SSL_is_init_finished(peer->ssl)) {
		p->resumed = SSL_session_reused(peer->ssl);
		bind_to(p, peer->ssl);
	}
	(void)peer_say(peer, "QUIT\r\n");
	(void)peer_line(peer, line, sizeof line);
	peer_wait_end(peer);
	if (peer->ssl)
		p->got = SSL_get1_session(peer->ssl);
}

static void converses(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = context(p);

	if (visitor_tls(peer, ctx, p->session))
		talk(peer, p);
	ERR_clear_error();
	SSL_CTX_free(ctx);
}

static void speaks_in_clear(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_say(peer, "CAPA \"x\r\n");
	peer_wait_end(peer);
}

static void leaves(struct server_peer *peer, void *user)
{
	(void)peer;
	(void)user;
}

static void leaves_in_the_hello(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
}

static void resets_in_the_hello(struct server_peer *peer, void *user)
{
	struct timespec tick = { 0, 20 * 1000 * 1000 };

	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
	(void)nanosleep(&tick, NULL);
	peer_reset(peer);
}

static void hangs_in_the_hello(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
	peer_wait_end(peer);
}

static void is_silent(struct server_peer *peer, void *user)
{
	(void)user;
	peer_wait_end(peer);
}

static void speaks_nonsense(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x00\x08nonsense"));
	peer_wait_end(peer);
}

static void sends_junk_behind_its_end(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = context(p);

	if (visitor_tls(peer, ctx, NULL)) {
		(void)SSL_shutdown(peer->ssl);
		(void)send(peer->fd, "\x17\x03\x03\x00\x04junk", 9, MSG_NOSIGNAL);
	}
	SSL_free(peer->ssl);
	peer->ssl = NULL;
	peer_wait_end(peer);
	SSL_CTX_free(ctx);
}

static void upgrades(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = context(p);
	char line[LINE];

	if (peer_line(peer, line, sizeof line) && peer_say(peer, "STLS\r\n") && peer_line(peer, line, sizeof line)
		&& !strcmp(line, "+OK begin") && visitor_tls(peer, ctx, NULL)) {
		(void)peer_say(peer, "CAPA\r\n");
		talk(peer, p);
	}
	SSL_CTX_free(ctx);
}

static void injects(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_say(peer, "STLS\r\nUSER x\r\n");
	peer_wait_end(peer);
}

static void injects_later(struct server_peer *peer, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_line(peer, line, sizeof line);
	(void)peer_say(peer, "STLS\r\n");
	(void)peer_line(peer, line, sizeof line);
	(void)peer_say(peer, "USER x\r\n");
	peer_wait_end(peer);
}

#define QUITS "opened turn closed"

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	struct plan plan;
	enum conn_tls tls;
	uint32_t timeout_ms;
	const char *story;
	enum err_kind kind;
	const char *why;
} rows[] = {
	{ "TLS from the start", converses, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "TLSv1.2", converses, { .version = TLS1_2_VERSION }, CONN_TLS_IMPLICIT, PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "it names our protocol", converses, { .alpn = "\4imap\4pop3" }, CONN_TLS_IMPLICIT, PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "it names another", converses, { .alpn = "\2h2\10http/1.1" }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_TLS,
		": TLS broke: the client asks for another protocol than ours (ALPN)" },
	{ "TLSv1.1", converses, { .version = TLS1_1_VERSION }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_TLS,
		": TLS broke: the client speaks no TLS version that tls.min and tls.max allow" },
	{ "it does not know our authority", converses, { .verifies = true }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_TLS,
		": TLS broke: the client does not know the authority of our certificate" },
	{ "it speaks in clear", speaks_in_clear, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_TLS,
		": the client speaks in clear, where this port begins with TLS: client said \"CAPA 'x\"" },
	{ "it speaks nonsense", speaks_nonsense, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_TLS, ": TLS broke: " },
	{ "it leaves at once", leaves, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_NET, ": the client closed the connection before it said anything" },
	{ "it leaves in its hello", leaves_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_NET,
		": the client closed the connection during the TLS handshake" },
	{ "it resets in its hello", resets_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "closed", ERR_NET,
		": the client reset the connection during the TLS handshake" },
	{ "it hangs in its hello", hangs_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, 50, "closed", ERR_NET, ": no TLS handshake within 0.05 s" },
	{ "it is silent", is_silent, { 0 }, CONN_TLS_IMPLICIT, 50, "closed", ERR_NET, ": no TLS handshake within 0.05 s" },
	{ "junk behind its end", sends_junk_behind_its_end, { 0 }, CONN_TLS_IMPLICIT, PATIENCE_MS, "opened closed", ERR_NONE, NULL },
	{ "STLS", upgrades, { 0 }, CONN_TLS_NONE, PATIENCE_MS, "opened turn secured turn closed", ERR_NONE, NULL },
	{ "octets behind STLS", injects, { 0 }, CONN_TLS_NONE, PATIENCE_MS, "opened turn closed", ERR_PEER, ": data before TLS: 8 octets in clear came" },
	{ "octets a little later", injects_later, { 0 }, CONN_TLS_NONE, PATIENCE_MS, "opened turn closed", ERR_PEER,
		": data before TLS: octets in clear came after the answer to the TLS start; the client is broken, or somebody is interfering" },
	{ "no hello behind STLS", upgrades, { .version = TLS1_1_VERSION }, CONN_TLS_NONE, PATIENCE_MS, "opened turn closed", ERR_TLS, ": TLS broke: the client speaks no TLS version" },
};

/* Our side: a session's way with STLS and QUIT. */
static size_t turn(struct client *c, struct span in)
{
	struct plan *p = c->user;

	if (span_starts(in, SPAN("STLS\r\n"))) {
		assert_true(conn_send(c->conn, SPAN("+OK begin\r\n")));
		conn_start_tls(c->conn);
		return 6;
	}
	assert_true(buf_add(&c->got, in));
	if (c->got.len >= 6 && !memcmp(c->got.at + c->got.len - 6, "QUIT\r\n", 6)) {
		p->ours_len = SSL_version(c->conn->ssl) >= TLS1_3_VERSION ? conn_tls_exporter(c->conn, p->ours) : conn_tls_unique(c->conn, p->ours);
		assert_int_equal(conn_tls_resumed(c->conn), p->session && SSL_session_reused(c->conn->ssl));
		assert_true(conn_send(c->conn, SPAN("+OK bye\r\n")));
		conn_close(c->conn);
	} else if (conn_is_tls(c->conn)) {
		assert_true(conn_send(c->conn, SPAN("+OK\r\n")));
	}
	return in.len;
}

static struct tls_server *server(const char *ca)
{
	const struct tls_server_settings s = { .certificate = cert_path, .ca_certificates = ca, .alpn = "pop3" };
	struct err e;
	struct tls_server *t = tls_server_get(contexts, &s, &e);

	if (!t)
		fail_msg("%s", e.text);
	return t;
}

static void visit_tls(struct client *c, struct tls_server *t, enum conn_tls tls, uint32_t timeout_ms,
	void (*talks)(struct server_peer *p, void *user), struct plan *p)
{
	struct conn_accepted s = { .tls = tls, .tls_server = t, .timeout_ms = timeout_ms };

	client_start(c);
	c->say = "+OK\r\n";
	c->on_turn = turn;
	visit(c, &s, talks, p);
}

static void tls_tells_its_story(void **state)
{
	struct tls_server *t = server(NULL);

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan p = r->plan;
		struct client c;

		visit_tls(&c, t, r->tls, r->timeout_ms, r->talk, &p);
		if (strcmp(c.story, r->story) != 0 || c.why.kind != r->kind || (r->why && !strstr(c.why.text, r->why)))
			fail_msg("%s: %s: %s", r->name, c.story, c.why.text);
		if (p.binding_len != p.ours_len || memcmp(p.binding, p.ours, p.ours_len) != 0 || (r->kind == ERR_NONE && strstr(r->story, "turn") && !p.ours_len))
			fail_msg("%s: bindings of %zu and %zu octets", r->name, p.binding_len, p.ours_len);
		SSL_SESSION_free(p.got);
		client_end(&c);
	}
	tls_server_put(&t);
}

/* Resumption: as long as its key is kept, and not into another context. */

static bool resumes(struct tls_server *t, int version, SSL_SESSION **session)
{
	struct plan p = { .version = version, .session = *session };
	struct client c;

	visit_tls(&c, t, CONN_TLS_IMPLICIT, PATIENCE_MS, converses, &p);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(p.binding_len, p.ours_len);
	assert_memory_equal(p.binding, p.ours, p.ours_len);
	client_end(&c);
	SSL_SESSION_free(*session);
	*session = p.got;
	return p.resumed;
}

static void sessions_are_resumed_while_their_key_is_kept(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct tls_server *t = server(NULL), *asked = server(ca_path);
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

static void write_certificate(const struct pki *p)
{
	pki_write(cert_path, 0600, &(struct pki_file){ .certs = { p->cert, authority.cert }, .key = p->key });
}

static size_t reloads(struct client *c, struct span in)
{
	struct reload *r = c->user;

	if (!r->after) {
		struct tls_server *again = server(NULL);

		r->same = again == r->before;
		tls_server_put(&again);
		write_certificate(&other);
		r->after = server(NULL);
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
	SSL_CTX *ctx = context(NULL);
	char line[LINE];

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
	SSL_CTX *ctx = context(NULL);

	if (visitor_tls(peer, ctx, NULL)) {
		p->wrong = X509_cmp(SSL_get0_peer_certificate(peer->ssl), other.cert) != 0;
		talk(peer, p);
	}
	SSL_CTX_free(ctx);
}

static void sessions_outlive_a_reload(void **state)
{
	struct reload r = { .before = server(NULL) };
	struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = r.before, .timeout_ms = PATIENCE_MS };
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
	visit_tls(&c, r.after, CONN_TLS_IMPLICIT, PATIENCE_MS, looks_at_our_certificate, &r.plan);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_false(r.plan.wrong);
	SSL_SESSION_free(r.plan.got);
	client_end(&c);
	tls_server_put(&r.after);
	write_certificate(&self);
}

/* Certificates of clients */

static char seen[LINE];			/* what our side read of it */

static void reads_the_certificate(struct client *c)
{
	struct certificates all;
	struct arena arena = { 0 };
	struct buf pem;
	struct err e;

	seen[0] = '\0';
	buf_start(&pem, 65536);
	if (conn_tls_certificate(c->conn, &pem) && certificates_read(&arena, buf_span(&pem), &all, &e))
		(void)snprintf(seen, sizeof seen, "%s %s", all.list[0].subject, all.list[0].name_count ? all.list[0].names[0] : "");
	arena_end(&arena);
	buf_end(&pem);
}

static void clients_show_certificates(void **state)
{
	static const struct {
		const struct pki *certificate;
		const char *seen, *why;
	} list[] = {
		{ NULL, "", NULL },
		{ &anna, "CN=anna email:anna@example.org", NULL },
		{ &stranger, "", ": the client's certificate is not accepted: " },
	};
	struct tls_server *t = server(ca_path);

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++)
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			struct plan p = { .version = version, .certificate = list[i].certificate };
			struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = t, .timeout_ms = PATIENCE_MS };

			seen[0] = '\0';
			for (int again = 0; again < 2; again++) {	/* a resumed session knows it too */
				struct client c;

				client_start(&c);
				c.say = "+OK\r\n";
				c.on_turn = turn;
				c.on_opened = reads_the_certificate;
				visit(&c, &s, converses, &p);
				assert_string_equal(seen, list[i].seen);
				assert_int_equal(p.resumed, again && !list[i].why);
				if (list[i].why ? c.why.kind != ERR_TLS || !strstr(c.why.text, list[i].why) : c.why.kind != ERR_NONE)
					fail_msg("%zu: %s", i, c.why.text);
				client_end(&c);
				SSL_SESSION_free(p.session);
				p.session = p.got;
				p.got = NULL;
			}
			SSL_SESSION_free(p.session);
		}
	tls_server_put(&t);
}

/* What is valid only now, through TLS, to a slow reader */

static void reads_slowly(struct server_peer *peer, void *user)
{
	static char piece[30000];
	struct timespec tick = { 0, 1000000 };
	struct plan *p = user;
	SSL_CTX *ctx = context(p);
	int little = 64 * 1024;
	size_t n;

	(void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	if (visitor_tls(peer, ctx, NULL) && peer_say(peer, "RETR 1\r\n")) {
		(void)SSL_shutdown(peer->ssl);		/* its half, close_notify */
		while (!p->starved)
			(void)nanosleep(&tick, NULL);
		while ((n = peer_read(peer, piece, sizeof piece))) {
			for (size_t i = 0; i < n; i++)
				p->wrong = p->wrong || piece[i] != pattern(p->taken + i);
			p->taken += n;
		}
	}
	SSL_CTX_free(ctx);
}

static void try_on(struct client *c)
{
	struct plan *p = c->user;
	static char piece[100 * 1000];

	while (p->sent < MUCH) {
		size_t n = MUCH - p->sent < sizeof piece ? MUCH - p->sent : sizeof piece, went;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(p->sent + i);
		went = conn_try_send(c->conn, (struct span){ piece, n });
		memset(piece, 'x', n);
		p->sent += went;
		p->queued = conn_unsent(c->conn) > p->queued ? conn_unsent(c->conn) : p->queued;
		if (went < n) {
			p->starved = true;
			return;
		}
	}
}

static size_t sends_much(struct client *c, struct span in)
{
	try_on(c);
	return in.len;
}

static void a_slow_reader_gets_it_all(void **state)
{
	struct plan p = { 0 };
	struct tls_server *t = server(NULL);
	struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = t, .timeout_ms = PATIENCE_MS };
	struct client c;

	(void)state;
	client_start(&c);
	c.on_turn = sends_much;
	c.on_drained = try_on;
	visit(&c, &s, reads_slowly, &p);
	assert_string_equal(c.why.text, "");
	assert_int_equal(p.taken, MUCH);
	assert_false(p.wrong);
	assert_in_range(p.queued, 1, CONN_TRY_QUEUE);
	client_end(&c);
	tls_server_put(&t);
}

static int set_up(void **state)
{
	struct err e;

	(void)state;
	contexts = tls_contexts_new(&e);
	assert_non_null(contexts);
	assert_non_null(mkdtemp(folder));
	(void)snprintf(cert_path, sizeof cert_path, "%s/tls.pem", folder);
	(void)snprintf(ca_path, sizeof ca_path, "%s/ca.pem", folder);
	pki_make(&authority, &(struct pki_wish){ .name = "authority", .authority = true });
	pki_make(&self, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost", .issuer = &authority });
	pki_make(&other, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost", .issuer = &authority });
	pki_make(&anna, &(struct pki_wish){ .name = "anna", .names = "email:anna@example.org", .issuer = &authority });
	pki_make(&stranger, &(struct pki_wish){ .name = "anna", .names = "email:anna@example.org" });
	pki_write(ca_path, 0644, &(struct pki_file){ .certs = { authority.cert } });
	write_certificate(&self);
	return 0;
}

static int tear_down(void **state)
{
	struct pki *all[] = { &authority, &self, &other, &anna, &stranger };

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		pki_free(all[i]);
	tls_contexts_free(&contexts);
	(void)unlink(cert_path);
	(void)unlink(ca_path);
	return rmdir(folder);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_tells_its_story),
		cmocka_unit_test(sessions_are_resumed_while_their_key_is_kept),
		cmocka_unit_test(sessions_outlive_a_reload),
		cmocka_unit_test(clients_show_certificates),
		cmocka_unit_test(a_slow_reader_gets_it_all),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
