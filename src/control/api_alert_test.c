/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/alert.h"

static const struct row rows[] = {
	{ "alert.list", NULL, "{\"rows\":[]}" },
	{ "domain.add", "{\"domain\":\"client1.com\"}", "{*}" },
	{ "account.add", "{\"account\":\"anna@client1.com\"}", "{*}" },
	{ "account.add", "{\"account\":\"bert\"}", "{*}" },
	{ "account.alias", "{\"account\":\"bert\",\"address\":\"b@client1.com\"}", "{*}" },
	{ "alert.add", "{\"account\":\"Anna@Client1.com\",\"text\":\"one\\ntwo\"}", "{\"id\":1,\"scope\":\"account\",\"of\":\"anna@client1.com\",\"known\":true}" },
	{ "alert.add", "{\"account\":\"bert\",\"text\":\"x\"}", "{\"id\":2,\"scope\":\"account\",\"of\":\"bert@main.example\",\"known\":true}" },
	{ "alert.add", "{\"account\":\"b@client1.com\",\"text\":\"x\"}", "{\"id\":3,\"scope\":\"account\",\"of\":\"bert@main.example\",\"known\":true}" },
	{ "alert.add", "{\"account\":\"carl@client2.com\",\"text\":\"x\"}", "{\"id\":4,\"scope\":\"account\",\"of\":\"carl@client2.com\",\"known\":false}" },
	{ "alert.add", "{\"domain\":\"CLIENT1.com\",\"text\":\"x\"}", "{\"id\":5,\"scope\":\"domain\",\"of\":\"client1.com\",\"known\":true}" },
	{ "alert.add", "{\"domain\":\"main.example\",\"text\":\"x\"}", "{\"id\":6,\"scope\":\"domain\",\"of\":\"main.example\",\"known\":true}" },
	{ "alert.add", "{\"domain\":\"client2.com\",\"text\":\"x\"}", "{\"id\":7,\"scope\":\"domain\",\"of\":\"client2.com\",\"known\":false}" },
	{ "alert.add", "{\"server\":true,\"text\":\"x\"}", "{\"id\":8,\"scope\":\"server\",\"of\":\"\",\"known\":true}" },
	{ "alert.list", "{\"limit\":1}", "{\"rows\":[{\"id\":1,\"scope\":\"account\",\"made\":\"*Z\",\"text\":\"one two\",\"account\":\"anna@client1.com\"}],\"next\":\"1\"}" },
	{ "alert.list", "{\"after\":\"6\"}", "{\"rows\":[{\"id\":7,\"scope\":\"domain\",\"made\":\"*Z\",\"text\":\"x\",\"domain\":\"client2.com\"},"
		"{\"id\":8,\"scope\":\"server\",\"made\":\"*Z\",\"text\":\"x\"}]}" },
	{ "alert.remove", "{\"id\":8}", "{\"id\":8}" },
	{ "alert.remove", "{\"id\":8}", "config: there is no alert 8: postrider alert list" },
	{ "alert.list", "{\"after\":\"7\"}", "{\"rows\":[]}" },
	{ "account.remove", "{\"account\":\"bert\"}", "{*}" },
	{ "alert.remove", "{\"id\":2}", "config: there is no alert 2*" },
};

static const struct row wrong[] = {
	{ "alert.add", "{\"text\":\"x\"}", "config: an alert is for one of account, domain, server" },
	{ "alert.add", "{\"server\":false,\"text\":\"x\"}", "config: an alert is for one of*" },
	{ "alert.add", "{\"server\":true,\"account\":\"anna\",\"text\":\"x\"}", "config: an alert is for one of*" },
	{ "alert.add", "{\"domain\":\"a\",\"account\":\"anna\",\"text\":\"x\"}", "config: an alert is for one of*" },
	{ "alert.add", "{\"server\":true}", "config: alert.add: text is missing" },
	{ "alert.add", "{\"server\":true,\"text\":\"\"}", "config: an alert has a text" },
	{ "alert.add", "{\"server\":1,\"text\":\"x\"}", "config: alert.add: server is *" },
	{ "alert.add", "{\"account\":\"a b\",\"text\":\"x\"}", "config: an account's name has no blanks*" },
	{ "alert.add", "{\"domain\":\"a b\",\"text\":\"x\"}", "config: a domain is named like*" },
	{ "alert.remove", "{}", "config: alert.remove: id is missing" },
	{ "alert.remove", "{\"id\":\"1\"}", "config: alert.remove: id is not a whole number" },
	{ "alert.remove", "{\"id\":0}", "config: there is no alert 0*" },
	{ "alert.list", "{\"after\":\"x\"}", "config: after is not what an answer's next said" },
	{ "alert.list", NULL, "{\"rows\":[]}" },
};

static void the_life_of_alerts(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void wrong_shapes(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, wrong, COUNT(wrong));
	world_end(w);
}

static const struct row quotas[] = {
	{ "account.add", "{\"account\":\"bert\"}", "{*}" },
	{ "account.show", "{\"account\":\"bert\"}", "{*\"quota\":null,*\"quota_in_force\":null,\"usage\":0,*}" },
	{ "account.set", "{\"account\":\"bert\",\"quota\":8}", "{*}" },
};

/* What came in is counted, and what does not fit is refused for now. */
static void the_quota(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c;
	char *got;

	(void)state;
	asks_rows(w, quotas, COUNT(quotas));
	for (int n = 0; n < 2; n++) {
		c = world_ask(w, "mailbox.append", "{\"mailbox\":\"bert/INBOX\"}", 5);
		api_take(c, SPAN("abc\r\n"));
		world_settle(w, c);
		got = world_says(c);
		fits(got, n ? "busy: *over quota: bert@main.example has 5 of its 8 octets, the message has 5" : "{\"octets\":5}");
		free(got);
		api_end(&c);
		asks(w, "account.show", "{\"account\":\"bert\"}", "{*\"quota_in_force\":8,\"usage\":5,*}");
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_alerts), cmocka_unit_test(wrong_shapes), cmocka_unit_test(the_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
