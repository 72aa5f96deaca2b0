/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"
#include "deliver/inside.h"

enum { MANY = 1024, TARGETS = 300 };

static struct deliveries all;
static struct delivery many[MANY];
static struct deliver_target targets[TARGETS];
static char names[TARGETS][32];

/* Delivery n goes to target n % count, and has joined its line. */
static void begin(size_t count, uint32_t parallel)
{
	all = (struct deliveries){ .last = &all.first };
	for (size_t n = 0; n < count; n++) {
		(void)snprintf(names[n], sizeof names[n], "command:%zu", n);
		targets[n] = (struct deliver_target){ .canonical = names[n], .parallel = parallel };
	}
	for (size_t n = 0; n < MANY; n++) {
		many[n] = (struct delivery){ .all = &all, .target = &targets[n % count], .ask.user = &many[n] };
		line_join(&many[n]);
	}
}

static void leaves_nothing(void)
{
	assert_null(line_begins(&all));
	for (size_t n = 0; n < DELIVERY_BUCKETS; n++)
		assert_true(!all.lines[n] && !all.by_user[n] && !all.by_ticket[n]);
	assert_null(all.open);
}

/* Of each target the oldest, no more than `parallel`, and all targets in turn. */
static void fair_and_in_order([[maybe_unused]] void **state)
{
	static const struct { size_t targets; uint32_t parallel; } rows[] = { { 1, 1 }, { 1, 5 }, { 3, 2 }, { TARGETS, 1 }, { TARGETS, 4 } };

	for (size_t r = 0; r < COUNT(rows); r++) {
		size_t under_way[TARGETS] = { 0 }, next[TARGETS], begun = 0, ended = 0;
		struct delivery *order[MANY], *d;

		begin(rows[r].targets, rows[r].parallel);
		for (size_t n = 0; n < TARGETS; n++)
			next[n] = n;
		while (ended < MANY) {
			while ((d = line_begins(&all))) {
				size_t n = (size_t)(d - many), t = n % rows[r].targets;

				assert_true(d->begun && n == next[t]);
				next[t] += rows[r].targets;
				assert_true(++under_way[t] <= rows[r].parallel);
				if (begun < rows[r].targets)	/* each target before any has its second */
					assert_int_equal(t, begun);
				order[begun++] = d;
			}
			assert_true(begun > ended);
			d = order[ended++];
			under_way[(size_t)(d - many) % rows[r].targets]--;
			line_leave(d);
		}
		leaves_nothing();
	}
}

/* One that waits in the middle goes: the others keep their order. */
static void who_leaves_is_passed_over([[maybe_unused]] void **state)
{
	struct delivery *d;

	begin(1, 1);
	d = line_begins(&all);
	assert_ptr_equal(d, &many[0]);
	assert_null(line_begins(&all));
	line_leave(&many[1]);
	line_leave(&many[3]);
	line_leave(&many[MANY - 1]);
	assert_null(line_begins(&all));
	for (size_t n = 2; n < MANY - 1; n++) {
		if (n == 3)
			continue;
		line_leave(d);
		d = line_begins(&all);
		assert_ptr_equal(d, &many[n]);
	}
	line_leave(d);
	leaves_nothing();
}

static void queues_are_left_anywhere([[maybe_unused]] void **state)
{
	struct queue q = { 0 };

	begin(1, 1);
	for (size_t n = 0; n < MANY; n++)
		line_leave(&many[n]);
	leaves_nothing();
	for (size_t n = 0; n < 4; n++)
		queue_put(&q, &many[n]);
	queue_leave(&many[3]);
	queue_leave(&many[3]);
	queue_leave(&many[1]);
	queue_put(&q, &many[1]);
	assert_true(q.first == &many[0] && many[0].queue_next == &many[2] && many[2].queue_next == &many[1] && !many[1].queue_next);
	queue_leave(&many[0]);
	queue_leave(&many[2]);
	queue_leave(&many[1]);
	assert_null(q.first);
	queue_put(&q, &many[5]);
	assert_ptr_equal(q.first, &many[5]);
	queue_leave(&many[5]);
}

static void each_is_found([[maybe_unused]] void **state)
{
	all = (struct deliveries){ .last = &all.first };
	for (size_t n = 0; n < MANY; n++) {
		many[n] = (struct delivery){ .all = &all, .ask.user = &many[n / 2] };	/* two of each user */
		found_put(&many[n]);
		if (n % 3)
			found_ticket(&many[n], DELIVER_TICKETS | n);
	}
	for (size_t n = 0; n < MANY; n++)
		assert_ptr_equal(found_by_ticket(&all, DELIVER_TICKETS | n), n % 3 ? &many[n] : NULL);
	for (size_t n = 0; n < MANY; n += 2) {
		many[n].ended = true;
		assert_ptr_equal(found_by_user(&all, &many[n / 2]), &many[n + 1]);
		found_drop(&many[n + 1]);
		assert_null(found_by_user(&all, &many[n / 2]));
		found_drop(&many[n]);
	}
	assert_null(found_by_user(&all, NULL));
	leaves_nothing();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fair_and_in_order),
		cmocka_unit_test(who_leaves_is_passed_over),
		cmocka_unit_test(queues_are_left_anywhere),
		cmocka_unit_test(each_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
