/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

#define QRESYNC CAPA("") IN("ENABLE QRESYNC")

static const struct story_row rows[] = {
	{ "list", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST (\\Noselect \\Junk) NIL {3}\r\na b\r\n"
	  "* LIST () \"\\\\\" \"a\\\"b\" (x (y))\r\n* LIST () \"\" &AOk-\r\nP2 OK\r\n"),
	  .want = "ready;box 0 / [INBOX];box 5 - [a b];box 0 \\ [a\"b];box 0 - [&AOk-];done 2;", .sent = LOGIN_SENT "P2 LIST \"\" \"*\"\r\n" },
	{ "list without a name", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST () \"/\"\r\n* LIST\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "list with paths", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST () \"/\" \"../../etc\"\r\nP2 OK\r\n"), .want = "ready;box 0 / [../../etc];done 2;" },
	{ "search", .ask = "?UID 5:* UNSEEN", .peer = SPAN(LOGGED_IN "* SEARCH 9 743000000 5 (MODSEQ 917)\r\n* SEARCH\r\nP2 OK\r\n"),
	  .want = "ready;found 9:9;found 743000000:743000000;found 5:5;done 2;", .sent = LOGIN_SENT "P2 UID SEARCH UID 5:* UNSEEN\r\n" },
	{ "search, told with a modseq", .ask = "?ALL", .peer = SPAN(LOGGED_IN "* SEARCH 1 2 (MODSEQ 917162500)\r\nP2 OK\r\n"), .want = "ready;found 1:1;found 2:2;done 2;" },
	{ "search, a modseq alone", .ask = "?ALL", .peer = SPAN(LOGGED_IN "* SEARCH (MODSEQ 917162500)\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "esearch, modseq first", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P2\") UID MODSEQ 917162500 ALL 5\r\nP2 OK\r\n"), .want = "ready;found 5:5;done 2;" },
	{ "esearch without its value beside a LIST", .ask = "l*;?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P3\") UID COUNT\r\nP2 OK\r\nP3 OK\r\n"),
	  .want = "ready;done 2;done 3;" },
	{ "vanished", .ask = "n", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\n* VANISHED 5,9:7\r\n* VANISHED (EARLIER) 1\r\n* VANISHED (WHAT (X)) 2\r\n* VANISHED\r\n* VANISHED (EARLIER)\r\nP3 OK\r\n"),
	  .want = "ready;vanished 5:5 of 0;vanished 7:9 of 0;vanished 1:1 of 0 earlier;vanished 2:2 of 0;done 3;" },
	{ "vanished before the login", .peer = SPAN(CAPA("") "* VANISHED 5\r\n* VANISHED 0\r\n" IN("")), .want = "ready;" },
	{ "vanished, no set", .ask = "n", .peer = SPAN(QRESYNC "* ENABLED QRESYNC\r\n* VANISHED 5,*,6\r\n* VANISHED 7,*\r\nP3 OK\r\n"),
	  .want = "ready;vanished 5:5 of 0;warning [the server's QRESYNC is not to be believed: what VANISHED names is no set of unique ids (RFC 7162 section "
	  "3.2.10)];done 3;" },
	{ "vanished, not enabled", .ask = "n", .peer = SPAN(QRESYNC "P2 OK\r\n* VANISHED 5,*,6\r\n* VANISHED (EARLIER) 7\r\nP3 OK\r\n"), .want = "ready;done 3;" },
	{ "8-bit names", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST () \"/\" \"\xc3\xa9\"\r\n* LIST () \"/\" \xe9x\r\n* LIST () \"/\" {4}\r\na\r\nb\r\nP2 OK\r\n"),
	  .want = "ready;box 0 / [\xc3\xa9];box 0 / [\xe9x];box 0 / [a\r\nb];done 2;" },
	{ "lower case, blanks, flags NIL", .ask = "l*", .peer = SPAN(LOGGED_IN "* list  ( \\NOSELECT  \\hasnochildren )  nil  inbox \r\n* LIST NIL \"/\" x\r\np2 ok\r\n"),
	  .want = "ready;box 1 - [inbox];box 0 / [x];done 2;" },
	{ "no delimiter at all", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST () () x\r\n* LIST x\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "deep lists behind a name", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST (((()))) \"/\" x ((((((((((((((((((((((((((((((()))))))))))))))))))))))))))))))\r\nP2 OK\r\n"),
	  .want = "ready;box 0 / [x];done 2;" },
	{ "lists too deep", .ask = "l*", .peer = SPAN(LOGGED_IN "* LIST (((((((((((((((((((((((((((((((((\r\n"), .want = "ready;failed peer;", .why = "deep" },
	{ "other data inside", .ask = "l*;?ALL", .peer = SPAN(LOGGED_IN "* LIST () \"/\" x\r\n* 1 FETCH (UID 5 FLAGS ())\r\n* 7 EXISTS\r\n* SEARCH 3\r\n* LIST () \"/\" y\r\nP2 OK\r\nP3 OK\r\n"),
	  .want = "ready;box 0 / [x];message 5 flags 0;found 3:3 by 3;box 0 / [y];done 2;done 3;" },
	{ "UID n:* finds one below n, twice", .ask = "?UID 100:*", .peer = SPAN(LOGGED_IN "* SEARCH 7 7\r\n* SEARCH\r\n* SEARCH 7\r\nP2 OK\r\n"),
	  .want = "ready;found 7:7;found 7:7;found 7:7;done 2;" },
	{ "esearch, ids in any order", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P2\") UID ALL 9,5:3\r\nP2 OK\r\n"), .want = "ready;found 9:9;found 3:5;done 2;" },
	{ "search, nothing told", .ask = "?ALL", .peer = SPAN(LOGGED_IN "P2 OK\r\n"), .want = "ready;done 2;" },
	{ "esearch", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P2\") UID COUNT 4 ALL 1:3,9 MODSEQ 5\r\nP2 OK\r\n"),
	  .want = "ready;found 1:3;found 9:9;done 2;", .sent = LOGIN_SENT "P2 UID SEARCH RETURN (ALL) ALL\r\n" },
	{ "esearches side by side", .ask = "?ALL;?UNSEEN", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P3\") UID ALL 2\r\n"
		"* ESEARCH (TAG P2) UID ALL 1:3\r\nP2 OK\r\nP3 OK\r\n"), .want = "ready;found 2:2 by 3;found 1:3;done 2;done 3;" },
	{ "esearch of nobody's", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P9\") UID ALL 7\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "esearch, empty", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH (TAG \"P2\") UID\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "search, no number", .ask = "?ALL", .peer = SPAN(LOGGED_IN "* SEARCH 1 x\r\nP2 OK\r\n"), .want = "ready;found 1:1;failed peer;" },
	{ "search, 0", .ask = "?ALL", .peer = SPAN(LOGGED_IN "* SEARCH 0\r\nP2 OK\r\n"), .want = "ready;failed peer;" },
	{ "search, too large", .ask = "?ALL", .peer = SPAN(LOGGED_IN "* SEARCH 4294967296\r\nP2 OK\r\n"), .want = "ready;failed peer;" },
	{ "esearch, the whole world", .ask = "?ALL", .peer = SPAN(CAPA("") IN("ESEARCH") "* ESEARCH UID ALL 1:4294967295\r\nP2 OK\r\n"),
	  .want = "ready;failed peer;", .why = "without end" },
	{ "search refused", .ask = "?X", .peer = SPAN(LOGGED_IN "P2 BAD what\r\n"), .want = "ready;refused 2 0 peer [what];" },
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
