/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "store/ledger.h"

enum { MANY = 5000 };

static const char *directory;
static struct store *store;
static struct ledger *ledger;

static void open_it(void)
{
	store = fixture_store(directory);
	must(ledger_open(store, "c", "", &ledger, &fixture_err));
}

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	open_it();
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	store_close(&store);
	fixture_remove(directory);
	return 0;
}

static struct ledger_entry entry(uint32_t n, enum ledger_state state)
{
	struct ledger_entry e = { .state = state, .first_seen = 1000, .changed = 1000, .size = n };

	ledger_pop3_id((const uint8_t *)"01234567890123456789012345678901", n, e.id);
	return e;
}

static void fill(uint32_t shared)
{
	for (uint32_t n = 1; n <= MANY; n++) {
		struct ledger_entry e = entry(n, n == shared ? LEDGER_SHARED : LEDGER_ACCEPTED);

		ledger_put(ledger, &e, n == MANY);
		if (n == MANY / 2)
			(void)fixture_drain(store);	/* half durable, half under way */
	}
	for (int n = 0; n < LEDGER_NOTES; n++)
		ledger_note(ledger, (enum ledger_note)n, 1 + n, 0);
}

/* Every thousandth. */
static bool some(void *user, const struct ledger_entry *e)
{
	++*(unsigned *)user;
	return e->state == LEDGER_ACCEPTED && e->size % 1000 == 0;
}

static bool none([[maybe_unused]] void *user, [[maybe_unused]] const struct ledger_entry *e)
{
	return false;
}

static void stays(void)
{
	struct ledger_entry e;

	assert_int_equal(ledger_count(ledger), 6);
	for (uint32_t n = 1000; n <= MANY; n += 1000) {
		e = entry(n, LEDGER_ACCEPTED);
		assert_true(ledger_get(ledger, e.id, &e));
	}
	e = entry(7, LEDGER_SHARED);
	assert_true(ledger_get(ledger, e.id, &e) && e.state == LEDGER_SHARED);
	for (int n = 0; n < LEDGER_NOTES; n++)
		switch ((enum ledger_note)n) {
		case LEDGER_NOTE_SHARED:
		case LEDGER_NOTE_COMPARING:
		case LEDGER_NOTE_COPYING:
		case LEDGER_NOTE_REMOVING:
		case LEDGER_NOTE_VALIDITY:
		case LEDGER_NOTE_ACCOUNT:
			assert_int_equal(ledger_noted(ledger, (enum ledger_note)n), 1 + n);
			break;
		case LEDGER_NOTE_LISTED:
		case LEDGER_NOTE_DISPOSED:
		case LEDGER_NOTE_IGNORED:
		case LEDGER_NOTE_SETTLED_MODSEQ:
		case LEDGER_NOTE_SETTLED_NEXT:
		case LEDGER_NOTE_SETTLED_EXISTS:
		case LEDGER_NOTE_PRUNED:
		case LEDGER_NOTES:
			assert_int_equal(ledger_noted(ledger, (enum ledger_note)n), 0);
			break;
		}
}

static void what_is_wanted_stays([[maybe_unused]] void **state)
{
	unsigned asked = 0;
	struct ledger_entry e = entry(1, LEDGER_ACCEPTED);
	uint64_t kept;

	fill(7);
	must(ledger_forget_but(ledger, &(struct ledger_keep){ some, &asked }, &kept, &fixture_err));
	assert_int_equal(kept, 5);
	assert_true(asked >= MANY);
	stays();
	(void)fixture_drain(store);
	store_close(&store);
	open_it();
	stays();
	ledger_put(ledger, &e, 5);		/* and it goes on from there */
	assert_int_equal(fixture_drain(store), 1);
	assert_int_equal(ledger_count(ledger), 7);
}

static void nothing_wanted_nothing_stays([[maybe_unused]] void **state)
{
	uint64_t kept = 9;

	fill(7);
	must(ledger_forget_but(ledger, &(struct ledger_keep){ none, NULL }, &kept, &fixture_err));
	assert_int_equal(kept, 0);
	assert_int_equal(ledger_count(ledger), 0);
	for (int n = 0; n < LEDGER_NOTES; n++)
		assert_int_equal(ledger_noted(ledger, (enum ledger_note)n), 0);
	(void)fixture_drain(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_wanted_stays, begin, end),
		cmocka_unit_test_setup_teardown(nothing_wanted_nothing_stays, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
