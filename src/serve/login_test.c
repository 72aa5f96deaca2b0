/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/login.h"

#include <openssl/pem.h>

#include "net/test_pki.h"
#include "serve/login_fixture.h"
#include "store/domain.h"

static const enum sasl_mech all[] = {
	SASL_USER, SASL_APOP, SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_1, SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS,
};

static bool clear(enum sasl_mech m)
{
	return m == SASL_USER || m == SASL_PLAIN || m == SASL_LOGIN;
}

static bool sha1(enum sasl_mech m)
{
	return m == SASL_SCRAM_SHA_1 || m == SASL_SCRAM_SHA_1_PLUS;
}

static bool recoverable(enum sasl_mech m)
{
	return m == SASL_APOP || m == SASL_CRAM_MD5;
}

/* Can this account's password be proved so? */
static bool can(enum sasl_mech m, const char *user)
{
	if (strcmp(user, "carl") == 0)
		return true;
	return !recoverable(m) && (!sha1(m) || strcmp(user, "sha1") == 0);
}

/* Every mechanism brings in who may come in by it, and nobody else. */
static void every_mechanism_brings_in(void **state)
{
	static const char *const users[] = { "bob", "sha1", "carl", "CARL" };

	(void)state;
	world_begin(NULL);
	for (size_t m = 0; m < COUNT(all); m++)
		for (size_t u = 0; u < COUNT(users); u++) {
			const char *account = u == 3 ? "carl" : users[u];
			struct told t;

			assert_true(login_serves(all[m]));
			t = try(all[m], users[u], "geheim");
			if (t.said != (can(all[m], account) ? LOGIN_SAYS_GOOD : LOGIN_SAYS_WRONG))
				fail_msg("%s as %s: %d, %s", sasl_mech_name(all[m]), users[u], t.said, t.why);
			assert_string_equal(t.user, users[u]);
			if (t.said != LOGIN_SAYS_GOOD)
				continue;
			assert_string_equal(t.account, account);
			assert_string_equal(t.how, !clear(all[m]) ? "proof" : t.hashed ? "hash" : u >= 2 ? "secret" : "cache");
			assert_true(t.limits.quota == ACCOUNT_QUOTA_DEFAULT && t.verified);
		}
	assert_int_equal(w.hashed, 2);		/* bob and sha1, once each */
	assert_false(login_serves(SASL_NTLM) || login_serves(SASL_DIGEST_MD5) || login_serves(SASL_GSSAPI));
	world_end();
}

/* Nobody can tell from words, steps or hashes whether there is such an account, or what it has. */
static void all_that_is_wrong_looks_alike(void **state)
{
	static const struct row { const char *user, *password; } rows[] = {
		{ "bob", "falsch" }, { "carl", "falsch" }, { "carl", "geheimer" }, { "sha1", "Geheim" }, { "nobody", "geheim" }, { "anna", "geheim" },
		{ "nobody@y.example", "x" }, { "chef", "falsch" }, { "a/b#c", "geheim" },
		{ "bob", "$argon2id$v=19$m" }, { "nobody", "$argon2id$v=19$m" },	/* what stands in for a secret that is not kept */
	};
	struct admission_counts c;

	(void)state;
	world_begin(NULL);
	for (size_t m = 0; m < COUNT(all); m++) {
		struct told first = { 0 };

		for (size_t n = 0; n < COUNT(rows); n++) {
			struct told t = try(all[m], rows[n].user, rows[n].password);

			if (n == 0)
				first = t;
			if (t.said != LOGIN_SAYS_WRONG || t.steps != first.steps || t.hashed != first.hashed || t.later != first.later)
				fail_msg("%s as %s: %d after %u steps and %u hashes", sasl_mech_name(all[m]), rows[n].user, t.said, t.steps, t.hashed);
			assert_int_equal(t.hashed, clear(all[m]));
			assert_true(*t.why && !strstr(t.why, rows[n].password) && !*t.account);
		}
	}
	admission_counts(w.admission, &c);
	assert_true(c.failed_logins == COUNT(all) * COUNT(rows) && c.good_logins == 0);
	world_end();
}

static void names_are_resolved(void **state)
{
	static const struct row { const char *user, *at, *account; } rows[] = {
		{ "bob", "203.0.113.7", "bob" }, { "chef", "203.0.113.7", "bob" }, { "Chef", "203.0.113.7", "bob" },
		{ "eva@x.example", "203.0.113.7", "eva@x.example" }, { "eva%x.example", "203.0.113.7", "eva@x.example" },
		{ "eva", "203.0.113.8", "eva@x.example" }, { "eva", "2001:db8::8", "eva@x.example" }, { "eva", "203.0.113.7", NULL }, { "bob", "203.0.113.8", NULL },
	};
	struct domain_info x;

	(void)state;
	world_begin(NULL);
	must(domain_add(w.store, "x.example", &fixture_err) && domain_find(w.store, "x.example", &x, &fixture_err));
	must(account_add(w.store, "eva@x.example", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct told t;

		(void)snprintf(x.address, sizeof x.address, "%s", strchr(r->at, ':') ? r->at : "203.0.113.8");
		x.limits = (struct account_limits){ .quota = 1234, .max_sessions = 3 };
		must(domain_set(w.store, &x, &fixture_err));
		w.at = r->at;
		t = try(SASL_SCRAM_SHA_256, r->user, "geheim");
		assert_int_equal(t.said, r->account ? LOGIN_SAYS_GOOD : LOGIN_SAYS_WRONG);
		assert_string_equal(t.account, r->account ? r->account : "");
		if (r->account && strchr(r->account, '@'))
			assert_true(t.limits.quota == 1234 && t.limits.max_sessions == 3);
		t = try(SASL_USER, r->user, "geheim");
		assert_string_equal(t.account, r->account ? r->account : "");
	}
	world_end();
}

/* One exchange of PLAIN as octets. */
static struct told plain(struct span response)
{
	struct told t = { 0 };
	struct login *x = world_login(SASL_PLAIN);
	unsigned before = w.hashed;

	told_of(&t, world_await(login_step(x, true, response)));
	login_end(&x);
	t.hashed = w.hashed - before;
	return t;
}

static void who_wants_to_be_another_is_refused(void **state)
{
	static const struct row { struct span response; enum login_said said; } rows[] = {
		{ SPAN("\0bob\0geheim"), LOGIN_SAYS_GOOD }, { SPAN("bob\0bob\0geheim"), LOGIN_SAYS_GOOD }, { SPAN("chef\0BOB\0geheim"), LOGIN_SAYS_GOOD },
		{ SPAN("carl\0bob\0geheim"), LOGIN_SAYS_WRONG }, { SPAN("nobody\0bob\0geheim"), LOGIN_SAYS_WRONG }, { SPAN("bob\0bob\0falsch"), LOGIN_SAYS_WRONG },
		{ SPAN("bob\0carl\0geheim"), LOGIN_SAYS_WRONG }, { SPAN("geheim"), LOGIN_SAYS_MALFORMED }, { SPAN("\0\0geheim"), LOGIN_SAYS_MALFORMED },
	};

	(void)state;
	world_begin(NULL);
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct told t = plain(rows[n].response);

		assert_int_equal(t.said, rows[n].said);
		if (t.said == LOGIN_SAYS_WRONG)		/* at the cost of a wrong password, also where one was remembered */
			assert_int_equal(t.hashed, 1);
		if (t.said == LOGIN_SAYS_MALFORMED)
			assert_int_equal(t.hashed, 0);
	}
	world_end();
}

/* Too long, empty, or full of odd octets: wrong, at the same cost. */
static void odd_words_are_wrong(void **state)
{
	char longest[ACCOUNT_PASSWORD_MAX + 9], name[2000];
	struct told t;

	(void)state;
	world_begin(NULL);
	memset(longest, 'x', sizeof longest);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	must(account_add(w.store, "lang", (struct span){ longest, ACCOUNT_PASSWORD_MAX }, 0, &fixture_err));
	t = try_octets(SASL_USER, "lang", (struct span){ longest, ACCOUNT_PASSWORD_MAX });
	assert_int_equal(t.said, LOGIN_SAYS_GOOD);
	t = try_octets(SASL_USER, "lang", (struct span){ longest, ACCOUNT_PASSWORD_MAX + 1 });	/* its beginning is right */
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1);
	t = try_octets(SASL_USER, "bob", (struct span){ 0 });
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1);
	t = try_octets(SASL_USER, "carl", SPAN("geheim\0"));
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1);
	t = try(SASL_USER, name, "geheim");
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1 && strlen(t.user) == LOGIN_USER_TEXT - 1);
	t = try(SASL_USER, "", "geheim");
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1);
	t = try(SASL_USER, "b\xc3\xb6" "b\r\n\xff", "geheim");
	assert_true(t.said == LOGIN_SAYS_WRONG && t.hashed == 1);
	assert_string_equal(t.user, "b\xc3\xb6" "b???");
	world_end();
}

static void malformed_exchanges_are_not_counted(void **state)
{
	static const struct row { enum sasl_mech mech; struct span response; } rows[] = {
		{ SASL_SCRAM_SHA_256, SPAN("") }, { SASL_SCRAM_SHA_256, SPAN("n,,x=bob") }, { SASL_SCRAM_SHA_256, SPAN("p=tls-exporter,,n=bob,r=abc") },
		{ SASL_SCRAM_SHA_256_PLUS, SPAN("p=tls-server-end-point,,n=bob,r=abc") }, { SASL_PLAIN, SPAN("bob") }, { SASL_LOGIN, SPAN("b\0b") },
	};
	struct admission_counts c;
	struct login_who who = { 0 };
	struct err e;

	(void)state;
	world_begin(NULL);
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct login *x = world_login(rows[n].mech);
		const struct login_answer *a = login_step(x, true, rows[n].response);

		assert_non_null(a);
		assert_int_equal(a->said, LOGIN_SAYS_MALFORMED);
		assert_true(a->why.kind == ERR_PEER);
		login_end(&x);
	}
	admission_counts(w.admission, &c);
	assert_int_equal(c.failed_logins, 0);
	assert_null(login_begin(w.logins, &who, SASL_NTLM, &e));
	assert_int_equal(e.kind, ERR_PEER);
	world_end();
}

static struct span certificate(const char *names, char *pem, size_t size)
{
	struct pki p = { 0 };
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	size_t len;

	pki_make(&p, &(struct pki_wish){ .name = "x", .names = names });
	assert_int_equal(PEM_write_bio_X509(b, p.cert), 1);
	len = (size_t)BIO_get_mem_data(b, &at);
	assert_true(len < size);
	memcpy(pem, at, len);
	BIO_free(b);
	pki_free(&p);
	return (struct span){ pem, len };
}

/* Which account a certificate is for is login_certificate_test.c's. */
static void a_certificate_brings_in(void **state)
{
	static char pem[4096], *names = "email:bob@x.example,email:eva@x.example";
	struct admission_counts c;
	struct told t;

	(void)state;
	world_begin(NULL);
	must(account_add(w.store, "bob@x.example", SPAN("x"), 0, &fixture_err) && account_add(w.store, "eva@x.example", SPAN(""), 0, &fixture_err));
	t = try(SASL_EXTERNAL, "bob@x.example", "");	/* none was shown */
	assert_true(t.said == LOGIN_SAYS_WRONG && t.steps == 1);
	w.certificate = certificate(names, pem, sizeof pem);
	t = try(SASL_EXTERNAL, "bob@x.example", "");
	assert_true(t.said == LOGIN_SAYS_GOOD && t.steps == 1 && !t.hashed && !t.later);
	assert_string_equal(t.account, "bob@x.example");
	assert_string_equal(t.how, "certificate");
	t = try(SASL_EXTERNAL, "", "");			/* two accounts, and it did not choose */
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	t = try(SASL_EXTERNAL, "carl", "");
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	t = try(SASL_EXTERNAL, "eva@x.example", "");	/* who cannot log in cannot do so either */
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	w.tls = false;
	t = try(SASL_EXTERNAL, "bob@x.example", "");
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	admission_counts(w.admission, &c);
	assert_true(c.failed_logins == 5 && c.good_logins == 1);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_brings_in),
		cmocka_unit_test(all_that_is_wrong_looks_alike),
		cmocka_unit_test(names_are_resolved),
		cmocka_unit_test(who_wants_to_be_another_is_refused),
		cmocka_unit_test(odd_words_are_wrong),
		cmocka_unit_test(malformed_exchanges_are_not_counted),
		cmocka_unit_test(a_certificate_brings_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
