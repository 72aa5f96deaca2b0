/* SPDX-License-Identifier: Apache-2.0
 *
 * A test of a connection: which steps it tells, without a store, and that the
 * server is asked for nothing but a count. */
#include <stdio.h>

#include "collect/test_world.h"

static char story[2000];

static void on_step(void *user, uint64_t id, const struct connection *with, const struct visit_step *step)
{
	size_t used = strlen(story);

	(void)user;
	(void)id;
	(void)with;
	assert_true(step->good == (step->kind == ERR_NONE));
	(void)snprintf(story + used, sizeof story - used, "%s%s: %s\n", step->good ? "" : "NOT ", visit_step_name(step->what), step->text);
}

static void on_ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *result)
{
	struct world *w = user;

	(void)id;
	(void)with;
	w->result = *result;
}

static void test_it(struct world *w, enum err_kind kind, const char *want)
{
	struct collector_with with = { .loop = w->loop, .contexts = w->contexts, .ended = on_ended, .step = on_step, .user = w };
	struct collector *c;
	struct err e;
	char all[sizeof story];

	story[0] = '\0';
	assert_true(collector_new(&with, &c, &e));
	collector_add(c, &w->with, VISIT_TEST);
	loop_run(w->loop);
	collector_free(&c);
	(void)snprintf(all, sizeof all, "connect: 127.0.0.1:%u\n%s", w->with.port, want);
	assert_string_equal(story, all);
	assert_int_equal(w->result.why.kind, kind);
	assert_int_equal(w->drop.retrs + w->drop.tops, 0);
	assert_int_equal(w->result.collected + w->result.skipped + w->result.failed, 0);
}

#define BEFORE_LOGIN "greeting: \"+OK ready\"\nTLS: none, as tls.mode = none says: who can read the line reads the mail\n"

static void each_step_is_told(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 3);
	test_it(w, ERR_NONE, BEFORE_LOGIN "capabilities: TOP UIDL USER PIPELINING; SASL none\nlogin: as anna by USER\n"
		"mailbox: 3 messages, 1000 octets\nlogout: nothing was fetched, and nothing changed\n");
	assert_int_equal(w->drop.count, 3);
}

static void what_fails_is_the_last(void **state)
{
	struct world *w = *state;
	char want[600];

	w->drop.wrong_password = true;
	w->with.max_retries = 5;
	w->with.retry_interval_ms = 1;
	(void)snprintf(want, sizeof want, BEFORE_LOGIN "capabilities: TOP UIDL USER PIPELINING; SASL none\n"
		"NOT login: 127.0.0.1:%u: login by USER was refused; check `user` and `password`: server said \"-ERR [AUTH] no\"\n", w->with.port);
	test_it(w, ERR_AUTH, want);
}

static void without_stat_it_is_open_all_the_same(void **state)
{
	struct world *w = *state;

	w->drop.refuse_stat = true;
	test_it(w, ERR_NONE, BEFORE_LOGIN "capabilities: TOP UIDL USER PIPELINING; SASL none\nlogin: as anna by USER\n"
		"mailbox: it is open, but the server does not count it: STAT was refused: server said \"-ERR no\"\n"
		"logout: nothing was fetched, and nothing changed\n");
}

static void a_refused_quit_matters_to_who_deletes(void **state)
{
	static const char before[] = BEFORE_LOGIN "capabilities: TOP UIDL USER PIPELINING; SASL none\nlogin: as anna by USER\n"
		"mailbox: 0 messages, 1000 octets\n";
	struct world *w = *state;
	char want[900];

	w->drop.refuse_quit = true;
	(void)snprintf(want, sizeof want, "%slogout: the server did not say +OK to QUIT, which does no harm as nothing is to be deleted\n", before);
	test_it(w, ERR_NONE, want);
	w->with.after = AFTER_DELETE;
	(void)snprintf(want, sizeof want, "%sNOT logout: the server did not say +OK to QUIT, and without that it deletes nothing; "
		"write after = keep: server said \"-ERR not deleted\"\n", before);
	test_it(w, ERR_PEER, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_step_is_told, world_start, world_stop),
		cmocka_unit_test_setup_teardown(what_fails_is_the_last, world_start, world_stop),
		cmocka_unit_test_setup_teardown(without_stat_it_is_open_all_the_same, world_start, world_stop),
		cmocka_unit_test_setup_teardown(a_refused_quit_matters_to_who_deletes, world_start, world_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
