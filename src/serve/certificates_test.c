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
#include "serve/certificates.h"

static char folder[] = "/tmp/certificates_test.XXXXXX";
static const char *const names[] = { "both.pem", "cert.pem", "key.pem", "open.pem", "other.pem" };
static struct tls_contexts *contexts;

static const char *path(const char *name)
{
	static char paths[8][100];
	static unsigned turn;
	char *p = paths[turn++ % COUNT(paths)];

	(void)snprintf(p, sizeof paths[0], "%s/%s", folder, name);
	return p;
}

static const struct row {
	const char *certificate, *key, *ca;
	struct pop3_tls_keys tls;
	const char *error;	/* how it begins; NULL = none */
} rows[] = {
	{ "both.pem", NULL, NULL, { 0 }, NULL },
	{ "cert.pem", "key.pem", "cert.pem", { VERSION_TLS_1_3, VERSION_NOT_SET, NULL, NULL }, NULL },
	{ NULL, NULL, NULL, { 0 }, NULL },
	{ "none.pem", NULL, NULL, { 0 }, "p.conf:7: certificate: " },
	{ "cert.pem", "none.pem", NULL, { 0 }, "p.conf:7: key: " },
	{ "cert.pem", "open.pem", NULL, { 0 }, "p.conf:7: key: " },
	{ "cert.pem", "other.pem", NULL, { 0 }, "p.conf:7: key: the key in " },
	{ "both.pem", NULL, "key.pem", { 0 }, "p.conf:7: ca_certificates: no certificate " },
	{ "both.pem", NULL, NULL, { .ciphers = "NONSENSE" }, "p.conf:7: tls.ciphers: OpenSSL knows no cipher of \"NONSENSE\"" },
	{ "both.pem", NULL, NULL, { VERSION_TLS_1_3, VERSION_TLS_1_2, NULL, NULL }, "p.conf:7: tls.max: " },
};

static struct pop3_settings settings_of(const struct row *r)
{
	return (struct pop3_settings){
		.where = { "p.conf", 7 }, .tls = r->tls,
		.certificate = r->certificate ? path(r->certificate) : NULL, .key = r->key ? path(r->key) : NULL,
		.ca_certificates = r->ca ? path(r->ca) : NULL,
	};
}

static void files_are_opened(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct pop3_settings p = settings_of(r);
		struct tls_server *server;
		struct err e = { 0 }, of_check = { 0 };
		bool good = certificates_get(contexts, &p, &server, &e);

		assert_int_equal(certificates_check(&p, &of_check), good);
		assert_string_equal(of_check.text, e.text);
		assert_int_equal(good, !r->error);
		assert_true(!server == (r->error || !r->certificate));
		if (r->error && strncmp(e.text, r->error, strlen(r->error)) != 0)
			fail_msg("%s", e.text);
		if (r->error)
			assert_int_equal(e.kind, ERR_CONFIG);
		tls_server_put(&server);
	}
}

/* A reload that changes nothing keeps the context, and its tickets. */
static void the_same_again_is_the_same(void **state)
{
	struct pop3_settings p = settings_of(&rows[0]);
	struct tls_server *first, *second;
	struct err e;

	(void)state;
	assert_true(certificates_get(contexts, &p, &first, &e));
	assert_true(certificates_get(contexts, &p, &second, &e));
	assert_ptr_equal(first, second);
	tls_server_put(&first);
	tls_server_put(&second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_opened),
		cmocka_unit_test(the_same_again_is_the_same),
	};
	struct pki self = { 0 }, other = { 0 };
	struct err e;
	int failed;

	contexts = tls_contexts_new(&e);
	if (!contexts || !mkdtemp(folder))
		return 1;
	pki_make(&self, &(struct pki_wish){ .name = "mail.example.org", .names = "DNS:mail.example.org" });
	pki_make(&other, &(struct pki_wish){ .name = "other.example.org" });
	pki_write(path("both.pem"), 0600, &(struct pki_file){ .certs = { self.cert }, .key = self.key });
	pki_write(path("cert.pem"), 0644, &(struct pki_file){ .certs = { self.cert } });
	pki_write(path("key.pem"), 0640, &(struct pki_file){ .key = self.key });
	pki_write(path("open.pem"), 0644, &(struct pki_file){ .key = self.key });
	pki_write(path("other.pem"), 0600, &(struct pki_file){ .key = other.key });
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < COUNT(names); i++)
		(void)unlink(path(names[i]));
	(void)rmdir(folder);
	pki_free(&self);
	pki_free(&other);
	tls_contexts_free(&contexts);
	return failed;
}
