/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/account.h"

static const struct row rows[] = {
	{ "account.add", "{\"account\":\"Bert@Client1.com\",\"password\":\"w\xc3\xb6rt\"}", "{\"account\":\"bert@client1.com\"}" },
	{ "account.add", "{\"account\":\"bert@client1.com\"}", "config: account bert@client1.com is there already" },
	{ "account.add", "{\"account\":\"a b\"}", "config: an account's name has no blanks*" },
	{ "account.add", "{\"account\":\"c\",\"password\":\"a\",\"password_base64\":\"YQ==\"}", "config: either password or password_base64" },
	{ "account.add", "{\"account\":\"c\",\"password_base64\":\"YQ=\"}", "config: password_base64 is no base64, or too long" },
	{ "account.add", "{\"account\":\"c\",\"password_base64\":\"YQBi\"}", "config: a password has no NUL*" },
	{ "account.add", "{\"account\":\"c\",\"recoverable\":1}", "config: account.add: recoverable is neither true nor false" },
	{ "account.add", "{\"account\":\"raw@x\",\"password_base64\":\"Yf9i\",\"scram_sha1\":true}", "{\"account\":\"raw@x\"}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "{\"account\":\"bert@client1.com\",\"made\":\"*Z\",\"can_login\":true,"
		"\"recoverable\":false,\"scram_sha1\":false,\"quota\":null,\"max_sessions\":null,\"maildir\":null,\"path\":null,\"quota_in_force\":null,\"usage\":0,\"aliases\":[]}" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"quota\":1000}", "{*}" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"max_sessions\":0}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"quota\":1000,\"max_sessions\":0,*\"quota_in_force\":1000,*" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"quota\":null}", "{*}" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"max_sessions\":4294967295}", "config: account.set: max_sessions is more than 4294967294" },
	{ "account.set", "{\"account\":\"nobody\"}", "config: there is no account nobody@main.example*" },
	{ "account.alias", "{\"account\":\"bert@client1.com\",\"address\":\"Info\"}", "{*}" },
	{ "account.alias", "{\"account\":\"raw@x\",\"address\":\"info\"}", "config: *alias of bert@client1.com*" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"quota\":null,\"max_sessions\":0,*\"aliases\":[\"info@main.example\"]}" },
	{ "account.unalias", "{\"account\":\"raw@x\",\"address\":\"info\"}", "config: info@main.example is no alias of raw@x" },
	{ "account.unalias", "{\"account\":\"bert@client1.com\",\"address\":\"info\"}", "{*}" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"maildir\":\"relative\"}", "config: maildir: relative is no absolute path" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"maildir\":\"/m/%n\",\"quota\":7}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"quota\":7,\"max_sessions\":0,\"maildir\":\"/m/%n\",\"path\":\"/m/bert\",*" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"quota\":null}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"quota\":null,\"max_sessions\":0,\"maildir\":\"/m/%n\",*" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"maildir\":\"none\"}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"maildir\":\"none\",\"path\":null,*" },
	{ "account.set", "{\"account\":\"bert@client1.com\",\"maildir\":\"default\"}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "*\"maildir\":null,\"path\":null,*" },
	{ "account.passwd", "{\"account\":\"bert@client1.com\",\"recoverable\":true,\"password\":\"neu\"}", "{*}" },
	{ "account.list", "{\"limit\":2}", "{\"rows\":[{\"account\":\"anna\",*},{\"account\":\"bert@client1.com\",*\"recoverable\":true,*}],"
		"\"next\":\"bert@client1.com\"}" },
	{ "account.list", "{\"after\":\"bert@client1.com\"}", "{\"rows\":[{\"account\":\"raw@x\",*\"scram_sha1\":true,*}]}" },
	{ "account.list", "{\"after\":\"raw@x\"}", "{\"rows\":[]}" },
	{ "account.remove", "{\"account\":\"bert@client1.com\"}", "{*}" },
	{ "account.show", "{\"account\":\"bert@client1.com\"}", "config: there is no account*" },
	{ "mailbox.add", "{\"mailbox\":\"raw@x/INBOX\"}", "{*}" },
	{ "account.remove", "{\"account\":\"raw@x\"}", "config: *--with-mailboxes*" },
	{ "account.remove", "{\"account\":\"raw@x\",\"with_mailboxes\":true}", "{*}" },
};

static void the_life_of_accounts(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

/* As text and as octets: it is these passwords that were kept. */
static void passwords_arrive_as_they_were(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, 9);
	must(account_check(w->store, "bert@client1.com", SPAN("w\xc3\xb6rt"), &fixture_err));
	must(account_check(w->store, "raw@x", SPAN("a\xff" "b"), &fixture_err));
	assert_false(account_check(w->store, "raw@x", SPAN("Yf9i"), &fixture_err));
	world_end(w);
}

/* Names that are no UTF-8 are listed, and passed by all the same. */
static void names_of_any_octets_can_be_passed(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	must(account_add(w->store, "b\xff", SPAN(""), 0, &fixture_err));
	must(account_add(w->store, "c", SPAN(""), 0, &fixture_err));
	asks(w, "account.list", "{\"limit\":2}", "{\"rows\":[{*anna*},{\"account\":\"b\xef\xbf\xbd\",*}],\"next\":\"b%FF\"}");
	asks(w, "account.list", "{\"limit\":2,\"after\":\"b%FF\"}", "{\"rows\":[{\"account\":\"c\",*}]}");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_accounts), cmocka_unit_test(passwords_arrive_as_they_were), cmocka_unit_test(names_of_any_octets_can_be_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
