/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

static const struct row rows[] = {
	{ "domain.list", NULL, "{\"rows\":[]}" },
	{ "domain.show", "{\"domain\":\"client1.com\"}", "config: there is no domain client1.com*" },
	{ "domain.add", "{\"domain\":\"Client1.com\"}", "{*}" },
	{ "domain.add", "{\"domain\":\"client1.com\"}", "config: domain client1.com is there already" },
	{ "domain.add", "{\"domain\":\"a..b\"}", "config: *label*" },
	{ "domain.add", "{\"domain\":\"client2.com\"}", "{*}" },
	{ "account.add", "{\"account\":\"x@elsewhere.example\"}", "config: *postrider domain add elsewhere.example*" },
	{ "account.add", "{\"account\":\"x\"}", "{\"account\":\"x@main.example\"}" },
	{ "account.add", "{\"account\":\"x@client1.com\"}", "{*}" },
	{ "domain.set", "{\"domain\":\"client1.com\",\"quota\":5,\"address\":\"2001:0DB8::0001\"}", "{*}" },
	{ "domain.set", "{\"domain\":\"client1.com\",\"max_sessions\":3}", "{*}" },
	{ "domain.show", "{\"domain\":\"client1.com\"}",
		"{\"domain\":\"client1.com\",\"made\":\"*\",\"address\":\"2001:db8::1\",\"quota\":5,\"max_sessions\":3,\"maildir\":null,\"accounts\":1}" },
	{ "domain.set", "{\"domain\":\"client2.com\",\"address\":\"2001:db8::1\"}", "config: address 2001:db8::1 is that of domain client1.com" },
	{ "domain.set", "{\"domain\":\"client2.com\",\"address\":\"example.org\"}", "config: address: example.org is not an address*" },
	{ "domain.set", "{\"domain\":\"client1.com\",\"address\":\"none\",\"quota\":null}", "{*}" },
	{ "domain.set", "{\"domain\":\"client1.com\",\"maildir\":\"/m\"}", "config: maildir: /m has neither %u*" },
	{ "domain.set", "{\"domain\":\"client1.com\",\"maildir\":\"/m/%u\"}", "{*}" },
	{ "account.show", "{\"account\":\"x@client1.com\"}", "*\"maildir\":null,\"path\":\"/m/x@client1.com\",*" },
	{ "domain.list", "{\"limit\":1}", "{\"rows\":[{\"domain\":\"client1.com\",*\"address\":null,\"quota\":null,\"max_sessions\":3,\"maildir\":\"/m/%u\"}],\"next\":\"client1.com\"}" },
	{ "domain.list", "{\"after\":\"client1.com\"}", "{\"rows\":[{\"domain\":\"client2.com\",*}]}" },
	{ "domain.remove", "{\"domain\":\"client1.com\"}", "config: domain client1.com has 1 accounts*" },
	{ "domain.remove", "{\"domain\":\"client2.com\"}", "{*}" },
};

static void the_life_of_domains(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_life_of_domains) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
