/* SPDX-License-Identifier: Apache-2.0
 *
 * Our client against a small strict server, in one process, over a line that takes
 * a few octets at a time: what arrives is what was sent, for whom it was sent, and
 * the client's results are what the server did.  A seed decides what the server
 * offers and refuses, and when it goes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/client.h"
#include "smtp/client_pair_server.h"

/* ---- the client's side */

struct pair {
	struct server v;
	struct smc *s;
	struct smc_login login;
	struct buf up;			/* on its way to the server */
	struct buf end;			/* of the message that is going out */
	const struct smc_mail *going;
	char senders[MAILS][16];
	struct smc_mail mails[MAILS];
	size_t given, done;
	enum smc_outcome outcome[MAILS][RECIPIENTS];
	bool told[MAILS][RECIPIENTS], ending, bye, failed;
	unsigned doubts, accepted;
};

static void check_result(struct pair *p, const struct smc_event *ev)
{
	size_t n = (size_t)(ev->mail - p->mails);

	assert_false(p->told[n][ev->recipient]);
	p->told[n][ev->recipient] = true;
	p->outcome[n][ev->recipient] = ev->outcome;
	p->accepted += ev->outcome == SMC_ACCEPTED;
	p->doubts += ev->outcome == SMC_DOUBT;
}

/* What was told holds, unless it is said that it may not. */
static void check_done(struct pair *p, const struct smc_event *ev)
{
	const struct truth *truth = &p->v.truth;
	size_t n = (size_t)(ev->mail - p->mails);

	p->done++;
	if (ev->mail == p->going)
		p->ending = false;
	assert_true(!ev->broken || p->v.twice);
	for (size_t r = 0; r < ev->mail->recipient_count; r++) {
		enum smc_outcome outcome = p->outcome[n][r];

		if ((ev->broken && (p->v.lmtp || outcome == SMC_REFUSED)) || p->v.blurred[n])
			continue;
		if (outcome == SMC_DOUBT)
			assert_true(p->v.gone || p->v.twice);
		else if (truth->taken[n][r] != (outcome == SMC_ACCEPTED))
			fail_msg("mail %zu for %zu: taken %d, but told as %d", n, r, truth->taken[n][r], outcome);
		if (outcome == SMC_REFUSED && !truth->refused[n][r] && (p->v.pipelining || !p->v.twice))
			fail_msg("mail %zu for %zu was not refused", n, r);
	}
}

static void send_out(struct pair *p)
{
	struct span out = smc_out(p->s);

	assert_true(buf_add(&p->up, out));
	smc_sent(p->s, out.len);
}

static void send_body(struct pair *p, const struct smc_event *ev)
{
	struct span in = shapes[(size_t)(ev->mail - p->mails) % COUNT(shapes)], piece;
	struct smtp_body b;

	send_out(p);
	for (smtp_body_start(&b, ev->chunked); smtp_body_next(&b, &in, &piece);)
		assert_true(buf_add(&p->up, piece));
	assert_true(buf_add(&p->end, smtp_body_end(&b)));
	p->going = ev->mail;
	p->ending = true;
}

/* Nothing is left to be heard. */
static void end_body(struct pair *p)
{
	if (!p->ending)
		return;
	assert_true(buf_add(&p->up, buf_span(&p->end)));
	p->end.len = 0;
	p->ending = false;
	smc_body_sent(p->s);
}

static void on_event(struct pair *p, const struct smc_event *ev)
{
	switch (ev->what) {
	case SMC_BODY:
		send_body(p, ev);
		return;
	case SMC_RESULT:
		check_result(p, ev);
		return;
	case SMC_DONE:
		check_done(p, ev);
		return;
	case SMC_BYE:
		p->bye = true;
		return;
	case SMC_FAILED:
		assert_true(p->v.gone || p->v.twice);
		p->failed = true;
		return;
	case SMC_READY:
		return;
	case SMC_NOTHING: case SMC_TLS: case SMC_SASL:
		fail_msg("the client says %d", ev->what);
	}
}

static void hear(struct pair *p, size_t step)
{
	size_t n = step < p->v.out.len ? step : p->v.out.len;
	struct smc_event ev;

	smc_feed(p->s, (struct span){ p->v.out.at, n });
	if (p->v.gone && n == p->v.out.len)
		smc_eof(p->s);
	while (smc_next(p->s, &ev)) {
		on_event(p, &ev);
		if (p->given < MAILS && smc_can_send(p->s))
			smc_send(p->s, &p->mails[p->given++]);
		else if (p->given == MAILS && smc_idle(p->s))
			smc_quit(p->s);
	}
	end_body(p);
	while (p->given < MAILS && smc_can_send(p->s))
		smc_send(p->s, &p->mails[p->given++]);
	send_out(p);
	buf_drop(&p->v.out, n);
}

static void start(struct pair *p, uint64_t seed, size_t *step)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, 1000, PIPE };

	*p = (struct pair){ .s = malloc(smc_size()), .v = { .random = seed } };
	*step = steps[dice(&p->v, COUNT(steps))];
	p->v.lmtp = dice(&p->v, 2);
	p->v.pipelining = dice(&p->v, 2);
	p->v.chunking = dice(&p->v, 2);
	p->v.faults = dice(&p->v, 4);
	p->v.cuts = p->v.faults && dice(&p->v, 2);
	buf_start(&p->up, PIPE);
	buf_start(&p->end, PIPE);
	buf_start(&p->v.in, PIPE);
	buf_start(&p->v.out, PIPE);
	buf_start(&p->v.body, PIPE);
	for (size_t n = 0; n < MAILS; n++) {
		struct smtp_look look = { 0 };

		smtp_look(&look, shapes[n % COUNT(shapes)]);
		smtp_look_end(&look);
		(void)snprintf(p->senders[n], sizeof p->senders[n], "%zu@s", n);
		p->mails[n] = (struct smc_mail){ .sender = p->senders[n], .recipients = addresses,
			.recipient_count = 1 + dice(&p->v, RECIPIENTS), .octets = look.octets };
	}
	p->login = (struct smc_login){ .name = "me", .lmtp = p->v.lmtp, .secure = true };
	smc_start(p->s, &p->login);
	say(&p->v, "220 hi\r\n");
}

static void end(struct pair *p)
{
	smc_end(p->s);
	free(p->s);
	buf_end(&p->up);
	buf_end(&p->end);
	buf_end(&p->v.in);
	buf_end(&p->v.out);
	buf_end(&p->v.body);
}

/* Until it is over. */
static void run(struct pair *p, uint64_t seed, size_t step)
{
	unsigned turns = 0;
	size_t n;

	for (; !p->bye && !p->failed && turns < TURNS; turns++) {
		hear(p, step);
		n = step < p->up.len ? step : p->up.len;
		assert_true(buf_add(&p->v.in, (struct span){ p->up.at, n }));
		buf_drop(&p->up, n);
		serve(&p->v);
	}
	if (turns == TURNS)
		fail_msg("seed %llu hangs", (unsigned long long)seed);
}

static void every_result_is_the_truth(void **state)
{
	unsigned doubts = 0, accepted = 0, failed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct pair p;
		size_t step;

		start(&p, seed, &step);
		run(&p, seed, step);
		assert_int_equal(p.done, p.given);
		assert_true(p.failed || (p.done == MAILS && !p.doubts));
		for (size_t m = 0; m < p.given; m++)
			for (size_t r = 0; r < p.mails[m].recipient_count; r++)
				assert_true(p.told[m][r]);
		doubts += p.doubts;
		accepted += p.accepted;
		failed += p.failed;
		end(&p);
	}
	assert_true(doubts > 30 && accepted > 10000 && failed > 100);	/* it was about something */
}

/* One reply of all comes twice: the client may give up, but believes nothing that is not so. */
static void a_reply_that_comes_twice(void **state)
{
	unsigned failed = 0, accepted = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 6000; seed++) {
		struct pair p;
		size_t step;

		start(&p, seed, &step);
		p.v.in_pieces = step < 1000;
		p.login.no_chunking = true;
		p.v.cuts = false;
		p.v.twice = 1 + dice(&p.v, 40);
		run(&p, seed, step);
		assert_int_equal(p.done, p.given);
		failed += p.failed;
		accepted += p.accepted;
		end(&p);
	}
	assert_true(failed > 4000 && accepted > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_result_is_the_truth),
		cmocka_unit_test(a_reply_that_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
