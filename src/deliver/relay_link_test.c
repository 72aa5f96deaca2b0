/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/relay_fixture.h"

#include <poll.h>

/* More than the connection's queue holds: it goes as the server takes it. */
static void a_large_message(void **state)
{
	static const char *const offers[] = { "250 PIPELINING\r\n", "250-PIPELINING\r\n250 CHUNKING\r\n" };
	enum { LINES = 40000 };

	(void)state;
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct plan plan = { .capabilities = offers[i] };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN(".Subject: large\r\n\r\n"));

		for (int n = 0; n < LINES; n++)
			must(spool_add(s, SPAN(".a line of forty octets or a little more\r\n"), &fixture_err));
		give(t, s, 1);
		run(t);
		assert_int_equal(t->results[0][0].outcome, SMC_ACCEPTED);
		assert_int_equal(plan.taken_len, spool_size(s));
		assert_memory_equal(plan.taken, ".Subject: large\r\n\r\n.a", 21);
		assert_memory_equal(plan.taken + plan.taken_len - 43, "\n.a line of forty octets or a little more\r\n", 43);
		spool_free(&s);
		trial_end(t);
	}
}

static void each_recipient_for_itself(void **state)
{
	struct plan plan = { .capabilities = "250 PIPELINING\r\n", .lmtp = true, .to_message = "250 2.1.5 a\r\n452 4.2.2 b\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	give(t, s, 2);
	run(t);
	assert_int_equal(t->results[0][0].outcome, SMC_ACCEPTED);
	assert_int_equal(t->results[0][1].outcome, SMC_DEFERRED);
	assert_string_equal(t->results[0][1].text, "b");
	spool_free(&s);
	trial_end(t);
}

/* A reply that nobody asked for, in one packet with what lets us in: that was no connection, and the next one waits. */
static void a_reply_too_many_at_the_start(void **state)
{
	static const struct row {
		const char *capabilities, *text;
		bool lmtp;
		enum err_kind kind;
	} rows[] = {
		{ "250 PIPELINING\r\n421 4.3.2 bye\r\n", "bye", false, ERR_BUSY },
		{ "250 PIPELINING\r\n250 x\r\n", "nobody asked for", false, ERR_PEER },
		{ "250 PIPELINING\r\n250 x\r\n", "nobody asked for", true, ERR_PEER },
		{ "500 what\r\n", "nobody asked for", false, ERR_PEER },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan plan = { .capabilities = r->capabilities, .lmtp = r->lmtp, .to_helo = "250 host\r\n250 x\r\n" };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));

		plan.no_ehlo = *r->capabilities == '5';
		for (int n = 0; n < 3; n++)
			give(t, s, 1);
		run(t);
		for (int n = 0; n < 3; n++) {
			const struct relay_result *result = &t->results[n][0];

			if (result->outcome != SMC_DEFERRED || result->kind != r->kind || !result->down || !strstr(result->text, r->text))
				fail_msg("%s: %d, %s, \"%s\"", r->capabilities, result->outcome, err_kind_name(result->kind), result->text);
		}
		assert_int_equal(atomic_load(&plan.connections), 1);
		assert_int_equal(t->back_off.wait_ms, BACK_OFF_FIRST_MS);
		spool_free(&s);
		trial_end(t);
	}
}

/* What becomes of a mail when the server does not do as it should. */
static void failures(void **state)
{
	static const struct row {
		const char *name, *to_rcpt, *to_message;
		bool turned_away, refusing, down;
		enum smc_outcome outcome;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{ "refused", "550 5.1.1 who\r\n", NULL, false, false, false, SMC_REFUSED, ERR_PEER, "who" },
		{ "cut behind the message", NULL, "", false, false, false, SMC_DOUBT, ERR_NET, "the message" },
		{ "cut before the message", "", NULL, false, false, true, SMC_DEFERRED, ERR_NET, "RCPT" },
		{ "ended before the message", "421 4.3.2 I stop\r\n", NULL, false, false, true, SMC_DEFERRED, ERR_BUSY, "I stop" },
		{ "turned away", NULL, NULL, true, false, true, SMC_DEFERRED, ERR_BUSY, "full" },
		{ "no server", NULL, NULL, false, true, true, SMC_DEFERRED, ERR_NET, "refused" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan plan = { .capabilities = "250 PIPELINING\r\n", .to_rcpt = r->to_rcpt, .to_message = r->to_message, .turned_away = r->turned_away };
		struct trial *t = trial(&plan, r->refusing ? server_refusing_port() : 0);
		struct spool *s = message(t, SPAN("hi\r\n"));
		const struct relay_result *result = &t->results[0][0];

		give(t, s, 1);
		run(t);
		if (result->outcome != r->outcome || result->kind != r->kind || !strstr(result->text, r->text))
			fail_msg("%s: %d, %s, \"%s\"", r->name, result->outcome, err_kind_name(result->kind), result->text);
		if (result->down != r->down || (t->back_off.wait_ms != 0) != (r->turned_away || r->refusing))
			fail_msg("%s: down %d, back off %u", r->name, result->down, t->back_off.wait_ms);
		spool_free(&s);
		trial_end(t);
	}
}

/* Octet after octet of an answer that is never whole: each comes in time. */
static void talk_dripping(struct server_peer *p, void *user)
{
	struct pollfd end = { .fd = p->fd, .events = POLLRDHUP };
	char line[LINE];

	(void)user;
	if (!peer_say(p, "220 host\r\n") || !peer_line(p, line, sizeof line) || !peer_say(p, "250 host\r\n") || !peer_line(p, line, sizeof line))
		return;
	while (peer_say(p, "2") && poll(&end, 1, 10) == 0)
		continue;
}

static void a_server_that_drips(void **state)
{
	struct plan plan = { .capabilities = "" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	t->server.talk = talk_dripping;	/* nobody has come yet */
	t->with.answer_ms = 200;
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[0][0].outcome, SMC_DEFERRED);
	assert_int_equal(t->results[0][0].kind, ERR_NET);
	assert_non_null(strstr(t->results[0][0].text, "only parts"));
	assert_true(t->results[0][0].down);
	spool_free(&s);
	trial_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_message),
		cmocka_unit_test(each_recipient_for_itself),
		cmocka_unit_test(a_reply_too_many_at_the_start),
		cmocka_unit_test(failures),
		cmocka_unit_test(a_server_that_drips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
