/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/device_logins.h"
#include "collect/test_issuer.h"

int64_t world_now;

#define CODE "{\"device_code\":\"secret-code\",\"user_code\":\"AB-CD\",\"verification_uri\":\"http://127.0.0.1/go\",\"interval\":1,\"expires_in\":9000}"

static void begin(struct token_world *w, const struct issuer_row *rows, size_t count)
{
	world_begin(w, OAUTH_DEVICE, rows, count);
	w->connection.has_oauth = true;
	w->connection.oauth.device_url = w->url;
	w->connection.oauth.client_secret = (struct secret){ SECRET_LITERAL, "psst" };
}

static void end(struct token_world *w, struct device_logins **l)
{
	device_logins_free(l);
	assert_null(*l);
	world_end(w);
}

static struct device_logins *made(struct token_world *w)
{
	struct device_logins *l = device_logins_new(w->loop, NULL);

	assert_non_null(l);
	return l;
}

static uint64_t started(struct device_logins *l, const struct connection *with)
{
	uint64_t id = 0;
	struct err e;

	if (!device_logins_start(l, with, &id, &e))
		fail_msg("%s", e.text);
	assert_true(id);
	return id;
}

static void to_its_end(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, CODE }, { "200 OK", NULL, "{\"access_token\":\"a\",\"refresh_token\":\"refresh-9\"}" } };
	struct device_logins_shown shown;
	struct device_logins *l;
	struct token_world w;
	uint64_t id;

	(void)state;
	begin(&w, rows, COUNT(rows));
	l = made(&w);
	id = started(l, &w.connection);
	assert_true(device_logins_show(l, id, &shown));
	assert_int_equal(shown.state, DEVICE_LOGINS_ASKING);
	loop_run(w.loop);
	assert_true(device_logins_show(l, id, &shown));
	assert_int_equal(shown.state, DEVICE_LOGINS_ENDED);
	assert_string_equal(shown.uri, "http://127.0.0.1/go");
	assert_string_equal(shown.code, "AB-CD");
	assert_null(shown.complete);
	assert_int_equal(shown.lasts_s, 9000);
	assert_int_equal(shown.why->kind, ERR_NONE);
	assert_true(span_equal(shown.refresh, SPAN("refresh-9")));
	assert_string_equal(shown.connection, w.connection.name);
	assert_string_equal(w.forms[0], "client_id=us&client_secret=psst");
	device_logins_stop(l, id);
	assert_false(device_logins_show(l, id, &shown));
	end(&w, &l);
}

static void refused(void **state)
{
	static const struct issuer_row rows[] = { { "200 OK", NULL, CODE }, { "400 Bad Request", NULL, "{\"error\":\"access_denied\"}" } };
	struct device_logins_shown shown;
	struct device_logins *l;
	struct token_world w;
	uint64_t id;

	(void)state;
	begin(&w, rows, COUNT(rows));
	l = made(&w);
	id = started(l, &w.connection);
	loop_run(w.loop);
	assert_true(device_logins_show(l, id, &shown) && shown.state == DEVICE_LOGINS_ENDED);
	assert_int_equal(shown.why->kind, ERR_AUTH);
	assert_int_equal(shown.refresh.len, 0);
	end(&w, &l);
}

static void cannot_begin(void **state)
{
	static const struct { enum oauth_flow flow; struct secret secret; const char *says; } rows[] = {
		{ OAUTH_REFRESH_TOKEN, { SECRET_NONE, NULL }, "does not log in by a device code" },
		{ OAUTH_DEVICE, { SECRET_COMMAND, "echo psst" }, "what a command prints" },
		{ OAUTH_DEVICE, { SECRET_VAULT, "client" }, "client_secret" },	/* no store here */
		{ OAUTH_DEVICE, { SECRET_FILE, "/nowhere/at/all" }, "client_secret" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct token_world w;
		struct device_logins *l;
		uint64_t id;
		struct err e;

		begin(&w, NULL, 0);
		l = made(&w);
		w.connection.oauth.flow = rows[n].flow;
		w.connection.oauth.client_secret = rows[n].secret;
		assert_false(device_logins_start(l, &w.connection, &id, &e));
		if (!strstr(e.text, rows[n].says))
			fail_msg("%s: %s", rows[n].says, e.text);
		end(&w, &l);
	}
}

/* Nobody is there to ask: what matters is who has which place. */
static void places(void **state)
{
	struct connection all[DEVICE_LOGINS_MAX + 1];
	char names[DEVICE_LOGINS_MAX + 1][8];
	uint64_t ids[DEVICE_LOGINS_MAX + 1];
	struct device_logins_shown shown;
	struct device_logins *l;
	struct token_world w;
	struct err e;

	(void)state;
	begin(&w, NULL, 0);
	l = made(&w);
	for (size_t n = 0; n < COUNT(all); n++) {
		(void)snprintf(names[n], sizeof names[n], "box%zu", n);
		all[n] = w.connection;
		all[n].name = names[n];
	}
	for (size_t n = 0; n < DEVICE_LOGINS_MAX; n++)
		ids[n] = started(l, &all[n]);
	assert_false(device_logins_start(l, &all[DEVICE_LOGINS_MAX], &ids[0], &e));
	assert_int_equal(e.kind, ERR_BUSY);
	ids[DEVICE_LOGINS_MAX] = started(l, &all[3]);	/* in the place of its own */
	assert_false(device_logins_show(l, ids[3], &shown));
	assert_true(device_logins_show(l, ids[DEVICE_LOGINS_MAX], &shown));
	assert_string_equal(shown.connection, "box3");
	device_logins_stop(l, ids[5]);
	ids[5] = started(l, &all[DEVICE_LOGINS_MAX]);
	assert_true(device_logins_show(l, ids[5], &shown));
	assert_string_equal(shown.connection, "box8");
	assert_false(device_logins_show(l, 0, &shown));
	end(&w, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_its_end),
		cmocka_unit_test(refused),
		cmocka_unit_test(cannot_begin),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
