/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

#define GO "+OK send the message, and a line with a dot alone\r\n"

static const struct server_row rows[] = {
	{ "a message", .how = SUBMISSION, .peer = SPAN(IN "XTND XMIT\r\nTo: b\r\n\r\nbody\r\n.\r\nNOOP\r\n"), .want = IN_WANT "xmit:To: b\r\n\r\nbody\r\n:end;",
	  .sent = IN_SENT GO "+OK submitted\r\n+OK\r\n" },
	{ "any case", .how = SUBMISSION, .peer = SPAN(IN "xtnd xmit\r\n.\r\n"), .want = IN_WANT "xmit::end;", .sent = IN_SENT GO "+OK submitted\r\n" },
	{ "dots are unstuffed", .how = SUBMISSION, .peer = SPAN(IN "XTND XMIT\r\n..\r\n...a\r\n.\r\nQUIT\r\n"), .want = IN_WANT "xmit:.\r\n..a\r\n:end;bye good;" },
	{ "commands in it are none, nor is a lone LF an end", .how = SUBMISSION, .peer = SPAN(IN "XTND XMIT\r\nQUIT\r\n\n.\nDELE 1\r\n\0\r\n.\r\nSTAT\r\n"),
	  .sent = IN_SENT GO "+OK submitted\r\n+OK 3 67\r\n" },
	{ "two", .how = SUBMISSION, .peer = SPAN(IN "XTND XMIT\r\na\r\n.\r\nXTND XMIT\r\nb\r\n.\r\n"), .want = IN_WANT "xmit:a\r\n:end;xmit:b\r\n:end;",
	  .sent = IN_SENT GO "+OK submitted\r\n" GO "+OK submitted\r\n" },
	{ "a line of any length", .how = SUBMISSION, .peer = SPAN(IN "XTND XMIT\r\n"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n.\r\n"),
	  .sent = IN_SENT GO "+OK submitted\r\n" },
	{ "it fails", .how = SUBMISSION | XMIT_FAILS, .peer = SPAN(IN "XTND XMIT\r\na\r\n.\r\nNOOP\r\n"), .want = IN_WANT "xmit:a\r\n:end;",
	  .sent = IN_SENT GO "-ERR [SYS/TEMP] the message is not submitted\r\n+OK\r\n" },
	{ "it may not be", .how = SUBMISSION | XMIT_REFUSED, .peer = SPAN(IN "XTND XMIT\r\nNOOP\r\n"), .want = IN_WANT "xmit:", .sent = IN_SENT "-ERR [SYS/PERM] not today\r\n+OK\r\n" },
	{ "broken off: none", .how = SUBMISSION | EOF_AT_END, .peer = SPAN(IN "XTND XMIT\r\na\r\n."), .want = IN_WANT "xmit:a\r\ngone;", .sent = IN_SENT GO },
	{ "not offered", .peer = SPAN(IN "XTND XMIT\r\nNOOP\r\n"), .want = IN_WANT, .sent = IN_SENT "-ERR submission is not offered\r\n+OK\r\n" },
	{ "other extensions", .how = SUBMISSION, .peer = SPAN(IN "XTND\r\nXTND ARCHIVE\r\nXTND XMIT now\r\nXTND XMITS\r\n"), .want = IN_WANT,
	  .sent = IN_SENT "-ERR wrong number of arguments\r\n-ERR wrong arguments\r\n-ERR wrong number of arguments\r\n-ERR wrong arguments\r\n" },
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
