/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/greeting.h"

static const struct row {
	struct span first;
	enum greeting want;
} rows[] = {
	{ SPAN(""), GREETING_UNKNOWN }, { SPAN("+"), GREETING_UNKNOWN }, { SPAN("* "), GREETING_UNKNOWN }, { SPAN("22"), GREETING_UNKNOWN },
	{ SPAN("\x15"), GREETING_UNKNOWN }, { SPAN("\x15\x02"), GREETING_UNKNOWN }, { SPAN("welcome\r\n"), GREETING_UNKNOWN },
	{ SPAN("2200 "), GREETING_UNKNOWN }, { SPAN(" +OK"), GREETING_UNKNOWN },
	{ SPAN("+OK ready <1.2@x>\r\n"), GREETING_POP3 }, { SPAN("+ok"), GREETING_POP3 }, { SPAN("-ERR [SYS/TEMP] later\r\n"), GREETING_POP3 },
	{ SPAN("* OK [CAPABILITY IMAP4rev1] ready\r\n"), GREETING_IMAP }, { SPAN("* PREAUTH hi\r\n"), GREETING_IMAP },
	{ SPAN("* bye\r\n"), GREETING_IMAP },
	{ SPAN("220 mail.example.org ESMTP\r\n"), GREETING_SMTP }, { SPAN("220-two\r\n220 lines\r\n"), GREETING_SMTP },
	{ SPAN("554 no\r\n"), GREETING_SMTP },
	{ SPAN("HTTP/1.1 400 Bad Request\r\n"), GREETING_HTTP }, { SPAN("SSH-2.0-OpenSSH_9.2\r\n"), GREETING_SSH },
	{ SPAN("\x15\x03\x01\0\x02\x02\x46"), GREETING_TLS }, { SPAN("\x16\x03\x03"), GREETING_TLS },
};

static void each_is_known_by_its_first_octets(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++)
		if (greeting_of(rows[n].first) != rows[n].want)
			fail_msg("row %zu: %s", n, greeting_name(greeting_of(rows[n].first)));
}

static void names_are_different(void **state)
{
	(void)state;
	for (enum greeting a = GREETING_UNKNOWN; a <= GREETING_TLS; a++)
		for (enum greeting b = a + 1; b <= GREETING_TLS; b++)
			assert_string_not_equal(greeting_name(a), greeting_name(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_known_by_its_first_octets),
		cmocka_unit_test(names_are_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
