/* SPDX-License-Identifier: Apache-2.0
 *
 * Each row is a handshake with a server that the settings do not accept, after a person
 * accepted something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn_inside.h"
#include "net/test_client.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000 };

enum who { NOBODY, LEAF, OTHER, WRONG, OLD, SELF, DEEP, INTER, OLD_INTER, ROOT, KNOWN, WHO };

static char folder[] = "/tmp/tls_accepted_test.XXXXXX";
static struct pki all[WHO];

static const struct { enum who issuer, shown_too; struct pki_wish wish; } wishes[WHO] = {
	[KNOWN] = { NOBODY, NOBODY, { .name = "Known Root", .authority = true } },
	[ROOT] = { NOBODY, NOBODY, { .name = "Strange Root", .authority = true } },
	[INTER] = { ROOT, NOBODY, { .name = "Strange Intermediate", .authority = true } },
	[OLD_INTER] = { ROOT, NOBODY, { .name = "Old Intermediate", .authority = true, .from_days = -20, .to_days = -5 } },
	[LEAF] = { INTER, INTER, { .name = "leaf", .names = "DNS:localhost" } },
	[OTHER] = { INTER, INTER, { .name = "other", .names = "DNS:localhost" } },
	[WRONG] = { INTER, INTER, { .name = "wrong", .names = "DNS:pop.example.org" } },
	[OLD] = { INTER, INTER, { .name = "old", .names = "DNS:localhost", .from_days = -20, .to_days = -5 } },
	[SELF] = { NOBODY, NOBODY, { .name = "self", .names = "DNS:pop.example.org", .from_days = -20, .to_days = -5 } },
	[DEEP] = { OLD_INTER, OLD_INTER, { .name = "deep", .names = "DNS:localhost" } },
};

enum flags { ELSEWHERE = 1, FOR_ALL = 2, NO_CA = 4, PIN = 8, CRL = 16, NO_HOST = 32, NO_SERVER = 64, DEPTH_1 = 128, CRL_OTHER = 256,
	ROOT_KNOWN = 512 };
#define KEY TLS_TRUST_KEY
#define AUTHORITY TLS_TRUST_AUTHORITY
#define ANOTHER "this is another certificate than the one that was accepted for this server: "

static const struct row {
	const char *name;
	enum who who;			/* the server's */
	enum tls_trust_kind kind;
	enum who accepted;
	int flags;
	const char *error;		/* NULL: it is good */
} rows[] = {
	{ "nothing", LEAF, KEY, NOBODY, 0, "not issued by a known authority" },
	{ "its key", LEAF, KEY, LEAF, 0, NULL },
	{ "its key, at another port", LEAF, KEY, LEAF, ELSEWHERE, "): the certificate was not issued by a known authority" },
	{ "its key, with the wrong name", WRONG, KEY, WRONG, 0, NULL },
	{ "its key, and it has expired", OLD, KEY, OLD, 0, NULL },
	{ "its key, self-signed, expired and for another", SELF, KEY, SELF, 0, NULL },
	{ "its key, where the name alone is looked at", WRONG, KEY, WRONG, NO_SERVER, NULL },
	{ "the key of another of the same authority", LEAF, KEY, OTHER, 0, ANOTHER "the certificate was not issued by a known authority" },
	{ "the authority as a key", LEAF, KEY, INTER, 0, ANOTHER },
	{ "its key, but the settings have a pin", LEAF, KEY, LEAF, PIN | NO_CA, "not the pinned one" },
	{ "its key, but a pin beside an authority", LEAF, KEY, LEAF, PIN, "not the pinned one" },
	{ "its authority", LEAF, AUTHORITY, INTER, 0, NULL },
	{ "its root", LEAF, AUTHORITY, ROOT, 0, NULL },
	{ "its authority, at another port", LEAF, AUTHORITY, INTER, ELSEWHERE, "): the certificate was not issued by a known authority" },
	{ "another of the same authority", OTHER, AUTHORITY, INTER, 0, NULL },
	{ "its authority, with the wrong name", WRONG, AUTHORITY, INTER, 0, "): the certificate is not for localhost but for pop.example.org" },
	{ "its authority, a name that is not looked at", WRONG, AUTHORITY, INTER, NO_HOST, NULL },
	{ "its authority, where the name alone is looked at", WRONG, AUTHORITY, INTER, NO_SERVER, "not for localhost" },
	{ "its authority, and it has expired", OLD, AUTHORITY, INTER, 0, "): the server's certificate (old) expired on" },
	{ "an authority that has expired", DEEP, AUTHORITY, OLD_INTER, 0, "the authority's certificate (Old Intermediate) expired on" },
	{ "another authority", LEAF, AUTHORITY, OLD_INTER, 0, ANOTHER },
	{ "its authority, revoked by it", LEAF, AUTHORITY, INTER, CRL, "the server's certificate (leaf) was revoked by" },
	{ "its authority, and a list that has others", LEAF, AUTHORITY, INTER, CRL_OTHER, NULL },
	{ "its key, but the settings know it as revoked", LEAF, KEY, LEAF, CRL | ROOT_KNOWN, "): the server's certificate (leaf) was revoked by" },
	{ "its key, revoked by whom the settings do not know", LEAF, KEY, LEAF, CRL, "): the server's certificate (leaf) was revoked by \"Strange Intermediate\"" },
	{ "its key, and a list that has others", LEAF, KEY, LEAF, CRL_OTHER, NULL },
	{ "its authority, but the settings know it as revoked", LEAF, AUTHORITY, INTER, CRL | ROOT_KNOWN, "): the server's certificate (leaf) was revoked by" },
	{ "its authority, too far above", LEAF, AUTHORITY, ROOT, DEPTH_1, "stands 2 certificates above" },
	{ "its authority, directly above", LEAF, AUTHORITY, INTER, DEPTH_1, NULL },
	{ "its root for all", LEAF, AUTHORITY, ROOT, FOR_ALL | NO_CA, NULL },
	{ "its intermediate for all", LEAF, AUTHORITY, INTER, FOR_ALL | NO_CA, NULL },
	{ "its root for all, where the settings name theirs", LEAF, AUTHORITY, ROOT, FOR_ALL, "): the certificate was not issued by a known authority" },
	{ "for all, with the wrong name", WRONG, AUTHORITY, ROOT, FOR_ALL | NO_CA, "): the certificate is not for localhost" },
	{ "another authority for all", LEAF, AUTHORITY, KNOWN, FOR_ALL | NO_CA, "): the certificate was not issued by a known authority" },
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

static void accept_one(struct tls_trust *t, enum tls_trust_kind kind, const char *host, uint16_t port, enum who who)
{
	struct tls_trust_set *set = tls_trust_set_new();
	struct tls_trusted one = { kind, host, port, { 0 } };
	BIO *b = BIO_new(BIO_s_mem());
	char *at;

	if (who != NOBODY) {
		assert_int_equal(PEM_write_bio_X509(b, all[who].cert), 1);
		one.pem.len = (size_t)BIO_get_mem_data(b, &at);
		one.pem.at = at;
		assert_true(tls_trust_add(set, &one));
	}
	(void)BIO_free(b);
	tls_trust_put(t, &set);
}

struct world {
	struct tls_trust *trust;
	struct tls_contexts *contexts;
	SSL_CTX *ctx;
	struct server server;
};

static void world_start(struct world *w, enum who who)
{
	enum who too = wishes[who].shown_too;
	struct err e;

	w->trust = tls_trust_new(&e);
	w->contexts = tls_contexts_new(&e);
	assert_true(w->trust && w->contexts);
	tls_contexts_trust(w->contexts, w->trust);
	w->ctx = pki_server(&all[who], too == NOBODY ? NULL : &all[too]);
	server_start(&w->server, "127.0.0.1", talk, w->ctx);
}

static void world_end(struct world *w)
{
	server_stop(&w->server);
	SSL_CTX_free(w->ctx);
	tls_contexts_free(&w->contexts);
	tls_trust_free(&w->trust);
}

static void visit(struct world *w, struct client *c, const struct tls_settings *s)
{
	struct err e;

	client_start(c);
	c->close_at = "+OK\r\n";
	client_run(c, &(struct conn_settings){ .host = "localhost", .port = w->server.port, .tls = CONN_TLS_IMPLICIT,
		.tls_client = tls_client_get(w->contexts, s, &e), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS });
}

static void run(const struct row *r)
{
	char ca[100], crl[100], pin[PKI_PIN_TEXT];
	struct tls_settings s = {
		.versions = 1u << TLS_1_2 | 1u << TLS_1_3, .verify_server = !(r->flags & NO_SERVER), .verify_host = !(r->flags & NO_HOST),
		.verify_depth = r->flags & DEPTH_1 ? 1 : 9, .ca_certificates = r->flags & NO_CA ? NULL : path(r->flags & ROOT_KNOWN ? "root" : "known", ca),
		.crl = r->flags & CRL ? path("crl-leaf", crl) : r->flags & CRL_OTHER ? path("crl-other", crl) : NULL,
	};
	struct world w;
	struct client c;

	pki_pin(&all[ROOT], pin);
	s.pin = r->flags & PIN ? pin : NULL;
	world_start(&w, r->who);
	accept_one(w.trust, r->kind, r->flags & FOR_ALL ? NULL : "localhost", (uint16_t)(w.server.port + (r->flags & ELSEWHERE ? 1 : 0)), r->accepted);
	visit(&w, &c, &s);
	if (r->error ? c.why.kind != ERR_TLS || !strstr(c.why.text, r->error) || strcmp(c.story, "closed") != 0
		: c.why.kind || strcmp(c.story, "opened turn closed") != 0)
		fail_msg("%s: %s: %s", r->name, c.story, c.why.text);
	client_end(&c);
	world_end(&w);
}

static void what_was_accepted_counts_there(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		run(r);
}

struct watched {
	struct tls_trust *trust;
	uint16_t port;
	bool resumed, before, after, other;
};

/* While the connection is there, trust changes under it. */
static size_t watch(struct client *c, struct span in)
{
	struct watched *w = c->user;

	w->resumed = conn_tls_resumed(c->conn);
	w->before = conn_tls_trusted(c->conn);
	if (w->trust) {
		accept_one(w->trust, KEY, "localhost", w->port, LEAF);
		w->other = conn_tls_trusted(c->conn);
		accept_one(w->trust, KEY, "localhost", w->port, NOBODY);
	}
	w->after = conn_tls_trusted(c->conn);
	conn_close(c->conn);
	return in.len;
}

static void visit_watched(struct world *w, struct watched *seen, const struct tls_settings *s, struct err *why)
{
	struct client c;
	struct err e;

	client_start(&c);
	c.on_turn = watch;
	c.user = seen;
	client_run(&c, &(struct conn_settings){ .host = "localhost", .port = w->server.port, .tls = CONN_TLS_IMPLICIT,
		.tls_client = tls_client_get(w->contexts, s, &e), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS });
	*why = c.why;
	client_end(&c);
}

/* Resumed while it is accepted; after that the very next handshake is judged, and connections know it. */
static void what_is_taken_back_ends_at_once(void **state)
{
	static const unsigned versions[] = { 1u << TLS_1_2, 1u << TLS_1_3 };
	char ca[100];

	(void)state;
	for (size_t n = 0; n < COUNT(versions) * 2; n++) {
		struct tls_settings s = { .versions = versions[n / 2], .verify_server = true, .verify_host = true, .verify_depth = 9,
			.ca_certificates = path("known", ca) };
		bool key = n % 2;
		struct watched seen = { 0 };
		struct world w;
		struct err why;

		world_start(&w, LEAF);
		accept_one(w.trust, key ? KEY : AUTHORITY, "localhost", w.server.port, key ? LEAF : INTER);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && !seen.resumed && seen.before && seen.after);
		seen = (struct watched){ .trust = w.trust, .port = w.server.port };
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && seen.resumed && seen.before && !seen.after);
		assert_int_equal(seen.other, key);	/* accepted as something else is not what it went by */
		seen = (struct watched){ 0 };
		visit_watched(&w, &seen, &s, &why);
		assert_int_equal(why.kind, ERR_TLS);
		accept_one(w.trust, key ? KEY : AUTHORITY, "localhost", w.server.port, key ? LEAF : INTER);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && !seen.resumed);
		world_end(&w);
	}
}

struct meanwhile {
	SSL_CTX *ctx;
	struct tls_trust *trust;
	atomic_bool revokes;
};

/* Trust goes when the client has begun its handshake, with a session that it may resume. */
static void talk_meanwhile(struct server_peer *p, void *user)
{
	struct meanwhile *m = user;
	char first;

	if (recv(p->fd, &first, 1, MSG_PEEK) == 1 && m->revokes)
		accept_one(m->trust, KEY, "localhost", 1, NOBODY);
	talk(p, m->ctx);
}

/* No certificate comes with a resumed session that could be judged. */
static void what_is_taken_back_meanwhile(void **state)
{
	static const unsigned versions[] = { 1u << TLS_1_2, 1u << TLS_1_3 };
	char ca[100];

	(void)state;
	for (size_t n = 0; n < COUNT(versions); n++) {
		struct tls_settings s = { .versions = versions[n], .verify_server = true, .verify_host = true, .verify_depth = 9,
			.ca_certificates = path("known", ca) };
		struct watched seen = { 0 };
		struct meanwhile m;
		struct world w;
		struct err why;

		world_start(&w, LEAF);
		server_stop(&w.server);
		m = (struct meanwhile){ .ctx = w.ctx, .trust = w.trust };
		server_start(&w.server, "127.0.0.1", talk_meanwhile, &m);
		accept_one(w.trust, KEY, "localhost", w.server.port, LEAF);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && !seen.resumed);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && seen.resumed);
		m.revokes = true;
		seen = (struct watched){ 0 };
		visit_watched(&w, &seen, &s, &why);
		assert_int_equal(why.kind, ERR_TLS);
		assert_non_null(strstr(why.text, "taken back"));
		assert_false(seen.resumed);		/* nothing was said on it */
		world_end(&w);
	}
}

/* The ticket that came with a resumed session is as old as the certificate that was looked at. */
static void resuming_makes_nothing_younger(void **state)
{
	static const unsigned versions[] = { 1u << TLS_1_2, 1u << TLS_1_3 };
	char ca[100];

	(void)state;
	for (size_t n = 0; n < COUNT(versions); n++) {
		struct tls_settings s = { .versions = versions[n], .verify_server = true, .verify_host = true, .verify_depth = 9, .ca_certificates = path("root", ca) };
		struct watched seen = { 0 };
		struct tls_sessions *kept;
		struct tls_basis basis;
		int64_t judged, now;
		SSL_SESSION *one;
		struct world w;
		struct err why;

		world_start(&w, LEAF);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && !seen.resumed);
		kept = &tls_client_get(w.contexts, &s, &why)->sessions;
		now = clock_now_s();
		one = tls_sessions_get(kept, "localhost", w.server.port, 0, now, &basis, &judged);
		assert_non_null(one);
		tls_sessions_put(kept, "localhost", w.server.port, one, 0, &basis, now - TLS_RESUMES_S / 2);
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && seen.resumed);
		assert_null(tls_sessions_get(kept, "localhost", w.server.port, 0, now + TLS_RESUMES_S / 2, &basis, &judged));
		visit_watched(&w, &seen, &s, &why);
		assert_true(!why.kind && !seen.resumed);
		world_end(&w);
	}
}

/* What the settings accept by themselves is nobody's to take back. */
static void what_the_settings_accept_stays(void **state)
{
	char ca[100];
	struct tls_settings s = { .versions = 1u << TLS_1_3, .verify_server = true, .verify_host = true, .verify_depth = 9, .ca_certificates = path("root", ca) };
	struct watched seen = { 0 };
	struct world w;
	struct err why;

	(void)state;
	world_start(&w, LEAF);
	seen.trust = w.trust;
	seen.port = w.server.port;
	accept_one(w.trust, KEY, "localhost", w.server.port, LEAF);
	visit_watched(&w, &seen, &s, &why);
	assert_true(!why.kind && seen.before && seen.after);
	world_end(&w);
}

static void put_file(const char *name, X509_CRL *crl, const struct pki *p)
{
	char at[100];

	pki_write(path(name, at), 0644, &(struct pki_file){ .certs = { p ? p->cert : NULL }, .crls = { crl } });
	X509_CRL_free(crl);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = WHO; i-- > 1;) {
		struct pki_wish wish = wishes[i].wish;

		wish.issuer = wishes[i].issuer == NOBODY ? NULL : &all[wishes[i].issuer];
		pki_make(&all[i], &wish);
	}
	put_file("known", NULL, &all[KNOWN]);
	put_file("root", NULL, &all[ROOT]);
	put_file("crl-leaf", pki_crl(&all[INTER], all[LEAF].cert, 1), NULL);
	put_file("crl-other", pki_crl(&all[INTER], all[OTHER].cert, 1), NULL);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "known", "root", "crl-leaf", "crl-other" };
	char at[100];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i], at));
	assert_int_equal(rmdir(folder), 0);
	for (size_t i = 1; i < WHO; i++)
		pki_free(&all[i]);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_accepted_counts_there),
		cmocka_unit_test(what_is_taken_back_ends_at_once),
		cmocka_unit_test(what_is_taken_back_meanwhile),
		cmocka_unit_test(resuming_makes_nothing_younger),
		cmocka_unit_test(what_the_settings_accept_stays),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
