/* SPDX-License-Identifier: Apache-2.0
 *
 * Refresh tokens in a real vault; the issuer makes a new one each time. */
#include "collect/test_issuer.h"
#include "collect/tokens_vault.h"
#include "store/fixture.h"
#include "store/vault.h"

int64_t world_now;

#define ROTATED(n) "{\"access_token\":\"one\",\"refresh_token\":\"refresh-" #n "\",\"expires_in\":3600}"

static void over_a_store(struct token_world *w, struct store *s)
{
	tokens_free(&w->tokens);
	w->tokens = tokens_vault(w->loop, s, &fixture_err);
	assert_non_null(w->tokens);
}

static void rotated_in_the_vault(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, ROTATED(2) }, { "200 OK", NULL, ROTATED(3) } };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct token_world w;
	struct buf b;

	(void)state;
	must(vault_set(s, "oauth:box", SPAN("refresh-1"), &fixture_err));
	world_begin(&w, OAUTH_DEVICE, rows, 2);
	over_a_store(&w, s);
	assert_string_equal(world_one(&w)->token, "one");
	tokens_expired(w.tokens, "box", SPAN("one"));
	assert_string_equal(world_one(&w)->token, "one");
	assert_non_null(strstr(w.forms[0], "refresh_token=refresh-1&"));
	assert_non_null(strstr(w.forms[1], "refresh_token=refresh-2&"));
	buf_start(&b, VAULT_SECRET_MAX);
	must(vault_get(s, "oauth:box", &b, &fixture_err));
	assert_true(span_equal(buf_span(&b), SPAN("refresh-3")));
	buf_wipe(&b);
	world_end(&w);
	store_close(&s);
	fixture_remove(directory);
}

static void without_a_store(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, "{\"access_token\":\"one\"}" } };
	struct token_world w;
	const struct heard *h;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, NULL, 0);
	over_a_store(&w, NULL);
	h = world_one(&w);
	assert_int_equal(h->why.kind, ERR_CONFIG);
	assert_non_null(strstr(h->why.text, "the running instance has"));
	world_end(&w);
	world_begin(&w, OAUTH_CLIENT_CREDENTIALS, rows, 1);
	over_a_store(&w, NULL);
	assert_string_equal(world_one(&w)->token, "one");
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotated_in_the_vault),
		cmocka_unit_test(without_a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
