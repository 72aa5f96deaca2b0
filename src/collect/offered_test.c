/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_world.h"
#include "net/certificate.h"
#include "net/certificate.h"
#include "net/test_pki.h"
#include "store/trust.h"

#define SIXTY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct pki self;
static SSL_CTX *ctx;

static void shows_its_certificate(struct server_peer *p, void *user)
{
	(void)user;
	if (peer_tls(p, ctx))
		(void)peer_say(p, "-ERR it was accepted\r\n");
}

static void speaks_in_clear(struct server_peer *p, void *user)
{
	(void)user;
	(void)peer_say(p, "+OK ready\r\n");
	peer_wait_end(p);
}

static void visit(struct world *w, void (*talk)(struct server_peer *p, void *user), const char *host)
{
	struct store_done done;
	struct server server;

	server_start(&server, strchr(host, ':') ? host : "127.0.0.1", talk, NULL);
	w->with.host = host;
	w->with.port = server.port;
	w->with.tls = (struct tls_keys){ .mode = MODE_IMPLICIT, .required = true, .verify_server = true, .verify_host = true,
		.verify_depth = 9, .versions = 1u << VERSION_TLS_1_2 | 1u << VERSION_TLS_1_3 };
	world_visit(w, VISIT_COLLECT);
	server_stop(&server);
	while (store_wait(w->store))
		while (store_next(w->store, &done))
			;
}

static void what_is_not_trusted_is_kept(void **state)
{
	struct world *w = *state;
	struct trust_entry entry;
	struct certificates all;
	struct arena a = { 0 };
	struct buf chain;
	char hint[100], pin[PKI_PIN_TEXT];
	struct err e;

	visit(w, shows_its_certificate, "localhost");
	assert_int_equal(w->result.why.kind, ERR_TLS);
	(void)snprintf(hint, sizeof hint, "; see `postrider trust show localhost:%u`", w->with.port);
	assert_string_equal(w->result.why.text + strlen(w->result.why.text) - strlen(hint), hint);
	assert_true(trust_get(w->store, "localhost", w->with.port, &entry));
	assert_int_equal(entry.times, 1);
	assert_int_equal(strncmp(entry.reason, "the certificate (somebody) is self-signed", 41), 0);
	assert_null(strstr(entry.reason, "trust show"));
	buf_start(&chain, TRUST_CHAIN_MAX);
	assert_true(trust_chain(w->store, entry.name, &chain, &e));
	assert_true(certificates_read(&a, buf_span(&chain), &all, &e));
	pki_pin(&self, pin);
	assert_string_equal(all.list[0].key_sha256, pin);
	arena_end(&a);
	buf_end(&chain);
}

static void an_address_is_shown_in_brackets(void **state)
{
	struct world *w = *state;
	struct trust_entry entry;
	char hint[100];

	visit(w, shows_its_certificate, "::1");
	(void)snprintf(hint, sizeof hint, "; see `postrider trust show [::1]:%u`", w->with.port);
	assert_non_null(strstr(w->result.why.text, hint));
	assert_true(trust_get(w->store, "::1", w->with.port, &entry));
}

static void technical_failures_offer_nothing(void **state)
{
	struct world *w = *state;
	struct trust_entry entry = { .name = "" };

	visit(w, speaks_in_clear, "localhost");
	assert_int_equal(w->result.why.kind, ERR_TLS);
	assert_null(strstr(w->result.why.text, "trust show"));
	assert_false(trust_each(w->store, &entry));
}

static void a_hint_is_whole_or_not_there(void **state)
{
	struct world *w = *state;
	struct trust_entry entry = { .name = "" };

	visit(w, shows_its_certificate, SIXTY "." SIXTY "." SIXTY ".localhost");
	assert_int_equal(w->result.why.kind, ERR_TLS);
	assert_null(strstr(w->result.why.text, "; see"));
	assert_true(trust_each(w->store, &entry));
	assert_int_equal(entry.port, w->with.port);
}

static int set_up(void **state)
{
	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "somebody", .names = "DNS:localhost" });
	ctx = pki_server(&self, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(ctx);
	pki_free(&self);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_not_trusted_is_kept),
		TEST(an_address_is_shown_in_brackets),
		TEST(technical_failures_offer_nothing),
		TEST(a_hint_is_whole_or_not_there),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
