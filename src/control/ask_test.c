/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include "base/clock.h"
#include "control/ask.h"
#include "control/json.h"
#include "control/test_instance.h"

static const char *state_directory;

static int start(void **state)
{
	(void)state;
	state_directory = fixture_directory();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_remove(state_directory);
	return 0;
}

static bool try_ask(struct ask **a, struct err *e)
{
	return ask_open(&(struct ask_with){ .state = state_directory, .store_map = FIXTURE_MAP, .what = "postrider test" }, a, e);
}

static struct ask *opened(void)
{
	struct ask *a;

	must(try_ask(&a, &fixture_err));
	return a;
}

static bool count(void *user, json_t *row)
{
	assert_true(*json_member_text(row, "account"));
	++*(size_t *)user;
	return true;
}

static bool stop_at_two(void *user, json_t *row)
{
	(void)row;
	return ++*(size_t *)user < 2;
}

/* The same words, the same answers, whoever has the store. */
static void the_same_here_and_there(struct ask *a)
{
	char octets[] = "p\xc3\xa4ss";
	json_t *reply;
	struct err e;
	size_t n = 0;

	must(ask_call(a, "account.add", json_pack("{s:s, s:s}", "account", "bert", "password", octets), &reply, &fixture_err));
	assert_string_equal(json_member_text(reply, "account"), "bert");
	json_decref(reply);
	assert_false(ask_call(a, "account.add", json_pack("{s:s}", "account", "bert"), &reply, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "account bert is there already");
	for (int i = 0; i < 7; i++) {
		char name[20];

		(void)snprintf(name, sizeof name, "many-%d", i);
		must(ask_call(a, "account.add", json_pack("{s:s}", "account", name), &reply, &fixture_err));
		json_decref(reply);
	}
	must(ask_rows(a, "account.list", json_pack("{s:i}", "limit", 2), count, &n, &fixture_err));
	assert_true(n == 8 || n == 9);	/* the instance's has anna, too */
	n = 0;
	must(ask_rows(a, "account.list", NULL, stop_at_two, &n, &fixture_err));
	assert_int_equal(n, 2);
	assert_false(ask_rows(a, "account.list", json_pack("{s:i}", "limit", -2), count, &n, &e));
	assert_non_null(strstr(e.text, "limit is not a whole number"));
	assert_false(ask_call_with(a, "account.list", NULL, STDIN_FILENO, &reply, &e));
	assert_non_null(strstr(e.text, "no descriptor"));
}

static void with_the_store(void **state)
{
	struct ask *a = opened();
	json_t *reply;
	struct err e;

	(void)state;
	assert_non_null(ask_store(a));
	the_same_here_and_there(a);
	assert_false(ask_call(a, "status", NULL, &reply, &e));
	assert_non_null(strstr(e.text, "postrider is not running"));
	must(ask_call(a, "mailbox.append", json_pack("{s:s}", "mailbox", "bert/INBOX"), &reply, &fixture_err));	/* an answer by ticket */
	json_decref(reply);
	ask_close(&a);
	assert_null(a);
}

static void through_the_socket(void **state)
{
	struct instance i;
	struct ask *a, *second;
	json_t *reply;

	(void)state;
	instance_start(&i, state_directory);
	a = opened();
	second = opened();
	assert_null(ask_store(a));
	the_same_here_and_there(a);
	must(ask_call(second, "status", NULL, &reply, &fixture_err));
	json_decref(reply);
	ask_close(&second);
	ask_close(&a);
	instance_stop(&i);
	a = opened();		/* and afterwards it is there for others */
	assert_non_null(ask_store(a));
	ask_close(&a);
}

static struct store *held_by(const char *what)
{
	struct store *s;

	must(store_open(state_directory, FIXTURE_MAP, what, &s, &fixture_err));
	return s;
}

static void another_command_is_named(void **state)
{
	struct store *s = held_by("postrider collect");
	uint64_t began = clock_mono_ms();
	struct ask *a;
	struct err e;

	(void)state;
	assert_false(try_ask(&a, &e));
	assert_null(a);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_non_null(strstr(e.text, "(postrider collect)"));
	assert_null(strstr(e.text, "socket"));
	assert_true(clock_mono_ms() - began < ASK_PATIENCE_MS);
	store_close(&s);
}

static void a_run_that_does_not_answer(void **state)
{
	struct store *s = held_by("postrider run");
	uint64_t began = clock_mono_ms();
	struct ask *a;
	struct err e;

	(void)state;
	assert_false(try_ask(&a, &e));
	assert_int_equal(e.kind, ERR_BUSY);
	assert_non_null(strstr(e.text, "(postrider run)"));
	assert_non_null(strstr(e.text, "/control: "));
	assert_non_null(strstr(e.text, "does not answer"));
	assert_true(clock_mono_ms() - began >= ASK_PATIENCE_MS);
	store_close(&s);
}

static void *close_soon(void *user)
{
	struct store **s = user;

	(void)poll(NULL, 0, 200);
	store_close(s);
	return NULL;
}

/* It was just ending: then the store is to be had. */
static void a_run_that_ends_meanwhile(void **state)
{
	struct store *s = held_by("postrider run");
	pthread_t thread;
	struct ask *a;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, close_soon, &s), 0);
	a = opened();
	assert_non_null(ask_store(a));
	ask_close(&a);
	(void)pthread_join(thread, NULL);
}

static void *drop_soon(void *user)
{
	(void)poll(NULL, 0, 200);
	(void)close(*(const int *)user);
	return NULL;
}

/* Between taking the lock and signing it, nobody can tell whose it is: it is asked again. */
static void who_has_it_is_not_told_yet(void **state)
{
	char path[128];
	pthread_t thread;
	struct ask *a;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/run.lock", state_directory);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(pthread_create(&thread, NULL, drop_soon, &fd), 0);
	a = opened();
	ask_close(&a);
	(void)pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(with_the_store, start, stop), cmocka_unit_test_setup_teardown(through_the_socket, start, stop),
		cmocka_unit_test_setup_teardown(another_command_is_named, start, stop), cmocka_unit_test_setup_teardown(a_run_that_does_not_answer, start, stop),
		cmocka_unit_test_setup_teardown(a_run_that_ends_meanwhile, start, stop),
		cmocka_unit_test_setup_teardown(who_has_it_is_not_told_yet, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
