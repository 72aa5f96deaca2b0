/* SPDX-License-Identifier: Apache-2.0 */
#include "store/routed_known.h"

#include "store/fixture.h"

enum { MANY = 3000 };

static engine_part part(void)
{
	return engine_part_of("routed", SPAN("/a/maildir"));
}

/* How many of `count` messages with these uids are known, each with `wanted` (or its own number, NULL). */
static size_t count_known(struct store *s, uint32_t field, const uint64_t *uids, size_t count, const char *wanted)
{
	struct known_message *messages = calloc(count + 1, sizeof *messages);
	const struct known_message *m;
	struct span addresses;
	struct known k;
	struct view *v;
	size_t n = 0;

	assert_non_null(messages);
	for (size_t i = 0; i < count; i++)
		messages[i] = (struct known_message){ uids[i], (uint32_t)i };
	known_start(&k, store_engine(s), part(), field, messages, count);
	must(view_begin(store_engine(s), &v, &fixture_err));
	for (; known_next(&k, v, &m, &addresses); n++) {
		assert_int_equal(m->id, uids[m->number]);
		assert_true(span_equal(addresses, wanted ? (struct span){ wanted, strlen(wanted) + (*wanted != 0) } : SPAN("a@b\0")));
	}
	view_end(&v);
	known_end(&k);
	free(messages);
	return n;
}

static void put(struct store *s, uint32_t field, const uint64_t *uids, size_t count, struct span addresses)
{
	struct known k;

	known_start(&k, store_engine(s), part(), field, NULL, 0);
	for (size_t n = 0; n < count; n++)
		known_put(&k, uids[n], addresses);
	known_end(&k);
}

static size_t keys(struct store *s)
{
	struct span key = { 0 }, value;
	struct view *v;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	while (view_next(v, part(), SPAN("y"), &key, &value))
		n++;
	view_end(&v);
	return n;
}

static void what_was_put_is_known(void **state)
{
	static const uint64_t uids[] = { UINT64_MAX, 5, 0, (uint64_t)1 << 63, 77 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	assert_int_equal(count_known(s, 1, uids, COUNT(uids), NULL), 0);
	put(s, 1, uids, COUNT(uids), SPAN("a@b\0"));
	assert_int_equal(count_known(s, 1, uids, COUNT(uids), NULL), 5);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(count_known(s, 1, uids, COUNT(uids), NULL), 5);
	put(s, 1, uids, COUNT(uids), SPAN(""));
	assert_int_equal(count_known(s, 1, uids, COUNT(uids), ""), 5);
	store_close(&s);
	fixture_remove(directory);
}

static void what_is_gone_is_thrown_out(void **state)
{
	static const uint64_t uids[] = { 1, 2, 3, 4 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	put(s, 1, uids, 4, SPAN("a@b\0"));
	assert_int_equal(count_known(s, 1, uids + 1, 2, NULL), 2);
	assert_int_equal(keys(s), 2);
	put(s, 2, uids, 4, SPAN("a@b\0"));
	assert_int_equal(keys(s), 6);
	assert_int_equal(count_known(s, 2, uids, 4, NULL), 4);	/* of another field, too */
	assert_int_equal(keys(s), 4);
	assert_int_equal(count_known(s, 2, NULL, 0, NULL), 0);
	assert_int_equal(keys(s), 0);
	store_close(&s);
	fixture_remove(directory);
}

static void many_take_several_batches(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	uint64_t *uids = malloc(MANY * sizeof *uids);

	(void)state;
	assert_non_null(uids);
	for (uint64_t n = 0; n < MANY; n++)
		uids[n] = n * 0x9e3779b97f4a7c15U;
	put(s, 1, uids, MANY, SPAN("a@b\0"));
	assert_int_equal(keys(s), MANY);
	assert_int_equal(count_known(s, 1, uids, MANY, NULL), MANY);
	for (int n = 0; n < 4; n++)			/* as far as a batch goes, each time */
		assert_int_equal(count_known(s, 1, uids, 7, NULL), 7);
	assert_int_equal(keys(s), 7);
	put(s, 1, uids, MANY, SPAN("a@b\0"));
	must(known_forget(store_engine(s), part(), &fixture_err));
	assert_int_equal(keys(s), 0);
	must(known_forget(store_engine(s), part(), &fixture_err));
	free(uids);
	store_close(&s);
	fixture_remove(directory);
}

static void what_is_damaged_is_not_known(void **state)
{
	static const struct span values[] = { SPAN("a@b"), SPAN("\2"), SPAN("\1\1") };
	const uint64_t uid = 9;
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (size_t n = 0; n < COUNT(values); n++) {
		struct batch *b = batch_new(part());

		assert_true(batch_put(b, SPAN("y\1\0\0\0\0\0\0\0\11"), values[n]));
		assert_true(batch_put(b, SPAN("y\1\0"), SPAN("a@b\0")));
		must(engine_commit_wait(store_engine(s), &b, &fixture_err));
		assert_int_equal(count_known(s, 1, &uid, 1, NULL), 0);
		assert_int_equal(keys(s), 0);
	}
	put(s, 1, &uid, 1, SPAN("a@b\0"));
	assert_int_equal(count_known(s, 1, &uid, 1, NULL), 1);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_known),
		cmocka_unit_test(what_is_gone_is_thrown_out),
		cmocka_unit_test(many_take_several_batches),
		cmocka_unit_test(what_is_damaged_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
