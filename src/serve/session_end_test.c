/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "serve/session.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"

enum { LARGE = 3000000 };

static struct guest g, other;

static void begin(size_t messages)
{
	service_make();
	fixture_fill(service.store, fixture_box(service.store, "bob/INBOX"), messages);
}

static void put(size_t len)
{
	char *at = fixture_octets(len);

	service_put((struct span){ at, len });
	free(at);
}

static void put_large(void)
{
	put(LARGE);
}

static void retr(struct guest *who, const char *number)
{
	struct fixture_text t = { 0 };
	char line[32];

	(void)snprintf(line, sizeof line, "RETR %s", number);
	guest_asks(who, line, "+OK");
	assert_true(guest_body(who, &t));
	free(t.at);
}

/* ---- QUIT */

static void quit_removes_and_the_others_stay([[maybe_unused]] void **state)
{
	struct serve_counts c;

	begin(5);
	service_open(2);
	guest_enters(&g, "clear");
	retr(&g, "1");
	retr(&g, "2");
	guest_asks(&g, "DELE 2", "+OK");
	guest_asks(&g, "DELE 5", "+OK");
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	assert_int_equal(service_count(), 3);
	assert_true(service_seen(0));
	assert_false(service_seen(1));
	guest_leave(&g);
	service_until(service_empty);
	serve_counts(service.serve, &c);
	assert_int_equal(c.deleted, 2);
	assert_int_equal(c.messages, 2);
	assert_true(c.octets > 100);
	service_end();
}

static void a_quit_that_fails_says_so([[maybe_unused]] void **state)
{
	begin(3);
	service_open(2);
	guest_enters(&g, "clear");
	guest_asks(&g, "DELE 1", "+OK");
	service.no_box = true;
	guest_asks(&g, "QUIT", "-ERR [SYS/TEMP]");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	service.no_box = false;
	assert_int_equal(service_count(), 3);
	guest_enters(&g, "clear");
	guest_asks(&g, "STAT", "+OK 3");
	guest_asks(&g, "DELE 1", "+OK");
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	assert_int_equal(service_count(), 2);
	service_end();
}

/* RETR made it \Seen, however the session ended; nothing is removed. */
static void a_dropped_session_removes_nothing([[maybe_unused]] void **state)
{
	begin(3);
	service_open(2);
	guest_enters(&g, "clear");
	retr(&g, "2");
	guest_asks(&g, "DELE 2", "+OK");
	guest_asks(&g, "DELE 1", "+OK");
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 3);
	assert_false(service_seen(0));
	assert_true(service_seen(1));
	service_end();
}

static void seen_is_an_option([[maybe_unused]] void **state)
{
	begin(3);
	service.pop3.after_retr_seen = false;
	service_open(2);
	guest_enters(&g, "clear");
	retr(&g, "1");
	guest_asks(&g, "QUIT", "+OK");
	guest_leave(&g);
	guest_enters(&g, "clear");
	retr(&g, "2");
	guest_asks(&g, "DELE 3", "+OK");
	guest_asks(&g, "QUIT", "+OK");
	guest_leave(&g);
	guest_enters(&g, "clear");
	retr(&g, "2");
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 2);
	assert_false(service_seen(0));
	assert_false(service_seen(1));
	service_end();
}

/* What was read whole was read, also when the same message breaks off later. */
static void half_a_message_takes_nothing_back([[maybe_unused]] void **state)
{
	begin(0);
	put_large();
	put_large();
	service_open(2);
	guest_enters(&g, "clear");
	retr(&g, "1");
	guest_asks(&g, "RETR 1", "+OK");
	guest_leave(&g);
	service_until(service_empty);
	assert_true(service_seen(0));
	guest_enters(&g, "clear");
	guest_asks(&g, "RETR 2", "+OK");
	guest_leave(&g);
	service_until(service_empty);
	assert_false(service_seen(1));
	service_end();
}

static bool closed(void)
{
	struct serve_session row;

	return serve_each_session(service.serve, 0, &row, 1) == 0;
}

static bool asked(void)
{
	return commits_waiting(service.workers[0]->commits) > 0;
}

/* QUIT was said: what comes of it does not depend on who hears the answer. */
static void who_leaves_while_the_commit_is_under_way([[maybe_unused]] void **state)
{
	begin(3);
	service_open(1);
	guest_enters(&g, "clear");
	guest_asks(&g, "DELE 1", "+OK");
	service_hold_home(true);
	guest_say(&g, "QUIT");
	service_until(asked);
	(void)setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	guest_leave(&g);
	service_hold_home(false);
	service_until(service_empty);
	assert_int_equal(service_count(), 2);
	guest_enters(&g, "clear");
	retr(&g, "1");
	service_hold_home(true);
	guest_leave(&g);
	service_until(closed);		/* it waits for its commit, without a connection */
	assert_int_equal(service_sessions(), 1);
	service_hold_home(false);
	service_until(service_empty);
	assert_true(service_seen(0));
	service_end();
}

/* The loops end before the answer: it was asked for, and may be durable. */
static void the_service_ends_while_the_commit_is_under_way([[maybe_unused]] void **state)
{
	begin(3);
	service_open(2);
	guest_enters(&g, "clear");
	retr(&g, "1");
	service_hold_home(true);
	guest_leave(&g);
	service_until(closed);
	service_close();
	assert_int_equal(service_count(), 3);
	service_end();
}

/* ---- time */

static void a_login_has_its_time([[maybe_unused]] void **state)
{
	static const char *const doors[] = { "clear", "tls" };

	begin(0);
	service.pop3.login_timeout_ms = 1000;
	service_open(2);
	for (size_t n = 0; n < COUNT(doors); n++) {
		guest_greets(&g, doors[n]);
		guest_hears_end(&g);
		guest_leave(&g);
	}
	guest_greets(&g, "clear");	/* words do not make it longer */
	for (bool over = false; !over;) {
		over = send(g.fd, "NOOP\r\n", 6, MSG_NOSIGNAL) < 0 || !guest_line(&g);
		if (!over)
			assert_memory_equal(g.line, "-ERR", 4);
		(void)nanosleep(&(struct timespec){ .tv_nsec = 120000000 }, NULL);
	}
	guest_leave(&g);
	guest_call(&g, "clear");
	guest_hears(&g, "+OK");
	guest_asks(&g, "STLS", "+OK");	/* and no handshake */
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	service_end();
}

static void who_is_idle_for_long_goes([[maybe_unused]] void **state)
{
	begin(1);
	service.pop3.idle_timeout_ms = 300;
	service_open(2);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\nRETR 1\r\nDELE 1\r\n"));
	for (unsigned n = 0; n < 6; n++)
		guest_hears(&g, n == 3 ? "1" : n == 4 ? "." : "+OK");
	guest_hears_end(&g);		/* without a word: RFC 1939 section 3 */
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	assert_true(service_seen(0));
	service_end();
}

static void who_reads_nothing_goes([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	begin(0);
	put_large();
	service.pop3.idle_timeout_ms = 300;
	service_open(2);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\nRETR 1\r\n"));
	service_until(service_empty);
	assert_false(guest_body(&g, &t));
	free(t.at);
	guest_leave(&g);
	assert_false(service_seen(0));
	service_end();
}

static void sweep(struct worker *w, void *user)
{
	for (unsigned n = 0; n < *(unsigned *)user; n++)
		if (w->all)
			session_sweep(w->all, w->all->began_ms);
}

static void ends(struct worker *w, void *user)
{
	*(bool *)user = w->all->closing;
}

static bool read_some(struct guest *who, size_t octets)
{
	char at[4096];

	for (size_t n = 0; n < octets;) {
		ssize_t got = recv(who->fd, at, octets - n < sizeof at ? octets - n : sizeof at, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

/* Rounds are seconds: a few KiB a minute are enough to stay, none are not. */
static void who_reads_slowly_stays([[maybe_unused]] void **state)
{
	unsigned rounds = 30;
	bool ending = true;

	begin(0);
	put(30000);
	service_open(1);
	g.room = 8192;
	guest_enters(&g, "clear");
	for (unsigned n = 0; n < 100; n++)
		guest_say(&g, "RETR 1");
	for (unsigned n = 0; n < 8; n++) {
		service_on_worker(0, sweep, &rounds);
		assert_true(read_some(&g, 10000));
	}
	service_on_worker(0, ends, &ending);
	assert_false(ending);
	rounds = 120;
	service_on_worker(0, sweep, &rounds);
	service_on_worker(0, ends, &ending);
	assert_true(ending);
	while (read_some(&g, 1))
		;
	service_until(service_empty);
	guest_leave(&g);
	g.room = 0;
	service_end();
}

/* ---- the service stops */

static void stop([[maybe_unused]] void *user)
{
	serve_stop(service.serve);
}

static void a_message_under_way_gets_to_its_end([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	begin(1);
	put_large();
	service_open(2);
	guest_enters(&g, "clear");
	guest_enters(&other, "clear");
	guest_send(&g, SPAN("RETR 2\r\nDELE 1\r\n"));
	guest_hears(&g, "+OK");
	service_on_home(stop, NULL);
	guest_hears_end(&other);
	guest_leave(&other);
	assert_true(guest_body(&g, &t));
	assert_int_equal(t.len, LARGE + 5);
	guest_hears(&g, "-ERR [SYS/TEMP]");
	guest_hears_end(&g);
	guest_leave(&g);
	free(t.at);
	service_until(service_empty);
	assert_int_equal(service_count(), 2);
	assert_true(service_seen(1));
	service_end();
}

/* Who says nothing more is not waited for. */
static void behind_its_message_a_session_ends([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	begin(0);
	put_large();
	service_open(2);
	guest_enters(&g, "tls");
	guest_asks(&g, "RETR 1", "+OK");
	service_on_home(stop, NULL);
	assert_true(guest_body(&g, &t));
	assert_int_equal(t.len, LARGE + 5);
	guest_hears_end(&g);
	guest_leave(&g);
	free(t.at);
	service_until(service_empty);
	assert_true(service_seen(0));
	service_end();
}

static void stop_held([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
	serve_stop(service.serve);
}

static void a_quit_under_way_is_answered([[maybe_unused]] void **state)
{
	begin(2);
	service_open(1);
	guest_enters(&g, "clear");
	guest_asks(&g, "DELE 1", "+OK");
	service_hold_home(true);
	guest_say(&g, "QUIT");
	service_until(asked);
	assert_true(loops_post(service.home_thread, 0, stop_held, NULL));	/* before the commit's turn comes, or after */
	service_hold_home(false);
	guest_hears(&g, "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quit_removes_and_the_others_stay),
		cmocka_unit_test(a_quit_that_fails_says_so),
		cmocka_unit_test(a_dropped_session_removes_nothing),
		cmocka_unit_test(seen_is_an_option),
		cmocka_unit_test(half_a_message_takes_nothing_back),
		cmocka_unit_test(who_leaves_while_the_commit_is_under_way),
		cmocka_unit_test(the_service_ends_while_the_commit_is_under_way),
		cmocka_unit_test(a_login_has_its_time),
		cmocka_unit_test(who_is_idle_for_long_goes),
		cmocka_unit_test(who_reads_nothing_goes),
		cmocka_unit_test(who_reads_slowly_stays),
		cmocka_unit_test(a_message_under_way_gets_to_its_end),
		cmocka_unit_test(behind_its_message_a_session_ends),
		cmocka_unit_test(a_quit_under_way_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
