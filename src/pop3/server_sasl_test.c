/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define ALL (MECH(PLAIN) | MECH(LOGIN) | MECH(CRAM_MD5) | MECH(SCRAM_SHA_1) | MECH(EXTERNAL))
#define PLAIN_GIVEN "AGFubmEAczNjcmV0"	/* _anna_s3cret */

static const struct server_row rows[] = {
	{ "plain with an initial response", .mechs = ALL, .peer = SPAN("AUTH PLAIN " PLAIN_GIVEN "\r\n"), .want = "sasl PLAIN first [_anna_s3cret];",
	  .sent = HI "+OK 3 messages\r\n" },
	{ "plain, asked for", .mechs = ALL, .answers = "+|ok", .peer = SPAN("AUTH PLAIN\r\n" PLAIN_GIVEN "\r\n"),
	  .want = "sasl PLAIN first;sasl PLAIN [_anna_s3cret];", .sent = HI "+ \r\n+OK 3 messages\r\n" },
	{ "any case", .mechs = ALL, .peer = SPAN("auth plain " PLAIN_GIVEN "\r\n"), .want = "sasl PLAIN first [_anna_s3cret];" },
	{ "commands pipelined behind it", .mechs = ALL, .peer = SPAN("AUTH PLAIN " PLAIN_GIVEN "\r\nSTAT\r\nQUIT\r\n"),
	  .want = "sasl PLAIN first [_anna_s3cret];bye good;", .sent = HI "+OK 3 messages\r\n+OK 3 67\r\n+OK\r\n" },
	{ "an empty initial response", .mechs = ALL, .peer = SPAN("AUTH EXTERNAL =\r\n"), .want = "sasl EXTERNAL first [];", .sent = HI "+OK 3 messages\r\n" },
	{ "an empty response", .mechs = ALL, .answers = "+|ok", .peer = SPAN("AUTH EXTERNAL\r\n\r\n"), .want = "sasl EXTERNAL first;sasl EXTERNAL [];" },
	{ "login", .mechs = ALL, .answers = "+Username:|+Password:|ok", .peer = SPAN("AUTH LOGIN\r\nYW5uYQ==\r\nczNjcmV0\r\n"),
	  .want = "sasl LOGIN first;sasl LOGIN [anna];sasl LOGIN [s3cret];", .sent = HI "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK 3 messages\r\n" },
	{ "cram-md5", .mechs = ALL, .answers = "+<1@h>|auth", .peer = SPAN("AUTH CRAM-MD5\r\nYW5uYSAwMA==\r\nSTAT\r\n"), .want = "sasl CRAM-MD5 first;sasl CRAM-MD5 [anna 00];",
	  .sent = HI "+ PDFAaD4=\r\n-ERR [AUTH] authentication failed\r\n-ERR not before the login\r\n" },
	{ "data with success is a challenge", .mechs = ALL, .answers = "+r=s|+v=p|ok", .peer = SPAN("AUTH SCRAM-SHA-1 bj1h\r\nYz1i\r\n\r\nSTAT\r\n"),
	  .want = "sasl SCRAM-SHA-1 first [n=a];sasl SCRAM-SHA-1 [c=b];sasl SCRAM-SHA-1 [];", .sent = HI "+ cj1z\r\n+ dj1w\r\n+OK 3 messages\r\n+OK 3 67\r\n" },
	{ "refused at the first step", .mechs = ALL, .answers = "auth|ok", .peer = SPAN("AUTH PLAIN AAAA\r\n" IN), .want = "sasl PLAIN first [___];" IN_WANT,
	  .sent = HI "-ERR [AUTH] authentication failed\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "cancelled", .mechs = ALL, .answers = "+|ok", .peer = SPAN("AUTH PLAIN\r\n*\r\n" IN), .want = "sasl PLAIN first;over PLAIN;" IN_WANT,
	  .sent = HI "+ \r\n-ERR cancelled\r\n+OK\r\n+OK 3 messages\r\n" },
	{ "no base64", .mechs = ALL, .answers = "+", .peer = SPAN("AUTH PLAIN\r\nQUIT!\r\nQUIT\r\n"), .want = "sasl PLAIN first;over PLAIN;bye good;",
	  .sent = HI "+ \r\n-ERR the response is not base64\r\n+OK\r\n" },
	{ "stray bits, padding, =", .mechs = ALL, .answers = "+|+|+", .peer = SPAN("AUTH PLAIN\r\nZh==\r\nAUTH PLAIN\r\nZg\r\nAUTH LOGIN\r\n=\r\n"),
	  .want = "sasl PLAIN first;over PLAIN;sasl PLAIN first;over PLAIN;sasl LOGIN first;over LOGIN;" },
	{ "a NUL in a response", .mechs = ALL, .answers = "+", .peer = SPAN("AUTH PLAIN\r\nAAA\0\r\n"), .want = "sasl PLAIN first;over PLAIN;",
	  .sent = HI "+ \r\n-ERR the response is not base64\r\n" },
	{ "no base64 in an initial response", .mechs = ALL, .peer = SPAN("AUTH PLAIN AAA\r\nAUTH PLAIN *\r\nAUTH PLAIN ==\r\n"), .want = "",
	  .sent = HI "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n" },
	{ "gone in the middle", .mechs = ALL, .how = EOF_AT_END, .answers = "+", .peer = SPAN("AUTH PLAIN\r\nAAAA"), .want = "sasl PLAIN first;gone;" },
	{ "not offered, unknown, and what is no SASL", .mechs = MECH(PLAIN) | MECH(APOP), .peer = SPAN("AUTH LOGIN\r\nAUTH NTLM\r\nAUTH x\r\nAUTH USER\r\nAUTH APOP\r\n"), .want = "",
	  .sent = HI "-ERR that mechanism is not offered here\r\n-ERR that mechanism is not offered here\r\n-ERR that mechanism is not offered here\r\n"
	  "-ERR that mechanism is not offered here\r\n-ERR that mechanism is not offered here\r\n" },
	{ "AUTH alone lists, so it does with a blank", .mechs = ALL, .peer = SPAN("AUTH\r\nAUTH \r\n"), .want = "",
	  .sent = HI "+OK\r\nEXTERNAL\r\nSCRAM-SHA-1\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\n.\r\n+OK\r\nEXTERNAL\r\nSCRAM-SHA-1\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\n.\r\n" },
	{ "AUTH alone, and nothing to list", .peer = SPAN("AUTH\r\n"), .want = "", .sent = HI "+OK\r\n.\r\n" },
	{ "other mechanisms behind TLS", .how = CAN_TLS, .mechs = MECH(CRAM_MD5), .mechs_secure = MECH(PLAIN), .peer = SPAN("AUTH PLAIN AAAA\r\nSTLS\r\n" STEP "AUTH PLAIN AAAA\r\n"),
	  .want = "tls;sasl PLAIN first [___];", .sent = HI "-ERR that mechanism is not offered here\r\n+OK begin TLS\r\n+OK 3 messages\r\n" },
	{ "too many arguments", .mechs = ALL, .peer = SPAN("AUTH PLAIN AAAA AAAA\r\n"), .want = "", .sent = HI "-ERR wrong number of arguments\r\n" },
	{ "a USER before it is forgotten, also by one that is cancelled", .mechs = ALL, .answers = "+", .peer = SPAN("USER anna\r\nAUTH LOGIN\r\n*\r\nPASS x\r\n"),
	  .want = "sasl LOGIN first;over LOGIN;", .sent = HI "+OK\r\n+ \r\n-ERR cancelled\r\n-ERR USER comes first\r\n" },
	{ "a USER before it is forgotten", .mechs = ALL, .answers = "auth", .peer = SPAN("USER anna\r\nAUTH PLAIN AAAA\r\nPASS x\r\n"), .want = "sasl PLAIN first [___];",
	  .sent = HI "+OK\r\n-ERR [AUTH] authentication failed\r\n-ERR USER comes first\r\n" },
};

static void rows_at_every_split(void **state)
{
	(void)state;
	server_story_run(rows, COUNT(rows));
}

/* `digits` of base64 behind `head`, whole and cut at some places. */
static void long_line(const char *head, size_t digits, const char *answers, const char *want, const char *end)
{
	size_t head_len = strlen(head), len = head_len + digits + 2;
	char *peer = malloc(len), *sent = malloc(8192);
	struct server_row row = { .name = head, .mechs = ALL, .answers = answers, .want = want, .sent = sent };
	const size_t cuts[] = { 0, 4, 5, 6, 254, 255, 256, 510, 511, 512, 513, 4096, len - 3, len - 2, len - 1, len };

	memcpy(peer, head, head_len);
	memset(peer + head_len, 'A', digits);
	memcpy(peer + len - 2, "\r\n", 2);
	(void)snprintf(sent, 8192, HI "%s", end);
	row.peer = (struct span){ peer, len };
	for (size_t i = 0; i < COUNT(cuts); i++)
		for (unsigned way = 0; way < SERVER_WAYS; way++)
			server_story_way(&row, cuts[i] < len ? cuts[i] : len, false, way);
	server_story_way(&row, 0, true, 0);
	free(peer);
	free(sent);
}

static void lines_up_to_16_kib(void **state)
{
	const size_t line = P3D_AUTH_MAX - 2, head = strlen("AUTH PLAIN ");

	(void)state;
	assert_int_equal((line - head) % 4, 3);
	long_line("AUTH PLAIN ", 600, NULL, "sasl PLAIN first [much];", "+OK 3 messages\r\n");
	long_line("AUTH PLAIN ", line - head - 3, NULL, "sasl PLAIN first [much];", "+OK 3 messages\r\n");
	long_line("AUTH PLAIN ", line - head, NULL, "", "-ERR wrong arguments\r\n");
	long_line("AUTH PLAIN ", line - head + 1, NULL, "overlong;", "-ERR the line is too long\r\n");
	long_line("AUTH PLAIN\r\n", 5000, "+|ok", "sasl PLAIN first;sasl PLAIN [much];", "+ \r\n+OK 3 messages\r\n");
	long_line("AUTH PLAIN\r\n", line + 1, "+|ok", "sasl PLAIN first;overlong;", "+ \r\n-ERR the line is too long\r\n");
}

/* The largest challenge fits into the smallest out, whatever was in it before. */
static void a_challenge_of_any_size(void **state)
{
	(void)state;
	for (size_t size = 0; size <= P3D_CHALLENGE_MAX; size += size < 8 ? 1 : 6) {
		char answers[P3D_CHALLENGE_MAX + 2];
		struct server_row row = { "challenge", .mechs = ALL, .answers = answers, .peer = SPAN("CAPA\r\nCAPA\r\nCAPA\r\nCAPA\r\nCAPA\r\nAUTH LOGIN\r\n"),
			.want = "sasl LOGIN first;" };
		struct server_story t;

		memset(answers, 'x', sizeof answers);
		answers[0] = '+';
		answers[size + 1] = '\0';
		server_story_start(&t, &row);
		t.lazy = true;
		server_story_play(&t, row.peer, 0, false);
		server_story_is(&t, 0);
		assert_true(t.sent.len > 4 + (size + 2) / 3 * 4);
		assert_memory_equal(t.sent.at + t.sent.len - 4 - (size + 2) / 3 * 4, "+ ", 2);
		server_story_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_every_split),
		cmocka_unit_test(lines_up_to_16_kib),
		cmocka_unit_test(a_challenge_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
