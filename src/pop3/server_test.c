/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define TEN(text) text text text text text text text text text text
#define HUNDRED(text) TEN(TEN(text))
#define BAD "-ERR unknown command\r\n"

/* Lines: how long, what in them, how many in a row; and the ends. */
static const struct server_row rows[] = {
	{ "silence", .peer = SPAN(""), .want = "", .sent = HI },
	{ "gone at once", .how = EOF_AT_END, .peer = SPAN(""), .want = "gone;", .sent = HI },
	{ "quit before login", .peer = SPAN("QUIT\r\n"), .want = "bye good;", .sent = HI "+OK\r\n" },
	{ "quit after login, nothing done", .peer = SPAN(IN "QUIT\r\n"), .want = IN_WANT "bye good;", .sent = IN_SENT "+OK\r\n" },
	{ "what comes behind QUIT counts not", .peer = SPAN("QUIT\r\nUSER anna\r\nNOOP\r\n"), .want = "bye good;", .sent = HI "+OK\r\n" },
	{ "a QUIT without its line end is none", .how = EOF_AT_END, .peer = SPAN("QUIT"), .want = "gone;", .sent = HI },
	{ "closed behind QUIT", .how = EOF_AT_END, .peer = SPAN(IN "QUIT\r\n"), .want = IN_WANT "bye good;", .sent = IN_SENT "+OK\r\n" },
	{ "half closed, and still answered", .how = EOF_AT_END, .peer = SPAN(IN "STAT\r\nSTAT"), .want = IN_WANT "gone;",
	  .sent = IN_SENT "+OK 3 67\r\n" },
	{ "gone without QUIT, nothing is committed", .how = EOF_AT_END, .peer = SPAN(IN "DELE 1\r\nRETR 3\r\n"),
	  .want = IN_WANT "retr 3;body 3;gone;", .sent = IN_SENT "+OK\r\n+OK 8 octets\r\nno end\r\n.\r\n" },
	{ "lone LFs end lines", .peer = SPAN("USER anna\nPASS s3cret\nQUIT\n"), .want = IN_WANT "bye good;", .sent = IN_SENT "+OK\r\n" },
	{ "any case", .peer = SPAN("user anna\r\nPaSs s3cret\r\nstat\r\nqUIT\r\n"), .want = IN_WANT "bye good;", .sent = IN_SENT "+OK 3 67\r\n+OK\r\n" },
	{ "an empty line", .peer = SPAN("\r\nQUIT\r\n"), .want = "bye good;", .sent = HI BAD "+OK\r\n" },
	{ "an empty line that is a lone LF", .peer = SPAN("\nQUIT\r\n"), .want = "bye good;", .sent = HI BAD "+OK\r\n" },
	{ "a colon", .peer = SPAN(":\r\nQUIT\r\n"), .want = "bye good;", .sent = HI BAD "+OK\r\n" },
	{ "a colon after login", .peer = SPAN(IN ":\r\n\r\nSTAT\r\n"), .want = IN_WANT, .sent = IN_SENT BAD BAD "+OK 3 67\r\n" },
	{ "a blank in front", .peer = SPAN(" QUIT\r\n"), .want = "", .sent = HI BAD },
	{ "blanks behind", .peer = SPAN(IN "STAT \r\nLIST  2  \r\nNOOP   \r\nQUIT  \r\n"), .want = IN_WANT "bye good;",
	  .sent = IN_SENT "+OK 3 67\r\n+OK 2 19\r\n+OK\r\n+OK\r\n" },
	{ "a NUL in a command", .peer = SPAN(IN "STAT\0x\r\nSTAT\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "-ERR control octets in a command\r\n+OK 3 67\r\n" },
	{ "NUL, and the line is answered once", .peer = SPAN("\0\r\nUSER\0anna\r\nQUIT\0\r\nQUIT\r\n"), .want = "bye good;",
	  .sent = HI "-ERR control octets in a command\r\n-ERR control octets in a command\r\n-ERR control octets in a command\r\n+OK\r\n" },
	{ "a lone CR in a command", .peer = SPAN("USER anna\rPASS x\r\nQUIT\r\r\nQUIT\r\n"), .want = "bye good;",
	  .sent = HI "-ERR control octets in a command\r\n-ERR control octets in a command\r\n+OK\r\n" },
	{ "a tab, a bell, a DEL", .peer = SPAN("USER\tanna\r\n\aQUIT\r\nQUIT\x7f\r\n"), .want = "",
	  .sent = HI "-ERR control octets in a command\r\n-ERR control octets in a command\r\n-ERR control octets in a command\r\n" },
	{ "octets above 127 are no command", .peer = SPAN("\xff\xfe\r\nSTAT\xc3\xa4\r\n"), .want = "", .sent = HI BAD BAD },
	{ "254 octets and more are never echoed", .peer = SPAN("x" HUNDRED("ab") "\r\nQUIT\r\n"), .want = "bye good;", .sent = HI BAD "+OK\r\n" },
	{ "255 octets, taken", .peer = SPAN("USER " HUNDRED("ab") TEN("abcd") "abcdefgh\r\nPASS x\r\n"),
	  .want = "login USER [" HUNDRED("ab") TEN("abcd") "abcdefgh] [x];", .sent = IN_SENT },
	{ "256 octets, refused", .peer = SPAN("USER " HUNDRED("ab") TEN("abcd") "abcdefghi\r\nPASS x\r\nQUIT\r\n"), .want = "bye good;",
	  .sent = HI "-ERR the command is too long\r\n-ERR USER comes first\r\n+OK\r\n" },
	{ "256 with a lone LF", .peer = SPAN("USER " HUNDRED("ab") TEN("abcd") "abcdefghij\nQUIT\r\n"), .want = "bye good;",
	  .sent = HI "-ERR the command is too long\r\n+OK\r\n" },
	{ "512 octets, refused", .peer = SPAN(HUNDRED("abcde") TEN("a") "\r\nQUIT\r\n"), .want = "bye good;",
	  .sent = HI "-ERR the command is too long\r\n+OK\r\n" },
	{ "513 octets, the end", .peer = SPAN(HUNDRED("abcde") TEN("a") "b\r\nQUIT\r\n"), .want = "overlong;", .sent = HI "-ERR the line is too long\r\n" },
	{ "512 octets and no line end, the end", .peer = SPAN(HUNDRED("abcde") TEN("a") "bc"), .want = "overlong;",
	  .sent = HI "-ERR the line is too long\r\n" },
	{ "511 octets and no line end", .how = UNREAD, .peer = SPAN(HUNDRED("abcde") TEN("a") "b"), .want = "", .sent = HI },
	{ "600 octets", .peer = SPAN(HUNDRED("abcdef")), .want = "overlong;", .sent = HI "-ERR the line is too long\r\n" },
	{ "600 octets after login", .peer = SPAN(IN HUNDRED("abcdef") "\r\n"), .want = IN_WANT "overlong;", .sent = IN_SENT "-ERR the line is too long\r\n" },
	{ "600 octets of AUTH after login", .peer = SPAN(IN "AUTH PLAIN " HUNDRED("abcdef")), .want = IN_WANT "overlong;" },
	{ "600 octets of a PASS", .peer = SPAN("USER anna\r\nPASS " HUNDRED("abcdef") "\r\n"), .want = "overlong;" },
	{ "octets behind an overlong line", .peer = SPAN(HUNDRED("abcdef") "\r\nQUIT\r\n"), .want = "overlong;", .sent = HI "-ERR the line is too long\r\n" },
	{ "15 in a row, then a command", .peer = SPAN("x\r\n" "a\r\na\r\na\r\na\r\n" TEN("x\r\n") "QUIT\r\n"), .want = "bye good;" },
	{ "16 in a row", .peer = SPAN(TEN("x\r\n") "a\r\na\r\na\r\na\r\na\r\na\r\nQUIT\r\n"), .want = "bye;",
	  .sent = HI TEN(BAD) BAD BAD BAD BAD BAD "-ERR too many lines that are no commands\r\n" },
	{ "a command between them counts anew", .peer = SPAN(TEN("x\r\n") "CAPA x\r\nUSER a\r\n" TEN("x\r\n") "QUIT\r\n"), .want = "bye good;" },
	{ "many refusals are no garbage", .peer = SPAN(IN TEN("RETR 9\r\nDELE 0\r\n") "QUIT\r\n"), .want = IN_WANT "bye good;" },
	{ "wrong states", .peer = SPAN("STAT\r\nNOOP\r\nRSET\r\nLIST\r\nUIDL\r\nDELE 1\r\nRETR 1\r\nTOP 1 0\r\nXTND XMIT\r\n"), .want = "",
	  .sent = HI "-ERR not before the login\r\n-ERR not before the login\r\n-ERR not before the login\r\n-ERR not before the login\r\n"
	  "-ERR not before the login\r\n-ERR not before the login\r\n-ERR not before the login\r\n-ERR not before the login\r\n-ERR not before the login\r\n" },
	{ "wrong states after login", .peer = SPAN(IN "USER a\r\nPASS a\r\nAPOP a b\r\nAUTH\r\nSTLS\r\nUTF8\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "-ERR not after the login\r\n-ERR not after the login\r\n-ERR not after the login\r\n-ERR not after the login\r\n"
	  "-ERR not after the login\r\n-ERR not after the login\r\n" },
	{ "LAST is not offered", .peer = SPAN(IN "LAST\r\n"), .want = IN_WANT, .sent = IN_SENT BAD },
	{ "a TLS hello on a clear port", .peer = SPAN("\x16\x03\x01\x02\n\x01\r\nQUIT\r\n"), .want = "hello;",
	  .sent = HI "-ERR this port speaks POP3 first, not TLS: use STLS, or the port for POP3 over TLS\r\n" },
	{ "0x16 and no hello", .peer = SPAN("\x16QUIT\r\nQUIT\r\n"), .want = "bye good;", .sent = HI "-ERR control octets in a command\r\n+OK\r\n" },
	{ "0x16 alone", .how = UNREAD, .peer = SPAN("\x16"), .want = "", .sent = HI },
	{ "0x16 alone, and gone", .how = EOF_AT_END, .peer = SPAN("\x16"), .want = "gone;", .sent = HI },
	{ "a hello later is none", .how = UNREAD, .peer = SPAN("NOOP\r\n\x16\x03\x01"), .want = "", .sent = HI "-ERR not before the login\r\n" },
	{ "a hello inside TLS is none", .how = SECURE | UNREAD, .peer = SPAN("\x16\x03\x01"), .want = "", .sent = HI },
	{ "the server stops: the next command is told", .how = STOPPED, .peer = SPAN("NOOP\r\nQUIT\r\n"), .want = "bye;",
	  .sent = HI "-ERR [SYS/TEMP] the server stops\r\n" },
	{ "a stamped greeting", .greeting = "ready <1.2@host>", .peer = SPAN(""), .want = "", .sent = "+OK ready <1.2@host>\r\n" },
	{ "a greeting cannot break lines", .greeting = "a\r\n+OK b\x80", .peer = SPAN(""), .want = "", .sent = "+OK a??+OK b?\r\n" },
};

static void rows_at_every_split(void **state)
{
	(void)state;
	server_story_run(rows, COUNT(rows));
}

static const struct p3d_settings plain = { .greeting = "hi", .mechs = MECH(USER), .stls = true };

static void small_while_idle(void **state)
{
	(void)state;
	assert_true(p3d_size() <= 512);
}

/* A reply never needs more room than an empty out has, and is never cut. */
static void out_is_filled_and_emptied(void **state)
{
	struct p3d *s = malloc(p3d_size());
	char memory[P3D_OUT_MIN];
	struct p3d_event ev;
	struct buf out;
	size_t sends = 0, replies = 0;
	char in[6 * 2000];

	(void)state;
	for (size_t i = 0; i < sizeof in; i += 6)
		memcpy(in + i, i % 12 ? "QUITX\n" : "LANG *", 6);
	for (size_t i = 6; i < sizeof in; i += 12)
		memcpy(in + i, "     \n", 6);
	buf_lend(&out, memory, sizeof memory);
	p3d_start(s, &plain);
	p3d_feed(s, (struct span){ in, sizeof in });
	while (p3d_next(s, &out, &ev)) {
		assert_int_equal(ev.what, P3D_SEND);
		assert_true(out.len > sizeof memory - P3D_REPLY_MAX && out.at[out.len - 1] == '\n');
		for (size_t i = 0; i < out.len; i++)
			replies += out.at[i] == '\n';
		out.len = 0;
		sends++;
	}
	for (size_t i = 0; i < out.len; i++)
		replies += out.at[i] == '\n';
	assert_int_equal(replies, 1 + 1000);
	assert_true(sends > 3);
	assert_int_equal(p3d_turn_end(s), 0);
	p3d_end(s);
	free(s);
}

/* While it waits it eats nothing, however much is there. */
static void waiting_is_back_pressure(void **state)
{
	static const char in[] = "USER a\r\nPASS b\r\nSTAT\r\nDELE 1\r\nQUIT\r\n";
	struct p3d_drop drop = { .count = 0 };
	struct p3d *s = malloc(p3d_size());
	char memory[P3D_OUT_MIN];
	struct p3d_event ev;
	struct buf out;

	(void)state;
	buf_lend(&out, memory, sizeof memory);
	p3d_start(s, &plain);
	p3d_feed(s, (struct span){ in, sizeof in - 1 });
	assert_int_equal(p3d_next(s, &out, &ev), P3D_LOGIN);
	assert_true(p3d_waiting(s) && !p3d_logged_in(s));
	assert_int_equal(p3d_next(s, &out, &ev), P3D_NOTHING);
	assert_int_equal(p3d_turn_end(s), 20);
	p3d_login_ok(s, &drop);
	assert_true(!p3d_waiting(s) && p3d_logged_in(s));
	p3d_feed(s, (struct span){ in + 16, 20 });
	assert_int_equal(p3d_next(s, &out, &ev), P3D_BYE);
	assert_true(span_equal(buf_span(&out), SPAN(HI "+OK\r\n+OK 0 messages\r\n+OK 0 0\r\n-ERR no such message\r\n+OK\r\n")));
	assert_int_equal(p3d_turn_end(s), 0);
	p3d_feed(s, SPAN("NOOP\r\n"));		/* after the end nothing counts */
	assert_int_equal(p3d_next(s, &out, &ev), P3D_NOTHING);
	assert_int_equal(p3d_turn_end(s), 0);
	p3d_end(s);
	free(s);
}

/* What comes with STLS, or after it but before TLS, is left unread: the driver ends the connection. */
static void injected_octets_stay_unread(void **state)
{
	static const char in[] = "STLS\r\nUSER a\r\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof in; cut++) {
		struct p3d *s = malloc(p3d_size());
		char memory[P3D_OUT_MIN];
		struct p3d_event ev;
		struct buf out;
		size_t left;

		buf_lend(&out, memory, sizeof memory);
		p3d_start(s, &plain);
		p3d_feed(s, (struct span){ in, cut });
		assert_int_equal(p3d_next(s, &out, &ev), cut < 6 ? P3D_NOTHING : P3D_TLS);
		left = p3d_turn_end(s);
		p3d_feed(s, (struct span){ in + cut - left, sizeof in - 1 - cut + left });
		assert_int_equal(p3d_next(s, &out, &ev), cut < 6 ? P3D_TLS : P3D_NOTHING);
		assert_int_equal(p3d_turn_end(s), 8);
		p3d_end(s);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_every_split),
		cmocka_unit_test(small_while_idle),
		cmocka_unit_test(out_is_filled_and_emptied),
		cmocka_unit_test(waiting_is_back_pressure),
		cmocka_unit_test(injected_octets_stay_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
