/* SPDX-License-Identifier: Apache-2.0
 *
 * What an entry is by what its targets say; a message's way from target to target. */
#include <stdio.h>
#include <unistd.h>

#include "collect/test_held.h"
#include "collect/visit.h"

enum { DEFERS = 75, REFUSES = 100, TAG = 100 };

/* ---- entry_state: of each target one letter: Accepted, Held, Refused, Placing, None, and - for not in the entry; behind a dot
 * those that are not in `deliver` today */

static const struct { const char *targets; enum ledger_state want; } states[] = {
	{ "A", LEDGER_ACCEPTED }, { "H", LEDGER_HELD }, { "R", LEDGER_REFUSED }, { "P", LEDGER_PENDING }, { "N", LEDGER_PENDING }, { "-", LEDGER_PENDING },
	{ "AA", LEDGER_ACCEPTED }, { "AH", LEDGER_HELD }, { "HA", LEDGER_HELD }, { "AR", LEDGER_REFUSED }, { "RA", LEDGER_REFUSED },
	{ "HR", LEDGER_HELD }, { "RH", LEDGER_HELD }, { "A-", LEDGER_PENDING }, { "-A", LEDGER_PENDING }, { "H-", LEDGER_PENDING },
	{ "RN", LEDGER_PENDING }, { "PH", LEDGER_PENDING }, { "AAA", LEDGER_ACCEPTED }, { "ARH", LEDGER_HELD }, { "RRA", LEDGER_REFUSED },
	{ "A.H", LEDGER_ACCEPTED }, { "A.RP", LEDGER_ACCEPTED }, { "H.A", LEDGER_HELD }, { "R.A", LEDGER_REFUSED }, { "-.A", LEDGER_PENDING },
};

static enum ledger_target_state state_of(char letter)
{
	switch (letter) {
	case 'A': return LEDGER_TARGET_ACCEPTED;
	case 'H': return LEDGER_TARGET_HELD;
	case 'R': return LEDGER_TARGET_REFUSED;
	case 'P': return LEDGER_TARGET_PLACING;
	}
	return LEDGER_TARGET_NONE;
}

static void what_an_entry_is([[maybe_unused]] void **state)
{
	for (size_t n = 0; n < COUNT(states); n++) {
		struct visit v = { .sink_count = 0 };
		struct ledger_entry entry = { .state = LEDGER_PENDING };
		bool today = true;

		for (const char *at = states[n].targets; *at; at++) {
			unsigned tag = TAG + (unsigned)(at - states[n].targets);

			if (*at == '.') {
				today = false;
				continue;
			}
			if (today)
				v.sinks[v.sink_count++].tag = tag;
			if (*at != '-')
				entry.targets[entry.target_count++] = (struct ledger_target){ .target = tag, .state = state_of(*at) };
		}
		if (entry_state(&v, &entry, LEDGER_ACCEPTED) != states[n].want)
			fail_msg("%s is %d", states[n].targets, entry_state(&v, &entry, LEDGER_ACCEPTED));
		if (states[n].want == LEDGER_ACCEPTED)
			assert_int_equal(entry_state(&v, &entry, LEDGER_DISPOSING), LEDGER_DISPOSING);
	}
}

/* ---- from target to target */

static void two(struct world *w, int status, struct target *second)
{
	world_program(w, status);
	w->deliver[1] = second;
	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 3);
}

/* The program stands first in `deliver`, and may take its time: it comes behind the Maildir. */
static void quick_targets_come_first(void **state)
{
	struct world *w = *state;
	char path[128], line[128] = "";
	FILE *f;

	two(w, 0, &w->maildir);
	w->drop.count = 1;
	(void)snprintf(w->script, sizeof w->script, "cat >/dev/null; ls %s/new | wc -l >>%s/got", w->path, w->directory);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 1, 0, 0, 0);
	(void)snprintf(path, sizeof path, "%s/got", w->directory);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	assert_int_equal(fclose(f), 0);
	assert_string_equal(line, "1\n");
}

static void one_defers_the_other_goes_on(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;

	two(w, DEFERS, &w->mailbox);
	w->with.after = AFTER_DELETE;
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 2, 1, 0, 0);
	assert_int_equal(world_mailbox(w), 3);
	assert_int_equal(w->drop.count, 1);
	entry = entry_of(w, "a1");
	assert_int_equal(entry.state, LEDGER_HELD);
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_HELD);
	assert_non_null(strstr(entry.error, "75"));
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	expect_counts(w, 1, 0, 0, 0);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(world_mailbox(w), 3);	/* that one had it */
}

static void one_refuses_the_other_goes_on(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;

	two(w, REFUSES, &w->mailbox);
	w->with.on_refused = REFUSED_KEEP;
	w->with.after = AFTER_DELETE;
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 2, 0, 1, 0);
	assert_int_equal(world_mailbox(w), 3);
	entry = entry_of(w, "a1");
	assert_int_equal(entry.state, LEDGER_REFUSED);
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_REFUSED);
	assert_int_equal(w->drop.count, 1);
}

/* There is no room to hold it: that target has failed, the other one has it, and is not asked again. */
static void one_fails_the_other_goes_on(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;

	two(w, DEFERS, &w->mailbox);
	w->with.held_max = 10;
	w->with.after = AFTER_DELETE;
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_BUSY);
	entry = entry_of(w, "a1");
	assert_int_equal(entry.state, LEDGER_PENDING);
	assert_int_equal(said_of(&entry, &w->mailbox), LEDGER_TARGET_ACCEPTED);
	assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_NONE);
	world_program(w, 0);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(world_got(w), 3);
	assert_int_equal(world_mailbox(w), 3);
	assert_int_equal(w->drop.count, 0);
}

/* A copy is tried at one target while the message itself, fetched before that, is still with the other: what came of the copy stays. */
static void both_at_once(struct world *w, int status)
{
	char words[400];
	const char *const argv[] = { "/bin/sh", "-c", words };
	struct target other = w->program;
	const struct said said = { &w->program, LEDGER_TARGET_HELD, hold(w, &(struct hand){ .uid = "a1", .number = 1 }) };
	struct ledger_entry entry;

	other.name = "other";
	other.canonical = "command:other";
	other.argv = (struct texts){ (const char **)(uintptr_t)argv, COUNT(argv) };
	two(w, 0, &other);
	w->drop.messages[0] = w->drop.messages[1];
	w->drop.count = 1;
	(void)snprintf(words, sizeof words, "cd %s && cat >/dev/null; touch begun; n=0; while ! [ -e over ] && [ $n -lt 1000 ]; do n=$((n+1)); sleep 0.02; done; sleep 1; exit %d",
		w->directory, status);
	(void)snprintf(w->script, sizeof w->script, "cd %s && cat >/dev/null; n=0; while ! [ -e begun ] && [ $n -lt 1000 ]; do n=$((n+1)); sleep 0.02; done; echo x >>got; touch over",
		w->directory);
	put(w, "a1", LEDGER_PENDING, 1, &said, 1);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_got(w), 1);
	entry = entry_of(w, "a1");
	if (status == DEFERS) {
		assert_int_equal(entry.state, LEDGER_HELD);
		assert_int_equal(said_of(&entry, &w->program), LEDGER_TARGET_ACCEPTED);
		assert_int_equal(said_of(&entry, &other), LEDGER_TARGET_HELD);
		assert_int_equal(held_count(w), 1);
		(void)snprintf(words, sizeof words, "cat >/dev/null");
		make_due(w);
		world_visit(w, VISIT_RETRY);
	}
	assert_int_equal(entry_of(w, "a1").state, LEDGER_ACCEPTED);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_got(w), 1);
}

static void a_copy_is_taken_and_the_other_target_defers(void **state)
{
	both_at_once(*state, DEFERS);
}

static void a_copy_is_taken_and_the_other_target_accepts(void **state)
{
	both_at_once(*state, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		cmocka_unit_test(what_an_entry_is), CASE(quick_targets_come_first), CASE(one_defers_the_other_goes_on), CASE(one_refuses_the_other_goes_on),
		CASE(one_fails_the_other_goes_on), CASE(a_copy_is_taken_and_the_other_target_defers),
		CASE(a_copy_is_taken_and_the_other_target_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
