/* SPDX-License-Identifier: Apache-2.0 */
#include "store/acl.h"

#include "store/fixture.h"
#include "store/record.h"

static struct store *s;
static const char *directory;

static void begin(void)
{
	directory = fixture_directory();
	s = fixture_store(directory);
	must(account_add(s, "boss", SPAN(""), 0, &fixture_err) && account_add(s, "bob@x.example", SPAN(""), 0, &fixture_err));
}

static void end(void)
{
	store_close(&s);
	fixture_remove(directory);
}

static void give(const char *box, const char *who, const char *text)
{
	unsigned rights;

	assert_true(acl_letters(text, &rights));
	must(acl_set(s, box, who, rights, 0, &fixture_err));
}

static void has(const char *box, const char *account, const char *want)
{
	char text[ACL_TEXT];

	assert_string_equal(acl_text(acl_rights(s, box, account), text), want);
}

/* All rights there are, as one line. */
static void all_are(const char *want)
{
	char box[MAILBOX_NAME_MAX + 1] = "", who[ACCOUNT_NAME_MAX + 1] = "", text[ACL_TEXT], line[2000] = "";
	unsigned rights;

	while (acl_each(s, box, who, &rights))
		(void)snprintf(line + strlen(line), sizeof line - strlen(line), "%s %s %s;", box, who, acl_text(rights, text));
	assert_string_equal(line, want);
}

static void letters_are_rights(void **state)
{
	static const struct { const char *text; unsigned rights; bool good; } rows[] = {
		{ "l", ACL_LOOKUP, true }, { "r", ACL_READ, true }, { "s", ACL_SEEN, true }, { "t", ACL_DELETE, true }, { "lrst", ACL_ALL, true },
		{ "tl", ACL_DELETE | ACL_LOOKUP, true }, { "rrr", ACL_READ, true },
		{ "", 0, false }, { "L", 0, false }, { "lx", 0, false }, { "l r", 0, false }, { "-l", 0, false }, { "a", 0, false },
	};
	unsigned rights;
	char text[ACL_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(acl_letters(rows[i].text, &rights), rows[i].good);
		if (rows[i].good)
			assert_int_equal(rights, rows[i].rights);
	}
	assert_string_equal(acl_text(0, text), "");
	assert_string_equal(acl_text(ACL_ALL, text), "lrst");
	assert_string_equal(acl_text(ACL_SEEN | ACL_LOOKUP, text), "ls");
}

static void only_what_was_given(void **state)
{
	(void)state;
	begin();
	has("boss/INBOX", "boss", "lrst");
	has("boss/INBOX", "anna", "");
	give("boss/INBOX", "anna", "lr");
	has("boss/INBOX", "anna", "lr");
	has("BOSS/inbox", "anna", "lr");		/* the same box */
	has("boss/INBOX/a", "anna", "");		/* another */
	has("boss/other", "anna", "");
	has("boss/INBOX", "bob@x.example", "");
	has("boss/INBOX", "nobody", "");
	has("boss/INBOX", "", "");
	has("boss", "boss", "");			/* no box */
	has("boss/", "boss", "");
	has("anna/INBOX", "boss", "");
	has("boss/INBOX", "bos", "");
	has("boss/INBOX", "boss/INBOX", "");
	give("boss/INBOX", "anna", "t");		/* in place of the former ones */
	has("boss/INBOX", "anna", "t");
	give("boss/INBOX", "Anyone", "ls");
	has("boss/INBOX", "anna", "lst");		/* the union */
	has("boss/INBOX", "bob@x.example", "ls");
	has("boss/INBOX", "boss", "lrst");
	give("boss/INBOX", "BOB@x.example", "r");
	all_are("boss/INBOX anna t;boss/INBOX anyone ls;boss/INBOX bob@x.example r;");
	must(acl_set(s, "boss/INBOX", "anyone", 0, 0, &fixture_err));
	has("boss/INBOX", "anna", "t");
	must(acl_set(s, "boss/INBOX", "bob@x.example", 0, 0, &fixture_err) && acl_set(s, "boss/INBOX", "anna", 0, 0, &fixture_err));
	all_are("");
	end();
}

static void what_is_refused(void **state)
{
	static const struct { const char *box, *who; unsigned rights, how; const char *says; } rows[] = {
		{ "boss", "anna", ACL_READ, 0, "ACCOUNT/BOX" },
		{ "boss/", "anna", ACL_READ, 0, "empty" },
		{ "nobody/INBOX", "anna", ACL_READ, 0, "postrider account add nobody" },
		{ "boss/INBOX", "nobody", ACL_READ, 0, "postrider account add nobody" },
		{ "boss/INBOX", "a b", ACL_READ, 0, "blanks" },
		{ "boss/INBOX", "a/b", ACL_READ, ACL_ANY_USER, "no \"/\"" },
		{ "boss/INBOX", "e\xcc\x81ric", ACL_READ, ACL_ANY_USER, "another form" },
		{ "boss/INBOX", "boss", ACL_READ, 0, "boss's own" },
		{ "boss/INBOX", "anna", 0, 0, "no rights of its own" },
		{ "boss/INBOX", "anyone", 0, 0, "no rights of its own" },
	};

	(void)state;
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_false(acl_set(s, rows[i].box, rows[i].who, rows[i].rights, rows[i].how, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		if (!strstr(fixture_err.text, rows[i].says))
			fail_msg("row %zu: %s", i, fixture_err.text);
	}
	all_are("");
	must(acl_set(s, "elsewhere@x/INBOX", "only@pam", ACL_READ, ACL_ANY_USER, &fixture_err));
	has("elsewhere@x/INBOX", "only@pam", "r");
	/* The name that means everybody is nobody's. */
	assert_false(account_add(s, "Anyone", SPAN(""), 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "everybody"));
	must(account_add(s, "anyone@x.example", SPAN(""), 0, &fixture_err));
	end();
}

/* Made when that name was good: it must not get what only it was meant to get, as everybody. */
static void an_old_account_named_anyone(void **state)
{
	char key[RECORD_KEY], value[RECORD_MAX];
	struct record r = { .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } };
	struct batch *b = store_batch(record_part());

	(void)state;
	begin();
	assert_true(batch_put(b, record_key(key, 'a', "anyone"), record_pack(value, &r)));
	must(engine_commit_wait(s->engine, &b, &fixture_err));
	assert_false(acl_set(s, "boss/INBOX", "anyone", ACL_READ, 0, &fixture_err));
	has("boss/INBOX", "anna", "");
	end();
}

static void as_many_as_there_can_be(void **state)
{
	char who[ACCOUNT_NAME_MAX + 1], at[ACCOUNT_NAME_MAX + 1] = "", before[ACCOUNT_NAME_MAX + 1];
	unsigned rights;
	size_t count = 0;

	(void)state;
	begin();
	for (unsigned n = 0; n < ACL_ENTRIES_MAX; n++) {
		(void)snprintf(who, sizeof who, "%0320u", n * 7919 % 1000);
		must(acl_set(s, "boss/INBOX", who, 1 + n % 15, ACL_ANY_USER, &fixture_err));
	}
	assert_false(acl_set(s, "boss/INBOX", "anna", ACL_READ, 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "200 accounts"));
	must(acl_set(s, "boss/INBOX", who, ACL_DELETE, ACL_ANY_USER, &fixture_err));	/* one of them may change, */
	has("boss/INBOX", who, "t");
	for (; memcpy(before, at, sizeof at), acl_next(s, "boss/INBOX", at, &rights); count++)
		assert_true(strcmp(before, at) < 0);
	assert_int_equal(count, ACL_ENTRIES_MAX);
	must(acl_set(s, "boss/INBOX", who, 0, ACL_ANY_USER, &fixture_err));		/* or make room */
	give("boss/INBOX", "anna", "l");
	end();
}

/* Who comes anew under a name inherits nothing. */
static void rights_go_with_box_and_account(void **state)
{
	(void)state;
	begin();
	give("boss/INBOX", "anna", "r");
	give("boss/INBOX", "bob@x.example", "l");
	give("boss/never made", "anna", "r");
	give("boss/other", "anna", "r");
	give("anna/INBOX", "boss", "lrst");
	give("bob@x.example/INBOX", "anna", "t");
	give("bob@x.example/INBOX", "anyone", "l");
	must(mailbox_add(s, "boss/other", &fixture_err) && mailbox_add(s, "boss/INBOX", &fixture_err));
	must(mailbox_destroy(s, "boss/other", 1000, &fixture_err) && mailbox_add(s, "boss/other", &fixture_err));
	has("boss/other", "anna", "");
	must(account_remove(s, "anna", true, 1000, &fixture_err));
	all_are("bob@x.example/INBOX anyone l;boss/INBOX bob@x.example l;");
	must(account_add(s, "anna", SPAN(""), 0, &fixture_err));
	has("boss/INBOX", "anna", "");
	give("boss/INBOX", "anna", "r");
	must(account_remove(s, "boss", true, 1000, &fixture_err));
	all_are("bob@x.example/INBOX anyone l;");
	must(account_remove(s, "bob@x.example", true, 1000, &fixture_err));
	all_are("");
	end();
}

/* A box that cannot go keeps its rights. */
static void a_busy_box_keeps_them(void **state)
{
	struct incoming *in;

	(void)state;
	begin();
	give("boss/INBOX", "anna", "r");
	in = incoming_new(fixture_box(s, "boss/INBOX"), &fixture_err);
	must(in);
	assert_false(mailbox_destroy(s, "boss/INBOX", 1000, &fixture_err));
	has("boss/INBOX", "anna", "r");
	incoming_abort(&in);
	end();
}

/* More than one batch holds. */
static void an_account_with_rights_everywhere(void **state)
{
	char box[MAILBOX_NAME_MAX + 1];

	(void)state;
	begin();
	for (unsigned n = 0; n < ENGINE_BATCH_KEYS + 10; n += 2) {
		struct batch *b = store_batch(record_part());
		char key[RECORD_KEY];

		for (unsigned k = n; k < n + 2; k++) {
			(void)snprintf(box, sizeof box, "boss/%u", k);
			assert_true(batch_put(b, record_key(key, 'c', box), SPAN("\1\2anna\0\4boss2\0")));
		}
		must(engine_commit_wait(s->engine, &b, &fixture_err));
	}
	must(account_remove(s, "anna", false, 1000, &fixture_err));
	for (unsigned n = 0; n < ENGINE_BATCH_KEYS + 10; n++) {
		(void)snprintf(box, sizeof box, "boss/%u", n);
		has(box, "anna", "");
		has(box, "boss2", "s");
	}
	must(account_remove(s, "boss", false, 1000, &fixture_err));
	all_are("");
	end();
}

/* On-disk data is input: what is damaged gives nobody a right. */
static void damage_gives_nothing(void **state)
{
	static const struct { struct span value; const char *want; } rows[] = {
		{ SPAN("\2\2anna\0"), "" }, { SPAN("\1"), "" }, { SPAN("\1\2"), "" }, { SPAN("\1\2anna"), "" }, { SPAN("\1\2\0"), "" },
		{ SPAN("\1\1bert\0\2anna"), "" }, { SPAN("\1\xff" "anna\0"), "lrst" }, { SPAN("\1\2anna\0\2"), "r" },
	};
	char key[RECORD_KEY], *long_one = fixture_octets(400);

	(void)state;
	begin();
	for (size_t i = 0; i <= COUNT(rows); i++) {
		struct batch *b = store_batch(record_part());

		long_one[0] = 1;
		assert_true(batch_put(b, record_key(key, 'c', "boss/INBOX"), i < COUNT(rows) ? rows[i].value : (struct span){ long_one, 400 }));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
		has("boss/INBOX", "anna", i < COUNT(rows) ? rows[i].want : "");
	}
	give("boss/INBOX", "anna", "ls");	/* and is set anew */
	has("boss/INBOX", "anna", "ls");
	free(long_one);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_are_rights), cmocka_unit_test(only_what_was_given), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(an_old_account_named_anyone), cmocka_unit_test(as_many_as_there_can_be), cmocka_unit_test(rights_go_with_box_and_account),
		cmocka_unit_test(a_busy_box_keeps_them), cmocka_unit_test(an_account_with_rights_everywhere), cmocka_unit_test(damage_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
