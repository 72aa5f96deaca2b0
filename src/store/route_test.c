/* SPDX-License-Identifier: Apache-2.0 */
#include "store/route.h"

#include "store/alias.h"
#include "store/domain.h"
#include "store/fixture.h"

static struct store *s;
static const char *directory;

static void begin(void)
{
	directory = fixture_directory();
	s = fixture_store(directory);
	must(account_add(s, "cl1", SPAN(""), 0, &fixture_err) && account_add(s, "known@client1.com", SPAN(""), 0, &fixture_err));
	must(alias_add(s, "chef@client1.com", "anna", &fixture_err));
	must(route_add(s, "Info@client1.com", "anna", 0, &fixture_err) && route_add(s, "*@CLIENT1.com", "CL1", 0, &fixture_err));
	must(route_add(s, "bare", "cl1", 0, &fixture_err));
}

static void end(void)
{
	store_close(&s);
	fixture_remove(directory);
}

static void all_are(const char *want)
{
	char address[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1], line[2000] = "";

	while (route_each(s, address, account))
		(void)snprintf(line + strlen(line), sizeof line - strlen(line), "%s %s;", address, account);
	assert_string_equal(line, want);
}

static void who_is_meant(void **state)
{
	static const struct row { struct span given; const char *main, *local, *account, *routed; bool there; } rows[] = {
		{ SPAN("cl1"), NULL, NULL, "cl1", "", true },
		{ SPAN("known@client1.com"), NULL, NULL, "known@client1.com", "", true },	/* an account comes first, */
		{ SPAN("known"), "client1.com", NULL, "known@client1.com", "", true },
		{ SPAN("chef@client1.com"), NULL, NULL, "anna", "", true },			/* then an alias, */
		{ SPAN("info@client1.com"), NULL, NULL, "anna", "", true },			/* then this address, */
		{ SPAN("INFO%client1.com"), NULL, NULL, "anna", "", true },
		{ SPAN("abcdef@client1.com"), NULL, NULL, "cl1", "abcdef@client1.com", true },	/* then all */
		{ SPAN("ABCdef%Client1.Com"), NULL, NULL, "cl1", "abcdef@client1.com", true },
		{ SPAN("abcdef"), "client1.com", NULL, "cl1", "abcdef@client1.com", true },
		{ SPAN("abcdef"), "x.example", "client1.com", "cl1", "abcdef@client1.com", true },
		{ SPAN("abcdef"), "client1.com", "x.example", "abcdef@x.example", "", false },
		{ SPAN("abcdef"), NULL, NULL, "abcdef", "", false },
		{ SPAN("bare"), NULL, NULL, "cl1", "", true },
		{ SPAN("*@client1.com"), NULL, NULL, "cl1", "*@client1.com", true },		/* never the whole account */
		{ SPAN("abcdef@sub.client1.com"), NULL, NULL, "abcdef@sub.client1.com", "", false },
		{ SPAN("abcdef@client1"), NULL, NULL, "abcdef@client1", "", false },
		{ SPAN("a@b@client1.com"), NULL, NULL, "a@b@client1.com", "", false },
		{ SPAN("@client1.com"), NULL, NULL, "@client1.com", "", false },
		{ SPAN("a b@client1.com"), NULL, NULL, "a b@client1.com", "", false },
		{ SPAN("a\0@client1.com"), NULL, NULL, "#", "", false },
		{ SPAN("a#b@client1.com"), NULL, NULL, "a#b@client1.com", "", false },
		{ SPAN("~a@client1.com"), NULL, NULL, "~a@client1.com", "", false },
		{ SPAN(""), NULL, NULL, "", "", false }, { SPAN(""), "client1.com", NULL, "", "", false },
		/* every form of a name comes to one view */
		{ SPAN("e\xcc\x81va@client1.com"), NULL, NULL, "cl1", "\xc3\xa9va@client1.com", true },
		{ SPAN("\xc3\xa9va@client1.com"), NULL, NULL, "cl1", "\xc3\xa9va@client1.com", true },
		{ SPAN("\xef\xbd\x8bnown@client1.com"), NULL, NULL, "known@client1.com", "", true },
		{ SPAN("\xef\xbd\x81@client1.com"), NULL, NULL, "cl1", "a@client1.com", true },
		{ SPAN("x\xef\xbc\x83@client1.com"), NULL, NULL, "cl1", "x\xef\xbc\x83@client1.com", true },	/* no # but what looks like one: nothing is split at it */
	};
	struct resolved r;
	char out[ACCOUNT_NAME_MAX + 1], *octets = fixture_octets(400);

	(void)state;
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool there = route_resolve(s, rows[i].given, rows[i].main, rows[i].local, &r);

		if (there != rows[i].there || strcmp(r.account, rows[i].account) != 0 || strcmp(r.routed, rows[i].routed) != 0)
			fail_msg("row %zu, %s: %d %s %s", i, rows[i].given.at, there, r.account, r.routed);
		/* Where "*" is not followed, what it was is nobody's name. */
		assert_int_equal(account_resolve(s, rows[i].given, rows[i].main, rows[i].local, out), there && !*r.routed);
		assert_string_equal(out, *r.routed ? r.routed : r.account);
	}
	/* The longest name there is, and one that is longer. */
	memcpy(octets + ACCOUNT_NAME_MAX - 12, "@client1.com", 13);
	assert_true(route_resolve(s, (struct span){ octets, ACCOUNT_NAME_MAX }, NULL, NULL, &r) && strcmp(r.routed, octets) == 0);
	assert_false(route_resolve(s, (struct span){ octets, ACCOUNT_NAME_MAX - 12 }, "client1.com.example", NULL, &r) || *r.routed);
	assert_false(route_resolve(s, (struct span){ octets, ACCOUNT_NAME_MAX + 1 }, NULL, NULL, &r) || *r.routed);
	free(octets);
	end();
}

static void the_life_of_routes(void **state)
{
	static const struct { const char *address, *account, *says; } rows[] = {
		{ "info@client1.com", "cl1", "leads to anna already" }, { "*@client1.com", "anna", "leads to cl1 already" },
		{ "known@client1.com", "cl1", "is an account" }, { "chef@client1.com", "cl1", "is an alias of anna" },
		{ "a@x.example", "nobody", "postrider account add nobody" }, { "a@x.example", "chef@client1.com", "no account chef" },
		{ "*", "cl1", "* elsewhere" }, { "*a@x.example", "cl1", "* elsewhere" }, { "a*@x.example", "cl1", "* elsewhere" },
		{ "*@*", "cl1", "* elsewhere" }, { "a@*.example", "cl1", "* elsewhere" }, { "**@x.example", "cl1", "* elsewhere" },
		{ "a b@x.example", "cl1", "blanks" }, { "", "cl1", "NAME@DOMAIN" }, { "*@", "cl1", "NAME@DOMAIN" }, { "e\xcc\x81@x.example", "cl1", "another form" },
	};

	(void)state;
	begin();
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_false(route_add(s, rows[i].address, rows[i].account, 0, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		if (!strstr(fixture_err.text, rows[i].says))
			fail_msg("row %zu: %s", i, fixture_err.text);
	}
	all_are("*@client1.com cl1;bare cl1;info@client1.com anna;");
	assert_false(account_add(s, "info@client1.com", SPAN(""), 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "is a route"));
	assert_false(alias_add(s, "info@client1.com", "anna", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "is a route"));
	assert_false(alias_add(s, "*@x.example", "anna", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "route add '*@x.example' anna"));
	must(account_add(s, "new@client1.com", SPAN(""), 0, &fixture_err));		/* "*" is in nobody's way */
	must(route_remove(s, "INFO@client1.com", &fixture_err));
	assert_false(route_remove(s, "info@client1.com", &fixture_err));
	assert_false(route_remove(s, "other@client1.com", &fixture_err));		/* which "*" is for */
	all_are("*@client1.com cl1;bare cl1;");
	must(route_add(s, "z@client1.com", "anna", 0, &fixture_err));
	must(account_remove(s, "cl1", false, 1000, &fixture_err));
	all_are("z@client1.com anna;");
	must(account_add(s, "cl1", SPAN(""), 0, &fixture_err));				/* inherits none */
	all_are("z@client1.com anna;");
	end();
}

static void in_domains_that_are_there(void **state)
{
	(void)state;
	begin();
	must(domain_add(s, "client2.com", &fixture_err));
	assert_false(route_add(s, "*@client3.com", "cl1", 0, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "postrider domain add client3.com"));
	must(route_add(s, "*@client3.com", "cl1", ACCOUNT_ANY_DOMAIN, &fixture_err));
	must(route_add(s, "*@client2.com", "cl1", 0, &fixture_err));
	assert_false(domain_remove(s, "client2.com", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "1 routes"));
	must(route_remove(s, "*@client2.com", &fixture_err) && domain_remove(s, "client2.com", &fixture_err));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_meant), cmocka_unit_test(the_life_of_routes), cmocka_unit_test(in_domains_that_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
