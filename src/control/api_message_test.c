/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

#define BOX "\"mailbox\":\"bert/INBOX\""

enum { LARGE = 1000000 };

static struct world *start(void)
{
	struct world *w = world(NULL);

	asks(w, "account.add", "{\"account\":\"bert\"}", "{*}");
	return w;
}

static void put(struct world *w, const char *args, struct span octets, size_t piece, const char *want)
{
	struct api_call *c = world_ask(w, "mailbox.append", args, octets.len);
	struct store_done d;
	char *got;

	while (octets.len) {
		size_t n = octets.len < piece ? octets.len : piece;

		assert_int_equal(api_wants(c), octets.len);
		while (api_full(c) && store_wait(w->store))
			while (store_next(w->store, &d))
				api_answered(w->api, &d);
		api_take(c, (struct span){ octets.at, n });
		octets = span_from(octets, n);
	}
	world_settle(w, c);
	got = world_says(c);
	fits(got, want);
	free(got);
	api_end(&c);
}

static void get(struct world *w, const char *uid, struct span want)
{
	char args[100];
	struct api_call *c;
	struct buf got;

	(void)snprintf(args, sizeof args, "{" BOX ",\"uid\":\"%s\"}", uid);
	c = world_ask(w, "mailbox.message", args, 0);
	assert_non_null(api_reply(c));
	assert_int_equal(api_octets(c), want.len);
	buf_start(&got, LARGE + API_PIECE);
	while (api_octets(c)) {
		size_t before = got.len;

		must(api_give(c, &got, &fixture_err));
		assert_true(got.len - before <= API_PIECE);
	}
	assert_true(span_equal(buf_span(&got), want));
	buf_end(&got);
	api_end(&c);
}

static void uid_of(struct world *w, size_t number, char out[20])
{
	struct api_call *c = world_ask(w, "mailbox.messages", "{" BOX "}", 0);

	(void)snprintf(out, 20, "%s", json_member_text(json_array_get(json_object_get(api_reply(c), "rows"), number), "uid"));
	api_end(&c);
}

static void in_and_out_again(void **state)
{
	struct world *w = start();
	char *large = fixture_octets(LARGE), uid[20];

	(void)state;
	put(w, "{" BOX ",\"arrived\":1000,\"seen\":true}", SPAN("a\r\nb"), 1, "{\"octets\":4}");
	put(w, "{" BOX "}", (struct span){ large, LARGE }, 60000, "{\"octets\":1000000}");
	put(w, "{" BOX "}", (struct span){ "", 0 }, 1, "{\"octets\":0}");
	asks(w, "mailbox.messages", "{" BOX "}", "{\"rows\":[{\"number\":1,*\"octets\":6,\"arrived\":\"1970-01-01T00:16:40Z\",\"seen\":true},"
		"{*\"octets\":1000002,*\"seen\":false},{*\"octets\":0,*}]}");
	uid_of(w, 0, uid);
	get(w, uid, SPAN("a\r\nb"));
	uid_of(w, 1, uid);
	get(w, uid, (struct span){ large, LARGE });
	uid_of(w, 2, uid);
	get(w, uid, (struct span){ "", 0 });
	free(large);
	world_end(w);
}

static const struct row rows[] = {
	{ "mailbox.append", "{}", "config: mailbox.append: mailbox is missing" },
	{ "mailbox.append", "{\"mailbox\":\"nobody/INBOX\"}", "config: *there is no account*" },
	{ "mailbox.append", "{" BOX ",\"arrived\":-1}", "config: mailbox.append: arrived is not a whole number" },
	{ "mailbox.message", "{" BOX ",\"uid\":\"0000000000000001\"}", "config: there is no mailbox*" },
	{ "mailbox.add", "{" BOX "}", "{*}" },
	{ "mailbox.message", "{" BOX ",\"uid\":\"0000000000000001\"}", "{\"octets\":0,\"gone\":true}" },
	{ "mailbox.message", "{" BOX ",\"uid\":\"1\"}", "config: uid is not one of mailbox.messages" },
	{ "mailbox.message", "{" BOX ",\"uid\":\"000000000000000G\"}", "config: uid is not one of mailbox.messages" },
	{ "mailbox.message", "{" BOX ",\"uid\":\"00000000000000001\"}", "config: mailbox.message: uid has more than 16 octets" },
};

static void what_is_refused(void **state)
{
	struct world *w = start();

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	put(w, "{\"mailbox\":\"nobody/INBOX\"}", SPAN("these octets are thrown away"), 3, "config: *there is no account*");
	world_end(w);
}

/* Half a message is none. */
static void broken_off(void **state)
{
	struct world *w = start();
	char *large = fixture_octets(LARGE);
	struct api_call *c = world_ask(w, "mailbox.append", "{" BOX "}", LARGE);

	(void)state;
	api_take(c, (struct span){ large, 150000 });
	api_end(&c);
	(void)fixture_drain(w->store);
	asks(w, "mailbox.messages", "{" BOX "}", "{\"rows\":[]}");
	free(large);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(in_and_out_again), cmocka_unit_test(what_is_refused), cmocka_unit_test(broken_off) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
