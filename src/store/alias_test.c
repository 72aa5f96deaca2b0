/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alias.h"

#include "store/fixture.h"
#include "store/record.h"

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
		{ SPAN("anna\0"), NULL, NULL, "#nna", false }, { SPAN("an\0na"), NULL, NULL, "#n", false },
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
		assert_true(strlen(out) <= ACCOUNT_NAME_MAX && memcmp(out + 1, octets + 1, 309) == 0);
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* SCRAM's clients prepare names, PLAIN's do not. */
static void forms_of_a_name(void **state)
{
	static const struct { struct span given; const char *main, *want; bool there; } rows[] = {
		{ SPAN("\xc3\xa9ric"), NULL, "\xc3\xa9ric", true },
		{ SPAN("e\xcc\x81ric"), NULL, "\xc3\xa9ric", true },
		{ SPAN("e\xcc\x81RIC"), NULL, "\xc3\xa9ric", true },
		{ SPAN("e\xcc\x81r\xc2\xadic"), NULL, "\xc3\xa9ric", true },
		{ SPAN("\xef\xbd\x81nna"), NULL, "anna", true },				/* wide letters */
		{ SPAN("\xef\xbd\x81nna\xef\xbc\xa0x.example"), "main.example", "anna@x.example", false },
		{ SPAN("\xef\xbd\x81nna\xef\xbc\x85x.example"), "main.example", "anna@x.example", false },
		{ SPAN("e\xcc\x81va"), "main.example", "\xc3\xa9va@main.example", true },
		{ SPAN("E\xcc\x81ric"), NULL, "\xc3\x89ric", false },			/* capitals are folded in ASCII only, */
		{ SPAN("\xc3\x89ric"), NULL, "\xc3\x89ric", false },			/* in either form */
		{ SPAN("H\xcc\xb1"), NULL, "\xe1\xba\x96", true },				/* composed only when it is small */
		{ SPAN("h\xcc\xb1"), NULL, "\xe1\xba\x96", true },
		{ SPAN("\xe1\xba\x96"), NULL, "\xe1\xba\x96", true },
		{ SPAN("chef\xcc\x81"), NULL, "anna", true },					/* an alias: f has no such form */
		{ SPAN("\xc3\xb6l"), NULL, "anna", true },
		{ SPAN("o\xcc\x88l"), NULL, "anna", true },
		{ SPAN("nie\xcc\x81"), NULL, "ni\xc3\xa9", false },				/* nobody, in either form */
		{ SPAN("ni\xc3\xa9"), NULL, "ni\xc3\xa9", false },
		{ SPAN("a\xc2\xa0" "b"), NULL, "a\xc2\xa0" "b", false },			/* no name when it is prepared */
		{ SPAN("\xe9ric"), NULL, "\xe9ric", false },
		{ SPAN("\xd7\x90@x.example"), NULL, "\xd7\x90@x.example", true },		/* SASLprep refuses it */
		{ SPAN("\xc2\xad"), NULL, "\xc2\xad", false },
	};
	static const char *const refused[] = { "e\xcc\x81ric", "r\xc2\xadic", "\xef\xbd\x81nna", "H\xcc\xb1", "x@e\xcc\x81.example" };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char out[ACCOUNT_NAME_MAX + 1], longest[ACCOUNT_NAME_MAX + 2] = "anna";

	(void)state;
	must(account_add(s, "\xc3\xa9ric", SPAN(""), 0, &fixture_err) && account_add(s, "\xc3\xa9va@main.example", SPAN(""), 0, &fixture_err));
	must(account_add(s, "\xe1\xba\x96", SPAN(""), 0, &fixture_err) && account_add(s, "\xd7\x90@x.example", SPAN(""), 0, &fixture_err));
	must(alias_add(s, "\xc3\xb6l", "anna", &fixture_err) && alias_add(s, "chef\xcc\x81", "anna", &fixture_err));
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool there = account_resolve(s, rows[i].given, rows[i].main, NULL, out);

		if (there != rows[i].there || strcmp(out, rows[i].want) != 0)
			fail_msg("row %zu, %s: %d %s", i, rows[i].given.at, there, out);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_false(account_add(s, refused[i], SPAN(""), 0, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_non_null(strstr(fixture_err.text, "another form"));
		assert_false(alias_add(s, refused[i], "anna", &fixture_err));
	}
	/* What is longer than any name means nobody, whatever SASLprep would make of it. */
	for (size_t n = 4; n < ACCOUNT_NAME_MAX; n += 2)
		memcpy(longest + n, "\xc2\xad", 2);
	assert_true(account_resolve(s, (struct span){ longest, ACCOUNT_NAME_MAX }, NULL, NULL, out));
	longest[ACCOUNT_NAME_MAX] = 'x';
	assert_false(account_resolve(s, (struct span){ longest, ACCOUNT_NAME_MAX + 1 }, NULL, NULL, out));
	store_close(&s);
	fixture_remove(directory);
}

/* Made when any octets were good: it keeps them, and an alias leads the normal form to it. */
static void an_old_name(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char out[ACCOUNT_NAME_MAX + 1], key[RECORD_KEY], value[RECORD_MAX];
	struct record r = { .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } };
	struct batch *b = store_batch(record_part());

	(void)state;
	assert_true(batch_put(b, record_key(key, 'a', "e\xcc\x81ric"), record_pack(value, &r)));
	must(engine_commit_wait(s->engine, &b, &fixture_err));
	assert_true(account_resolve(s, SPAN("E\xcc\x81ric"), NULL, NULL, out) && strcmp(out, "e\xcc\x81ric") == 0);
	assert_false(account_resolve(s, SPAN("\xc3\xa9ric"), NULL, NULL, out));
	must(account_passwd(s, "e\xcc\x81ric", SPAN("geheim"), 0, &fixture_err));
	must(alias_add(s, "\xc3\xa9ric", "e\xcc\x81ric", &fixture_err));
	assert_true(account_resolve(s, SPAN("\xc3\xa9ric"), NULL, NULL, out) && strcmp(out, "e\xcc\x81ric") == 0);
	assert_true(account_resolve(s, SPAN("e\xcc\x81ric"), NULL, NULL, out) && strcmp(out, "e\xcc\x81ric") == 0);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alias_leads_to_an_account),
		cmocka_unit_test(who_logs_in_is_resolved),
		cmocka_unit_test(forms_of_a_name),
		cmocka_unit_test(an_old_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
