/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/fixture.h"

static bool add(struct admission *a, const char *network, uint64_t left_ms, const char *why, uint64_t now_ms)
{
	struct admission_block b = { .network = fixture_network(network), .left_ms = left_ms };

	(void)snprintf(b.why, sizeof b.why, "%s", why);
	return admission_block_add(a, &b, now_ms, &fixture_err);
}

static size_t drop(struct admission *a, const char *network, uint64_t now_ms)
{
	struct network n = fixture_network(network);

	return admission_block_remove(a, &n, now_ms);
}

static enum admission_said door(struct admission *a, const char *from, uint64_t now_ms)
{
	union address address = fixture_address(from);
	struct admission_seat seat = { 0 };
	enum admission_said said = admission_enter(a, &address, now_ms, &seat);

	admission_leave(a, &seat);
	return said;
}

static void guess(struct admission *a, const char *from, int times, uint64_t now_ms)
{
	union address address = fixture_address(from);
	struct admission_attempt t;

	admission_login_start(a, &address, SPAN("anna"), now_ms, &t);
	while (times--)
		(void)admission_login_failed(a, &t, now_ms);
}

/* The list as lines. */
static const char *list(struct admission *a, uint64_t now_ms)
{
	static char out[4096];
	char text[NETWORK_TEXT];
	struct admission_block b;
	uint64_t cursor = 0;
	size_t len = 0;

	out[0] = '\0';
	while (admission_block_each(a, &cursor, now_ms, &b))
		len += (size_t)snprintf(out + len, sizeof out - len, "%s by %s, %llu old, %llu left, %llu hits: %s\n", network_text(&b.network, text), admission_by_name(b.by),
			(unsigned long long)b.age_ms, (unsigned long long)b.left_ms, (unsigned long long)b.hits, b.why);
	assert_false(admission_block_each(a, &cursor, now_ms, &b));
	return out;
}

static void blocks_by_hand_hold_until_their_end(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);

	(void)state;
	assert_string_equal(list(a, 1), "");
	assert_true(add(a, "192.0.2.0/24", 1000, "scans", 1000));
	assert_true(add(a, "2001:db8::/32", 0, "", 1500));
	assert_int_equal(door(a, "192.0.2.7", 1999), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "::ffff:192.0.2.8", 1999), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "192.0.3.1", 1999), ADMISSION_GOOD);
	assert_int_equal(door(a, "2001:db8:9::1", 1999), ADMISSION_BLOCKED);
	assert_string_equal(list(a, 1999),
		"192.0.2.0/24 by hand, 999 old, 1 left, 2 hits: scans\n2001:db8::/32 by hand, 499 old, 0 left, 1 hits: \n");
	assert_int_equal(door(a, "192.0.2.7", 2000), ADMISSION_GOOD);
	assert_string_equal(list(a, 2000), "2001:db8::/32 by hand, 500 old, 0 left, 1 hits: \n");
	assert_int_equal(drop(a, "192.0.2.0/24", 2000), 0);
	assert_int_equal(drop(a, "2001:db8::/33", 2000), 0);
	assert_int_equal(door(a, "2001:db8:9::1", UINT64_MAX / 2), ADMISSION_BLOCKED);
	assert_int_equal(drop(a, "2001:db8::/32", 2000), 1);
	assert_int_equal(door(a, "2001:db8:9::1", 2000), ADMISSION_GOOD);
	admission_free(&a);
}

/* An ended block does not hide the wider one around it. */
static void a_wider_block_holds_on(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);

	(void)state;
	assert_true(add(a, "192.0.2.7", 10, "", 0) && add(a, "192.0.0.0/16", 0, "", 0));
	assert_int_equal(door(a, "192.0.2.7", 9), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "192.0.2.7", 11), ADMISSION_BLOCKED);
	assert_string_equal(list(a, 11), "192.0.0.0/16 by hand, 11 old, 0 left, 1 hits: \n");
	admission_free(&a);
}

static void added_again_it_gets_a_new_end_and_reason(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_block old = { .network = fixture_network("10.0.0.0/8"), .age_ms = 5000 };

	(void)state;
	assert_true(admission_block_add(a, &old, 1000, &fixture_err));	/* older than the clock */
	assert_string_equal(list(a, 1000), "10.0.0.0/8 by hand, 5000 old, 0 left, 0 hits: \n");
	assert_int_equal(door(a, "10.1.1.1", 1000), ADMISSION_BLOCKED);
	assert_true(add(a, "10.0.0.0/8", 100, "a\nforged \x1b line", 1100));
	assert_string_equal(list(a, 1100), "10.0.0.0/8 by hand, 5100 old, 100 left, 1 hits: a?forged ? line\n");
	assert_true(add(a, "10.0.0.0/8", 100, "anew", 1200));	/* it had ended */
	assert_true(add(a, "192.0.2.0/24", UINT64_MAX, "", 1200) && door(a, "192.0.2.1", 1200) == ADMISSION_BLOCKED && drop(a, "192.0.2.0/24", 1200) == 1);
	assert_string_equal(list(a, 1200), "10.0.0.0/8 by hand, 0 old, 100 left, 0 hits: anew\n");
	admission_free(&a);
}

static void failed_logins_are_listed_and_can_be_pardoned(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_counts c;

	(void)state;
	guess(a, "192.0.2.1", 10, 1000);
	guess(a, "2001:db8::1", 10, 1000);
	guess(a, "192.0.2.2", 9, 1000);
	assert_int_equal(door(a, "2001:db8::2", 2000), ADMISSION_BLOCKED);
	assert_non_null(strstr(list(a, 2000), "2001:db8::/64 by failed logins, 1000 old, 899000 left, 1 hits: too many failed logins\n"));
	assert_non_null(strstr(list(a, 2000), "192.0.2.1/32 by failed logins, 1000 old, 899000 left, 0 hits: too many failed logins\n"));
	assert_null(strstr(list(a, 2000), "192.0.2.2"));
	assert_int_equal(drop(a, "192.0.2.0/24", 2000), 1);
	assert_int_equal(door(a, "192.0.2.1", 2000), ADMISSION_GOOD);
	guess(a, "192.0.2.2", 1, 2000);		/* the penalty went too */
	assert_int_equal(door(a, "192.0.2.2", 2000), ADMISSION_GOOD);
	assert_true(add(a, "2001:db8::/64", 0, "", 2000));
	assert_int_equal(drop(a, "2001:db8::/64", 2000), 2);
	admission_counts(a, &c);
	assert_true(c.blocked_by_hand == 0 && c.blocked_failed == 0 && c.penalty_addresses == 1);
	guess(a, "2001:db8::1", 10, 2000);
	assert_int_equal(drop(a, "2001:db8:0:1::1", 2000), 0);
	assert_int_equal(drop(a, "2001:db8::abc", 2000), 1);	/* one host, as logs have it: its /64 */
	guess(a, "192.0.2.5", 10, 2000);
	assert_string_equal(list(a, 2000 + 15 * MINUTE), "");
	admission_free(&a);
}

static void a_logged_in_attempt_is_not_stopped_by_hand_but_the_door_is(void **state)
{
	struct network never = fixture_network("10.0.0.0/8");
	struct admission_limits l = fixture_limits();
	struct admission_seat seat = { 0 };
	union address from = fixture_address("192.0.2.1");
	struct admission *a;

	(void)state;
	l.never = &never;
	l.never_count = 1;
	a = fixture_new(&l);
	assert_int_equal(admission_enter(a, &from, 1, &seat), ADMISSION_GOOD);
	assert_true(add(a, "0.0.0.0/0", 0, "all", 1));
	assert_int_equal(door(a, "10.0.0.1", 1), ADMISSION_GOOD);	/* a trusted proxy */
	assert_int_equal(door(a, "192.0.2.1", 1), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "::1", 1), ADMISSION_GOOD);
	l.never_count = 0;
	assert_true(admission_reload(a, &l, &fixture_err));	/* blocks stay */
	assert_int_equal(door(a, "10.0.0.1", 1), ADMISSION_BLOCKED);
	admission_leave(a, &seat);
	admission_free(&a);
}

static void ten_thousand_blocks(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_block b = { 0 };
	uint64_t cursor = 0;
	size_t listed = 0;

	(void)state;
	for (uint32_t i = 0; i < ADMISSION_BLOCKS; i++) {
		b.network = (struct network){ .base = fixture_six((uint64_t)i << 16, 0), .bits = 48 };
		b.left_ms = i < 10 ? 100 : 0;
		assert_true(admission_block_add(a, &b, 1, &fixture_err));
	}
	assert_false(add(a, "192.0.2.0/24", 0, "", 100));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "postrider block list"));
	while (admission_block_each(a, &cursor, 100, &b))
		listed++;
	assert_int_equal(listed, ADMISSION_BLOCKS);
	for (uint32_t i = 0; i < ADMISSION_BLOCKS; i += 97) {
		union address in = fixture_six(((uint64_t)i << 16) + 7, 3), out = fixture_six((uint64_t)(i + ADMISSION_BLOCKS) << 16, 3);
		struct admission_seat seat = { 0 };

		assert_int_equal(admission_enter(a, &in, 1, &seat), ADMISSION_BLOCKED);
		assert_int_equal(admission_enter(a, &out, 1, &seat), ADMISSION_GOOD);
		admission_leave(a, &seat);
	}
	for (int i = 0; i < 10; i++) {		/* ten have ended: there is room for ten */
		char text[32];

		(void)snprintf(text, sizeof text, "192.0.2.%d", i);
		assert_true(add(a, text, 0, "", 101));
	}
	assert_false(add(a, "192.0.2.99", 0, "", 101));
	assert_int_equal(door(a, "192.0.2.9", 101), ADMISSION_BLOCKED);
	assert_int_equal(drop(a, "192.0.2.9", 101), 1);
	assert_true(add(a, "192.0.2.99", 0, "", 101));
	assert_true(add(a, "192.0.2.99", 0, "again", 101));
	admission_free(&a);
}

static void an_overlong_command_denies_for_good_and_is_not_listed(void **state)
{
	struct network never = fixture_network("10.0.0.0/8");
	struct admission_limits l = fixture_limits();
	union address four = fixture_address("192.0.2.1"), six = fixture_address("2001:db8::1"), proxy = fixture_address("10.0.0.1");
	struct admission_counts c;
	struct admission *a;

	(void)state;
	l.never = &never;
	l.never_count = 1;
	a = fixture_new(&l);
	assert_true(admission_overlong(a, &four) && admission_overlong(a, &six) && admission_overlong(a, &four));
	assert_false(admission_overlong(a, &proxy));
	assert_int_equal(door(a, "192.0.2.1", UINT64_MAX / 2), ADMISSION_DENIED);
	assert_int_equal(door(a, "2001:db8::2:3:4", 1), ADMISSION_DENIED);
	assert_int_equal(door(a, "2001:db8:0:1::1", 1), ADMISSION_GOOD);
	assert_int_equal(door(a, "10.0.0.1", 1), ADMISSION_GOOD);
	assert_string_equal(list(a, 1), "");
	assert_int_equal(drop(a, "192.0.2.1", 1), 0);
	admission_counts(a, &c);
	assert_true(c.overlong == 2 && c.said[ADMISSION_DENIED] == 2 && c.blocked_failed == 0);
	l.overlong_denies = false;		/* what is denied stays */
	assert_true(admission_reload(a, &l, &fixture_err));
	assert_int_equal(door(a, "192.0.2.1", 1), ADMISSION_DENIED);
	four = fixture_address("192.0.2.2");
	assert_false(admission_overlong(a, &four));
	assert_int_equal(door(a, "192.0.2.2", 1), ADMISSION_GOOD);
	admission_free(&a);
}

static enum admission_said six(struct admission *a, uint64_t prefix)
{
	union address from = fixture_six(prefix, 9);
	struct admission_seat seat = { 0 };
	enum admission_said said = admission_enter(a, &from, 1, &seat);

	admission_leave(a, &seat);
	return said;
}

static void of_the_overlong_the_very_oldest_goes(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_counts c;

	(void)state;
	for (uint32_t i = 0; i < ADMISSION_OVERLONG; i++)
		assert_true(admission_overlong(a, &(union address[]){ fixture_six(i, i) }[0]));
	for (uint32_t i = 0; i < ADMISSION_OVERLONG; i += 101)
		assert_int_equal(six(a, i), ADMISSION_DENIED);
	assert_true(admission_overlong(a, &(union address[]){ fixture_six(7, 1) }[0]));	/* the newest again */
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(admission_overlong(a, &(union address[]){ fixture_six(ADMISSION_OVERLONG + i, i) }[0]));
	assert_int_equal(six(a, 7), ADMISSION_DENIED);
	assert_int_equal(six(a, 999), ADMISSION_GOOD);
	assert_int_equal(six(a, 1000), ADMISSION_GOOD);
	assert_int_equal(six(a, 1001), ADMISSION_DENIED);
	for (uint32_t i = 0; i < 1000000; i++)
		assert_true(admission_overlong(a, &(union address[]){ fixture_six(10 * ADMISSION_OVERLONG + i, i) }[0]));
	admission_counts(a, &c);
	assert_int_equal(c.overlong, ADMISSION_OVERLONG);
	admission_free(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_by_hand_hold_until_their_end),
		cmocka_unit_test(a_wider_block_holds_on),
		cmocka_unit_test(added_again_it_gets_a_new_end_and_reason),
		cmocka_unit_test(failed_logins_are_listed_and_can_be_pardoned),
		cmocka_unit_test(a_logged_in_attempt_is_not_stopped_by_hand_but_the_door_is),
		cmocka_unit_test(ten_thousand_blocks),
		cmocka_unit_test(an_overlong_command_denies_for_good_and_is_not_listed),
		cmocka_unit_test(of_the_overlong_the_very_oldest_goes),
	};

	return cmocka_run_group_tests_name("admission_block", tests, NULL, NULL);
}
