/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/held_inside.h"

enum { NOW = 1000000, OCTETS = 100 };

static const char *directory;
static struct store *store;

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	store = fixture_store(directory);
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	store_close(&store);
	fixture_remove(directory);
	return 0;
}

static void reopen(void)
{
	store_close(&store);
	store = fixture_store(directory);
}

static size_t keys(void)
{
	struct view *v;
	struct span key = { 0 }, value;
	size_t n = 0;

	must(view_begin(store_engine(store), &v, &fixture_err));
	while (view_next(v, held_part(), SPAN(""), &key, &value))
		n++;
	view_end(&v);
	return n;
}

struct how {
	const char *connection;		/* "" = submitted */
	enum held_state state;
	int64_t next;
	uint64_t most;
	size_t octets;			/* 0 = OCTETS */
};

static bool try_add(const struct how *how, uint64_t *id, struct err *e)
{
	struct held_origin origin = { .mailbox = "INBOX", .uid = "7", .id = { 1 }, .digest = { 2 } };
	size_t octets = how->octets ? how->octets : OCTETS;
	const struct held_new what = { .account = *how->connection ? "" : "anna", .target = "relay", .sender = "a@b", .why = "full", .next = how->next,
		.origin = *how->connection ? &origin : NULL, .state = how->state, .most = how->most };
	struct spool *m = spool_new(directory, &fixture_err);
	char *at = fixture_octets(octets);
	bool good;

	(void)snprintf(origin.connection, sizeof origin.connection, "%s", how->connection);
	must(m && spool_add(m, (struct span){ at, octets }, &fixture_err));
	good = held_add(store, &what, m, NOW, id, e);
	spool_free(&m);
	free(at);
	return good;
}

static uint64_t add(const char *connection, enum held_state state, int64_t next)
{
	uint64_t id;

	must(try_add(&(struct how){ connection, state, next, 0, 0 }, &id, &fixture_err));
	return id;
}

static void has(const char *connection, uint64_t waiting, uint64_t failed, uint64_t quarantined)
{
	struct held_info info = { .id = 0 };
	uint64_t before = 0, count[3] = { 0 };
	struct held_sums sums;

	held_sums_of(store, connection, &sums);
	assert_int_equal(sums.waiting, waiting);
	assert_int_equal(sums.failed, failed);
	assert_int_equal(sums.quarantined, quarantined);
	assert_int_equal(sums.octets, (waiting + failed) * OCTETS);
	assert_int_equal(sums.quarantined_octets, quarantined * OCTETS);
	for (; held_next_of(store, connection, &info); before = info.id) {
		assert_true(info.id > before);
		assert_string_equal(info.origin.connection, connection);
		count[info.state]++;
	}
	assert_true(count[HELD_WAITING] == waiting && count[HELD_FAILED] == failed && count[HELD_QUARANTINED] == quarantined);
}

static void each_kind_is_walked_and_summed_apart([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };
	char name[LEDGER_CONNECTION_MAX + 1] = "";
	struct held_sums all;
	uint64_t before = 0;
	size_t n = 0;

	(void)add("", HELD_WAITING, NOW);
	(void)add("work", HELD_WAITING, NOW);
	(void)add("work", HELD_QUARANTINED, 0);
	(void)add("wor", HELD_WAITING, NOW);		/* one name begins as the other does */
	(void)add("", HELD_WAITING, NOW);
	reopen();
	has("", 2, 0, 0);
	has("work", 1, 0, 1);
	has("wor", 1, 0, 0);
	has("none", 0, 0, 0);
	for (; held_next(store, &info); before = info.id, n++)
		assert_true(info.id > before);
	assert_int_equal(n, 5);
	assert_true(held_each_connection(store, name, &all) && all.waiting == 1 && all.quarantined == 1);
	assert_string_equal(name, "work");
	assert_true(held_each_connection(store, name, &all) && all.waiting == 1 && all.quarantined == 0);
	assert_string_equal(name, "wor");
	assert_false(held_each_connection(store, name, &all));
	held_sums(store, &all);
	assert_true(all.waiting == 4 && all.failed == 0 && all.quarantined == 1);
	assert_true(all.octets == 4 * OCTETS && all.quarantined_octets == OCTETS);
}

static void a_record_says_where_it_came_from([[maybe_unused]] void **state)
{
	uint64_t id = add("work", HELD_WAITING, NOW + 60);
	struct held_info info;

	reopen();
	assert_true(held_get(store, id, &info));
	assert_string_equal(info.origin.connection, "work");
	assert_string_equal(info.origin.mailbox, "INBOX");
	assert_string_equal(info.origin.uid, "7");
	assert_true(info.origin.id[0] == 1 && info.origin.digest[0] == 2);
	assert_string_equal(info.account, "");
	assert_true(info.next == NOW + 60 && !info.released);
}

static void the_sums_follow_what_becomes_of_it([[maybe_unused]] void **state)
{
	uint64_t one = add("work", HELD_WAITING, NOW), two = add("work", HELD_WAITING, NOW);
	struct held_info info;
	struct err e;

	must(held_defer(store, one, "x", NOW, NOW + 60, &fixture_err));
	has("work", 2, 0, 0);
	must(held_placing(store, one, "name", &fixture_err));
	must(held_fail(store, one, "x", NOW, &fixture_err));
	has("work", 1, 1, 0);
	must(held_again(store, one, NOW, &fixture_err));
	has("work", 2, 0, 0);
	assert_true(held_get(store, one, &info) && !info.released);
	must(held_quarantine(store, two, "no such\nuser", NOW, &fixture_err));
	has("work", 1, 0, 1);
	assert_true(held_get(store, two, &info));
	assert_true(info.state == HELD_QUARANTINED && info.attempts == 2 && info.next == 0);
	assert_string_equal(info.why, "no such?user");
	must(held_remove(store, one, &fixture_err));
	has("work", 0, 0, 1);
	must(held_remove(store, two, &fixture_err));
	has("work", 0, 0, 0);
	assert_int_equal(keys(), 0);
	assert_false(held_quarantine(store, two, "x", NOW, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void a_released_one_remembers_it([[maybe_unused]] void **state)
{
	uint64_t id = add("work", HELD_QUARANTINED, 0);
	struct held_info info;

	must(held_again(store, id, NOW + 5, &fixture_err));
	has("work", 1, 0, 0);
	assert_int_equal(held_due(store, "work"), NOW + 5);
	must(held_defer(store, id, "x", NOW + 6, NOW + 60, &fixture_err));
	must(held_fail(store, id, "x", NOW + 60, &fixture_err));
	must(held_again(store, id, NOW + 70, &fixture_err));
	reopen();
	assert_true(held_get(store, id, &info) && info.released && info.state == HELD_WAITING);
	must(held_quarantine(store, id, "x", NOW + 80, &fixture_err));
	assert_true(held_get(store, id, &info) && !info.released);
	has("work", 0, 0, 1);
}

static void the_first_that_is_due([[maybe_unused]] void **state)
{
	uint64_t one, two;

	assert_true(held_due(store, "work") == INT64_MAX && held_due(store, "") == INT64_MAX);
	one = add("work", HELD_WAITING, NOW + 300);
	two = add("work", HELD_WAITING, NOW + 20);
	(void)add("work", HELD_QUARANTINED, 0);
	(void)add("wor", HELD_WAITING, NOW + 1);
	(void)add("", HELD_WAITING, NOW + 2);
	assert_int_equal(held_due(store, "work"), NOW + 20);
	assert_int_equal(held_due(store, ""), NOW + 2);
	must(held_defer(store, two, "x", NOW + 20, NOW + 400, &fixture_err));
	assert_int_equal(held_due(store, "work"), NOW + 300);
	must(held_fail(store, one, "x", NOW + 300, &fixture_err));
	reopen();
	assert_int_equal(held_due(store, "work"), NOW + 400);
	must(held_remove(store, two, &fixture_err));
	assert_int_equal(held_due(store, "work"), INT64_MAX);
	must(held_again(store, one, NOW + 301, &fixture_err));
	assert_int_equal(held_due(store, "work"), NOW + 301);
}

static void each_has_its_own_room([[maybe_unused]] void **state)
{
	const struct how work = { "work", HELD_WAITING, NOW, 250, 0 };
	uint64_t id, one;
	struct err e;

	must(try_add(&work, &one, &fixture_err));
	must(try_add(&work, &id, &fixture_err));
	assert_false(try_add(&work, &id, &e));
	assert_int_equal(e.kind, ERR_BUSY);
	assert_non_null(strstr(e.text, "held_max 250"));
	must(try_add(&(struct how){ "work", HELD_QUARANTINED, 0, 250, 1000000 }, &id, &fixture_err));
	must(held_remove(store, id, &fixture_err));
	must(try_add(&(struct how){ "home", HELD_WAITING, NOW, 250, 250 }, &id, &fixture_err));
	assert_false(try_add(&(struct how){ "home", HELD_WAITING, NOW, 250, 1 }, &id, &e));
	must(try_add(&(struct how){ "", HELD_WAITING, NOW, 100, 0 }, &id, &fixture_err));
	assert_false(try_add(&(struct how){ "", HELD_WAITING, NOW, 100, 0 }, &id, &e));
	must(held_quarantine(store, one, "x", NOW, &fixture_err));	/* makes room: it is accepted */
	must(try_add(&work, &id, &fixture_err));
	must(held_again(store, one, NOW, &fixture_err));		/* a person's word, over the limit */
	has("work", 3, 0, 0);
	assert_false(try_add(&(struct how){ "a|b", HELD_WAITING, NOW, 0, 0 }, &id, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void what_is_due_in_its_order([[maybe_unused]] void **state)
{
	uint64_t late = add("box", HELD_WAITING, NOW + 9), first = add("box", HELD_WAITING, NOW + 5), second = add("box", HELD_WAITING, NOW + 5), at[4];
	struct held_info info = { .id = 0 };
	int64_t moment = 0;
	size_t n = 0;

	(void)add("bo", HELD_WAITING, NOW);
	(void)add("box", HELD_QUARANTINED, NOW);
	while (held_next_due(store, "box", &moment, &info)) {
		assert_true(n < COUNT(at));
		assert_int_equal(moment, info.next);
		at[n++] = info.id;
	}
	assert_int_equal(n, 3);
	assert_true(at[0] == (first < second ? first : second) && at[1] == (first < second ? second : first) && at[2] == late);
	must(held_postpone(store, first, "not now", NOW + 20, &fixture_err));
	moment = NOW + 9;
	info.id = late;
	must(held_next_due(store, "box", &moment, &info));
	assert_true(info.id == first && moment == NOW + 20 && info.attempts == 1 && strcmp(info.why, "not now") == 0);
	must(held_quarantine(store, first, "no", NOW, &fixture_err));
	must(held_postpone(store, first, "not now", NOW + 30, &fixture_err));
	must(held_get(store, first, &info));
	assert_true(info.state == HELD_QUARANTINED && info.next == 0 && strcmp(info.why, "no") == 0);
}

static size_t unsettled(void)
{
	struct held_info info = { .id = 0 };
	size_t n = 0;

	while (held_next_unsettled(store, "box", &info))
		n++;
	return n;
}

static void what_the_ledger_may_not_know([[maybe_unused]] void **state)
{
	uint64_t ids[] = { add("box", HELD_WAITING, NOW), add("box", HELD_QUARANTINED, 0), add("bo", HELD_WAITING, NOW) };

	(void)add("", HELD_WAITING, NOW);
	assert_int_equal(unsettled(), 2);
	must(held_settled(store, "box", ids, 3, &fixture_err));
	reopen();
	assert_int_equal(unsettled(), 0);
	must(held_defer(store, ids[0], "no", NOW, NOW, &fixture_err));
	must(held_again(store, ids[1], NOW, &fixture_err));
	assert_int_equal(unsettled(), 0);
	must(held_quarantine(store, ids[0], "no", NOW, &fixture_err));
	assert_int_equal(unsettled(), 1);
	must(held_again(store, ids[0], NOW, &fixture_err));
	assert_int_equal(unsettled(), 1);
	must(held_remove(store, ids[0], &fixture_err));
	assert_int_equal(unsettled(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_kind_is_walked_and_summed_apart, begin, end),
		cmocka_unit_test_setup_teardown(a_record_says_where_it_came_from, begin, end),
		cmocka_unit_test_setup_teardown(the_sums_follow_what_becomes_of_it, begin, end),
		cmocka_unit_test_setup_teardown(a_released_one_remembers_it, begin, end),
		cmocka_unit_test_setup_teardown(the_first_that_is_due, begin, end),
		cmocka_unit_test_setup_teardown(what_is_due_in_its_order, begin, end),
		cmocka_unit_test_setup_teardown(what_the_ledger_may_not_know, begin, end),
		cmocka_unit_test_setup_teardown(each_has_its_own_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
