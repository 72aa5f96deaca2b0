/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server offered whose certificate was not accepted, kept as PEM. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/conn.h"
#include "net/tls_inside.h"

/* Certificates into `to` while they fit; returns how many octets are whole ones. */
static size_t write_chain(BIO *to, STACK_OF(X509) *chain)
{
	size_t whole = 0;

	for (int i = 0; i < sk_X509_num(chain) && i < CONN_OFFERED_CERTIFICATES; i++) {
		char *at;
		size_t len;

		if (PEM_write_bio_X509(to, sk_X509_value(chain, i)) != 1)
			break;
		len = (size_t)BIO_get_mem_data(to, &at);
		if (len > CONN_OFFERED_MAX)
			break;
		whole = len;
	}
	return whole;
}

struct tls_offered *tls_offered_new(X509_STORE_CTX *with, const char *reason)
{
	BIO *pem = BIO_new(BIO_s_mem());
	size_t len = pem ? write_chain(pem, X509_STORE_CTX_get0_untrusted(with)) : 0;
	struct tls_offered *o = len ? malloc(sizeof *o + len) : NULL;
	char *at;

	if (o) {
		(void)BIO_get_mem_data(pem, &at);
		(void)snprintf(o->reason, sizeof o->reason, "%s", reason);
		o->len = len;
		memcpy(o->chain, at, len);
	}
	(void)BIO_free(pem);
	return o;
}
