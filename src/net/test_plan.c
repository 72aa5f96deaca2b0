/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_plan.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/conn_inside.h"

struct pki plan_authority, plan_self, plan_other, plan_anna, plan_stranger;
const char *plan_ca;

static struct tls_contexts *contexts;
static char folder[64], cert_path[80], ca_path[80];

SSL_CTX *plan_context(const struct plan *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert(ctx);
	if (p && p->version) {
		SSL_CTX_set_security_level(ctx, p->version < TLS1_2_VERSION ? 0 : 1);
		(void)SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		assert(SSL_CTX_set_max_proto_version(ctx, p->version) == (1));
	}
	if (p && p->certificate)
		assert(SSL_CTX_use_certificate(ctx, p->certificate->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, p->certificate->key) == 1);
	assert(!p || !p->ciphers || SSL_CTX_set_cipher_list(ctx, p->ciphers) == 1);
	assert(!p || !p->groups || SSL_CTX_set1_groups_list(ctx, p->groups) == 1);
	if (p && p->verifies)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (p && p->alpn)
		assert(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)p->alpn, (unsigned)strlen(p->alpn)) == (0));
	return ctx;
}

static void bind_to(struct plan *p, SSL *ssl)
{
	if (SSL_version(ssl) >= TLS1_3_VERSION) {
		p->binding_len = 32;
		assert(SSL_export_keying_material(ssl, (unsigned char *)p->binding, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0) == (1));
	} else {
		p->binding_len = SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, p->binding, 64) : SSL_get_finished(ssl, p->binding, 64);
	}
}

void plan_talk(struct server_peer *peer, struct plan *p)
{
	char line[PLAN_LINE];

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

void plan_converses(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = plan_context(p);

	if (visitor_tls(peer, ctx, p->session))
		plan_talk(peer, p);
	ERR_clear_error();
	SSL_CTX_free(ctx);
}

void plan_write(const struct pki *p)
{
	pki_write(cert_path, 0600, &(struct pki_file){ .certs = { p->cert, plan_authority.cert }, .key = p->key });
}

/* Our side: a session's way with STLS and QUIT. */
size_t plan_turn(struct client *c, struct span in)
{
	struct plan *p = c->user;

	if (span_starts(in, SPAN("STLS\r\n"))) {
		assert(conn_send(c->conn, SPAN("+OK begin\r\n")));
		conn_start_tls(c->conn);
		return 6;
	}
	assert(buf_add(&c->got, in));
	if (c->got.len >= 6 && !memcmp(c->got.at + c->got.len - 6, "QUIT\r\n", 6)) {
		p->ours_len = SSL_version(c->conn->ssl) >= TLS1_3_VERSION ? conn_tls_exporter(c->conn, p->ours) : conn_tls_unique(c->conn, p->ours);
		assert(conn_tls_resumed(c->conn) == (p->session && SSL_session_reused(c->conn->ssl)));
		assert(conn_send(c->conn, SPAN("+OK bye\r\n")));
		conn_close(c->conn);
	} else if (conn_is_tls(c->conn)) {
		assert(conn_send(c->conn, SPAN("+OK\r\n")));
	}
	return in.len;
}

struct tls_server *plan_server(const char *ca)
{
	const struct tls_server_settings s = { .certificate = cert_path, .ca_certificates = ca, .alpn = "pop3" };
	struct err e;
	struct tls_server *t = tls_server_get(contexts, &s, &e);

	assert(t);
	return t;
}

void plan_visit(struct client *c, struct tls_server *t, enum conn_tls tls, uint32_t timeout_ms,
	void (*talks)(struct server_peer *p, void *user), struct plan *p)
{
	struct conn_accepted s = { .tls = tls, .tls_server = t, .timeout_ms = timeout_ms };

	client_start(c);
	c->say = "+OK\r\n";
	c->on_turn = plan_turn;
	visit(c, &s, talks, p);
}

int plans_set_up(void **state)
{
	struct err e;

	(void)state;
	contexts = tls_contexts_new(&e);
	assert(contexts);
	(void)snprintf(folder, sizeof folder, "/tmp/postrider-plan-XXXXXX");
	assert(mkdtemp(folder));
	plan_ca = ca_path;
	(void)snprintf(cert_path, sizeof cert_path, "%s/tls.pem", folder);
	(void)snprintf(ca_path, sizeof ca_path, "%s/ca.pem", folder);
	pki_make(&plan_authority, &(struct pki_wish){ .name = "authority", .authority = true });
	pki_make(&plan_self, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost", .issuer = &plan_authority });
	pki_make(&plan_other, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost", .issuer = &plan_authority });
	pki_make(&plan_anna, &(struct pki_wish){ .name = "anna", .names = "email:anna@example.org", .issuer = &plan_authority });
	pki_make(&plan_stranger, &(struct pki_wish){ .name = "anna", .names = "email:anna@example.org" });
	pki_write(plan_ca, 0644, &(struct pki_file){ .certs = { plan_authority.cert } });
	plan_write(&plan_self);
	return 0;
}

int plans_tear_down(void **state)
{
	struct pki *all[] = { &plan_authority, &plan_self, &plan_other, &plan_anna, &plan_stranger };

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		pki_free(all[i]);
	tls_contexts_free(&contexts);
	(void)unlink(cert_path);
	(void)unlink(ca_path);
	return rmdir(folder);
}
