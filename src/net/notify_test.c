/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/notify.h"

enum { SELF = 4711, TEXT = 1024 };

static const struct row {
	const char *socket, *usec, *pid, *want;	/* "SIZE@watchdog", "-": nobody listens, or an error */
} rows[] = {
	{ "/run/systemd/notify", NULL, NULL, "path 22, 0" },
	{ "@/org/x", NULL, NULL, "abstract 9, 0" },
	{ "/n", "30000000", NULL, "path 5, 30000" },
	{ "/n", "30000999", "4711", "path 5, 30000" },
	{ "/n", "30000000", "4712", "path 5, 0" },
	{ "/n", "nonsense", "4712", "path 5, 0" },
	{ "/n", "18446744073709551615", "4711", "path 5, 4294967295" },
	{ NULL, "30000000", "4711", "-" },
	{ NULL, "nonsense", NULL, "-" },
	{ "", NULL, NULL, "NOTIFY_SOCKET: \"\" is neither a path from / on nor an abstract name behind @" },
	{ "/", NULL, NULL, "NOTIFY_SOCKET: \"/\" is neither a path from / on nor an abstract name behind @" },
	{ "run/x", NULL, NULL, "NOTIFY_SOCKET: \"run/x\" is neither a path from / on nor an abstract name behind @" },
	{ "vsock:2:1234", NULL, NULL, "NOTIFY_SOCKET: \"vsock:2:1234\" is neither a path from / on nor an abstract name behind @" },
	{ "/n", "30000000", "x", "WATCHDOG_PID: \"x\" is no process" },
	{ "/n", "30000000", "", "WATCHDOG_PID: \"\" is no process" },
	{ "/n", "30s", "4711", "WATCHDOG_USEC: \"30s\" is no number of microseconds" },
	{ "/n", "-1", "4711", "WATCHDOG_USEC: \"-1\" is no number of microseconds" },
	{ "/n", "", NULL, "WATCHDOG_USEC: \"\" is no number of microseconds" },
	{ "/n", "0", NULL, "WATCHDOG_USEC: \"0\" is no number of microseconds" },
	{ "/n", "18446744073709551616", NULL, "WATCHDOG_USEC: \"18446744073709551616\" is no number of microseconds" },
	{ "/n", "3999", NULL, "WATCHDOG_USEC: 3999 microseconds are too few; write WatchdogSec=30s into the unit" },
};

static void the_environment_is_read_strictly(void **state)
{
	char name[sizeof((struct sockaddr_un *)0)->sun_path + 1];
	struct notify n;
	struct err e;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char said[600] = "-";

		if (!notify_parse(r->socket, r->usec, r->pid, SELF, &n, &e)) {
			assert_int_equal(e.kind, ERR_CONFIG);
			(void)snprintf(said, sizeof said, "%s", e.text);
			assert_true(!notify_watchdog_ms(&n) && !n.to_size);
		} else if (n.to_size) {
			(void)snprintf(said, sizeof said, "%s %u, %" PRIu32, n.to.sun_path[0] ? "path" : "abstract", (unsigned)n.to_size, notify_watchdog_ms(&n));
		}
		assert_string_equal(said, r->want);
		assert_false(notify_listens(&n));
		assert_true(notify_ping_ms(&n) <= notify_watchdog_ms(&n) / 3);
	}
	memset(name, 'x', sizeof name - 1);
	name[0] = '/';
	name[sizeof name - 1] = '\0';
	assert_false(notify_parse(name, NULL, NULL, SELF, &n, &e));
	assert_string_equal(e.text, "NOTIFY_SOCKET: more than 107 octets");
	name[sizeof name - 2] = '\0';
	assert_true(notify_parse(name, NULL, NULL, SELF, &n, &e));
}

/* --- against a socket in systemd's place --- */

static char folder[] = "/tmp/notify_test.XXXXXX";
static char path[sizeof folder + 16];
static int ears;

static void listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] != '@'));

	memcpy(at.sun_path, name, strlen(name) + 1);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	ears = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(ears >= 0);
	assert_int_equal(bind(ears, (struct sockaddr *)&at, size), 0);
}

/* What was told since; datagrams are kept apart by "|". */
static const char *told(void)
{
	static char text[TEXT];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(ears, text + len, sizeof text - len - 2, 0)) >= 0) {
		len += (size_t)n;
		text[len++] = '|';
	}
	assert_int_equal(errno, EAGAIN);
	text[len] = '\0';
	return text;
}

static void start(struct notify *n, const char *name)
{
	char pid[20];
	struct err e;

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1) | setenv("WATCHDOG_USEC", "10000000", 1) | setenv("WATCHDOG_PID", pid, 1), 0);
	if (!notify_start(n, &e))
		fail_msg("%s", e.text);
	assert_true(!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC") && !getenv("WATCHDOG_PID"));
	assert_true(notify_listens(n));
	assert_int_equal(notify_watchdog_ms(n), 10000);
	assert_int_equal(notify_ping_ms(n), 2500);
}

static void every_word_arrives(const char *name)
{
	char long_text[NOTIFY_STATUS_MAX + 100];
	struct notify n;

	listen_at(name);
	start(&n, name);
	notify_ready(&n, "two listeners");
	notify_ready(&n, NULL);
	notify_status(&n, "3 sessions");
	notify_status(&n, NULL);
	notify_ping(&n);
	notify_stopping(&n, "draining");
	assert_string_equal(told(), "READY=1\nSTATUS=two listeners|READY=1\n|STATUS=3 sessions|WATCHDOG=1\n|STOPPING=1\nSTATUS=draining|");
	notify_status(&n, "anna\nREADY=1\r\x7f");
	assert_string_equal(told(), "STATUS=anna?READY=1??|");
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	notify_status(&n, long_text);
	assert_int_equal(strlen(told()), strlen("STATUS=|") + NOTIFY_STATUS_MAX);
	notify_end(&n);
	notify_ping(&n);
	assert_string_equal(told(), "");
	(void)close(ears);
}

static void path_and_abstract_name(void **state)
{
	char abstract[sizeof folder + 40];

	(void)state;
	every_word_arrives(path);
	(void)unlink(path);
	(void)snprintf(abstract, sizeof abstract, "@%s/%ld", folder, (long)getpid());
	every_word_arrives(abstract);
}

/* systemd takes the reload as begun when this is not before its own time. */
static void a_reload_has_its_time(void **state)
{
	struct timespec before, after;
	struct notify n;
	uint64_t at, low, high;
	struct span text;

	(void)state;
	listen_at(path);
	start(&n, path);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	notify_reloading(&n);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	text = span_of(told());
	assert_true(span_starts(text, SPAN("RELOADING=1\nMONOTONIC_USEC=")));
	text = span_from(text, strlen("RELOADING=1\nMONOTONIC_USEC="));
	text.len -= strlen("\n|");
	assert_true(span_number(text, UINT64_MAX, &at));
	low = (uint64_t)before.tv_sec * 1000000 + (uint64_t)before.tv_nsec / 1000;
	high = (uint64_t)after.tv_sec * 1000000 + (uint64_t)after.tv_nsec / 1000;
	assert_true(at >= low && at <= high);
	notify_end(&n);
	(void)close(ears);
	(void)unlink(path);
}

static const char *logged(const char *file)
{
	static char text[TEXT];
	FILE *f = fopen(file, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (f)
		(void)fclose(f);
	text[n] = '\0';
	return text;
}

/* Nobody reads, or nobody is there any more: said once, and the service goes on. */
static void who_does_not_listen_holds_up_nobody(void **state)
{
	char file[sizeof folder + 16];
	struct notify n;
	uint64_t began;
	struct err e;

	(void)state;
	(void)snprintf(file, sizeof file, "%s/log", folder);
	assert_true(log_start(LOG_INFO, LOG_TEXT, file, &e));
	listen_at(path);
	start(&n, path);
	began = clock_mono_ms();
	for (int i = 0; i < 5000; i++)
		notify_ping(&n);			/* more than its queue takes */
	assert_true(clock_mono_ms() - began < 60 * 1000);
	assert_string_equal(logged(file), "warn systemd cannot be told \"WATCHDOG=1\": Resource temporarily unavailable\n");
	(void)told();
	notify_status(&n, "again");
	assert_string_equal(told(), "STATUS=again|");
	(void)close(ears);
	notify_stopping(&n, NULL);
	notify_stopping(&n, NULL);
	assert_string_equal(logged(file), "warn systemd cannot be told \"WATCHDOG=1\": Resource temporarily unavailable\n"
					  "warn systemd cannot be told \"STOPPING=1\": Connection refused\n");
	notify_end(&n);
	assert_true(log_start(LOG_INFO, LOG_TEXT, NULL, &e));
	(void)unlink(path);
	(void)unlink(file);
}

static void without_systemd_nothing_is_told(void **state)
{
	struct notify n;
	struct err e;

	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	assert_true(notify_start(&n, &e));
	assert_false(notify_listens(&n));
	notify_ready(&n, "x");
	notify_reloading(&n);
	notify_ping(&n);
	assert_int_equal(notify_watchdog_ms(&n), 0);
	notify_end(&n);
	assert_int_equal(setenv("NOTIFY_SOCKET", "nowhere", 1), 0);
	assert_false(notify_start(&n, &e));
	assert_false(notify_listens(&n));
	assert_null(getenv("NOTIFY_SOCKET"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_is_read_strictly),
		cmocka_unit_test(path_and_abstract_name),
		cmocka_unit_test(a_reload_has_its_time),
		cmocka_unit_test(who_does_not_listen_holds_up_nobody),
		cmocka_unit_test(without_systemd_nothing_is_told),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	(void)snprintf(path, sizeof path, "%s/notify", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return failed;
}
