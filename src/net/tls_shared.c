/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that several connections hold.  OpenSSL keeps what a server sent, parsed, with each session: some 16 KiB
 * for three certificates, more than all the rest of an idle connection. */
#include "net/tls_inside.h"

void tls_shared_start(struct tls_shared *s)
{
	*s = (struct tls_shared){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void tls_shared_end(struct tls_shared *s)
{
	for (size_t i = 0; i < TLS_SHARED; i++)
		for (size_t n = 0; n < TLS_SHARED_EACH; n++)
			X509_free(s->rows[i][n].cert);
	(void)pthread_mutex_destroy(&s->lock);
}

/* The row where it belongs; NULL: no memory. */
static struct tls_same *row_of(struct tls_shared *s, X509 *x, uint8_t digest[TLS_PIN])
{
	if (X509_digest(x, EVP_sha256(), digest, NULL) != 1)
		return NULL;
	return s->rows[digest[0] % TLS_SHARED];
}

/* The one with that digest comes to the front of its row, if it is there. */
static bool to_front(struct tls_same *row, const uint8_t digest[TLS_PIN])
{
	struct tls_same found;
	size_t n = 0;

	while (n < TLS_SHARED_EACH && row[n].cert && memcmp(row[n].digest, digest, TLS_PIN) != 0)
		n++;
	if (n == TLS_SHARED_EACH || !row[n].cert)
		return false;
	found = row[n];
	memmove(row + 1, row, n * sizeof *row);
	row[0] = found;
	return true;
}

X509 *tls_shared_find(struct tls_shared *s, X509 *x)
{
	uint8_t digest[TLS_PIN];
	struct tls_same *row = row_of(s, x, digest);
	X509 *same = NULL;

	if (!row)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	if (to_front(row, digest) && X509_up_ref(row[0].cert))
		same = row[0].cert;
	(void)pthread_mutex_unlock(&s->lock);
	return same;
}

void tls_shared_keep(struct tls_shared *s, X509 *x)
{
	uint8_t digest[TLS_PIN];
	struct tls_same *row = row_of(s, x, digest);
	X509 *surplus = NULL;

	if (!row)
		return;
	(void)pthread_mutex_lock(&s->lock);
	if (!to_front(row, digest) && X509_up_ref(x)) {
		surplus = row[TLS_SHARED_EACH - 1].cert;
		memmove(row + 1, row, (TLS_SHARED_EACH - 1) * sizeof *row);
		row[0].cert = x;
		memcpy(row[0].digest, digest, TLS_PIN);
	}
	(void)pthread_mutex_unlock(&s->lock);
	X509_free(surplus);
}

/* OpenSSL lends us the very chain that it keeps with the session; who is in it is counted.  The first one is the
 * one to be judged, and becomes the session's peer when we have accepted it. */
void tls_shared_swap(struct tls_shared *s, X509_STORE_CTX *with)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(with);

	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *own = sk_X509_value(sent, i), *same = tls_shared_find(s, own);

		if (!same)
			continue;
		if (own == X509_STORE_CTX_get0_cert(with))
			X509_STORE_CTX_set_cert(with, same);
		(void)sk_X509_set(sent, i, same);
		X509_free(own);
	}
}

void tls_shared_keep_all(struct tls_shared *s, X509_STORE_CTX *with)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(with);

	for (int i = 0; i < sk_X509_num(sent); i++)
		tls_shared_keep(s, sk_X509_value(sent, i));
}
