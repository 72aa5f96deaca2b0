/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

/* In a mailbox of three messages; the caller's next tag is P3. */
#define IN_BOX CAPA("") IN("IDLE") "* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 5] x\r\nP2 OK\r\n" STEP
#define IDLING IN_BOX "+ idling\r\n"
#define SAID LOGIN_SENT "P2 SELECT \"x\"\r\nP3 IDLE\r\n"
#define IS_IDLING "ready;done 2;idling 3;"

static const struct story_row rows[] = {
	{ "idle", .ask = "sx|i|d", .peer = SPAN(IDLING STEP "P3 OK done\r\n"), .want = IS_IDLING "done 3;", .sent = SAID "DONE\r\n" },
	{ "new mail", .ask = "sx|i|d", .peer = SPAN(IDLING "* 4 EXISTS\r\n* 1 RECENT\r\n" STEP "P3 OK\r\n"), .want = IS_IDLING "news 1 of 3;news 1 of 3;done 3;" },
	{ "RECENT alone", .ask = "sx|i", .peer = SPAN(IDLING "* 1 RECENT\r\n"), .want = IS_IDLING "news 1 of 3;" },
	{ "a notice in the first second, before +", .ask = "sx|i", .peer = SPAN(IN_BOX "* 4 EXISTS\r\n+ idling\r\n"), .want = "ready;done 2;news 1 of 3;idling 3;" },
	{ "a notice between DONE and its answer", .ask = "sx|i|d", .peer = SPAN(IDLING STEP "* 4 EXISTS\r\nP3 OK\r\n"), .want = IS_IDLING "news 1 of 3;done 3;" },
	{ "a notice in the gap to the next IDLE", .ask = "sx|i|d|i", .peer = SPAN(IDLING STEP "P3 OK\r\n* 4 EXISTS\r\n" STEP "+\r\n"),
	  .want = IS_IDLING "done 3;news 1 of 0;idling 4;", .sent = SAID "DONE\r\nP4 IDLE\r\n" },
	{ "a notice with the answer to something else", .ask = "sx|?ALL|i", .peer = SPAN(IN_BOX "* SEARCH 1 2 3\r\n* 4 EXISTS\r\nP3 OK\r\n" STEP "+\r\n"),
	  .want = "ready;done 2;found 1:1 by 3;found 2:2 by 3;found 3:3 by 3;done 3;idling 4;" },
	{ "a notice with the answer to NOOP", .ask = "sx|n", .peer = SPAN(IN_BOX "* 4 EXISTS\r\nP3 OK\r\n"), .want = "ready;done 2;news 1 of 0;done 3;" },
	{ "told again and again", .ask = "sx|i", .peer = SPAN(IDLING "* 3 EXISTS\r\n* 0 RECENT\r\n* OK Still here\r\n* OK [HIGHESTMODSEQ 9] x\r\n* NO disk is nearly full\r\n* FLAGS (\\Seen)\r\n"
	  "* X-ODD {3}\r\nabc (d)\r\n"), .want = IS_IDLING },
	{ "gone", .ask = "sx|i", .peer = SPAN(IDLING "* 2 EXPUNGE\r\n* 2 EXISTS\r\n* 1 EXISTS\r\n"), .want = IS_IDLING "news 2 of 3;news 2 of 3;" },
	{ "gone, one came", .ask = "sx|i", .peer = SPAN(IDLING "* 1 EXPUNGE\r\n* 3 EXISTS\r\n"), .want = IS_IDLING "news 2 of 3;news 1 of 3;" },
	{ "flags", .ask = "sx|i", .peer = SPAN(IDLING "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 8 FLAGS ())\r\n* 3 FETCH (UID 9)\r\n"),
	  .want = IS_IDLING "news 4 of 3;message 8 flags 0;news 4 of 3;" },
	{ "vanished", .ask = "y5 90 x|i", .peer = SPAN(CAPA("") IN("IDLE ENABLE QRESYNC") "* ENABLED QRESYNC\r\nP2 OK\r\n* 3 EXISTS\r\n* VANISHED (EARLIER) 1:4\r\nP3 OK\r\n" STEP
	  "+\r\n* VANISHED 5,7\r\n"), .want = "ready;vanished 1:4 of 3 earlier;done 3;idling 4;vanished 5:5 of 0;vanished 7:7 of 0;news 2 of 4;" },
	{ "literals inside", .ask = "sx|i", .peer = SPAN(IDLING "* 1 FETCH (BODY[] {10}\r\n* BYE no\r\n FLAGS (\\Seen))\r\n* 4 EXISTS\r\n"), .want = IS_IDLING "news 4 of 3;news 1 of 3;" },
	{ "an alert", .ask = "sx|i", .peer = SPAN(IDLING "* OK [ALERT] down at six\r\n"), .want = IS_IDLING "warning [down at six];" },
	{ "BYE during IDLE", .ask = "sx|i", .peer = SPAN(IDLING "* BYE idle for too long\r\n"), .want = IS_IDLING "failed net;", .why = "idle for too long" },
	{ "BYE during IDLE, the token has ended", .ask = "sx|i", .peer = SPAN(IDLING "* BYE Session invalidated - AccessTokenExpired\r\n"), .want = IS_IDLING "failed net;", .why = "AccessTokenExpired" },
	{ "BYE during IDLE, later", .ask = "sx|i", .peer = SPAN(IDLING "* BYE [UNAVAILABLE] restart\r\n"), .want = IS_IDLING "failed busy;" },
	{ "gone during IDLE", .how = EOF_AT_END, .ask = "sx|i", .peer = SPAN(IDLING), .want = IS_IDLING "failed net;", .why = "while we waited for mail" },
	{ "IDLE is refused", .ask = "sx|i|n", .peer = SPAN(IN_BOX "P3 NO not here\r\n" STEP "P4 OK\r\n"), .want = "ready;done 2;refused 3 0 peer [not here];done 4;", .sent = SAID "P4 NOOP\r\n" },
	{ "IDLE is BAD", .ask = "sx|i", .peer = SPAN(IN_BOX "P3 BAD what\r\n"), .want = "ready;done 2;refused 3 0 peer [what];" },
	{ "the server ends IDLE", .ask = "sx|i|i", .peer = SPAN(IDLING "P3 OK enough\r\n" STEP "+\r\n"), .want = IS_IDLING "done 3;idling 4;", .sent = SAID "P4 IDLE\r\n" },
	{ "the server ends IDLE badly", .ask = "sx|i", .peer = SPAN(IDLING "P3 BAD time is up\r\n"), .want = IS_IDLING "refused 3 0 peer [time is up];" },
	{ "both end IDLE", .ask = "sx|i|d|n", .peer = SPAN(IDLING STEP "P3 OK enough\r\n" STEP "DONE BAD what\r\nP4 OK\r\n"), .want = IS_IDLING "done 3;done 4;", .sent = SAID "DONE\r\nP4 NOOP\r\n" },
	{ "DONE refused without one", .ask = "sx|i", .peer = SPAN(IDLING "DONE BAD what\r\n"), .want = IS_IDLING "failed peer;" },
	{ "DONE refused twice", .ask = "sx|i|d|n", .peer = SPAN(IDLING STEP "P3 OK\r\n" STEP "done BAD\r\ndone BAD\r\n"), .want = IS_IDLING "done 3;failed peer;" },
	{ "DONE before +", .ask = "sx|i;d", .peer = SPAN(IN_BOX "+ go\r\nP3 OK\r\n"), .want = "ready;done 2;done 3;", .sent = SAID "DONE\r\n" },
	{ "DONE before +, and no +", .ask = "sx|i;d", .peer = SPAN(IN_BOX "P3 NO no\r\n"), .want = "ready;done 2;refused 3 0 peer [no];", .sent = SAID },
	{ "DONE twice", .ask = "sx|i|d;d", .peer = SPAN(IDLING STEP "P3 OK\r\n"), .want = IS_IDLING "done 3;", .sent = SAID "DONE\r\n" },
	{ "+ twice", .ask = "sx|i|d", .peer = SPAN(IDLING "+ still idling\r\n" STEP "+\r\nP3 OK\r\n"), .want = IS_IDLING "done 3;", .sent = SAID "DONE\r\n" },
	{ "+ without IDLE", .ask = "sx", .peer = SPAN(IN_BOX "+ go\r\n"), .want = "ready;done 2;failed peer;" },
	{ "nothing else while it idles", .ask = "sx|i;n", .peer = SPAN(IDLING), .want = IS_IDLING, .sent = SAID },
	{ "lock-step", .how = LOCKSTEP, .ask = "sx|i|d|n", .peer = SPAN(IDLING STEP "P3 OK\r\n" STEP "P4 OK\r\n"), .want = IS_IDLING "done 3;done 4;" },
	{ "our own changes are no news", .ask = "sx|S1;e1;m2 y;L1:*", .peer = SPAN(CAPA("") IN("UIDPLUS MOVE") "* 3 EXISTS\r\nP2 OK\r\n" STEP "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\nP3 OK\r\n"
	  "* 1 EXPUNGE\r\nP4 OK\r\n* 1 EXPUNGE\r\nP5 OK\r\n* 1 FETCH (UID 3 FLAGS ())\r\nP6 OK\r\n"), .want = "ready;done 2;message 1 flags 1;done 3;done 4;done 5;message 3 flags 0;done 6;" },
	{ "the mailbox is replaced", .ask = "sx|i", .peer = SPAN(IDLING "* OK [UIDVALIDITY 6] x\r\n"), .want = IS_IDLING "failed net;" },
	{ "news of no mailbox", .ask = "n", .peer = SPAN(LOGGED_IN "* 4 EXISTS\r\n* 1 EXPUNGE\r\n* 4 RECENT\r\n* 1 FETCH (FLAGS ())\r\nP2 OK\r\n* 9 EXISTS\r\n"), .want = "ready;done 2;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

static void feed(struct story *t, const char *text)
{
	story_feed(t, text, strlen(text));
}

static void start(struct story *t, const struct story_row *row)
{
	story_start(t, row);
	story_play(t, row->peer, 0);
}

/* What comes between a listing's beginning and IDLE is kept, told or not. */
static void news_are_kept_until_they_are_cleared(void **state)
{
	static const struct story_row row = { "kept", .ask = "sx", .peer = SPAN(CAPA("") IN("IDLE") "* 3 EXISTS\r\n* 2 RECENT\r\nP2 OK\r\n") };
	struct story t;

	(void)state;
	start(&t, &row);
	assert_int_equal(imc_news(t.s), 0);
	(void)imc_search(t.s, SPAN("ALL"));
	story_send(&t);
	feed(&t, "* 4 EXISTS\r\n* SEARCH 1\r\nP3 OK\r\n");
	assert_int_equal(imc_news(t.s), IMC_NEWS_MAIL);
	t.rests = 1;
	(void)imc_idle(t.s);
	story_drain(&t);
	feed(&t, "+\r\n* 1 EXPUNGE\r\n");
	assert_true(t.rested > 1 && imc_idling(t.s));
	assert_int_equal(imc_news(t.s), IMC_NEWS_MAIL | IMC_NEWS_GONE);
	imc_news_clear(t.s);
	feed(&t, "* 3 EXISTS\r\n* 2 RECENT\r\n");
	assert_int_equal(imc_news(t.s), 0);
	story_end(&t);
}

/* A server that tells something each minute for years ends nothing, as IDLE is said
 * anew; one that floods within one IDLE does. */
static void a_session_that_idles_for_years(void **state)
{
	enum { LINES = 1000, ROUNDS = 3 };
	static const struct story_row row = { "years", .ask = "sx", .peer = SPAN(IN_BOX) };
	static const char line[] = "* OK Still here\r\n";
	struct buf lines;
	struct story t;
	char text[64];

	(void)state;
	buf_start(&lines, LINES * sizeof line);
	for (int i = 0; i < LINES; i++)
		assert_true(buf_add(&lines, SPAN("* OK Still here\r\n")));
	start(&t, &row);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t id = imc_idle(t.s);
		int n = snprintf(text, sizeof text, "P%u OK\r\n", id);

		story_send(&t);
		feed(&t, "+\r\n");
		for (int i = 0; i < IMC_UNANSWERING_MAX / LINES - 1; i++)
			story_feed(&t, lines.at, lines.len);
		t.told.len = 0;
		imc_idle_done(t.s);
		story_send(&t);
		story_feed(&t, text, (size_t)n);
		assert_true(span_starts(buf_span(&t.told), SPAN("done ")));
	}
	(void)imc_idle(t.s);
	story_send(&t);
	t.told.len = 0;
	for (int i = 0; i < IMC_UNANSWERING_MAX / LINES + 1; i++)
		story_feed(&t, lines.at, lines.len);
	assert_true(span_equal(buf_span(&t.told), SPAN("failed peer;")));
	story_end(&t);
	buf_end(&lines);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(news_are_kept_until_they_are_cleared),
		cmocka_unit_test(a_session_that_idles_for_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
