/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

static const struct story_row rows[] = {
	{ "capabilities in greeting and answer", .peer = SPAN(LOGGED_IN), .want = "ready;", .sent = LOGIN_SENT },
	{ "capabilities asked", .peer = SPAN("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nP1 OK\r\nP2 OK\r\n* CAPABILITY MOVE\r\nP3 OK\r\n"), .want = "ready;",
	  .sent = "P1 CAPABILITY\r\nP2 LOGIN \"anna\" \"s3cret\"\r\nP3 CAPABILITY\r\n" },
	{ "told unasked within the login", .peer = SPAN(CAPA("") "* CAPABILITY IMAP4rev1 MOVE\r\nP1 OK\r\n"), .want = "ready;", .sent = LOGIN_SENT },
	{ "CAPABILITY refused", .peer = SPAN("* OK\r\nP1 BAD what\r\nP2 OK\r\n"), .want = "ready;",
	  .sent = "P1 CAPABILITY\r\nP2 LOGIN \"anna\" \"s3cret\"\r\n" },
	{ "not to be asked", .how = NO_CAPA | NO_GREETING, .peer = SPAN(CAPA("LOGINDISABLED") "P1 OK\r\n"), .want = "ready;", .sent = LOGIN_SENT },
	{ "greeting not to be believed", .how = NO_GREETING, .peer = SPAN(CAPA("LOGINDISABLED") "* CAPABILITY X\r\nP1 OK\r\n"), .want = "",
	  .sent = "P1 CAPABILITY\r\nP2 LOGIN \"anna\" \"s3cret\"\r\n" },
	{ "turned away", .peer = SPAN("* BYE not you\r\n"), .want = "failed peer;", .why = "not you", .sent = "" },
	{ "turned away for now", .peer = SPAN("* BYE [UNAVAILABLE] full\r\n"), .want = "failed busy;" },
	{ "too many", .peer = SPAN("* BYE [LIMIT] full\r\n"), .want = "failed busy;" },
	{ "greeting NO", .peer = SPAN("* NO\r\n"), .want = "failed peer;" },
	{ "a POP3 server", .peer = SPAN("+OK hi\r\n"), .want = "failed peer;", .why = "no IMAP", .sent = "" },
	{ "an SMTP server", .peer = SPAN("220 mx ESMTP\r\n"), .want = "failed peer;" },
	{ "TLS on a plain port", .peer = SPAN("\x15\x03\x01"), .want = "failed peer;", .why = "no IMAP" },
	{ "data for a greeting", .peer = SPAN("* 5 EXISTS\r\n"), .want = "failed peer;" },
	{ "no greeting", .how = EOF_AT_END, .peer = SPAN("* OK h"), .want = "failed net;", .why = "before it greeted" },
	{ "capabilities corrupted", .peer = SPAN("* OK\r\n* CAPABILITY\0\0x\r\nP1 OK\r\n"), .want = "failed peer;" },
	{ "gone after CAPABILITY", .how = EOF_AT_END, .peer = SPAN("* OK\r\n* CAPABILITY IMAP4\r\n"), .want = "failed net;", .why = "CAPABILITY" },

	{ "capabilities in lower case, blanks between", .peer = SPAN("* ok hi\r\n*  capability  imap4rev1   logindisabled \r\np1 ok\r\n"), .want = "failed config;" },
	{ "iCloud's capabilities", .mechs = "plain", .peer = SPAN("* OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN] (1925B11-13a715ea5586) st43p00im\r\n" STEP
	  "P1 OK user authenticated\r\n" STEP "* CAPABILITY XAPPLEPUSHSERVICE IMAP4 ENABLE QRESYNC\r\nP2 OK Completed\r\nP3 OK\r\n"), .answers = "a|", .want =
	  "sasl PLAIN first [];sasl PLAIN last [];ready;", .sent = "P1 AUTHENTICATE PLAIN YQ==\r\nP2 CAPABILITY\r\nP3 ENABLE QRESYNC\r\n" },
	{ "capabilities not closed", .peer = SPAN("* OK [CAPABILITY LOGINDISABLED hi\r\n"), .want = "failed config;", .sent = "" },
	{ "capabilities of other shapes", .peer = SPAN("* OK\r\n* CAPABILITY \"X\" (LOGINDISABLED {1}\r\nz) AUTH= =\r\nP1 OK\r\n"), .want = "failed config;" },
	{ "data anywhere", .how = TLS_REQUIRED, .peer = SPAN("* OK\r\n* 3 EXISTS\r\n* FLAGS (x)\r\n* CAPABILITY STARTTLS\r\n* 1 EXPUNGE\r\nP1 OK\r\n* LIST () NIL x\r\nP2 OK\r\n" STEP
	  "* SEARCH 1\r\nP3 OK\r\n* OK still here\r\nP4 OK [CAPABILITY X]\r\n"), .want = "tls;ready;" },
	{ "BYE to CAPABILITY", .peer = SPAN("* OK\r\n* BYE idle for too long\r\n"), .want = "failed net;", .why = "idle for too long" },
	{ "BYE to STARTTLS", .how = TLS_REQUIRED, .peer = SPAN(CAPA("STARTTLS") "* BYE x\r\n"), .want = "failed net;" },
	{ "BYE to LOGIN", .peer = SPAN(CAPA("") "* BYE Session invalidated - AccessTokenExpired\r\n"), .want = "failed net;", .why = "AccessTokenExpired" },
	{ "a message before the login", .peer = SPAN(CAPA("") "* 1 FETCH (UID 5 FLAGS ())\r\n" IN("")), .want = "ready;" },

	/* ---- PREAUTH */
	{ "preauth over TLS", .peer = SPAN("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\n"), .want = "ready;", .sent = "" },
	{ "preauth, capabilities asked", .peer = SPAN("* PREAUTH\r\n* CAPABILITY X\r\nP1 OK\r\n"), .want = "ready;", .sent = "P1 CAPABILITY\r\n" },
	{ "preauth before TLS", .how = TLS_REQUIRED, .peer = SPAN("* PREAUTH [CAPABILITY STARTTLS] hi\r\n"), .want = "failed tls;", .why = "PREAUTH",
	  .sent = "" },
	{ "preauth in clear", .how = CLEAR_LINE, .peer = SPAN("* PREAUTH [CAPABILITY X] hi\r\n"), .want = "ready;" },

	/* ---- STARTTLS */
	{ "starttls", .how = TLS_REQUIRED, .peer = SPAN(CAPA("STARTTLS LOGINDISABLED") "P1 OK\r\n" STEP "* CAPABILITY IMAP4rev1\r\nP2 OK\r\nP3 OK [CAPABILITY X]\r\n"),
	  .want = "tls;ready;", .sent = "P1 STARTTLS\r\nP2 CAPABILITY\r\nP3 LOGIN \"anna\" \"s3cret\"\r\n" },
	{ "starttls, capabilities not told", .how = TLS_REQUIRED, .peer = SPAN("* OK\r\nP1 BAD\r\nP2 OK\r\n" STEP "P3 BAD\r\nP4 OK\r\n"), .want = "tls;ready;" },
	{ "starttls taken away", .how = TLS_REQUIRED | CLEAR_ALLOWED, .peer = SPAN(CAPA("")), .want = "failed tls;", .why = "no STARTTLS", .sent = "" },
	{ "starttls refused", .how = TLS_REQUIRED | CLEAR_ALLOWED, .peer = SPAN(CAPA("STARTTLS") "P1 NO not now\r\n"), .want = "failed tls;", .why = "not now" },
	{ "starttls taken away, not required", .how = TLS | CLEAR_ALLOWED, .peer = SPAN(LOGGED_IN), .want = "ready;", .sent = LOGIN_SENT },
	{ "data before TLS", .how = TLS_REQUIRED, .peer = SPAN(CAPA("STARTTLS") "P1 OK\r\n* CAPABILITY X\r\n" STEP), .want = "tls;failed peer;",
	  .why = "data before TLS" },
	{ "one octet before TLS", .how = TLS_REQUIRED, .peer = SPAN(CAPA("STARTTLS") "P1 OK\r\n*" STEP "P2 OK\r\n"), .want = "tls;failed peer;" },
	{ "gone instead of a handshake", .how = TLS_REQUIRED | EOF_AT_END, .peer = SPAN(CAPA("STARTTLS") "P1 OK\r\n"), .want = "tls;failed net;" },

	/* ---- ID */
	{ "id before and after the login", .how = WITH_ID, .peer = SPAN(CAPA("ID") "* ID NIL\r\nP1 OK\r\nP2 OK [CAPABILITY ID] in\r\nP3 BAD\r\n"),
	  .ask = "n", .want = "ready;", .sent = "P1 ID (\"name\" \"x\")\r\nP2 LOGIN \"anna\" \"s3cret\"\r\nP3 ID (\"name\" \"x\")\r\nP4 NOOP\r\n" },
	{ "id answered late", .how = WITH_ID, .peer = SPAN(CAPA("ID") "P2 OK [CAPABILITY X] in\r\nP1 NO\r\n"), .want = "ready;" },
	{ "id not offered", .how = WITH_ID, .peer = SPAN(LOGGED_IN), .want = "ready;", .sent = LOGIN_SENT },

	/* ---- ENABLE */
	{ "enable", .ask = "n", .peer = SPAN(CAPA("") IN("ENABLE QRESYNC")), .want = "ready;", .sent = LOGIN_SENT "P2 ENABLE QRESYNC\r\nP3 NOOP\r\n" },
	{ "enable behind an asked CAPABILITY, with ID", .how = WITH_ID, .peer = SPAN(CAPA("ENABLE") "P1 OK\r\n* CAPABILITY ID QRESYNC ENABLE\r\nP2 OK\r\n"), .want = "ready;",
	  .sent = LOGIN_SENT "P2 CAPABILITY\r\nP3 ID (\"name\" \"x\")\r\nP4 ENABLE QRESYNC\r\n" },
	{ "enable in lock-step", .how = WITH_ID | LOCKSTEP, .ask = "n", .peer = SPAN(CAPA("") IN("ID ENABLE QRESYNC") "P2 OK\r\n" STEP "P3 BAD no\r\n"), .want = "ready;",
	  .sent = LOGIN_SENT "P2 ID (\"name\" \"x\")\r\nP3 ENABLE QRESYNC\r\nP4 NOOP\r\n" },
	{ "enable not before the login", .peer = SPAN(CAPA("ENABLE QRESYNC")), .want = "", .sent = LOGIN_SENT },
	{ "enable after PREAUTH", .peer = SPAN("* PREAUTH [CAPABILITY ENABLE QRESYNC] hi\r\n"), .want = "ready;", .sent = "P1 ENABLE QRESYNC\r\n" },
	{ "ENABLE, but no QRESYNC", .peer = SPAN(CAPA("") IN("ENABLE CONDSTORE")), .want = "ready;", .sent = LOGIN_SENT },

	/* ---- COMPRESS: what stands behind the OK is fed again, as the inflater would */
	{ "compress", .how = COMPRESS, .ask = "n", .peer = SPAN(CAPA("COMPRESS=DEFLATE") IN("COMPRESS=DEFLATE") STEP "* 3 EXISTS\r\nP2 OK\r\n* OK behind it\r\n" STEP "P3 OK\r\n"),
	  .want = "compress;ready;done 3;", .sent = LOGIN_SENT "P2 COMPRESS DEFLATE\r\nP3 NOOP\r\n" },
	{ "compress behind ID and ENABLE", .how = COMPRESS | WITH_ID, .ask = "n", .peer = SPAN(CAPA("") IN("ID ENABLE QRESYNC COMPRESS=DEFLATE") STEP
	  "P2 OK\r\nP4 OK\r\n* ENABLED QRESYNC\r\nP3 OK\r\n" STEP "P5 OK\r\n"), .want = "compress;ready;done 5;",
	  .sent = LOGIN_SENT "P2 ID (\"name\" \"x\")\r\nP3 ENABLE QRESYNC\r\nP4 COMPRESS DEFLATE\r\nP5 NOOP\r\n" },
	{ "compress in lock-step", .how = COMPRESS | LOCKSTEP, .ask = "n", .peer = SPAN(CAPA("") IN("ENABLE QRESYNC COMPRESS=DEFLATE") STEP "P2 OK\r\n" STEP "P3 OK\r\n"),
	  .want = "compress;ready;", .sent = LOGIN_SENT "P2 ENABLE QRESYNC\r\nP3 COMPRESS DEFLATE\r\nP4 NOOP\r\n" },
	{ "nothing before its answer", .how = COMPRESS, .ask = "n", .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE") STEP "* 3 EXISTS\r\n"), .want = "",
	  .sent = LOGIN_SENT "P2 COMPRESS DEFLATE\r\n" },
	{ "compress refused", .how = COMPRESS, .ask = "n", .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE") STEP "P2 NO [COMPRESSIONACTIVE] by TLS\r\n"), .want = "ready;",
	  .sent = LOGIN_SENT "P2 COMPRESS DEFLATE\r\nP3 NOOP\r\n" },
	{ "compress unknown", .how = COMPRESS, .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE") STEP "P2 BAD what\r\n"), .want = "ready;" },
	{ "compress not offered after the login", .how = COMPRESS, .peer = SPAN(CAPA("COMPRESS=DEFLATE") IN("COMPRESS=LZ4")), .want = "ready;", .sent = LOGIN_SENT },
	{ "compress answered before it was asked", .how = COMPRESS, .ask = "n", .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE") "P2 OK\r\n* 3 EXISTS\r\nP3 OK\r\n"),
	  .want = "compress;ready;done 3;", .sent = LOGIN_SENT "P2 COMPRESS DEFLATE\r\nP3 NOOP\r\n" },
	{ "compress not wanted", .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE")), .want = "ready;", .sent = LOGIN_SENT },
	{ "gone instead of an answer", .how = COMPRESS | EOF_AT_END, .peer = SPAN(CAPA("") IN("COMPRESS=DEFLATE") STEP), .want = "failed net;", .why = "COMPRESS" },
	{ "id in lock-step", .how = WITH_ID | LOCKSTEP, .peer = SPAN(CAPA("ID")), .want = "", .sent = "P1 ID (\"name\" \"x\")\r\n" },
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
