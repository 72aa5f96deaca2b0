/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

enum { ENABLED = 1203 };

struct seen {
	unsigned started, stopped, baselines, tests, only;
};

static struct seen seen;

/* box0 to box1202 are enabled; of those box1 is busy; off is disabled; the visit of boxN has the id 1000 + N. */
static bool number_of(const char *name, uint64_t *n)
{
	return strncmp(name, "box", 3) == 0 && span_number(span_of(name + 3), ENABLED - 1, n);
}

static const char *each(void *user, const char *after)
{
	static char name[16];
	uint64_t n = 0;

	(void)user;
	if (after && (!number_of(after, &n) || ++n == ENABLED))
		return NULL;
	(void)snprintf(name, sizeof name, "box%u", (unsigned)n);
	return name;
}

static const char *nobody(void *user, const char *after)
{
	(void)user;
	(void)after;
	return NULL;
}

static bool may(void *user, const char *name, enum visit_what what, struct err *e)
{
	uint64_t n;

	(void)user;
	if (what == VISIT_TEST && strcmp(name, "off") == 0)
		return true;
	return number_of(name, &n) || err_set(e, ERR_CONFIG, "there is no %s", name);
}

static bool begin(void *user, const char *name, enum visit_what what, uint64_t *id, struct err *e)
{
	uint64_t n = 0;

	(void)user;
	assert_true(number_of(name, &n) || what == VISIT_TEST);
	seen.tests += what == VISIT_TEST;
	*id = 1000 + n;
	if (n == 1)
		return err_set(e, ERR_BUSY, "%s is being visited", name);
	seen.started++;
	seen.baselines += what == VISIT_BASELINE;
	return true;
}

static bool show(void *user, uint64_t id, struct visits_shown *v)
{
	(void)user;
	if (id < 1000 || id >= 1000 + ENABLED)
		return false;
	*v = (struct visits_shown){ .id = id, .connection = "box", .phase = "fetching", .what = VISIT_COLLECT, .state = VISITS_RUNNING,
		.since = 1000, .result = { .collected = 1, .skipped = 2, .held = 3, .failed = 4, .octets = 5, .planned = 6, .planned_octets = 7 } };
	if (id == 1003)
		v->what = VISIT_RETRY;		/* nobody begins one by hand, but its number can be guessed */
	if (id != 1002)
		return true;
	v->state = VISITS_ENDED;
	v->phase = "";
	v->result.ms = 8;
	(void)err_set(&v->result.why, ERR_AUTH, "no\xff");
	return true;
}

/* Of visit 1002, which has ended: three; of the others, which run, one. */
static const struct visit_step *step(void *user, uint64_t id, size_t n)
{
	static const struct visit_mech mechs[] = { { "CRAM-MD5", "refused", "refused by the server: n\xff" }, { "PLAIN", "credentials", "no" } };
	static const struct visit_step steps[] = { { .what = STEP_CONNECT, .good = true, .text = "127.0.0.1", .ms = 3 }, { .what = STEP_GREETING, .good = true, .text = "hi" },
		{ .what = STEP_LOGIN, .kind = ERR_AUTH, .text = "refused", .mechs = mechs, .mech_count = 2 } };

	(void)user;
	return n < (id == 1002 ? 3 : 1) && id >= 1000 && id < 1000 + ENABLED ? &steps[n] : NULL;
}

static void halt(void *user, uint64_t id)
{
	(void)user;
	assert_int_not_equal(id, 1002);		/* it has ended */
	seen.stopped++;
}

static void only(void *user, uint64_t id, const char *mailbox)
{
	(void)user;
	assert_int_equal(id, 1003);
	assert_string_equal(mailbox, "lists");
	seen.only++;
}

static const struct api_hooks hooks = { .visit_only = only, .visit_each = each, .visit_may = may, .visit_start = begin, .visit_show = show, .visit_step = step, .visit_stop = halt };

static void without_a_running_instance(void **state)
{
	static const struct row rows[] = {
		{ "collect.start", NULL, "local: postrider is not running*" },
		{ "collect.progress", "{\"ids\":[1]}", "local: postrider is not running*" },
		{ "collect.steps", "{\"visit\":1}", "local: postrider is not running*" },
		{ "collect.stop", "{\"ids\":[1]}", "local: postrider is not running*" },
	};
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void started_by_name(void **state)
{
	static const struct row rows[] = {
		{ "collect.start", "{\"names\":[\"box0\",\"box1\",\"box7\"]}", "{\"rows\":["
			"{\"connection\":\"box0\",\"visit\":1000,\"error_kind\":\"none\",\"error\":\"\"},"
			"{\"connection\":\"box1\",\"visit\":null,\"error_kind\":\"busy\",\"error\":\"box1 is being visited\"},"
			"{\"connection\":\"box7\",\"visit\":1007,\"error_kind\":\"none\",\"error\":\"\"}]}" },
		{ "collect.start", "{\"names\":[\"box3\"],\"what\":\"baseline\"}", "{\"rows\":[{\"connection\":\"box3\",\"visit\":1003,*}]}" },
		{ "collect.start", "{\"names\":[\"box3\"],\"what\":\"baseline\",\"mailbox\":\"lists\"}", "{\"rows\":[{\"connection\":\"box3\",\"visit\":1003,*}]}" },
		{ "collect.start", "{\"names\":[\"box3\"],\"mailbox\":\"lists\"}", "config: mailbox goes with the baseline of one connection" },
		{ "collect.start", "{\"names\":[\"box3\",\"box4\"],\"what\":\"baseline\",\"mailbox\":\"lists\"}", "config: mailbox goes with*" },
		{ "collect.start", "{\"what\":\"baseline\",\"mailbox\":\"lists\"}", "config: mailbox goes with*" },
		{ "collect.start", "{\"names\":[\"box4\",\"box5\"],\"limit\":1}", "{\"rows\":[{\"connection\":\"box4\",*}],\"next\":\"box4\"}" },
		{ "collect.start", "{\"names\":[\"box4\",\"box5\"],\"after\":\"box4\"}", "{\"rows\":[{\"connection\":\"box5\",*}]}" },
		{ "collect.start", "{\"names\":[\"box4\"],\"after\":\"gone\"}", "{\"rows\":[]}" },
		{ "collect.start", "{\"names\":[\"off\"],\"what\":\"test\"}", "{\"rows\":[{\"connection\":\"off\",\"visit\":1000,*}]}" },
	};
	struct world *w = world(&hooks);

	(void)state;
	seen = (struct seen){ 0 };
	asks_rows(w, rows, COUNT(rows));
	assert_int_equal(seen.started, 7);
	assert_int_equal(seen.tests, 1);
	assert_int_equal(seen.baselines, 2);
	world_end(w);
}

/* What is wrong begins nothing. */
static void wrong_requests(void **state)
{
	static const struct row rows[] = {
		{ "collect.start", "{\"names\":[\"box0\",\"bax\"]}", "config: there is no bax" },
		{ "collect.start", "{\"names\":[\"box0\",\"box2\",\"box0\"]}", "config: names has box0 twice" },
		{ "collect.start", "{\"names\":[\"box0\"],\"what\":\"retry\"}", "config: what is none of collect, baseline, test" },
		{ "collect.start", "{\"names\":\"box0\"}", "config: collect.start: names is not an array" },
		{ "collect.start", "{\"names\":[7]}", "config: collect.start: member 0 of: names is not a text" },
		{ "collect.start", "{\"after\":\"%\"}", "config: after is not*" },
		{ "collect.start", "{\"name\":\"box0\"}", "config: *unknown member*" },
		{ "collect.progress", NULL, "config: collect.progress: ids is missing" },
		{ "collect.progress", "{\"ids\":[1,-1]}", "config: collect.progress: member 1 of: ids is not a whole number" },
		{ "collect.progress", "{\"ids\":[1.5]}", "config: *member 0 of: ids is not a whole number" },
		{ "collect.stop", "{\"ids\":[\"1\"]}", "config: *member 0 of: ids is not a whole number" },
		{ "collect.stop", "{\"ids\":[1],\"all\":true}", "config: *unknown member*" },
	};
	struct world *w = world(&hooks);

	(void)state;
	seen = (struct seen){ 0 };
	asks_rows(w, rows, COUNT(rows));
	assert_int_equal(seen.started + seen.stopped, 0);
	world_end(w);
}

static void all_that_are_enabled(void **state)
{
	struct api_hooks none = hooks;
	struct world *w = world(&hooks);
	char args[100] = "{}";
	uint64_t count = 0;

	(void)state;
	seen = (struct seen){ 0 };
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "collect.start", args, 0);
		const json_t *row;
		size_t n;

		json_array_foreach(json_object_get(api_reply(c), "rows"), n, row) {
			assert_true(json_is_null(json_object_get(row, "visit")) == (count == 1));
			if (count != 1)
				assert_int_equal(json_member_number(row, "visit"), 1000 + count);
			count++;
		}
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(count, ENABLED);
	assert_int_equal(seen.started, ENABLED - 1);
	world_end(w);
	none.visit_each = nobody;
	w = world(&none);
	asks(w, "collect.start", "{\"names\":[]}", "config: *no enabled connection");
	world_end(w);
}

static void asked_for_and_stopped(void **state)
{
	struct world *w = world(&hooks);

	(void)state;
	seen = (struct seen){ 0 };
	asks(w, "collect.progress", "{\"ids\":[1001,1002,7]}", "{\"rows\":["
		"{\"visit\":1001,\"connection\":\"box\",\"what\":\"collect\",\"state\":\"running\",\"phase\":\"fetching\",\"since\":\"1970-01-01T00:16:40Z\","
		"\"planned\":6,\"planned_octets\":7,\"collected\":1,\"skipped\":2,\"held\":3,\"failed\":4,\"octets\":5,\"ms\":0,\"error_kind\":\"none\",\"error\":\"\"},"
		"{\"visit\":1002,\"connection\":\"box\",\"what\":\"collect\",\"state\":\"ended\",\"phase\":\"\",*\"ms\":8,\"error_kind\":\"auth\",\"error\":\"no\xef\xbf\xbd\"},"
		"{\"visit\":7,\"state\":\"unknown\"}],\"given\":3}");
	asks(w, "collect.progress", "{\"ids\":[1003]}", "{\"rows\":[{\"visit\":1003,\"connection\":\"box\",\"what\":\"retry\",*}],\"given\":1}");
	asks(w, "collect.progress", "{\"ids\":[]}", "{\"rows\":[],\"given\":0}");
	asks(w, "collect.stop", "{\"ids\":[1001,1002,7,1003]}", "{\"stopping\":2}");
	assert_int_equal(seen.stopped, 2);
	world_end(w);
}

static void steps_of_a_test(void **state)
{
	struct world *w = world(&hooks);

	(void)state;
	asks(w, "collect.steps", "{\"visit\":1002}", "{\"rows\":["
		"{\"connection\":\"box\",\"step\":\"connect\",\"ok\":true,\"detail\":\"127.0.0.1\",\"reason\":null,\"error_kind\":\"none\",\"ms\":3,\"mechanisms\":null},"
		"{\"connection\":\"box\",\"step\":\"greeting\",*},"
		"{\"connection\":\"box\",\"step\":\"login\",\"ok\":false,\"detail\":null,\"reason\":\"refused\",\"error_kind\":\"auth\",\"ms\":0,\"mechanisms\":["
		"{\"mechanism\":\"CRAM-MD5\",\"reason\":\"refused\",\"detail\":\"refused by the server: n\xef\xbf\xbd\"},"
		"{\"mechanism\":\"PLAIN\",\"reason\":\"credentials\",\"detail\":\"no\"}]}],\"from\":3,\"state\":\"ended\",\"more\":false}");
	asks(w, "collect.steps", "{\"visit\":1002,\"from\":2}", "{\"rows\":[{*\"step\":\"login\",*}],\"from\":3,\"state\":\"ended\",\"more\":false}");
	asks(w, "collect.steps", "{\"visit\":1003,\"from\":1}", "{\"rows\":[],\"from\":1,\"state\":\"running\",\"more\":false}");
	asks(w, "collect.steps", "{\"visit\":7}", "{\"rows\":[],\"from\":0,\"state\":\"unknown\",\"more\":false}");
	asks(w, "collect.steps", "{}", "config: *visit*");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_running_instance), cmocka_unit_test(started_by_name), cmocka_unit_test(wrong_requests),
		cmocka_unit_test(all_that_are_enabled), cmocka_unit_test(asked_for_and_stopped),
		cmocka_unit_test(steps_of_a_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
