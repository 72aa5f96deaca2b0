/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/network.h"

static const struct row {
	const char *text;
	bool good;
	const char *in, *out;		/* addresses; NULL = none to try */
} rows[] = {
	{ "192.0.2.0/24", true, "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.0/24", true, "::ffff:192.0.2.1", "::c000:201" },
	{ "192.0.2.128/25", true, "192.0.2.128", "192.0.2.127" },
	{ "192.0.2.7", true, "192.0.2.7", "192.0.2.6" },
	{ "0.0.0.0/0", true, "255.255.255.255", "::1" },
	{ "::/0", true, "ffff::", "192.0.2.1" },
	{ "2001:db8::/32", true, "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:db8::/33", true, "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "::1", true, "::1", "::" },
	{ "::ffff:192.0.2.0/120", true, "192.0.2.9", "192.0.3.9" },
	{ "192.0.2.1/24", false, NULL, NULL },
	{ "2001:db8::1/64", false, NULL, NULL },
	{ "192.0.2.0/33", false, NULL, NULL },
	{ "::/129", false, NULL, NULL },
	{ "192.0.2.0/", false, NULL, NULL },
	{ "192.0.2.0/+8", false, NULL, NULL },
	{ "/24", false, NULL, NULL },
	{ "", false, NULL, NULL },
	{ "localhost", false, NULL, NULL },
	{ "fe80::%lo/64", false, NULL, NULL },
};

static void networks_are_read_and_have_addresses(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct network n;
		union address a, b;

		if (network_parse(r->text, &n) != r->good)
			fail_msg("\"%s\"", r->text);
		if (!r->good)
			continue;
		assert_true(address_parse(r->in, 1, &a) && address_parse(r->out, 1, &b));
		if (!network_has(&n, &a) || network_has(&n, &b))
			fail_msg("%s: %s in it, %s not", r->text, r->in, r->out);
	}
}

static void a_network_is_written_as_it_is_read(void **state)
{
	static const struct said { const char *given, *want; } said[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" }, { "192.0.2.7", "192.0.2.7/32" }, { "0.0.0.0/0", "0.0.0.0/0" }, { "2001:DB8::/32", "2001:db8::/32" },
		{ "[::1]", "::1/128" }, { "::ffff:192.0.2.0/120", "192.0.2.0/24" }, { "::/0", "::/0" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888/128" },
	};

	(void)state;
	for (const struct said *r = said; r < said + COUNT(said); r++) {
		char text[NETWORK_TEXT], again[NETWORK_TEXT];
		struct network n;

		assert_true(network_parse(r->given, &n));
		assert_string_equal(network_text(&n, text), r->want);
		assert_true(network_parse(text, &n));
		assert_string_equal(network_text(&n, again), r->want);
	}
}

static void one_of_several(void **state)
{
	struct network all[2];
	union address a;

	(void)state;
	assert_true(network_parse("192.0.2.0/24", &all[0]) && network_parse("::1", &all[1]) && address_parse("::1", 0, &a));
	assert_true(networks_have(all, 2, &a));
	assert_false(networks_have(all, 1, &a));
	assert_false(networks_have(NULL, 0, &a));
	assert_false(networks_have(all, 2, &(union address){ .any = { .sa_family = AF_UNSPEC } }));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_are_read_and_have_addresses),
		cmocka_unit_test(a_network_is_written_as_it_is_read),
		cmocka_unit_test(one_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
