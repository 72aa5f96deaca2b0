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
