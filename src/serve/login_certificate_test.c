/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/login_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "net/test_pki.h"
#include "store/alias.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/route.h"

/* A certificate's PEM; `cn2` is one more CN, or one in the first one's place when that is "". */
static struct span make(const char *cn, const char *cn2, const char *names, char *out, size_t size)
{
	struct pki p = { 0 };
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	long len;

	pki_make(&p, &(struct pki_wish){ .name = *cn ? cn : "x", .names = names });
	if (cn2) {
		X509_NAME *name = *cn ? X509_NAME_dup(X509_get_subject_name(p.cert)) : X509_NAME_new();

		assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Verein, CN=anna", -1, -1, 0), 1);
		if (*cn2)
			assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn2, -1, -1, 0), 1);
		assert_int_equal(X509_set_subject_name(p.cert, name), 1);
		assert_true(X509_sign(p.cert, p.key, EVP_sha256()) > 0);
		X509_NAME_free(name);
	}
	assert_int_equal(PEM_write_bio_X509(b, p.cert), 1);
	len = BIO_get_mem_data(b, &at);
	assert_true(len > 0 && (size_t)len < size);
	memcpy(out, at, (size_t)len);
	BIO_free(b);
	pki_free(&p);
	return (struct span){ out, (size_t)len };
}

static void who_it_is_for(void **state)
{
	static const struct row { const char *cn, *cn2, *names, *authzid, *want; } rows[] = {
		/* The CN alone; a bare name belongs to the address's domain, here x.example. */
		{ "anna", NULL, NULL, "", "anna@x.example" }, { "anna@x.example", NULL, NULL, "", "anna@x.example" },
		{ "ANNA", NULL, NULL, "anna", "anna@x.example" }, { "nobody", NULL, NULL, "", NULL }, { "anna", NULL, NULL, "bob", NULL },
		{ "anna", NULL, NULL, "nobody", NULL }, { "anna", "", NULL, "", "anna@x.example" },
		{ "anna", "bob", NULL, "", NULL }, { "anna", "anna", NULL, "", NULL }, { "", "bob", NULL, "", "bob@x.example" },
		{ "", "", NULL, "", NULL }, { "anna,bob", NULL, NULL, "", NULL }, { "anna\\", NULL, NULL, "", NULL }, { " anna", NULL, NULL, "", NULL },
		{ "Anna Muster", NULL, NULL, "", NULL },
		/* Only in the form that accounts have: wide letters, and a soft hyphen, may be somebody else's. */
		{ "", "\xef\xbd\x81nna", NULL, "", NULL }, { "", "an\xc2\xadna", NULL, "", NULL }, { "", "anna", NULL, "\xef\xbd\x81nna", "anna@x.example" },
		/* E-mail addresses go before it, whatever they mean; other names do not count. */
		{ "anna", NULL, "email:bob@x.example", "", "bob@x.example" }, { "anna", NULL, "email:bob@x.example", "anna", NULL },
		{ "anna", NULL, "email:nobody@x.example", "", NULL }, { "anna", NULL, "DNS:bob.x.example,URI:mailto:bob@x.example", "", "anna@x.example" },
		{ "anna", NULL, "email:BOB@X.example", "bob", "bob@x.example" }, { "anna", NULL, "email:bob", "", NULL },
		/* Several: one account, or the client chooses. */
		{ "x", NULL, "email:anna@x.example,email:bob@x.example", "", NULL },
		{ "x", NULL, "email:anna@x.example,email:bob@x.example", "bob", "bob@x.example" },
		{ "x", NULL, "email:anna@x.example,email:bob@x.example", "anna%x.example", "anna@x.example" },
		{ "x", NULL, "email:anna@x.example,email:bob@x.example", "carl", NULL },
		{ "x", NULL, "email:anna@x.example,email:nobody@x.example", "", NULL },
		{ "x", NULL, "email:anna@x.example,email:nobody@x.example", "anna", "anna@x.example" },
		{ "x", NULL, "email:anna@x.example,email:nobody@x.example", "nobody", NULL },
		{ "x", NULL, "email:anna@x.example,email:chefin@x.example", "", "anna@x.example" },
		{ "x", NULL, "email:chefin@x.example", "", "anna@x.example" }, { "x", NULL, "email:chefin@x.example", "anna", "anna@x.example" },
		/* The route of one address is as good as an alias; that of a domain is for who has the account's own certificate. */
		{ "x", NULL, "email:one@y.example", "", "anna@x.example" }, { "x", NULL, "email:abcdef@client1.com", "", NULL },
		{ "x", NULL, "email:abcdef@client1.com", "anna", NULL }, { "x", NULL, "email:abcdef@client1.com", "abcdef@client1.com", NULL },
		{ "x", NULL, "email:*@client1.com", "", NULL }, { "x", NULL, "email:*@client1.com", "*@client1.com", NULL },
		{ "anna", NULL, NULL, "abcdef@client1.com", "anna@x.example" }, { "bob", NULL, NULL, "abcdef@client1.com", NULL },
		/* What it says of a mailbox is another question. */
		{ "anna", NULL, NULL, "lists/info#anna", "anna@x.example" }, { "anna", NULL, NULL, "~bob/INBOX#anna", "anna@x.example" },
		{ "anna", NULL, NULL, "~anna/INBOX#bob", NULL }, { "anna", NULL, NULL, "#anna", NULL }, { "anna", NULL, NULL, "~bob#anna", NULL },
		{ "anna", NULL, NULL, "anna#", NULL }, { "box#anna", NULL, NULL, "", NULL }, { "x", NULL, "email:box#anna@x.example", "", NULL },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && account_add(s, "anna@x.example", SPAN("x"), 0, &fixture_err));
	must(account_add(s, "bob@x.example", SPAN("x"), 0, &fixture_err) && account_add(s, "carl@x.example", SPAN("x"), 0, &fixture_err));
	must(alias_add(s, "chefin@x.example", "anna@x.example", &fixture_err));
	must(route_add(s, "*@client1.com", "anna@x.example", ACCOUNT_ANY_DOMAIN, &fixture_err));
	must(route_add(s, "one@y.example", "anna@x.example", ACCOUNT_ANY_DOMAIN, &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char pem[4096], name[ACCOUNT_NAME_MAX + 1];
		struct login_certificate c = { .authzid = span_of(r->authzid), .main_domain = "main.example", .local_domain = "x.example" };
		struct err e = { 0 };
		bool good;

		c.pem = make(r->cn, r->cn2, r->names, pem, sizeof pem);
		good = login_certificate(s, &c, name, &e);
		if (good != !!r->want || (good && strcmp(name, r->want) != 0))
			fail_msg("row %zu: %s, %s: %s", (size_t)(r - rows), good ? "good" : "refused", name, e.text);
		if (!good)
			assert_int_equal(e.kind, ERR_AUTH);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void without_one_nobody_comes_in(void **state)
{
	static const struct row { struct span pem; enum err_kind kind; } rows[] = {
		{ { 0 }, ERR_AUTH }, { { "anna", 4 }, ERR_PEER },
		{ { "-----BEGIN CERTIFICATE-----\nYW5uYQ==\n-----END CERTIFICATE-----\n", 63 }, ERR_PEER },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct login_certificate c = { .pem = r->pem, .authzid = SPAN("anna") };
		char name[ACCOUNT_NAME_MAX + 1] = "?";
		struct err e = { 0 };

		assert_false(login_certificate(s, &c, name, &e));
		assert_int_equal(e.kind, r->kind);
		assert_string_equal(name, "");
	}
	store_close(&s);
	fixture_remove(directory);
}

/* A subject so long that its text is cut says nothing: who knows what stood behind. */
static void a_long_subject_is_none(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char pem[8192], name[ACCOUNT_NAME_MAX + 1];
	struct login_certificate c = { 0 };
	struct pki p = { 0 };
	struct err e;

	(void)state;
	for (int n = 0; n < 2; n++) {
		X509_NAME *subject = X509_NAME_new();
		BIO *b = BIO_new(BIO_s_mem());
		char *at, unit[65];

		memset(unit, 'u', 64);
		unit[64] = '\0';
		pki_make(&p, &(struct pki_wish){ .name = "x" });
		for (int i = 0; i < (n ? 9 : 1); i++)
			assert_int_equal(X509_NAME_add_entry_by_txt(subject, "OU", MBSTRING_UTF8, (const unsigned char *)unit, -1, -1, 0), 1);
		assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)"anna", -1, -1, 0), 1);
		assert_true(X509_set_subject_name(p.cert, subject) == 1 && X509_sign(p.cert, p.key, EVP_sha256()) > 0);
		assert_int_equal(PEM_write_bio_X509(b, p.cert), 1);
		c.pem.len = (size_t)BIO_get_mem_data(b, &at);
		assert_true(c.pem.len < sizeof pem);
		c.pem.at = memcpy(pem, at, c.pem.len);
		assert_int_equal(login_certificate(s, &c, name, &e), !n);
		BIO_free(b);
		X509_NAME_free(subject);
		pki_free(&p);
	}
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_it_is_for),
		cmocka_unit_test(without_one_nobody_comes_in),
		cmocka_unit_test(a_long_subject_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
