/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record.h"

#include "store/fixture.h"

static void fill(struct record *r)
{
	*r = (struct record){ .flags = RECORD_CAN_LOGIN | RECORD_RECOVERABLE, .made = -5, .limits = { 1ull << 50, 3 },
		.verifier = { .argon = "$argon2id$", .sha256 = { .iterations = 4096 }, .sha1 = { .iterations = 10000 } }, .sealed_len = 104 };
	memset(r->verifier.sha256.stored, 1, 32);
	memset(r->verifier.sha256.server, 2, 32);
	memset(r->verifier.sha1.stored, 3, 20);
	memset(r->verifier.sha1.server, 4, 20);
	memset(r->verifier.sha1.salt, 5, SCRAM_SALT);
	memset(r->sealed, 6, 104);
}

/* What was packed is read again; anything shorter, longer or of another format is not. */
static void only_a_whole_record_is_read(void **state)
{
	char value[RECORD_MAX + SEAL_MAX] = { 0 };
	struct record r, again;
	struct span packed;

	(void)state;
	fill(&r);
	packed = record_pack(value, &r);
	assert_true(record_unpack(packed, &again));
	assert_memory_equal(&again, &r, sizeof r);
	for (size_t len = 0; len < packed.len - 104; len++)
		assert_false(record_unpack((struct span){ value, len }, &again));
	assert_true(record_unpack((struct span){ value, packed.len - 104 }, &again));
	assert_false(record_unpack((struct span){ value, packed.len - 104 + SEAL_MAX + 1 }, &again));
	for (int format = 0; format < 256; format++) {
		value[0] = (char)format;
		assert_int_equal(record_unpack(packed, &again), format == 1 || format == 2);
	}
	value[0] = 1;		/* of before: what stood in it in clear text is not believed */
	assert_true(record_unpack(packed, &again));
	assert_true(again.sealed_len == 0 && !(again.flags & RECORD_RECOVERABLE) && again.limits.quota == ACCOUNT_QUOTA_DEFAULT);
}

/* On-disk data is input: such an account is not there, and the others are. */
static void a_damaged_account_is_not_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct batch *b = batch_new(record_part());
	struct account_info info = { .name = "" };
	char key[RECORD_KEY];
	struct record r;

	(void)state;
	assert_true(batch_put(b, record_key(key, 'a', "bad"), SPAN("damaged")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	must(account_add(s, "bob", SPAN(""), 0, &fixture_err));
	assert_false(record_find(s, "bad", &r));
	assert_false(account_check(s, "bad", SPAN("x"), &fixture_err));
	assert_false(account_add(s, "bad", SPAN(""), 0, &fixture_err));
	assert_true(account_each(s, &info) && strcmp(info.name, "anna") == 0);
	assert_true(account_each(s, &info) && strcmp(info.name, "bob") == 0);
	assert_false(account_each(s, &info));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_whole_record_is_read),
		cmocka_unit_test(a_damaged_account_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
