/* SPDX-License-Identifier: Apache-2.0 */
#include "store/account.h"

#include "store/alias.h"
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

static bool at_rest(struct store *s, const char *name, struct span what)
{
	char key[1 + ACCOUNT_NAME_MAX + 1];
	struct view *v;
	struct span value;
	bool there;

	(void)snprintf(key, sizeof key, "a%s", name);
	must(view_begin(store_engine(s), &v, &fixture_err));
	assert_true(view_get(v, engine_part_of("accounts", SPAN("")), span_of(key), &value));
	there = memmem(value.at, value.len, what.at, what.len);
	view_end(&v);
	return there;
}

/* Nothing of a password is at rest in clear text, whatever was asked. */
static void a_password_is_never_at_rest(void **state)
{
	static const struct row { unsigned how; bool recoverable, sha1; } rows[] = {
		{ 0, false, false }, { ACCOUNT_SCRAM_SHA1, false, true }, { ACCOUNT_RECOVERABLE, true, true },
		{ ACCOUNT_RECOVERABLE | ACCOUNT_SCRAM_SHA1, true, true },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct account_info info;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		must(account_passwd(s, "anna", SPAN("unmistakable"), r->how, &fixture_err));
		assert_false(at_rest(s, "anna", SPAN("unmistakable")));
		assert_true(at_rest(s, "anna", SPAN("$argon2id$v=19$m=19456,t=2,p=1$")));
		assert_true(account_find(s, "anna", &info) && info.can_login);
		assert_true(info.recoverable == r->recoverable && info.scram_sha1 == r->sha1);
	}
	assert_false(account_passwd(s, "anna", SPAN("with\0nul"), 0, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	must(account_check(s, "anna", SPAN("unmistakable"), &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

static void limits_are_kept_through_a_new_password(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct account_info info;

	(void)state;
	assert_true(account_find(s, "anna", &info));
	assert_true(info.limits.quota == ACCOUNT_QUOTA_DEFAULT && info.limits.max_sessions == ACCOUNT_SESSIONS_DEFAULT);
	must(account_set(s, "Anna", &(struct account_limits){ 1 << 30, 7 }, &fixture_err));
	must(account_passwd(s, "anna", SPAN("x"), 0, &fixture_err));
	store_close(&s);
	s = fixture_store(directory);
	assert_true(account_find(s, "anna", &info));
	assert_true(info.limits.quota == 1 << 30 && info.limits.max_sessions == 7 && info.can_login);
	assert_false(account_set(s, "nobody", &info.limits, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_false(account_find(s, "nobody", &info));
	store_close(&s);
	fixture_remove(directory);
}

/* Refused with mailboxes unless asked; then nothing of it is left, and nothing of its neighbours is gone. */
static void an_account_is_removed(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box, *unmade;
	char name[MAILBOX_NAME_MAX + 1] = "";

	(void)state;
	must(account_add(s, "anna.b", SPAN(""), 0, &fixture_err));
	must(account_add(s, "ann", SPAN(""), 0, &fixture_err));
	must(mailbox_add(s, "ann/INBOX", &fixture_err) && mailbox_add(s, "anna/INBOX", &fixture_err) && mailbox_add(s, "anna/lists/x", &fixture_err) &&
		mailbox_add(s, "anna.b/INBOX", &fixture_err));
	must(alias_add(s, "info", "anna", &fixture_err));
	must(alias_add(s, "other", "ann", &fixture_err));
	must(mailbox_open(s, "anna/not yet made", true, &unmade, &fixture_err));
	assert_false(account_remove(s, "anna", false, 1000, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "2 mailboxes"));
	assert_true(account_there(s, "anna"));
	must(mailbox_open(s, "anna/INBOX", false, &box, &fixture_err));
	fixture_append(box, SPAN("x"), NULL, 1);
	assert_false(account_remove(s, "anna", true, 1000, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	assert_int_equal(fixture_drain(s), 1);
	must(account_remove(s, "Anna", true, 1000, &fixture_err));
	assert_false(account_there(s, "anna"));
	assert_false(account_remove(s, "anna", true, 1000, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_true(mailbox_each(s, name) && strcmp(name, "ann/INBOX") == 0);
	assert_true(mailbox_each(s, name) && strcmp(name, "anna.b/INBOX") == 0);
	assert_false(mailbox_each(s, name));
	assert_false(mailbox_open(s, "anna/INBOX", true, &box, &fixture_err));
	assert_null(incoming_new(unmade, &fixture_err));	/* nobody's mailbox is not made */
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	must(alias_remove(s, "other", &fixture_err));
	assert_false(alias_remove(s, "info", &fixture_err));	/* went with its account */
	must(account_remove(s, "ann", true, 1000, &fixture_err));
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
		cmocka_unit_test(a_password_is_never_at_rest),
		cmocka_unit_test(limits_are_kept_through_a_new_password),
		cmocka_unit_test(an_account_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
