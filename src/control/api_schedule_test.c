/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

enum { ALL = 1203 };

static bool each(void *user, const char *after, struct schedule_shown *s)
{
	static char name[16];
	uint64_t n = 0;

	(void)user;
	if (after && (!span_number(span_of(after + 3), ALL, &n) || ++n == ALL))
		return false;
	(void)snprintf(name, sizeof name, "box%u", (unsigned)n);
	*s = (struct schedule_shown){ .name = name, .enabled = true, .next = 1000000000, .idle_since = n ? 0 : 1000000002, .alive = n ? 0 : 1000000003, .why = { .kind = ERR_NONE } };
	if (n == 1) {
		*s = (struct schedule_shown){ .name = name, .enabled = true, .next = 1000003600, .backoff_until = 1000003600, .visited = 999999999,
			.success = 999990000, .failures = 3, .class = SCHEDULE_FATAL };
		(void)err_set(&s->why, ERR_AUTH, "no\xff");
	} else if (n == 2) {
		*s = (struct schedule_shown){ .name = name, .running = true, .once_done = true, .next = SCHEDULE_NEVER, .lag = 77, .late = true };
	}
	return true;
}

static int64_t expires(void *user, const char *connection)
{
	(void)user;
	return strcmp(connection, "box0") == 0 ? 1000000001 : 0;
}

static const struct api_hooks hooks = { .schedule_each = each, .token_expires = expires };

static void without_a_running_instance(void **state)
{
	static const struct row rows[] = { { "collect.schedule", NULL, "local: postrider is not running*" } };
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

static void in_pages(void **state)
{
	static const struct row rows[] = {
		{ "collect.schedule", "{\"limit\":3}", "{\"rows\":["
			"{\"connection\":\"box0\",\"enabled\":true,\"running\":false,\"done\":false,\"next\":\"2001-09-09T01:46:40Z\",\"backoff_until\":null,"
			"\"last\":null,\"last_success\":null,\"failures\":0,\"error_class\":\"none\",\"error_kind\":\"none\",\"error\":\"\",\"held\":0,\"failed\":0,\"quarantined\":0,\"token_expires\":\"2001-09-09T01:46:41Z\","
			"\"lag\":0,\"idle\":\"2001-09-09T01:46:42Z\",\"idle_alive\":\"2001-09-09T01:46:43Z\",\"attention\":false},"
			"{\"connection\":\"box1\",\"enabled\":true,\"running\":false,\"done\":false,\"next\":\"2001-09-09T02:46:40Z\","
			"\"backoff_until\":\"2001-09-09T02:46:40Z\",\"last\":\"2001-09-09T01:46:39Z\",\"last_success\":\"2001-09-08T23:00:00Z\","
			"\"failures\":3,\"error_class\":\"fatal\",\"error_kind\":\"auth\",\"error\":\"no\xef\xbf\xbd\",*\"lag\":0,\"idle\":null,\"idle_alive\":null,\"attention\":true},"
			"{\"connection\":\"box2\",\"enabled\":false,\"running\":true,\"done\":true,\"next\":null,*,\"token_expires\":null,\"lag\":77,*\"attention\":true}],\"next\":\"box2\"}" },
		{ "collect.schedule", "{\"after\":\"box1201\"}", "{\"rows\":[{\"connection\":\"box1202\",*}]}" },
		{ "collect.schedule", "{\"after\":\"box1202\"}", "{\"rows\":[]}" },
		{ "collect.schedule", "{\"after\":\"%\"}", "config: *after is not what an answer's next said" },
		{ "collect.schedule", "{\"name\":\"box\"}", "config: *" },
	};
	struct world *w = world(&hooks);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_running_instance),
		cmocka_unit_test(in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
