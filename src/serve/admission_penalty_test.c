/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/fixture.h"

#include "serve/admission_inside.h"

static void start(struct admission *a, struct admission_attempt *t, const char *from, const char *user, uint64_t now_ms)
{
	union address address = fixture_address(from);

	admission_login_start(a, &address, span_of(user), now_ms, t);
}

/* What an attempt would be told right away. */
static uint32_t wait(struct admission *a, const char *from, const char *user, uint64_t now_ms)
{
	struct admission_attempt t;
	struct admission_delay d;

	start(a, &t, from, user, now_ms);
	d = admission_login_wait(a, &t, now_ms);
	assert_false(d.blocked);
	return d.delay_ms;
}

static struct admission_delay failed(struct admission *a, const char *from, const char *user, uint64_t now_ms)
{
	struct admission_attempt t;

	start(a, &t, from, user, now_ms);
	return admission_login_failed(a, &t, now_ms);
}

static void good(struct admission *a, const char *from, const char *user, uint64_t now_ms)
{
	struct admission_attempt t;

	start(a, &t, from, user, now_ms);
	admission_login_good(a, &t, now_ms);
}

static enum admission_said door(struct admission *a, const char *from, uint64_t now_ms)
{
	union address address = fixture_address(from);
	struct admission_seat seat = { 0 };
	enum admission_said said = admission_enter(a, &address, now_ms, &seat);

	admission_leave(a, &seat);
	return said;
}

static void delays_grow_and_then_the_address_is_blocked(void **state)
{
	static const uint32_t delays[] = { 2, 4, 8, 16, 30, 30, 30, 30, 30, 30 };
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	uint64_t now = 5000;
	uint32_t waited;

	(void)state;
	for (size_t i = 0; i < COUNT(delays); i++) {
		struct admission_delay d = fixture_fail(a, "192.0.2.1", "anna", &now, &waited);

		assert_int_equal(waited, i ? delays[i - 1] * SECOND : 0);
		assert_int_equal(d.delay_ms, delays[i] * SECOND);
		assert_int_equal(d.blocked, i == 9);
		assert_int_equal(door(a, "192.0.2.1", now), i == 9 ? ADMISSION_BLOCKED : ADMISSION_GOOD);
	}
	assert_true(fixture_fail(a, "192.0.2.1", "bert", &now, &waited).blocked && !waited);	/* who is in still */
	assert_int_equal(door(a, "192.0.2.2", now), ADMISSION_GOOD);
	assert_int_equal(door(a, "192.0.2.1", now + 15 * MINUTE - 1), ADMISSION_BLOCKED);
	now += 15 * MINUTE;
	assert_int_equal(door(a, "192.0.2.1", now), ADMISSION_GOOD);
	for (int i = 0; i < 10; i++)		/* of 10, 5 stayed; some are forgotten by now */
		if (fixture_fail(a, "192.0.2.1", "anna", &now, &waited).blocked) {
			assert_in_range(i, 4, 6);
			admission_free(&a);
			return;
		}
	fail();
}

/* While he waits for his refusal, the next attempt's time has come: one who goes one by one waits once. */
static void failed_delay_is_configured(void **state)
{
	static const struct row { uint32_t delay_ms, limit, block_ms, want[4]; bool blocked; } rows[] = {
		{ 0, 3, 1000, { 0, 0, 0, 0 }, true }, { 1000, 0, 1000, { 1000, 2000, 4000, 8000 }, false }, { 7000, 3, 0, { 7000, 14000, 28000, 30000 }, false },
		{ 60000, 3, 1000, { 60000, 60000, 60000, 60000 }, true }, { 1, 1, 1, { 1, 1, 1, 1 }, true },
		{ UINT32_MAX, 0, 0, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX }, false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct admission_limits l = fixture_limits();
		struct admission *a;
		bool blocked = false;

		l.failed_delay_ms = r->delay_ms;
		l.failed_limit = r->limit;
		l.failed_block_ms = r->block_ms;
		a = fixture_new(&l);
		for (int i = 0; i < 4 && !blocked; i++) {
			struct admission_delay d = failed(a, "::1", "anna", 9);

			blocked = d.blocked;
			if (d.delay_ms != r->want[i])
				fail_msg("%u: %d: %u", r->delay_ms, i, d.delay_ms);
		}
		assert_int_equal(blocked, r->blocked);
		admission_free(&a);
	}
}

static void a_64_counts_as_one_and_localhost_too(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);

	(void)state;
	for (int i = 0; i < 10; i++) {
		char from[64], user[16];

		(void)snprintf(from, sizeof from, "2001:db8::%x:1", i + 1);
		(void)snprintf(user, sizeof user, "user%d", i);
		assert_int_equal(failed(a, from, user, 1).blocked, i == 9);
		(void)failed(a, "127.0.0.1", user, 1);
	}
	assert_int_equal(door(a, "2001:db8::9999", 1), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "2001:db8:0:1::1", 1), ADMISSION_GOOD);
	assert_int_equal(door(a, "127.0.0.1", 1), ADMISSION_BLOCKED);
	assert_int_equal(door(a, "::ffff:127.0.0.1", 1), ADMISSION_BLOCKED);
	admission_free(&a);
}

static void a_trusted_proxy_has_no_penalty_but_users_have(void **state)
{
	struct network never = fixture_network("10.0.0.0/8");
	struct admission_limits l = fixture_limits();
	struct admission *a;

	(void)state;
	l.never = &never;
	l.never_count = 1;
	a = fixture_new(&l);
	for (int i = 0; i < 30; i++)
		assert_false(failed(a, "10.0.0.1", "anna", 1).blocked);
	assert_int_equal(door(a, "10.0.0.1", 1), ADMISSION_GOOD);
	assert_int_equal(wait(a, "10.0.0.1", "bert", 1), 0);
	assert_int_equal(wait(a, "10.0.0.1", "anna", 1), 30 * SECOND);
	admission_free(&a);
}

static void failures_are_forgotten_one_by_one(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_counts c;
	uint64_t now = 1;

	(void)state;
	for (int i = 0; i < 100; i++) {		/* a client with an old password, each quarter of an hour */
		struct admission_delay d = failed(a, "192.0.2.1", "anna", now);

		assert_true(!d.blocked && d.delay_ms == 2 * SECOND);
		now += 15 * MINUTE;
	}
	for (int i = 0; i < 4; i++)
		(void)failed(a, "192.0.2.9", "bert", now);
	now += 25 * MINUTE;			/* two are forgotten */
	assert_int_equal(failed(a, "192.0.2.9", "bert", now).delay_ms, 8 * SECOND);
	now += 4 * MINUTE;
	assert_int_equal(failed(a, "192.0.2.9", "bert", now).delay_ms, 16 * SECOND);
	now += 2 * MINUTE;			/* the first began to fade 31 minutes ago */
	assert_int_equal(failed(a, "192.0.2.9", "bert", now).delay_ms, 16 * SECOND);
	now += 41 * MINUTE;
	assert_int_equal(failed(a, "192.0.2.9", "bert", now).delay_ms, 2 * SECOND);
	admission_counts(a, &c);
	assert_int_equal(c.failed_logins, 108);
	admission_free(&a);
}

static void a_good_login_takes_back_its_own_failures_only(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_counts c;

	(void)state;
	(void)failed(a, "192.0.2.1", "anna", 1);
	(void)failed(a, "192.0.2.1", "anna", 1);
	good(a, "192.0.2.1", "anna", 1);
	admission_counts(a, &c);
	assert_true(c.penalty_addresses == 0 && c.penalty_users == 0 && c.good_logins == 1);
	/* An attacker with an account of his own: nine guesses, one login, and again. */
	for (int i = 0; i < 9; i++) {
		assert_false(failed(a, "192.0.2.66", "anna", 1).blocked);
		good(a, "192.0.2.66", "mallory", 1);
	}
	assert_true(failed(a, "192.0.2.66", "anna", 1).blocked);
	/* Others failed between: only the last ones are mine. */
	(void)failed(a, "192.0.2.7", "carl", 1);
	(void)failed(a, "192.0.2.7", "dora", 1);
	(void)failed(a, "192.0.2.7", "carl", 1);
	good(a, "192.0.2.7", "carl", 1);
	assert_int_equal(failed(a, "192.0.2.7", "emil", 1).delay_ms, 8 * SECOND);	/* the third */
	admission_free(&a);
}

static void many_addresses_delay_a_user_but_never_where_he_is_known(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_attempt t;
	uint64_t now = HOUR;

	(void)state;
	good(a, "192.0.2.1", "anna", now);
	for (uint32_t i = 0; i < 1000; i++) {
		union address bot = fixture_six(0x20010db800000000u + i, 1);

		admission_login_start(a, &bot, SPAN("anna"), now, &t);
		assert_false(admission_login_failed(a, &t, now).blocked);
	}
	assert_int_equal(wait(a, "192.0.2.1", "anna", now), 0);
	assert_int_equal(wait(a, "192.0.2.1", "anna", now), 0);		/* takes nobody's turn */
	assert_int_equal(wait(a, "192.0.2.2", "anna", now), 30 * SECOND);
	assert_int_equal(wait(a, "192.0.2.2", "bert", now), 0);
	/* Behind the same address others fail: neither. */
	(void)failed(a, "192.0.2.1", "bert", now);
	assert_int_equal(wait(a, "192.0.2.1", "anna", now), 0);
	assert_int_equal(wait(a, "192.0.2.1", "bert", now), 2 * SECOND);
	/* But who guesses her password there makes it an address like others. */
	(void)failed(a, "192.0.2.1", "anna", now);
	assert_int_equal(wait(a, "192.0.2.1", "anna", now), 30 * SECOND);
	good(a, "192.0.2.1", "anna", now);
	assert_int_equal(wait(a, "192.0.2.1", "anna", now + ADMISSION_KNOWN_MS - 2 * SECOND), 0);
	/* After a week away, it is no better than others. */
	now += ADMISSION_KNOWN_MS + SECOND;
	(void)failed(a, "192.0.2.2", "anna", now);
	assert_int_equal(wait(a, "192.0.2.1", "anna", now), 2 * SECOND);
	admission_free(&a);
}

static void eight_addresses_of_a_user_are_known(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	char from[32];

	(void)state;
	for (int i = 0; i < 9; i++) {
		(void)snprintf(from, sizeof from, "192.0.2.%d", i);
		good(a, from, "anna", (uint64_t)i * SECOND);
		good(a, "192.0.2.0", "anna", (uint64_t)i * SECOND);	/* again and again: it takes one place */
	}
	(void)failed(a, "198.51.100.1", "anna", 10 * SECOND);
	for (int i = 0; i < 9; i++) {
		(void)snprintf(from, sizeof from, "192.0.2.%d", i);
		assert_int_equal(wait(a, from, "anna", 10 * SECOND), i == 1 ? 2 * SECOND : 0);
	}
	admission_free(&a);
}

/* A thousand at once, from one address and then from as many: one a delay, and all within the bound. */
static void attempts_side_by_side_go_one_by_one(void **state)
{
	enum { MANY = 1000 };
	static struct admission_attempt t[MANY];
	static uint64_t due[MANY];

	(void)state;
	for (int spread = 0; spread < 2; spread++) {
		struct admission_limits l = fixture_limits();
		struct admission *a = fixture_new(&l);
		uint32_t looked = 0, refused = 0, early = 0;

		for (uint32_t i = 0; i < MANY; i++) {
			union address from = fixture_six(0x20010db800000000u + (spread ? i : 0), i);

			admission_login_start(a, &from, SPAN("anna"), 0, &t[i]);
			assert_int_equal(admission_login_wait(a, &t[i], 0).delay_ms, 0);	/* nothing is known of them yet */
			due[i] = 0;
		}
		for (uint64_t now = 0; now <= ADMISSION_WAIT_MS; now += 100)	/* out of the queue, one a tenth of a second, or when a timer ends */
			for (uint32_t i = 0, hashed = 0; i < MANY && (!hashed || now == ADMISSION_WAIT_MS); i++) {
				struct admission_delay d;

				if (due[i] == UINT64_MAX || due[i] > now)
					continue;
				d = admission_login_wait(a, &t[i], now);
				assert_true(now + d.delay_ms <= ADMISSION_WAIT_MS);
				due[i] = d.delay_ms ? now + d.delay_ms : UINT64_MAX;
				hashed += !d.delay_ms && !d.blocked;
				if (d.blocked)
					refused++;
				else if (!d.delay_ms) {
					looked++;
					early += now < ADMISSION_WAIT_MS;
					(void)admission_login_failed(a, &t[i], now);
				}
			}
		assert_int_equal(early, 4);	/* at 0, 2, 6 and 14 seconds; the next one at 30 */
		assert_int_equal(looked + refused, MANY);
		assert_int_equal(looked, spread ? MANY : 10);
		admission_free(&a);
	}
}

/* Asked again when it comes out of the queue, an attempt that had its turn does not wait twice: unless another one,
 * of its address or its user, failed meanwhile. */
static void a_turn_is_kept_until_another_fails(void **state)
{
	static const struct row { const char *from, *user; uint32_t delay; } rows[] = {
		{ "192.0.2.1", "bob", 4 * SECOND }, { "198.51.100.1", "anna", 4 * SECOND }, { "198.51.100.1", "bob", 0 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct admission_limits l = fixture_limits();
		struct admission *a = fixture_new(&l);
		struct admission_attempt t;

		(void)failed(a, "192.0.2.1", "anna", 0);
		start(a, &t, "192.0.2.1", "anna", 5 * SECOND);
		for (uint32_t n = 0; n < 3; n++)
			assert_int_equal(admission_login_wait(a, &t, 5 * SECOND + n).delay_ms, 0);
		(void)failed(a, r->from, r->user, 6 * SECOND);
		assert_int_equal(admission_login_wait(a, &t, 6 * SECOND).delay_ms, r->delay);
		assert_int_equal(admission_login_wait(a, &t, 6 * SECOND + r->delay).delay_ms, 0);
		assert_int_equal(admission_login_wait(a, &t, 6 * SECOND + r->delay).delay_ms, 0);
		admission_free(&a);
	}
}

/* Two that ask at the same time when there is one turn. */
static void a_turn_is_for_one(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);

	(void)state;
	(void)failed(a, "192.0.2.1", "anna", 0);
	assert_int_equal(wait(a, "192.0.2.1", "bert", 1999), 1);
	assert_int_equal(wait(a, "192.0.2.1", "bert", 2000), 0);
	assert_int_equal(wait(a, "192.0.2.1", "carl", 2000), 2000);
	assert_int_equal(wait(a, "192.0.2.3", "anna", 2000), 0);
	assert_int_equal(wait(a, "192.0.2.4", "anna", 2500), 1500);
	admission_free(&a);
}

/* A flood of strangers that fail once or twice forgets neither blocks nor those who failed often. */
static void a_flood_forgets_no_block(void **state)
{
	enum { FLOOD = 1000000, BLOCKED = 500 };
	struct admission_limits l = fixture_limits();
	struct admission *a = fixture_new(&l);
	struct admission_attempt t;
	struct admission_counts c;
	uint64_t seed = 99, cursor = 0;
	struct admission_block b;
	size_t listed = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (uint32_t i = 0; i < BLOCKED; i++)
		for (int n = 0; n < 10; n++) {
			union address from = fixture_six(0x20010db900000000u + i, 1);

			admission_login_start(a, &from, SPAN("anna"), 1, &t);
			assert_int_equal(admission_login_failed(a, &t, 1).blocked, n == 9);
		}
	for (uint32_t i = 0; i < FLOOD; i++) {
		union address from = fixture_six(((uint64_t)fixture_random(&seed) << 32) | fixture_random(&seed), i);
		char user[32];

		(void)snprintf(user, sizeof user, "invented%u", i);
		admission_login_start(a, &from, span_of(user), 1, &t);
		(void)admission_login_failed(a, &t, 2 + i / 10000);
	}
	admission_counts(a, &c);
	assert_true(c.penalty_addresses == ADMISSION_ADDRESSES && c.penalty_users == ADMISSION_USERS);
	assert_int_equal(c.blocked_failed, BLOCKED);
	assert_int_equal(wait(a, "192.0.2.9", "anna", 200), 30 * SECOND - 199);
	while (admission_block_each(a, &cursor, 200, &b))
		listed++;
	assert_int_equal(listed, BLOCKED);
	assert_int_equal(door(a, "2001:db9::1", 200), ADMISSION_BLOCKED);
	admission_free(&a);
}

/* Everybody is blocked: the oldest blocks end early, and strangers are counted still. */
static void blocks_leave_room(void **state)
{
	enum { MANY = 100000 };
	struct admission_limits l = fixture_limits();
	struct admission_attempt t;
	struct admission_counts c;
	struct admission *a;

	(void)state;
	l.failed_limit = 1;
	a = fixture_new(&l);
	for (uint32_t i = 0; i < MANY; i++) {
		union address from = fixture_six(i, 1);

		admission_login_start(a, &from, SPAN("anna"), 1, &t);
		assert_true(admission_login_failed(a, &t, i).blocked);
	}
	admission_counts(a, &c);
	assert_int_equal(c.blocked_failed, ADMISSION_ADDRESSES / 4 * 3);
	assert_true(c.penalty_addresses >= c.blocked_failed && c.penalty_addresses <= ADMISSION_ADDRESSES);
	l.failed_limit = 2;
	assert_true(admission_reload(a, &l, &fixture_err));
	for (uint32_t i = 0; i < MANY; i++) {		/* each fails twice, all at about the same time */
		union address from = fixture_six(MANY + i / 2, 1);

		admission_login_start(a, &from, SPAN("bert"), MANY, &t);
		assert_int_equal(admission_login_failed(a, &t, MANY).blocked, i % 2);
	}
	/* When all blocks are over, new ones make room, and the figure goes down. */
	for (uint32_t i = 0; i < MANY; i++) {
		union address from = fixture_six(10 * MANY + i, 1);

		admission_login_start(a, &from, SPAN("bert"), MANY, &t);
		assert_false(admission_login_failed(a, &t, HOUR * 100).blocked);
	}
	admission_counts(a, &c);
	assert_int_equal(c.blocked_failed, 0);
	assert_true(c.penalty_addresses <= ADMISSION_ADDRESSES);
	admission_free(&a);
}

static void entries_are_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct place) <= 64 && sizeof(struct penalty) <= 128 && sizeof(struct known) <= 160);
	print_message("octets: place %zu, penalty %zu, known %zu, overlong %zu\n", sizeof(struct place), sizeof(struct penalty), sizeof(struct known), sizeof(struct table_entry));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_grow_and_then_the_address_is_blocked),
		cmocka_unit_test(failed_delay_is_configured),
		cmocka_unit_test(a_64_counts_as_one_and_localhost_too),
		cmocka_unit_test(a_trusted_proxy_has_no_penalty_but_users_have),
		cmocka_unit_test(failures_are_forgotten_one_by_one),
		cmocka_unit_test(a_good_login_takes_back_its_own_failures_only),
		cmocka_unit_test(many_addresses_delay_a_user_but_never_where_he_is_known),
		cmocka_unit_test(eight_addresses_of_a_user_are_known),
		cmocka_unit_test(attempts_side_by_side_go_one_by_one),
		cmocka_unit_test(a_turn_is_kept_until_another_fails),
		cmocka_unit_test(a_turn_is_for_one),
		cmocka_unit_test(a_flood_forgets_no_block),
		cmocka_unit_test(blocks_leave_room),
		cmocka_unit_test(entries_are_small),
	};

	return cmocka_run_group_tests_name("admission_penalty", tests, NULL, NULL);
}
