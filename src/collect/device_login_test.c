/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/device_login.h"
#include "collect/test_issuer.h"

int64_t world_now;

#define CODE "{\"device_code\":\"secret-code\",\"user_code\":\"AB-CD\",\"verification_uri\":\"http://127.0.0.1/go\",\"interval\":5,\"expires_in\":"
#define LONG CODE "9000}"
#define PENDING "{\"error\":\"authorization_pending\"}"
#define BAD "400 Bad Request"

struct login {
	struct device_login *d;
	char shown[200], refresh[64];
	unsigned shows, dones;
	struct err why;
};

static void show(void *user, const struct device_shown *what)
{
	struct login *l = user;

	l->shows++;
	(void)snprintf(l->shown, sizeof l->shown, "%s %s %s %u", what->uri, what->code, what->complete ? what->complete : "-", what->lasts_s);
}

static void done(void *user, struct span refresh, const struct err *why)
{
	struct login *l = user;

	l->dones++;
	assert_true(!refresh.len == (why != NULL));
	(void)snprintf(l->refresh, sizeof l->refresh, "%.*s", (int)refresh.len, refresh.len ? refresh.at : "");
	l->why = why ? *why : (struct err){ 0 };
}

/* A second is a millisecond here.  How long it took, in such seconds. */
static uint64_t log_in(struct login *l, const struct issuer_row *rows, size_t count, struct token_world *w)
{
	struct device_login_with with = { .show = show, .done = done, .user = l, .second_ms = 1 };
	uint64_t began;
	struct err e;

	*l = (struct login){ 0 };
	world_begin(w, OAUTH_DEVICE, rows, count);
	w->connection.oauth.device_url = w->url;
	with.loop = w->loop;
	with.oauth = &w->connection.oauth;
	began = loop_now_ms(w->loop);
	l->d = device_login_new(&with, &e);
	assert_non_null(l->d);
	loop_run(w->loop);
	began = loop_now_ms(w->loop) - began;
	assert_int_equal(l->dones, 1);
	device_login_free(&l->d);
	assert_null(strstr(l->why.text, "secret-code"));
	return began;
}

static void allowed(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, LONG }, { BAD, NULL, PENDING }, { BAD, NULL, "{\"error\":\"slow_down\"}" }, { "503 Busy", NULL, "" },
		{ "200 OK", NULL, "{\"access_token\":\"a\",\"refresh_token\":\"refresh-9\"}" } };
	struct token_world w;
	struct login l;

	(void)state;
	assert_true(log_in(&l, rows, COUNT(rows), &w) >= 5 + 5 + 10 + 15);	/* the interval, and after each that was slower 5 s more */
	assert_string_equal(l.shown, "http://127.0.0.1/go AB-CD - 9000");
	assert_string_equal(l.refresh, "refresh-9");
	assert_int_equal(l.shows, 1);
	assert_string_equal(w.forms[0], "client_id=us");
	assert_string_equal(w.forms[1], "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=secret-code&client_id=us");
	world_end(&w);
}

static const struct ends {
	struct issuer_row rows[2];
	size_t count;
	enum err_kind kind;
	const char *says;
} all_ends[] = {
	{ { { "200 OK", NULL, LONG }, { BAD, NULL, "{\"error\":\"access_denied\"}" } }, 2, ERR_AUTH, "denied" },
	{ { { "200 OK", NULL, LONG }, { BAD, NULL, "{\"error\":\"expired_token\"}" } }, 2, ERR_AUTH, "in time" },
	{ { { "200 OK", NULL, LONG }, { "200 OK", NULL, "{\"access_token\":\"a\"}" } }, 2, ERR_CONFIG, "offline_access" },
	{ { { "200 OK", NULL, LONG }, { BAD, NULL, "{\"error\":\"invalid_client\"}" } }, 2, ERR_CONFIG, "client_id" },
	{ { { "200 OK", NULL, LONG }, { "200 OK", NULL, "?" } }, 2, ERR_PEER, "no sense" },
	{ { { "200 OK", NULL, CODE "4}" } }, 1, ERR_AUTH, "in time" },
	{ { { "401 Unauthorized", NULL, "{\"error\":\"invalid_client\"}" } }, 1, ERR_CONFIG, "invalid_client" },
	{ { { "200 OK", NULL, "{}" } }, 1, ERR_PEER, "no code" },
	{ { { NULL, NULL, NULL } }, 1, ERR_NET, "127.0.0.1" },
};

static void not_allowed(void **state)
{
	(void)state;
	for (const struct ends *r = all_ends; r < all_ends + COUNT(all_ends); r++) {
		struct token_world w;
		struct login l;

		(void)log_in(&l, r->rows, r->count, &w);
		if (l.why.kind != r->kind || !strstr(l.why.text, r->says))
			fail_msg("%s: %d %s", r->says, (int)l.why.kind, l.why.text);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed),
		cmocka_unit_test(not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
