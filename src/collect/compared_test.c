/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that is held, and that a listing did not show: it comes back under its id, and is the one that waits, or another. */
#include <stdio.h>

#include "collect/listing.h"
#include "collect/test_held.h"

enum { DEFERS = 75 };

/* a1 is held; the others went, and then the server lists nothing. */
static void it_went(struct world *w, enum after after)
{
	world_program(w, DEFERS);
	w->with.after = after;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 2, 1, 0, 0);
	w->drop.count = 0;
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_state(w, "a1"), LEDGER_GONE);
	assert_int_equal(held_count(w), 1);
}

static void comes_back(struct world *w, const char *text)
{
	drop_add(&w->drop, "a1", text);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
}

static const char *const same = "Subject: number 1\r\n\r\nhello\r\n";

static void while_its_copy_waits(void **state)
{
	struct world *w = *state;

	it_went(w, AFTER_DELETE);
	comes_back(w, same);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
	assert_int_equal(held_count(w), 1);
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(held_count(w), 0);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_got(w), 3);
}

/* In the visit that sees it again its target takes the copy: before or behind the listing. */
static void when_its_copy_is_delivered(void **state)
{
	struct world *w = *state;

	it_went(w, AFTER_DELETE);
	world_program(w, 0);
	make_due(w);
	comes_back(w, same);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(held_count(w), 0);
	world_visit(w, VISIT_COLLECT);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(w->drop.count, 0);
}

static void after_its_copy_was_delivered(void **state)
{
	struct world *w = *state;

	it_went(w, AFTER_KEEP);
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(world_state(w, "a1"), LEDGER_GONE);
	comes_back(w, same);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(world_state(w, "a1"), LEDGER_ACCEPTED);
	w->drop.count = 0;
	world_visit(w, VISIT_COLLECT);
	comes_back(w, same);		/* whole when it went: a new one */
	assert_int_equal(world_got(w), 4);
}

static void with_other_octets(void **state)
{
	struct world *w = *state;

	it_went(w, AFTER_KEEP);
	comes_back(w, "Subject: another\r\n\r\n");
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(held_count(w), 1);
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_COLLECT);	/* and the one that waited is delivered, too */
	assert_int_equal(world_got(w), 4);
	assert_int_equal(held_count(w), 0);
}

static void when_its_copy_was_thrown_away(void **state)
{
	struct world *w = *state;
	struct held_info info;
	struct err e;

	it_went(w, AFTER_KEEP);
	assert_true(world_held(w, &info) && held_remove(w->store, info.id, &e));
	world_program(w, 0);
	comes_back(w, same);
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 3);
}

/* One target waits for its copy, another was never asked. */
static void for_a_target_that_is_new(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;

	it_went(w, AFTER_KEEP);
	w->with.deliver_count = 2;
	w->deliver[1] = &w->mailbox;
	comes_back(w, same);
	assert_int_equal(world_mailbox(w), 1);
	assert_int_equal(held_count(w), 1);
	entry = entry_of(w, "a1");
	assert_int_equal(entry.state, LEDGER_HELD);
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_HELD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(while_its_copy_waits), CASE(when_its_copy_is_delivered), CASE(after_its_copy_was_delivered), CASE(with_other_octets),
		CASE(when_its_copy_was_thrown_away), CASE(for_a_target_that_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
