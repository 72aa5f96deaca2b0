/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/test_pki.h"
#include "net/tls_inside.h"

/* Text as `openssl x509 -text` and people put it between blocks. */
#define TEXT "# our authorities\nCertificate:\n    Data:\n-- \n-----\n=====\nümlaut\r\n\n"

static char folder[] = "/tmp/tls_files_test.XXXXXX";
static struct pki root, leaf, other;
static X509_CRL *crl;

static const char *path(const char *name, char out[200])
{
	(void)snprintf(out, 200, "%s/%s", folder, name);
	return out;
}

static void put(const char *name, mode_t mode, const struct pki_file *f)
{
	char at[200];

	pki_write(path(name, at), mode, f);
}

enum what { AUTHORITIES, CRLS, CERTIFICATE };

static const struct row {
	const char *name;
	enum what what;
	const char *file, *key, *error;	/* of the error its beginning; %s = the folder */
} rows[] = {
	{ "a bundle with text between", AUTHORITIES, "bundle", NULL, NULL },
	{ "lists beside certificates are no harm", AUTHORITIES, "mixed", NULL, NULL },
	{ "an empty file", AUTHORITIES, "empty", NULL, "tls.ca_certificates: no certificate (BEGIN CERTIFICATE) in %s/empty" },
	{ "a list only", AUTHORITIES, "crl", NULL, "tls.ca_certificates: no certificate (BEGIN CERTIFICATE) in %s/crl" },
	{ "a broken block", AUTHORITIES, "broken", NULL, "tls.ca_certificates: %s/broken has a block that cannot be read (" },
	{ "not there", AUTHORITIES, "absent", NULL, "tls.ca_certificates: %s/absent cannot be read: No such file" },
	{ "a list", CRLS, "crl", NULL, NULL },
	{ "certificates beside lists are no harm", CRLS, "mixed", NULL, NULL },
	{ "no list", CRLS, "bundle", NULL, "tls.crl: no revocation list (BEGIN X509 CRL) in %s/bundle" },
	{ "a broken list", CRLS, "broken", NULL, "tls.crl: %s/broken has a block that cannot be read (" },
	{ "key in the certificate's file", CERTIFICATE, "both", NULL, NULL },
	{ "key in front of the certificate", CERTIFICATE, "cert", "key", NULL },
	{ "a chain of certificates", CERTIFICATE, "chain", "key", NULL },
	{ "others may read both", CERTIFICATE, "both-open", NULL,
		"tls.certificate: %s/both-open holds a key and others may read it (mode 640); chmod 600 it" },
	{ "others may read the key", CERTIFICATE, "cert", "key-open", "tls.key: %s/key-open holds a key and others may read it (mode 604)" },
	{ "others may write the key", CERTIFICATE, "cert", "key-write", "tls.key: %s/key-write holds a key and others may read it (mode 620)" },
	{ "a passphrase", CERTIFICATE, "cert", "key-locked", "tls.key: the key in %s/key-locked is protected by a passphrase" },
	{ "a passphrase on both", CERTIFICATE, "both-locked", NULL, "tls.certificate: the key in %s/both-locked is protected by a passphrase" },
	{ "a key of another", CERTIFICATE, "cert", "key-other", "tls.key: the key in %s/key-other is not the one of the certificate in %s/cert" },
	{ "no key", CERTIFICATE, "cert-closed", NULL, "tls.certificate: no private key (BEGIN PRIVATE KEY) that can be used in %s/cert-closed" },
	{ "an empty key", CERTIFICATE, "cert", "empty-closed", "tls.key: no private key (BEGIN PRIVATE KEY) that can be used in %s/empty-closed" },
	{ "no certificate", CERTIFICATE, "key", NULL, "tls.certificate: no certificate that can be used in %s/key" },
};

static bool load(const struct row *r, SSL_CTX *ctx, struct err *e)
{
	STACK_OF(X509_CRL) *crls = NULL;
	char file[200], key[200];
	bool good = false;

	(void)path(r->file, file);
	switch (r->what) {
	case AUTHORITIES:
		good = tls_load_authorities(ctx, "tls.ca_certificates", file, e);
		break;
	case CRLS:
		good = tls_load_crls(ctx, file, &crls, e);
		assert_int_equal(good, sk_X509_CRL_num(crls) > 0);
		sk_X509_CRL_pop_free(crls, X509_CRL_free);
		break;
	case CERTIFICATE:
		good = tls_load_certificate(ctx, &(struct tls_pair){ file, r->key ? path(r->key, key) : NULL, "tls.", 077 }, e);
		break;
	}
	return good;
}

/* `want` with the folder for each %s: is it how the text begins? */
static bool begins(const char *text, const char *want)
{
	for (; *want; want++) {
		size_t len = strlen(folder);

		if (want[0] == '%') {
			if (strncmp(text, folder, len) != 0)
				return false;
			text += len;
			want++;
		} else if (*text++ != *want) {
			return false;
		}
	}
	return true;
}

static void files_are_loaded_or_the_fault_is_told(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct err e = { 0 };
		bool good = load(r, ctx, &e);

		if (good != !r->error || (!good && (e.kind != ERR_CONFIG || !begins(e.text, r->error))))
			fail_msg("%s: %s", r->name, e.text);
		SSL_CTX_free(ctx);
	}
}

static void every_certificate_of_a_bundle_is_known(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	STACK_OF(X509_OBJECT) *all;
	char file[200];
	struct err e;

	(void)state;
	assert_true(tls_load_authorities(ctx, "tls.ca_certificates", path("bundle", file), &e));
	all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	assert_int_equal(sk_X509_OBJECT_num(all), 2);
	SSL_CTX_free(ctx);
}

static int set_up(void **state)
{
	char file[200];
	FILE *broken;

	(void)state;
	assert_non_null(mkdtemp(folder));
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&other, &(struct pki_wish){ .name = "Other", .authority = true });
	pki_make(&leaf, &(struct pki_wish){ .name = "anna", .issuer = &root });
	crl = pki_crl(&root, NULL, 1);
	put("bundle", 0644, &(struct pki_file){ .certs = { root.cert, other.cert }, .text = TEXT });
	put("mixed", 0644, &(struct pki_file){ .certs = { root.cert }, .crls = { crl }, .text = TEXT });
	put("crl", 0644, &(struct pki_file){ .crls = { crl }, .text = TEXT });
	put("empty", 0644, &(struct pki_file){ .text = TEXT });
	put("empty-closed", 0600, &(struct pki_file){ .text = "" });
	put("both", 0600, &(struct pki_file){ .certs = { leaf.cert }, .key = leaf.key, .text = TEXT });
	put("both-open", 0640, &(struct pki_file){ .certs = { leaf.cert }, .key = leaf.key });
	put("both-locked", 0600, &(struct pki_file){ .certs = { leaf.cert }, .key = leaf.key, .passphrase = "sesame" });
	put("cert", 0644, &(struct pki_file){ .certs = { leaf.cert }, .text = TEXT });
	put("cert-closed", 0600, &(struct pki_file){ .certs = { leaf.cert } });
	put("chain", 0644, &(struct pki_file){ .certs = { leaf.cert, root.cert }, .text = TEXT });
	put("key", 0600, &(struct pki_file){ .key = leaf.key, .text = TEXT });
	put("key-open", 0604, &(struct pki_file){ .key = leaf.key });
	put("key-write", 0620, &(struct pki_file){ .key = leaf.key });
	put("key-locked", 0600, &(struct pki_file){ .key = leaf.key, .passphrase = "sesame" });
	put("key-other", 0600, &(struct pki_file){ .key = other.key });
	put("broken", 0644, &(struct pki_file){ .certs = { root.cert } });
	broken = fopen(path("broken", file), "a");
	assert_non_null(broken);
	(void)fputs("-----BEGIN CERTIFICATE-----\nAAAA!\n-----END CERTIFICATE-----\n", broken);
	assert_int_equal(fclose(broken), 0);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "bundle", "mixed", "crl", "empty", "empty-closed", "both", "both-open", "both-locked",
		"cert", "cert-closed", "chain", "key", "key-open", "key-write", "key-locked", "key-other", "broken" };
	char file[200];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i], file));
	assert_int_equal(rmdir(folder), 0);
	X509_CRL_free(crl);
	pki_free(&root);
	pki_free(&leaf);
	pki_free(&other);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_loaded_or_the_fault_is_told),
		cmocka_unit_test(every_certificate_of_a_bundle_is_known),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
