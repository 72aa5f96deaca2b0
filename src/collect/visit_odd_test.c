/* SPDX-License-Identifier: Apache-2.0
 *
 * Visits to servers whose ids, numbers and promises cannot be trusted: nothing
 * is lost and nothing comes twice. */
#include "base/log.h"
#include "collect/test_world.h"
#include "store/ledger.h"

#define OLD "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nSubject: old\r\n\r\n"

static void ids_shared_in_turn(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	drop_fill(&w->drop, 'a', 4);
	for (size_t n = 0; n < 4; n++)
		w->drop.messages[n].uid[1] = (char)('x' + n % 2);
	world_expect(w, 4, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 4);
}

static void one_of_two_with_one_id_is_refused(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	drop_add(&w->drop, "x", "Subject: one\r\n\r\n");
	drop_add(&w->drop, "x", "Subject: two\r\n\r\n");
	w->drop.refuse_retr = 2;
	world_expect(w, 1, 0, 1, ERR_NONE);
	assert_int_equal(w->drop.count, 1);
	w->drop.refuse_retr = 0;
	world_expect(w, 1, 0, 0, ERR_NONE);	/* alone now, and still not the one that was delivered */
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 2);
}

static void one_of_two_with_one_id_goes(void **state)
{
	struct world *w = *state;

	drop_add(&w->drop, "x", "Subject: one\r\n\r\n");
	drop_add(&w->drop, "x", "Subject: two\r\n\r\n");
	world_expect(w, 2, 0, 0, ERR_NONE);
	w->drop.count = 1;
	world_expect(w, 0, 0, 0, ERR_NONE);
	drop_add(&w->drop, "x", "Subject: three\r\n\r\n");
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 3);
}

static void a_listing_that_ends_early(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 20);
	w->drop.stat_more = 200;
	world_expect(w, 20, 0, 0, ERR_NONE);
	w->drop.list_first = 5;
	world_expect(w, 0, 0, 0, ERR_NONE);
	w->drop.list_first = 0;
	w->drop.stat_more = 0;
	world_expect(w, 0, 0, 0, ERR_NONE);	/* what was not shown was not gone */
	assert_int_equal(world_mailbox(w), 20);
}

static void a_number_listed_twice(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 2);
	w->drop.same_number = true;
	world_expect(w, 0, 0, 0, ERR_PEER);
	assert_int_equal(world_mailbox(w), 0);
}

static void deletions_promised_and_not_done(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->drop.ignore_dele = true;
	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	drop_fill(&w->drop, 'b', 12);		/* the same messages under new ids */
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 12);
}

static void all_targets_have_it_already(void **state)
{
	struct world *w = *state;
	struct ledger *l = world_ledger(w);
	struct ledger_entry entry = { .state = LEDGER_PENDING, .first_seen = 1, .has_digest = true, .digest = { 7 }, .target_count = 1 };
	uint8_t base[32];

	ledger_pop3_base(SPAN("127.0.0.1"), SPAN("anna"), SPAN("a0"), base);
	ledger_pop3_id(base, 0, entry.id);
	entry.targets[0] = (struct ledger_target){ ledger_target_tag("mailbox:anna/INBOX"), LEDGER_TARGET_ACCEPTED, "" };
	ledger_put(l, &entry, 0);
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 0);
	assert_true(ledger_get(l, entry.id, &entry));
	assert_int_equal(entry.state, LEDGER_ACCEPTED);
	assert_int_equal(entry.digest[0], 7);
}

static void what_fails_for_ever_holds_up_nothing(void **state)
{
	struct world *w = *state;

	w->with.pull = PULL_FIRST;
	w->drop.refuse_retr = 1;
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 0, 0, 1, ERR_NONE);
	world_expect(w, 1, 0, 0, ERR_NONE);
	world_expect(w, 1, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 1, ERR_NONE);
	assert_int_equal(world_mailbox(w), 2);
}

static void shared_ids_and_a_limit(void **state)
{
	struct world *w = *state;

	w->with.max_messages = 1;
	drop_fill(&w->drop, 'a', 4);
	w->drop.messages[0].uid[1] = w->drop.messages[1].uid[1];
	for (size_t n = 0; n < 4; n++)
		world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_mailbox(w), 4);
}

static void old_mail_with_shared_ids_is_remembered_once(void **state)
{
	struct world *w = *state;
	uint64_t count;

	w->with.newer_than_s = 86400;
	w->drop.no_top = true;
	drop_add(&w->drop, "x", OLD "one\r\n");
	drop_add(&w->drop, "x", OLD "two\r\n");
	world_expect(w, 0, 2, 0, ERR_NONE);
	count = ledger_count(world_ledger(w));
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(ledger_count(world_ledger(w)), count);
	w->drop.no_top = false;
	world_expect(w, 0, 2, 0, ERR_NONE);
	assert_true(ledger_count(world_ledger(w)) <= count);
}

static void questions_that_are_refused(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 2);
	w->with.max_size = 1000;
	w->drop.refuse_list = true;
	world_expect(w, 0, 0, 0, ERR_PEER);
	w->with.max_size = 0;
	w->drop.refuse_stat = true;
	world_expect(w, 2, 0, 0, ERR_NONE);	/* neither is needed */
	w->drop.no_uidl = true;
	world_expect(w, 0, 0, 0, ERR_PEER);
}

static void failures_of_one_attempt_are_not_added_up(void **state)
{
	struct world *w = *state;

	w->with.max_retries = 1;
	w->with.retry_interval_ms = 1;
	w->drop.refuse_retr = 1;
	w->drop.cut_retr = 3;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.failed, 0);	/* the second attempt is cut before it comes to what failed in the first */
	assert_int_equal(w->result.collected, 1);
}

static void a_baseline_of_many(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 20);
	w->drop.messages[0].uid[1] = '1';	/* shared: cannot be passed over */
	world_visit(w, VISIT_BASELINE);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(w->result.skipped, 18);
	world_expect(w, 2, 0, 0, ERR_NONE);
}

int main(void)
{
	struct err e;
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(ids_shared_in_turn), CASE(one_of_two_with_one_id_is_refused), CASE(one_of_two_with_one_id_goes),
		CASE(a_listing_that_ends_early), CASE(a_number_listed_twice), CASE(deletions_promised_and_not_done),
		CASE(all_targets_have_it_already), CASE(what_fails_for_ever_holds_up_nothing), CASE(shared_ids_and_a_limit),
		CASE(old_mail_with_shared_ids_is_remembered_once), CASE(questions_that_are_refused),
		CASE(failures_of_one_attempt_are_not_added_up), CASE(a_baseline_of_many),
	};

	if (!log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
