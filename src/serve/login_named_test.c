/* SPDX-License-Identifier: Apache-2.0
 *
 * What a name says besides an account comes through the login, by every mechanism, and lets nobody in. */
#include <openssl/pem.h>

#include "net/test_pki.h"
#include "serve/login_fixture.h"
#include "store/route.h"

static const enum sasl_mech all[] = {
	SASL_USER, SASL_APOP, SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_1, SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS,
};

static void begin(void)
{
	world_begin(NULL);
	must(alias_add(w.store, "chef@client1.com", "carl", &fixture_err));
	must(route_add(w.store, "info@client1.com", "carl", 0, &fixture_err) && route_add(w.store, "*@client1.com", "carl", 0, &fixture_err));
}

static void fits(const struct told *t, const char *given, const char *owner, const char *box, const char *account, const char *routed)
{
	if (t->said != LOGIN_SAYS_GOOD || strcmp(t->owner, owner) != 0 || strcmp(t->box, box) != 0 || strcmp(t->account, account) != 0 ||
	    strcmp(t->routed, routed) != 0)
		fail_msg("%s: %d account %s owner %s box %s routed %s: %s", given, t->said, t->account, t->owner, t->box, t->routed, t->why);
	assert_string_equal(t->user, given);
}

static void every_mechanism_takes_names_apart(void **state)
{
	static const struct row { const char *given, *owner, *box, *account, *routed; } rows[] = {
		{ "carl", "", "", "carl", "" },
		{ "private#carl", "", "private", "carl", "" },
		{ "lists/info#CARL", "", "lists/info", "carl", "" },
		{ "lists/info#chef@client1.com", "", "lists/info", "carl", "" },
		{ "~public/announces#carl", "public", "announces", "carl", "" },
		{ "~nobody@x.example/a#b#carl", "nobody@x.example", "a#b", "carl", "" },	/* whether it is there is not asked before */
		{ "info@client1.com", "", "", "carl", "" },
		{ "abcdef@client1.com", "", "", "carl", "abcdef@client1.com" },
		{ "lists/info#ABCdef%client1.com", "", "lists/info", "carl", "abcdef@client1.com" },
	};

	(void)state;
	begin();
	for (size_t m = 0; m < COUNT(all); m++)
		for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
			struct told t = try(all[m], r->given, "geheim");

			fits(&t, r->given, r->owner, r->box, r->account, r->routed);
			assert_true(t.verified);
			t = try(all[m], r->given, "falsch");
			assert_int_equal(t.said, LOGIN_SAYS_WRONG);
		}
	world_end();
}

/* In steps, hashes and words like a name that is nobody's; it is nobody's. */
static void what_is_malformed_is_wrong(void **state)
{
	static const char *const names[] = { "nobody", "#carl", "carl#", "~carl", "~bob#carl", "~/box#carl", "~bob/#carl", "~bob/INBOX", "bob/x#carl/y" };

	(void)state;
	begin();
	for (size_t m = 0; m < COUNT(all); m++) {
		struct told first = try(all[m], names[0], "geheim");

		assert_int_equal(first.said, LOGIN_SAYS_WRONG);
		for (size_t n = 1; n < COUNT(names); n++) {
			struct told t = try(all[m], names[n], "geheim");

			if (t.said != first.said || t.steps != first.steps || t.hashed != first.hashed || t.later != first.later || strcmp(t.why, first.why) != 0)
				fail_msg("%s %s: %d after %u steps, %u hashes: %s", sasl_mech_name(all[m]), names[n], t.said, t.steps, t.hashed, t.why);
			assert_true(!*t.account && !*t.routed);
		}
	}
	world_end();
}

/* The cache knows the account, whatever is named with it; and no mailbox is remembered. */
static void what_was_remembered_is_the_account(void **state)
{
	struct told t;

	(void)state;
	begin();
	t = try(SASL_USER, "bob", "geheim");
	assert_how(t, "hash", 1);
	t = try(SASL_USER, "~carl/private#bob", "geheim");
	assert_how(t, "cache", 0);
	fits(&t, "~carl/private#bob", "carl", "private", "bob", "");
	t = try(SASL_PLAIN, "bob", "geheim");
	assert_how(t, "cache", 0);
	fits(&t, "bob", "", "", "bob", "");
	t = try(SASL_USER, "~bob/private#carl", "falsch");
	assert_wrong(t);
	world_end();
}

/* Nobody's password is another's by way of whose mailbox is named. */
static void the_owner_lets_nobody_in(void **state)
{
	struct told t;

	(void)state;
	begin();
	must(account_passwd(w.store, "bob", SPAN("bobs"), ACCOUNT_RECOVERABLE, &fixture_err));
	for (size_t m = 0; m < COUNT(all); m++) {
		t = try(all[m], "~bob/INBOX#carl", "bobs");
		assert_int_equal(t.said, LOGIN_SAYS_WRONG);
		t = try(all[m], "~bob/INBOX#carl", "geheim");
		fits(&t, "~bob/INBOX#carl", "bob", "INBOX", "carl", "");
	}
	world_end();
}

static struct told exchange(enum sasl_mech mech, struct span response)
{
	struct told t = { 0 };
	struct login *x = world_login(mech);

	told_of(&t, world_await(login_step(x, true, response)));
	login_end(&x);
	return t;
}

/* Who acts as somebody: that name says it all. */
static void an_authorization_identity_says_which(void **state)
{
	static const struct row { struct span response; const char *given, *owner, *box, *routed; } rows[] = {
		{ SPAN("carl\0private#carl\0geheim"), "private#carl", "", "", "" },
		{ SPAN("private#carl\0carl\0geheim"), "carl", "", "private", "" },
		{ SPAN("~bob/x#CARL\0~bob/y#carl\0geheim"), "~bob/y#carl", "bob", "x", "" },
		{ SPAN("abcdef@client1.com\0carl\0geheim"), "carl", "", "", "abcdef@client1.com" },
		{ SPAN("carl\0abcdef@client1.com\0geheim"), "abcdef@client1.com", "", "", "" },
		{ SPAN("\0abcdef@client1.com\0geheim"), "abcdef@client1.com", "", "", "abcdef@client1.com" },
		{ SPAN("#carl\0carl\0geheim"), "carl", NULL, NULL, NULL },
		{ SPAN("private#bob\0carl\0geheim"), "carl", NULL, NULL, NULL },
		{ SPAN("private#carl\0bob\0geheim"), "bob", NULL, NULL, NULL },
		{ SPAN("abcdef@client1.com\0bob\0geheim"), "bob", NULL, NULL, NULL },
	};

	(void)state;
	begin();
	for (int again = 0; again < 2; again++)
		for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
			struct told t = exchange(SASL_PLAIN, r->response);

			if (r->owner)
				fits(&t, r->given, r->owner, r->box, "carl", r->routed);
			else
				assert_int_equal(t.said, LOGIN_SAYS_WRONG);
		}
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

static void so_does_a_certificates(void **state)
{
	static char pem[4096];
	struct told t;

	(void)state;
	begin();
	must(alias_add(w.store, "carl@x.example", "carl", &fixture_err));
	w.certificate = certificate("email:carl@x.example", pem, sizeof pem);
	t = exchange(SASL_EXTERNAL, SPAN(""));
	fits(&t, "carl", "", "", "carl", "");
	t = exchange(SASL_EXTERNAL, SPAN("~bob/lists/info#carl"));
	fits(&t, "carl", "bob", "lists/info", "carl", "");
	t = exchange(SASL_EXTERNAL, SPAN("abcdef@client1.com"));
	fits(&t, "carl", "", "", "carl", "abcdef@client1.com");
	assert_int_equal(exchange(SASL_EXTERNAL, SPAN("#carl")).said, LOGIN_SAYS_WRONG);
	assert_int_equal(exchange(SASL_EXTERNAL, SPAN("carl#bob")).said, LOGIN_SAYS_WRONG);
	w.certificate = certificate("email:abcdef@client1.com", pem, sizeof pem);
	assert_int_equal(exchange(SASL_EXTERNAL, SPAN("")).said, LOGIN_SAYS_WRONG);
	assert_int_equal(exchange(SASL_EXTERNAL, SPAN("carl")).said, LOGIN_SAYS_WRONG);
	world_end();
}

/* As long as a name can be, and one octet longer. */
static void long_names(void **state)
{
	char name[NAMED_MAX + 2], account[ACCOUNT_NAME_MAX + 1], *octets = fixture_octets(ACCOUNT_NAME_MAX + 1);
	struct told t;

	(void)state;
	begin();
	(void)snprintf(account, sizeof account, "%.*s", ACCOUNT_NAME_MAX, octets);
	must(account_add(w.store, account, SPAN("geheim"), 0, &fixture_err));
	for (int more = 0; more < 4; more++) {
		(void)snprintf(name, sizeof name, "~%.*s/%.*s#%.*s", ACCOUNT_NAME_MAX - (more != 0) + (more == 1), octets, MAILBOX_NAME_MAX + (more == 1),
			octets, ACCOUNT_NAME_MAX + (more == 2), octets);
		t = try(SASL_USER, name, "geheim");
		assert_int_equal(t.said, more == 0 || more == 3 ? LOGIN_SAYS_GOOD : LOGIN_SAYS_WRONG);
		if (t.said == LOGIN_SAYS_GOOD)
			assert_true(strlen(t.box) == MAILBOX_NAME_MAX && strcmp(t.account, account) == 0);
	}
	free(octets);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_takes_names_apart), cmocka_unit_test(what_is_malformed_is_wrong),
		cmocka_unit_test(what_was_remembered_is_the_account), cmocka_unit_test(the_owner_lets_nobody_in),
		cmocka_unit_test(an_authorization_identity_says_which), cmocka_unit_test(so_does_a_certificates), cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
