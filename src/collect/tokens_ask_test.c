/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_issuer.h"

int64_t world_now;

#define ROTATED "{\"access_token\":\"one\",\"refresh_token\":\"refresh-2\",\"expires_in\":3600}"
#define GOOD(name) "{\"access_token\":\"" name "\",\"expires_in\":3600}"

static void what_is_posted(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, GOOD("one") } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 1);
	assert_string_equal(world_one(&w)->token, "one");
	assert_string_equal(w.forms[0], "grant_type=refresh_token&refresh_token=refresh-1&client_id=us");
	assert_int_equal(atomic_load(&w.saves), 0);
	world_end(&w);
	world_begin(&w, OAUTH_CLIENT_CREDENTIALS, rows, 1);
	assert_string_equal(world_one(&w)->token, "one");
	assert_string_equal(w.forms[0], "grant_type=client_credentials&client_id=us&client_secret=hush");
	assert_int_equal(atomic_load(&w.loads), 0);
	world_end(&w);
}

/* Durable first, handed out then. */
static void rotation(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, ROTATED }, { "200 OK", NULL, GOOD("two") } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 2);
	assert_string_equal(world_one(&w)->token, "one");
	assert_string_equal(w.kept, "refresh-2");
	assert_int_equal(atomic_load(&w.saves), 1);
	assert_int_equal(w.told_at_save, 0);
	tokens_expired(w.tokens, "box", SPAN("one"));
	assert_string_equal(world_one(&w)->token, "two");
	assert_non_null(strstr(w.forms[1], "refresh_token=refresh-2"));
	world_end(&w);
}

/* What cannot be kept is not used, and not forgotten: the issuer may take the old one no more. */
static void the_new_one_cannot_be_kept(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, ROTATED } };
	struct token_world w;
	const struct heard *h;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 1);
	atomic_store(&w.cannot_save, true);
	for (int n = 0; n < 2; n++) {
		h = world_one(&w);
		assert_int_equal(h->why.kind, ERR_LOCAL);
		assert_non_null(strstr(h->why.text, "disk is full"));
		assert_null(strstr(h->why.text, "refresh-2"));
		assert_string_equal(w.kept, "refresh-1");
	}
	atomic_store(&w.cannot_save, false);
	assert_string_equal(world_one(&w)->token, "one");	/* without another request */
	assert_string_equal(w.kept, "refresh-2");
	world_end(&w);
}

/* It was kept so late that the access token beside it has ended: the new one gets another. */
static void kept_too_late(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, ROTATED }, { "200 OK", NULL, GOOD("two") } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 2);
	atomic_store(&w.cannot_save, true);
	assert_int_equal(world_one(&w)->why.kind, ERR_LOCAL);
	world_now += 3600;
	atomic_store(&w.cannot_save, false);
	assert_string_equal(world_one(&w)->token, "two");
	assert_non_null(strstr(w.forms[1], "refresh_token=refresh-2"));
	world_end(&w);
}

static const struct refusal {
	struct issuer_row row;
	enum err_kind kind;
	const char *says;
} refusals[] = {
	{ { "400 Bad Request", NULL, "{\"error\":\"invalid_grant\",\"error_description\":\"revoked\"}" }, ERR_AUTH, "postrider oauth login box (invalid_grant: revoked)" },
	{ { "400 Bad Request", NULL, "{\"error\":\"access_denied\"}" }, ERR_AUTH, "postrider oauth login box" },
	{ { "401 Unauthorized", NULL, "{\"error\":\"invalid_client\"}" }, ERR_CONFIG, "client_id" },
	{ { "400 Bad Request", NULL, "{\"error\":\"invalid_scope\"}" }, ERR_CONFIG, "scope" },
	{ { "503 Busy", NULL, "" }, ERR_PEER, "status 503" },
	{ { "200 OK", NULL, "<html>" }, ERR_PEER, "status 200" },
	{ { "400 Bad Request", NULL, "{\"error\":\"authorization_pending\"}" }, ERR_PEER, "authorization_pending" },
	{ { NULL, NULL, NULL }, ERR_PEER, "127.0.0.1" },
};

static void refused(void **state)
{
	(void)state;
	for (const struct refusal *r = refusals; r < refusals + COUNT(refusals); r++) {
		struct token_world w;
		const struct heard *h;

		world_begin(&w, OAUTH_DEVICE, &r->row, 1);
		h = world_one(&w);
		if (h->why.kind != r->kind || !strstr(h->why.text, r->says))
			fail_msg("%s: %d %s", r->row.body ? r->row.body : "closed", (int)h->why.kind, h->why.text);
		assert_null(strstr(h->why.text, "refresh-1"));
		assert_string_equal(w.kept, "refresh-1");
		world_end(&w);
	}
}

/* Nothing is asked during back-off; that is short here, since the issuer says how long. */
static void back_off(void **state)
{
	static const struct issuer_row rows[] = { { "503 Busy", "Retry-After: 600\r\n", "" } };
	struct token_world w;
	const struct heard *h;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 1);
	assert_int_equal(world_one(&w)->why.kind, ERR_PEER);
	h = world_one(&w);
	assert_int_equal(h->why.kind, ERR_PEER);
	assert_non_null(strstr(h->why.text, "not asked again before "));
	assert_true(strstr(h->why.text, "before 600 s") || strstr(h->why.text, "before 59"));
	world_end(&w);
}

/* It fails in the tenth before the end: what there is will do; once it has ended, it does not. */
static void the_old_one_will_do(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, GOOD("one") }, { "503 Busy", NULL, "" } };
	struct token_world w;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, rows, 2);
	assert_string_equal(world_one(&w)->token, "one");
	world_now += 3600 - TOKENS_EARLY_S;
	assert_string_equal(world_one(&w)->token, "one");
	assert_string_equal(world_one(&w)->token, "one");	/* in back-off */
	world_now += TOKENS_EARLY_S;
	assert_int_equal(world_one(&w)->why.kind, ERR_PEER);
	world_end(&w);
}

static void nothing_is_kept(void **state)
{
	struct token_world w;
	const struct heard *h;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, NULL, 0);
	w.kept[0] = '\0';
	h = world_one(&w);
	assert_int_equal(h->why.kind, ERR_AUTH);
	assert_non_null(strstr(h->why.text, "postrider oauth login box"));
	(void)snprintf(w.kept, sizeof w.kept, "no token");
	h = world_one(&w);
	assert_int_equal(h->why.kind, ERR_AUTH);
	assert_null(strstr(h->why.text, "no token"));
	world_end(&w);
}

static void the_secret_cannot_be_read(void **state)
{
	struct token_world w;
	const struct heard *h;

	(void)state;
	world_begin(&w, OAUTH_DEVICE, NULL, 0);
	w.connection.oauth.client_secret = (struct secret){ SECRET_FILE, "/nowhere/at all" };
	h = world_one(&w);
	assert_int_equal(h->why.kind, ERR_CONFIG);
	assert_non_null(strstr(h->why.text, "client_secret: "));
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_posted),
		cmocka_unit_test(rotation),
		cmocka_unit_test(the_new_one_cannot_be_kept),
		cmocka_unit_test(kept_too_late),
		cmocka_unit_test(refused),
		cmocka_unit_test(back_off),
		cmocka_unit_test(the_old_one_will_do),
		cmocka_unit_test(nothing_is_kept),
		cmocka_unit_test(the_secret_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
