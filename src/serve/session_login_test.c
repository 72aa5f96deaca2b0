/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sys/socket.h>

#include "serve/session.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"

static struct guest g, other;

static void must_prove(const char *door, enum sasl_mech mech)
{
	guest_greets(&g, door);
	if (!guest_proves(&g, mech, "geheim"))
		fail_msg("%s at %s: %s", sasl_mech_name(mech), door, g.line);
	guest_asks(&g, "STAT", "+OK");
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
}

static void every_mechanism_once([[maybe_unused]] void **state)
{
	static const enum sasl_mech clear[] = { SASL_APOP, SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_1, SASL_SCRAM_SHA_256 };
	static const enum sasl_mech tls[] = { SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_PLAIN, SASL_APOP };

	service_make();
	service_open(2);
	for (size_t n = 0; n < COUNT(clear); n++)
		must_prove("clear", clear[n]);
	for (size_t n = 0; n < COUNT(tls); n++)
		must_prove("tls", tls[n]);
	g.pki = &service.client;
	must_prove("tls", SASL_EXTERNAL);
	g.pki = NULL;
	service_end();
}

static void what_is_wrong_is_refused([[maybe_unused]] void **state)
{
	static const enum sasl_mech mechs[] = { SASL_APOP, SASL_PLAIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_256 };

	service_make();
	service_open(2);
	guest_greets(&g, "clear");
	for (size_t n = 0; n < COUNT(mechs); n++) {
		assert_false(guest_proves(&g, mechs[n], "wrong"));
		assert_memory_equal(g.line, "-ERR [AUTH]", 11);
	}
	guest_asks(&g, "AUTH PLAIN =", "-ERR");
	guest_asks(&g, "AUTH EXTERNAL", "-ERR");
	guest_asks(&g, "AUTH CRAM-MD5", "+ ");
	guest_asks(&g, "*", "-ERR");
	assert_true(guest_proves(&g, SASL_CRAM_MD5, "geheim"));
	guest_leave(&g);
	guest_greets(&g, "tls");	/* without a certificate it is not offered */
	guest_asks(&g, "AUTH EXTERNAL Ym9i", "-ERR");
	guest_leave(&g);
	service_end();
}

/* "y": it could bind, and has seen no -PLUS.  Where there is one somebody took it out of the list. */
static void a_client_that_could_bind([[maybe_unused]] void **state)
{
	static const char first[] = "AUTH SCRAM-SHA-256 eSwsbj1ib2Iscj1hYmNkZWZnaA==";	/* y,,n=bob,r=abcdefgh */

	for (unsigned plus = 0; plus < 2; plus++) {
		service_make();
		service.pop3.mechanisms = 1U << SASL_SCRAM_SHA_256 | plus << SASL_SCRAM_SHA_256_PLUS | 1U << SASL_SCRAM_SHA_1_PLUS;
		service_open(1);
		guest_greets(&g, "tls");
		guest_asks(&g, first, plus ? "-ERR" : "+ ");
		guest_leave(&g);
		guest_greets(&g, "clear");
		guest_asks(&g, first, "+ ");
		guest_leave(&g);
		service_end();
	}
}

static void where_nothing_can_be_bound_to([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	service_make();
	service_open(1);
	g.options = SSL_OP_NO_TLSv1_3 | SSL_OP_NO_EXTENDED_MASTER_SECRET;
	guest_greets(&g, "tls");
	guest_asks(&g, "CAPA", "+OK");
	assert_true(guest_body(&g, &t));
	assert_non_null(strstr(t.at, " SCRAM-SHA-256"));
	assert_null(strstr(t.at, "-PLUS"));
	free(t.at);
	assert_true(guest_proves(&g, SASL_SCRAM_SHA_256, "geheim"));
	guest_leave(&g);
	g.options = 0;
	service_end();
}

static void clear_passwords_want_tls([[maybe_unused]] void **state)
{
	service_make();
	service.listeners[0].allow_cleartext = false;
	service_open(1);
	guest_greets(&g, "clear");
	guest_asks(&g, "USER bob", "-ERR");
	guest_asks(&g, "AUTH PLAIN", "-ERR");
	assert_true(guest_proves(&g, SASL_SCRAM_SHA_256, "geheim"));
	guest_leave(&g);
	guest_greets(&g, "clear");
	guest_asks(&g, "STLS", "+OK");
	guest_secure(&g);
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS geheim", "+OK");
	guest_leave(&g);
	service_end();
}

/* ---- large maildrops */

static void fill(size_t count)
{
	service_make();
	fixture_fill(service.store, fixture_box(service.store, "bob/INBOX"), count);
}

static void a_large_maildrop_is_opened_in_a_job([[maybe_unused]] void **state)
{
	fill(1001);
	service_open(1);
	service.hold_open = true;
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\nSTAT\r\n"));
	service_until(service_holding);
	guest_greets(&other, "clear");	/* the loop is free */
	guest_asks(&other, "USER bob", "+OK");
	guest_leave(&other);
	service.hold_open = false;
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK 1001 messages");
	guest_hears(&g, "+OK 1001 ");
	guest_asks(&g, "RETR 1001", "+OK 6 octets");
	guest_leave(&g);
	service_end();
}

static void who_leaves_while_it_is_opened([[maybe_unused]] void **state)
{
	struct serve_counts c;
	struct serve_session rows[2];

	fill(1001);
	service.pop3.login_timeout_ms = 300;
	service_open(1);
	service.hold_open = true;
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\n"));
	service_until(service_holding);
	assert_int_equal(serve_each_session(service.serve, 0, rows, COUNT(rows)), 1);
	(void)setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	guest_leave(&g);
	service.hold_open = false;
	service_until(service_empty);
	serve_counts(service.serve, &c);
	assert_int_equal(c.logged_in_now, 0);
	guest_enters(&g, "clear");
	serve_counts(service.serve, &c);
	assert_int_equal(c.logged_in_now, 1);
	guest_leave(&g);
	service_end();
}

static void is_evicted(struct worker *w, [[maybe_unused]] void *user)
{
	assert_true(worker_evict(w));
}

/* It is told to go while its job is under way. */
static void who_is_sent_away_while_it_is_opened([[maybe_unused]] void **state)
{
	struct serve_counts c;

	fill(1001);
	service_open(1);
	service.hold_open = true;
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\n"));
	service_until(service_holding);
	service_on_worker(0, is_evicted, NULL);
	guest_hears(&g, "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service.hold_open = false;
	service_until(service_empty);
	serve_counts(service.serve, &c);
	assert_int_equal(c.logged_in_now, 0);
	assert_int_equal(c.logins, 0);
	service_end();
}

static void the_service_ends_while_it_is_opened([[maybe_unused]] void **state)
{
	fill(1001);
	service_open(1);
	service.hold_open = true;
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\n"));
	service_until(service_holding);
	service_close();
	guest_leave(&g);
	service_end();
}

/* ---- admission, from the session's side */

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	(void)closedir(d);
	return count;
}

static void the_oldest_stranger_makes_room([[maybe_unused]] void **state)
{
	struct serve_counts c;

	service_make();
	service.pop3.max_sessions = 2;
	service_open(1);
	guest_greets(&g, "clear");
	guest_enters(&other, "clear");
	{
		struct guest third = { 0 }, fourth = { 0 };
		unsigned before = open_files();

		guest_greets(&third, "clear");
		assert_int_equal(open_files(), before + 1);	/* ours: the room of the first one is free, though it does not close */
		guest_hears_end(&g);
		guest_asks(&third, "USER bob", "+OK");
		guest_asks(&third, "PASS geheim", "+OK");
		guest_call(&fourth, "clear");		/* all are logged in */
		guest_hears(&fourth, "-ERR [SYS/TEMP]");
		guest_hears_end(&fourth);
		guest_leave(&fourth);
		guest_asks(&other, "NOOP", "+OK");
		guest_leave(&third);
	}
	serve_counts(service.serve, &c);
	assert_int_equal(c.refused, 1);
	assert_int_equal(c.connections, 4);
	guest_leave(&g);
	guest_leave(&other);
	service_end();
}

static bool one_is_left(void)
{
	return service_sessions() == 1;
}

static void limits_of_address_and_user([[maybe_unused]] void **state)
{
	service_make();
	service.pop3.max_per_address = 2;
	service.pop3.max_per_user = 1;
	service_open(2);
	guest_enters(&g, "clear");
	guest_greets(&other, "clear");
	guest_asks(&other, "USER bob", "+OK");
	guest_asks(&other, "PASS geheim", "-ERR [SYS/TEMP]");
	{
		struct guest third = { 0 };

		guest_call(&third, "clear");
		guest_hears(&third, "-ERR [SYS/TEMP]");
		guest_hears_end(&third);
		guest_leave(&third);
	}
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(one_is_left);
	guest_asks(&other, "USER bob", "+OK");	/* it may stay and try again */
	guest_asks(&other, "PASS geheim", "+OK");
	guest_leave(&other);
	service_end();
}

static void one_at_a_time_where_it_is_exclusive([[maybe_unused]] void **state)
{
	service_make();
	service.pop3.exclusive = true;
	service_open(2);
	guest_enters(&g, "clear");
	guest_greets(&other, "clear");
	guest_asks(&other, "USER bob", "+OK");
	guest_asks(&other, "PASS geheim", "-ERR [IN-USE]");
	guest_leave(&other);
	guest_leave(&g);
	service_until(service_empty);
	guest_enters(&g, "clear");
	guest_leave(&g);
	service_end();
}

static void not_so_soon_again([[maybe_unused]] void **state)
{
	service_make();
	service.pop3.login_delay_s = 3600;
	service_open(2);
	guest_enters(&g, "clear");
	guest_leave(&g);
	guest_greets(&g, "clear");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS geheim", "-ERR [LOGIN-DELAY]");
	guest_leave(&g);
	service_end();
}

static void who_failed_too_often_is_blocked([[maybe_unused]] void **state)
{
	service_make();
	service.pop3.failed_limit = 2;
	service_open(2);
	guest_greets(&other, "clear");
	guest_greets(&g, "clear");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS wrong", "-ERR [AUTH]");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS wrong", "-ERR [AUTH]");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_call(&g, "clear");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_asks(&other, "USER bob", "+OK");	/* who is in stays in, but cannot log in */
	guest_asks(&other, "PASS geheim", "-ERR [AUTH]");
	guest_hears_end(&other);
	guest_leave(&other);
	service_end();
}

static void an_overlong_command_is_denied([[maybe_unused]] void **state)
{
	char line[700];

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\0';
	service_make();
	service_open(2);
	guest_greets(&g, "clear");
	guest_say(&g, line);
	guest_hears(&g, "-ERR");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_call(&g, "clear");
	guest_hears_end(&g);
	guest_leave(&g);
	service_end();
	service_make();
	service.pop3.overlong = POP3_DROP;
	service_open(2);
	guest_greets(&g, "clear");
	guest_say(&g, line);
	guest_hears(&g, "-ERR");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_greets(&g, "clear");
	guest_leave(&g);
	service_end();
}

/* What the log has while it goes to a file, in the service's own directory. */
static char log_path[128];

static void log_to_file(void)
{
	(void)snprintf(log_path, sizeof log_path, "%s/log", service.directory);
	must(log_start(LOG_INFO, LOG_TEXT, log_path, &fixture_err));
}

static size_t logged(const char *words)
{
	FILE *f = fopen(log_path, "re");
	char line[1024];
	size_t count = 0;

	must(log_start(LOG_INFO, LOG_TEXT, NULL, &fixture_err));
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		count += strstr(line, words) != NULL;
	(void)fclose(f);
	return count;
}

static const char *const proxies[] = { "127.0.0.0/8" };

static void behind_a_proxy_the_client_counts([[maybe_unused]] void **state)
{
	struct serve_session row;

	service_make();
	service.listeners[0].proxy = POP3_PROXY_V1;
	service.listeners[0].trusted = (struct texts){ .at = (const char **)(uintptr_t)proxies, .count = 1 };
	service.pop3.max_per_address = 1;
	service_open(2);
	log_to_file();
	guest_call(&g, "clear");
	guest_send(&g, SPAN("PROXY TCP4 192.0.2.1 192.0.2.9 4711 110\r\n"));
	guest_hears(&g, "+OK");
	assert_int_equal(serve_each_session(service.serve, 0, &row, 1), 1);
	assert_string_equal(row.peer, "192.0.2.1:4711");
	guest_call(&other, "clear");
	guest_send(&other, SPAN("PROXY TCP4 192.0.2.1 192.0.2.9 4712 110\r\n"));
	guest_hears(&other, "-ERR [SYS/TEMP]");
	guest_hears_end(&other);
	guest_leave(&other);
	guest_call(&other, "clear");
	guest_send(&other, SPAN("PROXY TCP4 192.0.2.2 192.0.2.9 4712 110\r\n"));
	guest_hears(&other, "+OK");
	guest_leave(&other);
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(logged("session over address="), 2);	/* who was refused had none */
	assert_int_equal(logged("refused address=192.0.2.1 reason=address-full"), 1);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_once),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(a_client_that_could_bind),
		cmocka_unit_test(where_nothing_can_be_bound_to),
		cmocka_unit_test(clear_passwords_want_tls),
		cmocka_unit_test(a_large_maildrop_is_opened_in_a_job),
		cmocka_unit_test(who_leaves_while_it_is_opened),
		cmocka_unit_test(who_is_sent_away_while_it_is_opened),
		cmocka_unit_test(the_service_ends_while_it_is_opened),
		cmocka_unit_test(the_oldest_stranger_makes_room),
		cmocka_unit_test(limits_of_address_and_user),
		cmocka_unit_test(one_at_a_time_where_it_is_exclusive),
		cmocka_unit_test(not_so_soon_again),
		cmocka_unit_test(who_failed_too_often_is_blocked),
		cmocka_unit_test(an_overlong_command_is_denied),
		cmocka_unit_test(behind_a_proxy_the_client_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
