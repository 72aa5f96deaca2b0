/* SPDX-License-Identifier: Apache-2.0
 *
 * What a password costs when it was right a moment ago, and what the cache must not do. */
#include "serve/login_fixture.h"

static void a_right_password_is_remembered(void **state)
{
	(void)state;
	world_begin(NULL);
	assert_how(try(SASL_USER, "bob", "geheim"), "hash", 1);
	assert_how(try(SASL_USER, "bob", "geheim"), "cache", 0);
	assert_how(try(SASL_PLAIN, "bob", "geheim"), "cache", 0);
	assert_how(try(SASL_LOGIN, "chef", "geheim"), "cache", 0);	/* it is the account that counts */
	assert_false(try(SASL_USER, "bob", "geheim").later);
	/* Not for others who have the same one, nor for another password, nor are wrong ones kept. */
	assert_how(try(SASL_USER, "sha1", "geheim"), "hash", 1);
	for (int n = 0; n < 2; n++) {
		assert_wrong(try(SASL_USER, "bob", "geheim "));
		assert_wrong(try(SASL_USER, "anna", "geheim"));
		assert_wrong(try(SASL_USER, "nobody", "geheim"));
	}
	/* A recoverable one needs no memory; wrong, it costs what others cost. */
	assert_how(try(SASL_USER, "carl", "geheim"), "secret", 0);
	assert_how(try(SASL_USER, "carl", "geheim"), "secret", 0);
	assert_wrong(try(SASL_USER, "carl", "gehein"));
	world_end();
}

static void what_changed_is_not_remembered(void **state)
{
	(void)state;
	world_begin(NULL);
	assert_how(try(SASL_USER, "bob", "geheim"), "hash", 1);
	/* Another password: the old one is wrong, the new one is looked at. */
	must(account_passwd(w.store, "bob", SPAN("neu"), 0, &fixture_err));
	assert_wrong(try(SASL_USER, "bob", "geheim"));
	assert_how(try(SASL_USER, "bob", "neu"), "hash", 1);
	/* The same one, set anew, and the first one again. */
	must(account_passwd(w.store, "bob", SPAN("neu"), 0, &fixture_err));
	assert_how(try(SASL_USER, "bob", "neu"), "hash", 1);
	must(account_passwd(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
	assert_how(try(SASL_USER, "bob", "geheim"), "hash", 1);
	/* None. */
	must(account_passwd(w.store, "bob", SPAN(""), 0, &fixture_err));
	assert_wrong(try(SASL_USER, "bob", "geheim"));
	/* Removed, with its alias, and made again. */
	must(account_passwd(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
	assert_how(try(SASL_USER, "chef", "geheim"), "hash", 1);
	must(account_remove(w.store, "bob", true, 1000, &fixture_err));
	assert_wrong(try(SASL_USER, "bob", "geheim"));
	assert_wrong(try(SASL_USER, "chef", "geheim"));
	must(account_add(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
	assert_wrong(try(SASL_USER, "chef", "geheim"));
	assert_how(try(SASL_USER, "bob", "geheim"), "hash", 1);
	/* The alias is another's now. */
	must(alias_add(w.store, "chef", "sha1", &fixture_err) && account_passwd(w.store, "sha1", SPAN("anders"), 0, &fixture_err));
	assert_wrong(try(SASL_USER, "chef", "geheim"));
	assert_how(try(SASL_USER, "chef", "anders"), "hash", 1);
	assert_string_equal(try(SASL_USER, "chef", "anders").account, "sha1");
	must(alias_remove(w.store, "chef", &fixture_err));
	assert_wrong(try(SASL_USER, "chef", "anders"));
	/* Recoverable, then no longer. */
	must(account_passwd(w.store, "carl", SPAN("neu"), 0, &fixture_err));
	assert_wrong(try(SASL_USER, "carl", "geheim"));
	assert_how(try(SASL_USER, "carl", "neu"), "hash", 1);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_password_is_remembered),
		cmocka_unit_test(what_changed_is_not_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
