/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

static const struct story_row rows[] = {
	{ "select", .ask = "sINBOX", .peer = SPAN(LOGGED_IN "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\nP2 OK [READ-WRITE] in\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 SELECT \"INBOX\"\r\n" },
	{ "examine a quoted name", .ask = "xa \"b\\c", .peer = SPAN(LOGGED_IN "P2 OK\r\n"), .want = "ready;done 2;",
	  .sent = LOGIN_SENT "P2 EXAMINE \"a \\\"b\\\\c\"\r\n" },
	{ "select refused", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 NO [NONEXISTENT] none\r\n"), .want = "ready;refused 2 0 peer [none];" },
	{ "select in use", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 NO [INUSE] wait\r\n"), .want = "ready;refused 2 0 busy [wait];" },
	{ "not connected", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 BAD User is authenticated but not connected.\r\n"), .want = "ready;failed busy;" },
	{ "malformed PERMANENTFLAGS", .ask = "sx", .peer = SPAN(LOGGED_IN "* OK [PERMANENTFLAGS (\\Seen \\*] x\r\n* FLAGS ()\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "store", .ask = "S1:2;D7", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 1)\r\n* 2 FETCH (FLAGS (\\Seen))\r\nP2 OK\r\nP3 OK\r\n"), .want = "ready;done 2;done 3;",
	  .sent = LOGIN_SENT "P2 UID STORE 1:2 +FLAGS.SILENT (\\Seen)\r\nP3 UID STORE 7 +FLAGS.SILENT (\\Seen \\Deleted)\r\n" },
	{ "answers in another order", .ask = "S1;S2", .peer = SPAN(LOGGED_IN "P3 OK\r\nP2 NO no\r\n"), .want = "ready;done 3;refused 2 0 peer [no];" },
	{ "lock-step", .how = LOCKSTEP, .ask = "S1;n", .peer = SPAN(LOGGED_IN), .want = "ready;", .sent = LOGIN_SENT "P2 UID STORE 1 +FLAGS.SILENT (\\Seen)\r\n" },
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
