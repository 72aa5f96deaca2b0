/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/client_story.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const struct story_row barely = { "barely", .peer = SPAN(BARE) }, pipes = { "pipes", .peer = SPAN(PIPES) };
static const struct story_row lockstep = { "lockstep", LOCKSTEP, .peer = SPAN(PIPES) };

static void begin(struct story *t, const struct story_row *row, const char *mails)
{
	static struct story_row asking;

	asking = *row;
	asking.mails = mails;
	story_start(t, &asking);
	story_play(t, asking.peer, 0);
}

static void told(const struct story *t, const char *want)
{
	if (!span_equal(buf_span(&t->told), span_of(want)))
		fail_msg("\"%.*s\" is not \"%s\" (%s)", (int)t->told.len, t->told.at, want, smc_error(t->s)->text);
}

/* A line as long as may be, and one octet more; split anywhere. */
static void the_longest_line(void **state)
{
	static const size_t parts[] = { 1, 7, SMC_LINE_MAX - 1, SMC_LINE_MAX, SMC_LINE_MAX + 1, SMC_LINE_MAX + 100 };
	char line[SMC_LINE_MAX + 3];

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = SMC_LINE_MAX + over;

		memset(line, 'x', sizeof line);
		memcpy(line, "550 ", 4);
		memcpy(line + len, "\r\n", 2);
		for (size_t i = 0; i < COUNT(parts); i++) {
			struct story t;

			begin(&t, &barely, "a@b>c@d");
			t.told.len = 0;
			for (size_t at = 0, n; at < len + 2; at += n) {
				n = len + 2 - at < parts[i] ? len + 2 - at : parts[i];
				story_feed(&t, line + at, n);
			}
			if (over)
				told(&t, "0.0 deferred peer;done 0 broken;failed peer;");
			else
				assert_true(span_starts(buf_span(&t.told), SPAN("0.0 refused peer MAIL 550 [xxxx")) && t.told.len < SMC_TEXT_MAX + 100);
			story_end(&t);
		}
	}
}

static void a_line_of_megabytes(void **state)
{
	enum { SIZE = 4 << 20, PIECE = 65536 };
	char *line = malloc(SIZE);
	struct story t;

	(void)state;
	memset(line, '2', SIZE);
	begin(&t, &barely, "a@b>c@d");
	for (size_t at = 0; at < SIZE; at += PIECE)
		story_feed(&t, line + at, PIECE);
	told(&t, "ready;0.0 deferred peer;done 0 broken;failed peer;");
	assert_non_null(strstr(smc_error(t.s)->text, "12288"));
	story_end(&t);
	free(line);
}

/* As much as a greedy server may say in one reply: it is read and forgotten, but for what we look for. */
static void a_huge_ehlo(void **state)
{
	enum { LINES = 255, OCTETS = SMC_LINE_MAX - 100 };
	static const struct story_row row = { "huge", .peer = SPAN(HI), .mails = "a@b>c@d" };
	char *line = malloc(OCTETS + 3);
	struct story t;

	(void)state;
	memset(line, 'X', OCTETS);
	memcpy(line, "250-", 4);
	memcpy(line + OCTETS, "\r\n", 3);
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	for (int i = 0; i < LINES; i++)
		story_feed(&t, line, OCTETS + 2);
	story_feed(&t, "250 PIPELINING\r\n", 16);
	story_give(&t);
	story_hear(&t, SPAN(OK OK GO OK), 0);
	assert_int_equal(smc_capabilities(t.s) & SMC_CAPA_PIPELINING, SMC_CAPA_PIPELINING);
	told(&t, "ready;body;0.0 accepted the message 250 [ok];done 0;");
	story_end(&t);
	free(line);
}

static void a_reply_without_end(void **state)
{
	struct story t;

	(void)state;
	begin(&t, &barely, "a@b>c@d");
	for (int i = 0; i < 300; i++)
		story_feed(&t, "550-x\r\n", 7);
	told(&t, "ready;0.0 deferred peer;done 0 broken;failed peer;");
	story_end(&t);
}

static void failure_comes_once(void **state)
{
	static const struct err why = { ERR_NET, "gone" };
	struct story t;

	(void)state;
	begin(&t, &barely, NULL);
	story_feed(&t, "what\r\n421 x\r\n", 13);
	story_feed(&t, OK, strlen(OK));
	smc_eof(t.s);
	smc_abort(t.s, &why);
	smc_body_sent(t.s);
	smc_secured(t.s);
	story_drain(&t);
	told(&t, "ready;failed peer;");
	assert_false(smc_can_send(t.s) || smc_idle(t.s));
	assert_int_equal(smc_unread(t.s), 0);
	assert_int_equal(smc_timeout_ms(t.s), 0);
	story_end(&t);
}

/* RFC 5321 section 4.5.3.2, as a conversation meets them. */
static void time_outs(void **state)
{
	static const struct story_row row = { "held", HOLD_BODY, .peer = SPAN("") };
	static const struct { const char *peer; uint32_t want; } steps[] = {
		{ "", 5 * MINUTE }, { HI, 5 * MINUTE }, { "250 h\r\n", 5 * MINUTE }, { OK, 5 * MINUTE }, { OK, 2 * MINUTE }, { GO, 3 * MINUTE },
		{ NULL, 10 * MINUTE }, { OK, 0 },
	};
	struct story_row held = row;
	struct story t;

	(void)state;
	held.mails = "a@b>c@d";
	story_start(&t, &held);
	for (size_t i = 0; i < COUNT(steps); i++) {
		if (steps[i].peer)
			story_hear(&t, span_of(steps[i].peer), 0);
		else
			story_settle(&t);
		assert_int_equal(smc_timeout_ms(t.s), steps[i].want);
	}
	smc_quit(t.s);
	assert_int_equal(smc_timeout_ms(t.s), 10 * SECOND);
	assert_false(smc_can_send(t.s));
	story_end(&t);
}

/* What tells a caller to come again without pipelining. */
static void broken_pipelining(void **state)
{
	static const struct row {
		const char *name;
		const struct story_row *session;
		const char *peer;
		bool eof, broken;
	} rows[] = {
		{ "noise with more out",    &pipes,    "x\r\n",         false, true },
		{ "noise in lock-step",     &lockstep, "x\r\n",         false, false },
		{ "noise, nothing offered", &barely,   "x\r\n",         false, false },
		{ "the second swallowed",   &pipes,    OK,              false, true },
		{ "swallowed, then gone",   &pipes,    OK,              true,  true },
		{ "the second answered",    &pipes,    OK OK,           false, false },
		{ "gone after answers",     &pipes,    OK OK,           true,  false },
		{ "all is well",            &pipes,    OK OK GO OK,     false, false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct story t;

		begin(&t, r->session, "a@b>c@d");
		assert_int_equal(smc_pipelined(t.s), r->session == &pipes);
		story_hear(&t, span_of(r->peer), 0);
		if (r->eof)
			smc_eof(t.s);
		story_drain(&t);
		if (smc_pipelining_broken(t.s) != r->broken)
			fail_msg("%s: %d", r->name, !r->broken);
		story_end(&t);
	}
}

/* Was this mail's connection too old, or does the server answer? */
static void answered(void **state)
{
	struct story t;

	(void)state;
	begin(&t, &barely, "a@b>c@d|a@b>e@d");
	assert_int_equal(smc_answered(t.s), 0);
	story_feed(&t, OK, strlen(OK));
	assert_int_equal(smc_answered(t.s), 1);
	story_hear(&t, SPAN(OK GO OK), 0);
	assert_int_equal(smc_answered(t.s), 1);
	smc_eof(t.s);
	story_drain(&t);
	assert_int_equal(smc_answered(t.s), 1);
	told(&t, "ready;body;0.0 accepted the message 250 [ok];done 0;1.0 deferred net;done 1;failed net;");
	story_end(&t);
}

/* What the header promises of a session that was only started. */
static void at_the_start(void **state)
{
	static const struct story_row row = { "start", .mails = NULL };
	struct smc_event ev;
	struct story t;

	(void)state;
	story_start(&t, &row);
	assert_int_equal(smc_next(t.s, &ev), SMC_NOTHING);
	assert_int_equal(ev.what, SMC_NOTHING);
	assert_int_equal(smc_out(t.s).len, 0);
	assert_false(smc_can_send(t.s) || smc_idle(t.s) || smc_ready(t.s) || smc_greeted(t.s));
	assert_false(smc_pipelined(t.s) || smc_pipelining_broken(t.s) || smc_tls_refused(t.s));
	assert_true(smc_size() < 50000);
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(a_line_of_megabytes),
		cmocka_unit_test(a_huge_ehlo),
		cmocka_unit_test(a_reply_without_end),
		cmocka_unit_test(failure_comes_once),
		cmocka_unit_test(time_outs),
		cmocka_unit_test(broken_pipelining),
		cmocka_unit_test(answered),
		cmocka_unit_test(at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
