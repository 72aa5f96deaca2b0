/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/ledger.h"

static void fill(struct world *w, const char *connection, const char *mailbox, uint32_t count)
{
	struct ledger *l;

	must(ledger_open(w->store, connection, mailbox, &l, &fixture_err));
	for (uint32_t n = 1; n <= count; n++) {
		struct ledger_entry e = { .state = n % 10 ? LEDGER_ACCEPTED : LEDGER_ALIAS, .size = n, .first_seen = 1000 + n, .has_digest = true };

		e.id[0] = (uint8_t)(n * 37);
		memcpy(e.id + 8, &n, sizeof n);
		(void)snprintf(e.uid, sizeof e.uid, "uid-%u", n);
		(void)snprintf(e.error, sizeof e.error, "%s", n == 1 ? "was \"odd\"" : "");
		ledger_put(l, &e, n);
	}
	assert_int_equal(fixture_drain(w->store), count);
}

static void ledgers_of_all_and_of_one(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	fill(w, "pop", "", 3);
	fill(w, "imap", "INBOX", 2);
	fill(w, "imap", "Entw&APw-rfe", 1);
	asks(w, "history.ledgers", NULL, "{\"rows\":[{*},{*},{\"ledger\":\"pop|\",\"connection\":\"pop\",\"mailbox\":null,\"entries\":3}]}");
	asks(w, "history.ledgers", "{\"connection\":\"imap\",\"limit\":1}", "{\"rows\":[{\"ledger\":\"imap|*\",*}],\"next\":\"*\"}");
	asks(w, "history.ledgers", "{\"connection\":\"imap\"}", "*\"mailbox\":\"Entw\xc3\xbcrfe\"*");
	asks(w, "history.ledgers", "{\"connection\":\"none\"}", "{\"rows\":[]}");
	asks(w, "history.ledgers", "{\"after\":\"xyz\"}", "config: after is not*");
	world_end(w);
}

/* Page by page: each ledger once. */
static void ledgers_by_pages(void **state)
{
	struct world *w = world(NULL);
	char args[300] = "{\"limit\":1}";
	size_t count = 0;

	(void)state;
	fill(w, "pop", "", 3);
	fill(w, "imap", "INBOX", 2);
	fill(w, "imap", "a|b", 1);
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "history.ledgers", args, 0);

		assert_non_null(api_reply(c));
		count += json_array_size(json_object_get(api_reply(c), "rows"));
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"limit\":1,\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(count, 3);
	asks(w, "history.index", "{\"ledger\":\"imap|a|b\"}", "{\"rows\":[{*}]}");
	world_end(w);
}

static void the_index_and_its_entries(void **state)
{
	enum { ALL = 1200 };
	struct world *w = world(NULL);
	char args[300] = "{\"ledger\":\"pop|\"}", id[80] = "";
	size_t count = 0;

	(void)state;
	fill(w, "pop", "", ALL);
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "history.index", args, 0);
		const json_t *rows = json_object_get(api_reply(c), "rows"), *row;
		size_t n;

		json_array_foreach(rows, n, row) {
			assert_true(strcmp(json_member_text(row, "id"), id) > 0);
			(void)snprintf(id, sizeof id, "%s", json_member_text(row, "id"));
		}
		assert_true(n <= API_ROWS_MAX);
		count += n;
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"ledger\":\"pop|\",\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(count, ALL - ALL / 10);	/* aliases are no messages */
	asks(w, "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"2500000000000000010000000000000000000000000000000000000000000000\","
		"\"ff00000000000000010000000000000000000000000000000000000000000000\"]}",
		"{\"rows\":[{\"connection\":\"pop\",\"mailbox\":null,\"uid\":\"uid-1\",\"state\":\"accepted\",\"size\":1,\"attempts\":0,"
		"\"sha256\":\"0000*\",\"first_seen\":\"1970-01-01T00:16:41Z\",\"changed\":null,\"accepted\":null,\"error\":\"was \\\"odd\\\"\"}],\"given\":2}");
	world_end(w);
}

static const struct row rows[] = {
	{ "history.index", "{\"ledger\":\"none|\"}", "config: there is no such ledger any more" },
	{ "history.index", "{\"ledger\":\"pop\"}", "config: ledger is none of history.ledgers" },
	{ "history.index", "{\"ledger\":\"pop|\",\"after\":\"12\"}", "config: after is not*" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"12\"]}", "config: member 0 of ids is no id of history.index" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"zz\"]}", "config: member 0 of ids is no id of history.index" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[]}", "{\"rows\":[],\"given\":0}" },
	{ "history.forget", "{}", "config: history.forget: connection is missing" },
	{ "history.forget", "{\"connection\":\"pop\"}", "{\"ledgers\":1,\"entries\":3}" },
};

static void what_is_refused_and_forgotten(void **state)
{
	struct world *w = world(NULL);
	struct store_lock *lock;

	(void)state;
	fill(w, "pop", "", 3);
	must(store_lock_take(w->store, "pop", &lock, &fixture_err));
	asks(w, "history.forget", "{\"connection\":\"pop\"}", "busy: connection pop is in use*");
	store_lock_drop(&lock);
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledgers_of_all_and_of_one), cmocka_unit_test(ledgers_by_pages), cmocka_unit_test(the_index_and_its_entries),
		cmocka_unit_test(what_is_refused_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
