/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_server.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls_inside.h"

enum { FILE_MAX = 1 << 20, CERT_LIST_MAX = 32 * 1024, TEXTS = 6, KEY_OTHERS = 007 };

struct tls_server {
	struct tls_server *next;
	struct tls_contexts *all;
	size_t holders;			/* under the contexts' lock */
	struct tls_server_settings settings;	/* its texts are ours */
	uint8_t digest[SHA256_DIGEST_LENGTH];	/* of the files, as they were when they were read */
	SSL_CTX *ctx;
	struct tls_tickets tickets;
};

static void texts_of(struct tls_server_settings *s, const char **texts[TEXTS])
{
	const char **list[TEXTS] = { &s->ciphers, &s->ciphersuites, &s->certificate, &s->key, &s->ca_certificates, &s->alpn };

	memcpy(texts, list, sizeof list);
}

static bool own_texts(struct tls_server_settings *s)
{
	const char **texts[TEXTS];
	bool good = true;

	texts_of(s, texts);
	for (size_t i = 0; i < TEXTS; i++)
		if (*texts[i]) {
			*texts[i] = strdup(*texts[i]);
			good = good && *texts[i];
		}
	return good;
}

static bool same_settings(const struct tls_server_settings *a, const struct tls_server_settings *b)
{
	struct tls_server_settings x = *a, y = *b;
	const char **of_x[TEXTS], **of_y[TEXTS];

	texts_of(&x, of_x);
	texts_of(&y, of_y);
	for (size_t i = 0; i < TEXTS; i++)
		if (!*of_x[i] != !*of_y[i] || (*of_x[i] && strcmp(*of_x[i], *of_y[i]) != 0))
			return false;
	return a->min == b->min && a->max == b->max;
}

/* A file's length, octets, and who else may read it; one that cannot be read is its reader's trouble, later. */
static void digest_file(EVP_MD_CTX *digest, const char *file)
{
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	char piece[16384];
	uint64_t len = 0;
	struct stat st;
	ssize_t n;

	if (fd >= 0 && fstat(fd, &st) == 0)
		(void)EVP_DigestUpdate(digest, &st.st_mode, sizeof st.st_mode);
	while (fd >= 0 && len < FILE_MAX && (n = read(fd, piece, sizeof piece)) > 0) {
		(void)EVP_DigestUpdate(digest, piece, (size_t)n);
		len += (size_t)n;
	}
	(void)EVP_DigestUpdate(digest, &len, sizeof len);
	if (fd >= 0)
		(void)close(fd);
}

static bool digest_files(const struct tls_server_settings *s, uint8_t out[SHA256_DIGEST_LENGTH])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	if (good) {
		digest_file(digest, s->certificate);
		digest_file(digest, s->key);
		digest_file(digest, s->ca_certificates);
		good = EVP_DigestFinal_ex(digest, out, NULL) == 1;
	}
	EVP_MD_CTX_free(digest);
	return good;
}

/* The client's list is lengths and names (RFC 7301).  Who asks for something else
 * was sent here by mistake or on purpose (ALPACA), and is told so. */
static int on_alpn([[maybe_unused]] SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *user)
{
	const struct tls_server *t = user;
	struct span want = span_of(t->settings.alpn), list = { (const char *)in, in_len };

	while (list.len) {
		struct span name = { list.at + 1, (uint8_t)list.at[0] };

		if (name.len >= list.len)
			break;
		if (span_equal(name, want)) {
			*out = (const unsigned char *)name.at;
			*out_len = (unsigned char)name.len;
			return SSL_TLSEXT_ERR_OK;
		}
		list = span_from(list, 1 + name.len);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_versions(SSL_CTX *ctx, const struct tls_server_settings *s, struct err *e)
{
	static const int numbers[] = { 0, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
	int lowest = s->min ? numbers[s->min] : TLS1_2_VERSION;

	if (lowest < TLS1_2_VERSION)
		return err_set(e, ERR_CONFIG, "tls.min: TLSv1 and TLSv1.1 are broken; a server does not offer them");
	if (s->max && numbers[s->max] < lowest)
		return err_set(e, ERR_CONFIG, "tls.max: tls.min and tls.max together leave no version");
	return (SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set_max_proto_version(ctx, numbers[s->max]) == 1)
		|| err_set(e, ERR_CONFIG, "tls.min: this OpenSSL cannot do that version");
}

/* Certificates of clients: asked for, not demanded. */
static bool set_clients(SSL_CTX *ctx, const char *file, struct err *e)
{
	STACK_OF(X509_NAME) *names;

	if (!file)
		return true;
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	if (!tls_load_authorities(ctx, "ca_certificates", file, e))
		return false;
	names = SSL_load_client_CA_file(file);
	if (!names)
		return err_set(e, ERR_CONFIG, "ca_certificates: no certificate that can be used in %s", file);
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	return true;
}

static bool set_up(struct tls_server *t, struct err *e)
{
	static const unsigned char context[] = "postrider";
	const struct tls_server_settings *s = &t->settings;
	struct tls_pair pair = { s->certificate, s->key, "", KEY_OTHERS };

	t->ctx = SSL_CTX_new(TLS_server_method());
	if (!t->ctx || SSL_CTX_set_app_data(t->ctx, t) != 1
		|| SSL_CTX_set_session_id_context(t->ctx, context, sizeof context - 1) != 1
		|| SSL_CTX_set_tlsext_ticket_key_evp_cb(t->ctx, tls_on_ticket) != 1
		|| SSL_CTX_set1_groups_list(t->ctx, "X25519:P-256:P-384") != 1)
		return err_set(e, ERR_LOCAL, "no TLS context: out of memory");
	(void)SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_options(t->ctx, SSL_OP_CLEANSE_PLAINTEXT);
	(void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA
		| SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(t->ctx, TLS_TICKET_LIFE_S);
	(void)SSL_CTX_set_num_tickets(t->ctx, 1);
	if (s->alpn)
		SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, t);
	if (!s->certificate)
		return err_set(e, ERR_CONFIG, "certificate: a server needs one for TLS");
	return set_versions(t->ctx, s, e) && tls_set_ciphers(t->ctx, s->ciphers, s->ciphersuites, e)
		&& tls_load_certificate(t->ctx, &pair, e) && set_clients(t->ctx, s->ca_certificates, e);
}

static void server_free(struct tls_server *t)
{
	const char **texts[TEXTS];

	SSL_CTX_free(t->ctx);
	tls_tickets_end(&t->tickets);
	texts_of(&t->settings, texts);
	for (size_t i = 0; i < TEXTS; i++)
		free((char *)(uintptr_t)*texts[i]);
	free(t);
}

static struct tls_server *server_new(const struct tls_server_settings *s, const uint8_t digest[SHA256_DIGEST_LENGTH], struct err *e)
{
	struct tls_server *t = calloc(1, sizeof *t);

	if (!t) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	t->settings = *s;
	memcpy(t->digest, digest, sizeof t->digest);
	tls_tickets_start(&t->tickets);
	if (!own_texts(&t->settings))
		(void)err_set(e, ERR_LOCAL, "out of memory");
	else if (set_up(t, e))
		return t;
	ERR_clear_error();
	server_free(t);
	return NULL;
}

/* A FIFO would hold up whoever opens it, with all that wait for the lock: at a reload, the service. */
static bool regular(const struct tls_server_settings *s, struct err *e)
{
	const struct { const char *key, *file; } all[] = { { "certificate", s->certificate }, { "key", s->key }, { "ca_certificates", s->ca_certificates } };
	struct stat st;

	for (size_t n = 0; n < COUNT(all); n++)
		if (all[n].file && stat(all[n].file, &st) == 0 && !S_ISREG(st.st_mode))
			return err_set(e, ERR_CONFIG, "%s: %s is no regular file", all[n].key, all[n].file);
	return true;
}

struct tls_server *tls_server_get(struct tls_contexts *all, const struct tls_server_settings *s, struct err *e)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];	/* taken first: a file that changes meanwhile is read again next time */
	struct tls_server *t;

	if (!regular(s, e))
		return NULL;
	if (!digest_files(s, digest)) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	(void)pthread_mutex_lock(&all->lock);
	for (t = all->servers; t; t = t->next)
		if (same_settings(&t->settings, s) && !memcmp(t->digest, digest, sizeof digest))
			break;
	if (!t) {
		t = server_new(s, digest, e);
		if (t) {
			t->all = all;
			t->next = all->servers;
			all->servers = t;
		}
	}
	if (t)
		t->holders++;
	(void)pthread_mutex_unlock(&all->lock);
	return t;
}

struct tls_server *tls_server_keep(struct tls_server *t)
{
	if (t) {
		(void)pthread_mutex_lock(&t->all->lock);
		t->holders++;
		(void)pthread_mutex_unlock(&t->all->lock);
	}
	return t;
}

void tls_server_put(struct tls_server **out)
{
	struct tls_server *t = *out, **at;
	struct tls_contexts *all;
	bool last;

	if (!t)
		return;
	*out = NULL;
	all = t->all;
	(void)pthread_mutex_lock(&all->lock);
	assert(t->holders);
	last = --t->holders == 0;
	if (last) {
		for (at = &all->servers; *at != t; at = &(*at)->next)
			;
		*at = t->next;
	}
	(void)pthread_mutex_unlock(&all->lock);
	if (last)
		server_free(t);
}

struct tls_tickets *tls_server_tickets(struct tls_server *t)
{
	return &t->tickets;
}

SSL *tls_server_start(struct tls_server *t, struct err *e)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl) {
		SSL_set_accept_state(ssl);
	} else {
		(void)err_set(e, ERR_LOCAL, "no TLS session: out of memory");
		ERR_clear_error();
	}
	return ssl;
}
