/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/vault.h"

#define WRAP "\"wrap_base64\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""

static const struct row rows[] = {
	{ "secret.list", "{}", "{\"rows\":[]}" },
	{ "secret.export", "{" WRAP "}", "config: there are no secrets yet, and no key for them" },
	{ "secret.set", "{\"secret\":\"support\",\"value\":\"w\xc3\xb6rt\"}", "{\"secret\":\"support\"}" },
	{ "secret.set", "{\"secret\":\"raw\",\"value_base64\":\"Yf9i\"}", "{\"secret\":\"raw\"}" },
	{ "secret.set", "{\"secret\":\"raw\"}", "config: either value or value_base64" },
	{ "secret.set", "{\"secret\":\"raw\",\"value\":\"a\",\"value_base64\":\"YQ==\"}", "config: either value or value_base64" },
	{ "secret.set", "{\"secret\":\"raw\",\"value_base64\":\"YQ=\"}", "config: value_base64 is no base64, or too long" },
	{ "secret.set", "{\"secret\":\"raw\",\"value\":\"\"}", "config: a secret has 1 to 65536 octets" },
	{ "secret.set", "{\"secret\":\"\",\"value\":\"x\"}", "config: *1 to 134 octets*" },
	{ "secret.set", "{\"secret\":\"a\\u0007\",\"value\":\"x\"}", "config: *no control characters*" },
	{ "secret.set", "{\"secret\":\"oauth:box\",\"value\":\"x\"}", "config: *postrider oauth login*" },
	{ "secret.set", "{\"value\":\"hidden\"}", "config: secret.set: secret is missing*" },
	{ "secret.set", "{\"secret\":\"raw\",\"value\":[\"hidden\"]}", "config: secret.set: value is not a text" },
	{ "secret.get", "{\"secret\":\"raw\"}", "config: *no operation is called so*" },
	{ "secret.list", "{\"limit\":1}", "{\"rows\":[{\"secret\":\"raw\",\"set\":\"*Z\"}],\"next\":\"raw\"}" },
	{ "secret.list", "{\"after\":\"raw\"}", "{\"rows\":[{\"secret\":\"support\",\"set\":\"*Z\"}]}" },
	{ "secret.export", "{\"wrap_base64\":\"YQ==\"}", "config: wrap_base64 is no base64 of 32 octets" },
	{ "secret.export", "{" WRAP "}", "{\"wrapped_base64\":\"*\"}" },
	{ "secret.import", "{" WRAP ",\"wrapped_base64\":\"YQ==\"}", "config: wrapped_base64 is no base64 of 80 octets" },
	{ "secret.remove", "{\"secret\":\"support\"}", "{\"secret\":\"support\"}" },
	{ "secret.remove", "{\"secret\":\"support\"}", "config: there is no secret support" },
	{ "secret.list", "{}", "{\"rows\":[{\"secret\":\"raw\",*}]}" },
};

static void the_life_of_secrets(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void they_arrive_as_they_were(void **state)
{
	struct world *w = world(NULL);
	struct buf b;

	(void)state;
	asks_rows(w, rows, 4);
	buf_start(&b, 100);
	must(vault_get(w->store, "support", &b, &fixture_err));
	must(vault_get(w->store, "raw", &b, &fixture_err));
	assert_true(span_equal(buf_span(&b), SPAN("w\xc3\xb6rt" "a\xff" "b")));
	buf_wipe(&b);
	world_end(w);
}

/* Whatever is answered, no secret is in it. */
static void no_answer_has_a_secret(void **state)
{
	static const char *const calls[][2] = { { "secret.list", "{}" }, { "secret.export", "{" WRAP "}" }, { "secret.remove", "{\"secret\":\"box\"}" } };
	struct world *w = world(NULL);

	(void)state;
	asks(w, "secret.set", "{\"secret\":\"box\",\"value\":\"Geheimnis-4711\"}", "{\"secret\":\"box\"}");
	for (size_t n = 0; n < COUNT(calls); n++) {
		json_t *args = json_loads(calls[n][1], 0, NULL);
		struct api_call *c = api_ask(w->api, calls[n][0], args, &(struct api_asker){ .fd = -1 });
		char *said = json_dumps(api_reply(c), 0);

		assert_non_null(said);
		assert_null(strstr(said, "Geheim"));
		assert_null(strstr(said, "R2VoZWlt"));
		free(said);
		api_end(&c);
		json_decref(args);
	}
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_secrets), cmocka_unit_test(they_arrive_as_they_were), cmocka_unit_test(no_answer_has_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
