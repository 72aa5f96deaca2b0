/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages that are tried again: when, with what end, and what is then said of them. */
#include <poll.h>
#include <stdio.h>

#include "collect/listing.h"
#include "collect/test_held.h"
#include "deliver/deliver.h"
#include "store/account.h"
#include "store/mailbox.h"

enum { DEFERS = 75, REFUSES = 100, HOUR = 3600 };

/* Of three messages a1 is held; the others went. */
static void one_is_held(struct world *w, enum after after)
{
	struct held_info info;

	world_program(w, DEFERS);
	w->with.after = after;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 2, 1, 0, 0);
	assert_true(world_held(w, &info) && info.state == HELD_WAITING);
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
}

static void tried(struct world *w, int status, enum visit_what what)
{
	world_program(w, status);
	make_due(w);
	world_visit(w, what);
}

static void what_is_due_is_tried_by_visits(void **state)
{
	struct world *w = *state;
	struct held_info info;

	one_is_held(w, AFTER_DELETE);
	for (char n = '2'; n < '9'; n++)	/* what comes behind it keeps the session open until it went */
		drop_add(&w->drop, (char[]){ 'b', n, '\0' }, "Subject: more\r\n\r\n");
	tried(w, 0, VISIT_COLLECT);
	expect_counts(w, 8, 0, 0, 0);
	assert_int_equal(world_got(w), 10);
	assert_false(world_held(w, &info));
	assert_int_equal(w->drop.count, 0);		/* in the same visit: it was listed */
	assert_int_equal(w->drop.retrs, 7);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(world_state(w, "a1"), LEDGER_GONE);
}

/* It comes to its end when the listing is done and others are fetched; their programs wait for each other. */
static void it_goes_at_once_when_it_is_listed(void **state)
{
	struct world *w = *state;

	one_is_held(w, AFTER_DELETE);
	drop_add(&w->drop, "b2", "Subject: more\r\n\r\n");
	w->program.parallel = 2;
	(void)snprintf(w->script, sizeof w->script, "cd %s && m=$(cat); await() { n=0; while ! [ -e $1 ] && [ $n -lt 1000 ]; do n=$((n+1)); sleep 0.02; done; }; "
		"case \"$m\" in *'number 1'*) await begun; echo a1 >>got; touch over;; *) touch begun; await over; sleep 1; echo b2 >>got;; esac", w->directory);
	tried(w, 0, VISIT_COLLECT);
	expect_counts(w, 2, 0, 0, 0);
	assert_int_equal(world_got(w), 4);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_DISPOSING);
}

static void what_is_due_is_tried_without_the_server(void **state)
{
	struct world *w = *state;
	struct held_info info;

	one_is_held(w, AFTER_DELETE);
	world_program(w, 0);
	world_visit(w, VISIT_RETRY);		/* not due */
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(world_got(w), 2);
	tried(w, 0, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 3);
	assert_false(world_held(w, &info));
	assert_int_equal(world_state(w, "a1"), LEDGER_ACCEPTED);
	assert_int_equal(w->drop.count, 1);
	assert_int_equal(w->result.owed, 1);
	world_visit(w, VISIT_COLLECT);		/* the next one that sees it listed */
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(w->result.owed, 0);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(w->drop.retrs, 0);
	assert_int_equal(world_got(w), 3);
}

static void what_is_deferred_again_waits_longer(void **state)
{
	struct world *w = *state;
	struct held_info before, after;
	int64_t now;

	one_is_held(w, AFTER_KEEP);
	assert_true(world_held(w, &before));
	tried(w, DEFERS, VISIT_RETRY);
	now = clock_now_s();
	expect_counts(w, 0, 1, 0, 0);
	assert_true(world_held(w, &after));
	assert_true(after.id == before.id && after.state == HELD_WAITING && after.since == before.since);
	assert_true(after.attempts > before.attempts && after.next > now);
	assert_int_equal(entry_of(w, "a1").attempts, 2);
	before = after;
	for (int n = 0; n < 5; n++)
		tried(w, DEFERS, VISIT_RETRY);
	assert_true(world_held(w, &after) && after.next >= clock_now_s() + HOUR);
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
}

/* After five days it is not tried by itself any more, and still there for whoever says `retry`. */
static void patience_has_an_end(void **state)
{
	struct world *w = *state;
	struct hand old = { .uid = "a1", .number = 1, .made = -DELIVER_PATIENCE_S - 10 };
	struct held_info info;
	uint64_t id = hold(w, &old);
	struct err e;

	drop_fill(&w->drop, 'a', 2);
	put(w, "a1", LEDGER_HELD, 1, &(struct said){ &w->program, LEDGER_TARGET_HELD, id }, 1);
	tried(w, DEFERS, VISIT_RETRY);
	expect_counts(w, 0, 1, 0, 0);
	assert_true(world_held(w, &info) && info.state == HELD_FAILED && info.id == id);
	assert_int_equal(world_state(w, "a1"), LEDGER_HELD);
	tried(w, 0, VISIT_COLLECT);
	expect_counts(w, 1, 0, 0, 0);		/* a0 */
	assert_int_equal(world_got(w), 1);
	assert_true(held_again(w->store, id, clock_now_s(), &e));
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 2);
	assert_false(world_held(w, &info));
}

/* ---- refused at last */

static void refused(struct world *w, enum after after, enum on_refused on_refused)
{
	one_is_held(w, after);
	w->with.on_refused = on_refused;
	tried(w, REFUSES, VISIT_RETRY);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(world_got(w), 2);
}

static void refused_and_quarantined(void **state)
{
	struct world *w = *state;
	struct held_info before, info;

	one_is_held(w, AFTER_KEEP);
	assert_true(world_held(w, &before));
	tried(w, REFUSES, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	assert_true(world_held(w, &info) && info.id == before.id && info.state == HELD_QUARANTINED);
	assert_int_equal(world_state(w, "a1"), LEDGER_QUARANTINED);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(w->drop.retrs, 0);
	assert_true(world_held(w, &info));
}

static void refused_and_kept(void **state)
{
	struct world *w = *state;
	struct held_info info;

	refused(w, AFTER_DELETE, REFUSED_KEEP);
	expect_counts(w, 0, 0, 1, 0);
	assert_false(world_held(w, &info));
	assert_int_equal(world_state(w, "a1"), LEDGER_REFUSED);
	tried(w, 0, VISIT_COLLECT);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(w->drop.count, 1);
	assert_int_equal(world_got(w), 2);
}

static void refused_and_deleted(void **state)
{
	struct world *w = *state;
	struct held_info info;

	refused(w, AFTER_KEEP, REFUSED_DELETE);
	expect_counts(w, 0, 0, 0, 1);
	assert_false(world_held(w, &info));
	assert_true(entry_of(w, "a1").removal && entry_of(w, "a1").state == LEDGER_ACCEPTED);
	assert_int_equal(w->drop.count, 3);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(w->drop.count, 2);
	assert_int_equal(world_state(w, "a1"), LEDGER_DISPOSING);
}

/* The bounce goes the way of the first server among the targets; nobody listens there, so it waits. */
static void refused_and_returned(void **state)
{
	static const struct hand hers = { .uid = "a1", .number = 1, .sender = "eve@example.org", .recipient = "anna@example.org" };
	struct target relay = { .name = "relay", .type = TARGET_SMTP, .canonical = "smtp:relay", .host = "127.0.0.1", .port = 1, .parallel = 1,
		.tls = { .mode = MODE_NONE } };
	struct world *w = *state;
	struct held_info info;
	const struct said said[] = { { &w->program, LEDGER_TARGET_HELD, hold(w, &hers) }, { &relay, LEDGER_TARGET_ACCEPTED, 0 } };

	put(w, "a1", LEDGER_HELD, 1, said, 2);
	w->with.on_refused = REFUSED_RETURN;
	w->with.deliver_count = 2;
	w->deliver[1] = &relay;
	world_program(w, REFUSES);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_true(world_held(w, &info) && info.state == HELD_WAITING);
	assert_string_equal(info.target, "relay");
	assert_string_equal(info.sender, "");
	assert_int_equal(info.recipient_count, 1);
	assert_int_equal(world_state(w, "a1"), LEDGER_ACCEPTED);
	world_visit(w, VISIT_RETRY);		/* what has no entry makes none */
	assert_true(world_held(w, &info));
	assert_int_equal(ledger_count(world_ledger(w)), 1);
}

/* A person has decided: whatever on_refused says, it is not thrown away behind his back. */
static void released_and_refused_again(void **state)
{
	struct world *w = *state;
	struct held_info info;
	struct err e;

	refused(w, AFTER_KEEP, REFUSED_QUARANTINE);
	w->with.on_refused = REFUSED_DELETE;
	assert_true(world_held(w, &info) && info.state == HELD_QUARANTINED);
	assert_true(held_again(w->store, info.id, clock_now_s(), &e));
	world_visit(w, VISIT_RETRY);
	assert_true(world_held(w, &info) && info.state == HELD_QUARANTINED);
	assert_int_equal(world_state(w, "a1"), LEDGER_QUARANTINED);
	assert_true(held_again(w->store, info.id, clock_now_s(), &e));
	world_program(w, 0);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 3);
	assert_false(world_held(w, &info));
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(w->drop.count, 3);
}

/* ---- the server changed meanwhile */

static void it_vanished_from_the_server(void **state)
{
	struct world *w = *state;
	struct held_info info;

	one_is_held(w, AFTER_DELETE);
	w->drop.count = 0;
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_state(w, "a1"), LEDGER_GONE);
	assert_true(world_held(w, &info));
	tried(w, 0, VISIT_COLLECT);
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 3);
	assert_false(world_held(w, &info));
	assert_int_equal(world_state(w, "a1"), LEDGER_GONE);
}

/* All ids are new: content tells which message is which, and the held one's entry goes along. */
static void its_id_changed(void **state)
{
	struct world *w = *state;
	struct held_info info;

	world_program(w, DEFERS);
	drop_fill(&w->drop, 'a', LISTING_WHOLESALE);
	world_visit(w, VISIT_COLLECT);
	drop_fill(&w->drop, 'b', LISTING_WHOLESALE);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, 0, 0, 0);
	assert_int_equal(entry_of(w, "b1").state, LEDGER_HELD);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_GONE);
	w->with.after = AFTER_DELETE;
	tried(w, 0, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	assert_false(world_held(w, &info));
	assert_int_equal(entry_of(w, "b1").state, LEDGER_ACCEPTED);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), LISTING_WHOLESALE);
	assert_int_equal(w->drop.count, 0);
}

/* ---- over quota */

static void over_quota_and_then_not(void **state)
{
	struct account_limits limits = { .quota = 40, .max_sessions = ACCOUNT_SESSIONS_DEFAULT };
	struct world *w = *state;
	struct held_info info;
	struct err e;

	assert_true(account_set(w->store, "anna", &limits, &e));
	w->with.after = AFTER_DELETE;
	drop_fill(&w->drop, 'a', 2);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 1, 1, 0, 0);
	assert_true(world_held(w, &info) && strstr(info.why, "over quota"));
	assert_string_equal(info.target, "box");
	assert_int_equal(world_mailbox(w), 1);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 0, 1, 0, 0);
	limits.quota = 0;
	assert_true(account_set(w->store, "anna", &limits, &e));
	make_due(w);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 1, 0, 0, 0);
	assert_false(world_held(w, &info));
	assert_int_equal(world_mailbox(w), 2);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 2);
}

/* Of mail that was quarantined no entry speaks: each copy is a message of its own to the box. */
static void released_into_a_mailbox(void **state)
{
	struct world *w = *state;
	char uid[] = "a0";
	struct err e;

	for (unsigned n = 0; n < 5; n++) {
		uid[1] = (char)('0' + n);
		put(w, uid, LEDGER_QUARANTINED, n, NULL, 0);
		assert_true(held_again(w->store, hold(w, &(struct hand){ .uid = uid, .number = n, .target = "box", .state = HELD_QUARANTINED }), clock_now_s(), &e));
	}
	/* an id that the server used twice */
	assert_true(held_again(w->store, hold(w, &(struct hand){ .uid = uid, .number = HELD_OTHER, .target = "box", .state = HELD_QUARANTINED }), clock_now_s(), &e));
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 6, 0, 0, 0);
	assert_int_equal(world_mailbox(w), 6);
	assert_int_equal(held_count(w), 0);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(world_mailbox(w), 6);
}

/* ---- what cannot be tried has a next moment, too */

static void expect_not_due(struct world *w, enum held_state state, const char *why)
{
	struct held_info info;

	assert_true(world_held(w, &info));
	assert_int_equal(info.state, state);
	assert_true(held_due(w->store, "test") > clock_now_s());
	assert_non_null(strstr(info.why, why));
}

static void its_target_fails(void **state)
{
	struct world *w = *state;
	struct held_info info;
	struct err e;
	FILE *f;

	world_program(w, REFUSES);
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_COLLECT);
	assert_true(world_held(w, &info) && info.state == HELD_QUARANTINED);
	assert_true(held_again(w->store, info.id, clock_now_s(), &e));
	w->maildir.name = "program";		/* the name is a Maildir's now, */
	w->deliver[0] = &w->maildir;
	f = fopen(w->path, "we");		/* which is no directory */
	assert_true(f && fclose(f) == 0);
	world_visit(w, VISIT_RETRY);
	assert_int_not_equal(w->result.why.kind, ERR_NONE);
	expect_not_due(w, HELD_WAITING, "Mail");
	assert_int_equal(remove(w->path), 0);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	assert_false(world_held(w, &info));
}

static void its_target_is_not_asked(void **state)
{
	struct world *w = *state;
	struct held_info before, info;

	one_is_held(w, AFTER_KEEP);
	make_due(w);
	assert_true(world_held(w, &before));
	w->deliver[0] = &w->mailbox;
	world_visit(w, VISIT_RETRY);
	expect_not_due(w, HELD_WAITING, "target program is not in `deliver` of test");
	assert_true(world_held(w, &info) && info.attempts == before.attempts && info.tried == before.tried);
	tried(w, 0, VISIT_RETRY);
	assert_false(world_held(w, &info));
	assert_int_equal(world_got(w), 3);
}

/* What waits for a target that hangs holds up no other. */
static void one_target_hangs(void **state)
{
	struct world *w = *state;
	struct held_info info = { .id = 0 };
	struct target other = w->program;
	const char *argv[] = { "/bin/sh", "-c", "exec sleep 60" };

	world_program(w, 0);
	other.name = "hangs";
	other.canonical = "command:hangs";
	other.argv = (struct texts){ argv, COUNT(argv) };
	other.timeout_ms = 3000;
	w->deliver[1] = &other;
	w->with.deliver_count = 2;
	for (unsigned n = 0; n < 12; n++)
		(void)hold(w, &(struct hand){ .loose = true, .target = "hangs", .number = 5 });
	for (unsigned n = 0; n < 3; n++)
		(void)hold(w, &(struct hand){ .loose = true, .number = 5, .next = 1 });	/* due behind those */
	for (int64_t now = clock_now_s(); clock_now_s() < now + 2;)
		(void)poll(NULL, 0, 50);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(world_got(w), 3);
	while (held_next_of(w->store, "test", &info))
		assert_true(strcmp(info.target, "hangs") == 0 && info.next > clock_now_s());
	assert_int_equal(held_count(w), 12);
}

/* An hour from now is waited for; what a clock that was ahead chose is not. */
static void a_clock_was_ahead(void **state)
{
	static const struct hand hers = { .uid = "a1", .number = 1 };
	static const struct { int64_t later; bool tried; } rows[] = { { 3600, false }, { 3 * 24 * 3600, true } };
	struct world *w = *state;
	struct err e;

	for (size_t n = 0; n < COUNT(rows); n++) {
		const struct said said[] = { { &w->program, LEDGER_TARGET_HELD, hold(w, &hers) } };
		struct held_info info;

		put(w, "a1", LEDGER_HELD, 1, said, 1);
		world_program(w, 0);
		assert_true(world_held(w, &info));
		assert_true(held_defer(w->store, info.id, "later", info.tried, clock_now_s() + rows[n].later, &e));
		world_visit(w, VISIT_RETRY);
		assert_int_equal(w->result.collected, rows[n].tried);
		if (!rows[n].tried)
			assert_true(held_remove(w->store, info.id, &e));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(what_is_due_is_tried_by_visits), CASE(it_goes_at_once_when_it_is_listed),
		CASE(what_is_due_is_tried_without_the_server), CASE(what_is_deferred_again_waits_longer),
		CASE(patience_has_an_end), CASE(refused_and_quarantined), CASE(refused_and_kept), CASE(refused_and_deleted), CASE(refused_and_returned),
		CASE(released_and_refused_again), CASE(it_vanished_from_the_server), CASE(its_id_changed), CASE(over_quota_and_then_not),
		CASE(released_into_a_mailbox), CASE(its_target_fails), CASE(its_target_is_not_asked), CASE(one_target_hangs), CASE(a_clock_was_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
