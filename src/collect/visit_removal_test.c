/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are deleted one by one, because their entry says so, from a maildrop whose mail is kept. */
#include <stdio.h>

#include "base/log.h"
#include "collect/test_world.h"
#include "store/ledger.h"

static void id_of(const char *uid, uint8_t id[32])
{
	uint8_t base[32];

	ledger_pop3_base(SPAN("127.0.0.1"), SPAN("anna"), span_of(uid), base);
	ledger_pop3_id(base, 0, id);
}

static struct ledger_entry entry_of(struct world *w, const char *uid)
{
	struct ledger_entry entry = { .state = LEDGER_STATES };
	uint8_t id[32];

	id_of(uid, id);
	(void)ledger_get(world_ledger(w), id, &entry);
	return entry;
}

static void mark(struct world *w, const char *uid, enum ledger_state state)
{
	struct ledger_entry entry = entry_of(w, uid);

	assert_int_not_equal(entry.state, LEDGER_STATES);
	entry.state = state;
	entry.removal = true;
	entry.changed++;
	ledger_put(world_ledger(w), &entry, 0);
}

/* As a target that refused leaves it while another one waits: decided, and still to be delivered. */
static void mark_pending(struct world *w, const char *uid)
{
	struct ledger_entry entry = { .state = LEDGER_PENDING, .first_seen = 1, .changed = 1, .removal = true };

	id_of(uid, entry.id);
	ledger_put(world_ledger(w), &entry, 0);
}

static bool on_server(const struct world *w, const char *uid)
{
	for (size_t n = 0; n < w->drop.count; n++)
		if (strcmp(w->drop.messages[n].uid, uid) == 0)
			return true;
	return false;
}

static void goes_alone(struct world *w, enum ledger_state state)
{
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_NONE);
	assert_int_equal(ledger_noted(world_ledger(w), LEDGER_NOTE_REMOVING), 0);
	mark(w, "a1", state);
	assert_int_not_equal(ledger_noted(world_ledger(w), LEDGER_NOTE_REMOVING), 0);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
	assert_false(on_server(w, "a1"));
	assert_int_equal(entry_of(w, "a1").state, LEDGER_DISPOSING);	/* until a listing is without it */
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_GONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(ledger_noted(world_ledger(w), LEDGER_NOTE_REMOVING), 0);
	assert_int_equal(entry_of(w, "a0").state, LEDGER_ACCEPTED);
	assert_int_equal(world_mailbox(w), 3);
}

static void one_of_three_goes(void **state)
{
	goes_alone(*state, LEDGER_DISPOSING);
}

static void one_that_was_accepted_goes(void **state)
{
	goes_alone(*state, LEDGER_ACCEPTED);
}

static void in_the_visit_that_brings_it(void **state)
{
	struct world *w = *state;

	mark_pending(w, "a1");
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
	assert_false(on_server(w, "a1"));
	assert_true(entry_of(w, "a1").removal);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_DISPOSING);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_GONE);
	assert_int_equal(world_mailbox(w), 3);
}

static void quit_without_an_answer(void **state)
{
	struct world *w = *state;

	mark_pending(w, "a1");
	w->drop.mute_quit = true;
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_PEER);
	drop_fill(&w->drop, 'a', 3);
	w->drop.mute_quit = false;
	w->drop.refuse_quit = true;
	world_expect(w, 0, 0, 0, ERR_PEER);	/* asked again, and refused */
	w->drop.refuse_quit = false;
	assert_int_equal(entry_of(w, "a1").state, LEDGER_DISPOSING);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
	assert_int_equal(world_mailbox(w), 3);
}

static void a_deletion_that_is_refused(void **state)
{
	struct world *w = *state;

	mark_pending(w, "a1");
	w->drop.refuse_dele = 2;
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 3);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	w->drop.refuse_dele = 0;
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
	assert_int_equal(world_mailbox(w), 3);
}

static void a_deletion_promised_and_not_done(void **state)
{
	struct world *w = *state;

	w->drop.ignore_dele = true;
	mark_pending(w, "a1");
	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	drop_fill(&w->drop, 'b', 12);		/* the same messages under new ids */
	world_expect(w, 0, 0, 0, ERR_NONE);
	w->drop.ignore_dele = false;
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_false(on_server(w, "b1"));
	assert_int_equal(w->drop.count, 11);
	assert_int_equal(world_mailbox(w), 12);
}

static void told_by_its_content(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	mark(w, "a4", LEDGER_DISPOSING);
	drop_fill(&w->drop, 'b', 12);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 11);
	assert_false(on_server(w, "b4"));
	assert_int_equal(world_mailbox(w), 12);
}

static void a_baseline_deletes_nothing(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_NONE);
	mark(w, "a1", LEDGER_DISPOSING);
	world_visit(w, VISIT_BASELINE);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(w->drop.count, 3);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
}

/* What is asked to be gone in this visit says nothing of what was asked for in another, under other settings. */
static void what_was_to_go_is_kept_now(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->drop.refuse_quit = true;
	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_PEER);
	w->drop.refuse_quit = false;
	w->with.after = AFTER_KEEP;
	mark(w, "a1", LEDGER_DISPOSING);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(entry_of(w, "a0").state, LEDGER_ACCEPTED);
	assert_int_equal(w->drop.count, 11);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(ledger_noted(world_ledger(w), LEDGER_NOTE_IGNORED), 0);
	drop_fill(&w->drop, 'b', 12);		/* the same messages under new ids, a1 among them: that one is gone, so it is new */
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 12);
}

/* Visits follow each other within a second, so moments run ahead of the clock: what was confirmed stays confirmed, and the same
 * text under another id is another message. */
static void twins_of_what_was_deleted_come_too(void **state)
{
	struct world *w = *state;
	uint64_t came = 0;

	w->with.after = AFTER_DELETE;
	for (char prefix = 'a'; prefix < 'g'; prefix++, came += 12) {
		drop_fill(&w->drop, prefix, 12);
		world_expect(w, 12, 0, 0, ERR_NONE);
		assert_int_equal(w->drop.count, 0);
		assert_int_equal(world_mailbox(w), came + 12);
	}
}

/* An entry that is to be confirmed, and of a time that is to come: the clock was set back since. */
static void twins_after_the_clock_was_set_back(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;
	char uid[4];

	w->with.after = AFTER_KEEP;
	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	for (size_t n = 0; n < 12; n++) {
		(void)snprintf(uid, sizeof uid, "a%zu", n);
		entry = entry_of(w, uid);
		entry.state = LEDGER_DISPOSING;
		entry.changed += 100000;
		ledger_put(world_ledger(w), &entry, 0);
	}
	w->with.after = AFTER_DELETE;
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	drop_fill(&w->drop, 'b', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 24);
}

int main(void)
{
	struct err e;
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(one_of_three_goes), CASE(one_that_was_accepted_goes), CASE(in_the_visit_that_brings_it), CASE(quit_without_an_answer),
		CASE(a_deletion_that_is_refused), CASE(a_deletion_promised_and_not_done), CASE(told_by_its_content),
		CASE(a_baseline_deletes_nothing), CASE(what_was_to_go_is_kept_now),
		CASE(twins_of_what_was_deleted_come_too), CASE(twins_after_the_clock_was_set_back),
	};

	if (!log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
