/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/certificate.h"
#include "net/test_pki.h"

enum { DAY_S = 86400, TEXT_MAX = 1 << 20, MANY = 130 };

/* Names as they are shown: what subject (beside CN=x) and alternative name hold, octet by octet. */
static const struct row {
	const char *name;
	struct span organization, raw_name;
	const char *subject, *shown;
} rows[] = {
	{ "plain",             SPAN("Example"), SPAN("a.example"), "O=Example,CN=x", "DNS:a.example" },
	{ "characters",        SPAN("M\xc3\xbcller"), SPAN("xn--mller-kva.example"), "O=M\xc3\xbcller,CN=x", "DNS:xn--mller-kva.example" },
	{ "a NUL",             SPAN("good\0evil"), SPAN("good.example\0.evil.example"), "O=good\\00evil,CN=x", "DNS:good.example\\00.evil.example" },
	{ "a NUL at the end",  SPAN("good\0"), SPAN("good.example\0"), "O=good\\00,CN=x", "DNS:good.example\\00" },
	{ "terminal controls", SPAN("\x1b]0;owned\a\r\n"), SPAN("\x1b[2J\x7f"), "O=\\1B]0\\;owned\\07\\0D\\0A,CN=x", "DNS:\\1B[2J\\7F" },
	{ "C1 controls",       SPAN("\xc2\x9b" "2J"), SPAN("\xc2\x9b" "2J"), "O=??2J,CN=x", "DNS:\\C2\\9B2J" },
	{ "right to left",     SPAN("a\xe2\x80\xae" "b"), SPAN("a\xe2\x80\xae" "b"), "O=a\?\?\?b,CN=x", "DNS:a\\E2\\80\\AEb" },
	{ "our own signs",     SPAN("a,CN=b+c\"d\\"), SPAN("a, DNS:b\"\\"), "O=a\\,CN=b\\+c\\\"d\\\\,CN=x", "DNS:a\\2C\\20DNS:b\\22\\5C" },
};

static struct span pem_of(X509 *const *certs, size_t count, const char *between, char *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	size_t len;

	for (size_t i = 0; i < count; i++)
		assert_true(BIO_puts(b, between) >= 0 && PEM_write_bio_X509(b, certs[i]) == 1);
	assert_true(BIO_puts(b, between) >= 0);
	len = (size_t)BIO_get_mem_data(b, &at);
	assert_true(len < TEXT_MAX);
	memcpy(out, at, len);
	(void)BIO_free(b);
	return (struct span){ out, len };
}

static void add_organization(struct pki *p, struct span octets)
{
	assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(p->cert), NID_organizationName, V_ASN1_UTF8STRING,
		(const unsigned char *)octets.at, (int)octets.len, -1, 0), 1);
	assert_true(X509_sign(p->cert, p->key, EVP_sha256()) > 0);
}

static void names_hide_nothing(void **state)
{
	char *text = *state;

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct certificates all;
		struct arena a = { 0 };
		struct pki p;
		struct err e;

		pki_make(&p, &(struct pki_wish){ .name = "x", .raw_name = r->raw_name });
		add_organization(&p, r->organization);
		assert_true(certificates_read(&a, pem_of(&p.cert, 1, "", text), &all, &e));
		assert_int_equal(all.list[0].name_count, 1);
		if (strcmp(all.list[0].subject, r->subject) != 0 || strcmp(all.list[0].names[0], r->shown) != 0)
			fail_msg("%s: %s %s", r->name, all.list[0].subject, all.list[0].names[0]);
		assert_string_equal(all.list[0].issuer, "CN=x");
		assert_false(all.list[0].self_issued);
		arena_end(&a);
		pki_free(&p);
	}
}

static void what_a_certificate_says(void **state)
{
	struct certificates all;
	const struct certificate *c = all.list;
	int64_t now = (int64_t)time(NULL);
	char *text = *state, pin[PKI_PIN_TEXT];
	struct arena a = { 0 };
	struct pki root, p;
	struct err e;

	pki_make(&root, &(struct pki_wish){ .name = "Root", .authority = true });
	pki_make(&p, &(struct pki_wish){ .name = "mail", .issuer = &root, .from_days = -20, .to_days = -10,
		.names = "DNS:mail.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:https://x.example/,RID:1.2.3.4" });
	assert_true(certificates_read(&a, pem_of((X509 *[]){ p.cert, root.cert }, 2, "some words\n", text), &all, &e));
	assert_int_equal(all.count, 2);
	assert_false(all.more);
	assert_string_equal(c->subject, "CN=mail");
	assert_string_equal(c->issuer, "CN=Root");
	assert_int_equal(c->name_count, 6);
	assert_string_equal(c->names[0], "DNS:mail.example");
	assert_string_equal(c->names[1], "IP:192.0.2.1");
	assert_string_equal(c->names[2], "IP:2001:db8::1");
	assert_string_equal(c->names[3], "email:a@b.example");
	assert_string_equal(c->names[4], "URI:https://x.example/");
	assert_string_equal(c->names[5], "other:of kind 8");
	assert_true(strlen(c->serial) == 2 && strspn(c->serial, "0123456789abcdef") == 2);
	assert_true(llabs(c->not_before - (now - 20 * DAY_S)) < 600 && llabs(c->not_after - (now - 10 * DAY_S)) < 600);
	assert_true(certificate_expired(c, now) && !certificate_early(c, now));
	assert_true(certificate_early(c, now - 21 * DAY_S) && !certificate_expired(c, now - 21 * DAY_S));
	assert_true(!certificate_expired(c, c->not_after) && certificate_expired(c, c->not_after + 1));
	assert_string_equal(c->key_type, "EC");
	assert_int_equal(c->key_bits, 256);
	assert_string_equal(c->key_group, "prime256v1");
	assert_string_equal(c->signature, "ecdsa-with-SHA256");
	assert_true(!c->authority && !c->self_issued && all.list[1].authority && all.list[1].self_issued);
	pki_pin(&p, pin);
	assert_string_equal(c->key_sha256, pin);
	assert_string_not_equal(c->sha256, pin);
	assert_int_equal(strlen(c->sha256), 64);
	assert_true(certificates_read(&a, span_of(c->pem), &all, &e));	/* the way back */
	assert_int_equal(all.count, 1);
	assert_string_equal(all.list[0].key_sha256, pin);
	arena_end(&a);
	pki_free(&p);
	pki_free(&root);
}

static void limits_hold(void **state)
{
	char *text = *state, names[MANY * 12] = "DNS:n0";
	static char octets[2000];
	X509 *many[CERTIFICATES_MAX + 1];
	struct certificates all;
	struct arena a = { 0 };
	struct pki p;
	struct err e;

	memset(octets, 'a', sizeof octets);
	memcpy(octets + CERTIFICATE_TEXT_MAX - 7, "\xf0\x9f\x93\xac", 4);	/* it would be cut in two */
	for (size_t i = 1, used = strlen(names); i < MANY; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, ",DNS:n%zu", i);
	pki_make(&p, &(struct pki_wish){ .name = "x", .names = names });
	add_organization(&p, (struct span){ octets, sizeof octets });
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = p.cert;
	assert_true(certificates_read(&a, pem_of(many, COUNT(many), "", text), &all, &e));
	assert_int_equal(all.count, CERTIFICATES_MAX);
	assert_true(all.more);
	assert_int_equal(all.list[0].name_count, CERTIFICATE_NAMES_MAX);
	assert_int_equal(all.list[0].names_left, MANY - CERTIFICATE_NAMES_MAX);
	assert_true(strlen(all.list[0].subject) <= CERTIFICATE_TEXT_MAX);
	assert_string_equal(all.list[0].subject + strlen(all.list[0].subject) - 4, "a…");
	assert_null(strchr(all.list[0].subject, '?'));
	assert_true(certificates_read(&a, pem_of(many, CERTIFICATES_MAX, "", text), &all, &e));
	assert_false(all.more);
	arena_end(&a);
	pki_free(&p);
}

static void what_is_no_certificate(void **state)
{
	static const struct { const char *text, *why; } texts[] = {
		{ "", "there is no certificate" },
		{ "hello\n", "there is no certificate" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 cannot be read" },
		{ "-----BEGIN CERTIFICATE-----\nA\x01!A\n-----END CERTIFICATE-----\n", "certificate 1 cannot be read" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate 1 cannot be read" },
		{ "-----BEGIN OTHER THING-----\nAAAA\n-----END OTHER THING-----\n", "there is no certificate" },
		{ "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END CERTIFICATE-----\n",
			"certificate 1 cannot be read" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct certificates all;
		struct arena a = { 0 };
		struct err e;

		assert_false(certificates_read(&a, span_of(texts[i].text), &all, &e));
		assert_string_equal(e.text, texts[i].why);
		assert_int_equal(e.kind, ERR_PEER);
		arena_end(&a);
	}
}

/* Octets behind the certificate, inside its block: not all of it would be shown. */
static void what_has_a_tail(void **state)
{
	BIO *b = BIO_new(BIO_s_mem());
	struct certificates all;
	unsigned char *der = NULL;
	struct arena a = { 0 };
	struct pki p;
	struct err e;
	size_t size;
	char *at;
	int len;

	(void)state;
	pki_make(&p, &(struct pki_wish){ .name = "x" });
	len = i2d_X509(p.cert, &der);
	der = OPENSSL_realloc(der, (size_t)len + 1);
	assert_non_null(der);
	der[len] = 0;
	for (int more = 0; more < 2; more++) {
		(void)BIO_reset(b);
		assert_true(PEM_write_bio(b, "CERTIFICATE", "", der, len + more) > 0);
		size = (size_t)BIO_get_mem_data(b, &at);
		assert_int_equal(certificates_read(&a, (struct span){ at, size }, &all, &e), !more);
	}
	OPENSSL_free(der);
	(void)BIO_free(b);
	arena_end(&a);
	pki_free(&p);
}

static int set_up(void **state)
{
	*state = malloc(TEXT_MAX);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_certificate_says),
		cmocka_unit_test(names_hide_nothing),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(what_is_no_certificate),
		cmocka_unit_test(what_has_a_tail),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
