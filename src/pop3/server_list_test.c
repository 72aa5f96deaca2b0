/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define FIRST "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"

static const struct server_row rows[] = {
	{ "capa, nothing but the least", .how = NO_USER, .peer = SPAN("CAPA\r\n"), .want = "", .sent = HI FIRST "UTF8\r\nLANG\r\n.\r\n" },
	{ "capa, user", .peer = SPAN("CAPA\r\n"), .want = "", .sent = HI FIRST "USER\r\nUTF8\r\nLANG\r\n.\r\n" },
	{ "capa, everything", .how = CAN_TLS | UTF8_USER, .mechs = MECH(PLAIN) | MECH(SCRAM_SHA_256) | MECH(APOP), .login_delay_s = 60, .expire_days = 30,
	  .implementation = "Postrider", .peer = SPAN("CAPA\r\n"), .want = "",
	  .sent = HI FIRST "USER\r\nSASL SCRAM-SHA-256 PLAIN\r\nSTLS\r\nUTF8 USER\r\nLANG\r\nLOGIN-DELAY 60\r\nEXPIRE 30\r\nIMPLEMENTATION Postrider\r\n.\r\n" },
	{ "messages never expire", .expire_days = P3D_EXPIRE_NEVER, .peer = SPAN("CAPA\r\n"), .want = "", .sent = HI FIRST "USER\r\nUTF8\r\nLANG\r\nEXPIRE NEVER\r\n.\r\n" },
	{ "no STLS inside TLS", .how = SECURE | CAN_TLS, .peer = SPAN("CAPA\r\n"), .want = "", .sent = HI FIRST "USER\r\nUTF8\r\nLANG\r\n.\r\n" },
	{ "other tags behind TLS", .how = CAN_TLS | NO_USER, .mechs = MECH(CRAM_MD5), .mechs_secure = MECH(PLAIN), .peer = SPAN("CAPA\r\nSTLS\r\n" STEP "CAPA\r\n"), .want = "tls;",
	  .sent = HI FIRST "SASL CRAM-MD5\r\nSTLS\r\nUTF8\r\nLANG\r\n.\r\n+OK begin TLS\r\n" FIRST "USER\r\nSASL PLAIN\r\nUTF8\r\nLANG\r\n.\r\n" },
	{ "after login no STLS, else the same", .how = CAN_TLS, .mechs = MECH(PLAIN), .peer = SPAN(IN "CAPA\r\n"), .want = IN_WANT,
	  .sent = IN_SENT FIRST "USER\r\nSASL PLAIN\r\nUTF8\r\nLANG\r\n.\r\n" },
	{ "capa with an argument", .peer = SPAN("CAPA all\r\n"), .want = "", .sent = HI "-ERR wrong number of arguments\r\n" },
	{ "implementation cannot break lines", .how = NO_USER, .implementation = "a\r\n.\r\n", .peer = SPAN("CAPA\r\n"), .want = "",
	  .sent = HI FIRST "UTF8\r\nLANG\r\nIMPLEMENTATION a??.??\r\n.\r\n" },
	{ "all mechanisms at once", .mechs = (1U << SASL_MECHS) - 1, .peer = SPAN("CAPA\r\n"), .want = "",
	  .sent = HI FIRST "USER\r\nSASL EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 OAUTHBEARER XOAUTH2 GSSAPI DIGEST-MD5 CRAM-MD5 NTLM PLAIN LOGIN\r\n"
	  "UTF8\r\nLANG\r\n.\r\n" },
	{ "lang, before and after login", .peer = SPAN("LANG\r\n" IN "LANG \r\n"), .want = IN_WANT,
	  .sent = HI "+OK\r\nen English\r\ni-default English\r\n.\r\n+OK\r\n+OK 3 messages\r\n+OK\r\nen English\r\ni-default English\r\n.\r\n" },
	{ "a language is chosen", .peer = SPAN("LANG EN\r\nLANG i-default\r\nLANG *\r\n"), .want = "", .sent = HI "+OK en English\r\n+OK i-default English\r\n+OK en English\r\n" },
	{ "a language that is none", .peer = SPAN("LANG MUL\r\nLANG de\r\nLANG en de\r\nLANG e\r\n"), .want = "",
	  .sent = HI "-ERR no such language\r\n-ERR no such language\r\n-ERR wrong number of arguments\r\n-ERR no such language\r\n" },
};

static void rows_at_every_split(void **state)
{
	(void)state;
	server_story_run(rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
