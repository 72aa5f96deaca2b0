/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/stat.h>

#include "store/fixture.h"

static void write_key(const char *directory, const char *octets, size_t len, mode_t mode)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/secret.key", directory);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert_true(fd >= 0 && fchmod(fd, mode) == 0 && write(fd, octets, len) == (ssize_t)len);
	(void)close(fd);
}

static void what_was_sealed_is_opened_by_the_same_key_and_name(void **state)
{
	const char *directory = fixture_directory();
	struct seal *seal = seal_new(directory);
	char *octets = fixture_octets(SEAL_SECRET_MAX), sealed[SEAL_MAX], twice[SEAL_MAX], secret[SEAL_SECRET_MAX], path[128];
	size_t len, twice_len, got;
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/secret.key", directory);
	assert_int_not_equal(stat(path, &st), 0);	/* not before it is needed */
	for (size_t n = 1; n <= SEAL_SECRET_MAX; n = n < 130 ? n + 1 : n + 447) {
		must(seal_close(seal, "anna", (struct span){ octets, n }, sealed, &len, &fixture_err));
		must(seal_close(seal, "anna", (struct span){ octets, n }, twice, &twice_len, &fixture_err));
		assert_true(len <= SEAL_MAX && len == twice_len && len % 64 == 40);
		assert_memory_not_equal(sealed, twice, len);
		assert_null(memmem(sealed, len, octets, n < 4 ? 4 : n));
		assert_true(seal_open(seal, "anna", (struct span){ sealed, len }, secret, &got));
		assert_true(got == n && memcmp(secret, octets, n) == 0);
		assert_false(seal_open(seal, "bob", (struct span){ sealed, len }, secret, &got));
		assert_int_equal(got, 0);
		assert_false(seal_open(seal, "anna", (struct span){ sealed, len - 1 }, secret, &got));
		sealed[len / 2] ^= 1;
		assert_false(seal_open(seal, "anna", (struct span){ sealed, len }, secret, &got));
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true((st.st_mode & 07777) == 0600 && st.st_size == 32);
	seal_free(&seal);
	seal = seal_new(directory);		/* another life, the same key */
	assert_true(seal_open(seal, "anna", (struct span){ twice, twice_len }, secret, &got));
	seal_free(&seal);
	write_key(directory, "another key of 32 octets ........", 32, 0600);
	seal = seal_new(directory);
	assert_false(seal_open(seal, "anna", (struct span){ twice, twice_len }, secret, &got));
	seal_free(&seal);
	free(octets);
	fixture_remove(directory);
}

static void a_bad_key_file_is_refused(void **state)
{
	static const struct row { size_t len; mode_t mode; const char *says; } rows[] = {
		{ 32, 0640, "chmod 600" }, { 32, 0604, "chmod 600" }, { 31, 0600, "no key" }, { 33, 0600, "no key" }, { 0, 0600, "no key" },
	};
	const char *directory = fixture_directory();
	char sealed[SEAL_MAX], secret[SEAL_SECRET_MAX];
	uint8_t a[16], b[16];
	size_t len, got;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct seal *seal = seal_new(directory);

		write_key(directory, "0123456789012345678901234567890123", r->len, r->mode);
		assert_false(seal_close(seal, "anna", SPAN("x"), sealed, &len, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_non_null(strstr(fixture_err.text, r->says));
		/* Logging in goes on, with what lasts as long as the process. */
		seal_derive(seal, "salt", "anna", a, sizeof a);
		seal_derive(seal, "salt", "anna", b, sizeof b);
		assert_memory_equal(a, b, sizeof a);
		assert_false(seal_open(seal, "anna", SPAN("0123456789012345678901234567890123456789x"), secret, &got));
		seal_free(&seal);
	}
	fixture_remove(directory);
}

static void derived_octets_are_always_the_same(void **state)
{
	const char *directory = fixture_directory(), *other = NULL;
	uint8_t out[5][64];
	struct seal *seal;
	char first[64];

	(void)state;
	(void)snprintf(first, sizeof first, "%s", directory);
	for (int life = 0; life < 2; life++) {
		seal = seal_new(first);
		seal_derive(seal, "salt", "anna", out[life], 64);
		seal_derive(seal, "salt", "bob", out[2], 64);
		seal_derive(seal, "salta", "nna", out[3], 64);
		seal_free(&seal);
	}
	other = fixture_directory();
	seal = seal_new(other);
	seal_derive(seal, "salt", "anna", out[4], 64);
	seal_free(&seal);
	assert_memory_equal(out[0], out[1], 64);
	for (int n = 2; n < 5; n++)
		assert_memory_not_equal(out[0], out[n], 64);
	fixture_remove(other);
	fixture_remove(first);
}

struct deriver {
	struct seal *seal;
	pthread_t thread;
	uint8_t out[32];
};

static void *derive(void *user)
{
	struct deriver *d = user;

	seal_derive(d->seal, "salt", "anna", d->out, sizeof d->out);
	return NULL;
}

/* All at once, before there is a key: one is made. */
static void threads_make_one_key(void **state)
{
	const char *directory = fixture_directory();
	struct seal *seal = seal_new(directory);
	struct deriver d[8];

	(void)state;
	for (size_t n = 0; n < COUNT(d); n++) {
		d[n].seal = seal;
		assert_int_equal(pthread_create(&d[n].thread, NULL, derive, &d[n]), 0);
	}
	for (size_t n = 0; n < COUNT(d); n++)
		assert_int_equal(pthread_join(d[n].thread, NULL), 0);
	for (size_t n = 1; n < COUNT(d); n++)
		assert_memory_equal(d[0].out, d[n].out, sizeof d[0].out);
	seal_free(&seal);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_is_opened_by_the_same_key_and_name),
		cmocka_unit_test(a_bad_key_file_is_refused),
		cmocka_unit_test(derived_octets_are_always_the_same),
		cmocka_unit_test(threads_make_one_key),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
