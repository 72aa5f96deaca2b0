/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "main/history_order.h"

enum { ALL = 1000 };

static struct order_key all[ALL];

/* In no order, many at one moment. */
static void make(void)
{
	uint32_t random = 1;

	for (uint32_t n = 0; n < ALL; n++) {
		random = random * 1664525 + 1013904223;
		all[n] = (struct order_key){ .moment = random >> 16 & 15, .ledger = n % 3, .id = { (uint8_t)(n >> 8), (uint8_t)n } };
	}
	for (uint32_t n = ALL - 1; n; n--) {
		struct order_key kept = all[n];
		uint32_t other;

		random = random * 1664525 + 1013904223;
		other = (random >> 8) % (n + 1);
		all[n] = all[other];
		all[other] = kept;
	}
}

static int oldest_first(const void *a, const void *b)
{
	const struct order_key *one = a, *two = b;

	if (one->moment != two->moment)
		return one->moment < two->moment ? -1 : 1;
	if (one->ledger != two->ledger)
		return one->ledger < two->ledger ? -1 : 1;
	return memcmp(one->id, two->id, sizeof one->id);
}

/* Those within the bounds, as whoever asks would leave out the others: no one that belongs may be among those. */
static void offer_all(struct order *o)
{
	for (size_t n = 0; n < ALL; n++) {
		int64_t since, until;

		if ((order_since(o, &since) && all[n].moment < since) || (order_until(o, &until) && all[n].moment > until))
			continue;
		order_offer(o, &all[n]);
	}
	order_sort(o);
}

static void windows(size_t window, bool reverse)
{
	struct order_key sorted[ALL];
	struct order o;
	struct err e;
	size_t at = 0;

	memcpy(sorted, all, sizeof sorted);
	qsort(sorted, ALL, sizeof *sorted, oldest_first);
	assert_true(order_start(&o, window, reverse, &e));
	for (offer_all(&o); o.count; order_next(&o), offer_all(&o)) {
		assert_true(o.count <= window);
		for (size_t n = 0; n < o.count; n++, at++) {
			const struct order_key *want = &sorted[reverse ? ALL - 1 - at : at];

			assert_true(at < ALL);
			assert_int_equal(oldest_first(&o.keys[n], want), 0);
		}
		if (o.count < window)
			break;
	}
	assert_int_equal(at, ALL);
	order_end(&o);
}

static void every_window_tells_the_same_order([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 1, 2, 7, 64, 999, 1000, 1001 };

	make();
	for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
		windows(sizes[n], false);
		windows(sizes[n], true);
	}
}

static void a_smaller_window_has_the_first([[maybe_unused]] void **state)
{
	struct order o;
	struct err e;

	make();
	assert_true(order_start(&o, 100, true, &e));
	order_resize(&o, 3);
	offer_all(&o);
	assert_int_equal(o.count, 3);
	for (size_t n = 0; n < ALL; n++)
		assert_true(oldest_first(&all[n], &o.keys[0]) <= 0);
	order_end(&o);
}

/* The latest `limit`, the oldest of them first: windows from the latest on say where to begin. */
static void windows_begin_with_a_key([[maybe_unused]] void **state)
{
	struct order_key sorted[ALL];
	struct order o;
	struct err e;

	make();
	memcpy(sorted, all, sizeof sorted);
	qsort(sorted, ALL, sizeof *sorted, oldest_first);
	for (size_t from = 0; from < ALL; from += 37) {
		size_t at = from;

		assert_true(order_start(&o, 64, false, &e));
		order_from(&o, &sorted[from]);
		for (offer_all(&o); o.count; order_next(&o), offer_all(&o))
			for (size_t n = 0; n < o.count; n++)
				assert_int_equal(oldest_first(&o.keys[n], &sorted[at++]), 0);
		assert_int_equal(at, ALL);
		order_end(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_window_tells_the_same_order),
		cmocka_unit_test(a_smaller_window_has_the_first),
		cmocka_unit_test(windows_begin_with_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
