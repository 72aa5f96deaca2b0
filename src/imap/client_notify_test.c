/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

#define IN_BOX CAPA("") IN("IDLE NOTIFY") "* 3 EXISTS\r\nP2 OK\r\n" STEP
#define BOTH " (MessageNew MessageExpunge))"
#define SAID LOGIN_SENT "P2 SELECT \"x\"\r\nP3 NOTIFY "

static const struct story_row rows[] = {
	{ "of names", .ask = "sx|Nst a,b \"c\\|i", .peer = SPAN(IN_BOX "* STATUS a (MESSAGES 3 UIDNEXT 7 UIDVALIDITY 5)\r\n* STATUS \"b \\\"c\\\\\" (UIDNEXT 1 MESSAGES 0)\r\nP3 OK\r\n" STEP
	  "+\r\n* STATUS {1}\r\na (MESSAGES 4 UIDNEXT 8 UIDVALIDITY 5 UNSEEN 1)\r\n* STATUS a (MESSAGES 3)\r\n* 4 EXISTS\r\n"),
	  .want = "ready;done 2;news 1 of 3 [a] 7 5 3;news 1 of 3 [b \"c\\] 1 0 0;done 3;idling 4;news 1 of 0 [a] 8 5 4;news 2 of 0 [a] 0 0 3;news 1 of 4;",
	  .sent = SAID "SET STATUS (selected-delayed" BOTH " (mailboxes (\"a\" \"b \\\"c\\\\\")" BOTH "\r\nP4 IDLE\r\n" },
	{ "of trees and the user's own", .ask = "sx|Nsfp a/b,c", .peer = SPAN(IN_BOX "P3 OK\r\n"), .want = "ready;done 2;done 3;",
	  .sent = SAID "SET (selected-delayed (MessageNew MessageExpunge FlagChange)) (personal" BOTH " (subtree (\"b\" \"c\")" BOTH " (mailboxes (\"a\")" BOTH "\r\n" },
	{ "without IDLE, without a mailbox", .ask = "Np|n", .peer = SPAN(CAPA("") IN("NOTIFY") "P2 OK\r\n* STATUS a (UIDNEXT 7)\r\n" STEP "* STATUS b (HIGHESTMODSEQ 9)\r\nP3 OK\r\n"),
	  .want = "ready;done 2;news 1 of 0 [a] 7 0 0;news 2 of 0 [b] 0 0 0;done 3;", .sent = LOGIN_SENT "P2 NOTIFY SET (personal" BOTH "\r\nP3 NOOP\r\n" },
	{ "the selected one, unasked", .ask = "sx|Ns", .peer = SPAN(IN_BOX "P3 OK\r\n* 4 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n"), .want = "ready;done 2;done 3;news 1 of 0;news 4 of 0;" },
	{ "refused: an event that it does not know", .ask = "sx|Ns|n", .peer = SPAN(IN_BOX "P3 NO [BADEVENT (FlagChange MessageNew)] no\r\n* STATUS a (UIDNEXT 7)\r\n" STEP "P4 OK\r\n"),
	  .want = "ready;done 2;refused 3 0 peer [no];done 4;" },
	{ "refused: too many", .ask = "sx|Ns", .peer = SPAN(IN_BOX "P3 NO [NOTIFICATIONOVERFLOW] too many\r\n"), .want = "ready;done 2;refused 3 0 peer [too many];" },
	{ "refused, the one before stays", .ask = "sx|Ns|Np", .peer = SPAN(IN_BOX "P3 OK\r\n" STEP "P4 BAD what\r\n* STATUS a (UIDNEXT 7)\r\n"),
	  .want = "ready;done 2;done 3;refused 4 0 peer [what];news 1 of 0 [a] 7 0 0;" },
	{ "NONE", .ask = "sx|Ns|-", .peer = SPAN(IN_BOX "P3 OK\r\n" STEP "P4 OK\r\n* STATUS a (UIDNEXT 7)\r\n"), .want = "ready;done 2;done 3;done 4;",
	  .sent = SAID "SET (selected-delayed" BOTH "\r\nP4 NOTIFY NONE\r\n" },
	{ "overflow", .ask = "sx|Nsp|i", .peer = SPAN(IN_BOX "P3 OK\r\n" STEP "+\r\n* OK [NOTIFICATIONOVERFLOW] too much\r\n* STATUS a (UIDNEXT 7)\r\n"), .want = "ready;done 2;done 3;idling 4;news 8 of 4;" },
	{ "overflow of nothing", .ask = "sx|i", .peer = SPAN(IN_BOX "+\r\n* OK [NOTIFICATIONOVERFLOW] too much\r\n"), .want = "ready;done 2;idling 3;" },
	{ "overflow with something else", .ask = "sx|Ns|n", .peer = SPAN(IN_BOX "P3 OK\r\n" STEP "* OK [NOTIFICATIONOVERFLOW] x\r\nP4 OK\r\n"), .want = "ready;done 2;done 3;news 8 of 0;done 4;" },
	{ "STATUS that nobody asked for", .ask = "sx|n", .peer = SPAN(IN_BOX "* STATUS a (UIDNEXT 7)\r\nP3 OK\r\n"), .want = "ready;done 2;done 3;" },
	{ "STATUS of other shapes", .ask = "sx|Ns", .peer = SPAN(IN_BOX "P3 OK\r\n* STATUS\r\n* STATUS a\r\n* STATUS \"\" (UIDNEXT 7)\r\n* STATUS a (UIDNEXT -1 UIDNEXT)\r\n* STATUS a (UIDNEXT 99999999999 X (UIDNEXT 5) Y \"UIDNEXT\" Z NIL MESSAGES 4)\r\n"),
	  .want = "ready;done 2;done 3;news 2 of 0 [a] 0 0 0;news 2 of 0 [a] 0 0 0;news 2 of 0 [a] 0 0 4;" },
	{ "behind another SELECT", .ask = "sx|Nsp|sy", .peer = SPAN(IN_BOX "P3 OK\r\n" STEP "* 9 EXISTS\r\n* STATUS x (UIDNEXT 7)\r\nP4 OK\r\n* 10 EXISTS\r\n"),
	  .want = "ready;done 2;done 3;news 1 of 0 [x] 7 0 0;done 4;news 1 of 0;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

static void how_much_can_be_watched(void **state)
{
	static char name[IMC_NAME_MAX + 1];
	struct span names[IMC_WATCH_MAX + 1];
	struct imc_watch w = { .names = names, .trees = names };

	(void)state;
	memset(name, '"', sizeof name);
	for (size_t i = 0; i < COUNT(names); i++)
		names[i] = SPAN("a");
	w.name_count = IMC_WATCH_MAX;
	assert_true(imc_watch_fits(&w));
	w.tree_count = 1;
	assert_false(imc_watch_fits(&w));
	w.name_count = 0;
	names[0] = (struct span){ name, IMC_NAME_MAX };
	assert_true(imc_watch_fits(&w));
	names[0].len++;
	assert_false(imc_watch_fits(&w));
	for (size_t i = 0; i < 4; i++)		/* each octet is two in quotes */
		names[i] = (struct span){ name, IMC_NAME_MAX };
	w.tree_count = 3;
	assert_true(imc_watch_fits(&w));
	w.tree_count = 4;
	assert_false(imc_watch_fits(&w));
	names[0] = (struct span){ 0 };
	w.tree_count = 1;
	assert_false(imc_watch_fits(&w));
}

static void it_says_whether_it_does(void **state)
{
	static const struct story_row row = { "state", .ask = "Ns", .peer = SPAN(CAPA("") IN("NOTIFY")) };
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_play(&t, row.peer, 0);
	assert_false(imc_notifying(t.s));
	t.rests = 1;
	story_feed(&t, "P2 OK\r\n", 7);
	assert_true(t.rested == 1 && imc_notifying(t.s));
	story_feed(&t, "* OK [NOTIFICATIONOVERFLOW] x\r\n", 31);
	assert_false(imc_notifying(t.s));
	assert_int_equal(imc_news(t.s), IMC_NEWS_OVERFLOW);
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(how_much_can_be_watched),
		cmocka_unit_test(it_says_whether_it_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
