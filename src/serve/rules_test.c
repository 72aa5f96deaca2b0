/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/rules.h"

#include "pop3/server.h"
#include "sasl/client.h"
#include "serve/fixture.h"
#include "store/fixture.h"
#include "wire/proxy.h"

static struct pop3_listener listeners[2];
static struct pop3_settings pop3;
static struct settings settings;
static struct tls_contexts *contexts;

static const uint32_t clear = 1U << SASL_PLAIN | 1U << SASL_LOGIN | 1U << SASL_USER,
	hidden = 1U << SASL_SCRAM_SHA_256 | 1U << SASL_CRAM_MD5 | 1U << SASL_APOP,
	bound = 1U << SASL_SCRAM_SHA_256_PLUS | 1U << SASL_EXTERNAL;

static void begin(void)
{
	listeners[0] = (struct pop3_listener){ .name = "one", .address = "127.0.0.1", .port = 110, .tls = POP3_TLS_STARTTLS };
	listeners[1] = (struct pop3_listener){ .name = "two", .address = "::", .port = 995, .tls = POP3_TLS_IMPLICIT, .allow_cleartext = true };
	pop3 = (struct pop3_settings){ .where = { .file = "x.conf", .line = 7 }, .listeners = listeners, .listener_count = 2,
		.max_sessions = 5, .mechanisms = clear | hidden | bound, .hide_version = true, .idle_timeout_ms = 1, .login_timeout_ms = 2 };
	settings = (struct settings){ .pop3 = &pop3 };
	contexts = tls_contexts_new(&fixture_err);
	must(contexts);
}

static struct rules *make(void)
{
	struct rules *r = rules_new(&settings, contexts, &fixture_err);

	must(r);
	return r;
}

static void end(struct rules *r)
{
	rules_put(&r);
	assert_null(r);
	tls_contexts_free(&contexts);
}

static void what_a_line_shows_decides_what_is_offered([[maybe_unused]] void **state)
{
	struct rules *r;

	begin();
	r = make();
	assert_int_equal(r->door_count, 2);
	assert_int_equal(r->doors[0].mechs, hidden);
	assert_int_equal(r->doors[0].mechs_tls, clear | hidden | bound);
	assert_int_equal(r->doors[1].mechs, clear | hidden);
	assert_int_equal(r->doors[1].mechs_tls, clear | hidden | bound);
	assert_null(r->tls);
	end(r);
}

static void nothing_is_borrowed([[maybe_unused]] void **state)
{
	static char name[] = "one", address[] = "127.0.0.1", greeting[] = "hello", domain[] = "x.example", network[] = "192.0.2.0/24";
	const char *trusted[] = { network };
	union address inside = fixture_address("192.0.2.77"), outside = fixture_address("192.0.3.1");
	struct rules *r, *other;

	begin();
	listeners[0].name = name;
	listeners[0].address = address;
	listeners[0].proxy = POP3_PROXY_V2;
	listeners[0].trusted = (struct texts){ .at = trusted, .count = 1 };
	pop3.greeting = greeting;
	settings.main_domain = domain;
	r = make();
	other = rules_keep(r);
	rules_put(&other);
	memset(name, 'x', sizeof name - 1);
	memset(address, 'x', sizeof address - 1);
	memset(greeting, 'x', sizeof greeting - 1);
	memset(domain, 'x', sizeof domain - 1);
	memset(network, 'x', sizeof network - 1);
	pop3 = (struct pop3_settings){ 0 };
	assert_string_equal(r->doors[0].name, "one");
	assert_string_equal(r->doors[0].address, "127.0.0.1");
	assert_int_equal(r->doors[0].port, 110);
	assert_int_equal(r->doors[0].proxy, PROXY_V2);
	assert_int_equal(r->doors[1].proxy, 0);
	assert_true(networks_have(r->doors[0].trusted, r->doors[0].trusted_count, &inside));
	assert_false(networks_have(r->doors[0].trusted, r->doors[0].trusted_count, &outside));
	assert_ptr_equal(r->doors[1].rules, r);
	assert_string_equal(r->greeting, "hello");
	assert_string_equal(r->main_domain, "x.example");
	assert_int_equal(r->idle_timeout_ms, 1);
	assert_int_equal(r->login_timeout_ms, 2);
	end(r);
}

static void the_version_is_told_only_where_it_may_be([[maybe_unused]] void **state)
{
	struct rules *r;

	begin();
	r = make();
	assert_string_equal(r->greeting, "ready");
	assert_null(r->implementation);
	rules_put(&r);
	pop3.hide_version = false;
	r = make();
	assert_string_equal(r->greeting, "Postrider " POSTRIDER_VERSION " ready");
	assert_string_equal(r->implementation, "Postrider-" POSTRIDER_VERSION);
	end(r);
}

static void a_greeting_fits_and_a_host_can_stand_in_a_stamp([[maybe_unused]] void **state)
{
	static char greeting[2 * POP3_GREETING_CHARACTERS + 1];
	struct rules *r;

	for (size_t n = 0; n < POP3_GREETING_CHARACTERS; n++)
		memcpy(greeting + 2 * n, "\xc3\xa9", 2);
	begin();
	pop3.greeting = greeting;
	r = make();
	assert_int_equal(strlen(r->greeting), P3D_GREETING_MAX);
	assert_true(r->host[0] && strlen(r->host) < P3D_GREETING_MAX / 2 - 50);
	assert_null(strpbrk(r->host, " <>@\r\n"));
	end(r);
}

static void a_certificate_that_cannot_be_read_is_told_with_its_place([[maybe_unused]] void **state)
{
	begin();
	pop3.certificate = "/nonexistent/postrider/certificate.pem";
	assert_null(rules_new(&settings, contexts, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_memory_equal(fixture_err.text, "x.conf:7: certificate: ", 23);
	tls_contexts_free(&contexts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_line_shows_decides_what_is_offered),
		cmocka_unit_test(nothing_is_borrowed),
		cmocka_unit_test(the_version_is_told_only_where_it_may_be),
		cmocka_unit_test(a_greeting_fits_and_a_host_can_stand_in_a_stamp),
		cmocka_unit_test(a_certificate_that_cannot_be_read_is_told_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
