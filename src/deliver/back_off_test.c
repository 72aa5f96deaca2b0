/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

#include "deliver/back_off.h"

static void all_is_well([[maybe_unused]] void **state)
{
	struct back_off b = { 0 };

	for (uint64_t now = 0; now < 3; now++)
		assert_true(back_off_may(&b, now));
}

static void one_probe_at_a_time([[maybe_unused]] void **state)
{
	struct back_off b = { 0 };

	back_off_failed(&b, 1000, "it hangs");
	back_off_failed(&b, 1001, "another that had begun before");
	assert_string_equal(b.why, "it hangs");
	assert_false(back_off_may(&b, 1001));
	assert_false(back_off_may(&b, 1000 + BACK_OFF_FIRST_MS - 1));
	assert_true(back_off_may(&b, 1000 + BACK_OFF_FIRST_MS));
	assert_false(back_off_may(&b, 1000 + BACK_OFF_FIRST_MS));
	assert_false(back_off_may(&b, 1000 + 2 * BACK_OFF_FIRST_MS - 1));
	assert_true(back_off_may(&b, 1000 + 2 * BACK_OFF_FIRST_MS));	/* the first one told nothing */
	assert_false(back_off_may(&b, 1000 + 2 * BACK_OFF_FIRST_MS));
	back_off_over(&b);
	assert_true(back_off_may(&b, 1000 + 2 * BACK_OFF_FIRST_MS));
	assert_false(back_off_may(&b, 1000 + 2 * BACK_OFF_FIRST_MS));
	back_off_good(&b);
	assert_true(back_off_may(&b, 0) && back_off_may(&b, 0));
}

static void longer_each_time([[maybe_unused]] void **state)
{
	static const uint32_t waits[] = { 5000, 10000, 20000, 40000, 60000, 60000 };
	struct back_off b = { 0 };
	uint64_t now = 7;

	for (size_t n = 0; n < COUNT(waits); n++) {
		assert_true(back_off_may(&b, now));
		now += 30000;			/* it hung for so long, maybe longer than the wait */
		back_off_failed(&b, now, "it hangs");
		assert_false(back_off_may(&b, now + waits[n] - 1));
		now += waits[n];
	}
	back_off_good(&b);
	back_off_failed(&b, now, "again");
	assert_true(back_off_may(&b, now + BACK_OFF_FIRST_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well),
		cmocka_unit_test(one_probe_at_a_time),
		cmocka_unit_test(longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
