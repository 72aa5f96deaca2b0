/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/held_ledger.h"

enum { NOW = 1000000 };

static const char *directory;
static struct store *store;
static struct ledger *ledger, *inbox;

static void open_both(void)
{
	store = fixture_store(directory);
	must(ledger_open(store, "work", "", &ledger, &fixture_err));
	must(ledger_open(store, "work", "INBOX", &inbox, &fixture_err));
}

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	open_both();
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	(void)fixture_drain(store);
	store_close(&store);
	fixture_remove(directory);
	return 0;
}

static uint64_t hold(uint8_t entry, const char *mailbox, enum held_state as)
{
	struct held_origin origin = { .connection = "work", .id = { entry } };
	const struct held_new what = { .account = "", .target = "relay", .sender = "a@b", .why = "full", .next = NOW, .origin = &origin, .state = as };
	struct spool *m = spool_new(directory, &fixture_err);
	uint64_t id;

	(void)snprintf(origin.mailbox, sizeof origin.mailbox, "%s", mailbox);
	must(m && spool_add(m, SPAN("octets"), &fixture_err));
	must(held_add(store, &what, m, NOW, &id, &fixture_err));
	spool_free(&m);
	return id;
}

/* Targets as letters: A accepted, P placing, R refused, H held with `copy`, h held without. */
static void put(struct ledger *l, uint8_t id, enum ledger_state as, const char *targets, uint64_t copy)
{
	struct ledger_entry e = { .id = { id }, .state = as, .first_seen = NOW, .changed = NOW, .target_count = (uint32_t)strlen(targets) };

	for (size_t n = 0; targets[n]; n++) {
		struct ledger_target *t = &e.targets[n];

		t->target = n + 1;
		t->state = targets[n] == 'A' ? LEDGER_TARGET_ACCEPTED : targets[n] == 'P' ? LEDGER_TARGET_PLACING :
			targets[n] == 'R' ? LEDGER_TARGET_REFUSED : LEDGER_TARGET_HELD;
		if (targets[n] == 'H')
			(void)held_id_text(copy, t->place);
	}
	ledger_put(l, &e, 0);
}

static void is(struct ledger *l, uint8_t id, enum ledger_state as, const char *targets)
{
	struct ledger_entry e;
	char got[LEDGER_TARGETS_MAX + 1] = "";

	assert_true(ledger_get(l, (const uint8_t[32]){ id }, &e));
	assert_int_equal(e.state, as);
	for (uint32_t n = 0; n < e.target_count; n++)
		got[n] = "-PAHR"[e.targets[n].state];
	for (uint32_t n = 0; n < e.target_count; n++)
		if (got[n] == 'H' && !*e.targets[n].place)
			got[n] = 'h';
	assert_string_equal(got, targets);
}

static bool there(struct ledger *l, uint8_t id)
{
	struct ledger_entry e;

	return ledger_get(l, (const uint8_t[32]){ id }, &e);
}

static void a_rescan_keeps_what_is_held([[maybe_unused]] void **state)
{
	uint64_t copy = hold(1, "", HELD_WAITING), moved = hold(99, "", HELD_WAITING);
	struct held_rescanned r;
	struct err e;

	put(ledger, 1, LEDGER_HELD, "AH", copy);
	put(ledger, 2, LEDGER_ACCEPTED, "", 0);
	put(ledger, 3, LEDGER_HELD, "H", 0x1234);	/* of a copy that is no more */
	put(ledger, 4, LEDGER_PENDING, "H", moved);	/* under another id than it came by */
	put(ledger, 5, LEDGER_QUARANTINED, "", 0);
	put(ledger, 6, LEDGER_REFUSED, "R", 0);
	put(inbox, 1, LEDGER_ACCEPTED, "", 0);
	put(inbox, 5, LEDGER_GONE, "", 0);
	(void)hold(5, "", HELD_QUARANTINED);
	(void)hold(5, "INBOX", HELD_QUARANTINED);
	must(held_fail(store, copy, "x", NOW, &fixture_err));
	must(held_rescan(store, "work", &r, &fixture_err));
	assert_true(r.ledgers == 2 && r.kept == 4 && r.forgotten == 4);
	is(ledger, 1, LEDGER_HELD, "AH");
	is(ledger, 4, LEDGER_PENDING, "H");
	is(ledger, 5, LEDGER_QUARANTINED, "");
	is(inbox, 5, LEDGER_GONE, "");
	assert_false(there(ledger, 2) || there(ledger, 3) || there(ledger, 6) || there(inbox, 1));
	assert_true(held_remove(store, copy, &e) && held_remove(store, moved, &e));
	must(held_rescan(store, "work", &r, &fixture_err));
	assert_true(r.kept == 2 && r.forgotten == 2);
}

static void who_is_asked_again([[maybe_unused]] void **state)
{
	static const struct row { enum ledger_state state; const char *targets; bool changes; enum ledger_state now; const char *left; } rows[] = {
		{ LEDGER_REFUSED,     "R",    true,  LEDGER_PENDING,     "" },
		{ LEDGER_REFUSED,     "ARA",  true,  LEDGER_PENDING,     "AA" },
		{ LEDGER_REFUSED,     "RH",   true,  LEDGER_PENDING,     "H" },
		{ LEDGER_HELD,        "h",    true,  LEDGER_PENDING,     "" },
		{ LEDGER_HELD,        "Ah",   true,  LEDGER_PENDING,     "A" },
		{ LEDGER_HELD,        "hH",   true,  LEDGER_PENDING,     "H" },
		{ LEDGER_HELD,        "AH",   false, LEDGER_HELD,        "AH" },
		{ LEDGER_HELD,        "",     true,  LEDGER_PENDING,     "" },
		{ LEDGER_PENDING,     "PR",   true,  LEDGER_PENDING,     "P" },
		{ LEDGER_PENDING,     "PA",   false, LEDGER_PENDING,     "PA" },
		{ LEDGER_PENDING,     "",     false, LEDGER_PENDING,     "" },
		{ LEDGER_GONE,        "h",    false, LEDGER_GONE,        "h" },
		{ LEDGER_QUARANTINED, "",     false, LEDGER_QUARANTINED, "" },
		{ LEDGER_SKIPPED,     "",     false, LEDGER_SKIPPED,     "" },
		{ LEDGER_DISPOSING,   "",     false, LEDGER_DISPOSING,   "" },
	};
	uint64_t copy = hold(200, "", HELD_WAITING), count = 0;

	for (size_t n = 0; n < COUNT(rows); n++) {
		put(ledger, (uint8_t)n, rows[n].state, rows[n].targets, copy);
		count += rows[n].changes;
	}
	put(ledger, 100, LEDGER_HELD, "AH", 0x77);	/* its copy was removed */
	(void)fixture_drain(store);
	assert_int_equal(held_would_ask(store, ledger), count + 1);
	for (size_t n = 0; n < COUNT(rows); n++)
		is(ledger, (uint8_t)n, rows[n].state, rows[n].targets);
	ledger_note(ledger, LEDGER_NOTE_SETTLED_MODSEQ, 7, 0);
	assert_int_equal(held_ask_again(store, ledger, 5), count + 1);
	assert_int_equal(ledger_noted(ledger, LEDGER_NOTE_SETTLED_MODSEQ), 0);	/* the next visit looks again, whatever the server says of changes */
	assert_int_equal(fixture_drain(store), 1);
	store_close(&store);
	open_both();
	for (size_t n = 0; n < COUNT(rows); n++)
		is(ledger, (uint8_t)n, rows[n].now, rows[n].left);
	is(ledger, 100, LEDGER_PENDING, "A");
	ledger_note(ledger, LEDGER_NOTE_SETTLED_MODSEQ, 8, 0);
	assert_int_equal(held_ask_again(store, ledger, 6), 0);
	assert_int_equal(ledger_noted(ledger, LEDGER_NOTE_SETTLED_MODSEQ), 8);
	assert_int_equal(fixture_drain(store), 0);
}

static void a_copy_that_goes_is_not_mentioned([[maybe_unused]] void **state)
{
	uint64_t one = hold(1, "INBOX", HELD_WAITING), moved = hold(2, "INBOX", HELD_WAITING), loose = hold(3, "INBOX", HELD_WAITING);
	struct ledger_entry entry;
	struct held_info info;
	struct ledger *l;

	put(inbox, 1, LEDGER_HELD, "AH", one);
	put(inbox, 9, LEDGER_HELD, "H", moved);
	put(inbox, 3, LEDGER_PENDING, "A", 0);
	assert_true(held_get(store, loose, &info));
	assert_false(held_mentioned(store, &info, &l, &entry));
	put(ledger, 8, LEDGER_HELD, "AH", loose);	/* another mailbox's entry has it now */
	store_close(&store);
	open_both();
	assert_true(held_mentioned(store, &info, &l, &entry));
	assert_true(l == ledger && entry.id[0] == 8);
	assert_true(held_get(store, moved, &info) && held_mentioned(store, &info, &l, &entry));
	assert_true(l == inbox && entry.id[0] == 9);
	assert_true(held_get(store, one, &info) && held_mentioned(store, &info, &l, &entry));
	held_unmention(l, &entry, one, 4);
	assert_int_equal(fixture_drain(store), 1);
	is(inbox, 1, LEDGER_REFUSED, "AR");
	assert_false(held_mentioned(store, &info, &l, &entry));
	put(inbox, 4, LEDGER_ACCEPTED, "H", one);	/* of a target that is not in `deliver` */
	assert_true(held_mentioned(store, &info, &l, &entry));
	held_unmention(l, &entry, one, 4);
	is(inbox, 4, LEDGER_ACCEPTED, "");
	put(inbox, 5, LEDGER_GONE, "AH", one);		/* of which another label may be left */
	assert_true(held_mentioned(store, &info, &l, &entry));
	held_unmention(l, &entry, one, 4);
	is(inbox, 5, LEDGER_GONE, "AR");
}

/* All is decided: only copies are told of still. */
static void what_waits_stays_mentioned([[maybe_unused]] void **state)
{
	struct ledger_entry entry;

	put(inbox, 1, LEDGER_ACCEPTED, "AHRh", 0x77);
	assert_true(ledger_get(inbox, (uint8_t[32]){ 1 }, &entry));
	held_keep_mentions(&entry);
	assert_int_equal(entry.target_count, 1);
	assert_true(held_mentions(&entry, 0x77));
	assert_false(held_mentions(&entry, 0x78));
	held_keep_mentions(&entry);
	assert_int_equal(entry.target_count, 1);
}

static void put_alias(uint8_t id, uint8_t owner)
{
	struct ledger_entry alias = { .id = { id }, .state = LEDGER_ALIAS, .has_digest = true, .digest = { owner }, .first_seen = NOW, .changed = NOW };

	ledger_put(ledger, &alias, 0);
}

/* One mailbox is forgotten, and at Gmail the aliases that it owns; but for what is held, of which another label would be a second copy. */
static void a_rescan_of_one_mailbox([[maybe_unused]] void **state)
{
	struct ledger_name name = { .connection = "work", .mailbox = "INBOX" };
	struct held_rescanned r;
	struct ledger_entry e;
	struct ledger *other;

	must(ledger_open(store, "work", "other", &other, &fixture_err));
	put(inbox, 1, LEDGER_ACCEPTED, "", 0);
	put(inbox, 2, LEDGER_HELD, "H", hold(2, "INBOX", HELD_WAITING));
	put(other, 3, LEDGER_ACCEPTED, "", 0);
	put_alias(11, 1);
	put_alias(12, 2);
	put_alias(13, 3);
	(void)fixture_drain(store);
	must(held_rescan_one(store, &name, &r, &fixture_err));
	assert_int_equal(r.ledgers, 1);
	assert_int_equal(r.forgotten, 1);
	assert_int_equal(r.kept, 1);
	assert_false(ledger_get(inbox, (const uint8_t[32]){ 1 }, &e));
	assert_true(ledger_get(inbox, (const uint8_t[32]){ 2 }, &e) && e.state == LEDGER_HELD);
	assert_true(ledger_get(other, (const uint8_t[32]){ 3 }, &e));
	assert_false(ledger_get(ledger, (const uint8_t[32]){ 11 }, &e));
	assert_true(ledger_get(ledger, (const uint8_t[32]){ 12 }, &e));
	assert_true(ledger_get(ledger, (const uint8_t[32]){ 13 }, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rescan_keeps_what_is_held, begin, end),
		cmocka_unit_test_setup_teardown(a_rescan_of_one_mailbox, begin, end),
		cmocka_unit_test_setup_teardown(who_is_asked_again, begin, end),
		cmocka_unit_test_setup_teardown(a_copy_that_goes_is_not_mentioned, begin, end),
		cmocka_unit_test_setup_teardown(what_waits_stays_mentioned, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
