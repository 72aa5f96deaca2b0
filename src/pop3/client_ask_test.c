/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client_story.h"

#define UIDL_1(line) "+OK\r\n" line "\r\n.\r\n"
#define ID_300 \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static const struct story_row rows[] = {
	/* ---- STAT */
	{ "stat", .peer = SPAN(PLAINLY "+OK 2 320\r\n"), .ask = "s", .want = "ready;stat 2 320;" },
	{ "stat with words", .peer = SPAN(PLAINLY "+OK 2  320 octets in box\r\n"), .ask = "s", .want = "ready;stat 2 320;" },
	{ "stat without size", .peer = SPAN(PLAINLY "+OK 2\r\n"), .ask = "s", .want = "ready;stat 2 0;" },
	{ "stat refused", .peer = SPAN(PLAINLY "-ERR no\r\n"), .ask = "s", .want = "ready;refused STAT 0 peer [-ERR no];" },
	{ "stat without count", .peer = SPAN(PLAINLY "+OK\r\n"), .ask = "s", .want = "ready;failed peer;", .why = "RFC 1939 section 5" },
	{ "stat negative", .peer = SPAN(PLAINLY "+OK -2 1\r\n"), .ask = "s", .want = "ready;failed peer;" },
	{ "stat most", .peer = SPAN(PLAINLY "+OK 16777216 1\r\n"), .ask = "s", .want = "ready;stat 16777216 1;" },
	{ "stat more than that", .peer = SPAN(PLAINLY "+OK 16777217 1\r\n"), .ask = "s", .want = "ready;failed peer;" },
	{ "stat wraps 32 bits", .peer = SPAN(PLAINLY "+OK 4294967298 1\r\n"), .ask = "s", .want = "ready;failed peer;" },
	{ "stat of many digits", .peer = SPAN(PLAINLY "+OK 999999999999999999999999 1\r\n"), .ask = "s", .want = "ready;failed peer;" },

	/* ---- UIDL */
	{ "uidl", .peer = SPAN(PLAINLY "+OK\r\n1 a\r\n2 b\r\n.\r\n"), .ask = "u", .want = "ready;uid 1 [a];uid 2 [b];listed UIDL;" },
	{ "uidl of nothing", .peer = SPAN(PLAINLY "+OK\r\n.\r\n"), .ask = "u", .want = "ready;listed UIDL;" },
	{ "uidl by LF", .peer = SPAN(PLAINLY "+OK\n1 a\n.\n"), .ask = "u", .want = "ready;uid 1 [a];listed UIDL;" },
	{ "uidl unknown", .peer = SPAN(PLAINLY "-ERR what?\r\n"), .ask = "u", .want = "ready;refused UIDL 0 peer [-ERR what?];" },
	{ "uidl busy", .peer = SPAN(PLAINLY "-ERR [SYS/TEMP] later\r\n"), .ask = "u",
	  .want = "ready;refused UIDL 0 busy [-ERR [SYS/TEMP] later];" },
	{ "several spaces", .peer = SPAN(PLAINLY UIDL_1("1     abc  ")), .ask = "u", .want = "ready;uid 1 [abc];listed UIDL;" },
	{ "spaces inside", .peer = SPAN(PLAINLY UIDL_1("1 a b  c")), .ask = "u", .want = "ready;uid 1 [a b  c];listed UIDL;" },
	{ "a blank id", .peer = SPAN(PLAINLY UIDL_1("1 ")), .ask = "u", .want = "ready;uid 1 [];listed UIDL;" },
	{ "no id", .peer = SPAN(PLAINLY UIDL_1("1")), .ask = "u", .want = "ready;uid 1 [];listed UIDL;" },
	{ "a slash, eight bits", .peer = SPAN(PLAINLY UIDL_1("1 ../\xe9")), .ask = "u", .want = "ready;uid 1 [../\xe9];listed UIDL;" },
	{ "300 octets", .peer = SPAN(PLAINLY UIDL_1("1 " ID_300)), .ask = "u", .want = "ready;uid 1 [" ID_300 "];listed UIDL;" },
	{ "doubled ids", .peer = SPAN(PLAINLY "+OK\r\n1 a\r\n2 a\r\n.\r\n"), .ask = "u",
	  .want = "ready;uid 1 [a];uid 2 [a];listed UIDL;" },
	{ "doubled numbers", .peer = SPAN(PLAINLY "+OK\r\n1 a\r\n1 b\r\n.\r\n"), .ask = "u",
	  .want = "ready;uid 1 [a];uid 1 [b];listed UIDL;" },
	{ "a stuffed line", .peer = SPAN(PLAINLY UIDL_1("..1 a")), .ask = "u", .want = "ready;failed peer;" },
	{ "message zero", .peer = SPAN(PLAINLY UIDL_1("0 a")), .ask = "u", .want = "ready;failed peer;", .why = "line of UIDL" },
	{ "no number", .peer = SPAN(PLAINLY UIDL_1("a 1")), .ask = "u", .want = "ready;failed peer;" },
	{ "a number over 32 bits", .peer = SPAN(PLAINLY UIDL_1("4294967297 a")), .ask = "u", .want = "ready;failed peer;" },
	{ "an empty line", .peer = SPAN(PLAINLY UIDL_1("")), .ask = "u", .want = "ready;failed peer;" },
	{ "cut inside", .how = EOF_AT_END, .peer = SPAN(PLAINLY "+OK\r\n1 a\r\n2 "), .ask = "u",
	  .want = "ready;uid 1 [a];failed net;", .why = "inside the answer to UIDL" },

	/* ---- LIST */
	{ "list", .peer = SPAN(PLAINLY "+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n"), .ask = "l",
	  .want = "ready;size 1 120;size 2 200;listed LIST;" },
	{ "odd sizes are hints", .peer = SPAN(PLAINLY "+OK\r\n1\r\n2 -5\r\n3 1k\r\n 4\t7 x\r\n5 99999999999999999999\r\n.\r\n"),
	  .ask = "l", .want = "ready;size 1 0;size 2 0;size 3 0;size 4 7;size 5 0;listed LIST;" },
	{ "a list without numbers", .peer = SPAN(PLAINLY UIDL_1("no messages")), .ask = "l", .want = "ready;failed peer;",
	  .why = "line of LIST" },

	/* ---- RETR and TOP */
	{ "a message", .peer = SPAN(PLAINLY "+OK 9\r\nA: b\r\n\r\nc\r\n.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:A: b\r\n\r\nc\r\nend 1;", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nRETR 1\r\n" },
	{ "an empty message", .peer = SPAN(PLAINLY "+OK\r\n.\r\n"), .ask = "r1", .want = "ready;begin 1:end 1;" },
	{ "a dot at the beginning", .peer = SPAN(PLAINLY "+OK\r\n..\r\n...a\r\n.b\r\n.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:.\r\n..a\r\n.b\r\nend 1;" },
	{ "replies inside a message", .peer = SPAN(PLAINLY "+OK\r\n-ERR\r\n+OK\r\n\r\n.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:-ERR\r\n+OK\r\n\r\nend 1;" },
	{ "lone CR and LF", .peer = SPAN(PLAINLY "+OK\r\na\rb\n.\nc\n.\r\n\r\r\n.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:a\rb\n.\nc\n.\r\n\r\r\nend 1;" },
	{ "the dot glued to the text", .how = EOF_AT_END, .peer = SPAN(PLAINLY "+OK\r\nlast words.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:last words.\r\nfailed net;", .why = "inside the answer to RETR 1" },
	{ "cut before the final dot", .how = EOF_AT_END, .peer = SPAN(PLAINLY "+OK\r\nA: b\r\n.\r"), .ask = "r1",
	  .want = "ready;begin 1:A: b\r\nfailed net;" },
	{ "cut before the answer", .how = EOF_AT_END, .peer = SPAN(PLAINLY), .ask = "r7", .want = "ready;failed net;",
	  .why = "before it answered RETR 7" },
	{ "one refused among many", .ask = "r1r2r3", .peer = SPAN(PIPELINED "+OK\r\na\r\n.\r\n-ERR gone\r\n+OK\r\nc\r\n.\r\n"),
	  .want = "ready;begin 1:a\r\nend 1;refused RETR 2 peer [-ERR gone];begin 3:c\r\nend 3;" },
	{ "one refused for now", .ask = "r1r2", .peer = SPAN(PLAINLY "-ERR [IN-USE] later\r\n+OK\r\nb\r\n.\r\n"),
	  .want = "ready;refused RETR 1 busy [-ERR [IN-USE] later];begin 2:b\r\nend 2;" },
	{ "all refused", .ask = "r1r2r3", .peer = SPAN(PIPELINED ERR ERR ERR),
	  .want = "ready;refused RETR 1 peer [-ERR];refused RETR 2 peer [-ERR];refused RETR 3 peer [-ERR];" },
	{ "top", .peer = SPAN(PLAINLY "+OK\r\nA: b\r\n\r\n.\r\n"), .ask = "t4", .want = "ready;begin 4:A: b\r\n\r\nend 4;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nTOP 4 0\r\n" },
	{ "FTGate: two +OK to TOP, the second becomes text", .peer = SPAN(PLAINLY OK OK "A: b\r\n.\r\n"), .ask = "t4",
	  .want = "ready;begin 4:+OK\r\nA: b\r\nend 4;" },
	{ "top unknown", .peer = SPAN(PLAINLY "-ERR what?\r\n"), .ask = "t4", .want = "ready;refused TOP 4 peer [-ERR what?];" },

	/* ---- framing in doubt: nothing is resynchronised */
	{ "no stuffing: the rest comes as replies", .peer = SPAN(PLAINLY "+OK\r\na\r\n.\r\nb\r\n.\r\n"), .ask = "r1",
	  .want = "ready;begin 1:a\r\nfailed peer;", .other = "ready;begin 1:a\r\nend 1;failed peer;" },
	{ "no stuffing, pipelined", .peer = SPAN(PIPELINED "+OK\r\na\r\n.\r\nb\r\n.\r\n+OK\r\n"), .ask = "r1r2",
	  .want = "ready;begin 1:a\r\nfailed peer;", .other = "ready;begin 1:a\r\nend 1;failed peer;" },
	{ "an empty line behind the dot", .peer = SPAN(PLAINLY "+OK\r\na\r\n.\r\n\r\n"), .ask = "r1",
	  .want = "ready;begin 1:a\r\nfailed peer;", .other = "ready;begin 1:a\r\nend 1;failed peer;" },
	{ "a reply nobody asked for", .peer = SPAN(PLAINLY OK OK), .ask = "d1", .want = "ready;deleted 1;failed peer;",
	  .why = "nobody asked" },
	{ "unasked at once", .peer = SPAN(PLAINLY "+OK there\r\n"), .want = "ready;failed peer;", .why = "\"+OK there\"" },
	{ "the server ends it", .peer = SPAN(PLAINLY "-ERR idle too long\r\n"), .want = "ready;failed peer;", .why = "idle too long" },
	{ "the server ends it for now", .peer = SPAN(PLAINLY "-ERR [SYS/TEMP] going down\r\n"), .want = "ready;failed busy;" },
	{ "neither +OK nor -ERR", .peer = SPAN(PLAINLY "+FOO\r\n"), .ask = "d1", .want = "ready;failed peer;",
	  .why = "RFC 1939 section 3" },
	{ "a minus that is no -ERR", .peer = SPAN(PLAINLY "-NO\r\n"), .ask = "r1", .want = "ready;failed peer;" },
	{ "an unfinished word", .peer = SPAN(PLAINLY "+OKAY\r\n"), .ask = "r1", .want = "ready;failed peer;" },
	{ "a challenge for a RETR", .peer = SPAN(PLAINLY "+ x\r\n"), .ask = "r1", .want = "ready;failed peer;" },
	{ "an empty reply", .peer = SPAN(PLAINLY "\r\n"), .ask = "r1", .want = "ready;failed peer;" },
	{ "NUL in a reply", .peer = SPAN(PLAINLY "+OK\0 no\r\n"), .ask = "d1", .want = "ready;deleted 1;" },
	{ "NUL before a reply", .peer = SPAN(PLAINLY "\0+OK\r\n"), .ask = "d1", .want = "ready;failed peer;", .why = "?+OK" },

	/* ---- DELE and QUIT */
	{ "delete only, lock-step", .peer = SPAN(PLAINLY OK OK OK), .ask = "d1d2q", .want = "ready;deleted 1;deleted 2;bye good;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n" },
	{ "delete only, pipelined", .peer = SPAN(PIPELINED OK "-ERR no 2\r\n" OK "+OK bye\r\n"), .ask = "d1d2d3q",
	  .want = "ready;deleted 1;refused DELE 2 peer [-ERR no 2];deleted 3;bye good;" },
	{ "quit refused", .peer = SPAN(PLAINLY OK "-ERR not all removed\r\n"), .ask = "d1q", .want = "ready;deleted 1;bye;" },
	{ "quit unanswered", .how = EOF_AT_END, .peer = SPAN(PLAINLY OK), .ask = "d1q", .want = "ready;deleted 1;bye;" },
	{ "quit half answered", .how = EOF_AT_END, .peer = SPAN(PLAINLY OK "+OK"), .ask = "d1q", .want = "ready;deleted 1;bye;" },
	{ "gone before quit went out", .how = EOF_AT_END, .peer = SPAN(PLAINLY), .ask = "d1q", .want = "ready;failed net;" },
	{ "what comes after the end", .peer = SPAN(PLAINLY "+OK bye\r\n* BYE\r\n"), .ask = "q", .want = "ready;bye good;" },
	{ "quit answered by noise", .peer = SPAN(PLAINLY "bye\r\n"), .ask = "q", .want = "ready;failed peer;" },
	{ "everything together", .peer = SPAN(PIPELINED "+OK 1 3\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 3\r\n.\r\n+OK\r\na\r\n.\r\n" OK OK),
	  .ask = "sulr1d1q",
	  .want = "ready;stat 1 3;uid 1 [a];listed UIDL;size 1 3;listed LIST;begin 1:a\r\nend 1;deleted 1;bye good;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\nSTAT\r\nUIDL\r\nLIST\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

/* Wherever the server dies, the story ends once, and no message is whole but
 * those whose final dot came. */
static void death_at_every_place(void **state)
{
	static const struct story_row row = {
		"death", .how = EOF_AT_END, .ask = "sulr1r2d1q",
		.peer = SPAN(PIPELINED "+OK 1 3\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 3\r\n.\r\n+OK\r\n..a\r\n.\r\n+OK\r\nb\r\n.\r\n" OK),
	};

	(void)state;
	for (size_t n = 0; n <= row.peer.len; n++) {
		struct story t;
		const char *told, *end;

		story_start(&t, &row);
		story_play(&t, (struct span){ row.peer.at, n }, 0);
		assert_true(buf_terminate(&t.told));
		told = t.told.at;
		end = strstr(told, n == row.peer.len ? "bye;" : "failed net;");
		assert_non_null(end);
		assert_null(strstr(end + 1, "failed"));
		assert_null(strstr(end + 1, "bye"));
		assert_int_equal(n >= row.peer.len - strlen("+OK\r\nb\r\n.\r\n" OK), strstr(told, "end 1;") != NULL);
		assert_int_equal(n >= row.peer.len - strlen(OK), strstr(told, "end 2;") != NULL);
		story_end(&t);
	}
}

/* A thousand messages asked at once are one turn's output, each answered in
 * turn; lock-step has one out and the rest queued. */
static void a_thousand_outstanding(void **state)
{
	static const struct story_row pipelined = { "thousand", .peer = SPAN(PIPELINED) }, lockstep = { "one", .peer = SPAN(PLAINLY) };
	static const struct story_row *const both[] = { &pipelined, &lockstep };

	(void)state;
	for (size_t i = 0; i < COUNT(both); i++) {
		struct story t;
		uint32_t asked = 0;

		story_start(&t, both[i]);
		story_play(&t, both[i]->peer, 0);
		t.sent.len = t.told.len = 0;
		for (; p3c_can_ask(t.s); asked++)
			p3c_retr(t.s, 4294966000u + asked);
		assert_int_equal(asked, P3C_WINDOW);
		story_send(&t);
		assert_int_equal(t.sent.len, strlen("RETR 4294966000\r\n") * (i ? 1 : P3C_WINDOW));
		for (uint32_t n = 0; n < asked; n++) {
			assert_int_equal(p3c_outstanding(t.s), asked - n);
			story_feed(&t, "+OK\r\nx\r\n.\r\n", 11);
		}
		assert_int_equal(t.sent.len, strlen("RETR 4294966000\r\n") * P3C_WINDOW);
		assert_int_equal(p3c_outstanding(t.s), 0);
		assert_true(p3c_can_ask(t.s));
		story_end(&t);
	}
}

/* Even the longest commands, more than the out-buffer holds, all go out. */
static void more_than_the_buffer(void **state)
{
	static const struct story_row row = { "long", .peer = SPAN(PIPELINED) };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	t.sent.len = 0;
	while (p3c_can_ask(t.s))
		p3c_top(t.s, UINT32_MAX, UINT32_MAX);
	assert_true(p3c_out(t.s).len <= P3C_OUT_MAX);
	story_send(&t);
	assert_int_equal(t.sent.len, strlen("TOP 4294967295 4294967295\r\n") * P3C_WINDOW);
	story_end(&t);
}

/* Octets of a message are lent from what was fed, never copied. */
static void bodies_are_borrowed(void **state)
{
	static const struct story_row row = { "borrowed", .peer = SPAN(PLAINLY), .ask = "r1" };
	static const char text[] = "+OK\r\nA: b\r\n\r\nlong text\r\n.\r\n";
	struct p3c_event ev;
	struct story t;
	size_t pieces = 0;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	p3c_feed(t.s, SPAN(text));
	while (p3c_next(t.s, &ev) != P3C_NOTHING) {
		if (ev.what != P3C_BODY)
			continue;
		assert_ptr_equal(ev.text.at, text + 5);
		assert_int_equal(ev.text.len, strlen("A: b\r\n\r\nlong text\r\n"));
		pieces++;
	}
	assert_int_equal(pieces, 1);
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(death_at_every_place),
		cmocka_unit_test(a_thousand_outstanding),
		cmocka_unit_test(more_than_the_buffer),
		cmocka_unit_test(bodies_are_borrowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
