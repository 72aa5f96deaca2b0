/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/relay_fixture.h"

static void one_connection_for_many(void **state)
{
	static const char *const offers[] = { "250 SIZE\r\n", "250 PIPELINING\r\n", "250-PIPELINING\r\n250 CHUNKING\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct plan plan = { .capabilities = offers[i] };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("Subject: x\r\n\r\n.dot\r\n..\r\nlone\nend"));

		give(t, s, 1);
		give(t, s, 2);
		give(t, s, 1);
		assert_int_equal(t->done, 0);	/* never from within */
		run(t);
		give(t, s, 1);
		run(t);
		for (unsigned n = 0; n < t->done; n++)
			assert_true(t->results[n][0].outcome == SMC_ACCEPTED && t->results[n][0].code == 250 && t->results[n][0].status[0] == 2);
		assert_int_equal(plan.connections, 1);
		assert_int_equal(plan.messages, 4);
		assert_true(span_equal((struct span){ plan.taken, plan.taken_len }, SPAN("Subject: x\r\n\r\n.dot\r\n..\r\nlone\r\nend\r\n")));
		spool_free(&s);
		trial_end(t);
	}
}

/* The server had ended a connection that we kept: that is no mail's fault. */
static void a_connection_that_was_too_old(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n", .gone_after_first = true };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	give(t, s, 1);
	give(t, s, 1);		/* rides behind the first */
	run(t);
	assert_int_equal(t->results[0][0].outcome, SMC_ACCEPTED);
	assert_int_equal(t->results[1][0].outcome, SMC_ACCEPTED);
	assert_int_equal(plan.connections, 2);
	assert_int_equal(plan.messages, 2);
	spool_free(&s);
	trial_end(t);
}

/* Freed while mails wait and one is under way: nobody is told, nothing is left. */
static void freed_under_way(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		give(t, s, 1);
		if (turn)
			settle(t);
	}
	t->done = 0;
	give(t, s, 1);
	relay_free(&t->relay);
	settle(t);
	assert_int_equal(t->done, 0);
	spool_free(&s);
	trial_end(t);
}

/* As many connections as are allowed, and no more than there are mails. */
static void connections_at_once(void **state)
{
	(void)state;
	for (uint32_t parallel = 1; parallel < 4; parallel++) {
		struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));

		t->with.parallel = parallel;
		give(t, s, 1);
		give(t, s, 1);
		run(t);
		assert_true(relay_connections(t->relay) >= 1 && relay_connections(t->relay) <= (parallel < 2 ? 1 : 2));
		assert_int_equal(relay_waiting(t->relay), 0);
		spool_free(&s);
		trial_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_for_many),
		cmocka_unit_test(a_connection_that_was_too_old),
		cmocka_unit_test(freed_under_way),
		cmocka_unit_test(connections_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
