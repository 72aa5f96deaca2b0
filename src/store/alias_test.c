/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alias.h"

#include "store/fixture.h"

static void an_alias_leads_to_an_account(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char address[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1];

	(void)state;
	must(account_add(s, "bob@x.example", SPAN(""), 0, &fixture_err));
	assert_false(alias_each(s, address, account));
	must(alias_add(s, "Info@x.example", "Anna", &fixture_err));
	must(alias_add(s, "b", "bob@x.example", &fixture_err));
	assert_false(alias_add(s, "info@x.example", "bob@x.example", &fixture_err));	/* has one */
	assert_false(alias_add(s, "anna", "bob@x.example", &fixture_err));		/* is an account */
	assert_false(alias_add(s, "c", "nobody", &fixture_err));
	assert_false(alias_add(s, "c", "b", &fixture_err));				/* no alias of an alias */
	assert_false(alias_add(s, "c d", "anna", &fixture_err));
	assert_false(account_add(s, "b", SPAN(""), 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "alias"));
	assert_true(alias_each(s, address, account) && strcmp(address, "b") == 0 && strcmp(account, "bob@x.example") == 0);
	assert_true(alias_each(s, address, account) && strcmp(address, "info@x.example") == 0 && strcmp(account, "anna") == 0);
	assert_false(alias_each(s, address, account));
	must(alias_remove(s, "INFO@x.example", &fixture_err));
	assert_false(alias_remove(s, "info@x.example", &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

static void who_logs_in_is_resolved(void **state)
{
	static const struct row { struct span given; const char *main, *local, *want; bool there; } rows[] = {
		{ SPAN("anna"), NULL, NULL, "anna", true },
		{ SPAN("ANNA"), "", "", "anna", true },
		{ SPAN("anna@main.example"), NULL, NULL, "anna@main.example", true },
		{ SPAN("anna%main.example"), NULL, "local.example", "anna@main.example", true },
		{ SPAN("Anna%Main.Example"), "local.example", NULL, "anna@main.example", true },
		{ SPAN("anna"), "main.example", NULL, "anna@main.example", true },
		{ SPAN("anna"), "main.example", "local.example", "anna@local.example", true },
		{ SPAN("bob"), "main.example", "local.example", "bob@local.example", false },	/* not the main domain's bob */
		{ SPAN("bob"), "main.example", NULL, "bob@main.example", true },
		{ SPAN("info"), "main.example", NULL, "bob@main.example", true },		/* an alias */
		{ SPAN("info%main.example"), NULL, NULL, "bob@main.example", true },
		{ SPAN("INFO@main.example"), NULL, NULL, "bob@main.example", true },
		{ SPAN("old"), NULL, NULL, "anna@local.example", true },
		{ SPAN("nobody@main.example"), NULL, NULL, "nobody@main.example", false },
		{ SPAN(""), NULL, NULL, "", false }, { SPAN(""), "main.example", NULL, "", false },
		{ SPAN("anna\0"), NULL, NULL, "anna", false }, { SPAN("an\0na"), NULL, NULL, "an", false },
		{ SPAN("a%b@main.example"), NULL, NULL, "a%b@main.example", false },	/* only where there is no @ */
		{ SPAN("a%b%main.example"), NULL, NULL, "a%b@main.example", false },
		{ SPAN("anna/INBOX"), NULL, NULL, "anna/INBOX", false }, { SPAN("~anna"), NULL, NULL, "~anna", false },
		{ SPAN(" anna"), NULL, NULL, " anna", false }, { SPAN("@"), NULL, NULL, "@", false }, { SPAN("%"), NULL, NULL, "@", false },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char out[ACCOUNT_NAME_MAX + 1], *octets = fixture_octets(1000);

	(void)state;
	must(account_add(s, "anna@main.example", SPAN(""), 0, &fixture_err) && account_add(s, "anna@local.example", SPAN(""), 0, &fixture_err) &&
		account_add(s, "bob@main.example", SPAN(""), 0, &fixture_err));
	must(alias_add(s, "info@main.example", "bob@main.example", &fixture_err) && alias_add(s, "old", "anna@local.example", &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_int_equal(account_resolve(s, r->given, r->main, r->local, out), r->there);
		assert_string_equal(out, r->want);
	}
	for (size_t len = 310; len < 330; len++) {
		assert_false(account_resolve(s, (struct span){ octets, len }, "main.example", NULL, out));
		assert_true(strlen(out) <= ACCOUNT_NAME_MAX && memcmp(out, octets, 310) == 0);
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alias_leads_to_an_account),
		cmocka_unit_test(who_logs_in_is_resolved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
