/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

static const struct story_row rows[] = {
	{ "a literal", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\nP2 OK\r\n"), .want = "ready;begin 5:abcend 5;done 2;",
	  .sent = LOGIN_SENT "P2 UID FETCH 5 (UID BODY.PEEK[])\r\n" },
	{ "protocol inside", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {21}\r\nX: NO\r\nP2 NO\r\n* BYE\r\n)\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:X: NO\r\nP2 NO\r\n* BYE\r\nend 5;done 2;" },
	{ "quoted", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"a\\\"b\")\r\nP2 OK\r\n"), .want = "ready;begin 5:a\"bend 5;done 2;" },
	{ "flags added, extra blanks", .ask = "f5", .peer = SPAN(LOGGED_IN "*  1  FETCH  ( FLAGS (\\Seen  x)  UID 5  BODY[]  {1}\r\na  MODSEQ (7) )\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:aend 5;done 2;" },
	{ "NIL", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] NIL)\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer [x];done 2;" },
	{ "empty literal", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer empty [x];done 2;" },
	{ "empty string", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"\")\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer empty [x];done 2;" },
	{ "empty, then told", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"\")\r\n* 1 FETCH (UID 5 BODY[] \"a\")\r\nP2 OK x\r\n"),
	  .want = "ready;begin 5:aend 5;done 2;" },
	{ "empty FETCH", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH ()\r\n* 1 FETCH\r\n* 1 FETCH NIL\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer [x];done 2;" },
	{ "OK without FETCH", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 2 FETCH (UID 6 BODY[] \"a\")\r\nP2 OK x\r\n"),
	  .want = "ready;begin 6:aend 6;refused 2 5 peer [x];done 2;" },
	{ "refused as a whole", .ask = "f5,6;f7", .peer = SPAN(LOGGED_IN "* 2 FETCH (UID 6 BODY[] \"a\")\r\nP2 NO [UNAVAILABLE] x\r\n* 3 FETCH (UID 7 BODY[] \"b\")\r\nP3 OK\r\n"),
	  .want = "ready;begin 6:aend 6;refused 2 5 busy [[UNAVAILABLE] x];refused 2 0 busy [[UNAVAILABLE] x];begin 7:bend 7;done 3;" },
	{ "told twice", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"a\")\r\n* 1 FETCH (UID 5 BODY[] \"zz\")\r\n* 2 FETCH (UID 6 BODY[] \"b\")\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:aend 5;begin 6:bend 6;done 2;" },
	{ "twice in one", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"a\" BODY[] \"zz\")\r\nP2 OK\r\n"), .want = "ready;begin 5:aend 5;done 2;" },
	{ "of no message we asked for", .ask = "f5", .peer = SPAN(LOGGED_IN "* 9 FETCH (UID 9 BODY[] \"a\")\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer [x];done 2;" },
	{ "any order", .ask = "f5,6;f7", .peer = SPAN(LOGGED_IN "* 3 FETCH (UID 7 BODY[] \"c\")\r\nP3 OK\r\n* 2 FETCH (UID 6 BODY[] \"b\")\r\n* 1 FETCH (UID 5 BODY[] \"a\")\r\nP2 OK\r\n"),
	  .want = "ready;begin 7:cend 7;done 3;begin 6:bend 6;begin 5:aend 5;done 2;", .sent = LOGIN_SENT "P2 UID FETCH 5:6 (UID BODY.PEEK[])\r\nP3 UID FETCH 7 (UID BODY.PEEK[])\r\n" },
	{ "unasked in between", .ask = "f5", .peer = SPAN(LOGGED_IN "* 9 EXISTS\r\n* 4 FETCH (FLAGS (\\Seen))\r\n* 4 FETCH (UID 4 FLAGS (\\Seen))\r\n* 2 EXPUNGE\r\n"
	  "* 1 FETCH (UID 5 BODY[] \"a\")\r\nP2 OK\r\n"), .want = "ready;message 4 flags 1;begin 5:aend 5;done 2;" },
	{ "other sections", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[HEADER] {1}\r\nh ENVELOPE (\"x\" NIL ((\"a\" {1}\r\nb))) BODY[] \"a\")\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:aend 5;done 2;" },
	{ "body before its UID, the only one", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[] \"a\" UID 5)\r\nP2 OK\r\n"), .want = "ready;begin 5:aend 5;done 2;" },
	{ "body before another's UID", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[] \"a\" UID 6)\r\nP2 OK\r\n"), .want = "ready;begin 5:afailed peer;" },
	{ "body before its UID, one of two", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[] \"a\" UID 5)\r\nP2 OK x\r\n"),
	  .want = "ready;refused 2 5 peer again [x];refused 2 6 peer again [x];done 2;" },
	{ "a literal counted too small", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {1}\r\na\r\n)\r\nP2 OK\r\n"), .want = "ready;begin 5:afailed peer;" },
	{ "a literal counted too large", .how = EOF_AT_END, .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {9}\r\na)\r\nP2 OK"), .want = "ready;begin 5:a)\r\nP2 OKfailed net;" },
	{ "cut", .how = EOF_AT_END, .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {3}\r\nab"), .want = "ready;begin 5:abfailed net;" },
	{ "cut behind the literal", .how = EOF_AT_END, .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {3}\r\nabc)"), .want = "ready;begin 5:abcfailed net;" },
	{ "a size that lies", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (RFC822.SIZE 9999 UID 5 BODY[] {3}\r\nabc)\r\nP2 OK\r\n"), .want = "ready;begin 5:abcend 5;done 2;" },
	{ "a literal8, a literal+", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] ~{3}\r\nabc)\r\n* 2 FETCH (UID 6 body[] {1+}\r\nd)\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:abcend 5;begin 6:dend 6;done 2;" },
	{ "no length", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {}\r\nabc)\r\n"), .want = "ready;failed peer;", .why = "literal" },
	{ "a length beyond everything", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {9223372036854775808}\r\n"), .want = "ready;failed peer;", .why = "literal" },
	{ "no UID, the only one", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[] \"a\")\r\nP2 OK\r\n"), .want = "ready;begin 5:aend 5;done 2;" },
	{ "no UID, one of two", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[] \"a\")\r\nP2 OK x\r\n"), .want = "ready;refused 2 5 peer again [x];refused 2 6 peer again [x];done 2;" },
	{ "unknown items, deep", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (X (((((((((((((((((((((((((((((\"BODY[]\" BODY[] {1}\r\nz))))))))))))))))))))))))))))) UID 5 BODY[] \"a\")\r\nP2 OK\r\n"),
	  .want = "ready;begin 5:aend 5;done 2;" },
	{ "too deep", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (X ((((((((((((((((((((((((((((((((\r\n"), .want = "ready;failed peer;", .why = "deep" },
	{ "flags inside, for another", .ask = "f5,6", .peer = SPAN(LOGGED_IN "* 2 FETCH (UID 6 FLAGS (\\Seen))\r\n* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] \"a\")\r\n* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n"
	  "* 2 FETCH (UID 6 BODY[] \"b\")\r\nP2 OK\r\n"), .want = "ready;message 6 flags 1;begin 5:aend 5;message 5 flags 1;begin 6:bend 6;done 2;" },
	{ "listing, unsorted, doubled, huge", .ask = "L100:*", .peer = SPAN(LOGGED_IN "* 3 FETCH (UID 743000000 FLAGS ())\r\n* 2 FETCH (UID 4294967295 FLAGS ())\r\n* 1 FETCH (UID 7 FLAGS ())\r\n"
	  "* 1 FETCH (UID 7 FLAGS (\\Seen))\r\nP2 OK\r\n"), .want = "ready;message 743000000 flags 0;message 4294967295 flags 0;message 7 flags 0;message 7 flags 1;done 2;" },
	{ "a UID beyond everything", .ask = "L1:*", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 4294967296 FLAGS ())\r\n"), .want = "ready;failed peer;" },
	{ "a UID that is none", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 0)\r\n"), .want = "ready;failed peer;" },
	{ "a modseq alone", .ask = "L1:*", .peer = SPAN(LOGGED_IN "* 2 FETCH (MODSEQ (12345) UID 9)\r\n* 2 FETCH (UID 9 MODSEQ (12345) RFC822.SIZE 7)\r\nP2 OK\r\n"),
	  .want = "ready;message 9 size 7;done 2;" },
	{ "a body with its modseq", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (MODSEQ (12345) UID 5 BODY[] \"a\")\r\nP2 OK\r\n"), .want = "ready;begin 5:aend 5;done 2;" },
	{ "heads", .ask = "h5,6;h7", .peer = SPAN(LOGGED_IN "* 2 FETCH (UID 6 BODY[HEADER] {6}\r\nA: b\r\n)\r\n* 1 FETCH (UID 5 FLAGS () BODY[HEADER] \"\")\r\nP2 OK\r\n"
	  "* 3 FETCH (UID 7 BODY[HEADER] {0}\r\n)\r\nP3 OK\r\n"), .want = "ready;head 6:A: b\r\nend 6;head 5:end 5;done 2;head 7:end 7;done 3;",
	  .sent = LOGIN_SENT "P2 UID FETCH 5:6 (UID BODY.PEEK[HEADER])\r\nP3 UID FETCH 7 (UID BODY.PEEK[HEADER])\r\n" },
	{ "head NIL, head missing", .ask = "h5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[HEADER] NIL)\r\nP2 OK x\r\n"),
	  .want = "ready;refused 2 5 peer [x];refused 2 6 peer [x];done 2;" },
	{ "a body is no head", .ask = "h5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] \"a\" BODY[HEADER] \"h\" BODY[HEADER.FIELDS (A)] \"f\")\r\nP2 OK\r\n"),
	  .want = "ready;head 5:hend 5;done 2;" },
	{ "an empty head, told twice", .ask = "h5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[HEADER] \"\")\r\n* 1 FETCH (UID 5 BODY[HEADER] \"x\")\r\nP2 OK\r\n"),
	  .want = "ready;head 5:end 5;done 2;" },
	{ "head before its UID, one of two", .ask = "h5,6", .peer = SPAN(LOGGED_IN "* 1 FETCH (BODY[HEADER] \"a\" UID 5)\r\nP2 OK x\r\n"),
	  .want = "ready;refused 2 5 peer again [x];refused 2 6 peer again [x];done 2;" },
	{ "head cut", .how = EOF_AT_END, .ask = "h5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[HEADER] \"\""), .want = "ready;head 5:failed net;" },
	{ "heads, then bodies", .ask = "h5|f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[HEADER] \"a\")\r\nP2 OK\r\n" STEP "* 1 FETCH (UID 5 BODY[HEADER] \"a\" BODY[] \"b\")\r\nP3 OK\r\n"),
	  .want = "ready;head 5:aend 5;done 2;begin 5:bend 5;done 3;" },
	{ "listing", .ask = "L1:*", .peer = SPAN(LOGGED_IN "* 2 FETCH (UID 9 RFC822.SIZE 12 FLAGS (\\Seen \\Deleted \\Xyz))\r\n* 1 FETCH (FLAGS () UID 5 RFC822.SIZE x)\r\nP2 OK\r\n"),
	  .want = "ready;message 9 flags 3 size 12;message 5 flags 0;done 2;", .sent = LOGIN_SENT "P2 UID FETCH 1:* (UID FLAGS RFC822.SIZE)\r\n" },
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
