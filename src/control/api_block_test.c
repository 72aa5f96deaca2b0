/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

enum { LIVE = 700 };

struct live {			/* a running instance's tables, as far as they are seen */
	struct hooks_block added;
	size_t adds, removes;
	bool stopped, full;
};

static bool blocks(void *user, uint64_t *cursor, struct hooks_block *rows, size_t max, size_t *count)
{
	const struct live *l = user;

	for (*count = 0; *count < max && *cursor < LIVE; ++*cursor) {
		char text[40];

		(void)snprintf(text, sizeof text, "10.0.%u.%u", (unsigned)(*cursor / 256), (unsigned)(*cursor % 256));
		assert_true(network_parse(text, &rows[*count].network));
		rows[(*count)++].hits = *cursor;
	}
	return !l->stopped;
}

static bool block_now(void *user, const struct hooks_block *b, struct err *e)
{
	struct live *l = user;

	l->added = *b;
	l->adds++;
	return !l->full || err_set(e, ERR_CONFIG, "full");
}

static size_t unblock_now(void *user, const struct network *n)
{
	struct live *l = user;
	char text[NETWORK_TEXT];

	l->removes++;
	return strcmp(network_text(n, text), "10.0.0.1/32") == 0;
}

static const struct row rows[] = {
	{ "block.list", NULL, "{\"rows\":[]}" },
	{ "block.add", "{\"network\":\"192.0.2.0/24\",\"for_s\":3600,\"why\":\"a\\nb\"}", "{\"network\":\"192.0.2.0/24\"}" },
	{ "block.add", "{\"network\":\"2001:0DB8::1\"}", "{\"network\":\"2001:db8::1/128\"}" },
	{ "block.add", "{\"network\":\"192.0.2.1/24\"}", "config: 192.0.2.1/24 is no network*" },
	{ "block.add", "{\"network\":\"example.org\"}", "config: example.org is no network*" },
	{ "block.add", "{\"network\":\"192.0.2.1\",\"for_s\":0}", "config: a block for no time*" },
	{ "block.add", "{\"network\":\"192.0.2.1\",\"for_s\":1.5}", "config: block.add: for_s is not a whole number" },
	{ "block.list", NULL, "{\"rows\":[{\"network\":\"192.0.2.0/24\",\"by\":\"hand\",\"since\":\"*Z\",\"until\":\"*Z\",\"hits\":0,\"why\":\"a?b\"},"
		"{\"network\":\"2001:db8::1/128\",*\"until\":null,*}]}" },
	{ "block.list", "{\"limit\":1}", "{\"rows\":[{\"network\":\"192.0.2.0/24\",*}],\"next\":\"192.0.2.0/24\"}" },
	{ "block.list", "{\"after\":\"192.0.2.0/24\"}", "{\"rows\":[{\"network\":\"2001:db8::1/128\",*}]}" },
	{ "block.remove", "{\"network\":\"2001:db8::1/128\"}", "{*}" },
	{ "block.remove", "{\"network\":\"2001:db8::1/128\"}", "config: nothing of 2001:db8::1/128 is blocked*" },
};

static void the_life_of_blocks(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void they_hold_at_once_in_a_running_instance(void **state)
{
	struct live l = { .adds = 0 };
	struct world *w = world(&(struct api_hooks){ .user = &l, .blocks = blocks, .block_add = block_now, .block_remove = unblock_now });
	char text[NETWORK_TEXT];

	(void)state;
	asks(w, "block.add", "{\"network\":\"192.0.2.0/24\",\"for_s\":60,\"why\":\"x\"}", "{*}");
	assert_int_equal(l.adds, 1);
	assert_string_equal(network_text(&l.added.network, text), "192.0.2.0/24");
	assert_int_equal(l.added.until - l.added.since, 60);
	assert_true(l.added.by_hand);
	asks(w, "block.add", "{\"network\":\"a\"}", "config: *");
	assert_int_equal(l.adds, 1);
	asks(w, "block.remove", "{\"network\":\"192.0.2.0/24\"}", "{*}");
	asks(w, "block.remove", "{\"network\":\"10.0.0.1\"}", "{*}");	/* after failed logins, and not in the store */
	asks(w, "block.remove", "{\"network\":\"10.0.0.2\"}", "config: nothing of*");
	assert_int_equal(l.removes, 3);
	l.full = true;
	asks(w, "block.add", "{\"network\":\"192.0.2.0/24\"}", "config: block of 192.0.2.0/24 is kept, but holds after a restart only: full");
	world_end(w);
}

static void those_in_force_by_pages(void **state)
{
	struct live l = { .adds = 0 };
	struct world *w = world(&(struct api_hooks){ .user = &l, .blocks = blocks, .block_add = block_now });
	char args[100] = "{}";
	uint64_t seen = 0;

	(void)state;
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "block.list", args, 0);
		const json_t *row;
		size_t n;

		json_array_foreach(json_object_get(api_reply(c), "rows"), n, row)
			assert_int_equal(json_member_number(row, "hits"), seen++);
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(seen, LIVE);
	l.stopped = true;
	asks(w, "block.add", "{\"network\":\"192.0.2.0/24\"}", "{*}");
	asks(w, "block.list", NULL, "{\"rows\":[{\"network\":\"192.0.2.0/24\",*}]}");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_blocks), cmocka_unit_test(they_hold_at_once_in_a_running_instance), cmocka_unit_test(those_in_force_by_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
