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
#include "net/tls_server.h"

static struct tls_contexts *contexts;
static struct pki self, other;
static char folder[] = "/tmp/postrider-server-XXXXXX";

static const char *path(const char *name)
{
	static char paths[8][100];
	static unsigned turn;
	char *p = paths[turn++ % COUNT(paths)];

	(void)snprintf(p, sizeof paths[0], "%s/%s", folder, name);
	return p;
}

/* Names of files are in the folder; an error is looked for inside of the text. */
static const struct row {
	const char *name;
	struct tls_server_settings s;
	const char *error;
} rows[] = {
	{ "one file", { .certificate = "both.pem" }, NULL },
	{ "two files", { .certificate = "cert.pem", .key = "key.pem" }, NULL },
	{ "the group may read", { .certificate = "cert.pem", .key = "group.pem" }, NULL },
	{ "all may read", { .certificate = "cert.pem", .key = "open.pem" }, "others may read it (mode 644); chmod 640 it" },
	{ "TLSv1.3 alone", { .certificate = "both.pem", .min = TLS_1_3 }, NULL },
	{ "TLSv1.2 alone", { .certificate = "both.pem", .max = TLS_1_2 }, NULL },
	{ "TLSv1.1", { .certificate = "both.pem", .min = TLS_1_1 }, "tls.min: TLSv1 and TLSv1.1 are broken; a server does not offer them" },
	{ "TLSv1.1 as the newest", { .certificate = "both.pem", .max = TLS_1_1 }, "tls.max: tls.min and tls.max together leave no version" },
	{ "none left", { .certificate = "both.pem", .min = TLS_1_3, .max = TLS_1_2 }, "tls.max: tls.min and tls.max together leave no version" },
	{ "ciphers", { .certificate = "both.pem", .ciphers = "ECDHE+AESGCM" }, NULL },
	{ "no ciphers", { .certificate = "both.pem", .ciphers = "NONSENSE" }, "tls.ciphers: OpenSSL knows no cipher of \"NONSENSE\"" },
	{ "no suite", { .certificate = "both.pem", .ciphersuites = "TLS_AES_129_GCM_SHA256" }, "tls.ciphersuites: \"TLS_AES_129_GCM_SHA256\"" },
	{ "authorities", { .certificate = "both.pem", .ca_certificates = "cert.pem" }, NULL },
	{ "no authorities", { .certificate = "both.pem", .ca_certificates = "key.pem" }, "ca_certificates: no certificate (BEGIN CERTIFICATE) in " },
	{ "no certificate", { .key = "key.pem" }, "certificate: a server needs one for TLS" },
	{ "no such file", { .certificate = "none.pem" }, "certificate: " },
	{ "another's key", { .certificate = "cert.pem", .key = "other.pem" }, "key: the key in " },
	{ "no key", { .certificate = "bare.pem" }, "certificate: no private key (BEGIN PRIVATE KEY) that can be used in " },
};

static struct tls_server *get(const struct tls_server_settings *wish, struct err *e)
{
	struct tls_server_settings s = *wish;

	s.certificate = s.certificate ? path(s.certificate) : NULL;
	s.key = s.key ? path(s.key) : NULL;
	s.ca_certificates = s.ca_certificates ? path(s.ca_certificates) : NULL;
	return tls_server_get(contexts, &s, e);
}

static void settings_are_judged(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };
		struct tls_server *t = get(&r->s, &e);

		if (!t != (r->error != NULL) || (r->error && (!strstr(e.text, r->error) || e.kind != ERR_CONFIG || strstr(e.text, "tls.certificate"))))
			fail_msg("%s: %s", r->name, e.text);
		tls_server_put(&t);
		assert_null(t);
	}
}

static void equal_ones_are_one_while_files_stay(void **state)
{
	const struct tls_server_settings s = { .certificate = "cert.pem", .key = "key.pem" };
	const struct tls_server_settings three = { .certificate = "cert.pem", .key = "key.pem", .min = TLS_1_3 };
	struct err e;
	struct tls_server *a = get(&s, &e), *b = get(&s, &e), *kept = tls_server_keep(a), *other_one = get(&three, &e), *c;

	(void)state;
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, other_one);
	pki_write(path("cert.pem"), 0644, &(struct pki_file){ .certs = { self.cert }, .text = "renewed\n" });
	c = get(&s, &e);
	assert_non_null(c);
	assert_ptr_not_equal(a, c);
	pki_write(path("cert.pem"), 0644, &(struct pki_file){ .certs = { other.cert } });
	assert_null(get(&s, &e));		/* half of a renewal: the old one is as it was */
	pki_write(path("cert.pem"), 0644, &(struct pki_file){ .certs = { self.cert } });
	tls_server_put(&a);
	tls_server_put(&b);
	a = get(&s, &e);			/* still held, with the octets of before */
	assert_ptr_equal(a, kept);
	tls_server_put(&a);
	tls_server_put(&kept);
	tls_server_put(&other_one);
	tls_server_put(&c);
	assert_null(tls_server_keep(NULL));
}

static int set_up(void **state)
{
	struct err e;

	(void)state;
	contexts = tls_contexts_new(&e);
	assert_non_null(contexts);
	assert_non_null(mkdtemp(folder));
	pki_make(&self, &(struct pki_wish){ .name = "localhost" });
	pki_make(&other, &(struct pki_wish){ .name = "localhost" });
	pki_write(path("both.pem"), 0600, &(struct pki_file){ .certs = { self.cert }, .key = self.key });
	pki_write(path("cert.pem"), 0644, &(struct pki_file){ .certs = { self.cert } });
	pki_write(path("bare.pem"), 0600, &(struct pki_file){ .certs = { self.cert } });
	pki_write(path("key.pem"), 0600, &(struct pki_file){ .key = self.key });
	pki_write(path("group.pem"), 0640, &(struct pki_file){ .key = self.key });
	pki_write(path("open.pem"), 0644, &(struct pki_file){ .key = self.key });
	pki_write(path("other.pem"), 0600, &(struct pki_file){ .key = other.key });
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "both.pem", "cert.pem", "bare.pem", "key.pem", "group.pem", "open.pem", "other.pem" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i]));
	pki_free(&self);
	pki_free(&other);
	tls_contexts_free(&contexts);
	return rmdir(folder);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_judged),
		cmocka_unit_test(equal_ones_are_one_while_files_stay),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
