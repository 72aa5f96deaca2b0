/* SPDX-License-Identifier: Apache-2.0
 *
 * Each row is a real handshake with a server that shows some certificate; what
 * must come out is the line a person reads, or a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/certificate.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000 };

enum who { LEAF, DIRECT, EXPIRED, FUTURE, WRONG, NUL, MANY, CN_ONLY, WILD, SELF, STRANGER, UNDER_EXPIRED, LONE, WHO };

static char folder[] = "/tmp/tls_verify_test.XXXXXX";
static time_t made;		/* when the certificates were */
static struct pki root, inter, expired_inter, stranger_root, all[WHO];

static const struct { enum who who; struct pki_wish wish; const struct pki *shown_too; } wishes[] = {
	{ LEAF, { .name = "leaf", .names = "DNS:localhost,IP:127.0.0.1,IP:::1", .issuer = &inter }, &inter },
	{ DIRECT, { .name = "direct", .names = "DNS:localhost", .issuer = &root }, NULL },
	{ EXPIRED, { .name = "old", .names = "DNS:localhost", .issuer = &root, .from_days = -20, .to_days = -10 }, NULL },
	{ FUTURE, { .name = "young", .names = "DNS:localhost", .issuer = &root, .from_days = 10, .to_days = 20 }, NULL },
	{ WRONG, { .name = "wrong", .names = "DNS:pop.example.org,DNS:*.example.net,IP:192.0.2.1,IP:2001:db8::1", .issuer = &root }, NULL },
	{ NUL, { .name = "nul", .raw_name = { "localhost\0.evil.example", 23 }, .issuer = &root }, NULL },
	{ MANY, { .name = "many", .names = "DNS:a1.example.org,DNS:a2.example.org,DNS:a3.example.org,DNS:a4.example.org,DNS:a5.example.org,"
		"DNS:a6.example.org,DNS:a7.example.org,DNS:a8.example.org,DNS:a9.example.org,DNS:b1.example.org,DNS:b2.example.org,"
		"DNS:b3.example.org,DNS:b4.example.org,DNS:b5.example.org,DNS:b6.example.org,DNS:b7.example.org", .issuer = &root }, NULL },
	{ CN_ONLY, { .name = "localhost", .issuer = &root }, NULL },
	{ WILD, { .name = "wild", .names = "DNS:*.sub.localhost", .issuer = &root }, NULL },
	{ SELF, { .name = "self", .names = "DNS:localhost" }, NULL },
	{ STRANGER, { .name = "strange", .names = "DNS:localhost", .issuer = &stranger_root }, &stranger_root },
	{ UNDER_EXPIRED, { .name = "under", .names = "DNS:localhost", .issuer = &expired_inter }, &expired_inter },
	{ LONE, { .name = "lone", .names = "DNS:localhost", .issuer = &inter }, NULL },
};
static_assert(COUNT(wishes) == WHO, "a certificate for each");

enum flags { NO_SERVER = 1, NO_HOST = 2, NO_CA = 4, PIN = 8, WRONG_PIN = 16 };

static const struct row {
	const char *name;
	enum who who;
	const char *host, *ca, *crl;	/* ca NULL = "root" */
	uint32_t depth;			/* 0 = 9 */
	int flags;
	const char *error;		/* NULL = it is accepted; `|` separates pieces that must be there */
} rows[] = {
	{ "a good chain", LEAF, "localhost", NULL, NULL, 0, 0, NULL },
	{ "a name in capitals", LEAF, "LOCALHOST", NULL, NULL, 0, 0, NULL },
	{ "a name with its dot", LEAF, "localhost.", NULL, NULL, 0, 0, NULL },
	{ "an address", LEAF, "127.0.0.1", NULL, NULL, 0, 0, NULL },
	{ "an address that is not in it", DIRECT, "127.0.0.1", NULL, NULL, 0, 0,
		"127.0.0.1:|the certificate is not for 127.0.0.1 but for localhost; set `host` to a name it has" },
	{ "a wildcard", WILD, "pop.sub.localhost", NULL, NULL, 0, 0, NULL },
	{ "a wildcard is one label", WILD, "a.pop.sub.localhost", NULL, NULL, 0, 0, "is not for a.pop.sub.localhost but for *.sub.localhost" },
	{ "a wrong name", WRONG, "localhost", NULL, NULL, 0, 0,
		"localhost:| (127.0.0.1): |not for localhost but for pop.example.org, *.example.net, 192.0.2.1, 2001:db8::1;" },
	{ "a wrong name, not looked at", WRONG, "localhost", NULL, NULL, 0, NO_HOST, NULL },
	{ "a NUL in a name", NUL, "localhost", NULL, NULL, 0, 0, "not for localhost but for localhost?.evil.example;" },
	{ "more names than fit", MANY, "localhost", NULL, NULL, 0, 0, "a1.example.org, a2.example.org,| and |more; set `host`" },
	{ "a common name alone", CN_ONLY, "localhost", NULL, NULL, 0, 0, NULL },
	{ "a wrong common name", CN_ONLY, "pop.localhost", NULL, NULL, 0, 0, "not for pop.localhost but for localhost" },
	{ "expired", EXPIRED, "localhost", NULL, NULL, 0, 0, "the server's certificate (old) expired on @-10; the server's owner must renew it" },
	{ "expired above", UNDER_EXPIRED, "localhost", NULL, NULL, 0, 0, "the authority's certificate (Old Intermediate) expired on @-5" },
	{ "not yet", FUTURE, "localhost", NULL, NULL, 0, 0, "the server's certificate (young) is not valid before @10; is the clock" },
	{ "self-signed", SELF, "localhost", NULL, NULL, 0, 0, "the certificate (self) is self-signed and not known here;|tls.ca_certificates or set tls.pin = \"#\"" },
	{ "self-signed, but known", SELF, "localhost", "self", NULL, 0, 0, NULL },
	{ "self-signed, known, wrong name", SELF, "127.0.0.1", "self", NULL, 0, 0, "not for 127.0.0.1 but for localhost" },
	{ "an unknown root", STRANGER, "localhost", NULL, NULL, 0, 0,
		"was not issued by a known authority|Stranger Root|put the authority into tls.ca_certificates, or set tls.pin = \"#\"" },
	{ "unknown to the system", LEAF, "localhost", NULL, NULL, 0, NO_CA, "was not issued by a known authority" },
	{ "an intermediate left out", LONE, "localhost", NULL, NULL, 0, 0, "nothing known signed \"lone\" (issuer \"Intermediate\")" },
	{ "the intermediate is known instead", LONE, "localhost", "inter", NULL, 1, 0, NULL },
	{ "nothing is looked at", STRANGER, "127.0.0.1", NULL, NULL, 0, NO_SERVER | NO_HOST, NULL },
	{ "the name alone", STRANGER, "localhost", NULL, NULL, 0, NO_SERVER, NULL },
	{ "the name alone, wrong", STRANGER, "127.0.0.1", NULL, NULL, 0, NO_SERVER, "not for 127.0.0.1" },
	{ "depth 1, signed directly", DIRECT, "localhost", NULL, NULL, 1, 0, NULL },
	{ "depth 1, one between", LEAF, "localhost", NULL, NULL, 1, 0,
		"the known authority stands 2 certificates above the server's, and tls.verify_depth allows 1" },
	{ "depth 2, one between", LEAF, "localhost", NULL, NULL, 2, 0, NULL },
	{ "not revoked, by a list for the leaf", DIRECT, "localhost", NULL, "crl-root", 0, 0, NULL },
	{ "not revoked, by lists for both", LEAF, "localhost", NULL, "crl-both", 0, 0, NULL },
	{ "no list for the issuer is no harm", LEAF, "localhost", NULL, "crl-inter", 0, 0, NULL },
	{ "no list for the leaf", LEAF, "localhost", NULL, "crl-root", 0, 0, "tls.crl has no revocation list of \"Intermediate\", which issued the certificate of leaf" },
	{ "revoked", DIRECT, "localhost", NULL, "crl-direct", 0, 0, "the server's certificate (direct) was revoked by \"Root\" (tls.crl)" },
	{ "an issuer revoked", LEAF, "localhost", NULL, "crl-above", 0, 0, "the authority's certificate (Intermediate) was revoked by \"Root\"" },
	{ "an expired list", DIRECT, "localhost", NULL, "crl-old", 0, 0, "the revocation list of \"Root\" expired on @-3; fetch a new one for tls.crl" },
	{ "an expired list of an issuer", LEAF, "localhost", NULL, "crl-old-above", 0, 0, "the revocation list of \"Root\" expired on @-3" },
	{ "a forged list", DIRECT, "localhost", NULL, "crl-forged", 0, 0, "the revocation list of \"Root\" in tls.crl is not signed by it" },
	{ "a pin alone", SELF, "127.0.0.1", NULL, NULL, 0, PIN | NO_CA, NULL },
	{ "a pin alone, expired", EXPIRED, "127.0.0.1", NULL, NULL, 0, PIN | NO_CA, NULL },
	{ "a wrong pin", SELF, "localhost", NULL, NULL, 0, WRONG_PIN | NO_CA, "the server's key is not the pinned one: its SHA-256 is #; change tls.pin only if" },
	{ "a wrong pin, nothing else looked at", SELF, "localhost", NULL, NULL, 0, WRONG_PIN | NO_CA | NO_HOST | NO_SERVER, "not the pinned one" },
	{ "a pin and an authority", LEAF, "localhost", NULL, NULL, 0, PIN, NULL },
	{ "a pin and the wrong authority", SELF, "localhost", NULL, NULL, 0, PIN, "self-signed and not known here" },
	{ "a pin, an authority, a wrong name", DIRECT, "127.0.0.1", NULL, NULL, 0, PIN, "not for 127.0.0.1" },
	{ "a wrong pin and the right authority", LEAF, "localhost", NULL, NULL, 0, WRONG_PIN, "not the pinned one" },
};

static void talk(struct server_peer *p, void *user)
{
	if (peer_tls(p, user)) {
		(void)peer_say(p, "+OK\r\n");
		peer_wait_end(p);
	}
}

static const char *path(const char *name, char out[100])
{
	(void)snprintf(out, 100, "%s/%s", folder, name);
	return out;
}

/* A piece of the text that is wanted, with @N for the date of N days from now and # for the pin. */
static bool has_piece(const char *text, const char *piece, size_t len, const char *pin)
{
	char want[400];
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		if (piece[i] == '#') {
			used += (size_t)snprintf(want + used, sizeof want - used, "%s", pin);
		} else if (piece[i] == '@') {
			char *end;
			time_t day = made + strtol(piece + i + 1, &end, 10) * 86400;
			struct tm tm;

			used += strftime(want + used, sizeof want - used, "%Y-%m-%d", gmtime_r(&day, &tm));
			i = (size_t)(end - piece) - 1;
		} else {
			want[used++] = piece[i];
		}
	}
	want[used] = '\0';
	return strstr(text, want) != NULL;
}

static bool has_pieces(const char *text, const char *pieces, const char *pin)
{
	for (;;) {
		size_t len = span_find(span_of(pieces), '|');

		if (!has_piece(text, pieces, len, pin))
			return false;
		if (!pieces[len])
			return true;
		pieces += len + 1;
	}
}

/* Inside closed(): the chain is there if the certificate was not accepted, and only then. */
static void look(struct client *c)
{
	struct conn_offered offered;
	struct certificates chain;
	struct arena a = { 0 };
	const struct row *r = c->user;
	char pin[PKI_PIN_TEXT];
	struct err e;

	if (conn_tls_offered(c->conn, &offered) != (r->error != NULL))
		fail_msg("%s: %s", r->name, r->error ? "nothing was kept" : "something was kept");
	if (!r->error)
		return;
	pki_pin(&all[r->who], pin);
	if (!certificates_read(&a, offered.chain, &chain, &e) || chain.count != (wishes[r->who].shown_too ? 2 : 1)
		|| strcmp(chain.list[0].key_sha256, pin) != 0 || !strstr(c->why.text, offered.reason) || strstr(offered.reason, r->host) == offered.reason)
		fail_msg("%s: %.*s %s", r->name, (int)offered.chain.len, offered.chain.at, offered.reason);
	arena_end(&a);
}

static void run(const struct row *r, struct tls_contexts *contexts)
{
	char ca[100], crl[100], pin[PKI_PIN_TEXT], wrong[PKI_PIN_TEXT];
	SSL_CTX *ctx = pki_server(&all[r->who], wishes[r->who].shown_too);
	struct tls_settings s = {
		.versions = 1u << TLS_1_2 | 1u << TLS_1_3, .verify_server = !(r->flags & NO_SERVER), .verify_host = !(r->flags & NO_HOST),
		.verify_depth = r->depth ? r->depth : 9, .ca_certificates = r->flags & NO_CA ? NULL : path(r->ca ? r->ca : "root", ca),
		.crl = r->crl ? path(r->crl, crl) : NULL,
	};
	struct server server;
	struct client c;
	struct err e;

	assert_int_equal(wishes[r->who].who, r->who);
	pki_pin(&all[r->who], pin);
	pki_pin(&root, wrong);
	s.pin = r->flags & PIN ? pin : r->flags & WRONG_PIN ? wrong : NULL;
	server_start(&server, "127.0.0.1", talk, ctx);
	client_start(&c);
	c.close_at = "+OK\r\n";
	c.on_closed = look;
	c.user = (void *)(uintptr_t)r;
	client_run(&c, &(struct conn_settings){ .host = r->host, .port = server.port, .tls = CONN_TLS_IMPLICIT,
		.tls_client = tls_client_get(contexts, &s, &e), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS });
	if (r->error ? c.why.kind != ERR_TLS || !has_pieces(c.why.text, r->error, pin) || strcmp(c.story, "closed") != 0 || c.technical
		: c.why.kind || strcmp(c.story, "opened turn closed") != 0)
		fail_msg("%s: %s: %s", r->name, c.story, c.why.text);
	client_end(&c);
	server_stop(&server);
	SSL_CTX_free(ctx);
}

static void certificates_are_judged(void **state)
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

static void put_crl(const char *name, X509_CRL *a, X509_CRL *b)
{
	char at[100];

	pki_write(path(name, at), 0644, &(struct pki_file){ .crls = { a, b } });
	X509_CRL_free(a);
	X509_CRL_free(b);
}

static void put_cert(const char *name, const struct pki *p)
{
	char at[100];

	pki_write(path(name, at), 0644, &(struct pki_file){ .certs = { p->cert } });
}

static int set_up(void **state)
{
	struct pki forger;

	(void)state;
	assert_non_null(mkdtemp(folder));
	made = time(NULL);
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&inter, &(struct pki_wish){ .name = "Intermediate", .authority = true, .issuer = &root });
	pki_make(&expired_inter, &(struct pki_wish){ .name = "Old Intermediate", .authority = true, .issuer = &root, .from_days = -20, .to_days = -5 });
	pki_make(&stranger_root, &(struct pki_wish){ .name = "Stranger Root", .authority = true });
	pki_make(&forger, &(struct pki_wish){ .name = "Root", .authority = true });
	for (size_t i = 0; i < WHO; i++)
		pki_make(&all[wishes[i].who], &wishes[i].wish);
	put_cert("root", &root);
	put_cert("inter", &inter);
	put_cert("self", &all[SELF]);
	put_crl("crl-root", pki_crl(&root, NULL, 1), NULL);
	put_crl("crl-inter", pki_crl(&inter, all[DIRECT].cert, 1), NULL);
	put_crl("crl-both", pki_crl(&root, NULL, 1), pki_crl(&inter, NULL, 1));
	put_crl("crl-direct", pki_crl(&root, all[DIRECT].cert, 1), NULL);
	put_crl("crl-above", pki_crl(&root, inter.cert, 1), pki_crl(&inter, NULL, 1));
	put_crl("crl-old", pki_crl(&root, NULL, -3), NULL);
	put_crl("crl-old-above", pki_crl(&root, NULL, -3), pki_crl(&inter, NULL, 1));
	put_crl("crl-forged", pki_crl(&forger, NULL, 1), NULL);
	pki_free(&forger);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "root", "inter", "self", "crl-root", "crl-inter", "crl-both", "crl-direct", "crl-above",
		"crl-old", "crl-old-above", "crl-forged" };
	char at[100];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i], at));
	assert_int_equal(rmdir(folder), 0);
	for (size_t i = 0; i < WHO; i++)
		pki_free(&all[i]);
	pki_free(&root);
	pki_free(&inter);
	pki_free(&expired_inter);
	pki_free(&stranger_root);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_judged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
