/* SPDX-License-Identifier: Apache-2.0 */
#include "store/recovery.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "store/fixture.h"

static void the_file_comes_back_or_says_it_is_damaged(void **state)
{
	const char *directory = fixture_directory();
	struct recovery r, back;
	char path[128], text[512];
	struct stat st;
	struct err e;
	ssize_t len;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/key", directory);
	assert_false(recovery_read(path, &back, &e));
	randombytes_buf(&r, sizeof r);
	must(recovery_write(path, &r, &fixture_err));
	assert_false(recovery_write(path, &r, &e));	/* nothing is written over */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	must(recovery_read(path, &back, &fixture_err));
	assert_memory_equal(&r, &back, sizeof r);
	fd = open(path, O_RDWR);
	len = read(fd, text, sizeof text);
	assert_true(len > 200 && text[len - 1] == '\n');
	for (ssize_t n = 0; n < len - 1; n++) {
		char was = text[n];

		text[n] = was == '0' ? '1' : '0';
		assert_int_equal(pwrite(fd, text, (size_t)len, 0), len);
		assert_false(recovery_read(path, &back, &e));
		assert_true(e.kind == ERR_CONFIG && strstr(e.text, "damaged"));
		text[n] = was;
	}
	assert_int_equal(pwrite(fd, text, (size_t)len, 0), len);
	assert_int_equal(ftruncate(fd, len - 1), 0);	/* an editor's doing */
	must(recovery_read(path, &back, &fixture_err));
	assert_int_equal(ftruncate(fd, len - 2), 0);
	assert_false(recovery_read(path, &back, &e));
	(void)close(fd);
	fixture_remove(directory);
}

static void a_password_makes_one_key(void **state)
{
	uint8_t salt[RECOVERY_SALT] = { 1 }, a[VAULT_WRAP], b[VAULT_WRAP];
	struct err e;

	(void)state;
	must(recovery_wrap(SPAN("correct horse"), salt, a, &fixture_err));
	must(recovery_wrap(SPAN("correct horse"), salt, b, &fixture_err));
	assert_memory_equal(a, b, sizeof a);
	must(recovery_wrap(SPAN("correct horsf"), salt, b, &fixture_err));
	assert_memory_not_equal(a, b, sizeof a);
	salt[15] = 1;
	must(recovery_wrap(SPAN("correct horse"), salt, b, &fixture_err));
	assert_memory_not_equal(a, b, sizeof a);
	assert_false(recovery_wrap(SPAN("short"), salt, b, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_comes_back_or_says_it_is_damaged), cmocka_unit_test(a_password_makes_one_key),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
