/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/pem.h>

#include "net/test_pki.h"
#include "net/tls_inside.h"

static struct pki leaf, root;

static bool add(struct tls_trust_set *set, enum tls_trust_kind kind, const char *host, uint16_t port, const struct pki *p)
{
	BIO *b = BIO_new(BIO_s_mem());
	struct tls_trusted one = { kind, host, port, { 0 } };
	char *at;
	bool good;

	assert_int_equal(PEM_write_bio_X509(b, p->cert), 1);
	one.pem.len = (size_t)BIO_get_mem_data(b, &at);
	one.pem.at = at;
	good = tls_trust_add(set, &one);
	(void)BIO_free(b);
	return good;
}

static size_t count(const struct tls_trust_set *set, const char *host, uint16_t port, const char *ca)
{
	struct tls_client client = { .settings.ca_certificates = ca };
	struct tls_peer p = { .client = &client, .host = host, .port = port };
	size_t n = 0;

	for (const struct tls_accepted *a = NULL; (a = tls_trust_next(set, &p, a));)
		n++;
	return n;
}

static void who_is_trusted_where(void **state)
{
	struct tls_trust_set *set = tls_trust_set_new();

	(void)state;
	assert_true(add(set, TLS_TRUST_KEY, "a.example", 995, &leaf));
	assert_true(add(set, TLS_TRUST_AUTHORITY, "a.example", 995, &root));
	assert_true(add(set, TLS_TRUST_AUTHORITY, NULL, 0, &root));
	assert_false(add(set, TLS_TRUST_KEY, NULL, 0, &leaf));	/* a key of every server's would be no pin */
	assert_int_equal(count(set, "a.example", 995, NULL), 3);
	assert_int_equal(count(set, "A.Example", 995, "ca.pem"), 2);
	assert_int_equal(count(set, "a.example", 993, NULL), 1);
	assert_int_equal(count(set, "a.exampl", 995, "ca.pem"), 0);
	assert_int_equal(count(set, "b.example", 995, NULL), 1);
	assert_int_equal(count(NULL, "a.example", 995, NULL), 0);
	tls_trust_set_free(&set);
}

static void what_cannot_be_read_trusts_nobody(void **state)
{
	static const char *const texts[] = { "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
	struct tls_trust_set *set = tls_trust_set_new();

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_false(tls_trust_add(set, &(struct tls_trusted){ TLS_TRUST_KEY, "a.example", 995, span_of(texts[i]) }));
	assert_int_equal(count(set, "a.example", 995, NULL), 0);
	tls_trust_set_free(&set);
}

/* Who looks at a set keeps it, whatever is put meanwhile. */
static void a_set_lives_as_long_as_somebody_looks(void **state)
{
	struct err e;
	struct tls_trust *t = tls_trust_new(&e);
	struct tls_trust_set *first = tls_trust_set_new(), *second = tls_trust_set_new(), *seen;
	uint64_t generation, next;

	(void)state;
	assert_null(tls_trust_take(t, &generation));
	assert_int_equal(generation, tls_trust_generation(t));
	for (size_t n = 0; n < 100; n++)
		assert_true(add(first, TLS_TRUST_KEY, "a.example", (uint16_t)(1 + n % 2), &leaf));
	tls_trust_put(t, &first);
	assert_null(first);
	assert_true(tls_trust_generation(t) != generation);
	seen = tls_trust_take(t, &generation);
	assert_int_equal(generation, tls_trust_generation(t));
	tls_trust_put(t, &second);
	assert_int_equal(count(seen, "a.example", 1, NULL), 50);
	tls_trust_set_free(&seen);
	seen = tls_trust_take(t, &next);
	assert_true(next != generation);
	assert_int_equal(count(seen, "a.example", 1, NULL), 0);
	tls_trust_set_free(&seen);
	tls_trust_free(&t);
	assert_null(tls_trust_take(NULL, &generation));
	assert_int_equal(generation, tls_trust_generation(NULL));
}

static int set_up(void **state)
{
	(void)state;
	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&leaf, &(struct pki_wish){ .name = "a.example", .issuer = &root });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_free(&leaf);
	pki_free(&root);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_trusted_where),
		cmocka_unit_test(what_cannot_be_read_trusts_nobody),
		cmocka_unit_test(a_set_lives_as_long_as_somebody_looks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
