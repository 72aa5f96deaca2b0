/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/held.h"

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
	asks(w, "held.list", NULL, "{\"rows\":[{\"id\":\"*\",\"state\":\"waiting\",\"account\":\"anna\",\"target\":\"relay\",\"sender\":\"anna@example.org\","
		"\"recipients\":1,\"octets\":6,\"since\":\"1970-01-01T00:16:40Z\",\"attempts\":1,\"tried\":\"*Z\",\"next\":\"*Z\",\"why\":\"no? way\"}]}");
	assert_true(held_fail(w->store, one, "never", 1500, &e));
	asks(w, "held.list", NULL, "{\"rows\":[{*\"state\":\"failed\",*\"next\":null,\"why\":\"never\"}]}");
	(void)snprintf(args, sizeof args, "{\"id\":\"%s\"}", held_id_text(one, id));
	asks(w, "held.retry", args, "{\"id\":\"*\",\"running\":true}");
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
	asks(w, "held.retry", args, "{\"id\":\"*\",\"running\":false}");	/* with the next start */
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_held_messages),
		cmocka_unit_test(by_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
