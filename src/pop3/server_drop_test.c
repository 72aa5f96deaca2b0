/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define ONE "Subject: one\r\n\r\nbody 1\r\nbody 2\r\nbody 3\r\n"
#define TWO_SENT "..\r\n..dots\r\n\r\n..\r\n...\r\n.\r\n"

static const struct span gone[] = { SPAN("a\r\n"), { NULL, 0 }, SPAN("c\r\n") };
static const struct span odd[] = {
	SPAN(""), SPAN("\r\n"), SPAN("no header end\r\n"), SPAN("\r\nonly\r\nbody"), SPAN("."), SPAN("h: 1\r\n\r\n"), SPAN("\r\r\n\n"),
};
static const struct span none[1];

static const struct server_row rows[] = {
	{ "stat and list", .peer = SPAN(IN "STAT\r\nLIST\r\nLIST 3\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "+OK 3 67\r\n+OK 3 messages (67 octets)\r\n1 40\r\n2 19\r\n3 8\r\n.\r\n+OK 3 8\r\n" },
	{ "an empty maildrop", .mail = none, .mail_count = 0, .peer = SPAN(IN "STAT\r\nLIST\r\nUIDL\r\nLIST 1\r\nRETR 1\r\nRSET\r\nQUIT\r\n"), .want = IN_WANT "bye good;",
	  .sent = HI "+OK\r\n+OK 0 messages\r\n+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK\r\n.\r\n-ERR no such message\r\n-ERR no such message\r\n+OK\r\n+OK\r\n" },
	{ "numbers are strict", .peer = SPAN(IN "LIST 4294967297\r\nLIST 18446744073709551617\r\nLIST 0\r\nLIST 1 2\r\nLIST -1\r\nLIST +1\r\nLIST 1x\r\nLIST 4294967295\r\n"),
	  .want = IN_WANT, .sent = IN_SENT "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR no such message\r\n-ERR wrong number of arguments\r\n"
	  "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR no such message\r\n" },
	{ "numbers of all commands are", .peer = SPAN(IN "RETR 0\r\nRETR 4\r\nRETR\r\nRETR one\r\nDELE 0\r\nDELE 4294967297\r\nDELE 1 2\r\nUIDL 0\r\nUIDL 1.\r\nTOP 0 0\r\nSTAT\r\n"),
	  .want = IN_WANT, .sent = IN_SENT "-ERR no such message\r\n-ERR no such message\r\n-ERR wrong number of arguments\r\n-ERR wrong arguments\r\n-ERR no such message\r\n"
	  "-ERR wrong arguments\r\n-ERR wrong number of arguments\r\n-ERR no such message\r\n-ERR wrong arguments\r\n-ERR no such message\r\n+OK 3 67\r\n" },
	{ "lines of TOP are", .peer = SPAN(IN "TOP 2 -1\r\nTOP 2\r\nTOP 2 0 0\r\nTOP 2 4294967296\r\nTOP 2 x\r\nTOP -2 1\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "-ERR wrong arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n" },
	{ "leading zeros are digits", .peer = SPAN(IN "LIST 0003\r\n"), .want = IN_WANT, .sent = IN_SENT "+OK 3 8\r\n" },

	{ "retr, in any order and twice", .peer = SPAN(IN "RETR 3\r\nRETR 1\r\nRETR 3\r\n"), .want = IN_WANT "retr 3;body 3;retr 1;body 1;retr 3;body 3;",
	  .sent = IN_SENT "+OK 8 octets\r\nno end\r\n.\r\n+OK 40 octets\r\n" ONE ".\r\n+OK 8 octets\r\nno end\r\n.\r\n" },
	{ "a first line that is a dot is stuffed", .peer = SPAN(IN "RETR 2\r\nNOOP\r\n"), .want = IN_WANT "retr 2;body 2;", .sent = IN_SENT "+OK 19 octets\r\n" TWO_SENT "+OK\r\n" },
	{ "top", .peer = SPAN(IN "TOP 1 0\r\nTOP 1 1\r\nTOP 1 2\r\nTOP 1 3\r\nTOP 1 4294967295\r\n"),
	  .want = IN_WANT "top 1 0;body 1 0;top 1 1;body 1 1;top 1 2;body 1 2;top 1 3;body 1 3;top 1 4294967295;body 1 4294967295;",
	  .sent = IN_SENT "+OK\r\nSubject: one\r\n\r\n.\r\n+OK\r\nSubject: one\r\n\r\nbody 1\r\n.\r\n+OK\r\nSubject: one\r\n\r\nbody 1\r\nbody 2\r\n.\r\n"
	  "+OK\r\n" ONE ".\r\n+OK\r\n" ONE ".\r\n" },
	{ "top and dots", .peer = SPAN(IN "TOP 2 0\r\nTOP 2 1\r\n"), .want = IN_WANT "top 2 0;body 2 0;top 2 1;body 2 1;",
	  .sent = IN_SENT "+OK\r\n..\r\n..dots\r\n\r\n.\r\n+OK\r\n..\r\n..dots\r\n\r\n..\r\n.\r\n" },
	{ "sizes are exact: what is announced is what comes", .mail = odd, .mail_count = 7, .peer = SPAN(IN "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\nRETR 5\r\nRETR 6\r\nRETR 7\r\n"),
	  .sent = HI "+OK\r\n+OK 7 messages\r\n+OK 0 octets\r\n.\r\n+OK 2 octets\r\n\r\n.\r\n+OK 15 octets\r\nno header end\r\n.\r\n+OK 14 octets\r\n\r\nonly\r\nbody\r\n.\r\n"
	  "+OK 3 octets\r\n..\r\n.\r\n+OK 8 octets\r\nh: 1\r\n\r\n.\r\n+OK 6 octets\r\n\r\r\n\n\r\n.\r\n" },
	{ "top without a body, or without a header", .mail = odd, .mail_count = 7, .peer = SPAN(IN "TOP 1 0\r\nTOP 2 0\r\nTOP 3 0\r\nTOP 4 0\r\nTOP 4 1\r\nTOP 6 5\r\n"),
	  .sent = HI "+OK\r\n+OK 7 messages\r\n+OK\r\n.\r\n+OK\r\n\r\n.\r\n+OK\r\nno header end\r\n.\r\n+OK\r\n\r\n.\r\n+OK\r\n\r\nonly\r\n.\r\n+OK\r\nh: 1\r\n\r\n.\r\n" },
	{ "a message that another client removed", .mail = gone, .mail_count = 3, .peer = SPAN(IN "LIST\r\nRETR 2\r\nTOP 2 0\r\nRETR 3\r\nDELE 2\r\nQUIT\r\n"),
	  .want = IN_WANT "retr 2;top 2 0;retr 3;body 3;commit 2d 3r;bye good;",
	  .sent = HI "+OK\r\n+OK 3 messages\r\n+OK 3 messages (6 octets)\r\n1 3\r\n2 0\r\n3 3\r\n.\r\n-ERR the message cannot be read\r\n-ERR the message cannot be read\r\n"
	  "+OK 3 octets\r\nc\r\n.\r\n+OK\r\n+OK\r\n" },

	{ "deleted messages are shown nowhere, and numbers stay", .peer = SPAN(IN "DELE 1\r\nSTAT\r\nLIST\r\nUIDL\r\nLIST 1\r\nUIDL 1\r\nRETR 1\r\nTOP 1 0\r\nDELE 1\r\nLIST 2\r\n"),
	  .want = IN_WANT, .sent = IN_SENT "+OK\r\n+OK 2 27\r\n+OK 2 messages (27 octets)\r\n2 19\r\n3 8\r\n.\r\n+OK\r\n2 0000000065000001\r\n3 0000000065000002\r\n.\r\n"
	  "-ERR no such message\r\n-ERR no such message\r\n-ERR no such message\r\n-ERR no such message\r\n-ERR no such message\r\n+OK 2 19\r\n" },
	{ "all deleted", .peer = SPAN(IN "DELE 3\r\nDELE 1\r\nDELE 2\r\nSTAT\r\nLIST\r\nQUIT\r\n"), .want = IN_WANT "commit 1d 2d 3d;bye good;",
	  .sent = IN_SENT "+OK\r\n+OK\r\n+OK\r\n+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK\r\n" },
	{ "without the right nothing is marked, and RETR marks all the same", .how = KEEP, .peer = SPAN(IN "DELE 1\r\nDELE 4\r\nDELE x\r\nSTAT\r\nRETR 3\r\nQUIT\r\n"),
	  .want = IN_WANT "retr 3;body 3;commit 3r;bye good;",
	  .sent = IN_SENT "-ERR [SYS/PERM] you have no right to delete messages here\r\n-ERR no such message\r\n-ERR wrong arguments\r\n+OK 3 67\r\n+OK 8 octets\r\nno end\r\n.\r\n+OK\r\n" },
	{ "rset", .peer = SPAN(IN "RSET\r\nDELE 2\r\nRETR 1\r\nDELE 1\r\nRSET\r\nSTAT\r\nLIST 2\r\nQUIT\r\n"), .want = IN_WANT "retr 1;body 1;commit 1r;bye good;",
	  .sent = IN_SENT "+OK\r\n+OK\r\n+OK 40 octets\r\n" ONE ".\r\n+OK\r\n+OK\r\n+OK 3 67\r\n+OK 2 19\r\n+OK\r\n" },
	{ "rset, and nothing is left to do", .peer = SPAN(IN "DELE 2\r\nRSET\r\nQUIT\r\n"), .want = IN_WANT "bye good;" },
	{ "RETR marks as read, TOP does not", .peer = SPAN(IN "TOP 1 9\r\nRETR 2\r\nRETR 2\r\nQUIT\r\n"), .want = IN_WANT "top 1 9;body 1 9;retr 2;body 2;retr 2;body 2;commit 2r;bye good;" },
	{ "only a TOP: nothing to commit", .peer = SPAN(IN "TOP 1 9\r\nQUIT\r\n"), .want = IN_WANT "top 1 9;body 1 9;bye good;" },
	{ "retrieved and deleted", .peer = SPAN(IN "RETR 3\r\nDELE 3\r\nQUIT\r\n"), .want = IN_WANT "retr 3;body 3;commit 3dr;bye good;" },
	{ "QUIT says +OK only when it is done", .how = COMMIT_FAILS, .peer = SPAN(IN "DELE 1\r\nQUIT\r\nNOOP\r\n"), .want = IN_WANT "commit 1d;bye;",
	  .sent = IN_SENT "+OK\r\n-ERR [SYS/TEMP] the messages are not deleted\r\n" },
	{ "dropped before QUIT: nothing to commit", .how = EOF_AT_END, .peer = SPAN(IN "RETR 1\r\nDELE 1\r\nQUI"), .want = IN_WANT "retr 1;body 1;gone;" },

	{ "uidl", .peer = SPAN(IN "UIDL\r\nUIDL 2\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "+OK\r\n1 0000000065000000\r\n2 0000000065000001\r\n3 0000000065000002\r\n.\r\n+OK 2 0000000065000001\r\n" },
	{ "uidl of a maildrop taken over", .uids = (const char *const[]){ "1.anna", "!~", "0123456789012345678901234567890123456789012345678901234567890123456789" },
	  .peer = SPAN(IN "UIDL\r\nUIDL 3\r\n"), .want = IN_WANT, .sent = IN_SENT "+OK\r\n1 1.anna\r\n2 !~\r\n3 0123456789012345678901234567890123456789012345678901234567890123456789\r\n.\r\n"
	  "+OK 3 0123456789012345678901234567890123456789012345678901234567890123456789\r\n" },
	{ "ids that are none", .uids = (const char *const[]){ "a b", "x\r\n.\r\n+OK", "01234567890123456789012345678901234567890123456789012345678901234567890" },
	  .peer = SPAN(IN "UIDL\r\n"), .want = IN_WANT, .sent = IN_SENT "+OK\r\n1 0000000065000000\r\n2 0000000065000001\r\n3 0000000065000002\r\n.\r\n" },
	{ "ids that are none, either", .uids = (const char *const[]){ "", NULL, "\xc3\xa4" },
	  .peer = SPAN(IN "UIDL\r\n"), .want = IN_WANT, .sent = IN_SENT "+OK\r\n1 0000000065000000\r\n2 0000000065000001\r\n3 0000000065000002\r\n.\r\n" },
	{ "stat, noop and rset take no arguments", .peer = SPAN(IN "STAT 1\r\nNOOP 1\r\nRSET 1\r\nQUIT 1\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong number of arguments\r\n" },
};

static void rows_at_every_split(void **state)
{
	(void)state;
	server_story_run(rows, COUNT(rows));
}

/* 100,000 messages, more octets than 32 bits hold; LIST and UIDL in an out of 4 KiB. */
enum { MANY = 100000 };

/* Commands that look at each message, and answer with a line: after each of them others have their turn. */
static void work_without_words(struct p3d *s)
{
	static const char in[] = "DELE 100000\r\nLIST 100000\r\nRSET\r\nDELE 100000\r\nRSET\r\nNOOP\r\n";
	char memory[P3D_OUT_MIN];
	unsigned rests = 0;
	struct p3d_event ev;
	struct buf out;

	buf_lend(&out, memory, sizeof memory);
	p3d_feed(s, (struct span){ in, sizeof in - 1 });
	while (p3d_next(s, &out, &ev)) {
		assert_int_equal(ev.what, P3D_REST);
		rests++;
	}
	assert_int_equal(rests, 2);
	assert_int_equal(p3d_turn_end(s), 0);
}

static void a_large_maildrop(void **state)
{
	static const struct p3d_settings settings = { .greeting = "hi", .mechs = MECH(USER) };
	static const char in[] = IN "DELE 99999\r\nSTAT\r\nLIST\r\nUIDL\r\n";
	struct drop_message *messages = calloc(MANY, sizeof *messages);
	struct p3d_drop drop = { .messages = messages, .count = MANY };
	struct p3d *s = malloc(p3d_size());
	char memory[P3D_OUT_MIN];
	uint64_t lines = 0, rests = 0;
	struct p3d_event ev;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		messages[i] = drop_message_of(UINT64_MAX - i, i, 100000000, 0);
	buf_lend(&out, memory, sizeof memory);
	p3d_start(s, &settings);
	p3d_feed(s, (struct span){ in, sizeof in - 1 });
	while (p3d_next(s, &out, &ev)) {
		if (ev.what == P3D_LOGIN)
			p3d_login_ok(s, &drop);
		else if (ev.what == P3D_REST)
			rests++;
		else
			assert_int_equal(ev.what, P3D_SEND);
		if (lines < 5 && out.len > 500)
			assert_non_null(memmem(out.at, out.len, "+OK 99999 9999900000000\r\n", 25));
		for (size_t i = 0; i < out.len; i++)
			lines += out.at[i] == '\n';
		out.len = 0;
	}
	assert_true(out.len > 64 && memmem(out.at + out.len - 64, 64, "\r\n100000 fffffffffffe7960\r\n.\r\n", 30));
	for (size_t i = 0; i < out.len; i++)
		lines += out.at[i] == '\n';
	assert_int_equal(lines, 5 + 2 * (MANY - 1 + 2));
	assert_int_equal(p3d_turn_end(s), 0);
	assert_int_equal(rests, 2 * MANY / P3D_WORK);
	work_without_words(s);
	p3d_end(s);
	free(s);
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_at_every_split),
		cmocka_unit_test(a_large_maildrop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
