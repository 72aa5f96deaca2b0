/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include "net/listener.h"
#include "serve/session.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/domain.h"

static struct guest g, other;
static bool done;
static struct err why;

static void begin(void)
{
	service_make();
	service_put(SPAN("Subject: one\r\n\r\none\r\n"));
}

static void stop([[maybe_unused]] void *user)
{
	serve_stop(service.serve);
}

static void start([[maybe_unused]] void *user)
{
	done = serve_start(service.serve, &why);
}

static void reload([[maybe_unused]] void *user)
{
	done = serve_reload(service.serve, &service.settings, &why);
}

static void must_reload(void)
{
	service_on_home(reload, NULL);
	if (!done)
		fail_msg("%s", why.text);
}

/* ---- start, stop, start */

static void it_stops_and_starts_again([[maybe_unused]] void **state)
{
	uint16_t port;

	begin();
	service_open(2);
	assert_true(serve_running(service.serve));
	service_on_home(start, NULL);		/* it runs: nothing to do */
	assert_true(done);
	guest_enters(&g, "clear");
	port = serve_port(service.serve, "clear");
	assert_int_not_equal(port, 0);
	assert_int_equal(serve_port(service.serve, "none"), 0);
	service_on_home(stop, NULL);
	assert_false(serve_running(service.serve));
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	guest_hears_end(&g);
	guest_leave(&g);
	service_on_home(stop, NULL);
	service_on_home(start, NULL);
	assert_true(done);
	guest_enters(&g, "tls");
	guest_asks(&g, "STAT", "+OK 1 ");
	guest_leave(&g);
	service_until(service_empty);
	service_end();
}

static void every_address_or_none([[maybe_unused]] void **state)
{
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.2" }, &why);

	assert_true(fd >= 0);
	begin();
	service_open(1);
	service_on_home(stop, NULL);
	service.listeners[1].port = listen_port(fd);
	must_reload();				/* stopped: nothing is opened yet */
	service_on_home(start, NULL);
	assert_false(done);
	assert_non_null(strstr(why.text, "pop3: listen tls: "));
	assert_false(serve_running(service.serve));
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	(void)close(fd);
	service_on_home(start, NULL);
	assert_true(done);
	guest_enters(&g, "tls");
	guest_leave(&g);
	service_end();
}

static void nobody_may_come_in_where_it_is_off([[maybe_unused]] void **state)
{
	begin();
	service.pop3.max_sessions = 0;
	service_open(1);
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	service.pop3.max_sessions = 5;
	must_reload();
	guest_enters(&g, "clear");
	service.pop3.max_sessions = 0;
	must_reload();
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	guest_asks(&g, "NOOP", "+OK");
	guest_leave(&g);
	service_end();
}

/* ---- reload */

static void sessions_go_on_under_what_they_began_with([[maybe_unused]] void **state)
{
	uint16_t port;

	begin();
	service_open(2);
	guest_enters(&g, "clear");
	guest_greets(&other, "clear");
	port = serve_port(service.serve, "clear");
	service.pop3.greeting = "another one";
	service.pop3.after_retr_seen = false;
	service.listeners[0].tls = POP3_TLS_NONE;
	service.listeners[0].name = "renamed";
	must_reload();
	assert_int_equal(serve_port(service.serve, "renamed"), port);
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	guest_asks(&other, "STLS", "+OK");
	guest_secure(&other);
	guest_asks(&other, "CAPA", "+OK");
	guest_leave(&other);
	guest_asks(&g, "RETR 1", "+OK");
	guest_leave(&g);
	service_until(service_empty);
	assert_true(service_seen(0));
	guest_call(&g, "renamed");
	guest_hears(&g, "+OK another one");
	guest_asks(&g, "STLS", "-ERR");
	guest_leave(&g);
	service_end();
}

/* A bare name is one of the domain that is the main one when its session begins. */
static void the_main_domain_changes([[maybe_unused]] void **state)
{
	begin();
	must(domain_add(service.store, "two.example", &fixture_err));
	must(account_add(service.store, "eve@two.example", SPAN("geheim"), 0, &fixture_err));
	service_open(2);
	guest_greets(&other, "clear");
	guest_greets(&g, "clear");
	guest_asks(&g, "USER eve", "+OK");
	guest_asks(&g, "PASS geheim", "-ERR");
	guest_leave(&g);
	service.settings.main_domain = "two.example";
	must_reload();
	guest_greets(&g, "clear");
	guest_asks(&g, "USER eve", "+OK");
	guest_asks(&g, "PASS geheim", "+OK");
	guest_leave(&g);
	guest_asks(&other, "USER eve", "+OK");
	guest_asks(&other, "PASS geheim", "-ERR");
	guest_leave(&other);
	service_end();
}

static void addresses_come_and_go([[maybe_unused]] void **state)
{
	begin();
	service.listeners[2] = (struct pop3_listener){ .name = "third", .address = "127.0.0.3", .allow_cleartext = true };
	service_open(2);
	guest_enters(&g, "clear");
	service.listeners[0] = service.listeners[2];
	service.listeners[2] = (struct pop3_listener){ 0 };
	must_reload();
	assert_int_equal(serve_port(service.serve, "clear"), 0);
	assert_int_not_equal(serve_port(service.serve, "tls"), 0);
	guest_enters(&other, "third");
	guest_leave(&other);
	guest_asks(&g, "NOOP", "+OK");		/* its address is closed, it is not */
	guest_leave(&g);
	service.pop3.listener_count = 1;
	must_reload();
	assert_int_equal(serve_port(service.serve, "tls"), 0);
	service.pop3.listener_count = 2;
	must_reload();
	guest_enters(&g, "tls");
	guest_leave(&g);
	service_end();
}

/* By its common name. */
static void shows(const char *name)
{
	X509 *x;
	char text[64] = "";

	guest_greets(&g, "tls");
	x = SSL_get1_peer_certificate(g.ssl);
	assert_non_null(x);
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof text);
	X509_free(x);
	assert_string_equal(text, name);
	guest_leave(&g);
}

static void a_certificate_is_replaced([[maybe_unused]] void **state)
{
	struct pki next;

	begin();
	service_open(2);
	shows("first");
	guest_enters(&other, "tls");
	pki_make(&next, &(struct pki_wish){ .name = "second", .issuer = &service.authority });
	pki_write(service.certificate, 0600, &(struct pki_file){ .certs = { next.cert }, .key = next.key });
	pki_free(&next);
	must_reload();
	shows("second");
	guest_asks(&other, "NOOP", "+OK");
	guest_leave(&other);
	service_end();
}

static void all_is_as_before(uint16_t port)
{
	service_on_home(reload, NULL);
	assert_false(done);
	assert_int_equal(serve_port(service.serve, "clear"), port);
	assert_int_equal(serve_port(service.serve, "third"), 0);
	guest_asks(&other, "NOOP", "+OK");
	guest_call(&g, "clear");
	guest_hears(&g, "+OK ready");
	guest_leave(&g);
	shows("first");
}

static void a_reload_that_fails_changes_nothing([[maybe_unused]] void **state)
{
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.4" }, &why);
	uint16_t port;

	assert_true(fd >= 0);
	begin();
	service_open(2);
	guest_enters(&other, "clear");
	port = serve_port(service.serve, "clear");
	service.pop3.greeting = "not this one";
	service.listeners[2] = service.listeners[1];
	service.listeners[1] = (struct pop3_listener){ .name = "third", .address = "127.0.0.3" };
	service.pop3.listener_count = 3;
	service.pop3.certificate = "/nonexistent/postrider/certificate.pem";
	all_is_as_before(port);
	assert_int_equal(why.kind, ERR_CONFIG);
	service.pop3.certificate = service.certificate;
	service.listeners[2] = (struct pop3_listener){ .name = "taken", .address = "127.0.0.4", .port = listen_port(fd) };
	service.listeners[0].address = "127.0.0.1";
	service_on_home(reload, NULL);
	assert_false(done);
	assert_non_null(strstr(why.text, "pop3: listen taken: "));
	assert_int_equal(serve_port(service.serve, "third"), 0);
	assert_int_not_equal(serve_port(service.serve, "tls"), 0);
	guest_call(&g, "clear");
	guest_hears(&g, "+OK ready");
	guest_leave(&g);
	guest_asks(&other, "NOOP", "+OK");
	guest_leave(&other);
	(void)close(fd);
	service_end();
}

/* ---- what others ask */

static void sessions_are_listed_and_counted([[maybe_unused]] void **state)
{
	struct serve_session rows[4];
	struct serve_counts c;

	begin();
	service_open(2);
	assert_int_equal(serve_each_session(service.serve, 0, rows, COUNT(rows)), 0);
	guest_enters(&g, "tls");
	guest_asks(&g, "RETR 1", "+OK");
	guest_greets(&other, "clear");
	guest_asks(&other, "USER bob", "+OK");
	guest_asks(&other, "PASS wrong", "-ERR");
	assert_int_equal(serve_each_session(service.serve, 0, rows, COUNT(rows)), 2);
	assert_true(rows[0].id > 0 && rows[1].id > rows[0].id);
	assert_string_equal(rows[0].account, "bob");
	assert_string_equal(rows[0].listener, "tls");
	assert_true(rows[0].tls && !rows[1].tls);
	assert_int_equal(rows[0].messages, 1);
	assert_true(rows[0].octets > 20);
	assert_string_equal(rows[1].account, "");
	assert_string_equal(rows[1].listener, "clear");
	assert_memory_equal(rows[1].peer, "127.0.0.1:", 10);
	assert_int_equal(serve_each_session(service.serve, 0, rows + 2, 1), 1);
	assert_int_equal(rows[2].id, rows[0].id);
	assert_int_equal(serve_each_session(service.serve, rows[0].id, rows + 2, 2), 1);
	assert_int_equal(rows[2].id, rows[1].id);
	assert_int_equal(serve_each_session(service.serve, rows[1].id, rows + 2, 2), 0);
	serve_counts(service.serve, &c);
	assert_int_equal(c.sessions_now, 2);
	assert_int_equal(c.logged_in_now, 1);
	assert_int_equal(c.connections, 2);
	assert_int_equal(c.logins, 1);
	assert_int_equal(c.failed_logins, 1);
	assert_int_equal(c.messages, 1);
	guest_leave(&g);
	guest_leave(&other);
	service_until(service_empty);
	serve_counts(service.serve, &c);
	assert_int_equal(c.logged_in_now, 0);
	assert_int_equal(c.connections, 2);
	assert_true(c.octets > 100);
	service_end();
}

/* ---- the end */

static void it_ends_with_sessions_left([[maybe_unused]] void **state)
{
	struct guest more[4] = { 0 };

	begin();
	service_open(2);
	guest_enters(&g, "clear");
	guest_enters(&other, "tls");
	guest_greets(&more[0], "clear");
	guest_send(&more[0], SPAN("USER nobody\r\nPASS x\r\n"));	/* a hash is under way, or a wait */
	guest_greets(&more[1], "clear");
	guest_asks(&more[1], "AUTH SCRAM-SHA-256", "+ ");
	guest_greets(&more[2], "clear");
	guest_asks(&more[2], "STLS", "+OK");
	guest_greets(&more[3], "clear");
	guest_send(&more[3], SPAN("CAP"));		/* half a command is kept */
	service_close();
	for (size_t n = 0; n < COUNT(more); n++)
		guest_leave(&more[n]);
	guest_leave(&g);
	guest_leave(&other);
	service_end();
}

static void drain([[maybe_unused]] void *user)
{
	serve_stop(service.serve);
	loops_drain(service.loops);
	loops_join(service.loops);
}

/* The loops end by themselves when the sessions have. */
static void the_loops_drain([[maybe_unused]] void **state)
{
	begin();
	service_open(2);
	guest_enters(&g, "clear");
	guest_enters(&other, "tls");
	guest_asks(&g, "RETR 1", "+OK");
	guest_leave(&g);
	guest_leave(&other);
	service_until(service_empty);
	service_on_home(drain, NULL);
	assert_int_equal(service_sessions(), 0);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stops_and_starts_again),
		cmocka_unit_test(every_address_or_none),
		cmocka_unit_test(nobody_may_come_in_where_it_is_off),
		cmocka_unit_test(sessions_go_on_under_what_they_began_with),
		cmocka_unit_test(the_main_domain_changes),
		cmocka_unit_test(addresses_come_and_go),
		cmocka_unit_test(a_certificate_is_replaced),
		cmocka_unit_test(a_reload_that_fails_changes_nothing),
		cmocka_unit_test(sessions_are_listed_and_counted),
		cmocka_unit_test(it_ends_with_sessions_left),
		cmocka_unit_test(the_loops_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
