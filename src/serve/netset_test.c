/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/netset.h"

#include <sodium.h>

#include "serve/fixture.h"

static void put(struct netset *s, const char *text, uint32_t number)
{
	struct network n = fixture_network(text);

	assert_true(netset_put(s, &n, number));
}

static void the_networks_around_an_address_the_narrowest_first(void **state)
{
	static const struct row { const char *from; uint32_t want[5]; } rows[] = {
		{ "192.0.2.7", { 4, 3, 2, 1 } }, { "::ffff:192.0.2.7", { 4, 3, 2, 1 } }, { "192.0.2.8", { 3, 2, 1 } }, { "192.0.3.1", { 2, 1 } }, { "10.0.0.1", { 1 } },
		{ "2001:db8::1", { 6, 5 } }, { "2001:db8:1::1", { 5 } }, { "2001:db9::1", { 0 } }, { "::", { 0 } },
	};
	struct netset s;

	(void)state;
	netset_start(&s);
	assert_false(netset_has(&s, &(union address){ .any = { .sa_family = AF_INET } }));
	put(&s, "0.0.0.0/0", 1);
	put(&s, "192.0.0.0/16", 2);
	put(&s, "192.0.2.0/29", 33);
	put(&s, "192.0.2.0/28", 3);
	put(&s, "192.0.2.7/32", 4);
	put(&s, "2001:db8::/32", 5);
	put(&s, "2001:db8::1/128", 66);
	put(&s, "2001:db8::1/128", 6);		/* instead */
	assert_int_equal(s.count, 7);
	assert_true(netset_remove(&s, &(struct network[]){ fixture_network("192.0.2.0/29") }[0]));
	assert_false(netset_remove(&s, &(struct network[]){ fixture_network("192.0.2.0/29") }[0]));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		union address a = fixture_address(r->from);
		int bits = NETSET_V6_BITS;
		uint32_t number;
		size_t i = 0;

		while (netset_around(&s, &a, &bits, &number))
			if (number != r->want[i++])
				fail_msg("%s: %u", r->from, number);
		if (r->want[i])
			fail_msg("%s: not in %u", r->from, r->want[i]);
		assert_int_equal(netset_has(&s, &a), r->want[0] != 0);
	}
	assert_false(netset_has(&s, &(union address){ .any = { .sa_family = AF_UNSPEC } }));
	netset_end(&s);
}

/* A network by chance, of few bits that differ, so that they meet. */
static struct network any(uint64_t *seed)
{
	bool six = fixture_random(seed) % 2;
	struct network n = { .bits = fixture_random(seed) % (six ? 129 : 33) };
	uint8_t octets[16] = { 0 };

	for (unsigned i = 0; i < n.bits; i++)
		if (fixture_random(seed) % 16 == 0)
			octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (six) {
		n.base.v6.sin6_family = AF_INET6;
		memcpy(&n.base.v6.sin6_addr, octets, 16);
	} else {
		n.base.v4.sin_family = AF_INET;
		memcpy(&n.base.v4.sin_addr, octets, 4);
	}
	return n;
}

/* Beside a plain list of networks that is asked one by one. */
static void it_is_like_a_list(void **state)
{
	enum { MANY = 300, ROUNDS = 20000 };
	static struct network list[MANY];
	uint64_t seed = 4711;
	struct netset s;
	size_t count = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	netset_start(&s);
	for (int round = 0; round < ROUNDS; round++) {
		struct network n = any(&seed), probe = any(&seed);
		uint32_t number;

		if (n.base.any.sa_family == AF_INET6 && address_unmap(&n.base))
			continue;
		if (count == MANY || (count && fixture_random(&seed) % 3 == 0)) {
			size_t i = fixture_random(&seed) % count;

			assert_true(netset_remove(&s, &list[i]));
			list[i] = list[--count];
		} else if (!netset_get(&s, &n, &number)) {
			assert_true(netset_put(&s, &n, 1));
			list[count++] = n;
		}
		assert_int_equal(s.count, count);
		if (netset_has(&s, &probe.base) != networks_have(list, count, &probe.base))
			fail_msg("round %d", round);
		for (size_t i = 0; round % 100 == 0 && i < count; i++)
			assert_true(netset_get(&s, &list[i], &number));
	}
	netset_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_networks_around_an_address_the_narrowest_first),
		cmocka_unit_test(it_is_like_a_list),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("netset", tests, NULL, NULL);
}
