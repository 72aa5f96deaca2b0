/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: authorities, certificates and revocation lists made on the spot.
 *
 * Keys are ECDSA P-256, unless RSA is wished for.  Days count from now: { -10, -1 } is expired.  Whatever
 * goes wrong in here ends the test program (assert); pki_free may be called on
 * zeroed structs.  Files are written with the mode given. */
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include "base/span.h"

enum { PKI_PIN_TEXT = 65 };

struct pki {			/* a certificate with its key */
	EVP_PKEY *key;
	X509 *cert;
};

struct pki_wish {
	const char *name;		/* its common name */
	const char *names;		/* "DNS:a.example,IP:127.0.0.1"; NULL = none */
	const struct pki *issuer;	/* NULL = self-signed */
	bool authority;
	bool rsa;			/* its key: 2048 bits */
	int from_days, to_days;		/* both 0 = yesterday to next year */
	struct span raw_name;		/* one more DNS name as octets, NUL and all; or empty */
};

void pki_make(struct pki *p, const struct pki_wish *wish);
void pki_free(struct pki *p);
/* A revocation list of `issuer`, valid until to_days; `revoked` may be NULL. */
X509_CRL *pki_crl(const struct pki *issuer, const X509 *revoked, int to_days);
/* SHA-256 of the certificate's public key, as tls.pin wants it. */
void pki_pin(const struct pki *p, char out[PKI_PIN_TEXT]);

/* One PEM file; any of these may be NULL.  `passphrase` protects the key. */
struct pki_file {
	const X509 *certs[4];
	const EVP_PKEY *key;
	const char *passphrase;
	const X509_CRL *crls[2];
	const char *text;		/* written between the blocks */
};
void pki_write(const char *path, mode_t mode, const struct pki_file *f);

/* A server's context: its certificate, and the intermediate one it sends along (may be NULL). */
SSL_CTX *pki_server(const struct pki *p, const struct pki *above);
