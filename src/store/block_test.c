/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block.h"

#include "store/fixture.h"
#include "store/record.h"

/* All that hold, as lines. */
static const char *list(struct store *s, int64_t now)
{
	static char out[4096];
	struct block_info b = { .network = "" };
	size_t len = 0;

	out[0] = '\0';
	while (block_each(s, now, &b))
		len += (size_t)snprintf(out + len, sizeof out - len, "%s %lld %lld %s\n", b.network, (long long)b.since, (long long)b.until, b.why);
	return out;
}

static void blocks_are_kept_until_they_end(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	assert_string_equal(list(s, 100), "");
	must(block_add(s, "2001:db8::/32", 0, "scans", 100, &fixture_err));
	must(block_add(s, "192.0.2.0/24", 160, "", 110, &fixture_err));
	must(block_add(s, "10.1.2.3/32", 120, "short", 110, &fixture_err));
	store_close(&s);
	s = fixture_store(directory);
	assert_string_equal(list(s, 119), "10.1.2.3/32 110 120 short\n192.0.2.0/24 110 160 \n2001:db8::/32 100 0 scans\n");
	assert_string_equal(list(s, 120), "192.0.2.0/24 110 160 \n2001:db8::/32 100 0 scans\n");
	assert_string_equal(list(s, INT64_MAX), "2001:db8::/32 100 0 scans\n");
	must(block_add(s, "192.0.2.0/24", 0, "for ever", 120, &fixture_err));		/* instead */
	must(block_add(s, "10.1.2.3/32", 200, "anew", 120, &fixture_err));		/* it had ended */
	assert_string_equal(list(s, 130), "10.1.2.3/32 120 200 anew\n192.0.2.0/24 110 0 for ever\n2001:db8::/32 100 0 scans\n");
	must(block_remove(s, "2001:db8::/32", 130, &fixture_err));
	assert_false(block_remove(s, "2001:db8::/32", 130, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "no block of 2001:db8::/32"));
	assert_false(block_remove(s, "10.1.2.3/32", 200, &fixture_err));	/* it ended by itself */
	store_close(&s);
	fixture_remove(directory);
}

static void a_network_has_a_form_and_a_reason_is_safe(void **state)
{
	static const char *const wrong[] = { "", "/", "/8", "10.0.0.0", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/8/8", "10.0.0.0 /8", "client1.com/8", "2001:DB8::/32",
		"fe80::%eth0/64", "1111:2222:3333:4444:5555:6666:7777:8888:9999/128" };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char why[BLOCK_WHY_MAX + 2];
	struct block_info b = { .network = "" };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (block_add(s, wrong[i], 0, "", 1, &fixture_err) || block_remove(s, wrong[i], 1, &fixture_err))
			fail_msg("\"%s\"", wrong[i]);
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
	}
	assert_false(block_add(s, "10.0.0.0/8", 5, "", 5, &fixture_err));
	assert_false(block_add(s, "10.0.0.0/8", -1, "", 5, &fixture_err));
	memset(why, 'w', sizeof why);
	why[BLOCK_WHY_MAX + 1] = '\0';
	assert_false(block_add(s, "10.0.0.0/8", 0, why, 5, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "200 octets"));
	why[BLOCK_WHY_MAX] = '\0';
	why[0] = '\n';
	why[1] = '\xff';
	must(block_add(s, "1111:2222:3333:4444:5555:6666:7777:8888/128", 0, why, 5, &fixture_err));
	why[0] = why[1] = '?';
	assert_true(block_each(s, 5, &b));
	assert_string_equal(b.why, why);
	assert_false(block_each(s, 5, &b));
	store_close(&s);
	fixture_remove(directory);
}

/* As the store has it, many a batch. */
static void fill(struct store *s, uint32_t first, uint32_t count, char format, char until)
{
	struct batch *b = batch_new(record_part());

	for (uint32_t i = first; i < first + count; i++) {
		char key[RECORD_KEY], network[64], value[17] = { format };

		value[16] = until;
		(void)snprintf(network, sizeof network, "10.%u.%u.0/24", i / 256, i % 256);
		assert_true(batch_put(b, record_key(key, 'b', network), (struct span){ value, sizeof value }));
	}
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

static size_t there(struct store *s)
{
	char name[ACCOUNT_NAME_MAX + 1] = "", value[1];
	size_t len, n = 0;

	while (record_next(s, 'b', name, value, sizeof value, &len))
		n++;
	return n;
}

static void ended_ones_make_room(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (uint32_t i = 0; i < BLOCKS_MAX; i += 2500)
		fill(s, i, 2500, 1, i == 2500 ? 100 : 0);
	assert_false(block_add(s, "192.0.2.0/24", 0, "", 99, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "10000 blocks"));
	must(block_add(s, "10.0.0.0/24", 0, "there already", 99, &fixture_err));
	must(block_add(s, "192.0.2.0/24", 0, "", 100, &fixture_err));
	assert_int_equal(there(s), BLOCKS_MAX - 2500 + 1);
	must(block_sweep(s, 100, &fixture_err));
	assert_int_equal(there(s), BLOCKS_MAX - 2500 + 1);
	assert_true(account_there(s, "anna"));
	store_close(&s);
	fixture_remove(directory);
}

static void a_damaged_block_is_not_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	fill(s, 0, 2, 9, 0);
	must(block_add(s, "192.0.2.0/24", 0, "", 1, &fixture_err));
	assert_string_equal(list(s, 1), "192.0.2.0/24 1 0 \n");
	must(block_sweep(s, 1, &fixture_err));
	assert_int_equal(there(s), 3);
	assert_false(block_remove(s, "10.0.0.0/24", 1, &fixture_err));
	must(block_add(s, "10.0.0.0/24", 0, "mended", 2, &fixture_err) && block_remove(s, "10.0.0.0/24", 2, &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_kept_until_they_end),
		cmocka_unit_test(a_network_has_a_form_and_a_reason_is_safe),
		cmocka_unit_test(ended_ones_make_room),
		cmocka_unit_test(a_damaged_block_is_not_there),
	};

	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
