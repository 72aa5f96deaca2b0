/* SPDX-License-Identifier: Apache-2.0
 *
 * Handshakes that break for other reasons than the server's certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

#define S(text) { (text), sizeof(text) - 1 }
#define MODERN (1u << TLS_1_2 | 1u << TLS_1_3)
#define OLD (1u << TLS_1_0 | 1u << TLS_1_1)

enum { PATIENCE_MS = 60000 };

enum then { WAITS, CLOSES, RESETS };
enum demand { OF_NOBODY, OF_CLIENTS, OF_OUR_CLIENTS };	/* a certificate, of any authority or of ours */

static char folder[] = "/tmp/tls_explain_test.XXXXXX";
static struct pki root, leaf, anna, expired_anna, stranger;

static const struct row {
	const char *name;
	int min, max;			/* of the server; 0 = all */
	const char *server_ciphers;
	enum demand demand;
	bool no_such_name;
	struct span said;		/* in place of TLS */
	enum then then;			/* and after that */
	unsigned versions;		/* of the client */
	bool legacy;
	const char *ciphers, *certificate;
	enum err_kind kind;
	bool technical;
	const char *error;		/* NULL = fine */
} rows[] = {
	{ .name = "fine", .versions = MODERN },
	{ .name = "TLSv1.0 alone", .min = TLS1_VERSION, .max = TLS1_VERSION, .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "TLS broke: the server refuses the TLS versions that tls.protocols allows: it is too old (TLSv1" },
	{ .name = "TLSv1.1 alone", .min = TLS1_1_VERSION, .max = TLS1_1_VERSION, .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "; we offer TLSv1.2, TLSv1.3 (tls.protocols, tls.min, tls.max)" },
	{ .name = "a hello of TLSv1.0", .said = S("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" "0123456789abcdef0123456789abcdef" "\x00\x00\x2f\x00"),
		.versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "TLS broke: the server speaks only a TLS version that tls.protocols does not allow" },
	{ .name = "TLSv1.0 with leave", .min = TLS1_VERSION, .max = TLS1_VERSION, .versions = MODERN | OLD, .legacy = true },
	{ .name = "TLSv1.1 with leave", .min = TLS1_1_VERSION, .max = TLS1_1_VERSION, .versions = MODERN | OLD, .legacy = true },
	{ .name = "a server too new", .min = TLS1_3_VERSION, .versions = 1u << TLS_1_2, .kind = ERR_TLS, .technical = true,
		.error = "or wants a newer one; we offer TLSv1.2 (tls.protocols, tls.min, tls.max)" },
	{ .name = "a server too old", .max = TLS1_2_VERSION, .versions = 1u << TLS_1_3, .kind = ERR_TLS, .technical = true,
		.error = "; we offer TLSv1.3 (tls.protocols, tls.min, tls.max)" },
	{ .name = "a hole is a hole", .max = TLS1_1_VERSION, .min = TLS1_1_VERSION, .versions = 1u << TLS_1_0 | 1u << TLS_1_2, .legacy = true,
		.kind = ERR_TLS, .technical = true, .error = "TLS broke: the server refuses the TLS versions that tls.protocols allows: it is too old (TLSv1" },
	{ .name = "no cipher in common", .max = TLS1_2_VERSION, .server_ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384", .versions = MODERN,
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .kind = ERR_TLS, .technical = true,
		.error = "TLS broke: the server finds no cipher or key type in common with us" },
	{ .name = "a client certificate, TLSv1.2", .max = TLS1_2_VERSION, .demand = OF_CLIENTS, .versions = MODERN, .certificate = "anna" },
	{ .name = "a client certificate, TLSv1.3", .min = TLS1_3_VERSION, .demand = OF_CLIENTS, .versions = MODERN, .certificate = "anna" },
	{ .name = "no client certificate, TLSv1.2", .max = TLS1_2_VERSION, .demand = OF_CLIENTS, .versions = MODERN, .kind = ERR_TLS,
		.technical = true, .error = "or wants a client certificate" },
	{ .name = "no client certificate, TLSv1.3", .min = TLS1_3_VERSION, .demand = OF_CLIENTS, .versions = MODERN, .kind = ERR_TLS,
		.error = "the server wants a client certificate: set tls.certificate and tls.key" },
	{ .name = "a stranger's certificate, TLSv1.2", .max = TLS1_2_VERSION, .demand = OF_OUR_CLIENTS, .versions = MODERN,
		.certificate = "stranger", .kind = ERR_TLS, .error = "the server does not know the authority of our tls.certificate" },
	{ .name = "a stranger's certificate, TLSv1.3", .min = TLS1_3_VERSION, .demand = OF_OUR_CLIENTS, .versions = MODERN,
		.certificate = "stranger", .kind = ERR_TLS, .error = "the server does not know the authority of our tls.certificate" },
	{ .name = "an expired client certificate", .demand = OF_OUR_CLIENTS, .versions = MODERN, .certificate = "expired", .kind = ERR_TLS,
		.error = "the server says that our tls.certificate expired" },
	{ .name = "no such name", .no_such_name = true, .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "the server does not know the name it was called by (SNI)" },
	{ .name = "POP3 in clear", .said = S("+OK Dovecot ready.\r\n"), .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "this port does not speak TLS; try tls.mode = explicit, or check `port`: server said \"+OK Dovecot ready.\"" },
	{ .name = "IMAP in clear", .said = S("* OK IMAP4rev1 \"ready\"\r\n"), .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "server said \"* OK IMAP4rev1 'ready'\"" },
	{ .name = "something else in clear", .said = S("\x01\x02\x03"), .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "this port does not speak TLS; try tls.mode = explicit, or check `port`: server said \"???\"" },
	{ .name = "nearly TLS", .said = S("\x16\x47\x45\x54 / HTTP/1.0\r\n\r\n"), .versions = MODERN, .kind = ERR_TLS, .technical = true,
		.error = "what the server sent is not TLS" },
	{ .name = "closed at once", .then = CLOSES, .versions = MODERN, .kind = ERR_NET, .technical = true,
		.error = "the server closed the connection during the TLS handshake" },
	{ .name = "cut in the middle of a record", .said = S("\x16\x03\x03\x01"), .then = CLOSES, .versions = MODERN, .kind = ERR_NET, .technical = true,
		.error = "the server closed the connection during the TLS handshake" },
	{ .name = "reset", .then = RESETS, .versions = MODERN, .kind = ERR_NET, .technical = true,
		.error = "the server reset the connection during the TLS handshake" },
};

/* None of them is about the server's certificate. */
static void offers_nothing(struct client *c)
{
	struct conn_offered offered;

	assert_false(conn_tls_offered(c->conn, &offered));
}

static int no_such_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)arg;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int anyone(int good, X509_STORE_CTX *with)
{
	(void)good;
	(void)with;
	return 1;
}

static SSL_CTX *context_for(const struct row *r)
{
	SSL_CTX *ctx = pki_server(&leaf, NULL);

	SSL_CTX_set_security_level(ctx, r->max == TLS1_VERSION || r->max == TLS1_1_VERSION ? 0 : 1);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, r->min), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, r->max), 1);
	if (r->server_ciphers)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, r->server_ciphers), 1);
	if (r->demand)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, r->demand == OF_CLIENTS ? anyone : NULL);
	if (r->demand == OF_OUR_CLIENTS)
		assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root.cert), 1);
	if (r->no_such_name)
		(void)SSL_CTX_set_tlsext_servername_callback(ctx, no_such_name);
	return ctx;
}

struct show {
	const struct row *row;
	SSL_CTX *ctx;
};

static void talk(struct server_peer *p, void *user)
{
	const struct show *s = user;
	char hello[16];

	if (!s->row->said.len && !s->row->then) {
		if (peer_tls(p, s->ctx)) {
			(void)peer_say(p, "+OK\r\n");
			peer_wait_end(p);
		}
		return;
	}
	(void)peer_read(p, hello, sizeof hello);
	(void)peer_send(p, s->row->said);
	if (s->row->then == RESETS)
		peer_reset(p);
	if (s->row->then == CLOSES)
		(void)shutdown(p->fd, SHUT_WR);
	peer_wait_end(p);
}

static const char *path(const char *name, char out[100])
{
	(void)snprintf(out, 100, "%s/%s", folder, name);
	return out;
}

static void run(const struct row *r, struct tls_contexts *contexts)
{
	struct show show = { r, context_for(r) };
	char ca[100], certificate[100];
	struct tls_settings s = {
		.versions = r->versions, .legacy = r->legacy, .ciphers = r->ciphers, .verify_server = true, .verify_host = true,
		.verify_depth = 9, .ca_certificates = path("root", ca), .certificate = r->certificate ? path(r->certificate, certificate) : NULL,
	};
	struct server server;
	struct client c;
	struct err e;

	server_start(&server, "127.0.0.1", talk, &show);
	client_start(&c);
	c.close_at = "+OK\r\n";
	c.on_closed = offers_nothing;
	client_run(&c, &(struct conn_settings){ .host = "localhost", .port = server.port, .tls = CONN_TLS_IMPLICIT,
		.tls_client = tls_client_get(contexts, &s, &e), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS });
	if (c.why.kind != r->kind || c.technical != r->technical || (r->error && !strstr(c.why.text, r->error))
		|| (!r->error && strcmp(c.story, "opened turn closed") != 0))
		fail_msg("%s: %s: %s %s%s", r->name, c.story, err_kind_name(c.why.kind), c.why.text, c.technical ? " (technical)" : "");
	client_end(&c);
	server_stop(&server);
	SSL_CTX_free(show.ctx);
}

static void broken_handshakes_are_explained(void **state)
{
	struct err e;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct tls_contexts *contexts = tls_contexts_new(&e);

		assert_non_null(contexts);
		run(r, contexts);
		tls_contexts_free(&contexts);
	}
}

static void put(const char *name, const struct pki *p)
{
	char at[100];

	pki_write(path(name, at), 0600, &(struct pki_file){ .certs = { p->cert }, .key = p->key });
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&leaf, &(struct pki_wish){ .name = "localhost", .names = "DNS:localhost", .issuer = &root });
	pki_make(&anna, &(struct pki_wish){ .name = "anna", .issuer = &root });
	pki_make(&expired_anna, &(struct pki_wish){ .name = "anna", .issuer = &root, .from_days = -9, .to_days = -8 });
	pki_make(&stranger, &(struct pki_wish){ .name = "stranger" });
	put("root", &root);
	put("anna", &anna);
	put("expired", &expired_anna);
	put("stranger", &stranger);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "root", "anna", "expired", "stranger" };
	char at[100];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i], at));
	assert_int_equal(rmdir(folder), 0);
	pki_free(&root);
	pki_free(&leaf);
	pki_free(&anna);
	pki_free(&expired_anna);
	pki_free(&stranger);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_handshakes_are_explained),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
