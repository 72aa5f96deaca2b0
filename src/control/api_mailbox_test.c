/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/place.h"

#define ANNA "\"mailbox\":\"anna@x/INBOX\""

static struct mailbox *filled(struct world *w, size_t count)
{
	struct mailbox *box;

	must(account_add(w->store, "anna@x", SPAN(""), 0, &fixture_err));
	box = fixture_box(w->store, "anna@x/INBOX");
	fixture_fill(w->store, box, count);
	return box;
}

static const struct row rows[] = {
	{ "mailbox.list", NULL, "{\"rows\":[{\"mailbox\":\"anna@x/INBOX\",\"messages\":3,\"octets\":9}]}" },
	{ "mailbox.add", "{\"mailbox\":\"Anna@X/lists/info\"}", "{\"mailbox\":\"anna@x/lists/info\"}" },
	{ "mailbox.add", "{\"mailbox\":\"anna@x/lists/info\"}", "config: mailbox anna@x/lists/info is there already" },
	{ "mailbox.add", "{\"mailbox\":\"nobody/INBOX\"}", "config: *no account nobody@main.example*" },
	{ "mailbox.add", "{\"mailbox\":\"anna\"}", "config: anna is not ACCOUNT/BOX*" },
	{ "mailbox.add", "{\"mailbox\":\"anna@x/../b\"}", "config: *" },
	{ "mailbox.list", "{\"limit\":1}", "{\"rows\":[{\"mailbox\":\"anna@x/INBOX\",*}],\"next\":\"anna@x/INBOX\"}" },
	{ "mailbox.list", "{\"limit\":1,\"after\":\"anna@x/INBOX\"}", "{\"rows\":[{\"mailbox\":\"anna@x/lists/info\",\"messages\":0,\"octets\":0}],*}" },
	{ "mailbox.maildirs", NULL, "{\"rows\":[]}" },
	{ "mailbox.place", "{\"mailbox\":\"Anna@x/inbox\"}", "{\"mailbox\":\"anna@x/inbox\",\"maildir\":null,\"account_maildir\":null,\"known\":true}" },
	{ "account.set", "{\"account\":\"anna@x\",\"maildir\":\"/m/%n\"}", "config: there is mail in mailbox anna@x/INBOX*" },
	{ "account.add", "{\"account\":\"bert@x\"}", "{*}" },
	{ "mailbox.add", "{\"mailbox\":\"bert@x/INBOX\"}", "{*}" },
	{ "account.set", "{\"account\":\"bert@x\",\"maildir\":\"/m/%n\"}", "{*}" },
	{ "mailbox.maildirs", NULL, "{\"rows\":[{\"mailbox\":\"bert@x/INBOX\",\"maildir\":\"/m/bert\"}]}" },
	{ "mailbox.maildirs", "{\"limit\":1}", "{\"rows\":[],\"next\":\"anna\"}" },
	{ "mailbox.maildirs", "{\"limit\":1,\"after\":\"anna@x\"}", "{\"rows\":[{*bert@x/INBOX*}],\"next\":\"bert@x\"}" },
	{ "mailbox.place", "{\"mailbox\":\"bert@x/a/b\"}", "{\"mailbox\":\"bert@x/a/b\",\"maildir\":\"/m/bert/.a.b\",\"account_maildir\":\"/m/bert\",\"known\":true}" },
	{ "mailbox.place", "{\"mailbox\":\"bert@x/a.b\"}", "config: mailbox bert@x/a.b: in a Maildir*" },
	{ "mailbox.place", "{\"mailbox\":\"dora@x/INBOX\"}", "*\"maildir\":null,*\"known\":false}" },
	{ "mailbox.add", "{\"mailbox\":\"bert@x/b\"}", "config: mailbox bert@x/b lies in the Maildir /m/bert/.b, not in the store*" },
	{ "mailbox.remove", "{\"mailbox\":\"bert@x/INBOX\"}", "config: mailbox bert@x/INBOX lies in the Maildir /m/bert,*" },
	{ "mailbox.messages", "{\"mailbox\":\"bert@x/INBOX\"}", "config: mailbox bert@x/INBOX lies in the Maildir /m/bert,*" },
	{ "mailbox.list", "{\"after\":\"anna@x/lists/info\"}", "{\"rows\":[]}" },
	{ "account.remove", "{\"account\":\"bert@x\",\"with_mailboxes\":true}", "{*}" },
	{ "mailbox.remove", "{" ANNA "}", "config: mailbox anna@x/INBOX has 3 messages; --with-messages removes them with it" },
	{ "mailbox.remove", "{" ANNA ",\"with_messages\":true}", "{*}" },
	{ "mailbox.messages", "{" ANNA "}", "config: there is no mailbox*" },
	{ "store.usage", NULL, "{\"mailboxes\":1,\"messages\":0,\"octets\":0}" },
};

static void the_life_of_mailboxes(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	(void)filled(w, 3);
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void what_the_default_hides_is_listed(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	(void)filled(w, 2);
	must(mailbox_add(w->store, "anna@x/empty", &fixture_err));
	store_maildirs(w->store, "/m/%u");
	asks(w, "mailbox.list", NULL, "{\"rows\":[{\"mailbox\":\"anna@x/INBOX\",\"messages\":2,\"octets\":6,\"hidden\":true}]}");
	asks(w, "account.set", "{\"account\":\"anna@x\",\"maildir\":\"none\"}", "{*}");
	asks(w, "mailbox.list", NULL, "{\"rows\":[{*\"octets\":6},{*empty*}]}");
	world_end(w);
}

static void messages_and_their_headers(void **state)
{
	struct world *w = world(NULL);
	struct mailbox *box = filled(w, 2);

	(void)state;
	fixture_append(box, SPAN("From: Anna <a@x>\r\nSubject: two\r\n words\r\n\r\ntext\r\n"), NULL, 9);
	(void)fixture_drain(w->store);
	asks(w, "mailbox.messages", "{" ANNA "}", "{\"rows\":[{\"number\":1,\"uid\":\"*\",\"octets\":3,\"arrived\":\"1970-01-01T00:00:01Z\",\"seen\":false},"
		"{\"number\":2,*},{\"number\":3,*}]}");
	asks(w, "mailbox.messages", "{" ANNA ",\"header\":true}", "*{\"number\":1,*\"from\":\"\",\"subject\":\"\"},*"
		"{\"number\":3,*\"from\":\"Anna <a@x>\",\"subject\":\"two words\"}]}");
	asks(w, "mailbox.messages", "{" ANNA ",\"after\":\"1\"}", "config: after is not*");
	asks(w, "mailbox.messages", "{" ANNA ",\"after\":\"x.1\"}", "config: after is not*");
	world_end(w);
}

/* Who lists page by page, while messages before go: misses none, and sees none twice. */
static void what_goes_between_two_pages_hides_nothing(void **state)
{
	enum { ALL = 700, PAGE = 50 };
	struct world *w = world(NULL);
	struct mailbox *box = filled(w, ALL);
	char args[200] = "{" ANNA ",\"limit\":50}";
	uint64_t last = 0, seen = 0, gone = 0;

	(void)state;
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "mailbox.messages", args, 0);
		const json_t *rows_here = json_object_get(api_reply(c), "rows"), *row;
		struct mailbox_entry first[7];
		uint64_t uids[COUNT(first)];
		size_t n;

		json_array_foreach(rows_here, n, row) {
			uint64_t uid = strtoull(json_member_text(row, "uid"), NULL, 16);

			assert_true(uid > last);
			last = uid;
			seen++;
		}
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{" ANNA ",\"limit\":%d,\"after\":\"%s\"}", PAGE, json_member_text(api_reply(c), "next"));
		api_end(&c);
		assert_int_equal(mailbox_entries(box, 3, first, COUNT(first)), COUNT(first));	/* they were listed already */
		for (n = 0; n < COUNT(first); n++)
			uids[n] = first[n].uid;
		mailbox_remove(box, uids, COUNT(uids), NULL, 0, 1000, 77);
		gone += fixture_drain(w->store);
	}
	assert_int_equal(seen, ALL);
	assert_true(gone > ALL / PAGE);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_mailboxes), cmocka_unit_test(messages_and_their_headers), cmocka_unit_test(what_the_default_hides_is_listed), cmocka_unit_test(what_goes_between_two_pages_hides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
