/* SPDX-License-Identifier: Apache-2.0 */
#include "store/account.h"

#include "store/fixture.h"
#include "store/room.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void a_name_is_folded_and_checked(void **state)
{
	static const struct row { const char *given, *domain, *want; } rows[] = {
		{ "anna", NULL, "anna" },
		{ "anna", "", "anna" },
		{ "anna", "example.org", "anna@example.org" },
		{ "Anna@Client1.COM", "example.org", "anna@client1.com" },
		{ "gr\xc3\x9c\xc3\x9f" "e", NULL, "gr\xc3\x9c\xc3\x9f" "e" },	/* only ASCII is folded */
		{ "a", HUNDRED HUNDRED HUNDRED TEN "01234567", "a@" HUNDRED HUNDRED HUNDRED TEN "01234567" },
		{ "a", HUNDRED HUNDRED HUNDRED TEN "012345678", NULL },
		{ "", NULL, NULL }, { "", "example.org", NULL }, { "@x", NULL, NULL }, { "x@", NULL, NULL }, { "a@b@c", NULL, NULL },
		{ "a b", NULL, NULL }, { "a\tb", NULL, NULL }, { "a\nb", NULL, NULL }, { "a\x7f", NULL, NULL },
		{ "a#b", NULL, NULL }, { "a/b", NULL, NULL }, { "~a", NULL, NULL }, { "a%b", NULL, NULL },
	};
	char name[ACCOUNT_NAME_MAX + 1];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		fixture_err.kind = ERR_NONE;
		if (account_name(r->given, r->domain, name, &fixture_err) != (r->want != NULL))
			fail_msg("%s", r->given);
		if (r->want)
			assert_string_equal(name, r->want);
		else
			assert_int_equal(fixture_err.kind, ERR_CONFIG);
	}
}

static void only_the_right_password_is_right(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	static const struct row { const char *name; struct span password; bool good; } rows[] = {
		{ "bob", SPAN("geheim"), true }, { "BOB", SPAN("geheim"), true },
		{ "bob", SPAN("Geheim"), false }, { "bob", SPAN("geheim "), false }, { "bob", SPAN("geheim\0"), false }, { "bob", SPAN(""), false },
		{ "anna", SPAN(""), false },	/* has none: cannot log in */
		{ "anna", SPAN("geheim"), false },
		{ "nobody", SPAN("geheim"), false }, { "", SPAN("geheim"), false }, { "a/b", SPAN("geheim"), false },
	};

	(void)state;
	must(account_add(s, "Bob", SPAN("geheim"), false, &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		fixture_err = (struct err){ 0 };
		if (account_check(s, r->name, r->password, &fixture_err) != r->good)
			fail_msg("%s", r->name);
		if (!r->good) {
			assert_int_equal(fixture_err.kind, ERR_AUTH);
			assert_string_equal(fixture_err.text, "wrong name or password");
		}
	}
	store_close(&s);
	fixture_remove(directory);
}

static void a_new_password_replaces_the_old(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	must(account_passwd(s, "anna", SPAN("eins"), true, &fixture_err));
	store_close(&s);
	s = fixture_store(directory);
	must(account_check(s, "anna", SPAN("eins"), &fixture_err));
	must(account_passwd(s, "anna", SPAN("zwei"), false, &fixture_err));
	assert_false(account_check(s, "anna", SPAN("eins"), &fixture_err));
	must(account_check(s, "anna", SPAN("zwei"), &fixture_err));
	must(account_passwd(s, "anna", SPAN(""), false, &fixture_err));
	assert_false(account_check(s, "anna", SPAN("zwei"), &fixture_err));
	assert_false(account_check(s, "anna", SPAN(""), &fixture_err));
	assert_false(account_passwd(s, "nobody", SPAN("x"), false, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "postrider account add nobody"));
	assert_false(account_add(s, "anna", SPAN("x"), false, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "there already"));
	store_close(&s);
	fixture_remove(directory);
}

static void accounts_are_walked_in_order(void **state)
{
	static const struct row { const char *name; struct span password; bool recoverable; } rows[] = {
		{ "anna", SPAN(""), false }, { "anna@a.example", SPAN("x"), true }, { "bob", SPAN("y"), false },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct account_info info = { .name = "" };

	(void)state;
	for (size_t i = COUNT(rows); i-- > 1;)
		must(account_add(s, rows[i].name, rows[i].password, rows[i].recoverable, &fixture_err));
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(account_each(s, &info));
		assert_string_equal(info.name, rows[i].name);
		assert_true(account_there(s, rows[i].name));
		assert_int_equal(info.can_login, rows[i].password.len > 0);
		assert_int_equal(info.recoverable, rows[i].recoverable);
		assert_true(info.made > 1600000000);
	}
	assert_false(account_each(s, &info));
	assert_false(account_there(s, "nobody"));
	store_close(&s);
	fixture_remove(directory);
}

static void a_password_has_its_limit(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char *password = fixture_octets(1025);

	(void)state;
	assert_false(account_passwd(s, "anna", (struct span){ password, 1025 }, true, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_null(strstr(fixture_err.text, "abc"));
	must(account_passwd(s, "anna", (struct span){ password, 1024 }, true, &fixture_err));
	must(account_check(s, "anna", (struct span){ password, 1024 }, &fixture_err));
	store_close(&s);
	free(password);
	fixture_remove(directory);
}

/* Nothing of a password is at rest, unless it was asked for. */
static void a_password_is_kept_only_when_asked(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (int recoverable = 0; recoverable < 2; recoverable++) {
		struct view *v;
		struct span value;

		must(account_passwd(s, "anna", SPAN("unmistakable"), recoverable, &fixture_err));
		must(view_begin(store_engine(s), &v, &fixture_err));
		assert_true(view_get(v, engine_part_of("accounts", SPAN("")), SPAN("aanna"), &value));
		assert_int_equal(memmem(value.at, value.len, "unmistakable", 12) != NULL, recoverable);
		assert_non_null(memmem(value.at, value.len, "$argon2id$v=19$m=19456,t=2,p=1$", 31));
		view_end(&v);
	}
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_folded_and_checked),
		cmocka_unit_test(only_the_right_password_is_right),
		cmocka_unit_test(a_new_password_replaces_the_old),
		cmocka_unit_test(accounts_are_walked_in_order),
		cmocka_unit_test(a_password_has_its_limit),
		cmocka_unit_test(a_password_is_kept_only_when_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
