/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

static const struct story_row rows[] = {
	{ "initial response", .mechs = "plain", .peer = SPAN(CAPA("AUTH=PLAIN SASL-IR") STEP "P1 OK [CAPABILITY X]\r\n" STEP), .answers = "abc|",
	  .want = "sasl PLAIN first [];sasl PLAIN last [];ready;", .sent = "P1 AUTHENTICATE PLAIN YWJj\r\n" },
	{ "an empty one", .mechs = "external", .peer = SPAN(CAPA("AUTH=EXTERNAL SASL-IR") STEP "P1 OK [CAPABILITY X]\r\n" STEP), .answers = "|",
	  .want = "sasl EXTERNAL first [];sasl EXTERNAL last [];ready;", .sent = "P1 AUTHENTICATE EXTERNAL =\r\n" },
	{ "no SASL-IR", .mechs = "plain", .peer = SPAN(CAPA("AUTH=PLAIN") "+ \r\n" STEP "P1 OK [CAPABILITY X]\r\n" STEP), .answers = "abc|",
	  .want = "sasl PLAIN first [];sasl PLAIN last [];ready;", .sent = "P1 AUTHENTICATE PLAIN\r\nYWJj\r\n" },
	{ "SASL-IR not read", .mechs = "plain", .peer = SPAN(CAPA("AUTH=PLAIN SASL-IR") STEP "+\r\n" STEP "P1 OK [CAPABILITY X]\r\n" STEP), .answers = "abc|abc|",
	  .want = "sasl PLAIN first [];sasl PLAIN first [];sasl PLAIN last [];ready;" },
	{ "challenge", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "* 3 EXISTS\r\nP1 OK [CAPABILITY X]\r\n" STEP), .answers = "abc|",
	  .want = "sasl CRAM-MD5 first [hello];sasl CRAM-MD5 last [];ready;", .sent = "P1 AUTHENTICATE CRAM-MD5\r\nYWJj\r\n" },
	{ "id's answer meanwhile", .how = WITH_ID, .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5 ID") "+ aGVsbG8=\r\nP1 OK\r\n" STEP "P2 OK [CAPABILITY X]\r\n" STEP),
	  .answers = "abc|", .want = "sasl CRAM-MD5 first [hello];sasl CRAM-MD5 last [];ready;" },
	{ "no base64", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ !!\r\nP1 BAD cancelled\r\n"), .want = "failed peer;", .why = "base64",
	  .sent = "P1 AUTHENTICATE CRAM-MD5\r\n*\r\n" },
	{ "cancelled by us", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "P1 BAD\r\nP2 OK [CAPABILITY X]\r\n"), .answers = "!",
	  .want = "sasl CRAM-MD5 first [hello];ready;", .sent = "P1 AUTHENTICATE CRAM-MD5\r\n*\r\nP2 LOGIN \"anna\" \"s3cret\"\r\n" },
	{ "a false proof", .mechs = "scram-sha-1 user", .peer = SPAN(CAPA("AUTH=SCRAM-SHA-1") "+\r\n" STEP "+ aGVsbG8=\r\n" STEP "P1 NO\r\n"), .answers = "a|!!",
	  .want = "sasl SCRAM-SHA-1 first [];sasl SCRAM-SHA-1 [hello];failed auth;", .why = "the proof is false" },
	{ "no base64 where the proof has to be", .mechs = "scram-sha-1 user", .peer = SPAN(CAPA("AUTH=SCRAM-SHA-1 SASL-IR") STEP "+ cj0x\r\n" STEP "+ !!\r\nP1 BAD\r\n"),
	  .answers = "n|c", .want = "sasl SCRAM-SHA-1 first [];sasl SCRAM-SHA-1 [r=1];failed auth;", .why = "not base64" },
	{ "no base64 before our proof", .mechs = "scram-sha-1 user", .peer = SPAN(CAPA("AUTH=SCRAM-SHA-1 SASL-IR") STEP "+ !!\r\nP1 BAD\r\nP2 OK [CAPABILITY X]\r\n"),
	  .answers = "n", .want = "sasl SCRAM-SHA-1 first [];ready;" },
	{ "on and on behind our proof", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "+ aGVsbG8=\r\n" STEP "P1 BAD\r\n"),
	  .answers = "a|!", .want = "sasl CRAM-MD5 first [hello];sasl CRAM-MD5 [hello];failed peer;", .why = "the caller cannot",
	  .sent = "P1 AUTHENTICATE CRAM-MD5\r\nYQ==\r\n*\r\n" },
	{ "the same, without base64", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "+ !!\r\nP1 BAD\r\n"),
	  .answers = "a", .want = "sasl CRAM-MD5 first [hello];failed peer;", .why = "base64" },
	{ "cancelled and accepted", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "P1 OK\r\n"), .answers = "!", .want =
	  "sasl CRAM-MD5 first [hello];failed peer;" },
	{ "accepted before we spoke", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "P1 OK\r\n"), .want = "failed peer;" },
	{ "refused after a response", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n" STEP "P1 NO bad password\r\n"), .answers = "a",
	  .want = "sasl CRAM-MD5 first [hello];failed auth;", .why = "bad password" },
	{ "it speaks while we compute", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n+ aGVsbG8=\r\n"),
	  .want = "sasl CRAM-MD5 first [hello];failed peer;" },
	{ "BYE in between", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\n* BYE [UNAVAILABLE] x\r\n"), .answers = "abc",
	  .want = "sasl CRAM-MD5 first [hello];failed busy;" },
	{ "it ends while we compute", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+ aGVsbG8=\r\nP1 OK\r\n"),
	  .want = "sasl CRAM-MD5 first [hello];failed peer;" },
	{ "without end", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP
	  "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n" STEP "+\r\n"), .why = "without end" },
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
