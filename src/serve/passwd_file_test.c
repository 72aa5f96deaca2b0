/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char directory[] = "/tmp/postrider-users.XXXXXX";
static char path[64];
static struct err e;

/* In place, or (fresh) as editors do it: another file under the name. */
static void put(const char *text, bool fresh)
{
	char other[80];
	FILE *f;

	(void)snprintf(other, sizeof other, "%s%s", path, fresh ? ".new" : "");
	f = fopen(other, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	assert_true(!fresh || rename(other, path) == 0);
}

static bool has(struct passwd_file *f, const char *name)
{
	struct account_login l = { 0 };
	bool there = passwd_file_find(f, name, NULL, &l);

	assert_int_equal(passwd_file_knows(f, name), there);
	return there;
}

static void changes_are_read(void **state)
{
	struct passwd_file *f;

	(void)state;
	put("anna:{PLAIN}x\n", false);
	f = passwd_file_open(path, "main.example", &e);
	assert_non_null(f);
	assert_true(has(f, "anna@main.example") && passwd_file_has(f).secret);
	assert_false(passwd_file_look(f));
	put("bobby:{SHA}x\n", false);
	assert_true(passwd_file_look(f));
	assert_true(!has(f, "anna@main.example") && has(f, "bobby@main.example") && !passwd_file_has(f).secret);
	assert_false(passwd_file_look(f));
	put("karla:{SHA}x\n", true);		/* as long, perhaps in the same tick of the clock, another inode */
	assert_true(passwd_file_look(f) && has(f, "karla@main.example"));
	assert_true(passwd_file_is(f, path, "main.example") && !passwd_file_is(f, path, NULL) && !passwd_file_is(f, "/x", "main.example"));
	assert_string_equal(passwd_file_path(f), path);
	passwd_file_free(&f);
	assert_null(f);
}

static void what_is_broken_leaves_the_last_good_one(void **state)
{
	char aside[80];
	struct passwd_file *f;

	(void)state;
	put("anna:{PLAIN}x\n", true);
	(void)snprintf(aside, sizeof aside, "%s.aside", path);
	f = passwd_file_open(path, NULL, &e);
	assert_non_null(f);
	assert_int_equal(rename(path, aside), 0);
	assert_false(passwd_file_look(f) || passwd_file_look(f));
	assert_true(has(f, "anna"));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(passwd_file_look(f));
	assert_true(has(f, "anna"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);	/* does not stop anybody */
	assert_false(passwd_file_look(f));
	assert_true(has(f, "anna"));
	assert_int_equal(unlink(path), 0);
	put("bob:{PLAIN}x\n", false);
	assert_int_equal(truncate(path, (off_t)PASSWD_FILE_MAX + 1), 0);
	assert_false(passwd_file_look(f));
	assert_true(has(f, "anna"));
	assert_int_equal(rename(aside, path), 0);	/* it is back */
	assert_true(passwd_file_look(f) && has(f, "anna"));
	put("bob:{PLAIN}x\n", true);
	assert_true(passwd_file_look(f) && has(f, "bob") && !has(f, "anna"));
	passwd_file_free(&f);
}

/* Somebody writes it in place: a look between his two writes takes no half of it. */
static void half_a_file_waits(void **state)
{
	struct passwd_file *f;

	(void)state;
	put("anna:{PLAIN}x\nbob:{PLAIN}x\n", true);
	f = passwd_file_open(path, NULL, &e);
	assert_non_null(f);
	put("", false);
	assert_false(passwd_file_look(f));
	assert_true(has(f, "anna") && has(f, "bob"));
	put("anna:{PLAIN}", false);
	assert_false(passwd_file_look(f));
	assert_true(has(f, "bob"));
	put("anna:{PLAIN}y\ncarl:{PLAIN}x\n", false);
	assert_true(passwd_file_look(f));
	assert_true(has(f, "anna") && has(f, "carl") && !has(f, "bob"));
	put("anna:{PLAIN}y", false);		/* it stays so: an editor that writes no line end */
	assert_false(passwd_file_look(f));
	assert_true(passwd_file_look(f) && !has(f, "carl"));
	assert_false(passwd_file_look(f));
	put("", false);
	assert_false(passwd_file_look(f));
	assert_true(passwd_file_look(f) && !has(f, "anna"));
	passwd_file_free(&f);
}

/* How often the log says it, and not what stands in the file. */
static unsigned told(const char *log, const char *words)
{
	char text[4096];
	FILE *f = fopen(log, "r");
	unsigned count = 0;

	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	(void)fclose(f);
	assert_null(strstr(text, "geheim"));
	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

static void what_others_can_read_is_warned_of(void **state)
{
	static const struct row { mode_t mode; const char *text; unsigned hashes, plain; } rows[] = {
		{ 0640, "a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\nb:{PLAIN}geheim\n", 0, 0 },
		{ 0644, "a:!\n", 0, 0 },
		{ 0644, "a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n", 1, 0 },
		{ 0604, "a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n\n", 1, 0 },	/* once */
		{ 0644, "a:{PLAIN}geheim\n", 1, 1 },
		{ 0644, "a:{PLAIN}geheim\nb:{CLEARTEXT}geheim\n", 1, 1 },
		{ 0600, "a:{PLAIN}geheim\n", 1, 1 },
		{ 0644, "a:{PLAIN}geheim\n\n", 1, 2 },
	};
	char log[80];
	struct passwd_file *f = NULL;

	(void)state;
	(void)snprintf(log, sizeof log, "%s/log", directory);
	assert_true(log_start(LOG_WARN, LOG_TEXT, log, &e));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		put(r->text, true);
		assert_int_equal(chmod(path, r->mode), 0);
		if (f)
			assert_true(passwd_file_look(f));
		else
			f = passwd_file_open(path, NULL, &e);
		assert_non_null(f);
		if (told(log, "so what passwords can be guessed by") != r->hashes || told(log, "({PLAIN}); chmod o-r") != r->plain)
			fail_msg("row %zu", (size_t)(r - rows));
	}
	passwd_file_free(&f);
	assert_int_equal(told(log, "(mode 0644)"), 3);
	assert_true(log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e));
	assert_int_equal(unlink(log), 0);
}

static void what_cannot_be_read_at_first_is_an_error(void **state)
{
	(void)state;
	assert_null(passwd_file_open("/tmp/postrider-no-such-file", NULL, &e));
	assert_string_equal(e.text, "/tmp/postrider-no-such-file: No such file or directory");
	assert_null(passwd_file_open("/tmp", NULL, &e));
	assert_string_equal(e.text, "/tmp is no file");
}

static atomic_bool stop;

static void *ask(void *user)
{
	struct passwd_file *f = user;

	while (!atomic_load(&stop)) {
		struct account_login l = { 0 };

		if (!passwd_file_find(f, "anna", NULL, &l) || l.secret_len != 1 || (l.secret[0] != 'x' && l.secret[0] != 'y'))
			return NULL;
	}
	return user;
}

static void others_ask_meanwhile(void **state)
{
	struct passwd_file *f;
	pthread_t threads[2];

	(void)state;
	put("anna:{PLAIN}x\n", true);
	f = passwd_file_open(path, NULL, &e);
	assert_non_null(f);
	for (size_t n = 0; n < COUNT(threads); n++)
		assert_int_equal(pthread_create(&threads[n], NULL, ask, f), 0);
	for (int n = 0; n < 200; n++) {
		put(n % 2 ? "anna:{PLAIN}x\n" : "anna:{PLAIN}y\n#\n", true);
		assert_true(passwd_file_look(f));
	}
	atomic_store(&stop, true);
	for (size_t n = 0; n < COUNT(threads); n++) {
		void *good;

		assert_int_equal(pthread_join(threads[n], &good), 0);
		assert_ptr_equal(good, f);
	}
	passwd_file_free(&f);
}

static int start(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || !log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e))
		return 1;
	return snprintf(path, sizeof path, "%s/users", directory) < 0;
}

static int end(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_read),
		cmocka_unit_test(what_is_broken_leaves_the_last_good_one),
		cmocka_unit_test(half_a_file_waits),
		cmocka_unit_test(what_cannot_be_read_at_first_is_an_error),
		cmocka_unit_test(what_others_can_read_is_warned_of),
		cmocka_unit_test(others_ask_meanwhile),
	};
	return cmocka_run_group_tests(tests, start, end);
}
