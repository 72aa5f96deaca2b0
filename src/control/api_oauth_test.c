/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/vault.h"

static unsigned changes;
static bool busy;

static bool changing(void *user, const char *connection)
{
	(void)user;
	assert_string_equal(connection, "box");
	return busy;
}

static void changed(void *user, const char *connection)
{
	(void)user;
	assert_string_equal(connection, "box");
	changes++;
}

static bool each(void *user, const char *after, struct schedule_shown *s)
{
	bool last = after && strcmp(after, "box") == 0;

	(void)user;
	*s = (struct schedule_shown){ .name = after ? "box" : "other", .enabled = true, .class = SCHEDULE_FATAL };
	return !last;
}

static bool start(void *user, const char *name, enum visit_what what, uint64_t *id, struct err *e)
{
	(void)user;
	(void)e;
	assert_string_equal(name, "box");
	assert_int_equal(what, VISIT_COLLECT);
	*id = 7;
	return true;
}

static struct device_logins_shown now = { .connection = "box" };
static struct err device_why;
static unsigned stops;

static bool device_start(void *user, const char *connection, uint64_t *id, struct err *e)
{
	(void)user;
	if (strcmp(connection, "box") != 0)
		return err_set(e, ERR_CONFIG, "there is no connection %s", connection);
	*id = 9;
	return true;
}

static bool device_show(void *user, uint64_t id, struct device_logins_shown *shown)
{
	(void)user;
	now.why = &device_why;
	*shown = now;
	return id == 9;
}

static void device_stop(void *user, uint64_t id)
{
	(void)user;
	assert_int_equal(id, 9);
	stops++;
}

static const struct api_hooks hooks = { .device_start = device_start, .device_show = device_show, .device_stop = device_stop,
	 .schedule_each = each, .visit_start = start, .tokens_changing = changing, .tokens_changed = changed };

static void kept(struct world *w, const char *want)
{
	struct buf b;
	struct err e;

	buf_start(&b, VAULT_SECRET_MAX);
	if (want) {
		assert_true(vault_get(w->store, "oauth:box", &b, &e));
		assert_true(span_equal(buf_span(&b), span_of(want)));
	} else {
		assert_false(vault_there(w->store, "oauth:box"));
	}
	buf_wipe(&b);
}

static void wrong_shapes(void **state)
{
	static const struct row rows[] = {
		{ "oauth.keep", NULL, "config: *" },
		{ "oauth.keep", "{\"connection\":\"box\"}", "config: *" },
		{ "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":7}", "config: *" },
		{ "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"\"}", "config: *" },
		{ "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"geheim geheim\"}", "config: that is no refresh token*" },
		{ "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"a\",\"x\":1}", "config: *" },
		{ "oauth.device.start", NULL, "config: *" },
		{ "oauth.device.start", "{\"connection\":7}", "config: *" },
		{ "oauth.device.show", "{\"id\":\"nine\"}", "config: *" },
		{ "oauth.device.stop", NULL, "config: *" },
		{ "oauth.device.start", "{\"connection\":\"box\"}", "*not running*" },
		{ "oauth.device.show", "{\"id\":9}", "*not running*" },
	};
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	kept(w, NULL);
	world_end(w);
}

static void it_is_kept(void **state)
{
	static const struct row rows[] = { { "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"one\"}", "{\"running\":false,\"visited\":false}" } };
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	kept(w, "one");
	world_end(w);
}

/* A running instance is told; while it asks for a token itself, nothing is changed. */
static void by_an_instance(void **state)
{
	static const struct row row = { "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"two\"}", "{\"running\":true,\"visited\":true}" };
	static const struct row refused = { "oauth.keep", "{\"connection\":\"box\",\"refresh_token\":\"three\"}", "busy: *" };
	struct world *w = world(&hooks);

	(void)state;
	asks_rows(w, &row, 1);
	assert_int_equal(changes, 1);
	busy = true;
	asks_rows(w, &refused, 1);
	assert_int_equal(changes, 1);
	kept(w, "two");
	world_end(w);
}

#define SHOW "oauth.device.show", "{\"id\":9}"

/* Asked for, shown, and kept where nobody else gets it: it is in no answer. */
static void by_a_device_code(void **state)
{
	static const struct row begins[] = {
		{ "oauth.device.start", "{\"connection\":\"bix\"}", "config: there is no connection bix" },
		{ "oauth.device.start", "{\"connection\":\"box\"}", "{\"id\":9}" },
		{ "oauth.device.show", "{\"id\":8}", "config: *no such login*" },
		{ SHOW, "{\"state\":\"asking\"}" },
	};
	static const struct row waits[] = {
		{ SHOW, "{\"state\":\"waiting\",\"uri\":\"http://x\",\"code\":\"AB\",\"complete\":null,\"lasts_s\":60}" },
	};
	static const struct row later[] = { { SHOW, "busy: *" } };
	static const struct row over[] = { { SHOW, "{\"running\":true,\"visited\":true,\"state\":\"kept\"}" } };
	static const struct row denied[] = { { SHOW, "auth: the login was denied" } };
	struct world *w = world(&hooks);

	(void)state;
	changes = 0;
	busy = false;
	asks_rows(w, begins, COUNT(begins));
	now = (struct device_logins_shown){ .connection = "box", .state = DEVICE_LOGINS_WAITING, .uri = "http://x", .code = "AB", .lasts_s = 60 };
	asks_rows(w, waits, COUNT(waits));
	now.state = DEVICE_LOGINS_ENDED;
	now.refresh = SPAN("four");
	busy = true;
	asks_rows(w, later, COUNT(later));
	assert_int_equal(stops, 0);
	kept(w, NULL);
	busy = false;
	asks_rows(w, over, COUNT(over));
	assert_int_equal(stops, 1);
	assert_int_equal(changes, 1);
	kept(w, "four");
	now.refresh.len = 0;
	(void)err_set(&device_why, ERR_AUTH, "the login was denied");
	asks_rows(w, denied, COUNT(denied));
	assert_int_equal(stops, 2);
	kept(w, "four");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_shapes),
		cmocka_unit_test(it_is_kept),
		cmocka_unit_test(by_an_instance),
		cmocka_unit_test(by_a_device_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
