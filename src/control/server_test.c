/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include <fnmatch.h>
#include <poll.h>

#include "control/request.h"
#include "control/test_instance.h"
#include "net/local_client.h"

enum { PATIENCE_MS = 30000, LARGE = 500000 };

static const char *state_directory;
static char path[128];
static struct instance instance;

static int start(void **state)
{
	(void)state;
	state_directory = fixture_directory();
	(void)snprintf(path, sizeof path, "%s/control", state_directory);
	instance_start(&instance, state_directory);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	instance_stop(&instance);
	fixture_remove(state_directory);
	return 0;
}

static struct local_client *client(void)
{
	struct err e;
	bool gone;
	struct local_client *c = local_connect(path, PATIENCE_MS, &gone, &e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

static void say(struct local_client *c, const char *text)
{
	struct err e;

	if (!local_tell(c, span_of(text), -1, &e))
		fail_msg("%s", e.text);
}

static void hear(struct local_client *c, const char *pattern)
{
	char text[4096];
	struct span line;
	struct err e;

	if (!local_hear(c, sizeof text - 1, &line, &e))
		fail_msg("%s instead of %s", e.text, pattern);
	memcpy(text, line.at, line.len);
	text[line.len] = '\0';
	if (fnmatch(pattern, text, 0) != 0)
		fail_msg("%s\ndoes not fit\n%s", text, pattern);
}

static void ends(struct local_client **c)
{
	struct span line;
	struct err e;

	assert_false(local_hear(*c, 100, &line, &e));
	assert_non_null(strstr(e.text, "closed"));
	local_leave(c);
}

static void requests_are_answered_in_order(void **state)
{
	struct local_client *c = client();

	(void)state;
	say(c, "{\"v\":1,\"op\":\"account.add\",\"args\":{\"account\":\"bert\",\"password\":\"x\"}}\n"
		"{\"v\":1,\"op\":\"account.show\",\"args\":{\"account\":\"bert\"}}\r\n{\"v\":1,\"op\":\"account.show\",\"args\":{\"account\":\"carl\"}}\n");
	hear(c, "{\"v\":1,\"answer\":{\"account\":\"bert\"}}");
	hear(c, "{\"v\":1,\"answer\":{\"account\":\"bert\",*\"can_login\":true,*}}");
	hear(c, "{\"v\":1,\"error\":{\"kind\":\"config\",\"text\":\"there is no account carl;*\"}}");
	say(c, "{\"v\":1,\"op\":\"reload\"}\n");
	hear(c, "{\"v\":1,\"answer\":{}}");
	assert_int_equal(instance.reloads, 1);
	local_leave(&c);
}

static void what_cannot_be_read_is_answered_and_ends(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n", "{\"v\":1,\"error\":{\"kind\":\"peer\",\"text\":\"the request is not JSON*\"}}" },
		{ "\n", "{\"v\":1,\"error\":{\"kind\":\"peer\",*}}" },
		{ "{\"v\":1,\"op\":\"reload\",\"octets\":\"7\"}\nabcdefg", "{\"v\":1,\"error\":{\"kind\":\"config\",\"text\":\"octets is not*\"}}" },
		{ "{\"v\":9,\"op\":\"reload\"}\n{\"v\":1,\"op\":\"reload\"}\n", "{\"v\":1,\"error\":{\"kind\":\"config\",\"text\":\"version 9*\"}}" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct local_client *c = client();

		say(c, rows[n].line);
		hear(c, rows[n].answer);
		ends(&c);
	}
	assert_int_equal(instance.reloads, 0);
}

static void a_line_too_long(void **state)
{
	struct local_client *c = client();
	char *text = malloc(REQUEST_MAX + 2);
	struct err e;

	(void)state;
	memset(text, 'a', REQUEST_MAX + 2);
	(void)!local_tell(c, (struct span){ text, REQUEST_MAX + 2 }, -1, &e);
	hear(c, "{\"v\":1,\"error\":{\"kind\":\"peer\",\"text\":\"the request has more than 1048576 octets\"}}");
	ends(&c);
	free(text);
}

/* Octets that an operation does not want, or refuses, are passed over; the next request is where it should be. */
static void octets_nobody_wants(void **state)
{
	struct local_client *c = client();

	(void)state;
	say(c, "{\"v\":1,\"op\":\"account.list\",\"octets\":12}\n{\"v\":1}\n\n\n\n{{\"v\":1,\"op\":\"reload\"}\n");
	hear(c, "{\"v\":1,\"error\":{\"kind\":\"config\",\"text\":\"account.list: no octets belong behind its request\"}}");
	hear(c, "{\"v\":1,\"answer\":{}}");
	say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"nobody/INBOX\"},\"octets\":3}\nabc{\"v\":1,\"op\":\"reload\"}\n");
	hear(c, "{\"v\":1,\"error\":{\"kind\":\"config\",*no account*}}");
	hear(c, "{\"v\":1,\"answer\":{}}");
	local_leave(&c);
}

static bool same(void *user, struct span piece)
{
	struct span *left = user;

	if (piece.len > left->len || memcmp(piece.at, left->at, piece.len) != 0)
		return false;
	*left = span_from(*left, piece.len);
	return true;
}

/* Through the socket and back: many large messages under way at once, and other clients served meanwhile. */
static void messages_in_and_out(void **state)
{
	enum { COUNT_OF = 40 };
	struct local_client *c = client(), *other = client();
	char *large = fixture_octets(LARGE), line[200];
	struct span said;
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT_OF; n++) {
		(void)snprintf(line, sizeof line, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":%d}\n", LARGE - (int)n);
		say(c, line);
		must(local_tell(c, (struct span){ large, LARGE - n }, -1, &fixture_err));
		say(other, "{\"v\":1,\"op\":\"reload\"}\n");
		hear(other, "{\"v\":1,\"answer\":{}}");
	}
	for (size_t n = 0; n < COUNT_OF; n++) {
		(void)snprintf(line, sizeof line, "{\"v\":1,\"answer\":{\"octets\":%d}}", LARGE - (int)n);
		hear(c, line);
	}
	say(c, "{\"v\":1,\"op\":\"mailbox.messages\",\"args\":{\"mailbox\":\"anna/INBOX\",\"limit\":1}}\n");
	must(local_hear(c, 4096, &said, &fixture_err));
	(void)snprintf(line, sizeof line, "{\"v\":1,\"op\":\"mailbox.message\",\"args\":{\"mailbox\":\"anna/INBOX\",\"uid\":\"%.16s\"}}\n",
		strstr(said.at, "\"uid\":\"") + 7);
	for (size_t n = 0; n < 3; n++)
		say(c, line);
	say(c, "{\"v\":1,\"op\":\"reload\"}\n");
	for (size_t n = 0; n < 3; n++) {
		struct span left = { large, LARGE };

		hear(c, "{\"v\":1,\"answer\":{\"octets\":500000,\"gone\":false},\"octets\":500000}");
		if (!local_take(c, LARGE, same, &left, &e))
			fail_msg("%s", e.text);
		assert_int_equal(left.len, 0);
	}
	hear(c, "{\"v\":1,\"answer\":{}}");
	local_leave(&c);
	local_leave(&other);
	free(large);
}

/* The store is not answered: who appends is held, with bounded memory, and others are served. */
static void who_waits_for_the_store_waits_alone(void **state)
{
	struct local_client *c = client(), *other = client();

	(void)state;
	instance.deaf = true;
	for (size_t n = 0; n < 2 * CONTROL_WINDOW; n++)
		say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":1}\nx");
	say(other, "{\"v\":1,\"op\":\"status\"}\n");
	hear(other, "{\"v\":1,\"answer\":{*\"service\":\"pop3\",\"state\":\"running\"*}}");
	instance_hear(&instance);
	for (size_t n = 0; n < 2 * CONTROL_WINDOW; n++)
		hear(c, "{\"v\":1,\"answer\":{\"octets\":1}}");
	local_leave(&c);
	local_leave(&other);
}

/* What was asked later sees what was done before, also when that is long in coming. */
static void each_waits_for_those_before(void **state)
{
	struct local_client *c = client(), *other = client();

	(void)state;
	instance.deaf = true;
	say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":3}\nabc"
		"{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":2}\nde"
		"{\"v\":1,\"op\":\"mailbox.messages\",\"args\":{\"mailbox\":\"anna/INBOX\"}}\n"
		"{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":1}\nf");
	say(other, "{\"v\":1,\"op\":\"reload\"}\n");
	hear(other, "{\"v\":1,\"answer\":{}}");
	(void)poll(NULL, 0, 20);
	instance_hear(&instance);
	hear(c, "{\"v\":1,\"answer\":{\"octets\":3}}");
	hear(c, "{\"v\":1,\"answer\":{\"octets\":2}}");
	hear(c, "{\"v\":1,\"answer\":{\"rows\":*\"number\":2*}}");
	hear(c, "{\"v\":1,\"answer\":{\"octets\":1}}");
	local_leave(&c);
	local_leave(&other);
}

static void who_leaves_in_the_middle_leaves_nothing(void **state)
{
	struct local_client *c = client();

	(void)state;
	say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/half\"},\"octets\":1000}\nonly so much");
	local_leave(&c);
	c = client();
	instance.deaf = true;
	say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/whole\"},\"octets\":1}\nx");
	local_leave(&c);
	(void)poll(NULL, 0, 20);
	instance_hear(&instance);
	c = client();
	say(c, "{\"v\":1,\"op\":\"mailbox.messages\",\"args\":{\"mailbox\":\"anna/half\"}}\n");
	hear(c, "{\"v\":1,\"answer\":{\"rows\":\\[\\]}}");
	local_leave(&c);
}

/* Whatever is under way when it ends. */
static void it_ends_with_clients_in_it(void **state)
{
	struct local_client *c = client(), *half = client(), *idle = client();

	instance.deaf = true;
	say(c, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":1}\nx");
	say(half, "{\"v\":1,\"op\":\"mailbox.append\",\"args\":{\"mailbox\":\"anna/INBOX\"},\"octets\":10}\nx{\"v\"");
	(void)poll(NULL, 0, 20);
	(void)stop(state);
	assert_int_equal(access(path, F_OK), -1);
	ends(&c);
	ends(&half);
	ends(&idle);
	(void)start(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_answered_in_order, start, stop),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_answered_and_ends, start, stop),
		cmocka_unit_test_setup_teardown(a_line_too_long, start, stop),
		cmocka_unit_test_setup_teardown(octets_nobody_wants, start, stop),
		cmocka_unit_test_setup_teardown(messages_in_and_out, start, stop),
		cmocka_unit_test_setup_teardown(who_waits_for_the_store_waits_alone, start, stop),
		cmocka_unit_test_setup_teardown(each_waits_for_those_before, start, stop),
		cmocka_unit_test_setup_teardown(who_leaves_in_the_middle_leaves_nothing, start, stop),
		cmocka_unit_test_setup_teardown(it_ends_with_clients_in_it, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
