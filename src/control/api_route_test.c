/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/route.h"

static const struct row rows[] = {
	{ "account.add", "{\"account\":\"cl1\"}", "{*}" },
	{ "account.add", "{\"account\":\"cl2@x.example\"}", "{*}" },
	{ "route.list", "{}", "{\"rows\":[]}" },
	{ "route.add", "{\"address\":\"*@Client1.com\",\"account\":\"CL1\"}", "{\"address\":\"*@client1.com\",\"account\":\"cl1@main.example\"}" },
	{ "route.add", "{\"address\":\"*@client1.com\",\"account\":\"cl2@x.example\"}", "config: *leads to cl1@main.example already" },
	{ "route.add", "{\"address\":\"*\",\"account\":\"cl2@x.example\"}", "{\"address\":\"*@main.example\",\"account\":\"cl2@x.example\"}" },
	{ "route.add", "{\"address\":\"info\",\"account\":\"cl1\"}", "{\"address\":\"info@main.example\",*}" },
	{ "route.add", "{\"address\":\"a*@client1.com\",\"account\":\"cl1\"}", "config: a route is ADDRESS or *@DOMAIN*" },
	{ "route.add", "{\"address\":\"x@client1.com\",\"account\":\"nobody\"}", "config: there is no account nobody@main.example*" },
	{ "route.add", "{\"address\":\"x@client1.com\"}", "config: route.add: *account*" },
	{ "route.add", "{\"account\":\"cl1\"}", "config: route.add: *address*" },
	{ "route.add", "{\"address\":[],\"account\":\"cl1\"}", "config: route.add: address*" },
	{ "route.list", "{\"limit\":2}", "{\"rows\":[{\"address\":\"*@client1.com\",\"account\":\"cl1@main.example\"},{\"address\":\"*@main.example\",*}],"
		"\"next\":\"*@main.example\"}" },
	{ "route.list", "{\"after\":\"*@main.example\"}", "{\"rows\":[{\"address\":\"info@main.example\",*}]}" },
	{ "domain.add", "{\"domain\":\"x.example\"}", "{*}" },
	{ "route.add", "{\"address\":\"*@y.example\",\"account\":\"cl1\"}", "config: *domain add y.example" },
	{ "route.add", "{\"address\":\"other\",\"account\":\"cl1\"}", "{*}" },		/* the main domain needs not be there */
	{ "route.remove", "{\"address\":\"INFO\"}", "{\"address\":\"info@main.example\"}" },
	{ "route.remove", "{\"address\":\"info\"}", "config: there is no route info@main.example" },
	{ "account.remove", "{\"account\":\"cl1\"}", "{*}" },
	{ "route.list", "{}", "{\"rows\":[{\"address\":\"*@main.example\",\"account\":\"cl2@x.example\"}]}" },
};

static void the_life_of_routes(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void they_lead_where_was_said(void **state)
{
	struct world *w = world(NULL);
	struct resolved r;

	(void)state;
	asks_rows(w, rows, 7);
	assert_true(route_resolve(w->store, SPAN("abcdef@client1.com"), "main.example", NULL, &r));
	assert_string_equal(r.account, "cl1@main.example");
	assert_string_equal(r.routed, "abcdef@client1.com");
	assert_true(route_resolve(w->store, SPAN("info"), "main.example", NULL, &r) && !*r.routed);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_life_of_routes), cmocka_unit_test(they_lead_where_was_said) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
