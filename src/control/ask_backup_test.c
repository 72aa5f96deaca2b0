/* SPDX-License-Identifier: Apache-2.0
 * A backup through the API, here and through the socket of a running instance. */
#include "store/fixture.h"

#include <fcntl.h>
#include <poll.h>

#include "control/ask.h"
#include "control/test_instance.h"
#include "store/restore.h"

enum { MESSAGES = 300 };

static char from[128], to[128];

static struct ask *opened(const char *state)
{
	struct ask *a;

	must(ask_open(&(struct ask_with){ .state = state, .store_map = FIXTURE_MAP, .what = "postrider test" }, &a, &fixture_err));
	return a;
}

static const char *filled(void)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	fixture_fill(s, fixture_box(s, "anna/INBOX"), MESSAGES);
	must(account_add(s, "bert", SPAN("a password"), true, &fixture_err));
	store_close(&s);
	(void)snprintf(from, sizeof from, "%s/backup", directory);
	(void)snprintf(to, sizeof to, "%s/restored", directory);
	return directory;
}

static void a_backup_is_made_and_restored(struct ask *a, const char *state)
{
	struct backup_progress progress = { 0 };
	struct backup_written w;
	struct restored r;
	struct backup *b;
	bool key;

	must(backup_begin(from, &b, &fixture_err));
	must(ask_backup(a, backup_fd(b), &w, &fixture_err));
	assert_true(w.packed && w.began > 0);
	must(backup_end(&b, &w, state, &key, &fixture_err));
	assert_true(key);
	must(restore_into(from, to, FIXTURE_MAP, false, "test", &progress, &r, &fixture_err));
	assert_int_equal(r.audit.messages, MESSAGES);
	assert_int_equal(r.manifest.made, w.began);
}

static void here(void **state)
{
	const char *directory = filled();
	struct ask *a = opened(directory);

	(void)state;
	assert_non_null(ask_store(a));
	a_backup_is_made_and_restored(a, directory);
	ask_close(&a);
	fixture_remove(directory);
}

static void there(void **state)
{
	const char *directory = filled();
	struct instance i;
	struct ask *a;
	struct backup_written w;
	int fd;

	(void)state;
	instance_start(&i, directory);
	a = opened(directory);
	assert_null(ask_store(a));
	a_backup_is_made_and_restored(a, directory);
	/* An error of the other side's comes as it is. */
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_false(ask_backup(a, fd, &w, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	(void)close(fd);
	ask_close(&a);
	instance_stop(&i);
	fixture_remove(directory);
}

static void *ask_in_thread(void *user)
{
	struct backup_written w;
	struct err e;
	int fd = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool good = ask_backup(user, fd, &w, &e);

	(void)close(fd);
	return good ? "it was good" : NULL;
}

/* The instance does not answer; who asked is told to stop, and then the next one may ask. */
static void it_can_be_broken_off(void **state)
{
	const char *directory = filled();
	struct instance i;
	struct ask *a;
	pthread_t thread;
	void *wrong;

	(void)state;
	instance_start(&i, directory);
	i.deaf = true;
	a = opened(directory);
	assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, a), 0);
	while (access(from, F_OK) != 0)
		(void)poll(NULL, 0, 5);
	ask_break(a);
	assert_int_equal(pthread_join(thread, &wrong), 0);
	if (wrong)
		fail_msg("%s", (const char *)wrong);
	ask_close(&a);
	instance_hear(&i);
	assert_int_equal(unlink(from), 0);
	a = opened(directory);
	a_backup_is_made_and_restored(a, directory);
	ask_close(&a);
	instance_stop(&i);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(here),
		cmocka_unit_test(there),
		cmocka_unit_test(it_can_be_broken_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
