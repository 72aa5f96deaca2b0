/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, MANY = 3 * TLS_SHARED * TLS_SHARED_EACH };

static struct pki authority, middle, leaf, stranger;
static char authorities[64];

static int make_certificates(void **state)
{
	int fd;

	(void)state;
	pki_make(&authority, &(struct pki_wish){ .name = "authority", .authority = true });
	pki_make(&middle, &(struct pki_wish){ .name = "middle", .authority = true, .issuer = &authority });
	pki_make(&leaf, &(struct pki_wish){ .name = "mail", .names = "IP:127.0.0.1", .issuer = &middle });
	pki_make(&stranger, &(struct pki_wish){ .name = "mail", .names = "IP:127.0.0.1", .rsa = true });
	(void)snprintf(authorities, sizeof authorities, "/tmp/postrider-shared.XXXXXX");
	fd = mkstemp(authorities);
	if (fd < 0)
		return -1;
	(void)close(fd);
	pki_write(authorities, 0600, &(struct pki_file){ .certs = { authority.cert } });
	return 0;
}

static int drop_certificates(void **state)
{
	(void)state;
	pki_free(&authority);
	pki_free(&middle);
	pki_free(&leaf);
	pki_free(&stranger);
	return unlink(authorities);
}

/* Is it this very one that comes back? */
static void assert_finds(struct tls_shared *s, X509 *x, const X509 *want)
{
	X509 *got = tls_shared_find(s, x);

	assert_ptr_equal(got, want);
	X509_free(got);
}

static void equal_ones_are_one(void **state)
{
	X509 *twin = X509_dup(leaf.cert);
	struct tls_shared s;

	(void)state;
	tls_shared_start(&s);
	assert_finds(&s, leaf.cert, NULL);
	tls_shared_keep(&s, leaf.cert);
	assert_finds(&s, leaf.cert, leaf.cert);
	assert_finds(&s, twin, leaf.cert);
	assert_finds(&s, middle.cert, NULL);
	assert_finds(&s, stranger.cert, NULL);		/* of the same name */
	tls_shared_keep(&s, twin);			/* the first one stays */
	assert_finds(&s, twin, leaf.cert);
	tls_shared_end(&s);
	X509_free(twin);
}

/* There is a limit, and what is used and what is new stays. */
static void the_oldest_makes_room(void **state)
{
	X509 *others[MANY];
	struct tls_shared s;
	size_t left = 0;

	(void)state;
	tls_shared_start(&s);
	tls_shared_keep(&s, leaf.cert);
	for (int i = 0; i < MANY; i++) {
		others[i] = X509_dup(leaf.cert);
		assert_true(others[i] && ASN1_INTEGER_set(X509_get_serialNumber(others[i]), 1000 + i));
		assert_true(X509_sign(others[i], leaf.key, EVP_sha256()) > 0);
		tls_shared_keep(&s, others[i]);
		assert_finds(&s, leaf.cert, leaf.cert);
		assert_finds(&s, others[i], others[i]);
	}
	for (int i = 0; i < MANY; i++) {
		X509 *got = tls_shared_find(&s, others[i]);

		left += got != NULL;
		X509_free(got);
		X509_free(others[i]);
	}
	assert_in_range(left, TLS_SHARED_EACH, TLS_SHARED * TLS_SHARED_EACH);
	tls_shared_end(&s);
}

static void ends(struct server_peer *p, void *user)
{
	if (peer_tls(p, user))
		peer_wait_end(p);
}

static struct tls_client *tls;

/* All that the connection holds is what is shared. */
static void look(struct client *c)
{
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(c->conn->ssl);

	assert_false(conn_tls_resumed(c->conn));
	assert_int_equal(sk_X509_num(sent), 2);
	for (int i = 0; i < sk_X509_num(sent); i++)
		assert_finds(&tls->shared, sk_X509_value(sent, i), sk_X509_value(sent, i));
	assert_ptr_equal(SSL_get0_peer_certificate(c->conn->ssl), sk_X509_value(sent, 0));
	assert_int_equal(X509_cmp(sk_X509_value(sent, 0), leaf.cert), 0);
	assert_int_equal(X509_cmp(sk_X509_value(sent, 1), middle.cert), 0);
	conn_close(c->conn);
}

static void visit(SSL_CTX *ctx, const char *story)
{
	struct conn_settings s = { .host = "127.0.0.1", .tls = CONN_TLS_IMPLICIT, .tls_client = tls,
		.connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS };
	struct server server;
	struct client c;

	server_start(&server, "127.0.0.1", ends, ctx);	/* a port of its own: nothing is resumed */
	s.port = server.port;
	client_start(&c);
	c.on_opened = look;
	client_run(&c, &s);
	assert_string_equal(c.story, story);
	client_end(&c);
	server_stop(&server);
}

static void connections_share_what_was_accepted(void **state)
{
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	SSL_CTX *good = pki_server(&leaf, &middle), *bad = pki_server(&stranger, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct tls_settings how = { .versions = 1u << versions[i], .verify_server = true, .verify_host = true, .verify_depth = 3,
			.ca_certificates = authorities };
		struct err e;
		struct tls_contexts *all = tls_contexts_new(&e);

		tls = tls_client_get(all, &how, &e);
		assert_non_null(tls);
		visit(bad, "closed");
		assert_finds(&tls->shared, stranger.cert, NULL);
		for (int n = 0; n < 3; n++)
			visit(good, "opened closed");
		visit(bad, "closed");
		assert_finds(&tls->shared, stranger.cert, NULL);
		tls_contexts_free(&all);
	}
	SSL_CTX_free(good);
	SSL_CTX_free(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_are_one),
		cmocka_unit_test(the_oldest_makes_room),
		cmocka_unit_test(connections_share_what_was_accepted),
	};

	return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
