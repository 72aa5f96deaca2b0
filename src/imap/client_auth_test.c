/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

#define A15 "aaaaaaaaaaaaaaa"
#define A256 A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a"
#define A4080 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A256 A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" \
	A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a" A15 "a"
#define A4096_OF(octet) octet A4080 A15
#define A4096 A4096_OF("a")

static const struct story_row rows[] = {
	{ "wrong password", .peer = SPAN(CAPA("") "P1 NO s3cret is wrong\r\n"), .want = "failed auth;", .why = "LOGIN was refused; check `user` and `password`" },
	{ "none in common", .mechs = "scram-sha-1", .peer = SPAN(CAPA("AUTH=CRAM-MD5 AUTH=PLAIN")), .want = "failed config;",
	  .why = "it offers CRAM-MD5, PLAIN (and LOGIN, which is `user` in auth)" },
	{ "wrong password, by code", .peer = SPAN(CAPA("") "P1 NO [AUTHENTICATIONFAILED] no\r\n"), .want = "failed auth;", .why = "no" },
	{ "expired", .peer = SPAN(CAPA("") "P1 NO [EXPIRED] no\r\n"), .want = "failed auth;" },
	{ "in use", .peer = SPAN(CAPA("") "P1 NO [INUSE] no\r\n"), .want = "failed busy;", .why = "for now; try again later" },
	{ "unavailable", .peer = SPAN(CAPA("") "P1 NO [UNAVAILABLE] no\r\n"), .want = "failed busy;" },
	{ "privacy required", .peer = SPAN(CAPA("") "P1 NO [PRIVACYREQUIRED] no\r\n"), .want = "failed tls;" },
	{ "alert with a refusal", .peer = SPAN(CAPA("") "P1 NO [ALERT] log in on the web\r\n"), .want = "warning [log in on the web];failed auth;" },
	{ "alert that repeats the password", .peer = SPAN(CAPA("") "* OK [ALERT] s3cret is weak\r\nP1 NO [ALERT] not s3cret\r\n"), .want = "failed auth;" },
	{ "too many, says Gmail", .peer = SPAN(CAPA("") "P1 NO Too many simultaneous connections. (Failure)\r\n"), .want = "failed busy;" },
	{ "Microsoft", .peer = SPAN(CAPA("") "P1 BAD User is authenticated but not connected.\r\n"), .want = "failed busy;" },
	{ "bye after a refusal", .peer = SPAN(CAPA("") "* BYE Autologout\r\nP1 NO\r\n"), .want = "failed net;", .why = "Autologout" },
	{ "logindisabled", .peer = SPAN(CAPA("LOGINDISABLED")), .want = "failed config;", .sent = "" },
	{ "logindisabled in clear", .how = CLEAR_LINE | CLEAR_ALLOWED, .peer = SPAN(CAPA("LOGINDISABLED")), .want = "failed config;", .sent = "" },
	{ "clear text forbidden", .how = CLEAR_LINE, .peer = SPAN(CAPA("AUTH=PLAIN")), .mechs = "plain user", .want = "failed config;",
	  .why = "allow_cleartext", .sent = "" },
	{ "clear text allowed", .how = CLEAR_LINE | CLEAR_ALLOWED, .peer = SPAN(LOGGED_IN), .want = "ready;" },
	{ "quotes and backslashes", .user = "a\"b\\c", .password = SPAN("p\\\"^"), .peer = SPAN(LOGGED_IN), .want = "ready;",
	  .sent = "P1 LOGIN \"a\\\"b\\\\c\" \"p\\\\\\\"^\"\r\n" },
	{ "a password beyond ASCII", .password = SPAN("\xc3\xa9"), .peer = SPAN(CAPA("") "+ go\r\n" IN("")), .want = "ready;",
	  .sent = "P1 LOGIN \"anna\" {2}\r\n\xc3\xa9\r\n" },
	{ "both beyond ASCII", .user = "\xc3\xa9", .password = SPAN("\xc3\xa8"), .peer = SPAN(CAPA("") "+\r\n+ \r\n" IN("")), .want = "ready;",
	  .sent = "P1 LOGIN {2}\r\n\xc3\xa9 {2}\r\n\xc3\xa8\r\n" },
	{ "literal-", .user = "\xc3\xa9", .password = SPAN("\r\nx"), .peer = SPAN(CAPA("LITERAL-") IN("")), .want = "ready;",
	  .sent = "P1 LOGIN {2+}\r\n\xc3\xa9 {3+}\r\n\r\nx\r\n" },
	{ "literal-, but too long for it", .password = SPAN("\xc3" A4096), .peer = SPAN(CAPA("LITERAL-")), .want = "", .sent = "P1 LOGIN \"anna\" {4097}\r\n" },
	{ "literal-, just short enough", .password = SPAN(A4096_OF("\xc3")), .peer = SPAN(CAPA("LITERAL-")), .want = "", .sent = "P1 LOGIN \"anna\" {4096+}\r\n" A4096_OF("\xc3") "\r\n" },
	{ "literal refused", .password = SPAN("\xc3\xa9"), .peer = SPAN(CAPA("") "P1 BAD no\r\n"), .want = "failed auth;",
	  .sent = "P1 LOGIN \"anna\" {2}\r\n" },
	{ "NUL in a password", .password = SPAN("a\0b"), .peer = SPAN(CAPA("")), .want = "failed config;", .sent = "" },
	{ "a continuation too many", .peer = SPAN(CAPA("") "+ more\r\n"), .want = "failed peer;" },
	{ "none on offer", .mechs = "cram-md5", .peer = SPAN(CAPA("AUTH=PLAIN")), .want = "failed config;", .sent = "" },
	{ "no binding, no plus", .mechs = "scram-sha-1-plus", .peer = SPAN(CAPA("AUTH=SCRAM-SHA-1-PLUS")), .want = "failed config;" },
	{ "a refused mechanism, then LOGIN", .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "P1 NO not that\r\nP2 OK [CAPABILITY X]\r\n"),
	  .want = "ready;", .sent = "P1 AUTHENTICATE CRAM-MD5\r\nP2 LOGIN \"anna\" \"s3cret\"\r\n" },
	{ "never weaker in clear after it", .how = CLEAR_LINE | CLEAR_ALLOWED, .mechs = "cram-md5 user", .peer = SPAN(CAPA("AUTH=CRAM-MD5") "P1 NO not that\r\n"),
	  .want = "failed auth;", .sent = "P1 AUTHENTICATE CRAM-MD5\r\n" },
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
