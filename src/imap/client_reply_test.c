/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

static const struct story_row rows[] = {
	{ "BYE anywhere", .ask = "n", .peer = SPAN(LOGGED_IN "* BYE Session invalidated - AccessTokenExpired\r\nP2 OK\r\n"), .want = "ready;failed net;",
	  .why = "AccessTokenExpired" },
	{ "BYE with a code", .ask = "n", .peer = SPAN(LOGGED_IN "* BYE [UNAVAILABLE] down\r\n"), .want = "ready;failed busy;" },
	{ "BYE with nothing asked", .peer = SPAN(LOGGED_IN "* BYE\r\n"), .want = "ready;failed net;" },
	{ "tagged BYE", .ask = "n", .peer = SPAN(LOGGED_IN "P2 BYE x\r\n"), .want = "ready;failed net;" },
	{ "gone", .how = EOF_AT_END, .ask = "n", .peer = SPAN(LOGGED_IN), .want = "ready;failed net;", .why = "before it answered NOOP" },
	{ "alert", .peer = SPAN(LOGGED_IN "* OK [ALERT] quota\r\n* NO [ALERT] full\r\n"), .want = "ready;warning [quota];warning [full];" },
	{ "a tag of nobody", .ask = "n", .peer = SPAN(LOGGED_IN "P7 OK\r\n"), .want = "ready;failed peer;" },
	{ "answered twice", .ask = "n", .peer = SPAN(LOGGED_IN "P2 OK\r\nP2 OK\r\n"), .want = "ready;done 2;failed peer;" },
	{ "another's tag", .ask = "n", .peer = SPAN(LOGGED_IN "A2 OK\r\n"), .want = "ready;failed peer;" },
	{ "no status", .ask = "n", .peer = SPAN(LOGGED_IN "P2 FINE\r\n"), .want = "ready;failed peer;" },
	{ "a tag alone", .ask = "n", .peer = SPAN(LOGGED_IN "P2\r\n"), .want = "ready;failed peer;" },
	{ "a continuation of nobody", .ask = "n", .peer = SPAN(LOGGED_IN "+ idling\r\n"), .want = "ready;failed peer;" },
	{ "empty lines", .ask = "n", .peer = SPAN(LOGGED_IN "\r\n\r\n*\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "what nobody asked for", .ask = "n", .peer = SPAN(LOGGED_IN "* 5 EXISTS\r\n* 2 EXPUNGE\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* LIST () NIL x\r\n* SEARCH 1 2\r\n"
	  "* ESEARCH UID ALL 1:3\r\n* X ({3}\r\nabc \"q\" ((NIL)))\r\n* 7\r\n* (a)\r\n* 5 WHAT (x)\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "a status is a status's only", .ask = "n", .peer = SPAN(LOGGED_IN "* OK\r\n* NO [X] y\r\n* BAD z\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "a refusal's code", .ask = "n", .peer = SPAN(LOGGED_IN "P2 NO [AUTHORIZATIONFAILED] token\r\n"), .want = "ready;refused 2 0 auth [token];" },
	{ "lower case", .ask = "n;f5", .peer = SPAN(LOGGED_IN "p2 ok done\r\n* 1 fetch (uid 5 body[] \"a\")\r\np3 Ok\r\n"), .want = "ready;done 2;begin 5:aend 5;done 3;" },
	{ "a tag with a nought", .ask = "n", .peer = SPAN(LOGGED_IN "P0 OK\r\n"), .want = "ready;failed peer;" },
	{ "lines end with LF", .ask = "n", .peer = SPAN(LOGGED_IN "* 3 EXISTS\n* OK [X] y\nP2 OK\n"), .want = "ready;done 2;" },
	{ "numbers too large", .ask = "n", .peer = SPAN(LOGGED_IN "* 4294967296 EXISTS\r\n* OK [UIDVALIDITY 4294967296] x\r\n* OK [UIDVALIDITY 0] x\r\n* OK [HIGHESTMODSEQ 9223372036854775808] x\r\n"
	  "* OK [UIDNEXT -1] x\r\nP2 OK\r\n"), .want = "ready;done 2;" },
	{ "too many, says Gmail", .ask = "sx", .peer = SPAN(LOGGED_IN "P2 NO [ALERT] Too many simultaneous connections. (Failure)\r\n"),
	  .want = "ready;warning [Too many simultaneous connections. (Failure)];refused 2 0 busy [Too many simultaneous connections. (Failure)];" },
	{ "BYE in a listing", .ask = "L1:*", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 FLAGS ())\r\n* BYE [UNAVAILABLE] x\r\n"), .want = "ready;message 5 flags 0;failed busy;" },
	{ "BYE while it is fetched", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"a\")\r\n* BYE shutdown\r\n"), .want = "ready;begin 5:aend 5;failed net;", .why = "shutdown" },
	{ "flags with brackets", .ask = "sx", .peer = SPAN(LOGGED_IN "* FLAGS (\\Seen a(b c])\r\n* OK [PERMANENTFLAGS (\\Seen [css3-page] a(b) \\*)] x\r\n* FLAGS (\"\\\\Deleted\" \\Seen)\r\nP2 OK\r\n"),
	  .want = "ready;done 2;" },
	{ "PREAUTH, too late", .ask = "n", .peer = SPAN(LOGGED_IN "* PREAUTH hi\r\nP2 PREAUTH\r\n"), .want = "ready;failed net;" },
	{ "control characters", .ask = "n", .peer = SPAN(LOGGED_IN "* \2\r\n"), .want = "ready;failed peer;", .why = "control octet" },
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
