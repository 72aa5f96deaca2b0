/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program is told; one that hangs; a visit that is stopped while one runs. */
#include <stdio.h>
#include <unistd.h>

#include "collect/test_held.h"
#include "collect/visit.h"
#include "deliver/deliver.h"

enum { POLL_MS = 10, POLLS_MAX = 3000, HUNG_MS = 300, ANSWER_MS = 2000, MANY = 8 };

/* In place of world_program's: what is asked in quotes is a shell's words, DIR the world's directory. */
static void script(struct world *w, const char *words)
{
	(void)snprintf(w->script, sizeof w->script, "cd %s && %s", w->directory, words);
	w->deliver[0] = &w->program;
}

static unsigned lines(const struct world *w, const char *name, char last[128])
{
	char path[128];
	unsigned count = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", w->directory, name);
	f = fopen(path, "re");
	while (f && fgets(last, 128, f))
		count++;
	if (f)
		assert_int_equal(fclose(f), 0);
	return count;
}

/* ---- facts */

static void facts_are_told(void **state)
{
	static const char said[] = "echo \"$POSTRIDER_SOURCE $POSTRIDER_CONNECTION $POSTRIDER_ACCOUNT $POSTRIDER_UID $POSTRIDER_TARGET ${POSTRIDER_MAILBOX-none}\" >>facts; "
		"cat >/dev/null; exit $(cat status)";
	struct world *w = *state;
	char last[128];

	world_program(w, 75);
	script(w, said);
	drop_fill(&w->drop, 'a', 1);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, 1, 0, 0);
	assert_int_equal(lines(w, "facts", last), 1);
	assert_string_equal(last, "connection test anna a0 program none\n");
	world_program(w, 0);
	make_due(w);
	world_visit(w, VISIT_RETRY);		/* from the held area the same */
	expect_counts(w, 1, 0, 0, 0);
	assert_int_equal(lines(w, "facts", last), 2);
	assert_string_equal(last, "connection test anna a0 program none\n");
}

/* ---- hung programs */

static void hung(struct world *w, const char *words, unsigned began_most)
{
	struct held_info info = { .id = 0 };
	char last[128];
	unsigned began;

	w->program.timeout_ms = HUNG_MS;
	script(w, words);
	drop_fill(&w->drop, 'a', MANY);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, MANY, 0, 0);
	assert_int_equal(held_count(w), MANY);
	began = lines(w, "began", last);
	assert_in_range(began, 0, began_most);
	while (held_next_of(w->store, "test", &info))
		assert_int_equal(info.state, HELD_WAITING);
	assert_int_equal(world_state(w, "a0"), LEDGER_HELD);
	assert_int_equal(world_state(w, "a7"), LEDGER_HELD);
}

static void after_some_that_hung_the_rest_is_held(void **state)
{
	hung(*state, "echo x >>began; exec sleep 1000", SINK_HUNG_MAX);
}

/* One that answers in between begins the count anew. */
static void an_answer_in_between(void **state)
{
	struct world *w = *state;
	char last[128];

	w->program.timeout_ms = ANSWER_MS;
	script(w, "echo x >>began; n=$(wc -l <began); [ $n != 2 ] || exit 75; exec sleep 1000");
	drop_fill(&w->drop, 'a', MANY);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 0, MANY, 0, 0);
	assert_int_equal(lines(w, "began", last), 2 + SINK_HUNG_MAX);
}

/* The next visit asks again; what was held is not due, and what comes anew is delivered. */
static void the_next_visit_asks_again(void **state)
{
	struct world *w = *state;

	hung(w, "echo x >>began; exec sleep 1000", SINK_HUNG_MAX);
	w->program.timeout_ms = 20000;
	script(w, "cat >/dev/null; echo x >>got");
	drop_add(&w->drop, "b0", "Subject: more\r\n\r\n");
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 1, 0, 0, 0);
	make_due(w);
	world_visit(w, VISIT_RETRY);
	expect_counts(w, MANY, 0, 0, 0);
	assert_int_equal(world_got(w), MANY + 1);
}

/* ---- a visit that is stopped */

struct stop {
	struct world *w;
	struct collector *collector;
	struct timer *timer;
	unsigned polls;
	size_t wanted;
};

/* When the first program runs and the others wait for their turn behind it. */
static void on_poll(void *user)
{
	struct stop *s = user;
	char last[128], path[128];
	FILE *f;

	assert_true(s->polls++ < POLLS_MAX);
	if (deliveries_waiting(s->w->deliveries) < s->wanted || !lines(s->w, "began", last))
		return;
	collector_stop(s->collector);
	(void)snprintf(path, sizeof path, "%s/go", s->w->directory);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	timer_free(&s->timer);
}

static void note(void *user, [[maybe_unused]] uint64_t id, [[maybe_unused]] const struct connection *c, const struct visit_result *result)
{
	struct stop *s = user;

	s->w->result = *result;
}

static void stopped(struct world *w, enum visit_what what, size_t wanted)
{
	struct stop s = { .w = w, .wanted = wanted };
	const struct collector_with with = { .loop = w->loop, .store = w->store, .contexts = w->contexts, .deliveries = w->deliveries,
		.ended = note, .user = &s };
	struct err e;

	script(w, "cat >/dev/null; echo x >>began; n=0; while [ ! -e go ] && [ $n -lt 1000 ]; do n=$((n+1)); sleep 0.02; done; echo x >>got");
	assert_true(collector_new(&with, &s.collector, &e));
	s.timer = timer_new(w->loop, on_poll, &s);
	assert_non_null(s.timer);
	timer_set(s.timer, POLL_MS, POLL_MS);
	collector_add(s.collector, &w->with, what);
	loop_run(w->loop);
	assert_null(s.timer);
	collector_free(&s.collector);
	assert_int_equal(w->result.why.kind, ERR_LOCAL);
	assert_int_equal(world_got(w), 1);
}

static void what_has_not_begun_is_not_held(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 4);
	stopped(w, VISIT_COLLECT, 4);
	assert_int_equal(w->result.collected, 1);
	assert_int_equal(w->result.held, 0);
	assert_int_equal(w->result.failed, 3);
	assert_int_equal(held_count(w), 0);
	assert_int_equal(world_state(w, "a0"), LEDGER_ACCEPTED);
	for (char n = '1'; n < '4'; n++)
		assert_int_equal(world_state(w, (char[]){ 'a', n, '\0' }), LEDGER_PENDING);
	world_visit(w, VISIT_COLLECT);
	expect_counts(w, 3, 0, 0, 0);
	assert_int_equal(world_got(w), 4);
}

/* Of held mail, what has not begun is as it was: neither later, nor one attempt older. */
static void what_is_held_stays_as_it_was(void **state)
{
	struct world *w = *state;
	uint64_t first = hold(w, &(struct hand){ .uid = "a0", .number = 0 }), second = hold(w, &(struct hand){ .uid = "a1", .number = 1 });
	struct held_info before, after;

	put(w, "a0", LEDGER_HELD, 0, &(struct said){ &w->program, LEDGER_TARGET_HELD, first }, 1);
	put(w, "a1", LEDGER_HELD, 1, &(struct said){ &w->program, LEDGER_TARGET_HELD, second }, 1);
	assert_true(held_get(w->store, second, &before));
	stopped(w, VISIT_RETRY, 2);
	assert_int_equal(w->result.collected, 1);
	assert_int_equal(held_count(w), 1);
	if (!held_get(w->store, second, &after)) {	/* which one was loaded first is open */
		second = first;
		assert_true(held_get(w->store, second, &after));
	}
	assert_int_equal(after.attempts, before.attempts);
	assert_true(after.next <= clock_now_s() && after.state == HELD_WAITING);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(facts_are_told), CASE(after_some_that_hung_the_rest_is_held), CASE(an_answer_in_between), CASE(the_next_visit_asks_again),
		CASE(what_has_not_begun_is_not_held), CASE(what_is_held_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
