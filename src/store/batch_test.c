/* SPDX-License-Identifier: Apache-2.0 */
#include "store/batch.h"

#include "store/fixture.h"

static struct span octets(size_t len)
{
	static char zeros[ENGINE_BATCH_BYTES + 1];

	assert_true(len <= sizeof zeros);
	return (struct span){ zeros, len };
}

static void a_key_has_its_limits(void **state)
{
	static const struct { size_t len; bool fits; } rows[] = { { 0, false }, { 1, true }, { ENGINE_KEY_MAX, true }, { ENGINE_KEY_MAX + 1, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct batch *b = batch_new(7);
		struct span key = octets(rows[i].len);

		assert_int_equal(batch_put(b, key, SPAN("v")), rows[i].fits);
		assert_int_equal(batch_remove(b, key), rows[i].fits);
		assert_int_equal(batch_absent(b, key), rows[i].fits);
		assert_int_equal(batch_present(b, key), rows[i].fits);
		assert_int_equal(batch_equals(b, key, SPAN("v")), rows[i].fits);
		assert_int_equal(batch_keys(b), rows[i].fits ? 5 : 0);
		batch_free(&b);
		assert_null(b);
	}
}

static void a_batch_has_so_many_keys(void **state)
{
	struct batch *b = batch_new(7);

	(void)state;
	for (size_t n = 0; n < ENGINE_BATCH_KEYS; n++)
		assert_true(batch_put(b, (struct span){ (const char *)&n, sizeof n }, SPAN("v")));
	assert_false(batch_put(b, SPAN("one more"), SPAN("v")));
	assert_false(batch_blob(b, 1, 0, SPAN("v")));
	assert_int_equal(batch_keys(b), ENGINE_BATCH_KEYS);
	batch_free(&b);
	b = batch_new(7);
	assert_false(batch_blob_remove(b, 1, 0, ENGINE_BATCH_KEYS + 1));
	assert_true(batch_blob_remove(b, 1, 0, ENGINE_BATCH_KEYS));
	assert_false(batch_remove(b, SPAN("one more")));
	batch_free(&b);
}

static void a_batch_has_so_many_octets(void **state)
{
	struct batch *b = batch_new(7);
	size_t left;

	(void)state;
	for (int n = 0; n < 3; n++)
		assert_true(batch_blob(b, 1, (uint32_t)n, octets(ENGINE_PIECE_MAX)));
	left = ENGINE_BATCH_BYTES - batch_bytes(b) - BATCH_BLOB_KEY;
	assert_true(left > ENGINE_PIECE_MAX - BATCH_BLOB_KEY * 4 - 1);
	left = ENGINE_BATCH_BYTES - batch_bytes(b) - BATCH_PART - 1;
	assert_false(batch_put(b, SPAN("k"), octets(left + 1)));
	assert_true(batch_put(b, SPAN("k"), octets(left)));
	assert_int_equal(batch_bytes(b), ENGINE_BATCH_BYTES);
	assert_false(batch_remove(b, SPAN("k")));
	batch_free(&b);
}

static void a_piece_has_its_limit(void **state)
{
	struct batch *b = batch_new(7);
	char *owned = malloc(8);

	(void)state;
	assert_false(batch_blob(b, 1, 0, octets(ENGINE_PIECE_MAX + 1)));
	assert_false(batch_blob_owned(b, 1, 0, owned, ENGINE_PIECE_MAX + 1));
	assert_true(batch_blob(b, 1, 0, octets(ENGINE_PIECE_MAX)));
	assert_true(batch_blob_owned(b, 1, 1, owned, 8));	/* freed with the batch */
	batch_free(&b);
}

static void keys_carry_the_partition(void **state)
{
	struct batch *b = batch_new(0x0102030405060708);

	(void)state;
	assert_true(batch_put(b, SPAN("key"), SPAN("value")));
	assert_true(batch_blob(b, 0x1112131415161718, 0x21222324, SPAN("octets")));
	assert_int_equal(b->count, 2);
	assert_true(span_equal(op_key(b, &b->ops[0]), SPAN("\1\2\3\4\5\6\7\10key")));
	assert_true(span_equal(op_value(b, &b->ops[0]), SPAN("value")));
	assert_true(span_equal(op_key(b, &b->ops[1]), SPAN("\1\2\3\4\5\6\7\10\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24")));
	assert_true(span_equal(op_value(b, &b->ops[1]), SPAN("octets")));
	batch_free(&b);
}

static void partitions_are_told_apart(void **state)
{
	(void)state;
	assert_int_not_equal(engine_part_of("a", SPAN("bc")), engine_part_of("ab", SPAN("c")));
	assert_int_not_equal(engine_part_of("a", SPAN("")), engine_part_of("", SPAN("a")));
	assert_int_equal(engine_part_of("mailbox", SPAN("anna/INBOX")), engine_part_of("mailbox", SPAN("anna/INBOX")));
	/* At rest: a change here would lose every mailbox. */
	assert_int_equal(engine_part_of("mailbox", SPAN("anna/INBOX")), 0x1ae5c63191efa81c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_its_limits),
		cmocka_unit_test(a_batch_has_so_many_keys),
		cmocka_unit_test(a_batch_has_so_many_octets),
		cmocka_unit_test(a_piece_has_its_limit),
		cmocka_unit_test(keys_carry_the_partition),
		cmocka_unit_test(partitions_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
