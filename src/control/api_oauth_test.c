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

static const struct api_hooks hooks = { .schedule_each = each, .visit_start = start, .tokens_changing = changing, .tokens_changed = changed };

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_shapes),
		cmocka_unit_test(it_is_kept),
		cmocka_unit_test(by_an_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
