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

#include "smtp/body.h"
#include "smtp/client.h"
#include "wire/dot.h"

enum { MAILS = 12, RECIPIENTS = 4, PIPE = 1 << 22, LINE = 1024, PERMILLE = 1000, TURNS = 400000, WINDOW = 3000 };

static const struct span shapes[] = {
	SPAN("Subject: a\r\n\r\nbody\r\n"), SPAN(".\r\n"), SPAN("."), SPAN(""), SPAN("\r\n.\r\n.\r\nQUIT\r\n"), SPAN("no end"),
	SPAN("..a\r\n\r\n...\r\n.\r\n\r\n"), SPAN("lone\n.\n\r.\r\r\n"),
};
static const char *const addresses[RECIPIENTS] = { "one@d", "two@d", "three@d", "four@d" };

/* What the server took for whom: mail n for recipient r. */
struct truth {
	bool message[MAILS];		/* it came whole and as it is */
	bool taken[MAILS][RECIPIENTS];
	bool refused[MAILS][RECIPIENTS];	/* for good */
};

struct server {
	struct buf in, out, body;
	uint64_t random;
	bool lmtp, pipelining, chunking, gone, quit, faults, cuts;
	unsigned twice, replies;	/* which reply is said twice, from 1; 0: none */
	bool answering;			/* a message, over LMTP */
	bool in_pieces, blurred[MAILS];	/* nobody can tell, where the last of too many answers comes late */
	bool mail, data;
	bool rcpt[RECIPIENTS];
	uint64_t chunk;			/* octets of BDAT that are still to come */
	bool in_chunk, chunk_void;
	struct dot_in dot;
	unsigned number;		/* of the mail, from its sender's name */
	struct truth truth;
};

static uint32_t dice(struct server *v, uint32_t n)
{
	v->random = v->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(v->random >> 33) % n;
}

static bool chance(struct server *v, uint32_t permille)
{
	return v->faults && dice(v, PERMILLE) < permille;
}

static void say(struct server *v, const char *text)
{
	assert_true(buf_add(&v->out, span_of(text)));
	if (++v->replies == v->twice) {
		assert_true(buf_add(&v->out, span_of(text)));
		v->blurred[v->number] = v->in_pieces && v->answering;
	}
	if (v->cuts && dice(v, PERMILLE) < 15)
		v->gone = true;
}

/* For those recipients. */
static bool refuses(struct server *v, const bool who[RECIPIENTS])
{
	bool busy = dice(v, 2);

	if (!chance(v, 200))
		return false;
	for (size_t i = 0; i < RECIPIENTS; i++)
		v->truth.refused[v->number][i] |= who[i] && !busy;
	say(v, busy ? "451-4.3.0 later\r\n451 4.3.0 please\r\n" : "550 5.1.1 never\r\n");
	return true;
}

static bool any_recipient(const struct server *v)
{
	for (size_t i = 0; i < RECIPIENTS; i++)
		if (v->rcpt[i])
			return true;
	return false;
}

static void reset(struct server *v)
{
	v->mail = false;
	memset(v->rcpt, 0, sizeof v->rcpt);
}

/* The message is whole: one answer, or one for each recipient. */
static void on_message(struct server *v)
{
	struct span want = shapes[v->number % COUNT(shapes)], piece;
	struct smtp_body b;
	char memory[256];
	struct buf all;
	bool no = false;

	buf_lend(&all, memory, sizeof memory);
	for (smtp_body_start(&b, true); smtp_body_next(&b, &want, &piece);)
		assert_true(buf_add(&all, piece));
	assert_true(buf_add(&all, smtp_body_end(&b)));
	assert_true(v->mail && any_recipient(v));
	assert_true(span_equal(buf_span(&all), buf_span(&v->body)));
	assert_false(v->truth.message[v->number]);
	v->answering = v->lmtp;
	if (!v->lmtp)
		no = refuses(v, v->rcpt);
	for (size_t i = 0; i < RECIPIENTS && !v->gone; i++) {
		bool one[RECIPIENTS] = { false };

		one[i] = true;
		if (!v->rcpt[i] || (v->lmtp ? refuses(v, one) : no))
			continue;
		v->truth.taken[v->number][i] = true;
		v->truth.message[v->number] = true;
		if (v->lmtp)
			say(v, "250 2.0.0 taken\r\n");
	}
	if (!v->lmtp && !no)
		say(v, "250 2.0.0 taken\r\n");
	v->answering = false;
	reset(v);
	v->body.len = 0;
}

static void on_mail(struct server *v, struct span rest)
{
	uint64_t n;
	struct span name = { rest.at, span_find(rest, '@') };
	static const bool all[RECIPIENTS] = { true, true, true, true };

	assert_true(span_number(name, MAILS - 1, &n));
	v->number = (unsigned)n;
	if (v->mail) {
		say(v, "503 5.5.1 nested MAIL\r\n");
		if (!v->twice)
			fail_msg("a second MAIL inside a transaction");
		return;
	}
	if (refuses(v, all))
		return;
	v->mail = true;
	say(v, "250 2.1.0 ok\r\n");
}

static void on_rcpt(struct server *v, struct span rest)
{
	bool one[RECIPIENTS];

	if (!v->mail) {
		say(v, "503 5.5.1 MAIL first\r\n");
		return;
	}
	for (size_t i = 0; i < RECIPIENTS; i++)
		one[i] = span_starts(rest, span_of(addresses[i]));
	if (refuses(v, one))
		return;
	for (size_t i = 0; i < RECIPIENTS; i++)
		v->rcpt[i] |= one[i];
	say(v, "250 2.1.5 ok\r\n");
}

static void on_data(struct server *v)
{
	if (!any_recipient(v)) {
		say(v, "554 5.5.1 nobody\r\n");
		return;
	}
	if (refuses(v, v->rcpt))
		return;
	v->data = true;
	v->dot = (struct dot_in){ 0 };
	v->body.len = 0;
	say(v, "354 go\r\n");
}

static void on_bdat(struct server *v, struct span rest)
{
	struct span number = { rest.at, span_find(rest, ' ') };

	assert_true(span_number(number, PIPE, &v->chunk) && span_equal(span_from(rest, number.len), SPAN(" LAST")));
	v->in_chunk = true;
	v->chunk_void = !any_recipient(v);
	v->body.len = 0;
}

static void on_hello(struct server *v)
{
	say(v, v->pipelining ? "250-d\r\n250-PIPELINING\r\n" : "250-d\r\n");
	say(v, v->chunking ? "250-CHUNKING\r\n250 SIZE 100000\r\n" : "250 SIZE\r\n");
}

static void on_command(struct server *v, struct span line)
{
	if (span_equal(line, v->lmtp ? SPAN("LHLO me") : SPAN("EHLO me"))) {
		on_hello(v);
	} else if (span_starts(line, SPAN("MAIL FROM:<"))) {
		on_mail(v, span_from(line, 11));
	} else if (span_starts(line, SPAN("RCPT TO:<"))) {
		on_rcpt(v, span_from(line, 9));
	} else if (span_equal(line, SPAN("DATA"))) {
		on_data(v);
	} else if (span_starts(line, SPAN("BDAT "))) {
		on_bdat(v, span_from(line, 5));
	} else if (span_equal(line, SPAN("RSET"))) {
		reset(v);
		say(v, "250 2.0.0 ok\r\n");
	} else if (span_equal(line, SPAN("QUIT"))) {
		v->quit = true;
		say(v, "221 2.0.0 bye\r\n");
	} else {
		fail_msg("the client says \"%.*s\"", (int)line.len, line.at);
	}
}

/* Takes what it can of `in`; returns how much that was. */
static size_t take(struct server *v, struct span in)
{
	struct span rest = in, piece;
	size_t n = span_find(in, '\n');

	if (v->in_chunk) {
		n = v->chunk < in.len ? (size_t)v->chunk : in.len;
		assert_true(buf_add(&v->body, (struct span){ in.at, n }));
		v->chunk -= n;
		v->in_chunk = v->chunk;
		if (v->in_chunk)
			return n;
		if (!v->chunk_void)
			on_message(v);
		else
			say(v, "503 5.5.1 nobody\r\n");
		return n;
	}
	if (v->data) {
		enum dot_got got = dot_next(&v->dot, &rest, &piece);

		if (got == DOT_BODY)
			assert_true(buf_add(&v->body, piece));
		if (got == DOT_END) {
			v->data = false;
			on_message(v);
		}
		return in.len - rest.len;
	}
	if (n == in.len)
		return 0;
	assert_true(n && n < LINE && in.at[n - 1] == '\r');
	on_command(v, (struct span){ in.at, n - 1 });
	return n + 1;
}

static void serve(struct server *v)
{
	size_t n;

	while (!v->gone && !v->quit && (v->in.len || (v->in_chunk && !v->chunk))) {	/* BDAT 0 wants no octet */
		bool began = v->in_chunk;

		n = take(v, buf_span(&v->in));
		buf_drop(&v->in, n);
		if (!n && began == v->in_chunk)
			break;
	}
}

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
