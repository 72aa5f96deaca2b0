/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/held_ledger.h"

enum { SOME = 3 };

static void hold(struct world *w, const char *why, uint64_t *id)
{
	static const char *const to[] = { "bert@example.org" };
	const struct held_new what = { .account = "anna", .target = "relay", .sender = "anna@example.org", .recipients = to, .recipient_count = 1,
		.why = why, .next = 2000 };
	struct err e;
	struct spool *m = spool_new(store_state(w->store), &e);

	assert_non_null(m);
	assert_true(spool_add(m, SPAN("octets"), &e));
	assert_true(held_add(w->store, &what, m, 1000, id, &e));
	spool_free(&m);
}

static void kick(void *user)
{
	++*(unsigned *)user;
}

static void the_life_of_held_messages([[maybe_unused]] void **state)
{
	unsigned kicked = 0;
	struct world *w = world(&(struct api_hooks){ .user = &kicked, .held_retry = kick });
	char args[100], id[HELD_ID_TEXT];
	struct held_info info;
	uint64_t one;
	struct err e;

	asks(w, "held.list", NULL, "{\"rows\":[]}");
	hold(w, "no\x80 way", &one);
	asks(w, "held.list", NULL, "{\"rows\":[{\"id\":\"*\",\"state\":\"waiting\",\"connection\":\"\",\"account\":\"anna\",\"target\":\"relay\",\"uid\":\"\",\"sender\":\"anna@example.org\","
		"\"recipients\":1,\"octets\":6,\"since\":\"1970-01-01T00:16:40Z\",\"released\":false,\"attempts\":1,\"tried\":\"*Z\",\"next\":\"*Z\",\"why\":\"no? way\"}]}");
	assert_true(held_fail(w->store, one, "never", 1500, &e));
	asks(w, "held.list", NULL, "{\"rows\":[{*\"state\":\"failed\",*\"next\":null,\"why\":\"never\"}]}");
	(void)snprintf(args, sizeof args, "{\"id\":\"%s\"}", held_id_text(one, id));
	asks(w, "held.retry", args, "{\"id\":\"*\",\"connection\":\"\",\"running\":true}");
	assert_int_equal(kicked, 1);
	assert_true(held_get(w->store, one, &info));
	assert_true(info.state == HELD_WAITING && info.next > 1500);
	asks(w, "held.remove", args, "{*}");
	asks(w, "held.remove", args, "config: *there is no held message *");
	asks(w, "held.retry", args, "config: *there is no held message *");
	asks(w, "held.retry", "{\"id\":\"x\"}", "config: *x is no held message*");
	asks(w, "held.retry", NULL, "config: *");
	assert_int_equal(kicked, 1);
	world_end(w);
}

static void by_pages([[maybe_unused]] void **state)
{
	struct world *w = world(NULL);
	char args[100], id[HELD_ID_TEXT], want[200];
	uint64_t ids[SOME], least, most;

	for (size_t n = 0; n < SOME; n++)
		hold(w, "x", &ids[n]);
	least = ids[0] < ids[1] ? ids[0] : ids[1];
	least = least < ids[2] ? least : ids[2];
	most = ids[0] > ids[1] ? ids[0] : ids[1];
	most = most > ids[2] ? most : ids[2];
	(void)snprintf(want, sizeof want, "{\"rows\":[{*}],\"next\":\"%s\"}", held_id_text(least, id));
	asks(w, "held.list", "{\"limit\":1}", want);
	(void)snprintf(args, sizeof args, "{\"after\":\"%s\",\"limit\":5}", held_id_text(least, id));
	(void)snprintf(want, sizeof want, "{\"rows\":[{*},{\"id\":\"%s\",*}]}", held_id_text(most, id));
	asks(w, "held.list", args, want);
	asks(w, "held.list", "{\"after\":\"nonsense\"}", "config: *after*");
	(void)snprintf(args, sizeof args, "{\"id\":\"%s\"}", id);
	asks(w, "held.retry", args, "{\"id\":\"*\",\"connection\":\"\",\"running\":false}");	/* with the next start */
	world_end(w);
}

/* ---- what connections brought */

struct kicked {
	unsigned submissions, connections;
	char last[64];
};

static void kick_submissions(void *user)
{
	((struct kicked *)user)->submissions++;
}

static void kick_connection(void *user, const char *connection)
{
	struct kicked *k = user;

	k->connections++;
	(void)snprintf(k->last, sizeof k->last, "%s", connection);
}

/* The message of an entry, whose id begins with `entry`. */
static uint64_t bring(struct world *w, const char *connection, uint8_t entry, enum held_state as, struct span octets)
{
	static const char *const to[] = { "bert@example.org", "carla@example.org" };
	struct held_origin origin = { .id = { entry }, .uid = "uid-7" };
	const struct held_new what = { .account = "", .target = "relay", .sender = "s@example.org", .recipients = to, .recipient_count = COUNT(to),
		.why = "550 no such user", .next = 2000, .origin = &origin, .state = as };
	struct spool *m = spool_new(store_state(w->store), &fixture_err);
	uint64_t id;

	(void)snprintf(origin.connection, sizeof origin.connection, "%s", connection);
	must(m && spool_add(m, octets, &fixture_err));
	must(held_add(w->store, &what, m, 1000, &id, &fixture_err));
	spool_free(&m);
	return id;
}

/* As a visit leaves it: its one target is waited for. */
static void mention(struct world *w, const char *connection, uint8_t entry, uint64_t copy)
{
	struct ledger_entry e = { .id = { entry }, .state = LEDGER_HELD, .first_seen = 1000, .changed = 1000, .target_count = 1,
		.targets = { { .target = 1, .state = LEDGER_TARGET_HELD } } };
	struct ledger *l;

	(void)held_id_text(copy, e.targets[0].place);
	must(ledger_open(w->store, connection, "", &l, &fixture_err));
	ledger_put(l, &e, 1);
	assert_int_equal(fixture_drain(w->store), 1);
}

static const char *id_args(uint64_t id)
{
	static char args[100];
	char text[HELD_ID_TEXT];

	(void)snprintf(args, sizeof args, "{\"id\":\"%s\"}", held_id_text(id, text));
	return args;
}

static void lists_by_connection_and_state([[maybe_unused]] void **state)
{
	static const struct row rows[] = {
		{ "held.list", "{\"connection\":\"work\"}", "{\"rows\":[{*\"uid\":\"uid-7\"*},{*\"connection\":\"work\"*}]}" },
		{ "held.list", "{\"connection\":\"home\"}", "{\"rows\":[{*\"state\":\"quarantined\"*\"next\":null*}]}" },
		{ "held.list", "{\"connection\":\"none\"}", "{\"rows\":[]}" },
		{ "held.list", "{\"state\":\"quarantined\"}", "{\"rows\":[{*\"state\":\"quarantined\"*},{*\"state\":\"quarantined\"*}]}" },
		{ "held.list", "{\"connection\":\"work\",\"state\":\"waiting\"}", "{\"rows\":[{*\"state\":\"waiting\"*}]}" },
		{ "held.list", "{\"state\":\"failed\"}", "{\"rows\":[]}" },
		{ "held.list", "{\"state\":\"lost\"}", "config: *state is waiting, failed or quarantined" },
		{ "held.connections", NULL, "{\"rows\":[{\"connection\":\"home\",\"held\":0,\"failed\":0,\"quarantined\":1,*},"
			"{\"connection\":\"work\",\"held\":1,\"failed\":0,\"quarantined\":1,\"octets\":6,\"quarantined_octets\":6,"
			"\"since\":\"1970-01-01T00:16:40Z\",\"why\":\"550 no such user\"}]}" },
		{ "held.connections", "{\"limit\":1}", "{\"rows\":[{\"connection\":\"home\",*}],\"next\":\"home\"}" },
		{ "held.connections", "{\"after\":\"work\"}", "{\"rows\":[]}" },
	};
	struct world *w = world(NULL);
	uint64_t id;

	hold(w, "x", &id);
	(void)bring(w, "work", 1, HELD_WAITING, SPAN("octets"));
	(void)bring(w, "work", 2, HELD_QUARANTINED, SPAN("octets"));
	(void)bring(w, "home", 2, HELD_QUARANTINED, SPAN("octets"));
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void a_page_of_what_is_not_wanted_ends_too([[maybe_unused]] void **state)
{
	struct world *w = world(NULL);

	(void)bring(w, "work", 1, HELD_WAITING, SPAN("octets"));
	asks(w, "held.list", "{\"state\":\"failed\",\"limit\":1}", "{\"rows\":[],\"next\":\"*\"}");
	world_end(w);
}

static void one_is_shown([[maybe_unused]] void **state)
{
	static const struct shown { struct span octets; const char *want; } all[] = {
		{ SPAN("A: b\r\nC: d\r\n\r\nbody\r\n\r\n"), "*\"to\":[\"bert@example.org\",\"carla@example.org\"],\"header\":\"A: b\\r\\nC: d\\r\\n\",\"place\":\"\"}" },
		{ SPAN("A: b\n\nbody\n"), "*\"header\":\"A: b\\n\",*" },
		{ SPAN("A: \x1b[2J\0\xff\r\n\r\n"), "*\"header\":\"A: \\u001B[2J?\xef\xbf\xbd\\r\\n\",*" },
		{ SPAN("no end of it"), "*\"header\":\"no end of it\",*" },
		{ SPAN(""), "*\"header\":\"\",*" },
	};
	struct world *w = world(NULL);

	for (size_t n = 0; n < COUNT(all); n++)
		asks(w, "held.show", id_args(bring(w, "work", 1, HELD_QUARANTINED, all[n].octets)), all[n].want);
	asks(w, "held.show", id_args(77), "config: *there is no held message*");
	asks(w, "held.message", id_args(77), "config: *there is no held message*");
	asks(w, "held.message", "{}", "config: *id is missing");
	world_end(w);
}

static void a_quarantined_one_is_released([[maybe_unused]] void **state)
{
	struct kicked k = { .submissions = 0 };
	struct world *w = world(&(struct api_hooks){ .user = &k, .held_retry = kick_submissions, .held_kick = kick_connection });
	uint64_t id = bring(w, "work", 1, HELD_QUARANTINED, SPAN("x"));
	struct held_info info;

	asks(w, "held.retry", id_args(id), "config: *is quarantined: 550 no such user; to try it again: postrider held release *");
	assert_int_equal(k.connections, 0);
	asks(w, "held.release", id_args(id), "{\"id\":\"*\",\"connection\":\"work\",\"running\":true}");
	assert_true(k.connections == 1 && k.submissions == 0);
	assert_string_equal(k.last, "work");
	assert_true(held_get(w->store, id, &info) && info.state == HELD_WAITING && info.released);
	asks(w, "held.release", id_args(id), "config: *is not quarantined, but waiting: postrider held retry *");
	asks(w, "held.retry", id_args(id), "{*\"running\":true}");
	assert_int_equal(k.connections, 2);
	world_end(w);
}

/* An entry that is done mentions no copy; they are told all the same, each with its own entry. */
static void what_is_quarantined_has_a_history([[maybe_unused]] void **state)
{
	struct world *w = world(NULL);
	uint64_t one = bring(w, "work", 1, HELD_QUARANTINED, SPAN("x")), two = bring(w, "work", 2, HELD_QUARANTINED, SPAN("x"));
	uint64_t again = bring(w, "work", 1, HELD_QUARANTINED, SPAN("y"));
	char id[HELD_ID_TEXT], other[HELD_ID_TEXT], want[200];
	struct ledger *l;

	(void)bring(w, "work", 3, HELD_WAITING, SPAN("x"));	/* nobody's: its entry does not wait */
	must(ledger_open(w->store, "work", "", &l, &fixture_err));
	for (uint8_t n = 1; n <= 3; n++)
		ledger_put(l, &(struct ledger_entry){ .id = { n }, .state = LEDGER_ACCEPTED, .first_seen = 1000, .changed = 1000 }, 1);
	assert_int_equal(fixture_drain(w->store), 3);
	(void)snprintf(want, sizeof want, "{*\"copies\":[\"%s\",\"%s\"],\"id\":*}*", held_id_text(one < again ? one : again, id), held_id_text(one < again ? again : one, other));
	asks(w, "history.entries", "{\"ledger\":\"work|\",\"ids\":[\"0100000000000000000000000000000000000000000000000000000000000000\"]}", want);
	(void)snprintf(want, sizeof want, "{*\"copies\":[\"%s\"],\"id\":*}*", held_id_text(two, id));
	asks(w, "history.entries", "{\"ledger\":\"work|\",\"ids\":[\"0200000000000000000000000000000000000000000000000000000000000000\"]}", want);
	asks(w, "history.entries", "{\"ledger\":\"work|\",\"ids\":[\"0300000000000000000000000000000000000000000000000000000000000000\"]}", "{*\"copies\":[],\"id\":*}*");
	world_end(w);
}

static void a_removed_one_is_not_waited_for([[maybe_unused]] void **state)
{
	struct world *w = world(NULL);
	uint64_t id = bring(w, "work", 1, HELD_WAITING, SPAN("x")), loose = bring(w, "work", 2, HELD_QUARANTINED, SPAN("x"));
	struct ledger_entry entry;
	struct store_lock *lock;
	struct held_info info;
	struct ledger *l;

	mention(w, "work", 1, id);
	asks(w, "history.entries", "{\"ledger\":\"work|\",\"ids\":[\"0100000000000000000000000000000000000000000000000000000000000000\"]}",
		"{\"rows\":[{*\"state\":\"held\",*\"copies\":[\"*\"],\"id\":\"01*\"}],*");
	must(store_lock_take(w->store, "work", &lock, &fixture_err));
	asks(w, "held.remove", id_args(id), "busy: *in use*");
	asks(w, "held.remove", id_args(loose), "busy: *in use*");	/* no entry waits for it, but a visit may be trying it */
	store_lock_drop(&lock);
	asks(w, "held.remove", id_args(loose), "{\"id\":\"*\"}");
	assert_true(held_get(w->store, id, &info));
	asks(w, "held.remove", id_args(id), "{\"id\":\"*\"}");
	assert_false(held_get(w->store, id, &info));
	must(ledger_open(w->store, "work", "", &l, &fixture_err));
	assert_true(ledger_get(l, (const uint8_t[32]){ 1 }, &entry));
	assert_true(entry.state == LEDGER_REFUSED && entry.target_count == 1 && entry.targets[0].state == LEDGER_TARGET_REFUSED);
	must(store_lock_take(w->store, "work", &lock, &fixture_err));	/* and nobody has it any more */
	store_lock_drop(&lock);
	asks(w, "history.waiting", "{\"ledger\":\"work|\"}", "{\"messages\":1}");
	asks(w, "history.again", "{\"ledger\":\"work|\"}", "{\"messages\":1}");
	asks(w, "history.waiting", "{\"ledger\":\"work|\"}", "{\"messages\":0}");
	assert_true(ledger_get(l, (const uint8_t[32]){ 1 }, &entry));
	assert_true(entry.state == LEDGER_PENDING && !entry.target_count);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_held_messages),
		cmocka_unit_test(by_pages), cmocka_unit_test(lists_by_connection_and_state), cmocka_unit_test(a_page_of_what_is_not_wanted_ends_too),
		cmocka_unit_test(one_is_shown), cmocka_unit_test(a_quarantined_one_is_released), cmocka_unit_test(what_is_quarantined_has_a_history), cmocka_unit_test(a_removed_one_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
