/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/allowance.h"
#include "store/held.h"

enum { MINUTE = 60, DAY_S = 24 * 3600, MANY = 20 };

static struct guest g;
static struct target box = { .name = "box", .type = TARGET_MAILBOX, .canonical = "mailbox:bob/INBOX", .mailbox = "bob/INBOX" };
static struct target nowhere = { .name = "nowhere", .type = TARGET_MAILBOX, .canonical = "mailbox:nobody/INBOX", .mailbox = "nobody/INBOX" };
static const char *later_words[] = { "/bin/sh", "-c", "echo later >&2; exit 75" };
static struct target later = { .name = "later", .type = TARGET_COMMAND, .canonical = "command:later", .argv = { later_words, 3 }, .timeout_ms = 60000, .parallel = 8 };
static const char *taker_words[] = { "/bin/sh", "-c", NULL };
static struct target taker = { .name = "taker", .type = TARGET_COMMAND, .canonical = "command:taker", .argv = { taker_words, 3 }, .timeout_ms = 60000, .parallel = 8 };
static struct target folder = { .name = "folder", .type = TARGET_MAILDIR };
static struct target mail = { .name = "mail", .type = TARGET_SMTP, .canonical = "smtp://mx" };
static struct target *all[] = { &box, &nowhere, &mail, &later, &taker, &folder };

static void begin(void)
{
	service_make();
	service.settings.targets = all;
	service.settings.target_count = COUNT(all);
	service.pop3.submission = &later;
	service.pop3.submission_limit = 5;
	service.pop3.submission_size = 100000;
}

/* One that came so long ago, and is due. */
static uint64_t hold(const char *target, int64_t ago_s)
{
	static const char *const to[] = { "bert@example.org" };
	int64_t now = clock_now_s();
	const struct held_new what = { .account = "bob", .target = target, .sender = "bob@example.org", .recipients = to, .recipient_count = 1,
		.why = "then", .next = now - 1 };
	struct spool *m = spool_new(service.directory, &fixture_err);
	uint64_t id;

	must(m && spool_add(m, SPAN("To: bert@example.org\r\n\r\nheld\r\n"), &fixture_err));
	must(held_add(service.store, &what, m, now - ago_s, &id, &fixture_err));
	spool_free(&m);
	return id;
}

static struct held_sums sums(void)
{
	struct held_sums s;

	held_sums(service.store, &s);		/* reading is for any thread */
	return s;
}

static bool none_held(void)
{
	struct held_sums s = sums();

	return !s.waiting && !s.failed && !submissions_waiting(serve_submissions(service.serve));
}

static bool one_waits_still(void)
{
	struct held_sums s = sums();

	return s.waiting == 1 && !s.failed && !submissions_waiting(serve_submissions(service.serve));
}

static bool one_failed(void)
{
	struct held_sums s = sums();

	return s.failed == 1 && !s.waiting && !submissions_waiting(serve_submissions(service.serve));
}

static bool one_tried(void)
{
	struct held_info info = { .id = 0 };

	return held_next(service.store, &info) && info.attempts == 2 && !submissions_waiting(serve_submissions(service.serve));
}

/* Due and first in the walk, and no submission's affair: visits try it. */
static void what_a_connection_brought_is_left_alone([[maybe_unused]] void **state)
{
	static const struct held_origin origin = { .connection = "work", .mailbox = "", .uid = "u" };
	const struct held_new what = { .account = "", .target = "box", .sender = "", .why = "then", .next = 1, .origin = &origin };
	struct spool *m;
	struct held_info info;
	uint64_t id;

	begin();
	m = spool_new(service.directory, &fixture_err);
	must(m && spool_add(m, SPAN("\r\nbrought\r\n"), &fixture_err));
	must(held_add(service.store, &what, m, clock_now_s() - DAY_S, &id, &fixture_err));
	spool_free(&m);
	(void)hold("box", 10);
	service_open(1);
	service_until(one_waits_still);
	assert_int_equal(service_count(), 1);
	assert_true(held_get(service.store, id, &info));
	assert_true(info.state == HELD_WAITING && info.attempts == 1);
	service_end();
}

static void what_is_due_is_delivered([[maybe_unused]] void **state)
{
	begin();
	for (unsigned n = 0; n < MANY; n++)
		(void)hold("box", 10);
	service_open(1);
	service_until(none_held);
	assert_int_equal(service_count(), MANY);
	service_end();
}

/* As after a kill between the mailbox's commit and that of the held area. */
static void it_is_delivered_once([[maybe_unused]] void **state)
{
	struct held_info info;
	struct mailbox_source source;
	uint64_t id;

	begin();
	id = hold("box", 10);
	assert_true(held_get(service.store, id, &info));
	source = held_source(&info);
	fixture_append(fixture_box(service.store, "bob/INBOX"), SPAN("To: bert@example.org\r\n\r\nheld\r\n"), &source, 1);
	assert_int_equal(fixture_drain(service.store), 1);
	service_open(1);
	service_until(none_held);
	assert_int_equal(service_count(), 1);
	service_end();
}

static void a_refusal_is_kept([[maybe_unused]] void **state)
{
	begin();
	(void)hold("nowhere", 10);
	service_open(1);
	service_until(one_failed);
	service_end();
}

static void patience_has_an_end([[maybe_unused]] void **state)
{
	struct held_info info;
	uint64_t id;

	begin();
	id = hold("later", 5 * DAY_S + MINUTE);
	service_open(1);
	service_until(one_failed);
	assert_true(held_get(service.store, id, &info));
	assert_string_equal(info.why, "exit status 75: it said \"later\"");
	service_end();
}

static void it_waits_longer_and_longer([[maybe_unused]] void **state)
{
	struct held_info info;
	uint64_t id;
	int64_t now = clock_now_s();

	begin();
	id = hold("later", 10);
	service_open(1);
	service_until(one_tried);
	assert_true(held_get(service.store, id, &info));
	assert_int_equal(info.state, HELD_WAITING);
	assert_in_range(info.next - now, 5 * MINUTE, 6 * MINUTE);
	service_end();
}

/* Gone from the configuration, or of a type that is not built: it waits for better days. */
static void a_target_may_be_gone([[maybe_unused]] void **state)
{
	static const char *const names[] = { "gone", "mail" };

	for (size_t n = 0; n < COUNT(names); n++) {
		struct held_info info;
		uint64_t id;

		begin();
		id = hold(names[n], 10);
		service_open(1);
		service_until(one_tried);
		assert_true(held_get(service.store, id, &info));
		assert_int_equal(info.state, HELD_WAITING);
		assert_non_null(strstr(info.why, "not in the configuration"));
		service_end();
	}
}

static bool one_waits(void)
{
	struct held_sums s = sums();

	return s.waiting == 1 && !submissions_waiting(serve_submissions(service.serve));
}

static void what_is_deferred_is_held_and_counted([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };

	begin();
	service_open(1);
	guest_enters(&g, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: bert@b.example\r\nBcc: x@b.example\r\n\r\nhello\r\n.\r\n"));
	guest_hears(&g, "+OK");
	assert_true(one_waits());
	assert_true(held_next(service.store, &info));
	assert_string_equal(info.account, "bob");
	assert_string_equal(info.target, "later");
	assert_int_equal(info.recipient_count, 2);
	assert_in_range(info.next - clock_now_s(), MINUTE - 10, MINUTE);
	guest_leave(&g);
	service_close();
	assert_int_equal(allowance_left(service.store, "bob", 5, clock_now_s()), 4);
	service_end();
}

/* The area is full: the client keeps the message, and it counts for nothing. */
static void what_cannot_be_held_is_not_taken([[maybe_unused]] void **state)
{
	char nearly[8] = { 0, 0, 0, 0, 0x3f, (char)0xff, (char)0xff, (char)0xf0 };	/* HELD_MAX - 16 */
	struct batch *b = batch_new(engine_part_of("held", SPAN("")));

	begin();
	assert_true(batch_put(b, SPAN("t"), (struct span){ nearly, 8 }));
	must(engine_commit_wait(store_engine(service.store), &b, &fixture_err));
	service_open(1);
	guest_enters(&g, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: bert@b.example\r\n\r\nhello\r\n.\r\n"));
	guest_hears(&g, "-ERR [SYS/TEMP]");
	guest_leave(&g);
	service_close();
	assert_int_equal(allowance_left(service.store, "bob", 5, clock_now_s()), 5);
	service_end();
}

static bool one_more(void)
{
	return service_count() == 2;
}

static bool none_under_way(void)
{
	return !submissions_waiting(serve_submissions(service.serve));
}

/* How often the program had a message. */
static char taken[PATH_MAX];

static off_t times_taken(void)
{
	struct stat st;

	return stat(taken, &st) == 0 ? st.st_size : 0;
}

static bool two_outcomes(void)
{
	return service.outcomes >= 2;
}

/* A full disk: that a program has the message cannot be written down.  It does not get it again and again until it can. */
static void an_outcome_is_remembered_until_it_is_durable([[maybe_unused]] void **state)
{
	static char words[PATH_MAX + 32];

	begin();
	(void)snprintf(taken, sizeof taken, "%s/taken", service.directory);
	(void)snprintf(words, sizeof words, "printf x >>%s", taken);
	taker_words[2] = words;
	(void)hold("taker", 10);
	service.no_outcome = true;
	service.outcomes = 0;
	service_open(1);
	service_until(two_outcomes);
	assert_int_equal(times_taken(), 1);
	assert_int_equal(sums().waiting, 1);
	service.no_outcome = false;
	service_until(none_held);
	assert_int_equal(times_taken(), 1);
	service_end();
}

/* The service does not wait for a disk that stays full. */
static void an_outcome_that_stays_unwritten_keeps_no_end_waiting([[maybe_unused]] void **state)
{
	begin();
	service_put(SPAN("one\r\n"));
	(void)hold("box", 10);
	service.no_outcome = true;
	service_open(1);
	service_until(one_more);
	service_until(none_under_way);
	service_close();
	service.no_outcome = false;
	assert_int_equal(sums().waiting, 1);
	service_open(1);
	service_until(none_held);
	assert_int_equal(service_count(), 2);
	service_end();
}

static void ask_again(void *user)
{
	const uint64_t *id = user;

	must(held_again(service.store, *id, clock_now_s(), &fixture_err));
	submissions_kick(serve_submissions(service.serve));
}

/* Whatever was looked at before, and when the next is due. */
static void who_is_asked_for_is_tried_at_once([[maybe_unused]] void **state)
{
	uint64_t id;

	begin();
	service_put(SPAN("one\r\n"));
	(void)hold("box", 10);
	id = hold("box", 10);
	must(held_defer(service.store, id, "not yet", clock_now_s(), clock_now_s() + DAY_S, &fixture_err));
	service_open(1);
	service_until(one_more);
	service_until(none_under_way);
	assert_int_equal(sums().waiting, 1);
	service_on_home(ask_again, &id);
	service_until(none_held);
	assert_int_equal(service_count(), 3);
	service_end();
}

static bool one_deferred(void)
{
	struct held_info info = { .id = 0 };

	return held_next(service.store, &info) && info.attempts == 2 && none_under_way();
}

static size_t files_in(const char *path)
{
	DIR *d = opendir(path);
	size_t count = 0;

	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		count += entry->d_name[0] != '.';
	(void)closedir(d);
	return count;
}

/* A name that is at rest and not in tmp means delivered: so who lost his file has no name any more before he is tried again. */
static void a_file_that_vanished_is_written_again([[maybe_unused]] void **state)
{
	static char path[PATH_MAX - 8];		/* the target is of all tests */
	char fresh[PATH_MAX];
	uint64_t id;

	begin();
	(void)snprintf(path, sizeof path, "%s/Maildir", service.directory);
	(void)snprintf(fresh, sizeof fresh, "%s/new", path);
	folder.path = folder.canonical = path;
	id = hold("folder", 10);
	service.vanishes = path;
	service_open(1);
	service_until(one_deferred);
	service_on_home(ask_again, &id);
	service_until(none_held);
	assert_int_equal(files_in(fresh), 1);
	service_end();
}

/* Amid what is tried: nothing is lost, nobody is told. */
static void the_end_in_the_middle([[maybe_unused]] void **state)
{
	begin();
	service_put(SPAN("one\r\n"));
	later_words[2] = "sleep 1000";
	for (unsigned n = 0; n < MANY; n++)
		(void)hold(n % 2 ? "later" : "box", 10);
	service_open(1);
	service_close();
	later_words[2] = "echo later >&2; exit 75";
	assert_true(sums().waiting + service_count() >= MANY + 1);
	assert_int_equal(sums().failed, 0);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_due_is_delivered),
		cmocka_unit_test(what_a_connection_brought_is_left_alone),
		cmocka_unit_test(it_is_delivered_once),
		cmocka_unit_test(a_refusal_is_kept),
		cmocka_unit_test(patience_has_an_end),
		cmocka_unit_test(it_waits_longer_and_longer),
		cmocka_unit_test(a_target_may_be_gone),
		cmocka_unit_test(what_is_deferred_is_held_and_counted),
		cmocka_unit_test(what_cannot_be_held_is_not_taken),
		cmocka_unit_test(an_outcome_is_remembered_until_it_is_durable),
		cmocka_unit_test(an_outcome_that_stays_unwritten_keeps_no_end_waiting),
		cmocka_unit_test(who_is_asked_for_is_tried_at_once),
		cmocka_unit_test(a_file_that_vanished_is_written_again),
		cmocka_unit_test(the_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
