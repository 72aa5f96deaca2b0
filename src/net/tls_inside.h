/* SPDX-License-Identifier: Apache-2.0
 *
 * What TLS is made of in this room: contexts (tls.c), their files
 * (tls_files.c), what we demand of a certificate (tls_verify.c), what people
 * accepted beyond that (tls_trust.c, tls_accepted.c), what was
 * offered when it fell short (tls_offered.c), sessions kept for resumption
 * (tls_session.c), certificates that several of them hold (tls_shared.c) and what a broken handshake means to a person
 * (tls_explain.c).  The server's side: tls_server.c, its tickets (tls_ticket.c)
 * and what a client's broken handshake means (tls_explain_client.c).  conn_tls.c is
 * the user of all of it.
 *
 * A tls_peer is one connection's side: tls_peer_start makes its SSL, which
 * points back to the peer, so that is kept where it is until SSL_free.  The
 * verdict on the server's certificate is left in peer->verdict (kind ERR_NONE:
 * nothing wrong, or not judged yet). */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/tls.h"
#include "net/tls_trust.h"

enum { TLS_PIN = 32, TLS_HOSTS = 64, TLS_HOSTS_EACH = 16, TLS_TICKET_KEYS = 2, TLS_SHARED = 64, TLS_SHARED_EACH = 8, TLS_RESUMES_S = 24 * 3600 };

struct tls_server;

struct tls_contexts {
	pthread_mutex_t lock;
	struct tls_client *clients;
	struct tls_server *servers;
	struct tls_trust *trust;	/* borrowed; NULL: nobody accepted anything */
};

struct tls_basis {		/* why a server's certificate counts; no padding: compared as octets */
	uint8_t kind;			/* enum tls_trust_kind; 0: the settings accept it */
	uint8_t sha256[TLS_PIN];	/* of the certificate that a person accepted */
};

struct tls_accepted {		/* in a set */
	char *host;			/* NULL: every server */
	uint16_t port;
	X509 *cert;
	uint8_t key[TLS_PIN];		/* its digest */
	struct tls_basis basis;
};

struct tls_saved;

struct tls_sessions {		/* by host and port; thread-safe */
	pthread_mutex_t lock;
	struct tls_saved *saved[TLS_HOSTS];
};

struct tls_same {
	X509 *cert;			/* NULL: none, and none behind it */
	uint8_t digest[TLS_PIN];	/* SHA-256 of the whole certificate */
};

struct tls_shared {			/* certificates by digest, in each row those last used first; thread-safe */
	pthread_mutex_t lock;
	struct tls_same rows[TLS_SHARED][TLS_SHARED_EACH];
};

struct tls_client {
	struct tls_client *next;
	atomic_uint held;		/* by its contexts, and by connections */
	struct tls_settings settings;	/* its texts are ours */
	SSL_CTX *ctx;
	bool pinned;
	uint8_t pin[TLS_PIN];
	STACK_OF(X509_CRL) *crls;	/* NULL = revocation is not looked at */
	struct tls_trust *trust;	/* borrowed; NULL: none */
	struct tls_sessions sessions;
	struct tls_shared shared;
};

struct tls_peer {
	struct tls_client *client;
	const char *host;		/* in ASCII; borrowed */
	uint16_t port;
	struct err *verdict;		/* borrowed */
	struct tls_offered **offered;	/* borrowed, NULL: not wanted; set once, when the verdict is a bad one */
	uint64_t generation;		/* of the trust by which it was judged */
	struct tls_basis basis;
	int64_t judged;			/* when the certificate was; a session that is resumed has that from the one before it */
};

/* What the server offered whose certificate was not accepted; from the heap. */
struct tls_offered {
	char reason[sizeof(((struct err *)0)->text)];	/* the verdict, without host and port */
	size_t len;
	char chain[];			/* PEM, the server's own certificate first */
};

struct tls_pair {			/* a certificate's chain and its key, as files */
	const char *certificate, *key;	/* NULL: in the certificate's file */
	const char *section;		/* in front of the names of these keys: "tls." or "" */
	mode_t others;			/* permission bits that the key's file must not have */
};

struct tls_ticket_key {
	uint8_t name[16], aes[32], hmac[32];
};

struct tls_tickets {			/* thread-safe */
	pthread_mutex_t lock;
	struct tls_ticket_key keys[TLS_TICKET_KEYS];	/* the newest first */
	uint64_t made_ms;
	EVP_CIPHER *cipher;		/* NULL: memory was out, and no ticket is made or taken */
};

/* tls.c */
[[nodiscard]] SSL *tls_peer_start(struct tls_peer *p, struct err *e);
[[nodiscard]] bool tls_set_ciphers(SSL_CTX *ctx, const char *ciphers, const char *ciphersuites, struct err *e);

/* tls_server.c */
[[nodiscard]] SSL *tls_server_start(struct tls_server *t, struct err *e);
struct tls_tickets *tls_server_tickets(struct tls_server *t);

/* tls_ticket.c */
void tls_tickets_start(struct tls_tickets *t);
void tls_tickets_end(struct tls_tickets *t);
void tls_tickets_rotate(struct tls_tickets *t);	/* before it is due, for tests */
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal);

/* tls_explain_client.c: as tls_explain, for a server */
void tls_explain_client(const SSL *ssl, struct err *e);

/* tls_files.c: errors are ERR_CONFIG and name key and file */
[[nodiscard]] bool tls_load_authorities(SSL_CTX *ctx, const char *key, const char *file, struct err *e);
[[nodiscard]] bool tls_load_crls(SSL_CTX *ctx, const char *file, STACK_OF(X509_CRL) **crls, struct err *e);
[[nodiscard]] bool tls_load_certificate(SSL_CTX *ctx, const struct tls_pair *pair, struct err *e);

/* tls_verify.c: OpenSSL's cert_verify_callback; 1 = we accept the certificate */
int tls_verify(X509_STORE_CTX *with, void *unused);
[[nodiscard]] bool tls_check_chain(const struct tls_client *t, X509_STORE_CTX *with, X509 *leaf, struct err *e);
/* By a list of tls.crl, though nobody known signed it (then OpenSSL does not look); *e says so. */
[[nodiscard]] bool tls_revoked(const struct tls_peer *p, X509_STORE_CTX *with, X509 *leaf, struct err *e);
[[nodiscard]] bool tls_check_name(X509 *x, const char *host, struct err *e);
void tls_certificate_text(X509 *x, char *out, size_t size);	/* see conn_tls_certificate */
[[nodiscard]] bool tls_pin_parse(const char *text, uint8_t pin[TLS_PIN]);
/* What tls.pin holds against it: SHA-256 of the SubjectPublicKeyInfo. */
[[nodiscard]] bool tls_key_digest(X509 *x, uint8_t digest[TLS_PIN]);

/* tls_trust.c: what holds now, held until tls_trust_set_free (NULL: nothing), and how often it has changed; the
 * next in it that is for this peer. */
uint64_t tls_trust_generation(struct tls_trust *t);
struct tls_trust_set *tls_trust_take(struct tls_trust *t, uint64_t *generation);
const struct tls_accepted *tls_trust_next(const struct tls_trust_set *set, const struct tls_peer *p, const struct tls_accepted *after);

/* tls_accepted.c: `e` says why the settings refuse it, and is made more precise.  True: the peer's basis is set. */
[[nodiscard]] bool tls_accepted(struct tls_peer *p, X509_STORE_CTX *with, struct err *e);
bool tls_peer_trusted(const struct tls_peer *p);	/* still */

/* tls_offered.c: NULL: nothing was offered, or memory is out */
struct tls_offered *tls_offered_new(X509_STORE_CTX *with, const char *reason);

/* tls_session.c: each with the trust by which its server was judged; those of another generation are not given out, nor those whose certificate was last seen
 * TLS_RESUMES_S ago */
void tls_sessions_start(struct tls_sessions *s);
void tls_sessions_end(struct tls_sessions *s);
void tls_sessions_put(struct tls_sessions *s, const char *host, uint16_t port, SSL_SESSION *session,
	uint64_t generation, const struct tls_basis *basis, int64_t judged);	/* takes it */
SSL_SESSION *tls_sessions_get(struct tls_sessions *s, const char *host, uint16_t port, uint64_t generation, int64_t now,
	struct tls_basis *basis, int64_t *judged);	/* the caller's; NULL = none */
void tls_sessions_drop(struct tls_sessions *s, const char *host, uint16_t port);

/* tls_shared.c: equal certificates of several connections are one, those of chains that were accepted */
void tls_shared_start(struct tls_shared *s);
void tls_shared_end(struct tls_shared *s);
X509 *tls_shared_find(struct tls_shared *s, X509 *x);	/* the caller's; NULL = none is the same */
void tls_shared_keep(struct tls_shared *s, X509 *x);
void tls_shared_swap(struct tls_shared *s, X509_STORE_CTX *with);	/* in the chain to be judged */
void tls_shared_keep_all(struct tls_shared *s, X509_STORE_CTX *with);	/* it was accepted */

/* tls_explain.c: why SSL_do_handshake or SSL_read failed, out of OpenSSL's error
 * queue.  *technical: of the kind that tls.required = false forgives. */
void tls_explain(const struct tls_peer *p, const SSL *ssl, bool *technical, struct err *e);
