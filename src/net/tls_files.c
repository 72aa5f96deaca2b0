/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls_inside.h"

enum { NO_SECRET = 0, GROUP = 070, NAME = 32 };

/* A key of the settings and the file it names.  `others`: permission bits that a
 * file with a secret must not have. */
static BIO *open_file(const char *key, const char *file, mode_t others, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	BIO *bio = NULL;
	struct stat st;
	FILE *f;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(e, ERR_CONFIG, "%s: %s cannot be read", key, file);
	} else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		(void)err_set(e, ERR_CONFIG, "%s: %s is not a file", key, file);
	} else if (st.st_mode & others) {
		(void)err_set(e, ERR_CONFIG, "%s: %s holds a key and others may read it (mode %03o); chmod %s it",
			key, file, (unsigned)st.st_mode & 0777, others & GROUP ? "600" : "640");
	} else if ((f = fdopen(fd, "r"))) {
		bio = BIO_new_fp(f, BIO_CLOSE);
		if (bio)
			return bio;
		(void)fclose(f);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	} else {
		(void)err_set(e, ERR_LOCAL, "out of memory");
	}
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

/* Every block of the file; whatever stands between blocks is passed over.  A
 * block that is broken is an error: it would be missed later. */
static STACK_OF(X509_INFO) *read_blocks(const char *key, const char *file, struct err *e)
{
	BIO *bio = open_file(key, file, NO_SECRET, e);
	STACK_OF(X509_INFO) *blocks;

	if (!bio)
		return NULL;
	ERR_clear_error();
	blocks = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	(void)BIO_free(bio);
	if (!blocks)
		(void)err_set(e, ERR_CONFIG, "%s: %s has a block that cannot be read (%s)", key, file,
			ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	return blocks;
}

bool tls_load_authorities(SSL_CTX *ctx, const char *key, const char *file, struct err *e)
{
	STACK_OF(X509_INFO) *blocks = read_blocks(key, file, e);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool good = true;
	size_t count = 0;

	if (!blocks)
		return false;
	for (int i = 0; good && i < sk_X509_INFO_num(blocks); i++) {
		X509 *x = sk_X509_INFO_value(blocks, i)->x509;

		if (!x)
			continue;
		good = X509_STORE_add_cert(store, x) == 1;
		count++;
	}
	sk_X509_INFO_pop_free(blocks, X509_INFO_free);
	if (!good)
		return err_set(e, ERR_LOCAL, "out of memory");
	return count || err_set(e, ERR_CONFIG, "%s: no certificate (BEGIN CERTIFICATE) in %s", key, file);
}

bool tls_load_crls(SSL_CTX *ctx, const char *file, STACK_OF(X509_CRL) **crls, struct err *e)
{
	STACK_OF(X509_INFO) *blocks = read_blocks("tls.crl", file, e);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool good = true;

	if (!blocks)
		return false;
	*crls = sk_X509_CRL_new_null();
	for (int i = 0; *crls && good && i < sk_X509_INFO_num(blocks); i++) {
		X509_CRL *crl = sk_X509_INFO_value(blocks, i)->crl;

		if (!crl)
			continue;
		good = X509_STORE_add_crl(store, crl) == 1 && X509_CRL_up_ref(crl) == 1;
		if (good && !sk_X509_CRL_push(*crls, crl)) {
			X509_CRL_free(crl);
			good = false;
		}
	}
	sk_X509_INFO_pop_free(blocks, X509_INFO_free);
	if (!*crls || !good)
		return err_set(e, ERR_LOCAL, "out of memory");
	return sk_X509_CRL_num(*crls) > 0
		|| err_set(e, ERR_CONFIG, "tls.crl: no revocation list (BEGIN X509 CRL) in %s", file);
}

/* Nobody is there to type a passphrase; that it was asked for is all we want to know. */
static int no_passphrase([[maybe_unused]] char *at, [[maybe_unused]] int size, [[maybe_unused]] int writing, void *user)
{
	bool *asked = user;

	*asked = true;
	return -1;
}

static EVP_PKEY *read_key(const char *key, const char *file, mode_t others, struct err *e)
{
	BIO *bio = open_file(key, file, others, e);
	bool asked = false;
	EVP_PKEY *pkey;

	if (!bio)
		return NULL;
	ERR_clear_error();
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	(void)BIO_free(bio);
	if (pkey)
		return pkey;
	if (asked)
		(void)err_set(e, ERR_CONFIG, "%s: the key in %s is protected by a passphrase, which nobody can type here; "
			"take it off with `openssl pkey` and keep the file at mode 600", key, file);
	else
		(void)err_set(e, ERR_CONFIG, "%s: no private key (BEGIN PRIVATE KEY) that can be used in %s", key, file);
	ERR_clear_error();
	return NULL;
}

bool tls_load_certificate(SSL_CTX *ctx, const struct tls_pair *pair, struct err *e)
{
	const char *file = pair->certificate, *key_file = pair->key ? pair->key : file;
	char certificate[NAME], key[NAME];
	EVP_PKEY *pkey = NULL;
	BIO *bio;
	bool good;

	(void)snprintf(certificate, sizeof certificate, "%scertificate", pair->section);
	(void)snprintf(key, sizeof key, "%s%s", pair->section, pair->key ? "key" : "certificate");
	if (!file)
		return err_set(e, ERR_CONFIG, "%s: a key alone is of no use; set %s too", key, certificate);
	bio = open_file(certificate, file, NO_SECRET, e);
	if (!bio)
		return false;
	(void)BIO_free(bio);	/* it can be opened; OpenSSL wants the name of the file for a whole chain */
	ERR_clear_error();
	good = SSL_CTX_use_certificate_chain_file(ctx, file) == 1
		|| err_set(e, ERR_CONFIG, "%s: no certificate that can be used in %s (%s)", certificate, file,
			ERR_reason_error_string(ERR_peek_last_error()));
	good = good && (pkey = read_key(key, key_file, pair->others, e));
	good = good && ((SSL_CTX_use_PrivateKey(ctx, pkey) == 1 && SSL_CTX_check_private_key(ctx) == 1)
		|| err_set(e, ERR_CONFIG, "%s: the key in %s is not the one of the certificate in %s", key, key_file, file));
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return good;
}
