/* SPDX-License-Identifier: Apache-2.0 */
#include "store/domain.h"

#include "store/alias.h"
#include "store/fixture.h"
#include "store/record.h"

static void a_name_is_checked_and_folded(void **state)
{
	static const struct row { const char *given, *want; } rows[] = {
		{ "client1.com", "client1.com" }, { "Client2.COM", "client2.com" }, { "localhost", "localhost" }, { "m\xc3\xbcller.example", "m\xc3\xbcller.example" },
		{ "", NULL }, { ".", NULL }, { "a..b", NULL }, { ".a", NULL }, { "a.", NULL }, { "a b", NULL }, { "a@b", NULL }, { "a/b", NULL }, { "a%b", NULL }, { "a#b", NULL },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct domain_info info = { .name = "" };
	char huge[400];

	(void)state;
	memset(huge, 'x', sizeof huge);
	for (size_t len = 255; len < 258; len++) {
		huge[len] = '\0';
		assert_int_equal(domain_add(s, huge, &fixture_err), len == 255);
		huge[len] = 'x';
	}
	huge[255] = '\0';
	must(domain_remove(s, huge, &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		if (domain_add(s, r->given, &fixture_err) != (r->want != NULL))
			fail_msg("%s", r->given);
		if (r->want) {
			must(domain_find(s, r->given, &info, &fixture_err));
			assert_string_equal(info.name, r->want);
			assert_true(info.made > 1600000000 && info.limits.quota == ACCOUNT_QUOTA_DEFAULT && !info.accounts && !*info.address);
			assert_false(domain_add(s, r->given, &fixture_err));
		}
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
	}
	info.name[0] = '\0';
	for (int n = 0; n < 4; n++)
		assert_true(domain_each(s, &info));
	assert_false(domain_each(s, &info));
	store_close(&s);
	fixture_remove(directory);
}

static void with_the_first_domain_others_are_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	must(account_add(s, "a@old.example", SPAN(""), 0, &fixture_err));
	must(domain_add(s, "new.example", &fixture_err));
	assert_false(account_add(s, "b@old.example", SPAN(""), 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "postrider domain add old.example"));
	assert_false(alias_add(s, "info@old.example", "anna", &fixture_err));
	must(account_add(s, "b@old.example", SPAN(""), ACCOUNT_ANY_DOMAIN, &fixture_err));	/* the main domain */
	must(account_add(s, "b@new.example", SPAN(""), 0, &fixture_err));
	must(account_add(s, "bare", SPAN(""), 0, &fixture_err));
	must(account_passwd(s, "a@old.example", SPAN("x"), 0, &fixture_err));		/* what is there stays */
	store_close(&s);
	fixture_remove(directory);
}

static void a_domain_with_accounts_stays(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct domain_info info;

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && domain_add(s, "not.x.example", &fixture_err));
	must(account_add(s, "a@x.example", SPAN(""), 0, &fixture_err) && account_add(s, "b@not.x.example", SPAN(""), 0, &fixture_err));
	must(alias_add(s, "c@x.example", "anna", &fixture_err));
	assert_false(domain_remove(s, "x.example", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "1 accounts, 1 aliases and 0 routes"));
	must(domain_find(s, "x.example", &info, &fixture_err));
	assert_int_equal(info.accounts, 1);
	must(account_remove(s, "a@x.example", false, 1, &fixture_err));
	assert_false(domain_remove(s, "x.example", &fixture_err));
	must(alias_remove(s, "c@x.example", &fixture_err));
	must(domain_remove(s, "X.example", &fixture_err));
	assert_false(domain_remove(s, "x.example", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "postrider domain add"));
	store_close(&s);
	fixture_remove(directory);
}

static void an_address_has_one_domain(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct domain_info a, b;
	char name[DOMAIN_NAME_MAX + 1];

	(void)state;
	must(domain_add(s, "a.example", &fixture_err) && domain_add(s, "b.example", &fixture_err));
	must(domain_find(s, "a.example", &a, &fixture_err) && domain_find(s, "b.example", &b, &fixture_err));
	(void)snprintf(a.address, sizeof a.address, "192.0.2.1");
	memcpy(b.address, a.address, sizeof b.address);
	b.limits.max_sessions = 4;
	must(domain_set(s, &a, &fixture_err));
	must(domain_set(s, &a, &fixture_err));
	assert_false(domain_set(s, &b, &fixture_err));
	domain_of_address(s, "192.0.2.1", name);
	assert_string_equal(name, "a.example");
	(void)snprintf(a.address, sizeof a.address, "2001:db8::1");
	must(domain_set(s, &a, &fixture_err) && domain_set(s, &b, &fixture_err));
	store_close(&s);
	s = fixture_store(directory);
	domain_of_address(s, "192.0.2.1", name);
	assert_string_equal(name, "b.example");
	must(domain_find(s, "b.example", &b, &fixture_err));
	assert_true(b.limits.max_sessions == 4 && strcmp(b.address, "192.0.2.1") == 0);
	must(domain_remove(s, "a.example", &fixture_err));
	domain_of_address(s, "2001:db8::1", name);
	assert_string_equal(name, "");
	domain_of_address(s, "", name);
	assert_string_equal(name, "");
	store_close(&s);
	fixture_remove(directory);
}

static void a_damaged_domain_is_not_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct batch *b = batch_new(record_part());
	struct account_limits limits = { ACCOUNT_QUOTA_DEFAULT, 1 };
	struct domain_info info = { .name = "" };
	char key[RECORD_KEY];

	(void)state;
	must(domain_add(s, "good.example", &fixture_err));
	assert_true(batch_put(b, record_key(key, 'd', "bad.example"), SPAN("?")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	domain_limits(s, "x@bad.example", &limits);
	assert_true(limits.quota == ACCOUNT_QUOTA_DEFAULT && limits.max_sessions == 1);
	assert_true(domain_each(s, &info) && strcmp(info.name, "good.example") == 0);
	assert_false(domain_each(s, &info));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_checked_and_folded),
		cmocka_unit_test(with_the_first_domain_others_are_refused),
		cmocka_unit_test(a_domain_with_accounts_stays),
		cmocka_unit_test(an_address_has_one_domain),
		cmocka_unit_test(a_damaged_domain_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
