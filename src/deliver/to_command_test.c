/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"

enum { LONG = 20000 };

static struct target target_of(const char *const *argv, size_t count)
{
	return (struct target){ .name = "c", .type = TARGET_COMMAND, .canonical = "command:c", .argv = { (const char **)(uintptr_t)argv, count },
		.timeout_ms = 60000, .parallel = 2 };
}

static const struct row {
	const char *script;
	enum deliver_said said;
	const char *why, *told;
} rows[] = {
	{ "exit 0", DELIVER_ACCEPTED, "", "" },
	{ "test $(wc -c) = 300000", DELIVER_ACCEPTED, "", "" },
	{ "echo full >&2; exit 75", DELIVER_DEFERRED, "exit status 75: it said \"full\"", "" },
	{ "echo no such user >&2; exit 100", DELIVER_REFUSED, "exit status 100: it said \"no such user\"", "no such user" },
	{ "exit 1", DELIVER_DEFERRED, "exit status 1", "" },
	{ "kill -9 $$", DELIVER_DEFERRED, "killed by signal 9", "" },
	{ "test \"$POSTRIDER_SENDER $POSTRIDER_SIZE $POSTRIDER_TARGET\" = 'anna@example.org 300000 c'", DELIVER_ACCEPTED, "", "" },
	{ "test \"$POSTRIDER_RECIPIENTS\" = \"bert@example.org\ncarla k@example.net\"", DELIVER_ACCEPTED, "", "" },
	{ "test \"$POSTRIDER_ACCOUNT\" = anna", DELIVER_ACCEPTED, "", "" },
	{ "test ${#POSTRIDER_LONG} = 8191", DELIVER_ACCEPTED, "", "" },	/* no half a character */
	{ "test \"$CREDENTIALS_DIRECTORY$NOTIFY_SOCKET\" = ''; test $? = 0 && test -n \"$PATH\"", DELIVER_ACCEPTED, "", "" },
};

static void its_exit_status_is_the_answer([[maybe_unused]] void **state)
{
	struct world *w = world(300000);
	char *text = malloc(LONG + 1);
	const struct deliver_fact facts[] = { { "ACCOUNT", "anna" }, { "LONG", text } };
	const struct deliver_ask more = { .facts = facts, .fact_count = COUNT(facts) };

	assert_non_null(text);
	memset(text, 'x', LONG);
	memcpy(text + DELIVER_FACT_MAX - 1, "\xc3\xa4", 2);
	text[LONG] = '\0';
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/secret", 1), 0);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		const char *const argv[] = { "/bin/sh", "-c", r->script };
		const struct target t = target_of(argv, COUNT(argv));

		if (world_delivers(w, &t, &more) != r->said || strcmp(w->why, r->why) != 0 || strcmp(w->told, r->told) != 0)
			fail_msg("%s: %d, why \"%s\", told \"%s\"", r->script, (int)w->said[0], w->why, w->told);
		assert_true(w->answered && !w->hung);
	}
	free(text);
	world_end(w);
}

/* A hundred addresses are more than the 8 KiB at which other facts are cut. */
static void all_recipients_are_named([[maybe_unused]] void **state)
{
	static const char *const count[] = { "/bin/sh", "-c", "set -- $POSTRIDER_RECIPIENTS; test $# = 100 && test ${#POSTRIDER_RECIPIENTS} = 30099" };
	const struct target t = target_of(count, COUNT(count));
	char address[301];
	const char *many[400];
	struct deliver_ask more = { .recipients = many, .recipient_count = 100 };
	struct world *w = world(10);

	memset(address, 'x', sizeof address - 1);
	address[sizeof address - 1] = '\0';
	for (size_t n = 0; n < COUNT(many); n++)
		many[n] = address;
	assert_int_equal(world_delivers(w, &t, &more), DELIVER_ACCEPTED);
	more.recipient_count = COUNT(many);
	assert_int_equal(world_delivers(w, &t, &more), DELIVER_REFUSED);
	assert_string_equal(w->why, "it has more recipients than fit into a program's environment");
	world_end(w);
}

static void a_program_that_is_not_there_or_slow_is_tried_again([[maybe_unused]] void **state)
{
	static const char *const none[] = { "/no/such/program" }, *const slow[] = { "/bin/sleep", "1000" };
	struct target t = target_of(none, 1);
	struct world *w = world(10);

	assert_int_equal(world_delivers(w, &t, NULL), DELIVER_DEFERRED);
	assert_string_equal(w->why, "/no/such/program cannot be started: No such file or directory");
	t = target_of(slow, 2);
	t.timeout_ms = 50;
	assert_int_equal(world_delivers(w, &t, NULL), DELIVER_DEFERRED);
	assert_string_equal(w->why, "did not end within 0.05 s");
	assert_true(w->hung && !w->answered);
	world_end(w);
}

/* Each leaves a mark while it runs; one that sees more than two marks complains. */
static void no_more_at_once_than_was_said([[maybe_unused]] void **state)
{
	struct world *w = world(10);
	char script[400];
	const char *const argv[] = { "/bin/sh", "-c", script };
	const struct target t = target_of(argv, COUNT(argv));

	(void)snprintf(script, sizeof script, "cd %s && mkdir -p at && : > at/$$ && sleep 0.05 && set -- at/* && n=$# && rm at/$$ && "
		"{ test $n -le 2 || exit 100; } && { test $n -lt 2 || : > two; }", w->directory);
	for (unsigned n = 0; n < 10; n++)
		world_asks_for(w, &t, NULL);
	world_runs(w);
	for (unsigned n = 0; n < 10; n++)
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
	assert_int_equal(w->which[9] >= 8, 1);		/* first come, first served */
	(void)snprintf(script, sizeof script, "%s/two", w->directory);
	assert_int_equal(access(script, F_OK), 0);	/* and two there were */
	world_end(w);
}

static void one_that_has_not_begun_can_be_called_off([[maybe_unused]] void **state)
{
	static const char *const slow[] = { "/bin/sleep", "0.3" };
	struct target t = target_of(slow, COUNT(slow));
	struct world *w = world(10);

	t.parallel = 1;
	world_asks_for(w, &t, NULL);
	world_asks_for(w, &t, NULL);
	assert_false(deliver_unless_begun(w->all, &world_asks[0], "no"));
	assert_true(deliver_unless_begun(w->all, &world_asks[1], "not now"));
	assert_true(deliver_unless_begun(w->all, &world_asks[1], "twice"));
	assert_int_equal(w->done, 0);		/* never from within */
	world_runs(w);
	assert_true(w->which[0] == 1 && w->said[0] == DELIVER_DEFERRED);
	assert_true(w->which[1] == 0 && w->said[1] == DELIVER_ACCEPTED);
	assert_true(deliver_unless_begun(w->all, &world_asks[0], "it is over"));
	world_end(w);
}

static void the_end_of_the_service_ends_them([[maybe_unused]] void **state)
{
	static const char *const slow[] = { "/bin/sh", "-c", "sleep 1000 & wait" };
	const struct target t = target_of(slow, COUNT(slow));
	struct world *w = world(10);

	for (unsigned n = 0; n < 4; n++)
		world_asks_for(w, &t, NULL);
	deliveries_hurry(w->all);
	world_runs(w);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(w->said[n], DELIVER_DEFERRED);
	assert_true(!w->hung && !w->answered);
	for (unsigned n = 0; n < 4; n++)
		world_asks_for(w, &t, NULL);
	deliveries_free(&w->all);
	assert_int_equal(w->done, 4);
	world_end(w);
}

/* While it is under way it leaves its mark; how many there were, another file tells. */
static size_t begun(const struct world *w)
{
	char name[256];

	return world_files(w->directory, "begun", name);
}

static void stop(void *user)
{
	loop_stop(user);
}

static void settle(const struct world *w)
{
	struct timer *soon = timer_new(w->loop, stop, w->loop);

	timer_set(soon, 100, 0);
	loop_run(w->loop);
	timer_free(&soon);
}

/* A place of `parallel` is free when what was accepted is released; what was not accepted keeps none. */
static void no_program_before_the_release([[maybe_unused]] void **state)
{
	const struct deliver_ask more = { .holds = true };
	struct world *w = world(10);
	char script[400];
	const char *const argv[] = { "/bin/sh", "-c", script }, *const later[] = { "/bin/sh", "-c", "exit 75" };
	struct target t = target_of(argv, COUNT(argv)), deferring = target_of(later, COUNT(later));

	(void)snprintf(script, sizeof script, "mkdir -p %s/begun && : > %s/begun/$$", w->directory, w->directory);
	for (unsigned n = 0; n < 7; n++)
		world_asks_for(w, n == 2 ? &deferring : &t, &more);	/* one line: the canonical text is the same */
	for (unsigned n = 0, next = 0; n < 5; n++) {
		w->wanted = n ? n + 3 : 2;	/* two places; the third, deferred, keeps none */
		if (n) {
			next += w->which[next] == 2;
			deliver_release(w->all, &world_asks[w->which[next++]]);
		}
		world_runs(w);
		settle(w);
		assert_int_equal(begun(w), n + 2);
		assert_int_equal(w->done, w->wanted);
	}
	deliver_release(w->all, &world_asks[2]);
	deliver_release(w->all, &world_asks[2]);	/* it has none any more */
	world_end(w);			/* two are not released */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_exit_status_is_the_answer),
		cmocka_unit_test(all_recipients_are_named),
		cmocka_unit_test(a_program_that_is_not_there_or_slow_is_tried_again),
		cmocka_unit_test(no_more_at_once_than_was_said),
		cmocka_unit_test(one_that_has_not_begun_can_be_called_off),
		cmocka_unit_test(the_end_of_the_service_ends_them),
		cmocka_unit_test(no_program_before_the_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
