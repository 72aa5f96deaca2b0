/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/fixture.h"

static enum admission_said enter(struct admission *a, const char *from, struct admission_seat *seat)
{
	union address address = fixture_address(from);

	*seat = (struct admission_seat){ 0 };
	return admission_enter(a, &address, 1, seat);
}

static void sessions_are_limited(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission_seat seats[4];
	struct admission_counts c;
	struct admission *a;

	(void)state;
	l.max_sessions = 3;
	a = fixture_new(&l);
	for (int i = 0; i < 3; i++)
		assert_int_equal(enter(a, "192.0.2.1", &seats[i]), ADMISSION_GOOD);
	assert_int_equal(enter(a, "192.0.2.2", &seats[3]), ADMISSION_FULL);
	admission_leave(a, &seats[3]);		/* holds nothing */
	admission_counts(a, &c);
	assert_true(c.sessions == 3 && c.addresses == 1 && c.users == 0);
	assert_true(c.said[ADMISSION_GOOD] == 3 && c.said[ADMISSION_FULL] == 1);
	admission_leave(a, &seats[0]);
	admission_leave(a, &seats[0]);		/* is no second leaving */
	assert_int_equal(enter(a, "192.0.2.2", &seats[3]), ADMISSION_GOOD);
	l.max_sessions = 0;
	assert_true(admission_reload(a, &l, &fixture_err));
	assert_int_equal(enter(a, "192.0.2.2", &seats[0]), ADMISSION_FULL);
	for (int i = 1; i < 4; i++)
		admission_leave(a, &seats[i]);
	admission_counts(a, &c);
	assert_true(c.sessions == 0 && c.addresses == 0);
	admission_free(&a);
	assert_null(a);
	admission_free(&a);
}

static void an_address_is_v4_or_a_64(void **state)
{
	static const struct row { const char *one, *two; bool same; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", true }, { "192.0.2.1", "192.0.2.2", false }, { "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true }, { "2001:db8::1", "2001:db8:0:1::1", false },
		{ "127.0.0.1", "127.0.0.1", true }, { "::1", "::1", true }, { "::1", "127.0.0.1", false },
		{ "::1", "::2", true },		/* of one /64 */
		{ "2001:db8::", "32.1.13.184", false },	/* the same octets */
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct admission_limits l = fixture_limits();
		struct admission_seat one, two, three;
		struct admission *a;

		l.max_per_address = 2;
		a = fixture_new(&l);
		assert_int_equal(enter(a, r->one, &one), ADMISSION_GOOD);
		assert_int_equal(enter(a, r->one, &two), ADMISSION_GOOD);
		if (enter(a, r->two, &three) != (r->same ? ADMISSION_ADDRESS_FULL : ADMISSION_GOOD))
			fail_msg("%s %s", r->one, r->two);
		admission_leave(a, &three);
		admission_leave(a, &one);
		assert_int_equal(enter(a, r->one, &one), ADMISSION_GOOD);
		admission_leave(a, &one);
		admission_leave(a, &two);
		admission_free(&a);
	}
}

static void access_is_a_list(void **state)
{
	static const struct row { const char *from; enum admission_said grant, deny; } rows[] = {
		{ "192.0.2.1", ADMISSION_ACCESS, ADMISSION_GOOD }, { "::ffff:192.0.2.1", ADMISSION_ACCESS, ADMISSION_GOOD },
		{ "192.0.3.1", ADMISSION_GOOD, ADMISSION_ACCESS }, { "2001:db8::1", ADMISSION_ACCESS, ADMISSION_GOOD },
		{ "2001:db9::1", ADMISSION_GOOD, ADMISSION_ACCESS }, { "10.1.2.3", ADMISSION_GOOD, ADMISSION_GOOD },	/* never */
	};
	struct network except[] = { fixture_network("192.0.2.0/24"), fixture_network("2001:db8::/32") }, never = fixture_network("10.0.0.0/8");
	struct admission_limits l = fixture_limits(), none = fixture_limits();
	struct admission *a = fixture_new(&none);

	(void)state;
	l.except = except;
	l.except_count = COUNT(except);
	l.never = &never;
	l.never_count = 1;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct admission_seat seat;

		assert_true(admission_reload(a, &none, &fixture_err));
		assert_int_equal(enter(a, r->from, &seat), ADMISSION_GOOD);
		admission_leave(a, &seat);
		for (int deny = 0; deny < 2; deny++) {
			l.deny_all_but = deny;
			assert_true(admission_reload(a, &l, &fixture_err));
			if (enter(a, r->from, &seat) != (deny ? r->deny : r->grant))
				fail_msg("%s %d", r->from, deny);
			admission_leave(a, &seat);
		}
	}
	admission_free(&a);
}

static void trusted_proxies_are_not_counted_by_address(void **state)
{
	struct network never = fixture_network("10.0.0.1/32");
	struct admission_limits l = fixture_limits();
	struct admission_seat seats[8];
	struct admission_counts c;
	struct admission *a;

	(void)state;
	l.never = &never;
	l.never_count = 1;
	l.max_per_address = 1;
	a = fixture_new(&l);
	for (int i = 0; i < 4; i++)
		assert_int_equal(enter(a, "10.0.0.1", &seats[i]), ADMISSION_GOOD);
	assert_int_equal(enter(a, "10.0.0.2", &seats[4]), ADMISSION_GOOD);
	assert_int_equal(enter(a, "10.0.0.2", &seats[5]), ADMISSION_ADDRESS_FULL);
	l.never_count = 0;		/* it is an address like others now; who is in leaves as he came */
	assert_true(admission_reload(a, &l, &fixture_err));
	assert_int_equal(enter(a, "10.0.0.1", &seats[5]), ADMISSION_GOOD);
	for (int i = 0; i < 4; i++)
		admission_leave(a, &seats[i]);
	assert_int_equal(enter(a, "10.0.0.1", &seats[6]), ADMISSION_ADDRESS_FULL);
	admission_leave(a, &seats[4]);
	admission_leave(a, &seats[5]);
	admission_counts(a, &c);
	assert_true(c.sessions == 0 && c.addresses == 0);
	admission_free(&a);
}

static void behind_a_proxy_the_client_comes_later(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission_seat one = { 0 }, two = { 0 }, three = { 0 };
	union address client = fixture_address("192.0.2.1");
	struct network never = fixture_network("10.0.0.1/32");
	union address proxy = fixture_address("10.0.0.1");
	struct admission_counts c;
	struct admission *a;

	(void)state;
	l.max_sessions = 2;
	l.max_per_address = 1;
	l.never = &never;
	l.never_count = 1;
	a = fixture_new(&l);
	assert_int_equal(admission_enter_proxied(a, &one), ADMISSION_GOOD);
	assert_int_equal(admission_enter_proxied(a, &two), ADMISSION_GOOD);
	assert_int_equal(admission_enter_proxied(a, &three), ADMISSION_FULL);
	admission_leave(a, &three);
	assert_int_equal(admission_address(a, &client, 1, &one), ADMISSION_GOOD);
	assert_int_equal(admission_address(a, &client, 1, &two), ADMISSION_ADDRESS_FULL);
	assert_int_equal(admission_enter_proxied(a, &three), ADMISSION_FULL);	/* the refused one is still there */
	admission_leave(a, &two);
	assert_int_equal(admission_enter_proxied(a, &three), ADMISSION_GOOD);
	assert_int_equal(admission_address(a, &proxy, 1, &three), ADMISSION_GOOD);	/* it speaks for itself */
	admission_leave(a, &three);
	admission_leave(a, &one);
	admission_counts(a, &c);
	assert_true(c.sessions == 0 && c.addresses == 0 && c.said[ADMISSION_GOOD] == 2);
	admission_free(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_limited),
		cmocka_unit_test(an_address_is_v4_or_a_64),
		cmocka_unit_test(access_is_a_list),
		cmocka_unit_test(trusted_proxies_are_not_counted_by_address),
		cmocka_unit_test(behind_a_proxy_the_client_comes_later),
	};

	return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
