/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_issuer.h"

int64_t world_now;

#define TOKEN(name, life) "{\"access_token\":\"" name "\",\"token_type\":\"Bearer\",\"expires_in\":" #life "}"

static const struct issuer_row two[] = { { "200 OK", NULL, TOKEN("one", 3600) }, { "200 OK", NULL, TOKEN("two", 3600) } };

static void asked_once_and_kept(void **state)
{
	struct token_world w;
	struct tokens_shown shown;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, two, 1);
	for (int n = 0; n < 3; n++)
		world_ask(&w);
	assert_true(tokens_busy(w.tokens) && tokens_changing(w.tokens, "box"));
	loop_run(w.loop);
	assert_int_equal(w.told, 3);
	for (int n = 0; n < 3; n++)
		assert_string_equal(w.heard[n].token, "one");
	assert_string_equal(world_one(&w)->token, "one");
	world_now += 3600 - TOKENS_EARLY_S - 1;
	assert_string_equal(world_one(&w)->token, "one");
	tokens_show(w.tokens, "box", &shown);
	assert_int_equal(shown.expires, 1000000 + 3600);
	tokens_show(w.tokens, "other", &shown);
	assert_int_equal(shown.expires, 0);
	assert_false(tokens_busy(w.tokens));
	world_end(&w);
}

static void renewed_before_it_ends(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, TOKEN("one", 3600) }, { "200 OK", NULL, TOKEN("short", 100) }, { "200 OK", NULL, TOKEN("three", 3600) } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, COUNT(rows));
	assert_string_equal(world_one(&w)->token, "one");
	world_now += 3600 - TOKENS_EARLY_S;
	assert_string_equal(world_one(&w)->token, "short");
	world_now += 89;		/* a tenth of its life before */
	assert_string_equal(world_one(&w)->token, "short");
	world_now += 1;
	assert_string_equal(world_one(&w)->token, "three");
	world_end(&w);
}

static void a_refused_one_is_renewed(void **state)
{
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, two, 2);
	assert_string_equal(world_one(&w)->token, "one");
	tokens_expired(w.tokens, "box", SPAN("another"));
	tokens_expired(w.tokens, "nobody", SPAN("one"));
	assert_string_equal(world_one(&w)->token, "one");
	tokens_expired(w.tokens, "box", SPAN("one"));
	assert_string_equal(world_one(&w)->token, "two");
	world_end(&w);
}

static void other_settings_are_another_client(void **state)
{
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, two, 2);
	assert_string_equal(world_one(&w)->token, "one");
	w.connection.oauth.client_id = "them";
	assert_string_equal(world_one(&w)->token, "two");
	assert_non_null(strstr(w.forms[1], "client_id=them"));
	world_end(&w);
}

static void another_login(void **state)
{
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, two, 2);
	assert_string_equal(world_one(&w)->token, "one");
	(void)snprintf(w.kept, sizeof w.kept, "logged-in");
	tokens_changed(w.tokens, "box");
	tokens_changed(w.tokens, "nobody");
	assert_string_equal(world_one(&w)->token, "two");
	assert_non_null(strstr(w.forms[1], "refresh_token=logged-in"));
	world_end(&w);
}

/* Nobody waits any more, but what comes is kept. */
static void it_goes_on_without_waits(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, "{\"access_token\":\"one\",\"refresh_token\":\"refresh-2\",\"expires_in\":3600}" } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 1);
	world_ask(&w);
	tokens_end(&w.waits[0]);
	loop_run(w.loop);
	assert_int_equal(w.told, 0);
	assert_string_equal(w.kept, "refresh-2");
	assert_string_equal(world_one(&w)->token, "one");
	world_end(&w);
}

static struct token_world nested;

static void ends_the_other(void *user, struct span token, const struct err *why)
{
	world_done(user, token, why);
	tokens_end(&nested.waits[1]);
	tokens_expired(nested.tokens, "box", SPAN("one"));
	tokens_end(&nested.waits[0]);
}

/* Within done: another wait ends, the token is refused; who waits behind gets the next one. */
static void done_may_do_anything(void **state)
{
	struct err e;

	(void)state;
	world_begin(&nested, OAUTH_DEVICE, two, 2);
	nested.waits[nested.asks++] = tokens_get(nested.tokens, &nested.connection, ends_the_other, &nested, &e);
	world_ask(&nested);
	world_ask(&nested);
	loop_run(nested.loop);
	assert_int_equal(nested.told, 2);
	assert_string_equal(nested.heard[0].token, "one");
	assert_string_equal(nested.heard[1].token, "two");
	world_end(&nested);
}

/* Freed in the middle: nothing is told, the job ends into nothing. */
static void freed_while_it_loads(void **state)
{
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, two, 0);
	world_ask(&w);
	tokens_end(&w.waits[0]);
	world_end(&w);
	assert_int_equal(w.told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_once_and_kept),
		cmocka_unit_test(renewed_before_it_ends),
		cmocka_unit_test(a_refused_one_is_renewed),
		cmocka_unit_test(other_settings_are_another_client),
		cmocka_unit_test(another_login),
		cmocka_unit_test(it_goes_on_without_waits),
		cmocka_unit_test(done_may_do_anything),
		cmocka_unit_test(freed_while_it_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
