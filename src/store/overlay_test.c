/* SPDX-License-Identifier: Apache-2.0 */
#include "store/overlay.h"

#include "store/fixture.h"

enum { IDS = 97 };

static struct put *new_put(uint8_t n)
{
	struct put *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->key[0] = 'e';
	p->key[1] = (char)(n * 53);	/* not in order of n */
	p->key[OVERLAY_ID] = (char)n;
	return p;
}

/* The overlay must show what a plain table of the same puts shows. */
static void same(const struct overlay *o, struct put *const table[IDS])
{
	const uint8_t *after = NULL;
	size_t want = 0, got = 0;

	for (size_t n = 0; n < IDS; n++) {
		struct put *p = new_put((uint8_t)n);

		assert_ptr_equal(overlay_find(o, put_id(p)), table[n]);
		assert_true(!table[n] || table[n]->shown);
		want += table[n] != NULL;
		free(p);
	}
	for (struct put *p; (p = overlay_next(o, after)); after = put_id(p), got++)
		assert_true(!after || memcmp(put_id(p), after, OVERLAY_ID) > 0);
	assert_int_equal(got, want);
}

static void it_shows_the_latest_in_order(void **state)
{
	struct overlay o = { 0 };
	struct put *table[IDS] = { 0 };
	uint32_t x = 1;

	(void)state;
	same(&o, table);
	for (int step = 0; step < 1500; step++) {
		uint8_t n;

		x = x * 1103515245 + 12345;
		n = (uint8_t)((x >> 16) % IDS);
		if (x >> 31) {
			struct put *p = new_put(n), *old = table[n];

			overlay_add(&o, p);
			table[n] = p;
			assert_true(!old || !old->shown);
			if (old)
				overlay_remove(&o, old);	/* not shown: nothing */
			free(old);
		} else if (table[n]) {
			overlay_remove(&o, table[n]);
			free(table[n]);
			table[n] = NULL;
		}
		same(&o, table);
	}
	for (size_t n = 0; n < IDS; n++)
		free(table[n]);
}

/* Ids that come sorted must not make a list of it. */
static void sorted_ids_stay_shallow(void **state)
{
	enum { MANY = 20000 };
	struct overlay o = { 0 };
	struct put **all = calloc(MANY, sizeof *all);
	size_t depth = 0;

	(void)state;
	assert_non_null(all);
	for (uint32_t n = 0; n < MANY; n++) {
		all[n] = calloc(1, sizeof **all);
		assert_non_null(all[n]);
		all[n]->key[1] = (char)(n >> 8);
		all[n]->key[2] = (char)n;
		overlay_add(&o, all[n]);
	}
	for (struct put *p = o.root; p; p = p->right)
		depth++;
	assert_in_range(depth, 2, 200);
	for (uint32_t n = 0; n < MANY; n++) {
		overlay_remove(&o, all[n]);
		free(all[n]);
	}
	assert_null(o.root);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_shows_the_latest_in_order),
		cmocka_unit_test(sorted_ids_stay_shallow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
