/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client_story.h"

static const struct story_row plainly = { "plainly", .peer = SPAN(PLAINLY) }, pipelined = { "pipelined", .peer = SPAN(PIPELINED) };

static void begin(struct story *t, const struct story_row *row, const char *asks)
{
	static struct story_row asking;

	asking = *row;
	asking.ask = asks;
	story_start(t, &asking);
	story_play(t, asking.peer, 0);
	t->told.len = t->sent.len = 0;
}

static void told(const struct story *t, const char *want)
{
	if (!span_equal(buf_span(&t->told), span_of(want)))
		fail_msg("\"%.*s\" is not \"%s\" (%s)", (int)t->told.len, t->told.at, want, p3c_error(t->s)->text);
}

/* A line as long as may be, and one octet more; split anywhere. */
static void the_longest_line(void **state)
{
	static const size_t parts[] = { 1, 7, 4095, 4096, 4097, 5000 };
	char line[P3C_LINE_MAX + 3];

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = P3C_LINE_MAX + over;

		memset(line, 'x', sizeof line);
		memcpy(line, "+OK ", 4);
		memcpy(line + len, "\r\n", 2);
		for (size_t i = 0; i < COUNT(parts); i++) {
			size_t at = 0;
			struct story t;

			begin(&t, &plainly, "d1");
			while (at < len + 2) {
				size_t n = len + 2 - at < parts[i] ? len + 2 - at : parts[i];

				story_feed(&t, line + at, n);
				at += n;
			}
			told(&t, over ? "failed peer;" : "deleted 1;");
			story_end(&t);
		}
	}
}

static void a_line_of_a_megabyte(void **state)
{
	enum { SIZE = 1 << 20, PIECE = 65536 };
	char *line = malloc(SIZE);

	(void)state;
	memset(line, '+', SIZE);
	for (size_t i = 0; i < 2; i++) {
		struct story t;

		begin(&t, &plainly, "u");
		if (i)
			story_feed(&t, "+OK\r\n", 5);
		for (size_t at = 0; at < SIZE; at += PIECE)
			story_feed(&t, line + at, PIECE);
		told(&t, "failed peer;");
		assert_non_null(strstr(p3c_error(t.s)->text, "4096"));
		story_end(&t);
	}
	free(line);
}

/* A line of a megabyte inside a message is only octets. */
static void a_megabyte_inside_a_message(void **state)
{
	enum { PIECE = 65536, PIECES = 16 };
	char *line = malloc(PIECE);
	struct story t;

	(void)state;
	memset(line, 'x', PIECE);
	begin(&t, &plainly, "r1");
	story_feed(&t, "+OK\r\n", 5);
	for (int i = 0; i < PIECES; i++)
		story_feed(&t, line, PIECE);
	story_feed(&t, "\r\n.\r\n", 5);
	assert_int_equal(t.told.len, strlen("begin 1:") + (size_t)PIECE * PIECES + strlen("\r\nend 1;"));
	story_end(&t);
	free(line);
}

static void failure_comes_once(void **state)
{
	struct story t;

	(void)state;
	begin(&t, &plainly, "d1");
	story_feed(&t, "what\r\n+OK\r\n", 11);
	story_feed(&t, "+OK\r\n", 5);
	p3c_eof(t.s);
	story_drain(&t);
	told(&t, "failed peer;");
	assert_false(p3c_can_ask(t.s));
	assert_int_equal(p3c_unread(t.s), 0);
	story_end(&t);
}

/* What tells a caller to come again without pipelining. */
static void broken_pipelining(void **state)
{
	static const struct row {
		const char *name;
		const struct story_row *session;
		const char *asks, *peer, *told;
		bool eof, broken;
	} rows[] = {
		{ "noise with more out",        &pipelined, "d1d2", "x\r\n",                   "failed peer;",           false, true },
		{ "noise after many answers",   &pipelined, "d1d2", "+OK\r\n+OK\r\nx\r\n",     "deleted 1;deleted 2;failed peer;", false, true },
		{ "noise in lock-step",         &plainly,   "d1d2", "x\r\n",                   "failed peer;",           false, false },
		{ "the second swallowed",       &pipelined, "d1d2", "+OK\r\n",                 "deleted 1;",             false, true },
		{ "the second answered",        &pipelined, "d1d2d3", "+OK\r\n+OK\r\n",        "deleted 1;deleted 2;",   false, false },
		{ "the second swallowed, gone", &pipelined, "d1d2", "+OK\r\n",                 "deleted 1;failed net;",  true,  true },
		{ "gone after many answers",    &pipelined, "d1d2d3", "+OK\r\n+OK\r\n",        "deleted 1;deleted 2;failed net;", true, false },
		{ "gone in lock-step",          &plainly,   "d1d2", "+OK\r\n",                 "deleted 1;failed net;",  true,  false },
		{ "answers in another order",   &pipelined, "sr1",  "+OK\r\nA: b\r\n.\r\n",    "failed peer;",           false, true },
		{ "no listing",                 &pipelined, "ud1",  "+OK\r\n+OK\r\n",          "failed peer;",           false, true },
		{ "all is well",                &pipelined, "d1d2", "+OK\r\n+OK\r\n",          "deleted 1;deleted 2;",   false, false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct story t;

		begin(&t, r->session, r->asks);
		assert_int_equal(p3c_pipelined(t.s), r->session == &pipelined);
		story_feed(&t, r->peer, strlen(r->peer));
		if (r->eof) {
			p3c_eof(t.s);
			story_drain(&t);
		}
		told(&t, r->told);
		if (p3c_pipelining_broken(t.s) != r->broken)
			fail_msg("%s: %d", r->name, !r->broken);
		story_end(&t);
	}
}

/* PASS, out with USER, is not answered. */
static void broken_in_the_login(void **state)
{
	static const struct story_row row = { "half", .peer = SPAN(HI PIPES OK) };
	struct story t;

	(void)state;
	begin(&t, &row, NULL);
	assert_true(p3c_pipelining_broken(t.s));
	story_end(&t);
}

/* CAPA is answered, and what went with it is not. */
static void broken_behind_the_login(void **state)
{
	static const struct story_row ahead = { "ahead", .how = AHEAD, .peer = SPAN(PIPELINED), .ask = "su" };
	static const struct story_row answered = { "answered", .how = AHEAD, .peer = SPAN(PIPELINED "+OK 0 0\r\n"), .ask = "su" };
	struct story t;

	(void)state;
	begin(&t, &ahead, "su");
	assert_true(p3c_pipelining_broken(t.s));
	assert_int_equal(p3c_outstanding(t.s), 2);
	story_end(&t);
	begin(&t, &answered, "su");
	assert_false(p3c_pipelining_broken(t.s));
	story_end(&t);
}

/* What the header promises of a session that was only started. */
static void at_the_start(void **state)
{
	static const struct story_row row = { "start", .ask = NULL };
	struct p3c_event ev;
	struct story t;

	(void)state;
	story_start(&t, &row);
	assert_int_equal(p3c_next(t.s, &ev), P3C_NOTHING);
	assert_int_equal(ev.what, P3C_NOTHING);
	assert_int_equal(p3c_out(t.s).len, 0);
	assert_int_equal(p3c_outstanding(t.s), 1);
	assert_false(p3c_can_ask(t.s));
	assert_false(p3c_pipelined(t.s) || p3c_pipelining_broken(t.s) || p3c_tls_refused(t.s));
	assert_true(p3c_size() < 72000);	/* of which most is for one long token, and untouched */
	story_end(&t);
}

/* Output taken in odd pieces is the same output. */
static void output_in_pieces(void **state)
{
	struct span want = SPAN("STAT\r\nUIDL\r\nRETR 10\r\n");
	struct story t;

	(void)state;
	for (size_t n = 1; n <= want.len; n++) {
		size_t at = 0;

		begin(&t, &pipelined, NULL);
		p3c_stat(t.s);
		p3c_uidl(t.s);
		p3c_retr(t.s, 10);
		while (at < want.len) {
			struct span out = p3c_out(t.s);

			assert_int_equal(out.len, want.len - at);
			assert_memory_equal(out.at, want.at + at, out.len);
			out.len = out.len < n ? out.len : n;
			p3c_sent(t.s, out.len);
			at += out.len;
		}
		story_end(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(a_line_of_a_megabyte),
		cmocka_unit_test(a_megabyte_inside_a_message),
		cmocka_unit_test(failure_comes_once),
		cmocka_unit_test(broken_pipelining),
		cmocka_unit_test(broken_in_the_login),
		cmocka_unit_test(broken_behind_the_login),
		cmocka_unit_test(at_the_start),
		cmocka_unit_test(output_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
