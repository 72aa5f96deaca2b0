/* SPDX-License-Identifier: Apache-2.0
 *
 * Held area and ledger after a crash, made by hand: what the next visit makes of them.  `after` is keep; a1 is at the server,
 * and whoever fetches it delivers it to the program. */
#include <stdio.h>

#include "collect/retried.h"
#include "collect/test_held.h"
#include "deliver/deliver.h"
#include "store/mailbox.h"

enum { LATER = 3600, DEFERS = 75 };

#define NOBODY LEDGER_STATES

struct row {
	const char *name;
	enum ledger_state entry;	/* NOBODY: there is none */
	enum ledger_target_state said;	/* of the program; NONE: it is not in the entry */
	unsigned number;		/* whose digest the entry has; the message at the server, too */
	int64_t made;			/* the copy; from now on */
	enum held_state held;
	bool released;
	/* and then: */
	enum ledger_state then;
	bool stays, fetched;
};

static const struct row rows[] = {
	{ "no entry", NOBODY, 0, 1, 1, HELD_WAITING, false, LEDGER_HELD, true, false },
	{ "pending", LEDGER_PENDING, LEDGER_TARGET_NONE, 1, 1, HELD_WAITING, false, LEDGER_HELD, true, false },
	{ "pending, of other octets before", LEDGER_PENDING, LEDGER_TARGET_NONE, HELD_OTHER, 1, HELD_WAITING, false, LEDGER_HELD, true, false },
	{ "pending, of other octets later", LEDGER_PENDING, LEDGER_TARGET_NONE, HELD_OTHER, -9, HELD_WAITING, false, LEDGER_ACCEPTED, true, true },
	{ "its target has it, another does not", LEDGER_PENDING, LEDGER_TARGET_ACCEPTED, 1, -9, HELD_WAITING, false, LEDGER_ACCEPTED, false, false },
	{ "its target refused it at the retry", LEDGER_REFUSED, LEDGER_TARGET_REFUSED, 1, -9, HELD_WAITING, false, LEDGER_REFUSED, false, false },
	{ "accepted", LEDGER_ACCEPTED, 0, 1, -9, HELD_WAITING, false, LEDGER_ACCEPTED, false, false },
	{ "accepted, of other octets", LEDGER_ACCEPTED, 0, HELD_OTHER, -9, HELD_WAITING, false, LEDGER_ACCEPTED, true, false },
	{ "held, of other octets", LEDGER_HELD, LEDGER_TARGET_HELD, HELD_OTHER, -9, HELD_WAITING, false, LEDGER_HELD, true, false },
	{ "gone, the same", LEDGER_GONE, 0, 1, -9, HELD_WAITING, false, LEDGER_ACCEPTED, false, true },
	{ "passed over when it came back", LEDGER_SKIPPED, 0, 1, -9, HELD_WAITING, false, LEDGER_SKIPPED, true, false },
	{ "gone, another before", LEDGER_GONE, 0, HELD_OTHER, 1, HELD_WAITING, false, LEDGER_HELD, true, false },
	{ "gone, another later", LEDGER_GONE, 0, HELD_OTHER, -9, HELD_WAITING, false, LEDGER_ACCEPTED, true, true },
	{ "quarantined, no entry", NOBODY, 0, 1, 1, HELD_QUARANTINED, false, LEDGER_QUARANTINED, true, false },
	{ "quarantined, pending", LEDGER_PENDING, LEDGER_TARGET_NONE, 1, 1, HELD_QUARANTINED, false, LEDGER_QUARANTINED, true, false },
	{ "quarantined, and accepted", LEDGER_ACCEPTED, 0, 1, -9, HELD_QUARANTINED, false, LEDGER_ACCEPTED, true, false },
	{ "quarantined, another gone before", LEDGER_GONE, 0, HELD_OTHER, 1, HELD_QUARANTINED, false, LEDGER_QUARANTINED, true, false },
	{ "quarantined, another gone later", LEDGER_GONE, 0, HELD_OTHER, -9, HELD_QUARANTINED, false, LEDGER_ACCEPTED, true, true },
	{ "quarantined at the retry", LEDGER_HELD, LEDGER_TARGET_HELD, 1, -9, HELD_QUARANTINED, false, LEDGER_QUARANTINED, true, false },
	{ "released", LEDGER_QUARANTINED, 0, 1, -9, HELD_QUARANTINED, true, LEDGER_QUARANTINED, true, false },
};

/* Not due, but where it is released. */
static void as_a_crash_left_it(struct world *w, const struct row *r)
{
	const struct hand copy = { .uid = "a1", .number = 1, .made = r->made, .next = LATER, .state = r->held };
	uint64_t id = hold(w, &copy), mentioned = r->held == HELD_QUARANTINED ? id : id + LATER;
	const struct said said = { &w->program, r->said, r->said == LEDGER_TARGET_HELD ? mentioned : 0 };
	struct held_info info = { .id = 0 };
	struct err e;

	if (r->entry != NOBODY)
		put(w, "a1", r->entry, r->number, &said, r->said != LEDGER_TARGET_NONE);
	if (r->released)
		assert_true(held_again(w->store, id, clock_now_s(), &e) && held_defer(w->store, id, "x", 1, clock_now_s() + LATER, &e));
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(entry_of(w, "a1").state, r->then);
	assert_int_equal(held_next_of(w->store, "test", &info), r->stays);
	assert_int_equal(world_got(w), r->fetched);
	world_visit(w, VISIT_COLLECT);		/* and so it stays */
	assert_int_equal(entry_of(w, "a1").state, r->then);
	assert_int_equal(held_count(w), r->stays);
	assert_int_equal(world_got(w), r->fetched);
}

static void every_state_of_one_target([[maybe_unused]] void **state)
{
	for (size_t n = 0; n < COUNT(rows); n++) {
		void *one = NULL;
		struct world *w;
		char text[64];

		print_message("  %s\n", rows[n].name);
		assert_int_equal(world_start(&one), 0);
		w = one;
		world_program(w, 0);
		(void)snprintf(text, sizeof text, "Subject: number %u\r\n\r\nhello\r\n", rows[n].number);
		drop_add(&w->drop, "a1", text);
		as_a_crash_left_it(w, &rows[n]);
		assert_int_equal(world_stop(&one), 0);
	}
}

/* ---- two targets */

static void set_two(struct world *w)
{
	world_program(w, 0);
	w->with.deliver_count = 2;
	w->deliver[1] = &w->mailbox;
	drop_add(&w->drop, "a1", "Subject: number 1\r\n\r\nhello\r\n");
}

/* The copy is for the program; the mailbox had the message before, in the entry. */
static void another_target_accepted(void **state)
{
	struct world *w = *state;
	const struct said said = { &w->mailbox, LEDGER_TARGET_ACCEPTED, 0 };
	struct ledger_entry entry;

	set_two(w);
	(void)hold(w, &(struct hand){ .uid = "a1", .number = 1, .made = 1, .next = LATER });
	put(w, "a1", LEDGER_PENDING, 1, &said, 1);
	world_visit(w, VISIT_COLLECT);
	entry = entry_of(w, "a1");
	assert_int_equal(entry.state, LEDGER_HELD);
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_HELD);
	assert_int_equal(w->drop.retrs, 0);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(world_got(w), 1);
	assert_int_equal(world_mailbox(w), 0);	/* nobody said that again */
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	assert_int_equal(held_count(w), 0);
}

static void both_defer(void **state)
{
	struct world *w = *state;
	const struct said said[] = {
		{ &w->program, LEDGER_TARGET_HELD, hold(w, &(struct hand){ .uid = "a1", .number = 1 }) },
		{ &w->mailbox, LEDGER_TARGET_HELD, hold(w, &(struct hand){ .uid = "a1", .number = 1, .target = "box", .next = LATER }) },
	};

	set_two(w);
	put(w, "a1", LEDGER_HELD, 1, said, 2);
	w->with.after = AFTER_DELETE;
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 1);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_HELD);
	assert_int_equal(held_count(w), 1);
	assert_int_equal(w->drop.count, 1);	/* not before both have it */
	make_due(w);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(world_mailbox(w), 1);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(held_count(w), 0);
	assert_true(world_got(w) == 1 && world_mailbox(w) == 1);
}

/* ---- a target that is not in `deliver` for a while */

static size_t held_for(struct world *w, const char *target)
{
	struct held_info info = { .id = 0 };
	size_t n = 0;

	while (held_next_of(w->store, "test", &info))
		n += strcmp(info.target, target) == 0;
	return n;
}

/* Both wait; one of them comes when the other is not asked, and the message is done then. */
static void one_is_taken_out(struct world *w, struct target *other, enum after after)
{
	world_program(w, DEFERS);
	*other = w->program;
	other->name = "other";
	other->canonical = "command:other";
	w->with.after = after;
	w->deliver[1] = other;
	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 2);
	world_visit(w, VISIT_COLLECT);
	assert_true(held_for(w, "program") == 1 && held_for(w, "other") == 1);
	w->with.deliver_count = 1;
	make_due(w);
	world_program(w, 0);
	world_visit(w, VISIT_RETRY);
	assert_true(held_for(w, "program") == 0 && held_for(w, "other") == 1);
	assert_int_equal(world_got(w), 3);
}

static void taken_out_and_put_back(void **state)
{
	struct world *w = *state;
	struct target other;

	one_is_taken_out(w, &other, AFTER_KEEP);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	w->with.deliver_count = 2;
	world_program(w, DEFERS);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(held_for(w, "other"), 1);	/* it was never delivered there */
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_got(w), 4);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	assert_int_equal(entry_of(w, "a1").target_count, 0);
}

static void taken_out_and_put_back_when_it_is_gone(void **state)
{
	struct world *w = *state;
	struct target other;

	one_is_taken_out(w, &other, AFTER_DELETE);
	world_visit(w, VISIT_COLLECT);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_GONE);
	assert_int_equal(held_for(w, "other"), 1);
	w->with.deliver_count = 2;
	make_due(w);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_got(w), 4);
}

/* ---- judged once */

static size_t unsettled(struct world *w)
{
	struct held_info info = { .id = 0 };
	size_t n = 0;

	while (held_next_unsettled(w->store, "test", &info))
		n++;
	return n;
}

/* What the ledger knows is not looked at by every visit again; what it does not, is. */
static void judged_once(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;

	world_program(w, 0);
	(void)hold(w, &(struct hand){ .uid = "a1", .number = 1, .next = LATER });
	(void)hold(w, &(struct hand){ .uid = "a2", .number = 2, .state = HELD_QUARANTINED });
	(void)hold(w, &(struct hand){ .loose = true, .number = 3, .next = LATER });
	(void)hold(w, &(struct hand){ .uid = "a4", .number = 4, .target = "box", .next = LATER });
	world_visit(w, VISIT_RETRY);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_HELD);
	assert_int_equal(entry_of(w, "a2").state, LEDGER_QUARANTINED);
	assert_int_equal(unsettled(w), 3);	/* but for the bounce */
	world_visit(w, VISIT_RETRY);
	assert_int_equal(unsettled(w), 1);	/* nobody knows yet what that target's entry says */
	put(w, "a1", LEDGER_PENDING, 1, NULL, 0);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_PENDING);
	w->with.deliver_count = 2;
	w->deliver[1] = &w->mailbox;
	make_due(w);				/* what is due is judged all the same, before it is tried */
	world_program(w, DEFERS);
	world_visit(w, VISIT_RETRY);
	entry = entry_of(w, "a4");
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	entry = entry_of(w, "a1");
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_HELD);
}

/* ---- two copies of one message for one target */

static const struct twins {
	const char *name;
	int64_t next, mentioned_next;
	enum held_state mentioned;	/* FAILED: it waited for too long */
	size_t left;
} pairs[] = {
	{ "both are due", 0, 0, HELD_WAITING, 0 },
	{ "the mentioned one is", LATER, 0, HELD_WAITING, 1 },
	{ "the other is", 0, LATER, HELD_WAITING, 1 },
	{ "the mentioned one failed", 0, 0, HELD_FAILED, 1 },
};

static void one_pair(struct world *w, const struct twins *t)
{
	uint64_t mentioned, ids[2];
	struct err e;

	world_program(w, 0);
	ids[0] = hold(w, &(struct hand){ .uid = "a1", .number = 1, .next = t->next });
	ids[1] = mentioned = hold(w, &(struct hand){ .uid = "a1", .number = 1, .next = t->mentioned_next });
	if (t->mentioned == HELD_FAILED)
		assert_true(held_fail(w->store, mentioned, "too long", clock_now_s(), &e));
	assert_true(held_settled(w->store, "test", ids, COUNT(ids), &e));
	put(w, "a1", LEDGER_HELD, 1, &(struct said){ &w->program, LEDGER_TARGET_HELD, mentioned }, 1);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(world_got(w), 1);
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(held_count(w), t->left);
	if (t->mentioned == HELD_FAILED)
		assert_true(held_again(w->store, mentioned, clock_now_s(), &e));
	make_due(w);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_got(w), 1);
}

static void one_message_twice(void **state)
{
	for (size_t n = 0; n < COUNT(pairs); n++) {
		print_message("  %s\n", pairs[n].name);
		one_pair(*state, &pairs[n]);
		assert_int_equal(world_stop(state), 0);
		assert_int_equal(world_start(state), 0);
	}
}

/* Its entry was pruned: it is delivered, and gets no entry that every listing would find missing. */
static void forgotten(void **state)
{
	struct world *w = *state;

	world_program(w, 0);
	(void)hold(w, &(struct hand){ .uid = "a1", .number = 1, .made = -LATER, .next = LATER });
	ledger_note(world_ledger(w), LEDGER_NOTE_LISTED, clock_now_s(), 0);
	ledger_flush(world_ledger(w));
	world_visit(w, VISIT_RETRY);
	assert_int_equal(entry_of(w, "a1").state, NOBODY);
	assert_int_equal(held_count(w), 1);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_got(w), 1);
	assert_int_equal(entry_of(w, "a1").state, NOBODY);
}

/* Somebody said `retry` while it was tried: its patience begins anew. */
static void retry_during_an_attempt(void **state)
{
	struct world *w = *state;
	uint64_t id = hold(w, &(struct hand){ .loose = true, .number = 1, .made = -DELIVER_PATIENCE_S - 1 });
	struct held_info info;
	bool gave_up;
	struct err e;

	assert_true(held_again(w->store, id, clock_now_s(), &e));
	assert_true(retried_later(w->store, id, "later", &gave_up, &e) && !gave_up);
	assert_true(held_get(w->store, id, &info) && info.state == HELD_WAITING && info.next > clock_now_s());
	assert_true(held_remove(w->store, id, &e));
	assert_true(retried_later(w->store, id, "later", &gave_up, &e));	/* thrown away: so be it */
	id = hold(w, &(struct hand){ .loose = true, .number = 1, .made = -DELIVER_PATIENCE_S - 1 });
	assert_true(retried_later(w->store, id, "later", &gave_up, &e) && gave_up);
	assert_true(held_get(w->store, id, &info) && info.state == HELD_FAILED);
}

/* ---- into a mailbox, and then the crash: the ledger does not know yet */

/* As sink_mailbox marks a copy. */
static void append(struct world *w, uint64_t copy)
{
	struct mailbox_source source = { .id = { 0 } };
	struct mailbox *box;
	struct incoming *in;
	struct store_done done;
	struct err e;

	memcpy(source.id + sizeof source.id - sizeof copy, &copy, sizeof copy);
	digest_of(w, 1, source.digest);
	memcpy(source.connection, ledger_tag(world_ledger(w)), sizeof source.connection);
	assert_true(mailbox_open(w->store, "anna/INBOX", true, &box, &e));
	in = incoming_new(box, &e);
	assert_true(in && incoming_add(in, SPAN("Subject: number 1\r\n\r\nhello\r\n"), &e));
	incoming_finish(&in, &source, 1, 0, 1);
	do	/* an earlier put wakes, too */
		assert_true(store_wait(w->store));
	while (!store_next(w->store, &done));
	assert_int_equal(done.ticket, 1);
	assert_int_equal(world_mailbox(w), 1);
}

static void in_the_box_already(struct world *w, enum ledger_state before, enum ledger_state then)
{
	uint64_t copy = hold(w, &(struct hand){ .uid = "a1", .number = 1, .target = "box" });

	put(w, "a1", before, 1, &(struct said){ &w->mailbox, LEDGER_TARGET_HELD, copy }, 1);
	append(w, copy);
	if (before != LEDGER_GONE)
		drop_add(&w->drop, "a1", "Subject: number 1\r\n\r\nhello\r\n");
	for (int n = 0; n < 2; n++) {
		world_visit(w, n ? VISIT_COLLECT : VISIT_RETRY);
		assert_int_equal(w->result.why.kind, ERR_NONE);
		assert_int_equal(world_mailbox(w), 1);
		assert_int_equal(held_count(w), 0);
	}
	assert_int_equal(entry_of(w, "a1").state, then);
}

static void a_mark_of_what_is_held(void **state)
{
	in_the_box_already(*state, LEDGER_HELD, LEDGER_ACCEPTED);
}

static void a_mark_of_what_is_gone_and_held(void **state)
{
	in_the_box_already(*state, LEDGER_GONE, LEDGER_GONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		cmocka_unit_test(every_state_of_one_target), CASE(another_target_accepted), CASE(both_defer), CASE(taken_out_and_put_back),
		CASE(taken_out_and_put_back_when_it_is_gone), CASE(judged_once), CASE(one_message_twice), CASE(forgotten), CASE(retry_during_an_attempt),
		CASE(a_mark_of_what_is_held), CASE(a_mark_of_what_is_gone_and_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
