/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "store/account.h"
#include "store/fixture.h"
#include "store/ledger.h"

static void one_process_opens_it(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory), *second;
	char want[128];

	(void)state;
	assert_string_equal(store_state(s), directory);
	assert_non_null(store_engine(s));
	assert_false(store_open(directory, FIXTURE_MAP, "postrider run", &second, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	(void)snprintf(want, sizeof want, "state %s is in use by process %ld (test), since ", directory, (long)getpid());
	assert_ptr_equal(strstr(fixture_err.text, want), fixture_err.text);
	store_close(&s);
	assert_null(s);
	store_close(&s);
	s = fixture_store(directory);
	store_close(&s);
	fixture_remove(directory);
}

/* When and how long each file under it is, in the order of names. */
static void tell_files(const char *directory, char *out, size_t size)
{
	static const char *const paths[] = { "", "/run.lock", "/store", "/store/data.mdb", "/store/lock.mdb" };
	char path[PATH_MAX];
	struct stat st;

	*out = '\0';
	for (size_t n = 0; n < COUNT(paths); n++) {
		(void)snprintf(path, sizeof path, "%s%s", directory, paths[n]);
		assert_int_equal(stat(path, &st), 0);
		(void)snprintf(out + strlen(out), size - strlen(out), "%s %lld %ld.%09ld\n", paths[n], (long long)st.st_size, (long)st.st_mtim.tv_sec,
			st.st_mtim.tv_nsec);
	}
}

static void looking_leaves_no_trace(void **state)
{
	const char *directory = fixture_directory();
	struct store *s, *one, *two;
	char before[1000], after[1000], want[128];
	struct account_info carl;

	(void)state;
	assert_false(store_look(directory, &one, &fixture_err));	/* no store there, and none made */
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_int_equal(access(directory, F_OK), 0);
	(void)snprintf(want, sizeof want, "%s/run.lock", directory);
	assert_int_not_equal(access(want, F_OK), 0);
	s = fixture_store(directory);
	must(account_add(s, "carl", SPAN("geheim"), 0, &fixture_err));
	assert_false(store_look(directory, &one, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	(void)snprintf(want, sizeof want, "state %s is in use by process %ld (test), since ", directory, (long)getpid());
	assert_ptr_equal(strstr(fixture_err.text, want), fixture_err.text);
	store_close(&s);
	tell_files(directory, before, sizeof before);
	must(store_look(directory, &one, &fixture_err));
	must(store_look(directory, &two, &fixture_err));
	assert_true(account_find(one, "carl", &carl) && account_find(two, "carl", &carl) && !account_find(one, "berta", &carl));
	assert_false(store_open(directory, FIXTURE_MAP, "test", &s, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	store_close(&one);
	store_close(&two);
	tell_files(directory, after, sizeof after);
	assert_string_equal(after, before);
	s = fixture_store(directory);
	store_close(&s);
	fixture_remove(directory);
}

static void nothing_under_way_is_not_waited_for(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct store_done d;

	(void)state;
	assert_false(store_wait(s));
	assert_false(store_next(s, &d));
	assert_int_equal(store_waiting(s), 0);
	store_close(&s);
	fixture_remove(directory);
}

static void on_wake(void *user)
{
	(void)atomic_fetch_add((_Atomic int *)user, 1);
}

/* In the order they became durable: the order in which they were put. */
static void answers_come_back_in_order(void **state)
{
	enum { TICKETS = 3000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	_Atomic int woken = 0;
	struct ledger *l;
	struct ledger_entry entry = { .state = LEDGER_ACCEPTED };
	struct store_done d;
	uint64_t next = 1;

	(void)state;
	store_on_wake(s, on_wake, &woken);
	must(ledger_open(s, "c", "", &l, &fixture_err));
	for (uint64_t n = 1; n <= TICKETS; n++) {
		memcpy(entry.id, &n, sizeof n);
		ledger_put(l, &entry, n);
	}
	assert_int_equal(store_waiting(s), TICKETS);
	while (store_wait(s)) {
		assert_in_range(woken, 1, TICKETS);
		while (store_next(s, &d)) {
			assert_true(d.good);
			assert_int_equal(d.why.kind, ERR_NONE);
			assert_int_equal(d.ticket, next++);
		}
	}
	assert_int_equal(next, TICKETS + 1);
	assert_int_equal(store_waiting(s), 0);
	store_on_wake(s, NULL, NULL);
	store_close(&s);
	fixture_remove(directory);
}

static void closing_makes_everything_durable(void **state)
{
	enum { MESSAGES = 700, ENTRIES = 3000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct ledger *l;
	struct ledger_entry entry = { .state = LEDGER_ACCEPTED };

	(void)state;
	must(ledger_open(s, "c", "", &l, &fixture_err));
	for (uint64_t n = 1; n <= MESSAGES; n++)
		fixture_append(box, SPAN("Subject: x\r\n\r\nbody\r\n"), NULL, n);
	for (uint64_t n = 1; n <= ENTRIES; n++) {
		memcpy(entry.id, &n, sizeof n);
		ledger_put(l, &entry, 0);
	}
	store_close(&s);
	s = fixture_store(directory);
	must(ledger_open(s, "c", "", &l, &fixture_err));
	assert_int_equal(ledger_count(l), ENTRIES);
	assert_int_equal(mailbox_count(fixture_box(s, "anna/INBOX")), MESSAGES);
	store_close(&s);
	fixture_remove(directory);
}

static void a_bad_place_is_refused(void **state)
{
	struct store *s;

	(void)state;
	assert_false(store_open("/dev/null/state", FIXTURE_MAP, "test", &s, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_false(store_open("", FIXTURE_MAP, "test", &s, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_opens_it),
		cmocka_unit_test(looking_leaves_no_trace),
		cmocka_unit_test(nothing_under_way_is_not_waited_for),
		cmocka_unit_test(answers_come_back_in_order),
		cmocka_unit_test(closing_makes_everything_durable),
		cmocka_unit_test(a_bad_place_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
