/* SPDX-License-Identifier: Apache-2.0
 *
 * For client_pair_test.c: a small strict server that knows what it took, for whom, and what it refused.  A seed
 * decides what it offers and refuses, when it goes away, and which reply it says twice. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "smtp/body.h"
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

static inline uint32_t dice(struct server *v, uint32_t n)
{
	v->random = v->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(v->random >> 33) % n;
}

static inline bool chance(struct server *v, uint32_t permille)
{
	return v->faults && dice(v, PERMILLE) < permille;
}

static inline void say(struct server *v, const char *text)
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
static inline bool refuses(struct server *v, const bool who[RECIPIENTS])
{
	bool busy = dice(v, 2);

	if (!chance(v, 200))
		return false;
	for (size_t i = 0; i < RECIPIENTS; i++)
		v->truth.refused[v->number][i] |= who[i] && !busy;
	say(v, busy ? "451-4.3.0 later\r\n451 4.3.0 please\r\n" : "550 5.1.1 never\r\n");
	return true;
}

static inline bool any_recipient(const struct server *v)
{
	for (size_t i = 0; i < RECIPIENTS; i++)
		if (v->rcpt[i])
			return true;
	return false;
}

static inline void reset(struct server *v)
{
	v->mail = false;
	memset(v->rcpt, 0, sizeof v->rcpt);
}

/* The message is whole: one answer, or one for each recipient. */
static inline void on_message(struct server *v)
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

static inline void on_mail(struct server *v, struct span rest)
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

static inline void on_rcpt(struct server *v, struct span rest)
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

static inline void on_data(struct server *v)
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

static inline void on_bdat(struct server *v, struct span rest)
{
	struct span number = { rest.at, span_find(rest, ' ') };

	assert_true(span_number(number, PIPE, &v->chunk) && span_equal(span_from(rest, number.len), SPAN(" LAST")));
	v->in_chunk = true;
	v->chunk_void = !any_recipient(v);
	v->body.len = 0;
}

static inline void on_hello(struct server *v)
{
	say(v, v->pipelining ? "250-d\r\n250-PIPELINING\r\n" : "250-d\r\n");
	say(v, v->chunking ? "250-CHUNKING\r\n250 SIZE 100000\r\n" : "250 SIZE\r\n");
}

static inline void on_command(struct server *v, struct span line)
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
static inline size_t take(struct server *v, struct span in)
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

static inline void serve(struct server *v)
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
