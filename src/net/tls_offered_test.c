/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept of a chain: in order, whole certificates, within the limits.
 * That it is kept when, and only when, a certificate is not accepted:
 * tls_verify_test.c and tls_explain_test.c, over all of their rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "net/certificate.h"
#include "net/conn.h"
#include "net/test_pki.h"
#include "net/tls_inside.h"

enum { SMALL, OTHER, LARGE, HUGE_ONE, KINDS, CHAIN = 12 };

static struct pki made[KINDS];

static const struct row {
	const char *name;
	uint8_t chain[CHAIN];
	size_t count, kept;
} rows[] = {
	{ "no certificate",            { 0 },                        0,  0 },
	{ "one",                       { SMALL },                    1,  1 },
	{ "two, in their order",       { OTHER, SMALL },             2,  2 },
	{ "ten",                       { OTHER, SMALL },             10, 10 },
	{ "more than ten",             { OTHER, SMALL },             12, 10 },
	{ "one that takes most of it", { LARGE },                    1,  1 },
	{ "one that fits no more",     { SMALL, LARGE, LARGE, OTHER }, 4, 2 },
	{ "one that never fits",       { HUGE_ONE, SMALL },          2,  0 },
};

static struct tls_offered *offer(const struct row *r)
{
	X509_STORE_CTX *with = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct tls_offered *o;

	assert_true(with && chain);
	for (size_t i = 0; i < r->count; i++)
		assert_true(sk_X509_push(chain, made[r->chain[i]].cert) > 0);
	assert_int_equal(X509_STORE_CTX_init(with, NULL, sk_X509_value(chain, 0), chain), 1);
	o = tls_offered_new(with, "the reason");
	X509_STORE_CTX_free(with);
	sk_X509_free(chain);
	return o;
}

static void what_fits_is_kept(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct tls_offered *o = offer(r);
		struct arena arena = { 0 };
		struct certificates all = { .count = 0 };
		struct err e;

		if (o && (!certificates_read(&arena, (struct span){ o->chain, o->len }, &all, &e) || o->len > CONN_OFFERED_MAX))
			fail_msg("%s: %zu octets: %s", r->name, o->len, e.text);
		if (all.count != r->kept || all.more || (o && strcmp(o->reason, "the reason") != 0))
			fail_msg("%s: %zu", r->name, all.count);
		for (size_t i = 0; i < all.count; i++) {
			char pin[PKI_PIN_TEXT];

			pki_pin(&made[r->chain[i]], pin);
			assert_string_equal(all.list[i].key_sha256, pin);
		}
		arena_end(&arena);
		free(o);
	}
}

static int set_up(void **state)
{
	static char octets[CONN_OFFERED_MAX];

	(void)state;
	memset(octets, 'a', sizeof octets);
	pki_make(&made[SMALL], &(struct pki_wish){ .name = "small" });
	pki_make(&made[OTHER], &(struct pki_wish){ .name = "other" });
	pki_make(&made[LARGE], &(struct pki_wish){ .name = "large", .raw_name = { octets, CONN_OFFERED_MAX / 2 } });
	pki_make(&made[HUGE_ONE], &(struct pki_wish){ .name = "huge", .raw_name = { octets, CONN_OFFERED_MAX } });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++)
		pki_free(&made[i]);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_kept),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
