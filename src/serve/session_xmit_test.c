/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/session.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/allowance.h"

enum { DAY_S = 24 * 3600, SIZE = 100000 };

static struct guest g, other;
static struct target box = { .name = "box", .type = TARGET_MAILBOX, .canonical = "mailbox:bob/INBOX", .mailbox = "bob/INBOX" };
static struct target nowhere = { .name = "nowhere", .type = TARGET_MAILBOX, .canonical = "mailbox:nobody/INBOX", .mailbox = "nobody/INBOX" };
static const char *slow_words[] = { "/bin/sh", "-c", "sleep 0.3; exit 0" };
static struct target slow = { .name = "slow", .type = TARGET_COMMAND, .canonical = "command:slow", .argv = { slow_words, 3 }, .timeout_ms = 60000, .parallel = 8 };
static struct target *all[] = { &box, &nowhere, &slow };

#define LETTER "To: bert@b.example\r\nBcc: x@b.example\r\n\r\nhello\r\n.\r\n"

static void begin(struct target *target)
{
	service_make();
	service.settings.targets = all;
	service.settings.target_count = COUNT(all);
	service.pop3.submission = target;
	service.pop3.submission_limit = 5;
	service.pop3.submission_size = SIZE;
}

static void open_as_bob(unsigned loops)
{
	service_open(loops);
	guest_enters(&g, "clear");
}

static void submits(struct guest *who, const char *hears)
{
	guest_asks(who, "XTND XMIT", "+OK");
	guest_send(who, SPAN(LETTER));
	guest_hears(who, hears);
}

static void it_is_there_when_ok_is_said([[maybe_unused]] void **state)
{
	begin(&box);
	open_as_bob(2);
	submits(&g, "+OK");
	assert_int_equal(service_count(), 1);
	submits(&g, "+OK");
	assert_int_equal(service_count(), 2);
	guest_asks(&g, "QUIT", "+OK");
	guest_leave(&g);
	service_end();
}

/* Commands in the same write follow when the answer is given. */
static void pipelined([[maybe_unused]] void **state)
{
	begin(&box);
	open_as_bob(1);
	guest_send(&g, SPAN("XTND XMIT\r\n" LETTER "NOOP\r\nXTND XMIT\r\n" LETTER "XTND xmit\r\n.\r\nSTAT\r\n"));
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears(&g, "-ERR [SYS/PERM]");	/* an empty one */
	guest_hears(&g, "+OK 0 0");
	assert_int_equal(service_count(), 2);
	guest_leave(&g);
	service_end();
}

static void without_a_target_there_is_none([[maybe_unused]] void **state)
{
	begin(NULL);
	open_as_bob(1);
	guest_asks(&g, "XTND XMIT", "-ERR");
	guest_leave(&g);
	service_end();
}

static void a_refusal_counts_for_nothing([[maybe_unused]] void **state)
{
	begin(&nowhere);
	open_as_bob(1);
	submits(&g, "-ERR [SYS/PERM]");
	submits(&g, "-ERR [SYS/PERM]");
	guest_leave(&g);
	service_close();
	assert_int_equal(allowance_left(service.store, "bob", 5, time(NULL)), 5);
	service_end();
}

/* Both are in it at once: the count is taken before the message is delivered. */
static void two_sessions_have_one_limit([[maybe_unused]] void **state)
{
	begin(&slow);
	service.pop3.submission_limit = 1;
	open_as_bob(2);
	guest_enters(&other, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_asks(&other, "XTND XMIT", "+OK");
	guest_send(&g, SPAN(LETTER));
	guest_send(&other, SPAN(LETTER));
	guest_hears(&g, "");
	guest_hears(&other, "");
	assert_true((strncmp(g.line, "+OK", 3) == 0) != (strncmp(other.line, "+OK", 3) == 0));
	guest_asks(&g, "XTND XMIT", "-ERR [SYS/TEMP]");
	guest_leave(&g);
	guest_leave(&other);
	service_end();
}

static void too_large_a_message_is_eaten([[maybe_unused]] void **state)
{
	char *octets = fixture_octets(3 * SIZE);

	begin(&box);
	open_as_bob(1);
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: a@b.example\r\n\r\n"));
	guest_send(&g, (struct span){ octets, 3 * SIZE });
	guest_send(&g, SPAN("\r\n.\r\n"));
	guest_hears(&g, "-ERR [SYS/PERM] the message is larger");
	submits(&g, "+OK");
	assert_int_equal(service_count(), 1);
	free(octets);
	guest_leave(&g);
	service_end();
}

/* It was whole: it is delivered, though nobody hears of it; the session lives until then. */
static void a_client_may_leave_before_the_answer([[maybe_unused]] void **state)
{
	begin(&slow);
	open_as_bob(2);
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN(LETTER));
	guest_leave(&g);
	service_until(service_empty);
	service_close();
	assert_int_equal(allowance_left(service.store, "bob", 5, time(NULL)), 4);
	service_end();
}

static void what_never_was_whole_is_nothing([[maybe_unused]] void **state)
{
	begin(&box);
	service_put(SPAN("one\r\n"));
	open_as_bob(2);
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: a@b.example\r\n\r\nhello\r\n."));
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	service_end();
}

static void stop([[maybe_unused]] void *user)
{
	serve_stop(service.serve);
}

/* As a RETR does; a session without a message ends at once. */
static void a_message_that_comes_in_gets_to_its_end([[maybe_unused]] void **state)
{
	begin(&box);
	open_as_bob(2);
	guest_enters(&other, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: a@b.example\r\n\r\nhel"));
	service_on_home(stop, NULL);
	guest_hears_end(&other);
	guest_send(&g, SPAN("lo\r\n.\r\n"));
	guest_hears(&g, "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_leave(&other);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	service_end();
}

static void minutes_pass(struct worker *w, [[maybe_unused]] void *user)
{
	for (unsigned n = 0; n < 120; n++)
		session_sweep(w->all, clock_mono_ms());
}

/* Nobody who sends nothing more keeps a service that stops: but else there is the idle timer's time. */
static void a_message_that_does_not_go_on_has_an_end([[maybe_unused]] void **state)
{
	begin(&box);
	service_put(SPAN("one\r\n"));
	open_as_bob(1);
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: a@b.example\r\n\r\nhel"));
	service_on_worker(0, minutes_pass, NULL);
	guest_send(&g, SPAN("lo\r\n"));
	service_on_home(stop, NULL);
	service_on_worker(0, minutes_pass, NULL);
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	service_end();
}

/* Of which nothing has come yet; a message that is refused ends the session, too. */
static void a_message_that_is_to_come_gets_to_its_end([[maybe_unused]] void **state)
{
	begin(&box);
	open_as_bob(1);
	guest_asks(&g, "XTND XMIT", "+OK");
	service_on_home(stop, NULL);
	guest_send(&g, SPAN("To: x y\r\n\r\nhello\r\n.\r\n"));
	guest_hears(&g, "-ERR [SYS/PERM] its field To has something");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	service_end();
}

/* The service ends while a message comes in, and while another is on its way: memory and threads are the sanitizers'. */
static void the_end_in_the_middle([[maybe_unused]] void **state)
{
	begin(&slow);
	open_as_bob(2);
	guest_enters(&other, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	guest_send(&g, SPAN("To: a@b.example\r\n\r\nhello\r\n"));
	guest_asks(&other, "XTND XMIT", "+OK");
	guest_send(&other, SPAN(LETTER));
	service_close();
	guest_leave(&g);
	guest_leave(&other);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_there_when_ok_is_said),
		cmocka_unit_test(pipelined),
		cmocka_unit_test(without_a_target_there_is_none),
		cmocka_unit_test(a_refusal_counts_for_nothing),
		cmocka_unit_test(two_sessions_have_one_limit),
		cmocka_unit_test(too_large_a_message_is_eaten),
		cmocka_unit_test(a_client_may_leave_before_the_answer),
		cmocka_unit_test(what_never_was_whole_is_nothing),
		cmocka_unit_test(a_message_that_comes_in_gets_to_its_end),
		cmocka_unit_test(a_message_that_is_to_come_gets_to_its_end),
		cmocka_unit_test(a_message_that_does_not_go_on_has_an_end),
		cmocka_unit_test(the_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
