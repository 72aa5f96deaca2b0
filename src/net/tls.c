/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/address.h"
#include "net/tls_inside.h"

enum { WORD_MAX = 100, LEGACY_LEVEL = 0, KEY_OTHERS = 077 };

static const struct version {
	enum tls_version name;
	int number;
	uint64_t off;
} versions[] = {		/* oldest first */
	{ TLS_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1 },
	{ TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
	{ TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
	{ TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};

struct tls_contexts *tls_contexts_new(struct err *e)
{
	struct tls_contexts *all = calloc(1, sizeof *all);

	if (!all)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	else
		(void)pthread_mutex_init(&all->lock, NULL);
	return all;
}

void tls_contexts_trust(struct tls_contexts *all, struct tls_trust *t)
{
	assert(!all->clients);
	all->trust = t;
}

/* Our own copy of a borrowed text; NULL stays NULL. */
static bool own(const char **text)
{
	if (*text)
		*text = strdup(*text);
	return *text != NULL;
}

static bool own_texts(struct tls_settings *s)
{
	const char **texts[] = { &s->ciphers, &s->ciphersuites, &s->certificate, &s->key, &s->ca_certificates, &s->crl, &s->pin };
	bool good = true;

	for (size_t i = 0; i < COUNT(texts); i++) {
		bool set = *texts[i] != NULL;

		good = own(texts[i]) == set && good;
	}
	return good;
}

static void client_free(struct tls_client *t)
{
	const char *texts[] = { t->settings.ciphers, t->settings.ciphersuites, t->settings.certificate, t->settings.key,
		t->settings.ca_certificates, t->settings.crl, t->settings.pin };

	tls_sessions_end(&t->sessions);
	tls_shared_end(&t->shared);
	sk_X509_CRL_pop_free(t->crls, X509_CRL_free);
	SSL_CTX_free(t->ctx);
	for (size_t i = 0; i < COUNT(texts); i++)
		free((char *)(uintptr_t)texts[i]);
	free(t);
}

struct tls_client *tls_client_keep(struct tls_client *t)
{
	if (t)
		t->held++;
	return t;
}

void tls_client_put(struct tls_client **out)
{
	struct tls_client *t = *out;

	*out = NULL;
	if (!t)
		return;
	assert(t->held);
	if (!--t->held)
		client_free(t);
}

void tls_contexts_free(struct tls_contexts **out)
{
	struct tls_contexts *all = *out;

	if (!all)
		return;
	assert(!all->servers);	/* who got one puts it first */
	while (all->clients) {
		struct tls_client *t = all->clients;

		all->clients = t->next;
		tls_client_put(&t);
	}
	(void)pthread_mutex_destroy(&all->lock);
	free(all);
	*out = NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_settings(const struct tls_settings *a, const struct tls_settings *b)
{
	return a->legacy == b->legacy && a->versions == b->versions && same_text(a->ciphers, b->ciphers)
		&& same_text(a->ciphersuites, b->ciphersuites) && same_text(a->certificate, b->certificate)
		&& same_text(a->key, b->key) && same_text(a->ca_certificates, b->ca_certificates) && same_text(a->crl, b->crl)
		&& a->verify_server == b->verify_server && a->verify_host == b->verify_host
		&& a->verify_depth == b->verify_depth && same_text(a->pin, b->pin);
}

/* Lowest to highest that are allowed, and those between that are not switched off. */
static bool set_versions(SSL_CTX *ctx, const struct tls_settings *s, struct err *e)
{
	int lowest = 0, highest = 0;

	if (!s->legacy && (s->versions & (1u << TLS_1_0 | 1u << TLS_1_1)))
		return err_set(e, ERR_CONFIG, "tls.protocols: TLSv1 and TLSv1.1 are broken; only tls.legacy = true allows them");
	for (const struct version *v = versions; v < versions + COUNT(versions); v++) {
		if (!(s->versions & 1u << v->name)) {
			(void)SSL_CTX_set_options(ctx, v->off);
			continue;
		}
		highest = v->number;
		lowest = lowest ? lowest : v->number;
	}
	if (!lowest)
		return err_set(e, ERR_CONFIG, "tls.protocols, tls.min and tls.max together leave no version");
	if (s->legacy) {	/* SHA-1 signatures, small keys, servers from before RFC 5746 */
		SSL_CTX_set_security_level(ctx, LEGACY_LEVEL);
		(void)SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	}
	return (SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set_max_proto_version(ctx, highest) == 1)
		|| err_set(e, ERR_CONFIG, "tls.protocols: this OpenSSL cannot do those versions");
}

static bool has_suite(SSL_CTX *ctx, struct span name)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
		if (span_equal(span_of(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i))), name))
			return true;
	return false;
}

/* OpenSSL passes over suites that it does not know: a typing error would be silent. */
static bool set_suites(SSL_CTX *ctx, const char *list, struct err *e)
{
	struct span rest = span_of(list);

	if (SSL_CTX_set_ciphersuites(ctx, list) != 1)
		return err_set(e, ERR_CONFIG, "tls.ciphersuites: \"%s\" is not a list of TLSv1.3 suites separated by colons", list);
	do {
		size_t len = span_find(rest, ':');

		if (!has_suite(ctx, (struct span){ rest.at, len }))
			return err_set(e, ERR_CONFIG, "tls.ciphersuites: \"%.*s\" is not a TLSv1.3 suite that OpenSSL knows",
				(int)(len < WORD_MAX ? len : WORD_MAX), rest.at);
		rest = span_from(rest, len + 1);
	} while (rest.len);
	return true;
}

bool tls_set_ciphers(SSL_CTX *ctx, const char *ciphers, const char *ciphersuites, struct err *e)
{
	if (ciphers && SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return err_set(e, ERR_CONFIG, "tls.ciphers: OpenSSL knows no cipher of \"%s\"", ciphers);
	return !ciphersuites || set_suites(ctx, ciphersuites, e);
}

static bool set_trust(struct tls_client *t, struct err *e)
{
	const struct tls_settings *s = &t->settings;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->ctx);

	if (!s->verify_depth)
		return err_set(e, ERR_CONFIG, "tls.verify_depth: 0 would accept no certificate; 1 = signed directly by a known authority");
	if (s->pin && !tls_pin_parse(s->pin, t->pin))
		return err_set(e, ERR_CONFIG, "tls.pin: not a SHA-256: 64 hexadecimal digits, colons allowed");
	t->pinned = s->pin != NULL;
	/* The system's are some hundred certificates: read only if somebody will look at them. */
	if (!s->ca_certificates && !s->pin && s->verify_server && SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		return err_set(e, ERR_LOCAL, "the system's certificate authorities cannot be read");
	if (s->ca_certificates) {
		/* What the user lists is known, be it a root or not. */
		(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		if (!tls_load_authorities(t->ctx, "tls.ca_certificates", s->ca_certificates, e))
			return false;
	}
	if (s->crl) {
		(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
		if (!tls_load_crls(t->ctx, s->crl, &t->crls, e))
			return false;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(t->ctx, tls_verify, NULL);
	return true;
}

/* A session, or a newer ticket, to resume with: ours from now on. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_peer *p = SSL_get_app_data(ssl);

	tls_sessions_put(&p->client->sessions, p->host, p->port, session, p->generation, &p->basis, p->judged);
	return 1;
}

static bool set_up(struct tls_client *t, struct err *e)
{
	const struct tls_settings *s = &t->settings;
	struct tls_pair pair = { s->certificate, s->key, "tls.", KEY_OTHERS };

	t->ctx = SSL_CTX_new(TLS_client_method());
	if (!t->ctx)
		return err_set(e, ERR_LOCAL, "no TLS context: out of memory");
	/* An idle connection holds no buffers; nobody renegotiates with us. */
	(void)SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_options(t->ctx, SSL_OP_CLEANSE_PLAINTEXT);
	(void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, on_session);
	return set_versions(t->ctx, s, e) && tls_set_ciphers(t->ctx, s->ciphers, s->ciphersuites, e) && set_trust(t, e)
		&& ((!s->certificate && !s->key) || tls_load_certificate(t->ctx, &pair, e));
}

static struct tls_client *client_new(const struct tls_settings *s, struct err *e)
{
	struct tls_client *t = calloc(1, sizeof *t);

	if (!t) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	t->settings = *s;
	t->held = 1;
	tls_sessions_start(&t->sessions);
	tls_shared_start(&t->shared);
	if (!own_texts(&t->settings))
		(void)err_set(e, ERR_LOCAL, "out of memory");
	else if (set_up(t, e))
		return t;
	ERR_clear_error();
	client_free(t);
	return NULL;
}

struct tls_client *tls_client_get(struct tls_contexts *all, const struct tls_settings *s, struct err *e)
{
	struct tls_client *t;

	(void)pthread_mutex_lock(&all->lock);
	for (t = all->clients; t; t = t->next)
		if (same_settings(&t->settings, s))
			break;
	if (!t) {
		t = client_new(s, e);
		if (t) {
			t->trust = all->trust;
			t->next = all->clients;
			all->clients = t;
		}
	}
	(void)pthread_mutex_unlock(&all->lock);
	return t;
}

SSL *tls_peer_start(struct tls_peer *p, struct err *e)
{
	SSL *ssl = SSL_new(p->client->ctx);
	SSL_SESSION *session;

	assert(!p->verdict->kind);
	/* Server Name Indication is for names only (RFC 6066 3). */
	if (!ssl || SSL_set_app_data(ssl, p) != 1
		|| (!address_literal(p->host) && SSL_set_tlsext_host_name(ssl, p->host) != 1)) {
		(void)err_set(e, ERR_LOCAL, "no TLS session: out of memory");
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	p->generation = tls_trust_generation(p->client->trust);
	session = tls_sessions_get(&p->client->sessions, p->host, p->port, p->generation, clock_now_s(), &p->basis, &p->judged);
	if (session) {
		(void)SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
	SSL_set_connect_state(ssl);
	return ssl;
}
