/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

enum { SESSIONS = 1200 };

static void status(void *user, struct hooks_status *s)
{
	(void)user;
	s->started = 1000;
	s->services[s->service_count++] = (struct hooks_service){ .name = "pop3", .state = HOOKS_DRAINING, .since = 2000 };
	s->services[s->service_count++] = (struct hooks_service){ .name = "collect", .state = HOOKS_FAILED, .why = "no\nway" };
	s->pop3 = (struct hooks_pop3){ 1, 2, 3, 4, 5, 6, 7, 8, UINT64_MAX, 10 };
	s->visits = (struct visits_counts){ 1, 2, 3, 4, 5, 6, 7 };
	s->certificates[s->certificate_count++] = (struct hooks_certificate){ "tls", 3000 };
}

static bool service(void *user, const char *name, enum hooks_action action, enum hooks_state *state, struct err *e)
{
	if (strcmp(name, "pop3") != 0)
		return err_set(e, ERR_CONFIG, "there is no service %s", name);
	*(enum hooks_action *)user = action;
	*state = HOOKS_STARTING;
	return true;
}

static size_t sessions(void *user, uint64_t after, struct hooks_session *rows, size_t max)
{
	size_t n = 0;

	(void)user;
	for (uint64_t id = after + 1; id <= SESSIONS && n < max; id++)
		rows[n++] = (struct hooks_session){ .id = id, .address = "192.0.2.1:12345", .listener = "plain", .account = "anna", .tls = true, .since = 5 };
	return n;
}

static bool reload(void *user, struct err *e)
{
	(void)user;
	return err_set(e, ERR_CONFIG, "x.conf:7: no");
}

/* Nothing runs: each says so, and how to start it. */
static void without_a_running_instance(void **state)
{
	static const struct row rows[] = {
		{ "status", NULL, "local: postrider is not running (state /tmp/*); start it: postrider run" },
		{ "service", "{\"service\":\"pop3\",\"action\":\"stop\"}", "local: postrider is not running*" },
		{ "sessions.list", NULL, "local: postrider is not running*" },
		{ "reload", NULL, "local: postrider is not running*" },
	};
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void with_one(void **state)
{
	enum hooks_action action = HOOKS_ACTIONS;
	struct world *w = world(&(struct api_hooks){ .user = &action, .status = status, .service = service, .sessions = sessions, .reload = reload });

	(void)state;
	asks(w, "status", NULL, "{\"version\":\"*\",\"process\":*,\"now\":\"*Z\",\"started\":\"1970-01-01T00:16:40Z\",\"services\":["
		"{\"service\":\"pop3\",\"state\":\"draining\",\"since\":\"1970-01-01T00:33:20Z\",\"why\":\"\"},"
		"{\"service\":\"collect\",\"state\":\"failed\",\"since\":null,\"why\":\"no\\nway\"}],"
		"\"pop3\":{\"sessions_now\":1,\"logged_in_now\":2,\"blocked_now\":3,\"sessions\":4,\"logins\":5,\"failed_logins\":6,\"denied\":7,"
		"\"messages\":8,\"octets\":9223372036854775807,\"deleted\":10},\"collect\":{\"waiting_now\":1,\"running_now\":2,\"visits\":3,\"failed\":4,\"messages\":5,\"octets\":6,"
		"\"messages_per_second\":7},\"certificates\":[{\"where\":\"tls\",\"not_after\":\"1970-01-01T00:50:00Z\"}],"
		"\"held\":{\"waiting\":0,\"failed\":0,\"octets\":0}}");
	asks(w, "service", "{\"service\":\"pop3\",\"action\":\"restart\"}", "{\"service\":\"pop3\",\"state\":\"starting\"}");
	assert_int_equal(action, HOOKS_RESTART);
	asks(w, "service", "{\"service\":\"smtp\",\"action\":\"stop\"}", "config: there is no service smtp");
	asks(w, "service", "{\"service\":\"pop3\",\"action\":\"dance\"}", "config: action is none of start, stop, restart");
	asks(w, "reload", NULL, "config: x.conf:7: no");
	world_end(w);
}

static void hooks_that_are_not_built(void **state)
{
	struct world *w = world(&(struct api_hooks){ .status = status });

	(void)state;
	asks(w, "status", NULL, "{*}");
	asks(w, "reload", NULL, "local: reload is not built yet");
	world_end(w);
}

static void sessions_by_pages(void **state)
{
	struct world *w = world(&(struct api_hooks){ .sessions = sessions });
	char args[100] = "{}";
	uint64_t seen = 0;

	(void)state;
	for (bool more = true; more;) {
		struct api_call *c = world_ask(w, "sessions.list", args, 0);
		const json_t *row;
		size_t n;

		json_array_foreach(json_object_get(api_reply(c), "rows"), n, row)
			assert_int_equal(json_member_number(row, "id"), ++seen);
		more = json_object_get(api_reply(c), "next");
		(void)snprintf(args, sizeof args, "{\"after\":\"%s\"}", json_member_text(api_reply(c), "next"));
		api_end(&c);
	}
	assert_int_equal(seen, SESSIONS);
	asks(w, "sessions.list", "{\"after\":\"x\"}", "config: after is not*");
	asks(w, "sessions.list", "{\"limit\":1}", "{\"rows\":[{\"id\":1,\"address\":\"192.0.2.1:12345\",\"listener\":\"plain\",\"account\":\"anna\",\"tls\":true,"
		"\"since\":\"1970-01-01T00:00:05Z\",\"messages\":0,\"octets\":0}],\"next\":\"1\"}");
	world_end(w);
}

static void usage_by_pages(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	fixture_fill(w->store, fixture_box(w->store, "anna/INBOX"), 3);
	fixture_fill(w->store, fixture_box(w->store, "anna/more"), 2);
	asks(w, "store.usage", NULL, "{\"mailboxes\":2,\"messages\":5,\"octets\":15}");
	asks(w, "store.usage", "{\"limit\":1}", "{\"mailboxes\":1,\"messages\":3,\"octets\":9,\"next\":\"anna/INBOX\"}");
	asks(w, "store.usage", "{\"after\":\"anna/INBOX\"}", "{\"mailboxes\":1,\"messages\":2,\"octets\":6}");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_running_instance), cmocka_unit_test(with_one), cmocka_unit_test(hooks_that_are_not_built),
		cmocka_unit_test(sessions_by_pages), cmocka_unit_test(usage_by_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
