/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/relay_fixture.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* A kept connection does not keep the loop, and goes in order when there is no more to do; a later mail makes a new one. */
static void at_rest(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	for (unsigned n = 1; n < 3; n++) {
		give(t, s, 1);
		loop_run(t->loop);
		assert_int_equal(t->done, n);
		loop_run(t->loop);	/* nothing is under way: at once */
		assert_int_equal(relay_connections(t->relay), 1);
		relay_rest(t->relay);
		relay_rest(t->relay);
		settle(t);
		assert_int_equal(relay_connections(t->relay), 0);
		assert_int_equal(plan.connections, n);
		assert_int_equal(plan.quits, n);
	}
	relay_rest(t->relay);
	spool_free(&s);
	trial_end(t);
}

/* One that is being made when nothing is to be sent any more goes, too. */
static void at_rest_before_it_is_there(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	t->with.parallel = 2;		/* the server talks to one at a time: the other gets no greeting */
	give(t, s, 1);
	give(t, s, 1);
	run(t);
	assert_int_equal(relay_connections(t->relay), 2);
	relay_rest(t->relay);
	assert_int_equal(relay_connections(t->relay), 1);
	settle(t);
	assert_int_equal(relay_connections(t->relay), 0);
	assert_int_equal(plan.quits, 1);
	spool_free(&s);
	trial_end(t);
}

static int listener;
static atomic_uint turned_away;

/* Whoever comes beside the first is turned away; the first one's second is waited for. */
static void turn_away_others(void)
{
	struct pollfd waits = { .fd = listener, .events = POLLIN };

	while (poll(&waits, 1, atomic_load(&turned_away) ? 0 : PATIENCE_MS) == 1) {
		int fd = accept(listener, NULL, NULL);

		assert_true(fd >= 0 && write(fd, "421 4.7.0 one is enough\r\n", 25) == 25);
		(void)close(fd);
		(void)atomic_fetch_add(&turned_away, 1);
	}
}

static void talk_to_one(struct server_peer *p, void *user)
{
	char line[LINE];

	if (!peer_say(p, "220 host\r\n"))
		return;
	while (peer_line(p, line, sizeof line)) {
		if (span_starts(span_of(line), SPAN("MAIL ")))
			turn_away_others();
		if (!on_line(p, user, line))
			return;
	}
}

/* The server wants one connection only: the others are not tried again and again, and no mail suffers. */
static void no_more_than_the_server_wants(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	t->with.parallel = 2;
	t->server.talk = talk_to_one;	/* nobody has come yet */
	listener = t->server.fd;
	for (unsigned n = 0; n < MAILS; n++)
		give(t, s, 1);
	run(t);
	for (unsigned n = 0; n < MAILS; n++)
		assert_int_equal(t->results[n][0].outcome, SMC_ACCEPTED);
	assert_int_equal(atomic_load(&turned_away), 1);
	assert_int_equal(t->back_off.wait_ms, 0);
	spool_free(&s);
	trial_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_for_many),
		cmocka_unit_test(a_connection_that_was_too_old),
		cmocka_unit_test(freed_under_way),
		cmocka_unit_test(connections_at_once),
		cmocka_unit_test(at_rest),
		cmocka_unit_test(at_rest_before_it_is_there),
		cmocka_unit_test(no_more_than_the_server_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
