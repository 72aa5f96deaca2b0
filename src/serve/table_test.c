/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/table.h"

#include <string.h>

#include "serve/fixture.h"

struct item {
	struct table_entry entry;
	uint64_t name;
};

/* All keys of a hundred in one bucket: chains are walked. */
static void key_of(uint64_t name, uint64_t key[2])
{
	key[0] = name / 100 * 0x9e3779b97f4a7c15u;
	key[1] = name;
}

static struct item *find(const struct table *t, uint64_t name)
{
	uint64_t key[2];
	struct item *i;

	key_of(name, key);
	i = table_find(t, key);
	assert_true(!i || i->name == name);
	return i;
}

static struct item *add(struct table *t, uint64_t name, uint64_t now_ms)
{
	uint64_t key[2];
	struct item *i;

	key_of(name, key);
	i = table_add(t, key, now_ms);
	assert_non_null(i);
	assert_true(i->name == 0 && i->entry.until_ms == UINT64_MAX);
	i->name = name;
	return i;
}

static void entries_come_and_go(void **state)
{
	struct table t;

	(void)state;
	table_start(&t, sizeof(struct item), TABLE_EXACT);
	assert_null(find(&t, 1));
	assert_null(table_at(&t, 0));
	assert_null(table_oldest(&t, 0));
	for (uint64_t n = 0; n < 5000; n++)
		(void)add(&t, n, 0);
	for (uint64_t n = 0; n < 5000; n += 2)
		table_remove(&t, find(&t, n));
	for (uint64_t n = 0; n < 5000; n++)
		assert_int_equal(find(&t, n) != NULL, n % 2);
	assert_int_equal(table_count(&t), 2500);
	for (uint64_t n = 0; n < 5000; n += 2)
		(void)add(&t, n, 0);
	assert_int_equal(t.high, 5000);		/* places are used again */
	assert_int_equal(table_count(&t), 5000);
	table_end(&t);
}

static void a_full_table_gives_the_oldest_away(void **state)
{
	struct table t;

	(void)state;
	table_start(&t, sizeof(struct item), 100);	/* no power of two */
	for (uint64_t n = 0; n < 100; n++)
		(void)add(&t, n, 0);
	table_touch(&t, find(&t, 0), 0);
	for (uint64_t n = 100; n < 199; n++)
		(void)add(&t, n, 0);
	assert_non_null(find(&t, 0));
	for (uint64_t n = 1; n < 100; n++)
		assert_null(find(&t, n));
	assert_int_equal(table_count(&t), 100);
	(void)add(&t, 199, 0);
	assert_null(find(&t, 0));
	assert_true(t.room == 100 && t.high == 100);
	table_end(&t);
}

static void lower_ranks_go_first_but_what_means_nothing_before_all(void **state)
{
	struct table t;

	(void)state;
	table_start(&t, sizeof(struct item), 6);
	for (uint64_t n = 0; n < 6; n++)
		table_touch(&t, add(&t, n, 0), n < 2 ? 2 : n < 4 ? 1 : 0);
	find(&t, 0)->entry.until_ms = 50;
	(void)add(&t, 10, 49);
	assert_null(find(&t, 4));
	(void)add(&t, 11, 50);
	assert_null(find(&t, 0));
	(void)add(&t, 12, 51);
	assert_null(find(&t, 5));
	for (uint64_t n = 10; n < 13; n++)
		table_touch(&t, find(&t, n), 2);
	(void)add(&t, 13, 52);
	assert_null(find(&t, 2));		/* there was no rank 0 */
	table_touch(&t, find(&t, 13), 2);
	(void)add(&t, 14, 52);
	assert_null(find(&t, 3));
	table_touch(&t, find(&t, 14), 2);
	(void)add(&t, 15, 53);			/* all are of rank 2 */
	assert_null(find(&t, 1));
	table_end(&t);
}

/* Beside a naive list, in the order of the last touch. */
enum { MODEL_MAX = 37, MODEL_NAMES = 90 };
struct model { uint64_t name; uint64_t until_ms; uint8_t rank; };

static size_t model_find(const struct model *m, size_t count, uint64_t name)
{
	size_t i = 0;

	while (i < count && m[i].name != name)
		i++;
	return i;
}

static void model_drop(struct model *m, size_t *count, size_t i)
{
	memmove(m + i, m + i + 1, (--*count - i) * sizeof *m);
}

static size_t model_victim(const struct model *m, size_t count, uint64_t now_ms)
{
	size_t victim = count;

	for (uint8_t rank = 0; rank < TABLE_RANKS; rank++) {
		size_t i = 0;

		while (i < count && m[i].rank != rank)
			i++;
		if (i < count && m[i].until_ms <= now_ms)
			return i;
		if (i < count && victim == count)
			victim = i;
	}
	return victim;
}

static void it_is_like_a_naive_list(void **state)
{
	uint64_t seed = 20260412;
	struct model m[MODEL_MAX];
	size_t count = 0;
	struct table t;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	table_start(&t, sizeof(struct item), MODEL_MAX);
	for (uint64_t now = 0; now < 200000; now++) {
		uint64_t name = fixture_random(&seed) % MODEL_NAMES;
		uint8_t rank = (uint8_t)(fixture_random(&seed) % TABLE_RANKS);
		size_t i = model_find(m, count, name);
		struct item *item = find(&t, name);
		struct model one = { name, now + fixture_random(&seed) % 200, rank };

		assert_int_equal(item != NULL, i < count);
		if (item && fixture_random(&seed) % 4 == 0) {
			table_remove(&t, item);
			model_drop(m, &count, i);
			continue;
		}
		if (item) {
			model_drop(m, &count, i);
		} else {
			item = add(&t, name, now);
			if (count == MODEL_MAX)
				model_drop(m, &count, model_victim(m, count, now));
		}
		table_touch(&t, item, rank);
		item->entry.until_ms = one.until_ms;
		m[count++] = one;
		assert_int_equal(table_count(&t), count);
		for (i = 0; now % 64 == 0 && i < count; i++)
			assert_non_null(find(&t, m[i].name));
	}
	table_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_and_go),
		cmocka_unit_test(a_full_table_gives_the_oldest_away),
		cmocka_unit_test(lower_ranks_go_first_but_what_means_nothing_before_all),
		cmocka_unit_test(it_is_like_a_naive_list),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
