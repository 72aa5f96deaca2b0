/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "control/ask.h"
#include "control/json.h"
#include "control/test_instance.h"
#include "store/held.h"

enum { LARGE = 700000 };

static const char *state_directory;
static struct ask *ask;

static uint64_t hold(struct store *s, size_t len)
{
	const struct held_new what = { .account = "anna", .target = "relay", .sender = "a@b", .why = "full", .next = 1000 };
	struct spool *m = spool_new(store_state(s), &fixture_err);
	char *at = fixture_octets(len);
	uint64_t id;

	must(m && spool_add(m, (struct span){ at, len }, &fixture_err));
	must(held_add(s, &what, m, 1000, &id, &fixture_err));
	spool_free(&m);
	free(at);
	return id;
}

static bool collect(void *user, struct span octets, [[maybe_unused]] struct err *e)
{
	return fixture_collect(user, octets);
}

static bool enough([[maybe_unused]] void *user, [[maybe_unused]] struct span octets, struct err *e)
{
	return err_set(e, ERR_LOCAL, "the disk is full");
}

static void fetches(uint64_t id, size_t len)
{
	struct fixture_text got = { 0 };
	char *want = fixture_octets(len), text[HELD_ID_TEXT];

	must(ask_octets(ask, "held.message", json_pack("{s:s}", "id", held_id_text(id, text)), collect, &got, &fixture_err));
	assert_int_equal(got.len, len);
	if (len)
		assert_memory_equal(got.at, want, len);
	free(got.at);
	free(want);
}

static void all_of_it(const uint64_t ids[3])
{
	struct fixture_text got = { 0 };
	char text[HELD_ID_TEXT];
	struct err e;

	fetches(ids[0], 0);
	fetches(ids[1], 10);
	fetches(ids[2], LARGE);
	assert_false(ask_octets(ask, "held.message", json_pack("{s:s}", "id", held_id_text(ids[2], text)), enough, NULL, &e));
	assert_string_equal(e.text, "the disk is full");
	assert_false(ask_octets(ask, "held.message", json_pack("{s:s}", "id", "0000000000000009"), collect, &got, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_int_equal(got.len, 0);
	fetches(ids[2], LARGE);		/* the other side is still in step */
}

static void here_and_through_the_socket([[maybe_unused]] void **state)
{
	const struct ask_with with = { .store_map = FIXTURE_MAP, .what = "postrider test" };
	struct ask_with at = with;
	struct instance instance;
	uint64_t ids[3];

	at.state = state_directory = fixture_directory();
	must(ask_open(&at, &ask, &fixture_err));
	ids[0] = hold(ask_store(ask), 0);
	ids[1] = hold(ask_store(ask), 10);
	ids[2] = hold(ask_store(ask), LARGE);
	all_of_it(ids);
	ask_close(&ask);
	instance_start(&instance, state_directory);
	must(ask_open(&at, &ask, &fixture_err));
	assert_null(ask_store(ask));
	all_of_it(ids);
	ask_close(&ask);
	instance_stop(&instance);
	fixture_remove(state_directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(here_and_through_the_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
