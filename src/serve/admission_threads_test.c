/* SPDX-License-Identifier: Apache-2.0
 *
 * Many threads at one admission: counts come out even, limits are never
 * passed; for a look with -Db_sanitize=thread. */
#include <pthread.h>
#include <stdatomic.h>

#include "serve/fixture.h"

enum { THREADS = 6, ROUNDS = 20000, SEATS = 8, MOST = 20, ADDRESSES = 7 };

static struct admission *shared;
static atomic_uint inside, inside_user;
static atomic_bool over;

static void one_attempt(uint64_t *seed, const union address *from, uint64_t now_ms)
{
	struct admission_attempt t;
	char user[16];

	(void)snprintf(user, sizeof user, "user%u", fixture_random(seed) % 50);
	admission_login_start(shared, from, span_of(user), now_ms, &t);
	if (admission_login_wait(shared, &t, now_ms).delay_ms)
		return;
	if (fixture_random(seed) % 4)
		(void)admission_login_failed(shared, &t, now_ms);
	else
		admission_login_good(shared, &t, now_ms);
}

static void come(uint64_t *seed, struct admission_seat *seat, const union address *from, uint64_t now_ms)
{
	uint32_t wait_s;

	if (admission_enter(shared, from, now_ms, seat) != ADMISSION_GOOD)
		return;
	if (atomic_fetch_add(&inside, 1) >= MOST)
		atomic_store(&over, true);
	if (fixture_random(seed) % 2 && admission_user_enter(shared, seat, SPAN("anna"), 3, false, now_ms, &wait_s) == ADMISSION_USER_GOOD) {
		if (atomic_fetch_add(&inside_user, 1) >= 3)
			atomic_store(&over, true);
		atomic_fetch_sub(&inside_user, 1);
		admission_user_leave(shared, seat);
	}
}

static void administer(uint64_t *seed, uint64_t now_ms)
{
	struct network never = fixture_network("198.51.100.0/24");
	struct admission_block b = { .network = fixture_network("203.0.113.0/24"), .left_ms = fixture_random(seed) % 3 };
	struct admission_limits l = fixture_limits();
	struct admission_counts c;
	struct err e;
	uint64_t cursor = 0;

	b.network.base.v4.sin_addr.s_addr ^= htonl(fixture_random(seed) % 4096 << 8);
	l.max_sessions = MOST;
	l.max_per_address = 1 + fixture_random(seed) % 5;
	l.never = &never;
	l.never_count = fixture_random(seed) % 2;
	if (!admission_block_add(shared, &b, now_ms, &e) || !admission_reload(shared, &l, &e))
		atomic_store(&over, true);
	while (admission_block_each(shared, &cursor, now_ms, &b))
		if (fixture_random(seed) % 3 == 0)
			(void)admission_block_remove(shared, &b.network, now_ms);
	admission_counts(shared, &c);
	if (c.sessions > MOST || c.addresses > MOST)
		atomic_store(&over, true);
}

static void *hammer(void *user)
{
	uint64_t seed = 1000 + (uint64_t)(uintptr_t)user, now = 1;
	struct admission_seat seats[SEATS] = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		struct admission_seat *seat = &seats[fixture_random(&seed) % SEATS];
		union address from = { .v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336400u + fixture_random(&seed) % ADDRESSES) } };

		now += fixture_random(&seed) % 2000;
		if (seat->holds) {
			atomic_fetch_sub(&inside, 1);
			admission_leave(shared, seat);
		} else {
			come(&seed, seat, &from, now);
		}
		one_attempt(&seed, &from, now);
		if (round % 64 == 0)
			administer(&seed, now);
		if (round % 1024 == 0) {
			from = fixture_six(fixture_random(&seed), 1);
			(void)admission_overlong(shared, &from);
		}
	}
	for (size_t i = 0; i < SEATS; i++) {
		if (seats[i].holds)
			atomic_fetch_sub(&inside, 1);
		admission_leave(shared, &seats[i]);
	}
	return NULL;
}

static void threads_keep_the_counts(void **state)
{
	struct admission_limits l = fixture_limits();
	struct admission_counts c;
	pthread_t threads[THREADS];

	(void)state;
	l.max_sessions = MOST;
	shared = fixture_new(&l);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(atomic_load(&over));
	admission_counts(shared, &c);
	assert_true(c.sessions == 0 && c.addresses == 0 && c.users == 0);
	assert_true(c.said[ADMISSION_GOOD] > ROUNDS && c.said[ADMISSION_FULL] > 0 && c.said[ADMISSION_BLOCKED] > 0 && c.said[ADMISSION_ADDRESS_FULL] > 0);
	assert_true(c.failed_logins > ROUNDS && c.good_logins > 0);
	admission_free(&shared);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_keep_the_counts),
	};

	return cmocka_run_group_tests_name("admission_threads", tests, NULL, NULL);
}
