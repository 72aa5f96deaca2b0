/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/networks.h"

static bool has(const struct networks *n, const char *text)
{
	union address a;

	assert_true(address_parse(text, 0, &a));
	return networks_have(n->at, n->count, &a);
}

static void texts_become_networks(void **state)
{
	const char *texts[] = { "192.0.2.0/24", "2001:db8::/32", "198.51.100.7" };
	struct texts list = { texts, COUNT(texts) };
	struct arena a = { 0 };
	struct networks n;
	struct err e;

	(void)state;
	assert_true(networks_read(&a, &list, &n, &e));
	assert_int_equal(n.count, 3);
	assert_true(has(&n, "192.0.2.255") && has(&n, "2001:db8::1") && has(&n, "198.51.100.7"));
	assert_false(has(&n, "192.0.3.0") || has(&n, "2001:db9::1") || has(&n, "198.51.100.8"));
	list.count = 0;
	assert_true(networks_read(&a, &list, &n, &e));
	assert_int_equal(n.count, 0);
	assert_false(has(&n, "192.0.2.1"));
	arena_end(&a);
}

static void what_is_none_is_told(void **state)
{
	const char *texts[] = { "192.0.2.0/24", "192.0.2.1/24" };
	struct texts list = { texts, COUNT(texts) };
	struct arena a = { 0 };
	struct networks n;
	struct err e;

	(void)state;
	assert_false(networks_read(&a, &list, &n, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "192.0.2.1/24 is no network");
	assert_int_equal(n.count, 0);
	arena_end(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_networks),
		cmocka_unit_test(what_is_none_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
