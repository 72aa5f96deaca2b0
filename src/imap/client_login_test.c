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
