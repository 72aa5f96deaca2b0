/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/backup.h"
#include "store/fixture.h"

enum { TICKET = 4711, MESSAGES = 2000 };

static char path[128];

static struct store *filled(const char *directory)
{
	struct store *s = fixture_store(directory);

	fixture_fill(s, fixture_box(s, "anna/INBOX"), MESSAGES);
	(void)snprintf(path, sizeof path, "%s/out", directory);
	return s;
}

static int new_file(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void woken(void *user)
{
	atomic_store((atomic_bool *)user, true);
}

static void its_answer_comes_with_its_ticket(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	atomic_bool wake = false;
	struct backup_run *r;
	struct store_done d;
	struct stat st;
	int fd = new_file();

	(void)state;
	store_on_wake(s, woken, &wake);
	must(backup_run_start(s, fd, TICKET, &r, &fixture_err));
	assert_int_equal(store_waiting(s), 1);
	/* Mail goes on meanwhile, and is answered. */
	fixture_append(fixture_box(s, "anna/INBOX"), SPAN("new\r\n"), NULL, 1);
	for (size_t tickets = 0; tickets < TICKET + 1; tickets += (size_t)d.ticket) {
		while (!store_next(s, &d))
			assert_true(store_wait(s));
		assert_true(d.good && (d.ticket == 1 || d.ticket == TICKET));
	}
	assert_true(atomic_load(&wake));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, backup_run_written(r)->octets);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	backup_run_free(&r);
	assert_null(r);
	assert_false(store_wait(s));
	store_close(&s);
	fixture_remove(directory);
}

static void a_refusal_is_an_answer(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct backup_run *r;
	struct store_done d;
	int fd = new_file();

	(void)state;
	(void)close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(backup_run_start(s, fd, TICKET, &r, &fixture_err));
	assert_true(store_wait(s) && store_next(s, &d));
	assert_true(d.ticket == TICKET && !d.good);
	assert_int_equal(d.why.kind, ERR_LOCAL);
	backup_run_free(&r);
	store_close(&s);
	fixture_remove(directory);
}

static void who_goes_stops_it_and_the_answer_still_comes(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct backup_run *r;
	struct store_done d;

	(void)state;
	must(backup_run_start(s, new_file(), TICKET, &r, &fixture_err));
	backup_run_free(&r);
	assert_true(store_wait(s) && store_next(s, &d));
	assert_int_equal(d.ticket, TICKET);
	if (!d.good)		/* else it was faster */
		assert_non_null(strstr(d.why.text, "stopped"));
	assert_false(store_next(s, &d));
	store_close(&s);
	fixture_remove(directory);
}

static void closing_does_not_wait_for_the_disk(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = filled(directory);
	struct backup_run *r[3];

	(void)state;
	for (size_t n = 0; n < COUNT(r); n++)
		must(backup_run_start(s, new_file(), TICKET + n, &r[n], &fixture_err));
	backup_run_free(&r[1]);
	store_close(&s);
	backup_run_free(&r[0]);
	backup_run_free(&r[2]);
	s = fixture_store(directory);
	assert_int_equal(mailbox_count(fixture_box(s, "anna/INBOX")), MESSAGES);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_answer_comes_with_its_ticket),
		cmocka_unit_test(a_refusal_is_an_answer),
		cmocka_unit_test(who_goes_stops_it_and_the_answer_still_comes),
		cmocka_unit_test(closing_does_not_wait_for_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
