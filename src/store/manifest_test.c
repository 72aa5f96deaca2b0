/* SPDX-License-Identifier: Apache-2.0 */
#include "store/manifest.h"

#include "store/fixture.h"

static struct manifest sample(bool key)
{
	struct manifest m = { .made = 1795651200, .version = "0.1.0", .store = { .there = true, .size = 40960 }, .key = { .there = key, .size = 32 } };

	for (uint8_t n = 0; n < MANIFEST_DIGEST; n++) {
		m.store.digest[n] = n;
		m.key.digest[n] = (uint8_t)(255 - n);
	}
	return m;
}

static const char *text_of(const struct manifest *m)
{
	static char memory[MANIFEST_MAX];
	struct buf out;

	buf_lend(&out, memory, sizeof memory);
	must(manifest_text(m, &out, &fixture_err) && buf_terminate(&out));
	return memory;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	for (int key = 0; key < 2; key++) {
		struct manifest m = sample(key), got;
		const char *text = text_of(&m);

		must(manifest_read(span_of(text), &got, &fixture_err));
		assert_int_equal(got.made, m.made);
		assert_string_equal(got.version, m.version);
		assert_int_equal(got.store.size, 40960);
		assert_memory_equal(got.store.digest, m.store.digest, MANIFEST_DIGEST);
		assert_int_equal(got.key.there, key);
		if (key)
			assert_memory_equal(got.key.digest, m.key.digest, MANIFEST_DIGEST);
		assert_non_null(strstr(text, "\nmade 1795651200 2026-11-26T00:00:00Z\n"));
	}
}

static void one_that_was_cut_is_never_whole(void **state)
{
	struct manifest m = sample(true), got;
	struct span text = span_of(text_of(&m));

	(void)state;
	for (size_t len = 0; len < text.len; len++)
		assert_false(manifest_read((struct span){ text.at, len }, &got, &fixture_err));
}

static void one_changed_octet_is_seen(void **state)
{
	struct manifest m = sample(true), got;
	char text[MANIFEST_MAX];

	(void)state;
	(void)snprintf(text, sizeof text, "%s", text_of(&m));
	for (char *p = text; *p; p++) {
		*p ^= 1;
		assert_false(manifest_read(span_of(text), &got, &fixture_err));
		*p ^= 1;
	}
	must(manifest_read(span_of(text), &got, &fixture_err));
}

#define HEAD "postrider-backup 1\nmade 1 x\nby 1\n"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void wrong_ones_are_refused(void **state)
{
	static const struct row { const char *text; enum err_kind kind; } rows[] = {
		{ "", ERR_LOCAL },
		{ "postrider-backup 2\n", ERR_CONFIG },
		{ "postrider-backup 1\n", ERR_LOCAL },
		{ HEAD "end " ZEROS "\n", ERR_LOCAL },
		{ HEAD "file data.mdb 1 " ZEROS "\nend " ZEROS "\n", ERR_LOCAL },
		{ HEAD "file ../data.mdb 1 " ZEROS "\nend " ZEROS "\n", ERR_LOCAL },
		{ HEAD "file data.mdb -1 " ZEROS "\nend " ZEROS "\n", ERR_LOCAL },
		{ HEAD "file data.mdb 1 " ZEROS "\nfile data.mdb 1 " ZEROS "\nend " ZEROS "\n", ERR_LOCAL },
		{ HEAD "file secret.key 32 " ZEROS "\nend " ZEROS "\n", ERR_LOCAL },
	};
	struct manifest m;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_false(manifest_read(span_of(r->text), &m, &fixture_err));
		assert_int_equal(fixture_err.kind, r->kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(one_that_was_cut_is_never_whole),
		cmocka_unit_test(one_changed_octet_is_seen),
		cmocka_unit_test(wrong_ones_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
