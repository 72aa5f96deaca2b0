/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/tls_inside.h"

#define MODERN (1u << TLS_1_2 | 1u << TLS_1_3)
#define PIN "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static const struct tls_settings usual = {
	.versions = MODERN, .verify_server = true, .verify_host = true, .verify_depth = 9,
};

static struct tls_contexts *contexts(void)
{
	struct err e;
	struct tls_contexts *all = tls_contexts_new(&e);

	assert_non_null(all);
	return all;
}

/* Each row changes one thing of the usual settings; what it changes is found by being set. */
static const struct row {
	const char *name;
	struct tls_settings s;
	const char *error;	/* NULL = fine */
} rows[] = {
	{ "the usual", { .versions = MODERN }, NULL },
	{ "TLSv1.3 alone", { .versions = 1u << TLS_1_3 }, NULL },
	{ "a hole between versions", { .legacy = true, .versions = 1u << TLS_1_0 | 1u << TLS_1_2 }, NULL },
	{ "no version", { .versions = 1u << TLS_ANY }, "tls.protocols, tls.min and tls.max together leave no version" },
	{ "TLSv1 without leave", { .versions = MODERN | 1u << TLS_1_0 },
		"tls.protocols: TLSv1 and TLSv1.1 are broken; only tls.legacy = true allows them" },
	{ "TLSv1.1 without leave", { .versions = 1u << TLS_1_1 },
		"tls.protocols: TLSv1 and TLSv1.1 are broken; only tls.legacy = true allows them" },
	{ "TLSv1.1 with leave", { .legacy = true, .versions = 1u << TLS_1_1 }, NULL },
	{ "ciphers", { .versions = MODERN, .ciphers = "ECDHE+AESGCM:!aNULL" }, NULL },
	{ "no ciphers", { .versions = MODERN, .ciphers = "NONSENSE" }, "tls.ciphers: OpenSSL knows no cipher of \"NONSENSE\"" },
	{ "suites", { .versions = MODERN, .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256" }, NULL },
	{ "an unknown suite", { .versions = MODERN, .ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_129_GCM_SHA256" },
		"tls.ciphersuites: \"TLS_AES_129_GCM_SHA256\" is not a TLSv1.3 suite that OpenSSL knows" },
	{ "a TLSv1.2 cipher as suite", { .versions = MODERN, .ciphersuites = "ECDHE-RSA-AES128-GCM-SHA256" },
		"tls.ciphersuites: \"ECDHE-RSA-AES128-GCM-SHA256\" is not a list of TLSv1.3 suites separated by colons" },
	{ "no suites", { .versions = MODERN, .ciphersuites = "" }, "tls.ciphersuites: \"\" is not a TLSv1.3 suite that OpenSSL knows" },
	{ "a pin", { .versions = MODERN, .pin = PIN }, NULL },
	{ "half a pin", { .versions = MODERN, .pin = "0011" }, "tls.pin: not a SHA-256: 64 hexadecimal digits, colons allowed" },
	{ "no such file", { .versions = MODERN, .ca_certificates = "/nonexistent/ca.pem" },
		"tls.ca_certificates: /nonexistent/ca.pem cannot be read: No such file or directory" },
	{ "a folder", { .versions = MODERN, .ca_certificates = "/" }, "tls.ca_certificates: / is not a file" },
	{ "no such list", { .versions = MODERN, .crl = "/nonexistent/crl.pem" }, "tls.crl: /nonexistent/crl.pem cannot be read: No such file or directory" },
	{ "a key alone", { .versions = MODERN, .key = "/nonexistent/key.pem" },
		"tls.key: a key alone is of no use; set tls.certificate too" },
	{ "no such certificate", { .versions = MODERN, .certificate = "/nonexistent/cert.pem" },
		"tls.certificate: /nonexistent/cert.pem cannot be read: No such file or directory" },
};

static void settings_are_checked(void **state)
{
	struct tls_contexts *all = contexts();

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct tls_settings s = r->s;
		struct err e = { 0 };
		struct tls_client *t;

		s.verify_server = s.verify_host = true;
		s.verify_depth = 9;
		t = tls_client_get(all, &s, &e);
		if ((t != NULL) != !r->error || (r->error && (e.kind != ERR_CONFIG || strcmp(e.text, r->error))))
			fail_msg("%s: %s", r->name, e.text);
	}
	tls_contexts_free(&all);
	assert_null(all);
	tls_contexts_free(&all);
}

static void depth_0_is_refused(void **state)
{
	struct tls_contexts *all = contexts();
	struct tls_settings s = usual;
	struct err e;

	(void)state;
	s.verify_depth = 0;
	assert_null(tls_client_get(all, &s, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "tls.verify_depth: 0"));
	tls_contexts_free(&all);
}

static void equal_settings_share_a_context(void **state)
{
	struct tls_contexts *all = contexts();
	struct tls_settings a = usual, b = usual;
	char pin[] = PIN;
	struct tls_client *first;
	struct err e;

	(void)state;
	a.pin = PIN;
	b.pin = pin;			/* the same text elsewhere */
	first = tls_client_get(all, &a, &e);
	assert_non_null(first);
	assert_ptr_equal(tls_client_get(all, &b, &e), first);
	pin[0] = 'f';			/* the texts are our own */
	assert_ptr_equal(tls_client_get(all, &a, &e), first);
	assert_ptr_not_equal(tls_client_get(all, &b, &e), first);
	b = a;
	b.verify_host = false;
	assert_ptr_not_equal(tls_client_get(all, &b, &e), first);
	b = a;
	b.verify_depth = 1;
	assert_ptr_not_equal(tls_client_get(all, &b, &e), first);
	b = a;
	b.ciphers = "ECDHE+AESGCM";
	assert_ptr_not_equal(tls_client_get(all, &b, &e), first);
	b = a;
	b.pin = NULL;
	assert_ptr_not_equal(tls_client_get(all, &b, &e), first);
	tls_contexts_free(&all);
}

static const struct { const char *text; bool good; } pins[] = {
	{ PIN, true },
	{ "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", true },
	{ "", false },
	{ PIN "0", false },
	{ PIN "00", false },
	{ ":" PIN, false },
	{ "0:0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", false },
	{ "0x112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF0", false },
	{ " 0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF0", false },
};

static void a_pin_is_64_digits(void **state)
{
	static const uint8_t want[TLS_PIN] = {
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pins); i++) {
		uint8_t pin[TLS_PIN];

		if (tls_pin_parse(pins[i].text, pin) != pins[i].good)
			fail_msg("%s", pins[i].text);
		if (pins[i].good)
			assert_memory_equal(pin, want, TLS_PIN);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_checked),
		cmocka_unit_test(depth_0_is_refused),
		cmocka_unit_test(equal_settings_share_a_context),
		cmocka_unit_test(a_pin_is_64_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
