/* SPDX-License-Identifier: Apache-2.0
 *
 * Session tickets (RFC 5077, RFC 8446): a session's state, sealed by us and kept
 * by the client.  Whoever has a key can open all that was sealed with it, so keys
 * are made in memory, used for a while, kept for as long again, and wiped. */
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/tls_inside.h"
#include "net/tls_server.h"

enum { IV = 16, FRESH = 1, STALE = 2, UNKNOWN = 0, FAILED = -1 };	/* OpenSSL's numbers */

static void make_key(struct tls_ticket_key *k)
{
	random_fill(k, sizeof *k);
}

void tls_tickets_start(struct tls_tickets *t)
{
	*t = (struct tls_tickets){ .lock = PTHREAD_MUTEX_INITIALIZER, .made_ms = clock_mono_ms() };
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);	/* else it is looked up anew for each ticket */
	for (size_t i = 0; i < TLS_TICKET_KEYS; i++)
		make_key(&t->keys[i]);
}

void tls_tickets_end(struct tls_tickets *t)
{
	wipe(t->keys, sizeof t->keys);
	EVP_CIPHER_free(t->cipher);
	(void)pthread_mutex_destroy(&t->lock);
}

static void rotate(struct tls_tickets *t)
{
	t->keys[1] = t->keys[0];
	make_key(&t->keys[0]);
}

void tls_tickets_rotate(struct tls_tickets *t)
{
	(void)pthread_mutex_lock(&t->lock);
	rotate(t);
	(void)pthread_mutex_unlock(&t->lock);
}

/* As often as it was due, but no key is older than both. */
static void rotate_when_due(struct tls_tickets *t)
{
	uint64_t due = (clock_mono_ms() - t->made_ms) / (TLS_TICKET_LIFE_S * 1000ULL);

	t->made_ms += due * TLS_TICKET_LIFE_S * 1000ULL;
	for (uint64_t i = 0; i < due && i < TLS_TICKET_KEYS; i++)
		rotate(t);
}

/* The newest key to seal with; or the one of that name, to open with. */
static int find(struct tls_tickets *t, const unsigned char *name, struct tls_ticket_key *k)
{
	int found = name ? UNKNOWN : FRESH;

	(void)pthread_mutex_lock(&t->lock);
	rotate_when_due(t);
	*k = t->keys[0];
	for (size_t i = 0; name && i < TLS_TICKET_KEYS; i++)
		if (!memcmp(t->keys[i].name, name, sizeof k->name)) {
			*k = t->keys[i];
			found = i ? STALE : FRESH;
			break;
		}
	(void)pthread_mutex_unlock(&t->lock);
	return found;
}

int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = tls_server_tickets(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
	struct tls_ticket_key k;
	int found = t->cipher ? find(t, seal ? NULL : name, &k) : UNKNOWN;
	char digest[] = "SHA256";
	OSSL_PARAM with[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.hmac, sizeof k.hmac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool good = true;

	if (found != UNKNOWN && seal) {
		memcpy(name, k.name, sizeof k.name);
		good = RAND_bytes(iv, IV) == 1 && EVP_EncryptInit_ex2(cipher, t->cipher, k.aes, iv, NULL) == 1;
	} else if (found != UNKNOWN) {
		good = EVP_DecryptInit_ex2(cipher, t->cipher, k.aes, iv, NULL) == 1;
	}
	if (found != UNKNOWN)
		good = good && EVP_MAC_CTX_set_params(mac, with) == 1;
	wipe(&k, sizeof k);
	if (found == FRESH && !seal && SSL_version(ssl) >= TLS1_3_VERSION)
		found = STALE;		/* clients use a ticket once (RFC 8446 C.4): the next one, please */
	return good ? found : FAILED;
}
