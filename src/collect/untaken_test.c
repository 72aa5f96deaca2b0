/* SPDX-License-Identifier: Apache-2.0
 *
 * What a target defers or refuses, by what on_refused says: the held area, the ledger, the server. */
#include <stdio.h>

#include "collect/test_world.h"

enum { DEFERS = 75, REFUSES = 100 };

/* Three messages, the second is not taken; the others go. */
static void visit(struct world *w, int status, enum after after, enum on_refused on_refused)
{
	world_program(w, status);
	w->with.after = after;
	w->with.on_refused = on_refused;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(world_got(w), 2);
}

static void expect(struct world *w, uint64_t collected, uint64_t held, uint64_t failed, uint64_t skipped)
{
	assert_int_equal(w->result.collected, collected);
	assert_int_equal(w->result.held, held);
	assert_int_equal(w->result.failed, failed);
	assert_int_equal(w->result.skipped, skipped);
}

static void what_is_deferred_is_held(void **state)
{
	struct world *w = *state;
	struct held_info info;

	visit(w, DEFERS, AFTER_DELETE, REFUSED_DELETE);
	expect(w, 2, 1, 0, 0);
	assert_int_equal(w->drop.count, 1);		/* the server's copy stays */
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
	assert_true(world_held(w, &info));
	assert_int_equal(info.state, HELD_WAITING);
	assert_string_equal(info.target, "program");
	assert_string_equal(info.origin.uid, "a1");
	assert_true(info.next > info.made);
	world_visit(w, VISIT_COLLECT);		/* not due: neither fetched nor tried */
	expect(w, 0, 0, 0, 0);
	assert_int_equal(w->drop.retrs, 0);
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
}

static void what_is_refused_is_quarantined(void **state)
{
	struct world *w = *state;
	struct held_info info;

	visit(w, REFUSES, AFTER_DELETE, REFUSED_QUARANTINE);
	expect(w, 3, 0, 0, 0);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_state(w, "a1"), LEDGER_DISPOSING);
	assert_true(world_held(w, &info));
	assert_int_equal(info.state, HELD_QUARANTINED);
	world_visit(w, VISIT_RETRY);
	expect(w, 0, 0, 0, 0);
	assert_true(world_held(w, &info));
}

static void quarantined_mail_that_is_kept(void **state)
{
	struct world *w = *state;

	visit(w, REFUSES, AFTER_KEEP, REFUSED_QUARANTINE);
	expect(w, 3, 0, 0, 0);
	assert_int_equal(w->drop.count, 3);
	assert_int_equal(world_state(w, "a1"), LEDGER_QUARANTINED);
	world_visit(w, VISIT_COLLECT);
	expect(w, 0, 0, 0, 0);
	assert_int_equal(w->drop.retrs, 0);
}

static void what_is_refused_can_stay(void **state)
{
	struct world *w = *state;
	struct held_info info;

	visit(w, REFUSES, AFTER_DELETE, REFUSED_KEEP);
	expect(w, 2, 0, 1, 0);
	assert_int_equal(w->drop.count, 1);
	assert_int_equal(world_state(w, "a1"), LEDGER_REFUSED);
	assert_false(world_held(w, &info));
	world_program(w, 0);
	world_visit(w, VISIT_COLLECT);		/* nobody is asked */
	expect(w, 0, 0, 0, 0);
	assert_int_equal(world_got(w), 2);
}

static void what_is_refused_can_be_dropped(void **state)
{
	struct world *w = *state;
	struct held_info info;

	visit(w, REFUSES, AFTER_KEEP, REFUSED_DELETE);
	expect(w, 2, 0, 0, 1);
	assert_int_equal(w->drop.count, 2);		/* that one alone, whatever `after` says */
	assert_int_equal(world_state(w, "a1"), LEDGER_DISPOSING);
	assert_false(world_held(w, &info));
}

/* No server is among the targets: nothing goes back, and nothing is lost. */
static void no_way_back_is_quarantine(void **state)
{
	struct world *w = *state;
	struct held_info info;

	visit(w, REFUSES, AFTER_DELETE, REFUSED_RETURN);
	expect(w, 3, 0, 0, 0);
	assert_true(world_held(w, &info));
	assert_int_equal(info.state, HELD_QUARANTINED);
}

static void a_full_held_area_stops_fetching(void **state)
{
	struct world *w = *state;
	struct held_info info;

	w->with.held_max = 10;
	world_program(w, DEFERS);
	w->with.after = AFTER_DELETE;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_BUSY);
	assert_non_null(strstr(w->result.why.text, "held_max"));
	assert_int_equal(w->result.failed, 1);
	assert_false(world_held(w, &info));
	assert_int_equal(world_state(w, "a1"), LEDGER_PENDING);
	world_program(w, 0);
	world_expect(w, 3 - world_got(w), 0, 0, ERR_NONE);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(w->drop.count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(what_is_deferred_is_held), CASE(what_is_refused_is_quarantined), CASE(quarantined_mail_that_is_kept), CASE(what_is_refused_can_stay),
		CASE(what_is_refused_can_be_dropped), CASE(no_way_back_is_quarantine), CASE(a_full_held_area_stops_fetching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
