/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/address.h"

static const struct row {
	const char *text;
	const char *bare, *with_port;	/* NULL: no address */
} rows[] = {
	{ "192.0.2.1", "192.0.2.1", "192.0.2.1:995" },
	{ "2001:db8::1", "2001:db8::1", "[2001:db8::1]:995" },
	{ "[2001:DB8:0::1]", "2001:db8::1", "[2001:db8::1]:995" },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:995" },
	{ "fe80::1%lo", "fe80::1%lo", "[fe80::1%lo]:995" },
	{ "[fe80::1%lo]", "fe80::1%lo", "[fe80::1%lo]:995" },
	{ "fe80::1%4000000000", "fe80::1%4000000000", "[fe80::1%4000000000]:995" },
	{ "fe80::1%nosuchif", NULL, NULL },
	{ "fe80::1%", NULL, NULL },
	{ "", NULL, NULL },
	{ "[]", NULL, NULL },
	{ "[192.0.2.1]", NULL, NULL },
	{ "[::1", NULL, NULL },
	{ "192.0.2", NULL, NULL },
	{ "192.0.2.256", NULL, NULL },
	{ "010.0.0.1", NULL, NULL },
	{ "localhost", NULL, NULL },
	{ "pop.example.org", NULL, NULL },
	{ "::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::", NULL, NULL },
};

static void text_to_address_and_back(void **state)
{
	char text[ADDRESS_TEXT];
	union address a;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		bool good = address_parse(r->text, 995, &a);

		if (good != (r->bare != NULL) || good != address_literal(r->text))
			fail_msg("%s: %s", r->text, good ? "an address" : "no address");
		if (!good)
			continue;
		assert_string_equal(address_text(&a, false, text), r->bare);
		assert_string_equal(address_text(&a, true, text), r->with_port);
		assert_int_equal(address_size(&a), a.any.sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6);
	}
}

static void four_in_the_clothes_of_six(void **state)
{
	char text[ADDRESS_TEXT];
	union address a;

	(void)state;
	assert_true(address_parse("::ffff:192.0.2.1", 995, &a) && address_unmap(&a));
	assert_string_equal(address_text(&a, true, text), "192.0.2.1:995");
	assert_false(address_unmap(&a));
	assert_true(address_parse("::c000:201", 995, &a));
	assert_false(address_unmap(&a));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_to_address_and_back),
		cmocka_unit_test(four_in_the_clothes_of_six),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
