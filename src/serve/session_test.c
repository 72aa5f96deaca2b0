/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

#include <sys/socket.h>

#include "serve/test_guest.h"
#include "serve/test_service.h"

static struct guest g, other;

static void begin(size_t messages)
{
	service_make();
	for (size_t n = 1; n <= messages; n++) {
		char text[64];

		(void)snprintf(text, sizeof text, "Subject: %zu\r\n\r\n.hidden dot %zu\r\n", n, n);
		service_put(span_of(text));
	}
}

static void hears_body(const char *want)
{
	struct fixture_text t = { 0 };

	assert_true(guest_body(&g, &t));
	assert_string_equal(t.at, want);
	free(t.at);
}

static void a_whole_conversation([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	begin(3);
	service_open(2);
	guest_greets(&g, "clear");
	guest_asks(&g, "CAPA", "+OK");
	assert_true(guest_body(&g, &t));
	assert_non_null(strstr(t.at, "\r\nSTLS\r\n"));
	assert_non_null(strstr(t.at, "\r\nPIPELINING\r\n"));
	assert_null(strstr(t.at, "IMPLEMENTATION"));
	free(t.at);
	guest_asks(&g, "RETR 1", "-ERR");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS wrong", "-ERR [AUTH]");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS geheim", "+OK 3 messages");
	guest_asks(&g, "STAT", "+OK 3 87");
	guest_asks(&g, "LIST 2", "+OK 2 29");
	guest_asks(&g, "RETR 2", "+OK 29 octets");
	hears_body("Subject: 2\r\n\r\n..hidden dot 2\r\n.\r\n");
	guest_asks(&g, "TOP 3 0", "+OK");
	hears_body("Subject: 3\r\n\r\n.\r\n");
	guest_asks(&g, "RETR 4", "-ERR");
	guest_asks(&g, "DELE 1", "+OK");
	guest_asks(&g, "RETR 1", "-ERR");
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 2);
	assert_true(service_seen(0));
	assert_false(service_seen(1));
	service_end();
}

static void stls_forgets_and_protects([[maybe_unused]] void **state)
{
	begin(1);
	service_open(2);
	guest_greets(&g, "clear");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "STLS", "+OK");
	guest_secure(&g);
	guest_asks(&g, "PASS geheim", "-ERR");
	guest_asks(&g, "STLS", "-ERR");
	guest_asks(&g, "USER bob", "+OK");
	guest_asks(&g, "PASS geheim", "+OK");
	guest_asks(&g, "RETR 1", "+OK");
	hears_body("Subject: 1\r\n\r\n..hidden dot 1\r\n.\r\n");
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service_end();
}

/* Whatever somebody puts behind STLS in clear, none of it is done, and there is no TLS. */
static void what_is_injected_behind_stls_ends_it([[maybe_unused]] void **state)
{
	static const char *const rows[] = { "STLS\r\nUSER bob\r\n", "STLS\r\nUSE", "STLS\r\n\r\n", "NOOP\r\nSTLS\r\nQUIT\r\n" };

	begin(0);
	service_open(2);
	for (size_t n = 0; n < COUNT(rows); n++) {
		unsigned lines = 0;

		guest_greets(&g, "clear");
		guest_send(&g, span_of(rows[n]));
		while (guest_line(&g))
			lines++;
		assert_int_equal(lines, strstr(rows[n], "NOOP") ? 2 : 1);
		guest_leave(&g);
	}
	service_end();
}

/* The refusal of a login comes later, and STLS waits behind it: by then there is nobody to start TLS with. */
static void stls_of_a_client_that_is_gone([[maybe_unused]] void **state)
{
	begin(0);
	service_open(2);
	for (unsigned n = 0; n < 10; n++) {
		struct linger now = { 1, 0 };

		guest_greets(&g, "clear");
		guest_send(&g, SPAN("USER bob\r\nPASS wrong\r\nSTLS\r\n"));
		assert_int_equal(setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
		guest_leave(&g);
	}
	service_until(service_empty);
	guest_enters(&g, "clear");
	guest_leave(&g);
	service_end();
}

static void tls_on_a_clear_port_gets_a_hint([[maybe_unused]] void **state)
{
	begin(0);
	service_open(2);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
	guest_hears(&g, "-ERR this port speaks POP3 first, not TLS");
	guest_hears_end(&g);
	guest_leave(&g);
	guest_greets(&g, "clear");	/* no denial */
	guest_leave(&g);
	service_end();
}

/* ---- cut anywhere */

static const char talk[] = "CAPA\r\nUSER nobody\r\nPASS x\r\nAUTH PLAIN\r\nAGJvYgBnZWhlaW0=\r\nSTAT\r\nRETR 1\r\nTOP 2 0\r\nLIST\r\nUIDL 3\r\nRETR 9\r\nFOO\r\n"
	"DELE 2\r\nRSET\r\nRETR 3\r\nQUIT\r\n";

static void answers(size_t step, struct fixture_text *t)
{
	guest_greets(&g, "clear");
	for (size_t n = 0; n < sizeof talk - 1; n += step)
		guest_send(&g, (struct span){ talk + n, sizeof talk - 1 - n < step ? sizeof talk - 1 - n : step });
	guest_rest(&g, t);
	guest_leave(&g);
}

static void any_cut_has_the_same_answers([[maybe_unused]] void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 11, 64 };
	struct fixture_text whole = { 0 };

	begin(3);
	service_open(2);
	answers(sizeof talk, &whole);
	assert_non_null(strstr(whole.at, "..hidden dot 3\r\n.\r\n+OK\r\n"));
	for (size_t n = 0; n < COUNT(steps); n++) {
		struct fixture_text cut = { 0 };

		answers(steps[n], &cut);
		assert_string_equal(cut.at, whole.at);
		free(cut.at);
	}
	free(whole.at);
	service_end();
}

/* ---- pipelining */

/* More answers than sockets hold: the service must wait until they are read. */
enum { MANY = 10000, CAPAS = 5000 };

/* `count` times `line`, and `last`: in one piece. */
static void pipeline(const char *line, size_t count, const char *last)
{
	size_t len = strlen(line), more = strlen(last);
	char *all = malloc(count * len + more + 1);

	assert_non_null(all);
	for (size_t n = 0; n < count; n++)
		memcpy(all + n * len, line, len);
	memcpy(all + count * len, last, more);
	guest_send(&g, (struct span){ all, count * len + more });
	free(all);
}

static void hears_many(size_t count)
{
	for (size_t n = 0; n < count; n++) {
		guest_hears(&g, "+OK 29 octets");
		hears_body("Subject: 1\r\n\r\n..hidden dot 1\r\n.\r\n");
	}
}

static void ten_thousand_are_asked_for_at_once([[maybe_unused]] void **state)
{
	static const char *const doors[] = { "clear", "tls" };

	begin(1);
	service_open(2);
	for (size_t n = 0; n < COUNT(doors); n++) {
		guest_enters(&g, doors[n]);
		pipeline("RETR 1\r\n", MANY, "QUIT\r\n");
		guest_enters(&other, "clear");	/* who is not in the way of others */
		guest_asks(&other, "NOOP", "+OK");
		guest_leave(&other);
		hears_many(MANY);
		guest_hears(&g, "+OK");
		guest_hears_end(&g);
		guest_leave(&g);
	}
	service_end();
}

static void who_closes_its_half_gets_all_answers([[maybe_unused]] void **state)
{
	begin(2);
	service_open(2);
	guest_enters(&g, "clear");
	pipeline("RETR 1\r\n", MANY / 10, "DELE 2\r\nQUIT\r\n");
	assert_int_equal(shutdown(g.fd, SHUT_WR), 0);
	hears_many(MANY / 10);
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
	service_until(service_empty);
	assert_int_equal(service_count(), 1);
	service_end();
}

/* STLS comes out of what waited until the client read again. */
static void stls_waits_for_its_turn([[maybe_unused]] void **state)
{
	begin(0);
	service_open(1);
	guest_greets(&g, "clear");
	pipeline("CAPA\r\n", CAPAS, "STLS\r\n");
	for (size_t n = 0; n < CAPAS; n++) {
		struct fixture_text t = { 0 };

		guest_hears(&g, "+OK");
		assert_true(guest_body(&g, &t));
		free(t.at);
	}
	guest_hears(&g, "+OK");
	guest_secure(&g);
	guest_asks(&g, "CAPA", "+OK");
	guest_leave(&g);
	service_end();
}

static void commands_wait_behind_a_login([[maybe_unused]] void **state)
{
	begin(1);
	service_open(1);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS wrong\r\nUSER bob\r\nPASS geheim\r\nSTAT\r\n"));
	guest_hears(&g, "+OK");
	guest_hears(&g, "-ERR [AUTH]");
	guest_hears(&g, "+OK");
	guest_hears(&g, "+OK 1 messages");
	guest_hears(&g, "+OK 1 29");
	guest_leave(&g);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER nobody\r\nPASS wrong\r\nSTLS\r\n"));
	guest_hears(&g, "+OK");
	guest_hears(&g, "-ERR [AUTH]");
	guest_hears(&g, "+OK");
	guest_secure(&g);
	guest_asks(&g, "CAPA", "+OK");
	guest_leave(&g);
	service_end();
}

/* 400 characters are allowed, and each may be more than an octet. */
static void the_longest_greeting([[maybe_unused]] void **state)
{
	static char greeting[801];

	begin(0);
	for (size_t n = 0; n < 400; n++)
		memcpy(greeting + 2 * n, "\xc3\xa9", 2);
	service.pop3.greeting = greeting;
	service_open(1);
	guest_greets(&g, "clear");
	assert_true(strlen(g.line) <= P3D_REPLY_MAX - 2);
	guest_asks(&g, "USER bob", "+OK");
	guest_leave(&g);
	service_end();
}

static void what_a_session_costs([[maybe_unused]] void **state)
{
	print_message("struct session %zu + p3d %zu octets\n", sizeof(struct session), p3d_size());
	assert_true(sizeof(struct session) + p3d_size() <= 1024);	/* of the 4 KiB that an idle one may cost in all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_conversation),
		cmocka_unit_test(stls_forgets_and_protects),
		cmocka_unit_test(what_is_injected_behind_stls_ends_it),
		cmocka_unit_test(stls_of_a_client_that_is_gone),
		cmocka_unit_test(tls_on_a_clear_port_gets_a_hint),
		cmocka_unit_test(any_cut_has_the_same_answers),
		cmocka_unit_test(ten_thousand_are_asked_for_at_once),
		cmocka_unit_test(who_closes_its_half_gets_all_answers),
		cmocka_unit_test(stls_waits_for_its_turn),
		cmocka_unit_test(commands_wait_behind_a_login),
		cmocka_unit_test(the_longest_greeting),
		cmocka_unit_test(what_a_session_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
