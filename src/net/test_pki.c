/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_pki.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY_S = 86400, VERSION_3 = 2, VERSION_2 = 1, RSA_BITS = 2048 };

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(ext && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

/* What no text form can say: a name with a NUL inside. */
static void add_raw_name(X509 *x, struct span raw)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	assert(names && name && s && ASN1_STRING_set(s, raw.at, (int)raw.len) == 1);
	GENERAL_NAME_set0_value(name, GEN_DNS, s);
	assert(sk_GENERAL_NAME_push(names, name) == 1);
	assert(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1);
	GENERAL_NAMES_free(names);
}

void pki_make(struct pki *p, const struct pki_wish *w)
{
	static long serial;
	X509 *x = X509_new(), *issuer = w->issuer ? w->issuer->cert : x;
	int from = w->from_days || w->to_days ? w->from_days : -1, to = w->from_days || w->to_days ? w->to_days : 365;
	X509_NAME *name;

	p->key = w->rsa ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
	p->cert = x;
	assert(p->key && x);
	name = X509_get_subject_name(x);
	assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->name, -1, -1, 0) == 1);
	(void)X509_set_version(x, VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), (long)from * DAY_S);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), (long)to * DAY_S);
	assert(X509_set_pubkey(x, p->key) == 1);
	assert(X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1);
	add_extension(x, issuer, NID_basic_constraints, w->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, issuer, NID_key_usage, w->authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	add_extension(x, issuer, NID_subject_key_identifier, "hash");
	add_extension(x, issuer, NID_authority_key_identifier, "keyid");
	if (w->names)
		add_extension(x, issuer, NID_subject_alt_name, w->names);
	if (w->raw_name.len)
		add_raw_name(x, w->raw_name);
	assert(X509_sign(x, w->issuer ? w->issuer->key : p->key, EVP_sha256()) > 0);
}

void pki_free(struct pki *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	*p = (struct pki){ 0 };
}

X509_CRL *pki_crl(const struct pki *issuer, const X509 *revoked, int to_days)
{
	ASN1_TIME *from = X509_gmtime_adj(NULL, -30L * DAY_S), *to = X509_gmtime_adj(NULL, (long)to_days * DAY_S);
	X509_CRL *crl = X509_CRL_new();

	assert(crl && from && to && X509_CRL_set_version(crl, VERSION_2) == 1);
	assert(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) == 1);
	assert(X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, to) == 1);
	if (revoked) {
		X509_REVOKED *r = X509_REVOKED_new();

		assert(r && X509_REVOKED_set_revocationDate(r, from) == 1);
		assert(X509_REVOKED_set_serialNumber(r, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked)) == 1);
		assert(X509_CRL_add0_revoked(crl, r) == 1);
	}
	assert(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return crl;
}

void pki_pin(const struct pki *p, char out[PKI_PIN_TEXT])
{
	unsigned char digest[32], *der = NULL;
	int len = i2d_PUBKEY(p->key, &der);

	assert(len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	OPENSSL_free(der);
}

static void write_key(FILE *to, const struct pki_file *f)
{
	size_t len = f->passphrase ? strlen(f->passphrase) : 0;
	EVP_PKEY *key = (EVP_PKEY *)(uintptr_t)f->key;

	assert(PEM_write_PKCS8PrivateKey(to, key, len ? EVP_aes_128_cbc() : NULL, f->passphrase, (int)len, NULL, NULL) == 1);
}

void pki_write(const char *path, mode_t mode, const struct pki_file *f)
{
	const char *text = f->text ? f->text : "";
	FILE *to = fopen(path, "w");

	assert(to && fchmod(fileno(to), mode) == 0);
	(void)fputs(text, to);
	for (size_t i = 0; i < COUNT(f->certs); i++) {
		if (!f->certs[i])
			continue;
		assert(PEM_write_X509(to, f->certs[i]) == 1);
		(void)fputs(text, to);
	}
	for (size_t i = 0; i < COUNT(f->crls); i++) {
		if (!f->crls[i])
			continue;
		assert(PEM_write_X509_CRL(to, f->crls[i]) == 1);
		(void)fputs(text, to);
	}
	if (f->key)
		write_key(to, f);
	assert(fclose(to) == 0);
}

SSL_CTX *pki_server(const struct pki *p, const struct pki *above)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert(ctx && SSL_CTX_use_certificate(ctx, p->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, p->key) == 1);
	assert(!above || SSL_CTX_add1_chain_cert(ctx, above->cert) == 1);
	return ctx;
}
