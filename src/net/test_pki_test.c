/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/x509v3.h>

#include "net/test_pki.h"

static int verify(X509 *leaf, X509 *anchor, STACK_OF(X509) *between, X509_CRL *crl)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *with = X509_STORE_CTX_new();
	int code;

	assert_int_equal(X509_STORE_add_cert(store, anchor), 1);
	assert_int_equal(X509_STORE_CTX_init(with, store, leaf, between), 1);
	if (crl) {
		assert_int_equal(X509_STORE_add_crl(store, crl), 1);
		X509_STORE_CTX_set_flags(with, X509_V_FLAG_CRL_CHECK);
	}
	(void)X509_verify_cert(with);
	code = X509_STORE_CTX_get_error(with);
	X509_STORE_CTX_free(with);
	X509_STORE_free(store);
	return code;
}

static void chains_hold(void **state)
{
	struct pki root, inter, leaf, old;
	STACK_OF(X509) *between = sk_X509_new_null();
	X509_CRL *clean, *names_leaf, *expired;

	(void)state;
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&inter, &(struct pki_wish){ .name = "Intermediate", .authority = true, .issuer = &root });
	pki_make(&leaf, &(struct pki_wish){ .name = "leaf", .names = "DNS:localhost,IP:127.0.0.1", .issuer = &inter });
	pki_make(&old, &(struct pki_wish){ .name = "old", .issuer = &root, .from_days = -3, .to_days = -1 });
	assert_true(sk_X509_push(between, inter.cert));
	clean = pki_crl(&inter, NULL, 1);
	names_leaf = pki_crl(&inter, leaf.cert, 1);
	expired = pki_crl(&inter, NULL, -1);
	assert_int_equal(verify(leaf.cert, root.cert, between, NULL), X509_V_OK);
	assert_int_equal(verify(leaf.cert, root.cert, NULL, NULL), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	assert_int_equal(verify(leaf.cert, root.cert, between, clean), X509_V_OK);
	assert_int_equal(verify(leaf.cert, root.cert, between, names_leaf), X509_V_ERR_CERT_REVOKED);
	assert_int_equal(verify(leaf.cert, root.cert, between, expired), X509_V_ERR_CRL_HAS_EXPIRED);
	assert_int_equal(verify(old.cert, root.cert, NULL, NULL), X509_V_ERR_CERT_HAS_EXPIRED);
	assert_int_equal(X509_check_host(leaf.cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(leaf.cert, "127.0.0.1", 0), 1);
	X509_CRL_free(clean);
	X509_CRL_free(names_leaf);
	X509_CRL_free(expired);
	sk_X509_free(between);
	pki_free(&root);
	pki_free(&inter);
	pki_free(&leaf);
	pki_free(&old);
}

static void a_name_may_hold_a_nul(void **state)
{
	struct pki p;
	GENERAL_NAMES *names;

	(void)state;
	pki_make(&p, &(struct pki_wish){ .name = "nul", .raw_name = SPAN("a\0b") });
	names = X509_get_ext_d2i(p.cert, NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	assert_int_equal(ASN1_STRING_length(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), NULL)), 3);
	GENERAL_NAMES_free(names);
	pki_free(&p);
	pki_free(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_hold),
		cmocka_unit_test(a_name_may_hold_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
