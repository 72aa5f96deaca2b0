/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/submissions_inside.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/allowance.h"
#include "store/held.h"

enum { SHORT_MS = 700, ANSWER_MS = 20000 };

static struct guest g, other, many[SUBMISSIONS_QUEUE + 1];
static char script[4 * PATH_MAX], gate[PATH_MAX], taken[PATH_MAX];
static const char *words[] = { "/bin/sh", "-c", script };
static struct target slow = { .name = "slow", .type = TARGET_COMMAND, .canonical = "command:slow", .argv = { words, 3 }, .parallel = 1 };
static struct target *all[] = { &slow };

/* The program says that it was run, waits for the gate, and ends with what is written there. */
static void begin(uint32_t timeout_ms)
{
	service_make();
	(void)snprintf(gate, sizeof gate, "%s/gate", service.directory);
	(void)snprintf(taken, sizeof taken, "%s/taken", service.directory);
	(void)snprintf(script, sizeof script, "printf x >>%s; until test -e %s; do sleep 0.05; done; exit $(cat %s)", taken, gate, gate);
	slow.timeout_ms = timeout_ms;
	service.settings.targets = all;
	service.settings.target_count = COUNT(all);
	service.pop3.submission = &slow;
	service.pop3.submission_limit = 1000;
	service.pop3.submission_size = 100000;
}

static void set_patience(void *user)
{
	serve_submissions(service.serve)->patience_ms = *(uint64_t *)user;
}

static void open_with(uint64_t patience_ms)
{
	service_open(2);
	service_on_home(set_patience, &patience_ms);
	guest_enters(&g, "clear");
}

static void open_gate(const char *status)
{
	char path[PATH_MAX + 4];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s.new", gate);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(status, f);
	(void)fclose(f);
	assert_int_equal(rename(path, gate), 0);
}

static off_t times_taken(void)
{
	struct stat st;

	return stat(taken, &st) == 0 ? st.st_size : 0;
}

static bool one_taken(void)
{
	return times_taken() == 1;
}

static bool two_taken(void)
{
	return times_taken() == 2;
}

static uint64_t then_ms;

static bool is_then(void)
{
	return clock_mono_ms() >= then_ms;
}

static void pass(uint64_t ms)
{
	then_ms = clock_mono_ms() + ms;
	service_until(is_then);
}

static struct held_sums sums(void)
{
	struct held_sums s;

	held_sums(service.store, &s);
	return s;
}

static bool none_under_way(void)
{
	return !submissions_waiting(serve_submissions(service.serve));
}

static bool none_held(void)
{
	return !sums().waiting && !sums().failed && none_under_way();
}

static void submits(struct guest *who)
{
	guest_asks(who, "XTND XMIT", "+OK");
	guest_send(who, SPAN("To: bert@b.example\r\n\r\nhello\r\n.\r\n"));
}

static void kick([[maybe_unused]] void *user)
{
	struct held_info info = { .id = 0 };

	while (held_next(service.store, &info))
		must(held_again(service.store, info.id, clock_now_s(), &fixture_err));
	submissions_kick(serve_submissions(service.serve));
}

static void look([[maybe_unused]] void *user)
{
	submissions_look(serve_submissions(service.serve));
}

/* One after the other, so that what one begins would be there. */
static void tries_do_nothing(void)
{
	service_on_home(kick, NULL);
	for (unsigned n = 0; n < 5; n++) {
		pass(50);
		service_on_home(look, NULL);
	}
}

/* The client is told, the message is held, and the program that runs is the only one for it. */
static void nobody_waits_for_a_program_for_ever([[maybe_unused]] void **state)
{
	uint64_t before = clock_mono_ms();

	begin(60000);
	open_with(SHORT_MS);
	submits(&g);
	guest_hears(&g, "+OK");
	assert_in_range(clock_mono_ms() - before, SHORT_MS, ANSWER_MS);
	assert_int_equal(sums().waiting, 1);
	tries_do_nothing();
	assert_int_equal(times_taken(), 1);
	open_gate("0");
	service_until(none_held);
	assert_int_equal(times_taken(), 1);
	guest_leave(&g);
	service_close();
	assert_int_equal(allowance_left(service.store, "bob", 1000, clock_now_s()), 999);
	service_end();
}

static void its_refusal_is_the_held_messages([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };

	begin(60000);
	open_with(SHORT_MS);
	submits(&g);
	guest_hears(&g, "+OK");
	open_gate("100");
	service_until(none_under_way);
	assert_true(held_next(service.store, &info));
	assert_int_equal(info.state, HELD_FAILED);
	assert_non_null(strstr(info.why, "exit status 100"));
	assert_int_equal(times_taken(), 1);
	guest_leave(&g);
	service_end();
}

/* Deferred: it waits as it did, and the next try is one. */
static void its_deferral_changes_nothing([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };

	begin(60000);
	open_with(SHORT_MS);
	submits(&g);
	guest_hears(&g, "+OK");
	open_gate("75");
	service_until(none_under_way);
	assert_true(held_next(service.store, &info) && info.state == HELD_WAITING && info.attempts == 1);
	assert_non_null(strstr(info.why, "no answer within"));
	open_gate("0");
	service_on_home(kick, NULL);
	service_until(none_held);
	assert_int_equal(times_taken(), 2);
	guest_leave(&g);
	service_end();
}

/* Its place in the queue counts: one that did not come to its turn is held, and was not begun. */
static void nobody_waits_in_the_queue_for_ever([[maybe_unused]] void **state)
{
	begin(60000);
	open_with(SHORT_MS);
	guest_enters(&other, "clear");
	submits(&g);
	service_until(one_taken);
	submits(&other);
	guest_hears(&other, "+OK");
	guest_hears(&g, "+OK");
	assert_int_equal(sums().waiting, 2);
	assert_int_equal(times_taken(), 1);
	open_gate("0");
	service_on_home(kick, NULL);
	service_until(none_held);
	assert_int_equal(times_taken(), 2);
	guest_leave(&g);
	guest_leave(&other);
	service_end();
}

/* Two that hung; the third is held without a try.  When a try of the held ones came to an end, all is as before. */
static void who_hangs_is_not_waited_for([[maybe_unused]] void **state)
{
	begin(300);
	open_with(60000);
	submits(&g);
	guest_hears(&g, "+OK");
	submits(&g);
	guest_hears(&g, "+OK");
	assert_int_equal(times_taken(), 2);
	submits(&g);
	guest_hears(&g, "+OK");
	assert_int_equal(times_taken(), 2);
	assert_int_equal(sums().waiting, 3);
	open_gate("0");
	service_on_home(kick, NULL);
	service_until(none_held);
	assert_int_equal(times_taken(), 5);
	submits(&g);
	guest_hears(&g, "+OK");
	assert_int_equal(times_taken(), 6);
	assert_true(none_held());
	guest_leave(&g);
	service_end();
}

/* One that hung between others is no reason. */
static void one_that_hangs_is_one([[maybe_unused]] void **state)
{
	begin(1000);
	open_with(60000);
	for (unsigned n = 0; n < 3; n++) {
		(void)unlink(gate);
		submits(&g);
		guest_hears(&g, "+OK");
		assert_int_equal(sums().waiting, n + 1);
		open_gate("0");
		submits(&g);
		guest_hears(&g, "+OK");
		assert_int_equal(sums().waiting, n + 1);
	}
	assert_int_equal(times_taken(), 6);
	guest_leave(&g);
	service_end();
}

static bool one_held(void)
{
	return sums().waiting == 1;
}

static void the_queue_has_an_end([[maybe_unused]] void **state)
{
	begin(600000);
	open_with(600000);
	for (size_t n = 0; n < COUNT(many); n++)
		guest_enters(&many[n], "clear");
	for (size_t n = 0; n < COUNT(many); n++) {
		submits(&many[n]);
		if (n == 0)
			service_until(one_taken);
	}
	service_until(one_held);		/* whichever was counted last */
	assert_int_equal(times_taken(), 1);
	open_gate("0");
	for (size_t n = 0; n < COUNT(many); n++)
		guest_hears(&many[n], "+OK");
	assert_int_equal(times_taken(), SUBMISSIONS_QUEUE);
	assert_int_equal(sums().waiting, 1);
	for (size_t n = 0; n < COUNT(many); n++)
		guest_leave(&many[n]);
	guest_leave(&g);
	service_end();
}

/* No room to hold it: its client waits on, and hears how it ends. */
static void who_cannot_be_held_waits_on([[maybe_unused]] void **state)
{
	char nearly[8] = { 0, 0, 0, 0, 0x3f, (char)0xff, (char)0xff, (char)0xf0 };	/* HELD_MAX - 16 */
	struct batch *b = batch_new(engine_part_of("held", SPAN("")));

	begin(60000);
	assert_true(batch_put(b, SPAN("t"), (struct span){ nearly, 8 }));
	must(engine_commit_wait(store_engine(service.store), &b, &fixture_err));
	open_with(SHORT_MS);
	submits(&g);
	pass(3 * SHORT_MS);
	open_gate("100");
	guest_hears(&g, "-ERR [SYS/PERM]");
	assert_int_equal(times_taken(), 1);
	guest_leave(&g);
	service_end();
}

/* The service ends while it runs: it is held, and is tried again by the next one. */
static void the_end_in_the_middle([[maybe_unused]] void **state)
{
	begin(60000);
	open_with(SHORT_MS);
	submits(&g);
	guest_hears(&g, "+OK");
	service_until(one_taken);
	guest_leave(&g);
	service_close();
	assert_int_equal(sums().waiting, 1);
	open_gate("0");
	service_open(1);
	service_on_home(kick, NULL);
	service_until(none_held);
	assert_true(two_taken());
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_for_a_program_for_ever),
		cmocka_unit_test(its_refusal_is_the_held_messages),
		cmocka_unit_test(its_deferral_changes_nothing),
		cmocka_unit_test(nobody_waits_in_the_queue_for_ever),
		cmocka_unit_test(who_hangs_is_not_waited_for),
		cmocka_unit_test(one_that_hangs_is_one),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(who_cannot_be_held_waits_on),
		cmocka_unit_test(the_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
