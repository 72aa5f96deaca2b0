/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/ledger.h"

enum { COUNT_OF = 8 };

/* One letter a message: which are there. */
static const struct {
	char letter;
	enum ledger_state state;
	int64_t first_seen, accepted;
	const char *uid, *error;
	uint64_t target;
	enum ledger_target_state target_state;
} all[COUNT_OF] = {
	{ 'a', LEDGER_ACCEPTED, 1000, 1001, "7/1", "", 0, LEDGER_TARGET_NONE },
	{ 'b', LEDGER_GONE, 2000, 2001, "7/2", "", 0, LEDGER_TARGET_NONE },
	{ 'c', LEDGER_GONE, 3000, 0, "7/3", "timed out", 1, LEDGER_TARGET_PLACING },
	{ 'd', LEDGER_HELD, 4000, 0, "7/11", "try later", 0xabc, LEDGER_TARGET_HELD },
	{ 'e', LEDGER_PENDING, 5000, 0, "7/12", "", 0xabc, LEDGER_TARGET_ACCEPTED },
	{ 'f', LEDGER_REFUSED, 6000, 0, "whole", "no", 0xabc, LEDGER_TARGET_REFUSED },
	{ 'g', LEDGER_SKIPPED, 7000, 0, "", "", 0, LEDGER_TARGET_NONE },
	{ 'x', LEDGER_ALIAS, 5500, 0, "", "", 0, LEDGER_TARGET_NONE },
};

static void fill(struct world *w)
{
	struct ledger *l;

	must(ledger_open(w->store, "box", "", &l, &fixture_err));
	for (size_t n = 0; n < COUNT_OF; n++) {
		struct ledger_entry e = { .id = { (uint8_t)all[n].letter }, .state = all[n].state, .first_seen = all[n].first_seen, .accepted = all[n].accepted,
			.target_count = all[n].target != 0, .targets = { { all[n].target, all[n].target_state, "" } } };

		(void)snprintf(e.uid, sizeof e.uid, "%s", all[n].uid);
		(void)snprintf(e.error, sizeof e.error, "%s", all[n].error);
		ledger_put(l, &e, n + 1);
	}
	assert_int_equal(fixture_drain(w->store), COUNT_OF);
}

static const struct filter_row {
	const char *args, *want;
} rows[] = {
	{ "", "abcdefg" },
	{ ",\"since\":\"1970-01-01T00:50:00Z\"", "cdefg" },
	{ ",\"until\":\"1970-01-01T00:50:00Z\"", "abc" },
	{ ",\"since\":\"1970-01-01T00:50:00Z\",\"until\":\"1970-01-01T00:50:00Z\"", "c" },
	{ ",\"states\":[\"held\"]", "d" },
	{ ",\"states\":[\"held\",\"refused\",\"skipped\"]", "dfg" },
	{ ",\"states\":[\"gone\"]", "bc" },
	{ ",\"states\":[\"delivered\"]", "ab" },
	{ ",\"states\":[\"disposed\"]", "b" },
	{ ",\"states\":[\"failed\"]", "df" },
	{ ",\"states\":[]", "abcdefg" },
	{ ",\"uid\":\"7/1\"", "a" },
	{ ",\"uid\":\"1\"", "a" },
	{ ",\"uid\":\"12\"", "e" },
	{ ",\"uid\":\"hole\"", "" },
	{ ",\"uid\":\"whole\"", "f" },
	{ ",\"target\":\"0000000000000abc\"", "df" },
	{ ",\"target\":\"0000000000000001\",\"states\":[\"gone\"]", "c" },
};

static const struct row wrong[] = {
	{ "history.index", "{\"ledger\":\"box|\",\"states\":[\"helt\"]}", "config: *no state helt; there are pending, accepted, held*refused, delivered, disposed, failed" },
	{ "history.index", "{\"ledger\":\"box|\",\"states\":[\"alias\"]}", "config: *no state alias*" },
	{ "history.index", "{\"ledger\":\"box|\",\"since\":\"yesterday\"}", "config: *since is no moment*" },
	{ "history.index", "{\"ledger\":\"box|\",\"until\":\"2026-01-01\"}", "config: *until is no moment*" },
	{ "history.index", "{\"ledger\":\"box|\",\"target\":\"abc\"}", "config: *target is not 16*" },
	{ "history.index", "{\"ledger\":\"box|\",\"target\":\"000000000000000G\"}", "config: *target is not 16*" },
};

static void what_fits(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	fill(w);
	for (const struct filter_row *r = rows; r < rows + COUNT(rows); r++) {
		char args[300], got[COUNT_OF + 1] = "";
		struct api_call *c;
		const json_t *row;
		size_t n;

		(void)snprintf(args, sizeof args, "{\"ledger\":\"box|\"%s}", r->args);
		c = world_ask(w, "history.index", args, 0);
		assert_non_null(api_reply(c));
		json_array_foreach(json_object_get(api_reply(c), "rows"), n, row) {
			char two[3] = { json_member_text(row, "id")[0], json_member_text(row, "id")[1], '\0' };

			got[n] = (char)strtol(two, NULL, 16);
		}
		if (strcmp(got, r->want) != 0)
			fail_msg("%s: %s, not %s", r->args, got, r->want);
		api_end(&c);
	}
	asks_rows(w, wrong, COUNT(wrong));
	world_end(w);
}

/* Where little fits, a page ends after some thousand entries, with no rows and a `next`. */
static void a_page_does_not_take_long(void **state)
{
	enum { MANY = 10000 };
	struct world *w = world(NULL);
	char args[300] = "{\"ledger\":\"box|\",\"uid\":\"one\"}";
	size_t found = 0, pages = 0;
	struct ledger *l;

	(void)state;
	must(ledger_open(w->store, "box", "", &l, &fixture_err));
	for (uint32_t n = 1; n <= MANY; n++) {
		struct ledger_entry e = { .state = LEDGER_GONE, .first_seen = n };

		memcpy(e.id, &n, sizeof n);
		(void)snprintf(e.uid, sizeof e.uid, "%s", n == MANY / 2 ? "one" : "other");
		ledger_put(l, &e, n == MANY);
	}
	ledger_flush(l);
	(void)fixture_drain(w->store);
	for (bool more = true; more; pages++) {
		struct api_call *c = world_ask(w, "history.index", args, 0);

		assert_non_null(api_reply(c));
		found += json_array_size(json_object_get(api_reply(c), "rows"));
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"ledger\":\"box|\",\"uid\":\"one\",\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(found, 1);
	assert_true(pages >= 3 && pages < 10);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits),
		cmocka_unit_test(a_page_does_not_take_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
