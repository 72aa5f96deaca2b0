/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/held_ledger.h"

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
		"\"sha256\":\"0000*\",\"first_seen\":\"1970-01-01T00:16:41Z\",\"changed\":null,\"accepted\":null,\"error\":\"was \\\"odd\\\"\",\"copies\":[],\"id\":\"25*\"}],\"given\":2}");
	world_end(w);
}

static const struct row rows[] = {
	{ "history.check", "{}", "{}" },
	{ "history.check", "{\"states\":[\"held\",\"failed\"],\"since\":\"2026-11-21T04:05:06Z\"}", "{}" },
	{ "history.check", "{\"states\":[\"held\",\"eaten\"]}", "config: there is no state eaten*" },
	{ "history.check", "{\"target\":\"zz\"}", "config: *" },
	{ "history.index", "{\"ledger\":\"none|\"}", "config: there is no such ledger any more" },
	{ "history.index", "{\"ledger\":\"pop\"}", "config: ledger is none of history.ledgers" },
	{ "history.index", "{\"ledger\":\"pop|\",\"after\":\"12\"}", "config: after is not*" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"12\"]}", "config: member 0 of ids is no id of history.index" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"zz\"]}", "config: member 0 of ids is no id of history.index" },
	{ "history.entries", "{\"ledger\":\"pop|\",\"ids\":[]}", "{\"rows\":[],\"given\":0}" },
	{ "history.forget", "{}", "config: history.forget: connection is missing" },
	{ "history.forget", "{\"connection\":\"other\",\"ledger\":\"pop|\"}", "config: that ledger is not of connection other" },
	{ "history.forget", "{\"connection\":\"pop\",\"ledger\":\"pop|none\"}", "config: there is no such ledger any more" },
	{ "history.forget", "{\"connection\":\"pop\",\"ledger\":\"pop|\"}", "{\"ledgers\":1,\"entries\":3,\"kept\":0}" },
	{ "history.forget", "{\"connection\":\"pop\"}", "{\"ledgers\":1,\"entries\":0,\"kept\":0}" },
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

static void put(struct world *w, uint8_t id, enum ledger_state as, enum ledger_target_state target)
{
	struct ledger_entry e = { .id = { id }, .state = as, .first_seen = 1000, .changed = 1000, .target_count = 1, .targets = { { 1, target, "" } } };
	struct ledger *l;

	must(ledger_open(w->store, "pop", "", &l, &fixture_err));
	ledger_put(l, &e, 1);
	assert_int_equal(fixture_drain(w->store), 1);
}

static void who_refused_is_asked_again([[maybe_unused]] void **state)
{
	static const struct row after[] = {
		{ "history.again", "{\"ledger\":\"pop|\"}", "{\"messages\":2}" },
		{ "history.again", "{\"ledger\":\"pop|\"}", "{\"messages\":0}" },
		{ "history.again", "{\"ledger\":\"none|\"}", "config: there is no such ledger any more" },
	};
	struct world *w = world(NULL);
	struct ledger_entry entry;
	struct store_lock *lock;
	struct ledger *l;

	put(w, 1, LEDGER_REFUSED, LEDGER_TARGET_REFUSED);
	put(w, 2, LEDGER_HELD, LEDGER_TARGET_HELD);
	put(w, 3, LEDGER_PENDING, LEDGER_TARGET_PLACING);
	asks(w, "history.entries", "{\"ledger\":\"pop|\",\"ids\":[\"0100000000000000000000000000000000000000000000000000000000000000\"]}",
		"*\"state\":\"refused\",*");
	must(store_lock_take(w->store, "pop", &lock, &fixture_err));
	asks(w, "history.again", "{\"ledger\":\"pop|\"}", "busy: *when its visit has ended*");
	store_lock_drop(&lock);
	asks_rows(w, after, COUNT(after));
	must(ledger_open(w->store, "pop", "", &l, &fixture_err));
	for (uint8_t n = 1; n <= 3; n++)
		assert_true(ledger_get(l, (const uint8_t[32]){ n }, &entry) && entry.state == LEDGER_PENDING && entry.target_count == (n == 3));
	must(store_lock_take(w->store, "pop", &lock, &fixture_err));
	store_lock_drop(&lock);
	world_end(w);
}

static void a_rescan_says_what_it_keeps([[maybe_unused]] void **state)
{
	static const struct held_origin origin = { .connection = "pop", .id = { 2 } };
	const struct held_new what = { .account = "", .target = "relay", .sender = "", .why = "x", .next = 1, .origin = &origin };
	struct world *w = world(NULL);
	struct spool *m = spool_new(w->directory, &fixture_err);
	uint64_t id;

	must(m && held_add(w->store, &what, m, 1000, &id, &fixture_err));
	spool_free(&m);
	put(w, 1, LEDGER_ACCEPTED, LEDGER_TARGET_ACCEPTED);
	put(w, 2, LEDGER_QUARANTINED, LEDGER_TARGET_ACCEPTED);
	asks(w, "history.forget", "{\"connection\":\"pop\"}", "{\"ledgers\":1,\"entries\":1,\"kept\":1}");
	asks(w, "history.ledgers", NULL, "{\"rows\":[{*\"entries\":1}]}");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledgers_of_all_and_of_one), cmocka_unit_test(ledgers_by_pages), cmocka_unit_test(the_index_and_its_entries),
		cmocka_unit_test(what_is_refused_and_forgotten), cmocka_unit_test(who_refused_is_asked_again), cmocka_unit_test(a_rescan_says_what_it_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
