/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/oauth.h"

#include "serve/fixture.h"
#include "store/fixture.h"
#include "store/vault.h"

#include <sys/stat.h>

static const char *directory;
static char path[128];

static void put(const char *name, const char *text)
{
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* "" when it is good, else the error. */
static const char *read_it(struct pop3_oauth o, bool there)
{
	const struct pop3_settings p = { .oauth = o };
	struct introspect_endpoint *endpoint = NULL;

	fixture_err = (struct err){ 0 };
	if (oauth_read(&p, NULL, &endpoint, &fixture_err)) {
		assert_true(oauth_check(&p, &fixture_err));
		assert_int_equal(endpoint != NULL, there);
		fixture_err.text[0] = '\0';
	} else {
		assert_null(endpoint);
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_false(oauth_check(&p, &fixture_err));
	}
	introspect_endpoint_free(&endpoint);
	return fixture_err.text;
}

static void what_it_needs([[maybe_unused]] void **state)
{
	struct pop3_oauth o = { .where = { "x.conf", 7 }, .introspection_url = "https://auth.example.org/introspect", .username_claim = "sub", .client_id = "me" };

	directory = fixture_directory();
	assert_string_equal(read_it((struct pop3_oauth){ 0 }, false), "");
	assert_string_equal(read_it(o, true), "");
	o.client_secret = (struct secret){ SECRET_LITERAL, "geheim" };
	assert_string_equal(read_it(o, true), "");
	put("secret", "geheim\n");
	o.client_secret = (struct secret){ SECRET_FILE, path };
	assert_string_equal(read_it(o, true), "");
	put("secret", "\n");
	assert_string_equal(read_it(o, true), "x.conf:7: pop3: oauth: client_secret: it is empty");
	put("secret", "ge\1heim");
	assert_string_equal(read_it(o, true), "x.conf:7: pop3: oauth: client_secret: control characters cannot stand in it");
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(read_it(o, true), "x.conf:7: pop3: oauth: client_secret: password file "));
	o.client_secret.kind = SECRET_NONE;
	o.ca_certificates = path;
	assert_non_null(strstr(read_it(o, true), "cannot be opened"));
	put("ca", "");
	o.ca_certificates = path;
	assert_string_equal(read_it(o, true), "");
	o.introspection_url = "http://auth.example.org/";
	assert_non_null(strstr(read_it(o, true), "x.conf:7: pop3: oauth: http:// shows tokens"));
	fixture_remove(directory);
}

static void the_secret_may_be_in_the_vault([[maybe_unused]] void **state)
{
	const struct pop3_settings p = { .oauth = { .where = { "x.conf", 7 }, .introspection_url = "https://auth.example.org/introspect",
		.username_claim = "sub", .client_id = "me", .client_secret = { SECRET_VAULT, "endpoint" } } };
	struct introspect_endpoint *endpoint;
	struct store *s;

	directory = fixture_directory();
	s = fixture_store(directory);
	must(oauth_check(&p, &fixture_err));		/* `check` has no store to ask */
	assert_false(oauth_read(&p, s, &endpoint, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "x.conf:7: pop3: oauth: client_secret: there is no secret endpoint"));
	must(vault_set(s, "endpoint", SPAN("geheim"), &fixture_err));
	must(oauth_read(&p, s, &endpoint, &fixture_err));
	introspect_endpoint_free(&endpoint);
	must(vault_set(s, "endpoint", SPAN("ge\1heim"), &fixture_err));
	assert_false(oauth_read(&p, s, &endpoint, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "control characters"));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_it_needs), cmocka_unit_test(the_secret_may_be_in_the_vault) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
