/* SPDX-License-Identifier: Apache-2.0 */
#include "store/killed.h"

#include "store/held.h"
#include "store/ledger_prune.h"

enum { KEEP = 30 * 86400, GONE_AT = 1000000, LISTED = GONE_AT + 86400, NOW = GONE_AT + KEEP + 1, MANY = 20000, FEW = 100 };

static const char *directory;
static struct store *store;
static struct ledger *ledger, *inbox;
static const struct prune_rules rules = { .now = NOW, .keep_s = KEEP };

static void open_it(void)
{
	store = fixture_store(directory);
	must(ledger_open(store, "work", "", &ledger, &fixture_err));
	must(ledger_open(store, "work", "INBOX", &inbox, &fixture_err));
}

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	open_it();
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	(void)fixture_drain(store);
	store_close(&store);
	fixture_remove(directory);
	return 0;
}

static struct ledger_entry gone(uint32_t n)
{
	struct ledger_entry e = { .state = LEDGER_GONE, .first_seen = 1, .changed = GONE_AT, .accepted = 1 };

	ledger_pop3_id((const uint8_t *)"01234567890123456789012345678901", n, e.id);
	return e;
}

static void put(struct ledger *l, const struct ledger_entry *e)
{
	ledger_put(l, e, 0);
}

static void listed(struct ledger *l, int64_t when)
{
	ledger_note(l, LEDGER_NOTE_LISTED, when, 0);
}

static uint64_t walk(struct ledger *l, const struct prune_rules *with)
{
	struct prune_walk w = { .removed = 0 };

	while (!prune_slice(l, with, &w))
		(void)fixture_drain(store);
	return w.removed;
}

static bool there(struct ledger *l, const struct ledger_entry *e)
{
	struct ledger_entry found;

	return ledger_get(l, e->id, &found);
}

static void only_what_is_gone_goes([[maybe_unused]] void **state)
{
	listed(ledger, LISTED);
	for (uint32_t n = 0; n < LEDGER_STATES; n++) {
		struct ledger_entry e = gone(n);

		e.state = (enum ledger_state)n;
		put(ledger, &e);
	}
	assert_int_equal(walk(ledger, &rules), 1);
	for (uint32_t n = 0; n < LEDGER_STATES; n++) {
		struct ledger_entry e = gone(n);

		assert_int_equal(there(ledger, &e), n != LEDGER_GONE);
	}
	assert_int_equal(ledger_noted(ledger, LEDGER_NOTE_PRUNED), NOW);
}

static const struct moment_row {
	const char *name;
	int64_t changed, listed, now;
	uint64_t keep;
	bool goes;
} moments[] = {
	{ "old enough", GONE_AT, LISTED, NOW, KEEP, true },
	{ "not yet", GONE_AT, LISTED, NOW - 1, KEEP, false },
	{ "kept for ever", GONE_AT, LISTED, NOW * 1000ll, 0, false },
	{ "kept for long", GONE_AT, LISTED, NOW, KEEP + 1, false },
	{ "no listing since", GONE_AT, GONE_AT, NOW, KEEP, false },
	{ "nobody ever looked", GONE_AT, 0, NOW, KEEP, false },
	{ "a listing right after", GONE_AT, GONE_AT + 1, NOW, KEEP, true },
	{ "a clock that was ahead", NOW + 100, NOW + 200, NOW, KEEP, false },
	{ "at once", GONE_AT, GONE_AT + 1, GONE_AT + 2, 1, true },
};

static void when_it_goes([[maybe_unused]] void **state)
{
	for (size_t n = 0; n < COUNT(moments); n++) {
		const struct moment_row *r = &moments[n];
		struct ledger_entry e = gone(1);

		e.changed = r->changed;
		listed(ledger, r->listed);
		if (prune_may(ledger, &e, &(struct prune_rules){ r->now, r->keep }) != r->goes)
			fail_msg("%s", r->name);
	}
}

static uint64_t hold(const struct ledger_entry *e)
{
	struct held_origin origin = { .connection = "work" };
	const struct held_new what = { .account = "", .target = "relay", .sender = "a@b", .why = "full", .next = NOW, .origin = &origin };
	struct spool *m = spool_new(directory, &fixture_err);
	uint64_t id;

	memcpy(origin.id, e->id, sizeof origin.id);
	must(m && spool_add(m, SPAN("octets"), &fixture_err));
	must(held_add(store, &what, m, NOW, &id, &fixture_err));
	spool_free(&m);
	return id;
}

static void what_a_copy_waits_for_stays([[maybe_unused]] void **state)
{
	struct ledger_entry e = gone(1);
	uint64_t copy = hold(&e);

	e.target_count = 1;
	e.targets[0] = (struct ledger_target){ .target = 1, .state = LEDGER_TARGET_HELD };
	(void)held_id_text(copy, e.targets[0].place);
	listed(ledger, LISTED);
	assert_false(prune_may(ledger, &e, &rules));
	must(held_remove(store, copy, &fixture_err));
	assert_true(prune_may(ledger, &e, &rules));
}

/* Another label may take over from it which targets have the message. */
static void at_gmail_what_left_its_label_too_early_stays([[maybe_unused]] void **state)
{
	struct ledger_entry e = gone(1), alias = gone(2);

	e.target_count = 1;
	e.targets[0] = (struct ledger_target){ .target = 1, .state = LEDGER_TARGET_ACCEPTED };
	e.accepted = 0;
	alias.state = LEDGER_ALIAS;
	listed(inbox, LISTED);
	assert_true(prune_may(inbox, &e, &rules));	/* no aliases: it is not Gmail's */
	put(ledger, &alias);
	assert_false(prune_may(inbox, &e, &rules));
	e.accepted = GONE_AT;
	assert_true(prune_may(inbox, &e, &rules));
	e.accepted = 0;
	e.target_count = 0;				/* another one has taken over */
	assert_true(prune_may(inbox, &e, &rules));
}

static void once_a_day([[maybe_unused]] void **state)
{
	struct prune_rules r = rules;

	assert_false(prune_due(ledger, &r));		/* nothing was ever listed */
	listed(ledger, LISTED);
	assert_true(prune_due(ledger, &r));
	(void)walk(ledger, &r);
	assert_false(prune_due(ledger, &r));
	r.now += PRUNE_EVERY_S - 1;
	assert_false(prune_due(ledger, &r));
	r.now++;
	assert_true(prune_due(ledger, &r));
	r.keep_s = 0;
	assert_false(prune_due(ledger, &r));
	r = (struct prune_rules){ NOW - 1, KEEP };	/* the clock went back */
	assert_true(prune_due(ledger, &r));
}

static bool stays(uint32_t n)
{
	return n % 10 == 0;
}

static void fill(uint32_t count)
{
	for (uint32_t n = 0; n < count; n++) {
		struct ledger_entry e = gone(n);

		if (stays(n))
			e.state = LEDGER_ACCEPTED;
		put(ledger, &e);
		if (n % 1000 == 999)
			ledger_flush(ledger);
	}
	listed(ledger, LISTED);
	ledger_flush(ledger);
	(void)fixture_drain(store);
}

static void slices_are_bounded([[maybe_unused]] void **state)
{
	struct prune_walk w = { .removed = 0 };
	unsigned slices = 0;
	bool over = false;

	fill(MANY);
	for (; !over; slices++) {
		uint64_t before = w.removed;

		over = prune_slice(ledger, &rules, &w);
		assert_true(w.removed - before <= PRUNE_REMOVES);
		(void)fixture_drain(store);
	}
	assert_int_equal(w.removed, MANY - MANY / 10);
	assert_true(slices >= w.removed / PRUNE_REMOVES);
	assert_int_equal(ledger_count(ledger), MANY / 10);
	for (uint32_t n = 0; n < MANY; n++) {
		struct ledger_entry e = gone(n);

		assert_int_equal(there(ledger, &e), stays(n));
	}
}

/* The child: prunes until it is killed. */
static bool prune_it([[maybe_unused]] void *user)
{
	open_it();
	(void)walk(ledger, &rules);
	store_close(&store);
	return true;
}

/* At any instant: what is to stay is there, and the next walk goes on. */
static void killed_anywhere([[maybe_unused]] void **state)
{
	enum { STEP = 5 };
	bool killed = true, halfway = false;

	fill(FEW);
	for (size_t n = 1; killed; n += STEP) {
		uint64_t left;

		store_close(&store);
		killed = killed_at(n, prune_it, NULL);
		open_it();
		left = ledger_count(ledger);
		halfway = halfway || (left > FEW / 10 && left < FEW);
		for (uint32_t i = 0; i < FEW; i += 10) {
			struct ledger_entry e = gone(i);

			assert_true(there(ledger, &e));
		}
		(void)walk(ledger, &rules);
		(void)fixture_drain(store);
		assert_int_equal(ledger_count(ledger), FEW / 10);
		must(ledger_forget(ledger, &fixture_err));
		fill(FEW);
	}
	assert_true(halfway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_is_gone_goes, begin, end),
		cmocka_unit_test_setup_teardown(when_it_goes, begin, end),
		cmocka_unit_test_setup_teardown(what_a_copy_waits_for_stays, begin, end),
		cmocka_unit_test_setup_teardown(at_gmail_what_left_its_label_too_early_stays, begin, end),
		cmocka_unit_test_setup_teardown(once_a_day, begin, end),
		cmocka_unit_test_setup_teardown(slices_are_bounded, begin, end),
		cmocka_unit_test_setup_teardown(killed_anywhere, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
