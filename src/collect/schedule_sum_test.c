/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/schedule_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/read.h"

static const uint8_t key[VISITED_KEY] = "a key of 32 octets, for a test.";
static char path[64];

static void sum_of(const char *keys, uint8_t sum[VISITED_SUM])
{
	FILE *f = fopen(path, "w");
	struct settings s;
	char memory[2048];
	struct buf report;

	assert_non_null(f);
	(void)fprintf(f, "connection box { %s }\n", keys);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
	buf_start(&report, sizeof memory);
	if (!settings_read(path, &s, &report))
		fail_msg("%s: %.*s", keys, (int)report.len, report.at);
	schedule_sum(s.connections[0], key, sum);
	buf_end(&report);
	settings_end(&s);
}

#define BASE "protocol = imap host = h user = u deliver = 'maildir:/m' password = 'x' "

/* Each differs from the plain one in one key. */
static const char *const others[] = {
	"protocol = pop3 host = h user = u deliver = 'maildir:/m' password = 'x' after = keep",
	"protocol = imap host = i user = u deliver = 'maildir:/m' password = 'x'",
	"protocol = imap host = h user = v deliver = 'maildir:/m' password = 'x'",
	"protocol = imap host = h user = u deliver = 'maildir:/n' password = 'x'",
	"protocol = imap host = h user = u deliver = {'maildir:/m', 'maildir:/n'} password = 'x'",
	"protocol = imap host = h user = u deliver = 'maildir:/m' password = 'y'",
	"protocol = imap host = h user = u deliver = 'maildir:/m' password = 'file:x'",
	BASE "enabled = false", BASE "port = 1143", BASE "auth = plain", BASE "auth = login", BASE "tls { mode = explicit }",
	BASE "tls { required = false }", BASE "mailbox = {INBOX, x}", BASE "after = delete", BASE "after = 'move:a'", BASE "after = 'move:b'",
	BASE "interval = 1h", BASE "active = 'Mon-Fri'", BASE "detect = capa", BASE "description = d", BASE "trace = wire", BASE "max_size = 1MB",
	BASE "delay_failed_host = 1min", BASE "search = ALL",
};

static void every_key_counts(void **state)
{
	static uint8_t sums[COUNT(others) + 1][VISITED_SUM];
	uint8_t again[VISITED_SUM];

	(void)state;
	sum_of(BASE, sums[COUNT(others)]);
	for (size_t n = 0; n < COUNT(others); n++)
		sum_of(others[n], sums[n]);
	for (size_t a = 0; a <= COUNT(others); a++)
		for (size_t b = 0; b < a; b++)
			if (memcmp(sums[a], sums[b], VISITED_SUM) == 0)
				fail_msg("as good as the same: %s and %s", a < COUNT(others) ? others[a] : BASE, others[b]);
	sum_of("\n\n# a comment\n" BASE "interval = 15min", again);	/* as by default */
	assert_memory_equal(again, sums[COUNT(others)], sizeof again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_counts),
	};
	int fd, failed;

	(void)snprintf(path, sizeof path, "/tmp/postrider-test.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	(void)close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}
