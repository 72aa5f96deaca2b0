/* SPDX-License-Identifier: Apache-2.0 */
#include "store/box.h"
#include "store/fixture.h"

static size_t walk(struct mailbox *box, uint8_t connection)
{
	struct mailbox_source mark = { 0 };
	const uint8_t tag[8] = { connection };
	uint8_t last[32] = { 0 };
	size_t n = 0;

	for (; mailbox_marks(box, tag, &mark); n++) {
		assert_true(memcmp(mark.id, last, sizeof last) > 0);
		assert_memory_equal(mark.connection, tag, sizeof tag);
		memcpy(last, mark.id, sizeof last);
	}
	return n;
}

static void marks_are_walked_by_connection(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_source mark = { 0 }, one = fixture_source(2, 1);

	(void)state;
	for (uint32_t n = 1; n <= 300; n++) {
		struct mailbox_source source = fixture_source(n % 3 ? 1 : 3, n);

		fixture_append(box, SPAN("x\r\n"), &source, 1);
	}
	fixture_append(box, SPAN("x\r\n"), &one, 1);
	assert_int_equal(fixture_drain(s), 301);
	assert_int_equal(walk(box, 1), 200);
	assert_int_equal(walk(box, 2), 1);
	assert_int_equal(walk(box, 3), 100);
	assert_int_equal(walk(box, 4), 0);
	assert_int_equal(walk(box, 0), 0);
	assert_true(mailbox_marks(box, one.connection, &mark));
	assert_memory_equal(&mark, &one, sizeof one);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(walk(fixture_box(s, "anna/INBOX"), 1), 200);
	store_close(&s);
	fixture_remove(directory);
}

static void a_forgotten_mark_is_gone(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_source source = fixture_source(1, 1), other = fixture_source(1, 2);

	(void)state;
	fixture_append(box, SPAN("x\r\n"), &source, 1);
	fixture_append(box, SPAN("x\r\n"), &other, 1);
	assert_int_equal(fixture_drain(s), 2);
	mailbox_unmark(box, &source);
	mailbox_unmark(box, &source);
	assert_int_equal(walk(box, 1), 1);
	assert_int_equal(box->unmark_count, 1);	/* it waits for a message to ride with */
	fixture_append(box, SPAN("y\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(box->unmark_count, 0);
	assert_int_equal(walk(box, 1), 1);
	mailbox_unmark(box, &other);
	store_close(&s);	/* nothing to ride with: it goes alone */
	s = fixture_store(directory);
	assert_int_equal(walk(fixture_box(s, "anna/INBOX"), 1), 0);
	store_close(&s);
	fixture_remove(directory);
}

/* Forgotten means: the same source may come again, and is marked again. */
static void a_forgotten_source_may_come_again(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_source source = fixture_source(1, 1);

	(void)state;
	for (uint64_t n = 1; n < 5; n++) {
		fixture_append(box, SPAN("x\r\n"), &source, 1);
		fixture_append(box, SPAN("x\r\n"), &source, 1);
		assert_int_equal(fixture_drain(s), 2);
		assert_int_equal(mailbox_count(box), n);
		assert_int_equal(walk(box, 1), 1);
		mailbox_unmark(box, &source);
		assert_int_equal(walk(box, 1), 0);
	}
	store_close(&s);
	fixture_remove(directory);
}

/* Forgotten twice, the second time when it is already gone: that must not take
 * the mark of a new message with it. */
static void a_mark_that_is_gone_takes_no_other(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_source source = fixture_source(1, 1);

	(void)state;
	fixture_append(box, SPAN("x\r\n"), &source, 1);
	assert_int_equal(fixture_drain(s), 1);
	mailbox_unmark(box, &source);
	fixture_append(box, SPAN("y\r\n"), NULL, 1);
	mailbox_unmark(box, &source);	/* the first is under way */
	assert_int_equal(fixture_drain(s), 1);
	fixture_append(box, SPAN("z\r\n"), &source, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(walk(box, 1), 1);
	fixture_append(box, SPAN("z\r\n"), &source, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(mailbox_count(box), 3);
	store_close(&s);
	fixture_remove(directory);
}

static void many_forgotten_marks_do_not_wait(void **state)
{
	enum { MARKS = 3 * BOX_UNMARKS };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");

	(void)state;
	for (uint32_t n = 0; n < MARKS; n++) {
		struct mailbox_source source = fixture_source(1, n + 1);

		fixture_append(box, SPAN("x\r\n"), &source, 1);
	}
	assert_int_equal(fixture_drain(s), MARKS);
	for (uint32_t n = 0; n < MARKS; n++) {
		struct mailbox_source source = fixture_source(1, n + 1);

		mailbox_unmark(box, &source);
	}
	assert_int_equal(fixture_drain(s), 0);
	assert_true(box->unmark_count < BOX_UNMARKS);
	assert_int_equal(walk(box, 1), 0);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(walk(fixture_box(s, "anna/INBOX"), 1), 0);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_walked_by_connection),
		cmocka_unit_test(a_forgotten_mark_is_gone),
		cmocka_unit_test(a_forgotten_source_may_come_again),
		cmocka_unit_test(a_mark_that_is_gone_takes_no_other),
		cmocka_unit_test(many_forgotten_marks_do_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
