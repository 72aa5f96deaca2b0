/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

#define QRESYNC CAPA("") IN("ENABLE QRESYNC")
#define QRESYNC_SENT LOGIN_SENT "P2 ENABLE QRESYNC\r\n"

static const struct story_row rows[] = {
	{ "select", .ask = "sINBOX", .peer = SPAN(LOGGED_IN "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\nP2 OK [READ-WRITE] in\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 SELECT \"INBOX\"\r\n" },
	{ "examine a quoted name", .ask = "xa \"b\\c", .peer = SPAN(LOGGED_IN "P2 OK\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 EXAMINE \"a \\\"b\\\\c\"\r\n" },
	{ "select refused", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 NO [NONEXISTENT] none\r\n"), .want = "ready;refused 2 0 peer [none];" },
	{ "select in use", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 NO [INUSE] wait\r\n"), .want = "ready;refused 2 0 busy [[INUSE] wait];" },
	{ "not connected", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 BAD User is authenticated but not connected.\r\n"), .want = "ready;failed busy;" },
	{ "malformed PERMANENTFLAGS", .ask = "sx", .peer = SPAN(LOGGED_IN "* OK [PERMANENTFLAGS (\\Seen \\*] x\r\n* FLAGS ()\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "select since, CONDSTORE only", .ask = "y5 90 INBOX", .peer = SPAN(CAPA("") IN("CONDSTORE ENABLE") "* OK [UIDVALIDITY 5] x\r\n"
	  "* 3 FETCH (UID 7 MODSEQ (91) FLAGS (\\Seen))\r\nP2 OK\r\n"), .want = "ready;message 7 of 2 flags 1;done 2;", .sent = LOGIN_SENT "P2 SELECT \"INBOX\" (CONDSTORE)\r\n" },
	{ "select since, neither", .ask = "z5 90 INBOX", .peer = SPAN(LOGGED_IN "P2 OK\r\n"), .want = "ready;done 2;", .sent = LOGIN_SENT "P2 EXAMINE \"INBOX\"\r\n" },
	{ "QRESYNC without ENABLE", .ask = "y5 90 INBOX", .peer = SPAN(CAPA("") IN("QRESYNC") "P2 OK\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 SELECT \"INBOX\" (CONDSTORE)\r\n" },
	{ "select since", .ask = "y5 90 a \"b", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\nP2 OK\r\n* 9 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [HIGHESTMODSEQ 95] x\r\n"
	  "* VANISHED (EARLIER) 41,43:116\r\n* 49 FETCH (UID 117 FLAGS (\\Seen) MODSEQ (91))\r\n* 50 FETCH (UID 119 MODSEQ (94) FLAGS ())\r\nP3 OK\r\n"),
	  .want = "ready;vanished 41:41 of 3 earlier;vanished 43:116 of 3 earlier;message 117 of 3 flags 1;message 119 of 3 flags 0;done 3;",
	  .sent = QRESYNC_SENT "P3 SELECT \"a \\\"b\" (QRESYNC (5 90))\r\n" },
	{ "select since, nothing known", .ask = "n|y0 90 x|z5 0 x", .peer = SPAN(QRESYNC "* ENABLED X QRESYNC\r\nP2 OK\r\nP3 OK\r\n" STEP "P4 OK\r\n" STEP "P5 OK\r\n"),
	  .want = "ready;done 3;done 4;done 5;", .sent = QRESYNC_SENT "P3 NOOP\r\nP4 SELECT \"x\" (CONDSTORE)\r\nP5 EXAMINE \"x\" (CONDSTORE)\r\n" },
	{ "the highest numbers", .ask = "z4294967295 9223372036854775807 x", .peer = SPAN(QRESYNC), .want = "ready;",
	  .sent = QRESYNC_SENT "P3 EXAMINE \"x\" (QRESYNC (4294967295 9223372036854775807))\r\n" },
	{ "ENABLE refused, and the SELECT", .ask = "y5 90 x", .peer = SPAN(QRESYNC "P2 BAD what\r\nP3 BAD no\r\nP3 OK\r\n"), .want = "ready;done 3;",
	  .sent = QRESYNC_SENT "P3 SELECT \"x\" (QRESYNC (5 90))\r\nP3 SELECT \"x\"\r\n" },
	{ "ENABLE refused, and the SELECT for good", .ask = "y5 90 x", .peer = SPAN(QRESYNC "P2 NO\r\nP3 BAD no\r\nP3 NO none\r\n"), .want = "ready;refused 3 0 peer [none];" },
	{ "ENABLE refused, the SELECT not", .ask = "y5 90 x", .peer = SPAN(QRESYNC "P2 NO\r\nP3 OK\r\n"), .want = "ready;done 3;" },
	{ "ENABLE enables nothing", .ask = "y5 90 x|y5 90 x", .peer = SPAN(QRESYNC "* ENABLED\r\nP2 OK\r\nP3 OK\r\n" STEP "P4 OK\r\n"), .want = "ready;done 3;done 4;",
	  .sent = QRESYNC_SENT "P3 SELECT \"x\" (QRESYNC (5 90))\r\nP4 SELECT \"x\" (CONDSTORE)\r\n" },
	{ "refused although enabled", .ask = "y5 90 x", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\nP2 OK\r\nP3 NO [NONEXISTENT] none\r\n"), .want = "ready;refused 3 0 peer [none];" },
	{ "ENABLE after the next command", .how = LOCKSTEP, .ask = "n", .peer = SPAN(QRESYNC "P2 OK\r\n"), .want = "ready;", .sent = QRESYNC_SENT "P3 NOOP\r\n" },
	{ "ENABLED unasked", .ask = "y5 90 x", .peer = SPAN(CAPA("") IN("CONDSTORE") "* ENABLED QRESYNC\r\n" STEP), .sent = LOGIN_SENT "P2 SELECT \"x\" (CONDSTORE)\r\n" },
	{ "from mailbox to mailbox", .ask = "y5 90 x|y6 91 y", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\nP2 OK\r\nP3 OK\r\n" STEP "* VANISHED 7\r\n* 1 FETCH (UID 8 FLAGS ())\r\n"
	  "* OK [CLOSED] x\r\n* 1 FETCH (UID 8 FLAGS (\\Seen))\r\n* VANISHED (EARLIER) 9\r\nP4 OK\r\n"),
	  .want = "ready;done 3;vanished 7:7 of 0;message 8 flags 0;message 8 of 4 flags 1;vanished 9:9 of 4 earlier;done 4;" },
	{ "from mailbox to mailbox, no CLOSED", .ask = "y5 90 x|y6 91 y", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\nP2 OK\r\nP3 OK\r\n" STEP "* OK [UIDVALIDITY 6] x\r\n"
	  "* VANISHED (EARLIER) 9\r\nP4 OK\r\n"), .want = "ready;done 3;vanished 9:9 of 4 earlier;done 4;" },
	{ "unselect", .ask = "sx|u", .peer = SPAN(CAPA("") IN("UNSELECT") "P2 OK\r\n" STEP "P3 OK\r\n"), .want = "ready;done 2;done 3;", .sent = LOGIN_SENT "P2 SELECT \"x\"\r\nP3 UNSELECT\r\n" },
	{ "create", .ask = "C a \"b;C x", .peer = SPAN(LOGGED_IN "P2 OK\r\nP3 NO [ALREADYEXISTS] there\r\n"), .want = "ready;done 2;refused 3 0 peer [there];",
	  .sent = LOGIN_SENT "P2 CREATE \"a \\\"b\"\r\nP3 CREATE \"x\"\r\n" },
	{ "store", .ask = "S1:2;D7", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 1)\r\n* 2 FETCH (FLAGS (\\Seen))\r\nP2 OK\r\nP3 OK\r\n"), .want = "ready;done 2;done 3;",
	  .sent = LOGIN_SENT "P2 UID STORE 1:2 +FLAGS (\\Seen)\r\nP3 UID STORE 7 +FLAGS.SILENT (\\Seen \\Deleted)\r\n" },
	{ "answers in another order", .ask = "S1;S2", .peer = SPAN(LOGGED_IN "P3 OK\r\nP2 NO no\r\n"), .want = "ready;done 3;refused 2 0 peer [no];" },
	{ "lock-step", .how = LOCKSTEP, .ask = "S1;n", .peer = SPAN(LOGGED_IN), .want = "ready;", .sent = LOGIN_SENT "P2 UID STORE 1 +FLAGS (\\Seen)\r\n" },
	{ "uid expunge", .ask = "e1:2", .peer = SPAN(CAPA("") IN("UIDPLUS") "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nP2 OK\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 UID EXPUNGE 1:2\r\n" },
	{ "expunge without UIDPLUS", .ask = "e1:2", .peer = SPAN(LOGGED_IN "P2 OK\r\n"), .want = "ready;warning [the server has no UIDPLUS: EXPUNGE also "
	  "removes messages that other clients marked as deleted];done 2;", .sent = LOGIN_SENT "P2 EXPUNGE\r\n" },
	{ "copy", .ask = "c1:2 old", .peer = SPAN(LOGGED_IN "P2 OK [COPYUID 9 1:2 5,7] done\r\n"), .want = "ready;copied 2 9 1:2>5,7;done 2;",
	  .sent = LOGIN_SENT "P2 UID COPY 1:2 \"old\"\r\n" },
	{ "copy to nowhere", .ask = "c1:2 old", .peer = SPAN(LOGGED_IN "P2 NO [TRYCREATE] none\r\n"), .want = "ready;refused 2 0 peer [none];" },
	{ "COPYUID cut", .ask = "c1:2 old", .peer = SPAN(LOGGED_IN "P2 OK [COPYUID 9 1:2] done\r\n"), .want = "ready;done 2;" },
	{ "COPYUID with a refusal", .ask = "c1:2 old", .peer = SPAN(LOGGED_IN "P2 NO [COPYUID 9 1:2 3:4] done\r\n"), .want = "ready;refused 2 0 peer [done];" },
	{ "move", .ask = "m1:2 old", .peer = SPAN(CAPA("") IN("MOVE") "* OK [COPYUID 9 1:2 5:6] x\r\n* 1 EXPUNGE\r\nP2 OK\r\n"),
	  .want = "ready;copied 2 9 1:2>5:6;done 2;", .sent = LOGIN_SENT "P2 UID MOVE 1:2 \"old\"\r\n" },
	{ "logout", .ask = "q", .peer = SPAN(LOGGED_IN "* BYE ciao\r\nP2 OK\r\n"), .want = "ready;bye good;", .sent = LOGIN_SENT "P2 LOGOUT\r\n" },
	{ "tagged BYE at logout", .ask = "q", .peer = SPAN(LOGGED_IN "P2 BYE ciao\r\n"), .want = "ready;bye good;" },
	{ "logout, BYE and gone", .how = EOF_AT_END, .ask = "q", .peer = SPAN(LOGGED_IN "* BYE ciao\r\n"), .want = "ready;bye good;" },
	{ "logout, gone", .how = EOF_AT_END, .ask = "q", .peer = SPAN(LOGGED_IN), .want = "ready;bye;" },
	{ "UIDVALIDITY changes", .ask = "sx|n", .peer = SPAN(LOGGED_IN "* OK [UIDVALIDITY 5] x\r\nP2 OK\r\n" STEP "* OK [UIDVALIDITY 6] x\r\n"),
	  .want = "ready;done 2;failed net;", .why = "UIDVALIDITY" },
	{ "UIDVALIDITY again", .ask = "sx|sy", .peer = SPAN(LOGGED_IN "* OK [UIDVALIDITY 5] x\r\nP2 OK\r\n" STEP "* OK [UIDVALIDITY 6] x\r\nP3 OK\r\n"),
	  .want = "ready;done 2;done 3;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(every_split_tells_the_same_story) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
