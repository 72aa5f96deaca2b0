/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ledger_inside.h"

#include "store/fixture.h"

static struct ledger *opened(struct store *s)
{
	struct ledger *l;

	must(ledger_open(s, "c", "", &l, &fixture_err));
	return l;
}

static struct ledger_entry entry(uint8_t n)
{
	struct ledger_entry e = { .state = LEDGER_ACCEPTED, .size = n, .changed = 5 };

	e.id[0] = n;
	return e;
}

static bool there(struct ledger *l, uint8_t n)
{
	struct ledger_entry e = entry(n), got;

	return ledger_get(l, e.id, &got);
}

/* Answers that come until nothing is under way: how many were good, and how many not. */
static size_t drain(struct store *s, size_t *bad)
{
	struct store_done d;
	size_t good = 0;

	*bad = 0;
	while (store_wait(s))
		while (store_next(s, &d)) {
			good += d.good;
			*bad += !d.good;
		}
	return good;
}

static void put(struct ledger *l, uint8_t n)
{
	struct ledger_entry e = entry(n);

	ledger_put(l, &e, n);
}

/* Makes the store refuse the next group: another number stands there. */
static void break_number(struct ledger *l)
{
	struct batch *b = store_batch(l->part);

	store_must(batch_put(b, SPAN("q"), SPAN("12345678")));
	must(engine_commit_wait(l->store->engine, &b, &fixture_err));
}

static void after_a_refusal_nothing_is_taken(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s);
	size_t bad;

	(void)state;
	put(l, 1);
	assert_int_equal(drain(s, &bad), 1);
	break_number(l);
	put(l, 2);		/* under way, and to be refused */
	put(l, 3);		/* waits behind it */
	ledger_note(l, LEDGER_NOTE_COMPARING, 7, 4);
	assert_int_equal(drain(s, &bad), 0);
	assert_int_equal(bad, 3);
	put(l, 5);		/* comes later: refused as well */
	assert_false(there(l, 5));
	assert_int_equal(drain(s, &bad), 0);
	assert_int_equal(bad, 1);
	assert_true(there(l, 1) && !there(l, 2) && !there(l, 3));
	store_close(&s);
}

static void renewed_it_begins_anew(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s);
	size_t bad;

	(void)state;
	ledger_note(l, LEDGER_NOTE_COMPARING, 3, 1);
	assert_int_equal(drain(s, &bad), 1);
	break_number(l);
	ledger_note(l, LEDGER_NOTE_COMPARING, 0, 2);
	assert_int_equal(drain(s, &bad), 0);
	ledger_renew(l);
	assert_int_equal(ledger_noted(l, LEDGER_NOTE_COMPARING), 3);	/* as it is durable */
	put(l, 1);
	assert_int_equal(drain(s, &bad), 1);
	store_close(&s);
	s = fixture_store(directory);
	l = opened(s);
	assert_true(there(l, 1));
	put(l, 2);
	assert_int_equal(drain(s, &bad), 1);
	assert_true(ledger_forget(l, &fixture_err));
	put(l, 3);
	assert_int_equal(drain(s, &bad), 1);
	assert_true(there(l, 3) && !there(l, 2));
	store_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_refusal_nothing_is_taken), cmocka_unit_test(renewed_it_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
