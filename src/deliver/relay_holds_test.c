/* SPDX-License-Identifier: Apache-2.0
 *
 * What was accepted and is not released holds back the end of the next message; and what a server says too much is
 * believed of none. */
#include "deliver/relay_fixture.h"

static const char *const offers[] = { "250 SIZE\r\n", "250 PIPELINING\r\n", "250-PIPELINING\r\n250 CHUNKING\r\n" };
static const int numbers[MAILS];

/* One by one, as they are released. */
static void no_end_before_the_release(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(offers); i++) {
		struct plan plan = { .capabilities = offers[i / 2], .lmtp = i % 2 };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));

		for (unsigned n = 0; n < 4; n++)
			give_holding(t, s, &numbers[n]);
		for (unsigned n = 1; n <= 4; n++) {
			t->wanted = n;
			run(t);
			assert_int_equal(t->results[n - 1][0].outcome, SMC_ACCEPTED);
			settle(t);
			assert_int_equal(t->done, n);
			assert_int_equal(atomic_load(&plan.messages), n);
			relay_release(t->relay, &numbers[n - 1]);
		}
		assert_int_equal(plan.connections, 1);
		assert_int_equal(relay_waiting(t->relay), 0);
		spool_free(&s);
		trial_end(t);
	}
}

/* Nobody waits for it: the next is of an ask without. */
static void held_back_by_another(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	give_holding(t, s, &numbers[0]);
	give(t, s, 1);
	give(t, s, 1);
	t->wanted = 1;
	run(t);
	settle(t);
	assert_int_equal(atomic_load(&plan.messages), 1);
	relay_release(t->relay, &numbers[1]);	/* of none: nothing happens */
	settle(t);
	assert_int_equal(atomic_load(&plan.messages), 1);
	relay_release(t->relay, &numbers[0]);
	t->wanted = 3;
	run(t);
	spool_free(&s);
	trial_end(t);
}

/* What nobody accepted cannot come twice. */
static void a_refusal_holds_nothing(void **state)
{
	static const char *const rcpt[] = { "550 5.1.1 who\r\n", NULL, NULL }, *const says[] = { NULL, "550 5.7.1 spam\r\n", "451 4.3.0 later\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(rcpt); i++) {
		struct plan plan = { .capabilities = "250 PIPELINING\r\n", .to_rcpt = rcpt[i], .to_message = says[i] };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));

		for (unsigned n = 0; n < 3; n++)
			give_holding(t, s, &numbers[n]);
		run(t);
		assert_int_equal(t->results[2][0].outcome, i == 2 ? SMC_DEFERRED : SMC_REFUSED);
		spool_free(&s);
		trial_end(t);
	}
}

/* The connection took it along, but not its place; the release comes late, or never. */
static void gone_unreleased(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n", .gone_after_first = true };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	give_holding(t, s, &numbers[0]);
	give_holding(t, s, &numbers[1]);
	t->wanted = 1;
	run(t);
	settle(t);
	assert_int_equal(atomic_load(&plan.messages), 1);
	assert_int_equal(plan.connections, 2);
	relay_release(t->relay, &numbers[0]);
	t->wanted = 2;
	run(t);
	assert_int_equal(t->results[1][0].outcome, SMC_ACCEPTED);
	relay_rest(t->relay);
	settle(t);
	assert_int_equal(relay_connections(t->relay), 0);
	assert_true(relay_unreleased(t->relay));
	relay_release(t->relay, &numbers[1]);
	assert_false(relay_unreleased(t->relay));
	give_holding(t, s, &numbers[2]);
	run(t);
	t->wanted++;
	give_holding(t, s, &numbers[3]);	/* waits for its end when the relay goes */
	settle(t);
	assert_int_equal(atomic_load(&plan.messages), 3);
	spool_free(&s);
	trial_end(t);
}

static struct trial *releasing;

static void release_at_once(void *user, const struct relay_result *results, size_t count)
{
	relay_release(releasing->relay, user);
	on_done(releasing, results, count);
}

static void released_from_within(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n" };
	struct trial *t = releasing = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	for (t->wanted = 0; t->wanted < MAILS; t->wanted++)
		relay_send(t->relay, &(struct relay_ask){ .message = s, .sender = "anna@example.org", .recipients = recipients, .recipient_count = 1,
			.done = release_at_once, .user = (void *)(uintptr_t)&numbers[t->wanted], .holds = &numbers[t->wanted] });
	run(t);
	assert_int_equal(plan.messages, MAILS);
	assert_int_equal(plan.connections, 1);
	spool_free(&s);
	trial_end(t);
}

/* Two answers to one message: none is the next one's, which is tried over another connection, or later. */
static void answered_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(offers); i++) {
		struct plan plan = { .capabilities = offers[i / 2], .lmtp = i % 2, .twice = true };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));
		unsigned accepted = 0;

		for (unsigned n = 0; n < 6; n++)
			give(t, s, 1);
		run(t);
		for (unsigned n = 0; n < 6; n++) {
			accepted += t->results[n][0].outcome == SMC_ACCEPTED;
			assert_true(t->results[n][0].outcome == SMC_ACCEPTED || t->results[n][0].outcome == SMC_DEFERRED);
		}
		assert_int_equal(atomic_load(&plan.messages), accepted);
		spool_free(&s);
		trial_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_end_before_the_release),
		cmocka_unit_test(held_back_by_another),
		cmocka_unit_test(a_refusal_holds_nothing),
		cmocka_unit_test(gone_unreleased),
		cmocka_unit_test(released_from_within),
		cmocka_unit_test(answered_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
