/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/host.h"

static const struct row {
	const char *text, *host;
	uint16_t port;
} good[] = {
	{ "mail.example.org", "mail.example.org", 0 },
	{ "Mail.EXAMPLE.org:995", "mail.example.org", 995 },
	{ "mail.example.org.", "mail.example.org.", 0 },
	{ "a_b.example", "a_b.example", 0 },
	{ "localhost:1", "localhost", 1 },
	{ "192.0.2.1", "192.0.2.1", 0 },
	{ "192.0.2.1:65535", "192.0.2.1", 65535 },
	{ "2001:DB8::1", "2001:db8::1", 0 },
	{ "::1", "::1", 0 },
	{ "[::1]", "::1", 0 },
	{ "[::1]:110", "::1", 110 },
	{ "[fe80::1%eth0]:110", "fe80::1%eth0", 110 },
	{ "fe80::1%eth0", "fe80::1%eth0", 0 },
	{ "m\xc3\xbcller.example", "xn--mller-kva.example", 0 },
	{ "M\xc3\x9cLLER.example:110", "xn--mller-kva.example", 110 },
};

static const char *const bad[] = {
	"", ":110", "h:", "h:0", "h:65536", "h:x", "h:110:110", "[::1", "[::1]x", "[::1]:", "[h]:110", "::1::2:3", "a b", "a..b", ".a", "a/b", "a@b",
	"fe80::1%", "\xff\xfe", "[]:1", "a\tb",
};

static void hosts(void **state)
{
	struct arena a = { 0 };
	char longest[300];
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(good); n++) {
		const char *host = NULL;
		uint16_t port = 9;

		assert_true(host_read(&a, good[n].text, &host, &port, &e));
		assert_string_equal(host, good[n].host);
		assert_int_equal(port, good[n].port);
	}
	for (size_t n = 0; n < COUNT(bad); n++) {
		const char *host;
		uint16_t port;

		if (host_read(&a, bad[n], &host, &port, &e))
			fail_msg("%s", bad[n]);
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_false(host_read(&a, longest, &(const char *){ NULL }, &(uint16_t){ 0 }, &e));
	arena_end(&a);
}

static void as_text(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_string_equal(host_text(&a, "h", 0), "h");
	assert_string_equal(host_text(&a, "h", 65535), "h:65535");
	assert_string_equal(host_text(&a, "::1", 0), "[::1]");
	assert_string_equal(host_text(&a, "::1", 110), "[::1]:110");
	arena_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
