/* SPDX-License-Identifier: Apache-2.0 */
#include "store/login.h"

#include "store/domain.h"
#include "store/fixture.h"
#include "store/record.h"

static bool all_zero(const uint8_t *at, size_t len)
{
	while (len && !*at)
		at++, len--;
	return !len;
}

/* A real account and a made-up one have the same form, and the made-up one is the same at every try. */
static void who_is_not_there_looks_as_if(void **state)
{
	static const struct row { const char *name; bool there, sha1; size_t secret; } rows[] = {
		{ "bob", true, false, 0 }, { "sha1", true, true, 0 }, { "carl", true, true, 6 },
		{ "anna", false, false, 0 },	/* without a password */
		{ "nobody", false, false, 0 }, { "", false, false, 0 }, { "no\tname@@", false, false, 0 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct account_login first[COUNT(rows)], login;

	(void)state;
	must(account_add(s, "bob", SPAN("geheim"), 0, &fixture_err));
	must(account_add(s, "sha1", SPAN("geheim"), ACCOUNT_SCRAM_SHA1, &fixture_err));
	must(account_add(s, "carl", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	for (int life = 0; life < 2; life++) {
		for (size_t n = 0; n < COUNT(rows); n++) {
			const struct scram_keys *both[] = { &login.sha256, &login.sha1 };

			login_find(s, rows[n].name, &login);
			assert_string_equal(login.name, rows[n].name);
			assert_true(login.there == rows[n].there && login.sha1_there == rows[n].sha1 && login.secret_len == rows[n].secret);
			assert_memory_equal(login.secret, "geheim", rows[n].secret);
			assert_int_equal(verifier_argon_holds(login.verifier, SPAN("geheim")), rows[n].there);
			for (size_t k = 0; k < COUNT(both); k++) {
				size_t size = k ? SCRAM_SHA1_KEY : SCRAM_KEY_MAX;

				assert_int_equal(both[k]->iterations, SCRAM_ITERATIONS);
				assert_false(all_zero(both[k]->salt, SCRAM_SALT) || all_zero(both[k]->stored, size) || all_zero(both[k]->server, size));
				assert_true(all_zero(both[k]->stored + size, SCRAM_KEY_MAX - size));
				assert_memory_not_equal(both[k]->stored, both[k]->server, size);
			}
			if (life)
				assert_memory_equal(&login, &first[n], sizeof login);
			else
				first[n] = login;
		}
		store_close(&s);
		s = fixture_store(directory);
	}
	for (size_t n = 0; n < COUNT(rows); n++)
		for (size_t other = 0; other < n; other++) {
			assert_memory_not_equal(first[n].sha256.salt, first[other].sha256.salt, SCRAM_SALT);
			assert_memory_not_equal(first[n].sha1.salt, first[other].sha1.salt, SCRAM_SALT);
		}
	login_wipe(&login);
	assert_true(all_zero((const uint8_t *)&login, sizeof login));
	store_close(&s);
	fixture_remove(directory);
}

/* Where the key file is another one, the password still works, the secret does not. */
static void a_lost_key_costs_the_secret_alone(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct account_login login;
	char path[128];

	(void)state;
	must(account_add(s, "carl", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	store_close(&s);
	(void)snprintf(path, sizeof path, "%s/secret.key", directory);
	assert_int_equal(unlink(path), 0);
	s = fixture_store(directory);
	login_find(s, "carl", &login);
	assert_true(login.there && login.secret_len == 0 && verifier_argon_holds(login.verifier, SPAN("geheim")));
	must(account_passwd(s, "carl", SPAN("neu"), ACCOUNT_RECOVERABLE, &fixture_err));
	login_find(s, "carl", &login);
	assert_true(login.secret_len == 3 && memcmp(login.secret, "neu", 3) == 0);
	login_wipe(&login);
	store_close(&s);
	fixture_remove(directory);
}

static void limits_come_from_account_then_domain(void **state)
{
	static const struct row { const char *name; uint64_t quota; uint32_t sessions; } rows[] = {
		{ "anna", ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT }, { "a@x.example", 500, ACCOUNT_SESSIONS_DEFAULT },
		{ "b@x.example", 0, 9 }, { "nobody@x.example", 500, ACCOUNT_SESSIONS_DEFAULT }, { "a@y.example", ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct domain_info x;
	struct account_login login;

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && domain_add(s, "y.example", &fixture_err));
	must(domain_find(s, "x.example", &x, &fixture_err));
	x.limits.quota = 500;
	must(domain_set(s, &x, &fixture_err));
	for (size_t n = 1; n < COUNT(rows); n++)
		must(n == 3 || account_add(s, rows[n].name, SPAN("x"), 0, &fixture_err));
	must(account_set(s, "b@x.example", &(struct account_limits){ 0, 9 }, &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		login_find(s, r->name, &login);
		assert_true(login.limits.quota == r->quota && login.limits.max_sessions == r->sessions);
	}
	login_wipe(&login);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_not_there_looks_as_if),
		cmocka_unit_test(a_lost_key_costs_the_secret_alone),
		cmocka_unit_test(limits_come_from_account_then_domain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
