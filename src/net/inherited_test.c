/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/inherited.h"
#include "net/listener.h"

enum { SELF = 4711 };

static const struct row {
	const char *pid, *count, *names, *want;	/* "fd=name …", or an error */
} rows[] = {
	{ "4711", "2", "pop3:pop3s", "3=pop3 4=pop3s" },
	{ "4711", "1", "pop3:pop3s", "3=pop3" },
	{ "4711", "3", "pop3", "3=pop3 4=unknown 5=unknown" },
	{ "4711", "3", ":x:", "3=unknown 4=x 5=unknown" },
	{ "4711", "1", NULL, "3=unknown" },
	{ "4711", "0", NULL, "" },
	{ "4712", "2", "pop3:pop3s", "" },
	{ "4712", "nonsense", NULL, "" },
	{ "", "2", NULL, "" },
	{ "4711x", "2", NULL, "" },
	{ NULL, "2", NULL, "" },
	{ "4711", NULL, NULL, "" },
	{ "4711", "-1", NULL, "LISTEN_FDS: \"-1\" is no number of at most 64" },
	{ "4711", "", NULL, "LISTEN_FDS: \"\" is no number of at most 64" },
	{ "4711", "65", NULL, "LISTEN_FDS: \"65\" is no number of at most 64" },
	{ "4711", "18446744073709551617", NULL, "LISTEN_FDS: \"18446744073709551617\" is no number of at most 64" },
	{ "4711", "1", "0123456789012345678901234567890123456789012345678901234567890123", "LISTEN_FDNAMES: a name of more than 63 octets" },
};

static void the_environment_is_read(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct inherited all;
		char said[600] = "";
		struct err e;

		if (!inherited_parse(r->pid, r->count, r->names, SELF, &all, &e)) {
			assert_int_equal(e.kind, ERR_CONFIG);
			assert_string_equal(e.text, r->want);
			continue;
		}
		for (size_t i = 0; i < all.count; i++)
			(void)snprintf(said + strlen(said), sizeof said - strlen(said), "%s%d=%s", i ? " " : "", all.list[i].fd, all.list[i].name);
		assert_string_equal(said, r->want);
	}
}

static void set(const char *count)
{
	char pid[20];

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	assert_int_equal(setenv("LISTEN_PID", pid, 1) | setenv("LISTEN_FDS", count, 1) | setenv("LISTEN_FDNAMES", "pop3", 1), 0);
}

/* Descriptor 3 is the test's own from the beginning: see main. */
static void sockets_are_looked_at(void **state)
{
	struct inherited all;
	struct err e;
	int fd;

	(void)state;
	set("1");
	assert_false(inherited_take(&all, &e));
	assert_non_null(strstr(e.text, "descriptor 3 (pop3), which LISTEN_FDS names, is no listening TCP socket"));
	assert_null(getenv("LISTEN_FDS"));
	fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e);
	assert_true(fd > 3);
	assert_int_equal(dup2(fd, 3), 3);		/* not close-on-exec any more */
	set("1");
	assert_true(inherited_take(&all, &e));
	assert_int_equal(all.count, 1);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_null(getenv("LISTEN_PID"));
	assert_true(inherited_take(&all, &e));		/* they are taken once */
	assert_int_equal(all.count, 0);
	(void)close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_is_read),
		cmocka_unit_test(sockets_are_looked_at),
	};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, INHERITED_FIRST) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
