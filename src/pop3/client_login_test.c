/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/client_story.h"

#define AHEAD_SENT LOGIN_SENT "CAPA\r\nSTAT\r\nUIDL\r\n"
#define DROP "+OK 1 5\r\n" "+OK\r\n1 a\r\n.\r\n"
#define DROP_TOLD "stat 1 5;uid 1 [a];listed UIDL;"
#define CAPA(lines) "+OK\r\n" lines ".\r\n"
#define LOGIN_SENT "CAPA\r\nUSER anna\r\nPASS s3cret\r\n"

static const struct story_row rows[] = {
	/* ---- the greeting */
	{ "turned away", .peer = SPAN("-ERR go away\r\n"), .want = "failed peer;", .why = "\"-ERR go away\"", .sent = "" },
	{ "turned away for now", .peer = SPAN("-ERR [SYS/TEMP] too many\r\n"), .want = "failed busy;" },
	{ "in use", .peer = SPAN("-ERR [IN-USE] locked\r\n"), .want = "failed busy;" },
	{ "an IMAP server", .peer = SPAN("* OK IMAP4rev1\r\n"), .want = "failed peer;", .why = "IMAP4rev1", .sent = "" },
	{ "a banner in front", .peer = SPAN("welcome\r\n+OK\r\n"), .want = "failed peer;" },
	{ "an empty line in front", .peer = SPAN("\r\n+OK\r\n"), .want = "failed peer;" },
	{ "greeting starts with +", .peer = SPAN("+ hi\r\n"), .want = "failed peer;" },
	{ "no greeting", .how = EOF_AT_END, .peer = SPAN(""), .want = "failed net;", .why = "before it answered at all" },
	{ "half a greeting", .how = EOF_AT_END, .peer = SPAN("+OK h"), .want = "failed net;" },

	/* ---- CAPA before the login */
	{ "no CAPA", .peer = SPAN(PLAINLY), .want = "ready;", .sent = LOGIN_SENT },
	{ "CAPA not to be asked", .how = NO_CAPA, .peer = SPAN(HI OK OK), .want = "ready;", .sent = "USER anna\r\nPASS s3cret\r\n" },
	{ "CAPA empty", .peer = SPAN(HI CAPA("") OK OK CAPA("")), .want = "ready;", .sent = LOGIN_SENT "CAPA\r\n" },
	{ "CAPA in lower case", .peer = SPAN(HI CAPA("user\r\npipelining\r\n") OK OK CAPA("pipeLINING\r\n")), .want = "ready;",
	  .ask = "su", .sent = LOGIN_SENT "CAPA\r\nSTAT\r\nUIDL\r\n" },
	{ "CAPA of unknown words", .peer = SPAN(HI CAPA("X-Y z\r\n\r\nUSERS\r\n \tuser x\r\n") OK OK CAPA("")), .want = "ready;" },
	{ "CAPA never answered", .peer = SPAN(HI), .want = "", .sent = "CAPA\r\n" },
	{ "CAPA cut", .how = EOF_AT_END, .peer = SPAN(HI "+OK\r\nUSER\r\n"), .want = "failed net;", .why = "inside the answer to CAPA" },
	{ "CAPA answered by noise", .peer = SPAN(HI "+CAPA\r\n"), .want = "failed peer;" },
	{ "CAPA kills the server", .how = EOF_AT_END, .peer = SPAN(HI), .want = "failed net;", .why = "before it answered CAPA" },

	/* ---- CAPA after the login */
	{ "refused later: what it said before holds", .peer = SPAN(HI PIPES OK OK ERR OK OK), .ask = "d1d2",
	  .want = "ready;deleted 1;deleted 2;", .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\nDELE 1\r\nDELE 2\r\n" },
	{ "another list later counts", .peer = SPAN(HI PIPES OK OK CAPA("TOP\r\n")), .ask = "d1d2", .want = "ready;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\nDELE 1\r\n" },
	{ "pipelining only later", .peer = SPAN(HI CAPA("USER\r\n") OK OK PIPES), .ask = "d1d2", .want = "ready;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\nDELE 1\r\nDELE 2\r\n" },
	{ "pipelining switched off", .how = LOCKSTEP, .peer = SPAN(PIPELINED), .ask = "d1d2", .want = "ready;",
	  .sent = "CAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\nDELE 1\r\n" },
	{ "STAT and UIDL do not wait for CAPA", .how = AHEAD, .peer = SPAN(HI PIPES OK OK), .ask = "sul", .want = "", .sent = AHEAD_SENT },
	{ "and are asked once", .how = AHEAD, .peer = SPAN(PIPELINED DROP "+OK\r\n1 5\r\n.\r\n"), .ask = "sul",
	  .want = "ready;" DROP_TOLD "size 1 5;listed LIST;", .sent = AHEAD_SENT "LIST\r\n" },
	{ "CAPA is refused before them", .how = AHEAD, .peer = SPAN(HI PIPES OK OK ERR DROP), .ask = "su", .want = "ready;" DROP_TOLD,
	  .sent = AHEAD_SENT },
	{ "both refused", .how = AHEAD, .peer = SPAN(PIPELINED ERR ERR), .ask = "sud1",
	  .want = "ready;refused STAT 0 peer [-ERR];refused UIDL 0 peer [-ERR];", .sent = AHEAD_SENT "DELE 1\r\n" },
	{ "another list counts for what comes behind them", .how = AHEAD, .peer = SPAN(HI PIPES OK OK CAPA("TOP\r\n") DROP), .ask = "sud1d2",
	  .want = "ready;" DROP_TOLD, .sent = AHEAD_SENT "DELE 1\r\n" },
	{ "nothing ahead without pipelining", .how = AHEAD, .peer = SPAN(HI CAPA("USER\r\n") OK OK), .ask = "su", .want = "",
	  .sent = LOGIN_SENT "CAPA\r\n" },
	{ "nor where it is switched off", .how = AHEAD | LOCKSTEP, .peer = SPAN(HI PIPES OK OK), .ask = "su", .want = "",
	  .sent = LOGIN_SENT "CAPA\r\n" },
	{ "nor before the login is good", .how = AHEAD, .peer = SPAN(HI PIPES OK), .ask = "su", .want = "", .sent = LOGIN_SENT },
	{ "nor from a list that came before TLS", .how = AHEAD | STLS_REQUIRED, .ask = "su",
	  .peer = SPAN(HI CAPA("STLS\r\nPIPELINING\r\n") OK STEP CAPA("USER\r\n") OK OK), .want = "tls;",
	  .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "cut after the login", .how = EOF_AT_END, .peer = SPAN(HI PIPES OK OK "+OK\r\nUSER\r\n"), .want = "failed net;" },

	/* ---- STLS */
	{ "stls", .how = STLS_REQUIRED, .peer = SPAN(HI CAPA("STLS\r\n") OK STEP CAPA("USER\r\n") OK OK CAPA("")),
	  .want = "tls;ready;", .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "stls without CAPA", .how = STLS_REQUIRED, .peer = SPAN(HI ERR OK STEP ERR OK OK), .want = "tls;ready;",
	  .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "stls, CAPA not asked", .how = STLS_REQUIRED | NO_CAPA, .peer = SPAN(HI OK STEP OK OK), .want = "tls;ready;",
	  .sent = "STLS\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "capabilities from before TLS are forgotten", .how = STLS_REQUIRED, .mechs = "plain user",
	  .peer = SPAN(HI CAPA("STLS\r\nPIPELINING\r\nSASL PLAIN\r\n") OK STEP CAPA("USER\r\n") OK OK CAPA("")),
	  .want = "tls;ready;", .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "stls taken away, required", .how = STLS_REQUIRED | CLEAR_ALLOWED, .peer = SPAN(HI CAPA("USER\r\n")), .want = "failed tls;",
	  .why = "offers no STLS", .sent = "CAPA\r\n" },
	{ "stls refused, required", .how = STLS_REQUIRED | CLEAR_ALLOWED, .peer = SPAN(HI CAPA("STLS\r\n") "-ERR no TLS\r\n"),
	  .want = "failed tls;", .why = "no TLS", .sent = "CAPA\r\nSTLS\r\n" },
	{ "stls refused without CAPA, required", .how = STLS_REQUIRED | CLEAR_ALLOWED, .peer = SPAN(HI ERR ERR), .want = "failed tls;" },
	{ "stls taken away, not required", .how = STLS | CLEAR_ALLOWED, .peer = SPAN(HI CAPA("USER\r\n") OK OK CAPA("")),
	  .want = "ready;", .sent = LOGIN_SENT "CAPA\r\n" },
	{ "stls refused, not required", .how = STLS | CLEAR_ALLOWED, .peer = SPAN(HI CAPA("STLS\r\n") ERR OK OK CAPA("")),
	  .want = "ready;", .sent = "CAPA\r\nSTLS\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "not required, but no clear text either", .how = STLS, .peer = SPAN(HI CAPA("STLS\r\n") ERR), .want = "failed config;",
	  .why = "allow_cleartext", .sent = "CAPA\r\nSTLS\r\n" },
	{ "stls answered by noise", .how = STLS, .peer = SPAN(HI CAPA("STLS\r\n") "OK\r\n"), .want = "failed peer;" },
	{ "stls kills the server", .how = STLS | EOF_AT_END, .peer = SPAN(HI CAPA("STLS\r\n")), .want = "failed net;" },
	{ "gone instead of a handshake", .how = STLS_REQUIRED | EOF_AT_END, .peer = SPAN(HI CAPA("STLS\r\n") OK), .want = "tls;failed net;" },
	{ "data before TLS", .how = STLS_REQUIRED, .peer = SPAN(HI CAPA("STLS\r\n") OK CAPA("USER\r\n") STEP OK OK),
	  .want = "tls;failed peer;", .why = "data before TLS", .sent = "CAPA\r\nSTLS\r\n" },
	{ "one octet before TLS", .how = STLS_REQUIRED, .peer = SPAN(HI CAPA("STLS\r\n") OK "+" STEP OK OK), .want = "tls;failed peer;" },
	{ "no stls over TLS", .peer = SPAN(HI CAPA("STLS\r\nUSER\r\n") OK OK CAPA("")), .want = "ready;", .sent = LOGIN_SENT "CAPA\r\n" },

	/* ---- AUTH alone, where there is no CAPA */
	{ "auth list", .how = ASK_AUTH, .mechs = "cram-md5 user", .peer = SPAN(HI ERR "+OK\r\nLOGIN\r\ncram-md5\r\n.\r\n"),
	  .want = "", .sent = "CAPA\r\nAUTH\r\nAUTH CRAM-MD5\r\n" },
	{ "auth list refused", .how = ASK_AUTH, .mechs = "cram-md5 user", .peer = SPAN(HI ERR ERR OK OK), .want = "ready;",
	  .sent = "CAPA\r\nAUTH\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "auth taken for an exchange", .how = ASK_AUTH, .mechs = "cram-md5 user", .peer = SPAN(HI ERR "+ \r\n" ERR OK OK),
	  .want = "ready;", .sent = "CAPA\r\nAUTH\r\n*\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "auth not asked where CAPA is known", .how = ASK_AUTH, .peer = SPAN(HI CAPA("USER\r\n") OK OK CAPA("")), .want = "ready;",
	  .sent = LOGIN_SENT "CAPA\r\n" },
	{ "auth list in clear is forgotten", .how = ASK_AUTH | STLS_REQUIRED, .peer = SPAN(HI ERR OK STEP ERR ERR OK OK),
	  .want = "tls;ready;", .sent = "CAPA\r\nSTLS\r\nCAPA\r\nAUTH\r\nUSER anna\r\nPASS s3cret\r\n" },
	{ "nothing detected: only user", .how = NO_CAPA | NO_STAMP, .mechs = "cram-md5 apop plain login user",
	  .peer = SPAN("+OK <1@a>\r\n" OK OK), .want = "ready;", .sent = "USER anna\r\nPASS s3cret\r\n" },

	/* ---- UTF8 */
	{ "utf8", .peer = SPAN(HI CAPA("UTF8 USER\r\nUSER\r\n") OK OK OK CAPA("")), .want = "ready;",
	  .sent = "CAPA\r\nUTF8\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
	{ "utf8 refused", .peer = SPAN(HI CAPA("UTF8\r\nUSER\r\n") ERR OK OK CAPA("")), .want = "ready;" },
	{ "utf8 after TLS", .how = STLS_REQUIRED, .peer = SPAN(HI CAPA("UTF8\r\nSTLS\r\n") OK STEP CAPA("UTF8\r\nUSER\r\n") OK OK OK CAPA("")),
	  .want = "tls;ready;", .sent = "CAPA\r\nSTLS\r\nCAPA\r\nUTF8\r\nUSER anna\r\nPASS s3cret\r\nCAPA\r\n" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

static void capabilities_without_end(void **state)
{
	static const struct story_row row = { "endless", .ask = NULL };
	static const char line[] = "X-MORE and more\r\n";
	struct story t;

	(void)state;
	story_start(&t, &row);
	story_feed(&t, HI OK, strlen(HI OK));
	for (int n = 0; n < P3C_CAPA_MAX; n++)
		story_feed(&t, line, sizeof line - 1);
	assert_int_equal(t.told.len, 0);
	story_feed(&t, line, sizeof line - 1);
	assert_true(span_equal(buf_span(&t.told), SPAN("failed peer;")));
	assert_non_null(strstr(p3c_error(t.s)->text, "without end"));
	story_end(&t);
}

static unsigned capabilities_after(const struct story_row *row)
{
	struct story t;
	unsigned capa;

	story_start(&t, row);
	story_play(&t, row->peer, 0);
	capa = p3c_capabilities(t.s);
	story_end(&t);
	return capa;
}

static void capabilities_as_bits(void **state)
{
	static const struct story_row all = { "all",
		.peer = SPAN(HI CAPA("USER\r\n") OK OK CAPA("TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nUTF8\r\nuser\r\nSTLS\r\nSASL PLAIN\r\n")) };
	static const struct story_row none = { "none", .peer = SPAN(PLAINLY) }, empty = { "empty", .peer = SPAN(HI CAPA("") OK OK CAPA("")) };

	(void)state;
	assert_int_equal(capabilities_after(&all), 255);
	assert_int_equal(capabilities_after(&none), 0);
	assert_int_equal(capabilities_after(&empty), P3C_CAPA_ANSWERED);
}

static void who_refused_tls(void **state)
{
	static const struct row {
		struct story_row story;
		bool want;
	} all[] = {
		{ { "stripped", .how = STLS_REQUIRED, .peer = SPAN(HI CAPA("USER\r\n")) }, true },
		{ { "refused", .how = STLS_REQUIRED, .peer = SPAN(HI ERR ERR) }, true },
		{ { "not required", .how = STLS, .peer = SPAN(HI CAPA("USER\r\n")) }, false },
		{ { "turned away", .how = STLS_REQUIRED, .peer = SPAN(ERR) }, false },
	};

	(void)state;
	for (const struct row *r = all; r < all + COUNT(all); r++) {
		struct story t;

		story_start(&t, &r->story);
		story_play(&t, r->story.peer, 0);
		assert_int_equal(p3c_tls_refused(t.s), r->want);
		story_end(&t);
	}
}

/* ---- round trips */

static void answer(struct span lines, struct buf *out)
{
	static const char *const replies[][2] = {
		{ "CAPA", PIPES }, { "USER", OK }, { "PASS", OK }, { "STAT", "+OK 1 5\r\n" }, { "UIDL", "+OK\r\n1 a\r\n.\r\n" },
		{ "LIST", "+OK\r\n1 5\r\n.\r\n" }, { "RETR", "+OK\r\nb\r\n.\r\n" },
	};

	for (size_t at = 0; at + 4 <= lines.len; at++)
		for (size_t n = 0; n < COUNT(replies); n++)
			if ((!at || lines.at[at - 1] == '\n') && memcmp(lines.at + at, replies[n][0], 4) == 0)
				assert_true(buf_add(out, span_of(replies[n][1])));
}

/* As a visit asks: true when the first message is here. */
static bool visit_asks(struct p3c *s)
{
	struct p3c_event ev;

	while (p3c_next(s, &ev)) {
		if (ev.what == P3C_READY) {
			p3c_stat(s);
			p3c_uidl(s);
		} else if (ev.what == P3C_LISTED && ev.verb == P3C_ASK_UIDL) {
			p3c_list(s);
			p3c_retr(s, 1);
		} else if (ev.what == P3C_END) {
			return true;
		}
		assert_int_not_equal(ev.what, P3C_FAILED);
	}
	return false;
}

/* How often a visit waits for the server from the greeting to its first message. */
static size_t flights(unsigned how)
{
	const struct story_row row = { "flights", .how = how };
	struct buf said, heard;
	struct story t;
	size_t count = 0;

	buf_start(&said, 4096);
	buf_start(&heard, 4096);
	story_start(&t, &row);
	assert_true(buf_add(&heard, SPAN(HI)));
	for (p3c_feed(t.s, buf_span(&heard)); !visit_asks(t.s); p3c_feed(t.s, buf_span(&heard))) {
		said.len = heard.len = 0;
		assert_true(buf_add(&said, p3c_out(t.s)));
		assert_true(said.len);
		p3c_sent(t.s, said.len);
		while (p3c_out(t.s).len) {	/* what waited for room */
			assert_true(buf_add(&said, p3c_out(t.s)));
			p3c_sent(t.s, p3c_out(t.s).len);
		}
		answer(buf_span(&said), &heard);
		count++;
	}
	story_end(&t);
	buf_end(&said);
	buf_end(&heard);
	return count;
}

static void round_trips(void **state)
{
	(void)state;
	assert_int_equal(flights(AHEAD), 4);		/* CAPA; USER PASS; CAPA STAT UIDL; LIST RETR */
	assert_int_equal(flights(0), 5);
	assert_int_equal(flights(AHEAD | LOCKSTEP), 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(capabilities_without_end),
		cmocka_unit_test(capabilities_as_bits),
		cmocka_unit_test(who_refused_tls),
		cmocka_unit_test(round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
