/* SPDX-License-Identifier: Apache-2.0 */
#include "store/epoch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/audit.h"
#include "store/fixture.h"

enum { BOXES = 300, LEAST = 2000000000 };

static uint64_t last_uid(struct store *s, const char *name)
{
	struct mailbox *box = fixture_box(s, name);

	fixture_append(box, SPAN("new\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	return fixture_entry(box, mailbox_count(box) - 1).uid;
}

/* On the engine alone, as a restore does. */
static uint32_t raised(const char *directory, int64_t least)
{
	struct engine *g;
	uint32_t epoch;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/store", directory);
	must(engine_open(path, FIXTURE_MAP, &g, &fixture_err));
	must(epoch_raise(g, least, &epoch, &fixture_err));
	engine_close(&g);
	return epoch;
}

static void no_unique_id_comes_again(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct audit found;
	uint64_t old[10], uid;
	uint32_t epoch;

	(void)state;
	fixture_fill(s, box, COUNT(old));
	for (size_t n = 0; n < COUNT(old); n++)
		old[n] = fixture_entry(box, n).uid;
	must(mailbox_add(s, "anna/empty", &fixture_err));
	store_close(&s);
	epoch = raised(directory, LEAST);
	assert_int_equal(epoch, LEAST + EPOCH_AHEAD);
	s = fixture_store(directory);
	must(audit_store(store_engine(s), &found, &fixture_err));
	box = fixture_box(s, "anna/INBOX");
	for (size_t n = 0; n < COUNT(old); n++) {
		char text[16];

		assert_int_equal(fixture_entry(box, n).uid, old[n]);
		(void)snprintf(text, sizeof text, "%zu\r\n", n + 1);
		fixture_holds(box, n, span_of(text));
	}
	assert_int_equal(last_uid(s, "anna/INBOX"), (uint64_t)epoch << 32 | 1);
	fixture_holds(box, COUNT(old), SPAN("new\r\n"));
	assert_int_equal(last_uid(s, "anna/empty"), (uint64_t)epoch << 32 | 1);
	uid = last_uid(s, "anna/made-later");
	assert_true(uid >> 32 > epoch);
	store_close(&s);
	/* Again: above what was, though `least` is not. */
	assert_true(raised(directory, 5) > uid >> 32);
	fixture_remove(directory);
}

static void every_box_gets_it(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char name[MAILBOX_NAME_MAX + 1];
	uint32_t epoch;

	(void)state;
	for (int n = 0; n < BOXES; n++) {
		(void)snprintf(name, sizeof name, "anna/%d", n);
		must(mailbox_add(s, name, &fixture_err));
		if (n % 2)
			(void)last_uid(s, name);
	}
	store_close(&s);
	epoch = raised(directory, LEAST);
	s = fixture_store(directory);
	for (int n = 0; n < BOXES; n++) {
		(void)snprintf(name, sizeof name, "anna/%d", n);
		assert_int_equal(last_uid(s, name), (uint64_t)epoch << 32 | 1);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void the_last_one_is_asked_of_what_can_be_read(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char path[128];
	uint32_t epoch;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/store/data.mdb", directory);
	assert_int_equal(epoch_last("/nowhere/data.mdb"), 0);
	must(mailbox_add(s, "anna/INBOX", &fixture_err));
	store_close(&s);
	epoch = raised(directory, LEAST);
	assert_int_equal(epoch_last(path), epoch);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (off_t at = 0; at < 1 << 16; at += 8)	/* also what would be read as a page's pointers */
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
	(void)close(fd);
	assert_int_equal(epoch_last(path), 0);
	fixture_remove(directory);
}

static void the_end_of_time_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct engine *g;
	char path[128];
	uint32_t epoch;

	(void)state;
	store_close(&s);
	(void)snprintf(path, sizeof path, "%s/store", directory);
	must(engine_open(path, FIXTURE_MAP, &g, &fixture_err));
	assert_false(epoch_raise(g, UINT32_MAX, &epoch, &fixture_err));
	assert_false(epoch_raise(g, INT64_MAX, &epoch, &fixture_err));
	must(epoch_raise(g, UINT32_MAX - EPOCH_AHEAD, &epoch, &fixture_err));
	engine_close(&g);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_unique_id_comes_again),
		cmocka_unit_test(every_box_gets_it),
		cmocka_unit_test(the_last_one_is_asked_of_what_can_be_read),
		cmocka_unit_test(the_end_of_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
