/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/named.h"

#include "store/alias.h"
#include "store/fixture.h"
#include "store/route.h"

static void told(char out[1000], struct span given)
{
	struct named n;

	if (named_split(given, &n))
		(void)snprintf(out, 1000, "%.*s|%.*s|%.*s", (int)n.owner.len, n.owner.len ? n.owner.at : "", (int)n.box.len, n.box.len ? n.box.at : "",
			(int)n.user.len, n.user.len ? n.user.at : "");
	else
		(void)snprintf(out, 1000, "malformed");
}

static void a_name_is_split(void **state)
{
	static const struct { struct span given; const char *want; } rows[] = {
		{ SPAN("jsmith"), "||jsmith" },
		{ SPAN("jsmith@client1.com"), "||jsmith@client1.com" },
		{ SPAN("private#jsmith"), "|private|jsmith" },
		{ SPAN("lists/info#jsmith@client1.com"), "|lists/info|jsmith@client1.com" },
		{ SPAN("lists/info#jsmith%client1.com"), "|lists/info|jsmith%client1.com" },
		{ SPAN("~public/announces#jsmith"), "public|announces|jsmith" },
		{ SPAN("~boss/INBOX#jsmith"), "boss|INBOX|jsmith" },
		{ SPAN("~boss@x.example/a/b c#jsmith"), "boss@x.example|a/b c|jsmith" },
		{ SPAN("a#b#jsmith"), "|a#b|jsmith" },			/* at the last one */
		{ SPAN("~boss/a#b#jsmith"), "boss|a#b|jsmith" },
		{ SPAN("a~b#jsmith"), "|a~b|jsmith" },
		{ SPAN("~"), "||~" }, { SPAN("~boss/INBOX"), "||~boss/INBOX" },		/* nobody's names: there is no # */
		{ SPAN(""), "||" },
		{ SPAN("#"), "malformed" }, { SPAN("#jsmith"), "malformed" }, { SPAN("a#"), "malformed" }, { SPAN("##jsmith"), "|#|jsmith" },
		{ SPAN("~#jsmith"), "malformed" }, { SPAN("~/box#jsmith"), "malformed" }, { SPAN("~a#jsmith"), "malformed" }, { SPAN("~a/#jsmith"), "malformed" },
		{ SPAN("~a/b#"), "malformed" },
		{ SPAN("a\0b#jsmith"), "malformed" }, { SPAN("a\nb#jsmith"), "malformed" }, { SPAN("~a\x7f/b#jsmith"), "malformed" },
		{ SPAN("a#j\0"), "|a|j" },				/* whether that is an account is another question */
	};
	char out[1000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		told(out, rows[i].given);
		if (strcmp(out, rows[i].want) != 0)
			fail_msg("row %zu: %s: %s", i, rows[i].given.at, out);
	}
	told(out, (struct span){ 0 });
	assert_string_equal(out, "||");
}

static void parts_have_limits(void **state)
{
	char given[2000], *octets = fixture_octets(400);
	struct named n;

	(void)state;
	for (int more = 0; more < 2; more++) {
		int len = snprintf(given, sizeof given, "~%.*s/%.*s#%.*s", ACCOUNT_NAME_MAX, octets, MAILBOX_NAME_MAX + more, octets, ACCOUNT_NAME_MAX, octets);

		assert_int_equal(len, NAMED_MAX + more);
		assert_int_equal(named_split(span_of(given), &n), !more);
	}
	(void)snprintf(given, sizeof given, "~%.*s/a#b", ACCOUNT_NAME_MAX + 1, octets);
	assert_false(named_split(span_of(given), &n));
	free(octets);
}

static struct store *fill(const char *directory)
{
	static const char *const accounts[] = { "jsmith", "boss", "public", "jsmith@client1.com", "boss@client1.com" };
	struct store *s = fixture_store(directory);

	for (size_t i = 0; i < COUNT(accounts); i++)
		must(account_add(s, accounts[i], SPAN(""), 0, &fixture_err));
	must(alias_add(s, "chef", "boss", &fixture_err) && alias_add(s, "chef@client1.com", "boss@client1.com", &fixture_err));
	must(route_add(s, "*@client1.com", "boss@client1.com", 0, &fixture_err));
	must(acl_set(s, "boss/INBOX", "jsmith", ACL_LOOKUP | ACL_READ, 0, &fixture_err));
	must(acl_set(s, "boss/seen", "jsmith", ACL_LOOKUP | ACL_SEEN | ACL_DELETE, 0, &fixture_err));
	must(acl_set(s, "boss/dark", "jsmith", ACL_DELETE, 0, &fixture_err));
	must(acl_set(s, "boss@client1.com/INBOX", "jsmith@client1.com", ACL_READ | ACL_DELETE, 0, &fixture_err));
	must(acl_set(s, "public/announces", "anyone", ACL_LOOKUP | ACL_READ | ACL_SEEN, 0, &fixture_err));
	return s;
}

static void a_box_is_found_or_refused(void **state)
{
	static const struct { const char *given, *account, *want; } rows[] = {
		{ "jsmith", "jsmith", "jsmith/INBOX lrst" },
		{ "private#jsmith", "jsmith", "jsmith/private lrst" },
		{ "inbox#jsmith", "jsmith", "jsmith/INBOX lrst" },
		{ "lists/info#jsmith@client1.com", "jsmith@client1.com", "jsmith@client1.com/lists/info lrst" },
		{ "~boss/INBOX#jsmith", "jsmith", "boss/INBOX lr" },
		{ "~BOSS/Inbox#jsmith", "jsmith", "boss/INBOX lr" },
		{ "~chef/INBOX#jsmith", "jsmith", "boss/INBOX lr" },			/* an alias */
		{ "~jsmith/private#jsmith", "jsmith", "jsmith/private lrst" },		/* itself */
		{ "~public/announces#jsmith", "jsmith", "public/announces lrs" },
		{ "~boss/INBOX#jsmith@client1.com", "jsmith@client1.com", "boss@client1.com/INBOX rt" },	/* the login's domain */
		{ "~chef/INBOX#jsmith@client1.com", "jsmith@client1.com", "boss@client1.com/INBOX rt" },
		{ "~boss%client1.com/INBOX#jsmith@client1.com", "jsmith@client1.com", "boss@client1.com/INBOX rt" },
		{ "~public/announces#jsmith@client1.com", "jsmith@client1.com", NAMED_REFUSED },	/* not the public of no domain */
		{ "~boss@client1.com/INBOX#jsmith", "jsmith", NAMED_REFUSED },
		{ "~stranger@client1.com/INBOX#jsmith@client1.com", "jsmith@client1.com", NAMED_REFUSED },	/* "*" is for logins */
		{ "~boss/seen#jsmith", "jsmith", NAMED_UNREADABLE },
		{ "~boss/dark#jsmith", "jsmith", NAMED_REFUSED },
		{ "~boss/other#jsmith", "jsmith", NAMED_REFUSED },
		{ "~boss/INBOX#anna", "anna", NAMED_REFUSED },
		{ "~nobody/INBOX#jsmith", "jsmith", NAMED_REFUSED },
		{ "~a b/INBOX#jsmith", "jsmith", NAMED_REFUSED },
		{ "../boss/INBOX#jsmith", "jsmith", NAMED_REFUSED },
		{ "~jsmith/../boss/INBOX#jsmith", "jsmith", NAMED_REFUSED },
		{ "~jsmith/#jsmith", "jsmith", "malformed" },
		{ "a//b#jsmith", "jsmith", NAMED_REFUSED }, { "/a#jsmith", "jsmith", NAMED_REFUSED }, { "a/#jsmith", "jsmith", NAMED_REFUSED },
	};
	const char *directory = fixture_directory();
	struct store *s = fill(directory);
	char box[MAILBOX_NAME_MAX + 1], got[600], text[ACL_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct named n;
		unsigned rights;
		struct err e;

		if (!named_split(span_of(rows[i].given), &n))
			(void)snprintf(got, sizeof got, "malformed");
		else if (named_box(s, &n, rows[i].account, box, &rights, &e))
			(void)snprintf(got, sizeof got, "%s %s", box, acl_text(rights, text));
		else
			(void)snprintf(got, sizeof got, "%s", e.kind == ERR_AUTH ? e.text : "not ERR_AUTH");
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].given, got);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fill(directory);
	char box[MAILBOX_NAME_MAX + 1], *octets = fixture_octets(MAILBOX_NAME_MAX);
	struct named n = { .box = { octets, MAILBOX_NAME_MAX - 7 } };
	unsigned rights;
	struct err e;

	(void)state;
	assert_true(named_box(s, &n, "jsmith", box, &rights, &e) && strlen(box) == MAILBOX_NAME_MAX);
	n.box.len++;
	assert_false(named_box(s, &n, "jsmith", box, &rights, &e));
	assert_string_equal(e.text, NAMED_REFUSED);
	n.owner = (struct span){ octets, MAILBOX_NAME_MAX };
	assert_false(named_box(s, &n, "jsmith", box, &rights, &e));
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void an_inbox_is_always_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fill(directory);

	(void)state;
	assert_true(named_there(s, "boss/INBOX"));
	assert_false(named_there(s, "boss/INBOX/a") || named_there(s, "boss/other"));
	must(mailbox_add(s, "boss/other", &fixture_err));
	assert_true(named_there(s, "boss/other"));
	must(mailbox_destroy(s, "boss/other", 1000, &fixture_err));
	assert_false(named_there(s, "boss/other"));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_split), cmocka_unit_test(parts_have_limits), cmocka_unit_test(a_box_is_found_or_refused),
		cmocka_unit_test(a_name_that_is_too_long_is_refused), cmocka_unit_test(an_inbox_is_always_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
